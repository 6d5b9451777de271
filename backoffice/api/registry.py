"""What each app adds to the API. An app's `api.py` calls `resource`; nothing here knows the apps."""

from collections.abc import Callable
from typing import Any

from django.urls import URLPattern, path

PATTERNS: list[URLPattern] = []


def resource(name: str, *, key: str = "uuid:pk") -> Callable[[type[Any]], type[Any]]:
    """Serve a view set as `<name>/` (`name-list`) and, unless `key` is empty, `<name>/<key>/` (`name-detail`).

    POST to the list is served where the class makes things (`making.Making`).
    """

    def add(views: type[Any]) -> type[Any]:
        listed = {"get": "list", "post": "create"} if hasattr(views, "create") else {"get": "list"}
        PATTERNS.append(path(f"{name}/", views.as_view(listed), name=f"{name}-list"))
        if key:
            PATTERNS.append(path(f"{name}/<{key}>/", views.as_view({"get": "retrieve"}), name=f"{name}-detail"))
        return views

    return add


def act(name: str, of: str, *, key: str = "uuid:pk") -> Callable[[type[Any]], type[Any]]:
    """Serve an APIView as `<of>/<key>/<name>/` (`of-name`): something done with one thing, or one of its files."""

    def add(view: type[Any]) -> type[Any]:
        PATTERNS.append(path(f"{of}/<{key}>/{name}/", view.as_view(), name=f"{of}-{name}"))
        return view

    return add
