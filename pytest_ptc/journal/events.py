"""The events of a run's story: one class for each kind, and their form on disk. Pure.

An event is a JSON object; its field `event` names the kind. Readers `match` on the classes. A kind
that a newer version has added is read as `Unknown`, and fields that it has added are ignored; a
known kind that lacks a field is an error. Any other change of the form needs another `FORMAT`.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec

from pytest_ptc.model.content import Content
from pytest_ptc.model.inline_suite import InlineSuite
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.model.verdict import Verdict

if TYPE_CHECKING:
    from collections.abc import Mapping

#: msgspec's message for a missing field.
_MISSING = re.compile(r"Object missing required field `(?P<field>.+?)`(?: - at `\$\.(?P<at>.*)`)?")


class EventError(ValueError):
    """A JSON object that is not an event; the message names the kind and the field."""


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """One event of a story.

    Args:
        at: When it was written, in seconds since the epoch; the journal puts it down.
        lost_before: How many events before it could not be written, as on a full disk.
    """

    at: float = 0.0
    lost_before: int = 0


# --- the run


class RunBegan(Event, frozen=True, kw_only=True, tag="run"):
    """The session has made the journal; always the first event. Workers are started next.

    Args:
        format: The form of the journal, see `FORMAT`.
        key: The name of the key that it is sealed with.
        pid: The process of pytest.
        created: When that process was created, on its machine's own clock of processes.
        boot: Which boot of the machine it is; None where that cannot be told.
        process_space: The container's namespace of processes; None where there are none.
        run_id: The run's id.
        workers: The most workers at once.
        host: Where workers live: `tmux`, `process`, or a plugin's; `none` without workers.
        agent: What does a task: `claude`, `command`, or a plugin's.
        task_list_id: The shared list's id.
        rootdir: Pytest's root directory.
        repository: The top of the repository that it is in, if it is in one.
        commit: The commit that is checked out there.
        anchor: A file that stands for the whole repository, relative to its top.
        arguments: The arguments of pytest.
        python: The version of Python.
        pytest_ptc: The version of pytest-ptc.
        resumes: The id of the earlier run that it takes up.
        fail_on: The severity from which on a finding fails a test; `verdict` for none.
        attach: The command with which a person can watch the workers.
        tmux_socket: The socket of the run's tmux server.
        scratch: The folder of the run's socket and of copies of the repository; None for a run that
            was over before it had a task.
        task_list: The folder of the shared list; None as above.
        own_list: Whether the shared list was made for the run.
        command: The program that is the agent, with its arguments.
        inline: The suite of `ptc run`; None for a run of test files.
        interactive: Whether people may type into the workers' panes.
        start: The directory that it was started in; None where an older version did not tell.
    """

    format: int
    key: str
    pid: int
    created: float
    boot: str | None
    process_space: str | None
    run_id: str
    workers: int
    host: str
    agent: str
    task_list_id: str
    rootdir: str
    repository: str | None
    commit: str | None
    anchor: str | None
    arguments: tuple[str, ...]
    python: str
    pytest_ptc: str
    resumes: str | None
    fail_on: str
    attach: str | None
    tmux_socket: str | None
    scratch: str | None
    task_list: str | None
    own_list: bool
    command: tuple[str, ...]
    inline: InlineSuite | None = None
    interactive: bool = False
    start: str | None = None


class SuiteChanged(Event, frozen=True, kw_only=True, tag="suite changed"):
    """The session has found that the change under review brings files of its own judge.

    Written before the tasks of each call are submitted. Reports warn of these paths.
    """

    paths: tuple[str, ...]


class ItemsCollected(Event, frozen=True, kw_only=True, tag="collected"):
    """The session tells the marked items that run, in the order in which pytest collected them.

    Tasks are submitted in another order: those first that take longest.
    """

    nodeids: tuple[str, ...]


class RunStopping(Event, frozen=True, kw_only=True, tag="stopping"):
    """The coordinator begins nothing more, and says why; workers are told to end.

    At the end of every run, and earlier for Ctrl-C, `-x`, the budget and the run's timeout.
    """

    why: str


class RunEnded(Event, frozen=True, kw_only=True, tag="run ended"):
    """The session has ended all workers and tidied the shared list; the run took these seconds."""

    seconds: float


class RunCleaned(Event, frozen=True, kw_only=True, tag="run cleaned"):
    """A later session, or `ptc clean`, has removed what a killed run had left: the run has ended.

    Args:
        removed: What was removed, each in words.
        left: What was not, each with the reason.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]


