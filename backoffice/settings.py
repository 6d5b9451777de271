"""Settings, from the environment only (environment.py)."""

import sys
from datetime import timedelta
from typing import Any
from urllib.parse import unquote, urlsplit

from backoffice.environment import BASE_DIR, listed, read_environment

env = read_environment()


def _database(url: str) -> dict[str, Any]:
    parts = urlsplit(url)
    query = {
        name: unquote(value) for name, value in (pair.split("=", 1) for pair in parts.query.split("&") if "=" in pair)
    }
    return {
        "ENGINE": "django.db.backends.postgresql",
        "NAME": unquote(parts.path.lstrip("/")),
        "USER": unquote(parts.username or ""),
        "PASSWORD": unquote(parts.password or ""),
        "HOST": query.pop("host", "") or unquote(parts.hostname or ""),
        "PORT": str(parts.port or ""),
        "OPTIONS": {
            "pool": {"min_size": 1, "max_size": env.DATABASE_POOL_SIZE, "timeout": 5},
            # A stuck lock or query must end as an error a person can read, not as a page that never comes. A migration may
            # work for long, as an index of a big table does, but not wait for long: others would queue behind it.
            "options": f"-c statement_timeout={0 if sys.argv[1:2] == ['migrate'] else 15000} -c lock_timeout=8000 "
            "-c idle_in_transaction_session_timeout=30000",
            **query,
        },
    }


DEBUG = env.DEBUG
DEMONSTRATION = env.DEMONSTRATION
FIRM_NAME = env.FIRM_NAME
PUBLIC_URL = env.PUBLIC_URL.rstrip("/")
SECRET_KEY = env.SECRET_KEY
SECRET_KEY_FALLBACKS = listed(env.SECRET_KEY_FALLBACKS)
ALLOWED_HOSTS = listed(env.ALLOWED_HOSTS)
CSRF_TRUSTED_ORIGINS = listed(env.CSRF_TRUSTED_ORIGINS)
STATE_DIR = BASE_DIR / env.BACKOFFICE_STATE  # the same for all processes, wherever each was started
FIELD_KEYS = env.FIELD_KEYS
BLIND_INDEX_KEY = env.BLIND_INDEX_KEY
AUDIT_KEYS = env.AUDIT_KEYS
AUDIT_ANCHORS = env.AUDIT_ANCHORS or STATE_DIR / "anchors"
IBKR_EGRESS_IP = env.IBKR_EGRESS_IP
IBKR_LISTED_OPERATIONS = frozenset(listed(env.IBKR_LISTED_OPERATIONS))

JOURNAL_LEASE_SECONDS = env.JOURNAL_LEASE_SECONDS
JOURNAL_QUIET_SECONDS = env.JOURNAL_QUIET_SECONDS
JOURNAL_LOOK_SECONDS = [int(step) for step in listed(env.JOURNAL_LOOK_SECONDS)]
REVEALS_PER_HOUR = env.REVEALS_PER_HOUR
EXPORTS_PER_HOUR = env.EXPORTS_PER_HOUR
DOCUMENTS_PER_HOUR = env.DOCUMENTS_PER_HOUR
API_PEOPLE_PER_HOUR = env.API_PEOPLE_PER_HOUR
QUESTION_SECONDS = env.QUESTION_SECONDS
SANDBOX_LIMITS = env.SANDBOX_LIMITS
STREAM_COOKIE = env.STREAM_COOKIE
MARKET_DATA_LINES = env.MARKET_DATA_LINES

INSTALLED_APPS = [
    "backoffice.home",
    "backoffice.people",
    "backoffice.audit",
    "backoffice.core",
    "backoffice.broker",
    "backoffice.journal",
    "clients",
    "funding",
    "trading",
    "reporting",
    "allauth",
    "allauth.account",
    "allauth.mfa",
    "allauth.usersessions",
    "axes",
    "django_htmx",
    "template_partials",
    "rest_framework",
    "drf_spectacular",
    "django.contrib.auth",
    "django.contrib.contenttypes",
    "django.contrib.sessions",
    "django.contrib.messages",
    "django.contrib.staticfiles",
]

