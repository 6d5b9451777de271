"""The files of the pages: styles, scripts, fonts. Each is named by its content, and the manifest knows those names."""

from django.conf import settings
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured


def require_collected() -> None:
    """Raise ImproperlyConfigured when the manifest is missing: the web process would start, and every page of it fail."""
    names = getattr(staticfiles_storage, "hashed_files", None)  # None where files keep their own names
    if names is not None and not names:
        raise ImproperlyConfigured(
            f"The files of the pages are not in {settings.STATIC_ROOT}. Run manage.py collectstatic --no-input with the same "
            "settings, then start this again."
        )
