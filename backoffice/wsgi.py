"""The web process. It reads and writes rows; it never talks to IBKR and holds no signing key."""

import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backoffice.settings")
application = get_wsgi_application()

# So that `send_task` by name in this process rings our broker.
from backoffice.celery import app as celery_app  # noqa: E402, F401
from backoffice.home.files import require_collected  # noqa: E402

require_collected()