MIDDLEWARE = [
    "backoffice.core.edge.ClientAddress",
    "django.middleware.security.SecurityMiddleware",
    "backoffice.home.middleware.SecurityHeaders",
    "whitenoise.middleware.WhiteNoiseMiddleware",
    "backoffice.home.middleware.CorrelationId",
    "django.contrib.sessions.middleware.SessionMiddleware",
    "django.middleware.common.CommonMiddleware",
    "backoffice.core.edge.SmallBodies",
    "django.middleware.csrf.CsrfViewMiddleware",
    "backoffice.core.edge.WholeTexts",
    "django.contrib.auth.middleware.AuthenticationMiddleware",
    "backoffice.people.middleware.Sessions",
    "django.contrib.auth.middleware.LoginRequiredMiddleware",
    "backoffice.people.middleware.SecondFactor",
    "django.contrib.messages.middleware.MessageMiddleware",
    "django.middleware.clickjacking.XFrameOptionsMiddleware",
    "allauth.account.middleware.AccountMiddleware",
    "django_htmx.middleware.HtmxMiddleware",
    "backoffice.audit.middleware.AuditTrail",
    "backoffice.home.middleware.PlainErrors",
    "axes.middleware.AxesMiddleware",
]

ROOT_URLCONF = "backoffice.urls"
WSGI_APPLICATION = "backoffice.wsgi.application"
TEMPLATES = [
    {
        "BACKEND": "django.template.backends.django.DjangoTemplates",
        "DIRS": [BASE_DIR / "templates"],
        "APP_DIRS": True,
        "OPTIONS": {
            "builtins": ["backoffice.home.templatetags.ui"],
            "context_processors": [
                "django.template.context_processors.request",
                "django.contrib.auth.context_processors.auth",
                "django.contrib.messages.context_processors.messages",
                "backoffice.home.context.frame",
                "backoffice.people.middleware.session_clock",
            ],
        },
    }
]

DATABASES = {"default": _database(env.DATABASE_URL)}
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"

# Rate limits of sign-in and used one-time codes live here. In the database, because a page must open when the broker is
# down; and with room, because a cache that culls forgets who has tried too often.
CACHES = {
    "default": {
        "BACKEND": "django.core.cache.backends.db.DatabaseCache",
        "LOCATION": "cache",
        "OPTIONS": {"MAX_ENTRIES": 200_000},
    }
}