class SessionEnded(Event, frozen=True, kw_only=True, tag="session ended"):
    """Pytest's session is over; the last event of a run that came to its end.

    Args:
        exit_status: Pytest's exit status.
        nothing_to_judge: How many items had rightly nothing to judge.
    """

    exit_status: int
    nothing_to_judge: int


class CoordinatorFailed(Event, frozen=True, kw_only=True, tag="coordinator failed"):
    """The coordinator's loop has ended by an error of its own; all open tasks are given up."""

    error: str


class LoopProblem(Event, frozen=True, kw_only=True, tag="loop problem"):
    """The coordinator's event loop has met an error that nobody waits for; the run goes on."""

    problem: str


class SharedListProblem(Event, frozen=True, kw_only=True, tag="list problem"):
    """A task is not on the shared list as it should be; the run goes on by the journal alone.

    Args:
        task: The task's id there.
        problem: What went wrong.
    """

    task: str
    problem: str


# --- tasks


class TaskSubmitted(Event, frozen=True, kw_only=True, tag="submitted"):
    """The coordinator has published a task on the shared list; attempts follow.

    Args:
        task: Its id on the shared list.
        spec: What is asked.
        fingerprint: Hashes of what its verdict depends on besides files, by name.
    """

    task: str
    spec: TaskSpec
    fingerprint: dict[str, str]


class _AttemptReportFields:
    """What an attempt's report is in its form on disk: its name, and the report itself."""

    __slots__ = ()

    task: str
    attempt: int
    worker: str
    seconds: float
    verdict: Verdict | None
    trouble: Trouble | None
    usage: Usage | None
    about: dict[str, Any]

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.trouble is None):
            raise ValueError("it has either a verdict or a trouble")

    @property
    def name(self) -> str:
        """Return the attempt's name."""
        return f"{self.task}.{self.attempt}"

    @property
    def report(self) -> AttemptReport:
        """Return the report."""
        return AttemptReport.with_facts(
            self.about,
            attempt=Attempt(task_id=self.task, number=self.attempt, worker=self.worker),
            seconds=self.seconds,
            verdict=self.verdict,
            trouble=self.trouble,
            usage=self.usage,
        )


class KeptReport(_AttemptReportFields, msgspec.Struct, frozen=True, kw_only=True):
    """How an attempt of an earlier run ended, as `AttemptReport.to_json` has it.

    Args:
        task: The task's id in that run.
        attempt: The attempt's number among those of its task, from 1.
        worker: The worker's name.
        seconds: How long it took.
        verdict: What the agent recorded; there is either this or a trouble.
        trouble: Why nothing recorded counts.
        usage: What it cost; None for an agent that does not account for it.
        about: Facts about the agent, plain JSON.
    """

    task: str
    attempt: int
    worker: str
    seconds: float
    verdict: Verdict | None
    trouble: Trouble | None
    usage: Usage | None
    about: dict[str, Any]

    @classmethod
    def of(cls, report: AttemptReport) -> KeptReport:
        """Return the report in its form on disk."""
        return cls(**_fields_of(report))


class VerdictKept(Event, frozen=True, kw_only=True, tag="kept"):
    """The coordinator has taken a verdict of an earlier run for a task, which is not run again.

    Args:
        task: The task's id in this run, which is on no list.
        nodeid: Its node id.
        spec: What is asked.
        fingerprint: As of a submitted task.
        content: What this run sees of its files.
        run: The run that recorded the verdict.
        report: How that attempt ended.
    """

    task: str
    nodeid: str
    spec: TaskSpec
    fingerprint: dict[str, str]
    content: Content
    run: str
    report: KeptReport


class TaskGivenUp(Event, frozen=True, kw_only=True, tag="given up"):
    """The coordinator has ended a task without an attempt, or after the last one, by this trouble.

    As for a need that did not pass, a run that was stopped, and no workers being left.
    """

    task: str
    trouble: Trouble


class ItemReported(Event, frozen=True, kw_only=True, tag="item"):
    """The session tells what pytest made of one phase of a marked item.

    Args:
        task: The id of its task; None where nobody was asked.
        nodeid: The item's node id.
        outcome: `passed`, `failed`, `error`, `skipped`, `xfailed` or `xpassed`.
        phase: `setup`, `call` or `teardown`.
        message: What pytest says of it.
        path: The file of the item, relative to the root directory.
        line: Its line, from 1.
        xfail: The reason of its `xfail` mark.
    """

    task: str | None
    nodeid: str
    outcome: str
    phase: str | None
    message: str | None
    path: str | None
    line: int | None
    xfail: str | None


