#!/usr/bin/env python
"""Django's command line for this project."""

import os
import sys


def main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
    from django.core.management import execute_from_command_line
    from django.db import OperationalError
    from psycopg_pool import PoolTimeout

    import backoffice.celery  # noqa: F401  (so that `send_task` by name rings our broker)

    try:
        execute_from_command_line(sys.argv)
    except OperationalError as error:
        if not isinstance(error.__cause__, PoolTimeout):
            raise
        sys.exit(
            "The database does not let us in; the lines of psycopg.pool above say why. Check the host, port, user, password and "
            "database in DATABASE_URL, and that PostgreSQL runs."
        )
    except EOFError:
        sys.exit("\nThis command asks for something to be typed. Run it at a terminal (with docker: exec -it).")


if __name__ == "__main__":
    main()