AUTH_USER_MODEL = "people.User"
AUTHENTICATION_BACKENDS = ["axes.backends.AxesStandaloneBackend", "backoffice.people.backends.EmailBackend"]
PASSWORD_HASHERS = ["django.contrib.auth.hashers.Argon2PasswordHasher"]
AUTH_PASSWORD_VALIDATORS = [
    {"NAME": "django.contrib.auth.password_validation.MinimumLengthValidator", "OPTIONS": {"min_length": 12}},
    {"NAME": "django.contrib.auth.password_validation.CommonPasswordValidator"},
    {"NAME": "backoffice.people.passwords.Varied"},
    {
        "NAME": "django.contrib.auth.password_validation.UserAttributeSimilarityValidator",
        "OPTIONS": {"user_attributes": ("email", "name")},
    },
]
PASSWORD_RESET_TIMEOUT = 3600
LOGIN_URL = "account_login"
LOGIN_REDIRECT_URL = "/"
ACCOUNT_ADAPTER = "backoffice.people.adapter.ClosedSignup"
ACCOUNT_LOGIN_METHODS = {"email"}
ACCOUNT_SIGNUP_FIELDS = ["email*", "password1*", "password2*"]
ACCOUNT_USER_MODEL_USERNAME_FIELD = None
ACCOUNT_EMAIL_VERIFICATION = "none"
ACCOUNT_LOGOUT_ON_GET = False
ACCOUNT_SESSION_REMEMBER = False
ACCOUNT_PREVENT_ENUMERATION = True
ACCOUNT_REAUTHENTICATION_TIMEOUT = STEP_UP_SECONDS = env.STEP_UP_SECONDS
MFA_REQUIRED = env.MFA_REQUIRED
MFA_ADAPTER = "backoffice.people.adapter.SealedSecrets"
MFA_SUPPORTED_TYPES = ["totp", "webauthn", "recovery_codes"]
MFA_TOTP_ISSUER = env.FIRM_NAME
MFA_TOTP_TOLERANCE = 0  # a code counts in its own half minute only; with more, one used could be used again
MFA_PASSKEY_LOGIN_ENABLED = True
MFA_FORMS = {
    "activate_totp": "backoffice.people.forms.AppForm",
    "add_webauthn": "backoffice.people.forms.PasskeyForm",
    "edit_webauthn": "backoffice.people.forms.PasskeyNameForm",
}
MFA_WEBAUTHN_USER_VERIFICATION = "required"
MFA_WEBAUTHN_ALLOW_INSECURE_ORIGIN = env.DEMONSTRATION
MFA_RECOVERY_CODES_SHOW_ONCE = True
MFA_ALLOW_UNVERIFIED_EMAIL = True  # the invitation proved the address
SESSION_IDLE = timedelta(seconds=env.SESSION_IDLE_SECONDS)
SESSION_LONGEST = timedelta(seconds=env.SESSION_SECONDS)
AXES_FAILURE_LIMIT = 8
AXES_COOLOFF_TIME = "backoffice.people.lockout.wait"  # a quarter of an hour, doubled by each further lock-out of a day
AXES_ENABLE_ACCESS_FAILURE_LOG = True
AXES_DISABLE_ACCESS_LOG = True  # who signed in is in the audit, without their address in the clear
AXES_RESET_COOL_OFF_ON_FAILURE_DURING_LOCKOUT = False  # trying during the wait does not make it longer
AXES_LOCKOUT_PARAMETERS = [["username", "ip_address"]]
AXES_USERNAME_FORM_FIELD = "login"
AXES_USERNAME_CALLABLE = "backoffice.people.lockout.person_tried"
AXES_LOCKOUT_TEMPLATE = "account/locked.html"
AXES_RESET_ON_SUCCESS = True
SILENCED_SYSTEM_CHECKS = [
    "axes.W003",  # our own backend sits beside axes' on purpose
]
EMAIL_BACKEND = (
    "django.core.mail.backends.console.EmailBackend"
    if env.DEMONSTRATION
    else "django.core.mail.backends.smtp.EmailBackend"
)

EMAIL_HOST = env.EMAIL_HOST
EMAIL_PORT = env.EMAIL_PORT
EMAIL_HOST_USER = env.EMAIL_HOST_USER
EMAIL_HOST_PASSWORD = env.EMAIL_HOST_PASSWORD
EMAIL_USE_TLS = env.EMAIL_USE_TLS
EMAIL_USE_SSL = env.EMAIL_USE_SSL
EMAIL_TIMEOUT = 10
DEFAULT_FROM_EMAIL = env.EMAIL_FROM

SESSION_COOKIE_AGE = env.SESSION_SECONDS
SESSION_COOKIE_HTTPONLY = True
SESSION_COOKIE_SAMESITE = "Lax"
SESSION_COOKIE_SECURE = CSRF_COOKIE_SECURE = env.HTTPS
SESSION_COOKIE_NAME = "__Host-session" if env.HTTPS else "session"
CSRF_COOKIE_HTTPONLY = True
SECURE_SSL_REDIRECT = env.HTTPS
SECURE_REDIRECT_EXEMPT = ["^healthz$", "^readyz$"]  # a probe that asks in plain http takes a redirect for a yes
SECURE_HSTS_SECONDS = 31_536_000 if env.HTTPS else 0
SECURE_HSTS_INCLUDE_SUBDOMAINS = SECURE_HSTS_PRELOAD = env.HTTPS
SECURE_REFERRER_POLICY = "same-origin"
TRUSTED_PROXY = env.TRUSTED_PROXY
SECURE_PROXY_SSL_HEADER = ("HTTP_X_FORWARDED_PROTO", "https") if env.TRUSTED_PROXY else None
X_FRAME_OPTIONS = "DENY"

