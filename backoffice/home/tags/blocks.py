"""Blocks and forms, drawn through `templates/components/`."""

from django.forms import (
    BaseForm,
    BoundField,
    CheckboxInput,
    CheckboxSelectMultiple,
    ClearableFileInput,
    RadioSelect,
    Select,
)
from django.template.loader import render_to_string
from django.utils.safestring import SafeString

NOTE_ICONS = {
    "info": "info-circle",
    "wait": "alert-triangle",
    "bad": "circle-x",
    "unknown": "help-hexagon",
    "good": "circle-check",
    "neutral": "info-circle",
}


def panel(
    content: str,
    title: str = "",
    *,
    fact: str | SafeString = "",
    count: int | None = None,
    head: str | SafeString = "",
    body: bool = True,
    id: str = "",
    css: str = "",
    level: int = 2,
) -> SafeString:
    return SafeString(
        render_to_string(
            "components/panel.html",
            {
                "content": content,
                "title": title,
                "fact": fact,
                "count": count,
                "head": head,
                "body": body,
                "id": id,
                "css": css,
                "level": level,
            },
        )
    )


def note(
    content: str, tone: str, title: str = "", *, words: str = "", icon: str = "", alert: bool = False, css: str = ""
) -> SafeString:
    """Explain something in the page: what is so, IBKR's words if any, then what the caller wrote between the tags."""
    context = {"content": content, "tone": tone, "title": title, "words": words, "alert": alert, "css": css}
    return SafeString(render_to_string("components/note.html", context | {"icon": icon or NOTE_ICONS[tone]}))


def dialog(
    content: str, id: str, title: str, *, fact: str = "", icon: str = "", tone: str = "neutral", open: bool = False
) -> SafeString:
    context = {"content": content, "id": id, "title": title, "fact": fact, "icon": icon, "tone": tone, "open": open}
    return SafeString(render_to_string("components/dialog.html", context))


def locked(words: str, reason: str, *, id: str = "locked", css: str = "") -> SafeString:
    """Keep the place of an action that is not possible now, and say what opens it."""
    return SafeString(
        render_to_string("components/locked.html", {"words": words, "reason": reason, "id": id, "css": css})
    )


def _control(bound: BoundField) -> str:
    widget = bound.field.widget
    if isinstance(widget, CheckboxInput):
        return "tick"
    if isinstance(widget, RadioSelect | CheckboxSelectMultiple):
        return "choices"
    if isinstance(widget, Select):
        return "select"
    return "file" if isinstance(widget, ClearableFileInput) else "text"


def _errors(bound: BoundField) -> list[dict[str, str]]:
    found = []
    for error in bound.errors.as_data():
        for message, params in ((text, error.params or {}) for text in error.messages):
            found.append({"message": message, "fix": str(params.get("fix", "")), "rule": str(params.get("rule", ""))})
    return found


def field(
    bound: BoundField,
    *,
    unit: str = "",
    code: str = "",
    from_: str = "",
    why: str = "",
    wide: bool = False,
    label: str = "",
    fix: str = "",
) -> SafeString:
    """Render one form field: label above, control, help, and for an error what is wrong and how to mend it."""
    if bound.is_hidden:
        return SafeString(bound.as_widget())
    errors = _errors(bound) if bound.form.is_bound else []
    control = _control(bound)
    described = [f"{bound.id_for_label}_help"] if bound.help_text else []
    described += [f"{bound.id_for_label}_error"] if errors else []
    attributes: dict[str, str | bool] = {"aria-describedby": " ".join(described)} if described else {}
    if errors:
        attributes["aria-invalid"] = "true"
    context = {
        "field": bound,
        "widget": bound.as_widget(attrs=attributes),
        "control": control,
        "errors": errors,
        "unit": unit,
        "code": code,
        "provenance": from_,
        "why": why,
        "wide": wide,
        "label": label or bound.label,
        "fix": fix,
    }
    return SafeString(render_to_string("components/field.html", context))


def form_fields(form: BaseForm) -> SafeString:
    return SafeString(render_to_string("components/form.html", {"form": form}))
