#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    from django.core.management import execute_from_command_line

    import backoffice.celery  # noqa: F401  (so that `send_task` by name rings our broker)

    execute_from_command_line(sys.argv)


if __name__ == "__main__":
    main()