LANGUAGE_CODE = "en-gb"
TIME_ZONE = "UTC"
USE_TZ = True
USE_I18N = False

STATIC_URL = "static/"
STATIC_ROOT = STATE_DIR / "static"
STATICFILES_DIRS = [BASE_DIR / "static"]
STORAGES: dict[str, dict[str, Any]] = {
    "default": {"BACKEND": "django.core.files.storage.FileSystemStorage", "OPTIONS": {"location": STATE_DIR / "files"}},
    "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"},
}
DATA_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024
FILE_UPLOAD_MAX_MEMORY_SIZE = 12 * 1024 * 1024

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "backoffice.people.tokens.TokenAuthentication",
        "rest_framework.authentication.SessionAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["backoffice.people.tokens.HasPermission"],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_PARSER_CLASSES": ["backoffice.api.parsing.ShallowJSON"],
    "DEFAULT_SCHEMA_CLASS": "drf_spectacular.openapi.AutoSchema",
    "DEFAULT_THROTTLE_CLASSES": ["backoffice.api.throttling.Budget"],
    "EXCEPTION_HANDLER": "backoffice.api.errors.answer",
    "URL_FORMAT_OVERRIDE": None,
}
API_CALLS_PER_MINUTE = 300  # of each token, and of each person at a browser
SPECTACULAR_SETTINGS = {"TITLE": "Back office", "VERSION": "1", "SERVE_INCLUDE_SCHEMA": False}

CELERY_BROKER_URL = env.CELERY_BROKER_URL
CELERY_BROKER_TRANSPORT_OPTIONS = {
    "visibility_timeout": 300,
    "unacked_restore_interval": 5,
    "unacked_restore_throttle": 1,
    # A dead broker must not hold a page or a worker: fail fast, the sweeps make up for it.
    "socket_connect_timeout": 2,
    "socket_timeout": 5,
    "max_retries": 1,
    "interval_start": 0,
    "interval_step": 0,
    "interval_max": 0,
}
CELERY_BROKER_CONNECTION_RETRY_ON_STARTUP = True
CELERY_BROKER_CONNECTION_MAX_RETRIES = None
CELERY_TASK_SERIALIZER = "json"
CELERY_ACCEPT_CONTENT = ["json"]
CELERY_TASK_IGNORE_RESULT = True
CELERY_TASK_ACKS_LATE = False
CELERY_TASK_TIME_LIMIT = 240
CELERY_TASK_SOFT_TIME_LIMIT = 200
CELERY_WORKER_PREFETCH_MULTIPLIER = 1
CELERY_TASK_DEFAULT_QUEUE = "accounts"
CELERY_TIMEZONE = "UTC"

LOGGING = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"line": {"format": "%(asctime)s %(levelname)s %(name)s %(message)s"}},
    "filters": {
        "one_line": {"()": "backoffice.core.logs.OneLine"},
        "once": {"()": "backoffice.core.logs.OncePerOutage"},
    },
    "handlers": {"console": {"class": "logging.StreamHandler", "formatter": "line"}},
    "root": {"handlers": ["console"], "level": env.LOG_LEVEL},
    # The filters are on the loggers: a worker of Celery's takes the handlers away and sets its own.
    "loggers": {
        "axes": {"level": "ERROR"},
        "django.request": {"level": "ERROR", "filters": ["once"]},
        "django.security.DisallowedHost": {"filters": ["one_line"]},
        "celery.app.trace": {"filters": ["once"]},
        "psycopg.pool": {"filters": ["once"]},
    },
}