# --- attempts


class AttemptAssigned(Event, frozen=True, kw_only=True, tag="assigned"):
    """The coordinator has given a task to a worker; the worker claims it next.

    Args:
        attempt: The attempt's name.
        worker: The worker's name.
        content: What the agent can see when it begins; None where nobody looks.
    """

    attempt: str
    worker: str
    content: Content | None

    def __post_init__(self) -> None:
        Attempt.parse(self.attempt, worker=self.worker)

    @property
    def given(self) -> Attempt:
        """Return the attempt."""
        return Attempt.parse(self.attempt, worker=self.worker)


class AttemptClaimed(Event, frozen=True, kw_only=True, tag="claimed"):
    """The task is claimed on the shared list, or the run goes on without; its worker gets it."""

    attempt: str
    worker: str


class AttemptsHeld(Event, frozen=True, kw_only=True, tag="held"):
    """A provider refuses work, says this attempt's worker: for so long no attempt is begun.

    Args:
        attempt: The attempt's name.
        seconds: For how long, from `at` on.
        why: What the provider says, such as `rate limit`.
    """

    attempt: str
    seconds: float
    why: str


class AttemptEnded(_AttemptReportFields, Event, frozen=True, kw_only=True, tag="ended"):
    """The coordinator has read how an attempt ended; its task is done, or is tried again.

    Args:
        task: The task's id.
        attempt: The attempt's number among those of its task, from 1.
        worker: The worker's name.
        seconds: How long it took.
        verdict: What the agent recorded; there is either this or a trouble.
        trouble: Why nothing recorded counts.
        usage: What it cost; None for an agent that does not account for it.
        about: Facts about the agent, plain JSON.
        sha256: The hash of the report on disk; None where there is none.
    """

    task: str
    attempt: int
    worker: str
    seconds: float
    verdict: Verdict | None
    trouble: Trouble | None
    usage: Usage | None
    about: dict[str, Any]
    sha256: str | None

    @classmethod
    def of(cls, report: AttemptReport, *, sha256: str | None) -> AttemptEnded:
        """Return the event of this report."""
        return cls(**_fields_of(report), sha256=sha256)


class ContentSeen(Event, frozen=True, kw_only=True, tag="content"):
    """The session has looked at what an attempt's agent could see, after the attempt had ended.

    A later run that takes up this one compares it with what it sees.
    """

    attempt: str
    content: Content


# --- workers


class WorkerStarted(Event, frozen=True, kw_only=True, tag="worker started"):
    """The host has started a worker, which has yet to call.

    Args:
        worker: The worker's name.
        pid: Its process, on this machine; None where it is on another, or was gone at once.
        created: When that process was created; None as above.
    """

    worker: str
    pid: int | None
    created: float | None


class WorkerReady(Event, frozen=True, kw_only=True, tag="worker ready"):
    """The worker has called in, its agent ready; it is given a task next."""

    worker: str


class WorkerLost(Event, frozen=True, kw_only=True, tag="worker lost"):
    """The coordinator has seen a worker's end and has ended what it left; it may be replaced.

    Workers that end when the run does, without an attempt, are not told of.

    Args:
        worker: The worker's name.
        why: What told of its end.
        ended: How it ended, with the host's own account.
    """

    worker: str
    why: str
    ended: str


class WorkerLineBroken(Event, frozen=True, kw_only=True, tag="worker line broken"):
    """Somebody has said on the coordinator's socket what no worker says; the line was closed.

    Args:
        worker: The worker whose line it is; None for somebody who is none.
        error: What was wrong.
    """

    worker: str | None
    error: str


class StaleMessage(Event, frozen=True, kw_only=True, tag="stale message"):
    """A worker has said what does not fit its state, as of an attempt that is over; ignored."""

    worker: str
    message: str


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
        case TaskSpec() | Verdict() | Trouble() | Usage() | Content():
            return value.to_json()
        case KeptReport():
            return _plain_fields(value)
        case InlineSuite():
            return msgspec.to_builtins(value)
        case tuple():
            return list(value)
    return value


def _fields_of(report: AttemptReport) -> dict[str, Any]:
    return {
        "task": report.attempt.task_id,
        "attempt": report.attempt.number,
        "worker": report.attempt.worker,
        "seconds": round(report.seconds, 6),
        "verdict": report.verdict,
        "trouble": report.trouble,
        "usage": report.usage,
        "about": report.facts,
    }
