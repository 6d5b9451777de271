"""The product's settings, made quick and quiet for tests. Everything else is as in production."""

import os

from tests import egress

egress.install()
os.environ.setdefault("SECRET_KEY", "tests-only-" + "x" * 50)
os.environ.setdefault("FIELD_KEYS", "t1:" + "QUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUFBQUE=")
os.environ.setdefault("BLIND_INDEX_KEY", "QkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkJCQkI=")
os.environ.setdefault("HTTPS", "false")
os.environ.setdefault("DEMONSTRATION", "true")
os.environ.setdefault("FIRM_NAME", "Alder Row")
os.environ.setdefault("MFA_REQUIRED", "false")  # tests/backoffice/test_second_factor.py switches it on
os.environ.setdefault("SANDBOX_LIMITS", "false")  # the tests of the limiter switch it on; all others would only wait

# Each test process has its own corner of the broker, so no worker takes another's doorbell. Celery itself reads this
# name from the environment before it asks Django; a worker that a test starts inherits what is set here.
_process = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
os.environ["CELERY_BROKER_URL"] = f"{os.environ['CELERY_BROKER_URL'].rsplit('/', 1)[0]}/{3 + _process}"

from backoffice.settings import *  # noqa: E402, F403

PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
STORAGES["staticfiles"] = {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}  # noqa: F405
AXES_ENABLED = False
# Tests travel in time while somebody is signed in; those of sessions and step-up set the production values.
STEP_UP_SECONDS = ACCOUNT_REAUTHENTICATION_TIMEOUT = 10 * 366 * 86400
SESSION_IDLE = SESSION_LONGEST = timedelta(days=3660)  # noqa: F405
JOURNAL_LEASE_SECONDS = 5
JOURNAL_QUIET_SECONDS = 0
JOURNAL_LOOK_SECONDS = [0, 0, 0, 0]
DATABASES["default"]["OPTIONS"].pop("pool", None)  # noqa: F405  (each test closes its own connections)
