"""The pages where `collectstatic` has not run: the start says so, and a page of failure is still one of ours."""

from pathlib import Path
from typing import Any

import pytest
from django.contrib.staticfiles.storage import staticfiles_storage
from django.core.exceptions import ImproperlyConfigured
from django.test import Client

from backoffice.home.files import require_collected

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _no_files(settings: Any, tmp_path: Path) -> None:
    """The storage of production on an empty folder."""
    settings.STATIC_ROOT = tmp_path
    settings.STORAGES = settings.STORAGES | {
        "staticfiles": {"BACKEND": "whitenoise.storage.CompressedManifestStaticFilesStorage"}
    }


def test_the_start_ends_with_the_command_that_is_missing(tmp_path: Path) -> None:
    with pytest.raises(ImproperlyConfigured, match=r"Run manage\.py collectstatic --no-input with the same settings"):
        require_collected()


def test_once_the_files_are_there_it_goes_on(tmp_path: Path) -> None:
    (tmp_path / "staticfiles.json").write_text(
        '{"version": "1.1", "paths": {"mark.svg": "mark.1.svg"}, "hash": "x"}', encoding="utf-8"
    )
    staticfiles_storage.hashed_files, _ = staticfiles_storage.load_manifest()

    require_collected()


@pytest.mark.parametrize(("address", "status"), [("/account/login/", 500), ("/static-of-nobody/", 404)])
def test_a_page_of_failure_needs_no_file(client: Client, address: str, status: int) -> None:
    client.raise_request_exception = False

    answer = client.get(address)

    assert answer.status_code == status
    assert answer["X-Reference"] in answer.content.decode() or status == 404
    assert "bo-failure" in answer.content.decode()
