"""Evidence packs: everything kept about one client, order or transfer, in one file that proves itself.

The pack holds references and digests, no personal data: who did what when, who approved which payload, what was sent
and answered (as SHA-256), which documents there are (as SHA-256), and each entry's place in the chain with the newest
anchor. `manifest.json` names the SHA-256 of every file and is signed with the audit key; its own digest is in the entry
that making the pack leaves in the audit.

An app tells what belongs to an object by a provider on `registry.evidence`.
"""

import hashlib
import io
import json
import zipfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import models
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string

from backoffice.audit import anchors, canonical, disclosures, keys, sealing
from backoffice.audit import services as audit
from backoffice.audit.models import Entry, Exchange
from backoffice.core import clock, exports
from backoffice.core.models import StatusEvent
from backoffice.home import registry
from backoffice.journal.models import Approval, Attempt, Attestation, Observation, Rejection, Release, Submission
from backoffice.journal.models import Evidence as Paper
from backoffice.people.models import User

STYLE = b"""body { font: 14px/1.4 sans-serif; margin: 2rem; color: #14201d }
table { border-collapse: collapse; margin: 0 0 2rem }
th, td { border: 1px solid #c5cdc5; padding: .2rem .5rem; text-align: left; vertical-align: top; font-size: 12px;
  overflow-wrap: anywhere }
caption { text-align: left; font-weight: 600; padding: .4rem 0 }
"""
MOST = 20_000  # lines of one table; a pack that is cut says so


@dataclass(frozen=True)
class Table:
    """One CSV file of the pack."""

    name: str
    title: str
    head: Sequence[str]
    rows: Sequence[Sequence[Any]]

    @property
    def is_cut(self) -> bool:
        return len(self.rows) >= MOST

    def content(self) -> bytes:
        return exports.csv_bytes(self.head, self.rows)


def gather(root: models.Model) -> list[registry.Evidence]:
    """Ask every app what belongs to an object; the object itself comes first."""
    return [registry.Evidence(rows=(root,)), *(found for provider in registry.evidence for found in provider(root))]


def pack(root: models.Model, *, kind: str, by: User) -> bytes:
    """Return the pack of one object as a ZIP file, having written who made it. `kind` is "client", "order", "transfer"."""
    parts = gather(root)
    rows = {(row._meta.label_lower, str(row.pk)): row for part in parts for row in part.rows}
    submissions = _about(Submission.objects.select_related("maker"), rows).order_by("created_at")
    for each in submissions:
        rows[each._meta.label_lower, str(each.pk)] = each
    tables = [_timeline(rows), *_sending(list(submissions)), _exchanges(rows), _documents(parts, list(submissions))]
    entries = list(_about(Entry.objects.select_related("seal"), rows).order_by("id")[:MOST])
    files = {table.name: table.content() for table in tables}
    files["chain.json"] = _json(_chain(entries))
    about = {"kind": kind, "id": str(root.pk), "made_at": clock.now().isoformat(), "made_by": by.name,
             "cut": [table.name for table in tables if table.is_cut]}  # fmt: skip
    files["index.html"] = render_to_string("audit/pack.html", {"about": about, "tables": tables}).encode()
    files["style.css"] = STYLE
    listed = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)} for name, content in files.items()
    }
    manifest = {**about, "key": keys.current(), "files": listed}
    signature = keys.sign("evidence", json.dumps(manifest, sort_keys=True).encode(), keys.current())
    files["manifest.json"] = _json({**manifest, "signature": signature})
    disclosures.let_out(
        "audit.evidence", by=by, on=root, summary=f"Evidence pack of one {kind} made",
        disclosed=[row for row in parts[0].rows if kind == "client"],
        sha256=hashlib.sha256(files["manifest.json"]).hexdigest(),
    )  # fmt: skip
    return _zipped(files)


def _about(query: "QuerySet[Any]", rows: Iterable[tuple[str, str]]) -> "QuerySet[Any]":
    """Narrow a table of named subjects to these; one condition for each kind of object."""
    by_model: dict[str, list[str]] = {}
    for label, key in rows:
        by_model.setdefault(label, []).append(key)
    wanted = Q(pk__in=[])
    for label, its_keys in by_model.items():
        wanted |= Q(subject_model=label, subject_id__in=its_keys)
    return query.filter(wanted)


def _timeline(rows: Iterable[tuple[str, str]]) -> Table:
    told: list[tuple[Any, ...]] = [
        (
            canonical.microseconds(entry.at), _moment(entry.at), "audit", entry.actor.name if entry.actor else "system",
            entry.action, entry.subject_model, entry.subject_id, entry.summary, entry.before, entry.after,
            entry.address or "", entry.correlation, entry.seal.position if entry.is_sealed else "",
        )
        for entry in _about(Entry.objects.select_related("actor", "seal"), rows).order_by("id")[:MOST]
    ]  # fmt: skip
    told += [
        (
            canonical.microseconds(event.at), _moment(event.at), "state", event.actor.name if event.actor else "system",
            f"{event.old} -> {event.new}", event.subject_model, event.subject_id, event.because, "", "", "", "", "",
        )
        for event in _about(StatusEvent.objects.select_related("actor"), rows).order_by("id")[:MOST]
    ]  # fmt: skip
    head = ["At (UTC)", "Kept in", "By", "What", "Object", "Object id", "Words", "Before", "After", "Address", "Reference",
            "Chain position"]  # fmt: skip
    return Table("timeline.csv", "What happened", head, [line[1:] for line in sorted(told, key=lambda line: line[0])])


