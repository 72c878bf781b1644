"""The events of a run's story: one class for each kind, and their form on disk. Pure.

An event is a JSON object; its field `event` names the kind. Readers `match` on the classes. A kind
that a newer version has added is read as `Unknown`, and fields that it has added are ignored; a
known kind that lacks a field is an error. Any other change of the form needs another `FORMAT`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_ptc.journal.event import Event
from pytest_ptc.journal.run_events import (
    BaselineRead,
    CoordinatorFailed,
    ItemsCollected,
    KnownListRead,
    LoopProblem,
    RunBegan,
    RunCleaned,
    RunEnded,
    RunStopping,
    SessionEnded,
    ShardTaken,
    SharedListProblem,
    SuiteChanged,
)
from pytest_ptc.journal.task_events import (
    AttemptAssigned,
    AttemptClaimed,
    AttemptEnded,
    AttemptsHeld,
    CheckKept,
    CheckSubmitted,
    ContentSeen,
    ItemDecided,
    ItemReported,
    KeptReport,
    TaskGivenUp,
    TaskSubmitted,
    VerdictKept,
    VoteKept,
    VoteSubmitted,
)
from pytest_ptc.journal.worker_events import (
    CodeSent,
    NodeJoined,
    NodeLeft,
    NodeLost,
    NodeRefused,
    StaleMessage,
    WorkerLineBroken,
    WorkerLost,
    WorkerReady,
    WorkerStarted,
    WorkerWaits,
)
from pytest_ptc.model.baseline import Baseline
from pytest_ptc.model.content import Content
from pytest_ptc.model.inline_suite import InlineSuite
from pytest_ptc.model.known import KnownFindings
from pytest_ptc.model.result import Usage
from pytest_ptc.model.self_test import SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "AttemptAssigned",
    "AttemptClaimed",
    "AttemptEnded",
    "AttemptsHeld",
    "BaselineRead",
    "CheckKept",
    "CheckSubmitted",
    "CodeSent",
    "ContentSeen",
    "CoordinatorFailed",
    "Event",
    "EventError",
    "ItemDecided",
    "ItemReported",
    "ItemsCollected",
    "KeptReport",
    "KnownListRead",
    "LoopProblem",
    "NodeJoined",
    "NodeLeft",
    "NodeLost",
    "NodeRefused",
    "RunBegan",
    "RunCleaned",
    "RunEnded",
    "RunStopping",
    "SessionEnded",
    "ShardTaken",
    "SharedListProblem",
    "StaleMessage",
    "SuiteChanged",
    "TaskGivenUp",
    "TaskSubmitted",
    "Unknown",
    "VerdictKept",
    "VoteKept",
    "VoteSubmitted",
    "WorkerLineBroken",
    "WorkerLost",
    "WorkerReady",
    "WorkerStarted",
    "WorkerWaits",
    "event_from_json",
    "event_to_json",
    "kind_of",
]

#: msgspec's message for a missing field.
_MISSING = re.compile(r"Object missing required field `(?P<field>.+?)`(?: - at `\$\.(?P<at>.*)`)?")


class EventError(ValueError):
    """A JSON object that is not an event; the message names the kind and the field."""


class Unknown(Event, frozen=True, kw_only=True):
    """An event of a kind that a newer version has added; this version never writes one.

    Args:
        kind: The kind.
        fields: All of its fields, as they are on disk.
    """

    kind: str
    fields: dict[str, Any]


_KINDS: dict[str, type[Event]] = {
    str(kind.__struct_config__.tag): kind for kind in Event.__subclasses__() if kind is not Unknown
}


def kind_of(event: Event) -> str:
    """Return the name of an event's kind."""
    return event.kind if isinstance(event, Unknown) else str(event.__struct_config__.tag)


def event_to_json(event: Event) -> dict[str, Any]:
    """Return an event as it is on disk."""
    own = event.fields if isinstance(event, Unknown) else _plain_fields(event)
    stamp = {"event": kind_of(event), "at": event.at}
    lost = {"lost_before": event.lost_before} if event.lost_before else {}
    return {**stamp, **own, **lost}


def event_from_json(value: Mapping[str, Any]) -> Event:
    """Return the event that `event_to_json` wrote, in this version or in a later one.

    Raises:
        EventError: It is not one.
    """
    kind = value.get("event")
    if not isinstance(kind, str):
        raise EventError("has no kind")
    try:
        if "at" not in value:
            raise EventError(f"{kind!r} lacks the field 'at'")
        if kind in _KINDS:
            return msgspec.convert(value, _KINDS[kind])
        stamp = {name: value[name] for name in ("at", "lost_before") if name in value}
        fields = {name: field for name, field in value.items() if name not in ("event", *stamp)}
        return msgspec.convert({**stamp, "kind": kind, "fields": fields}, Unknown)
    except msgspec.ValidationError as error:
        raise EventError(f"{kind!r} {_field_problem(str(error))}") from error


def _field_problem(message: str) -> str:
    """Return an error of msgspec in our words, with the whole name of the field."""
    missing = _MISSING.fullmatch(message)
    if missing is None:
        return f"has a wrong field: {message}"
    return f"lacks the field {'.'.join(filter(None, [missing['at'], missing['field']]))!r}"


def _plain_fields(value: Event | KeptReport) -> dict[str, Any]:
    names = (name for name in value.__struct_fields__ if name not in Event.__struct_fields__)
    return {name: _plain(getattr(value, name)) for name in names}


def _plain(value: object) -> object:
    match value:
        case TaskSpec() | SelfTest() | Verdict() | Trouble() | Usage() | Content():
            return value.to_json()
        case KeptReport():
            return _plain_fields(value)
        case Baseline() | InlineSuite() | KnownFindings():
            return msgspec.to_builtins(value)
        case tuple():
            return list(value)
    return value
