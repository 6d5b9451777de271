"""`python -m backoffice.embedded VERB`: what the bootstrap becomes once everything is installed."""

import os
import sys

from backoffice.embedded import bench, faults, setup, supervisor, verbs
from backoffice.embedded.console import StepFailed, Steps, say
from backoffice.embedded.state import State


def main() -> int:
    verb = sys.argv[1]
    done, _, total = os.environ.pop("BACKOFFICE_STEP", f"0/{setup.VERBS[verb][1]}").partition("/")
    steps = Steps(int(total), int(done))
    state = State.chosen().make()
    try:
        match verb:
            case "run":
                return supervisor.Supervisor(state, steps).run()
            case "reset":
                return supervisor.reset(state, steps)
            case "check":
                return verbs.check(state, steps)
            case "bench":
                return bench.run(state, steps)
            case "lock":
                return verbs.lock(state, steps)
            case "faults":
                return faults.run(state, steps)
            case "browser":
                return verbs.run_tests(state, steps, ("-m", verb))
            case _:
                return verbs.run_tests(state, steps)
    except StepFailed as failure:
        if not failure.told:
            print(failure, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130


if __name__ == "__main__":
    sys.exit(main())