def _sending(submissions: list[Submission]) -> list[Table]:
    given = Approval.objects.filter(submission__in=submissions).select_related("approver", "submission__maker")
    released = Release.objects.filter(submission__in=submissions).select_related("person", "submission__maker")
    attested = Attestation.objects.filter(submission__in=submissions).select_related("person", "submission__maker")
    refused = Rejection.objects.filter(submission__in=submissions).select_related("person", "submission__maker")
    payloads = [
        (row.pk, row.operation, f"{row.key_space} {row.key}", row.subject_model, row.subject_id, row.payload_sha256,
         row.maker.name if row.maker else "system", _moment(row.created_at), row.approvals_needed, row.state, row.reference)
        for row in submissions
    ]  # fmt: skip
    said: list[tuple[Any, str, User, str, str]] = [
        *((row, "approved", row.approver, row.payload_sha256, row.reason) for row in given),
        *((row, row.answer, row.person, row.payload_sha256, row.reason) for row in refused),
        *((row, "said to be absent", row.person, "", row.evidence) for row in attested),
        *((row, "released", row.person, "", row.evidence) for row in released),
    ]
    approvals = [
        (row.submission_id, row.submission.operation, row.submission.payload_sha256,
         row.submission.maker.name if row.submission.maker else "system", word, who.name, _moment(row.at), sha256, why)
        for row, word, who, sha256, why in sorted(said, key=lambda each: each[0].at)
    ]  # fmt: skip
    attempts = [
        (row.submission_id, row.submission.operation, f"{row.submission.key_space} {row.submission.key}", row.number,
         row.phase, row.request_sha256, _moment(row.prepared_at), row.outcome or "open", _moment(row.finished_at),
         row.submission.reference, row.host)
        for row in Attempt.objects.filter(submission__in=submissions).select_related("submission").order_by("prepared_at")
    ]  # fmt: skip
    looks = [
        (row.submission_id, _moment(row.at), row.finding, row.source, row.session_serial or "")
        for row in Observation.objects.filter(submission__in=submissions).order_by("at", "id")
    ]
    return [
        Table("payloads.csv", "What was meant to be sent",
              ["Submission", "Operation", "Key", "Object", "Object id", "Payload SHA-256", "Made by", "At (UTC)",
               "Approvals needed", "State", "IBKR reference"], payloads),
        Table("approvals.csv", "Who approved or refused which payload",
              ["Submission", "Operation", "Payload SHA-256", "Made by", "Kind", "By", "At (UTC)", "SHA-256 shown", "Words"],
              approvals),
        Table("attempts.csv", "What was sent",
              ["Submission", "Operation", "Key", "Attempt", "Message", "Payload SHA-256", "Prepared (UTC)", "Outcome",
               "Ended (UTC)", "IBKR reference", "Host"], attempts),
        Table("looks.csv", "What looks at IBKR showed", ["Submission", "At (UTC)", "Finding", "Source", "Session"], looks),
    ]  # fmt: skip


def _exchanges(rows: Iterable[tuple[str, str]]) -> Table:
    found = [
        (_moment(row.at), row.method, row.path, row.status or "", row.outcome, row.milliseconds, row.request_id,
         row.request_sha256, row.answer_sha256, row.subject_model, row.subject_id, row.correlation)
        for row in _about(Exchange.objects.all(), rows).order_by("id")[:MOST]
    ]  # fmt: skip
    head = ["At (UTC)", "Method", "Path", "Status", "Outcome", "ms", "Request id", "Request SHA-256", "Answer SHA-256",
            "Object", "Object id", "Reference"]  # fmt: skip
    return Table("exchanges.csv", "What was said to and by IBKR, as digests", head, found)


def _documents(parts: Iterable[registry.Evidence], submissions: Iterable[Submission]) -> Table:
    found = [
        (each.name, each.kind, each.sha256, each.size, _moment(each.at)) for part in parts for each in part.documents
    ]
    # The names that people give their papers may be personal, so the pack has its own.
    papers = Paper.objects.filter(submission__in=submissions).defer("content").order_by("added_at", "id")
    found += [
        (f"Paper {each.pk}", f"beside submission {each.submission_id}", each.sha256, each.size, _moment(each.added_at))
        for each in papers
    ]
    return Table("documents.csv", "Documents, as digests", ["Document", "Kind", "SHA-256", "Bytes", "At (UTC)"], found)


def _chain(entries: Iterable[Entry]) -> dict[str, Any]:
    head, anchor = sealing.head(), anchors.latest()
    return {
        "head": {"count": head.count, "seal": head.seal},
        "anchor": json.loads(anchor.line) if anchor is not None and not anchor.problem else None,
        "entries": [
            {
                "entry": entry.pk,
                "mac": entry.mac,
                "key": entry.key_id,
                "is_genuine": is_genuine(entry),
                "position": entry.seal.position if entry.is_sealed else None,
                "seal": entry.seal.seal if entry.is_sealed else None,
            }
            for entry in entries
        ],
    }


def is_genuine(entry: Entry) -> bool:
    """Whether an entry is what the product recorded, by its mac."""
    try:
        return canonical.mac(audit.content_of(entry), entry.key_id) == entry.mac
    except keys.UnknownKey:
        return False


def _moment(at: Any) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S.%f}" if at else ""


def _json(content: Any) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True).encode() + b"\n"


def _zipped(files: dict[str, bytes]) -> bytes:
    target, now = io.BytesIO(), clock.now()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(
                zipfile.ZipInfo(name, (now.year, now.month, now.day, now.hour, now.minute, now.second)), content
            )
    return target.getvalue()
