"""From a run's journal to its report: the events, each taken once, in their order. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from pytest_ptc.journal.events import (
    AttemptAssigned,
    AttemptClaimed,
    AttemptEnded,
    AttemptsHeld,
    ItemReported,
    ItemsCollected,
    KnownListRead,
    RunBegan,
    RunEnded,
    RunStopping,
    SessionEnded,
    SuiteChanged,
    TaskGivenUp,
    TaskSubmitted,
    VerdictKept,
    WorkerLost,
    WorkerReady,
    WorkerStarted,
)
from pytest_ptc.model.item_states import PhaseReport
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.reporting.run_report import (
    Hold,
    RunFacts,
    RunReport,
    Session,
    TaskAttempt,
    TaskReport,
    WorkerReport,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.known import KnownFindings
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Finding, Verdict


def run_report(events: Sequence[Event]) -> RunReport:
    """Return the report of a run.

    Args:
        events: The run's story; one of them is `RunBegan`.
    """
    began = next(event for event in events if isinstance(event, RunBegan))
    story = _Story(began)
    for event in events:
        story.take(event)
    return story.report(events[-1].at)


@dataclass(kw_only=True, slots=True)
class _Draft:
    """A task, as far as the events have told of it."""

    spec: TaskSpec
    task_id: str | None = None
    submitted: float | None = None
    kept_from: str | None = None
    attempts: dict[int, TaskAttempt] = field(default_factory=dict)
    given_up: Trouble | None = None
    items: list[ItemReported] = field(default_factory=list)

    def report(self, number: int, *, overtaken: bool) -> TaskReport:
        attempts = tuple(self.attempts.values())
        ended = [attempt for attempt in attempts if attempt.verdict or attempt.trouble]
        last = ended[-1] if ended else None
        phases = [
            PhaseReport(item.phase or "", item.outcome, item.message, item.xfail)
            for item in self.items
        ]
        task_report = TaskReport(
            number=number,
            task_id=self.task_id,
            spec=self.spec,
            attempts=attempts,
            verdict=last.verdict if last and self.given_up is None else None,
            trouble=self.given_up or (last.trouble if last else None),
            kept_from=self.kept_from,
            phases=tuple(phases),
            submitted=self.submitted,
            overtaken=overtaken,
        )
        place = next(
            (i for i, p in zip(self.items, phases, strict=True) if p is task_report.final), None
        )
        return (
            task_report if place is None else replace(task_report, path=place.path, line=place.line)
        )


class _Story:
    """A run, as far as the events have told of it."""

    def __init__(self, began: RunBegan) -> None:
        self._began = began
        self._drafts: dict[str, _Draft] = {}
        self._workers: dict[str, WorkerReport] = {}
        self._holds: list[Hold] = []
        self._stopped: str | None = None
        self._ended: float | None = None
        self._session: Session | None = None
        self._changed_suite: set[str] = set()
        self._known: KnownFindings | None = None
        #: The items of `ptc run` are in the order given, whatever a plugin made of it.
        self._given = () if began.inline is None else tuple(i.nodeid for i in began.inline.items)
        self._collected: tuple[str, ...] = ()

    def report(self, last: float) -> RunReport:
        """Return what all of it comes to.

        Args:
            last: When the last of the events was: of a run that was killed, that is its end.
        """
        began = self._began
        stands = {draft.spec.nodeid: key for key, draft in self._drafts.items()}
        return RunReport(
            run_id=began.run_id,
            began=began.at,
            seconds=round((self._ended or last) - began.at, 3),
            ended=self._ended is not None,
            session=self._session,
            stopped=None if self._stopped == "the run ended" else self._stopped,
            facts=RunFacts(**{name: getattr(began, name) for name in RunFacts._fields}),
            changed_suite=tuple(sorted(self._changed_suite)),
            known=self._known,
            tasks=tuple(
                draft.report(number, overtaken=stands[draft.spec.nodeid] != key)
                for number, (key, draft) in enumerate(self._drafts.items(), 1)
            ),
            collected=self._given or self._collected,
            workers=tuple(self._workers.values()),
            holds=tuple(self._holds),
        )

    def take(self, event: Event) -> None:
        """Take the next event; one of another kind says nothing here."""
        match event:
            case TaskSubmitted():
                self._drafts[event.task] = _Draft(
                    spec=event.spec, task_id=event.task, submitted=event.at
                )
            case VerdictKept():
                self._keep(event)
            case TaskGivenUp() if event.task in self._drafts:
                self._drafts[event.task].given_up = event.trouble
            case ItemReported():
                self._draft_of(event).items.append(event)
            case AttemptAssigned() | AttemptClaimed() | AttemptEnded():
                self._take_attempt(event)
            case WorkerStarted() | WorkerReady() | WorkerLost():
                self._take_worker(event)
            case AttemptsHeld():
                self._holds.append(Hold(event.at, event.seconds, event.why))
            case _:
                self._take_of_run(event)

    def _take_of_run(self, event: Event) -> None:
        match event:
            case RunStopping():
                self._stopped = self._stopped or event.why
            case RunEnded() if self._ended is None:
                self._ended = event.at
            case SessionEnded():
                # Of a report that is made within the session the last one is the one that counts.
                self._session = Session(event.exit_status, event.nothing_to_judge)
            case ItemsCollected():
                self._collected = event.nodeids
            case SuiteChanged():
                self._changed_suite.update(event.paths)
            case KnownListRead():
                self._known = event.known

    def _keep(self, event: VerdictKept) -> None:
        report = event.report.report
        verdict = self._placed(report.verdict, event.spec)
        attempt = replace(TaskAttempt.of(report), verdict=verdict)
        self._drafts[event.task] = _Draft(
            spec=event.spec,
            submitted=event.at,
            kept_from=event.run,
            attempts={attempt.number: attempt},
        )

    def _take_attempt(self, event: AttemptAssigned | AttemptClaimed | AttemptEnded) -> None:
        if isinstance(event, AttemptEnded):
            draft = self._drafts[event.task]
            draft.given_up = None
            known = draft.attempts[event.attempt]
            draft.attempts[event.attempt] = replace(
                TaskAttempt.of(event.report),
                verdict=self._placed(event.verdict, draft.spec),
                assigned=known.assigned,
                claimed=known.claimed,
                ended=event.at,
                sha256=event.sha256,
            )
            return
        made = Attempt.parse(event.attempt, worker=event.worker)
        attempts, number = self._drafts[made.task_id].attempts, made.number
        if isinstance(event, AttemptAssigned):
            attempts[number] = TaskAttempt(
                name=made.name, number=number, worker=made.worker, assigned=event.at
            )
        elif number in attempts:
            attempts[number] = replace(attempts[number], claimed=event.at)

    def _take_worker(self, event: WorkerStarted | WorkerReady | WorkerLost) -> None:
        name = event.worker
        if isinstance(event, WorkerStarted):
            self._workers[name] = WorkerReport(name=name, started=event.at)
        elif name in self._workers:
            known = self._workers[name]
            if isinstance(event, WorkerReady):
                self._workers[name] = replace(known, ready=event.at)
            else:
                self._workers[name] = replace(known, lost=event.at, why=event.ended)

    def _draft_of(self, event: ItemReported) -> _Draft:
        """Return the task of an item: one that nobody was asked about gets its own."""
        if event.task is not None and event.task in self._drafts:
            return self._drafts[event.task]
        for draft in reversed(self._drafts.values()):
            if draft.spec.nodeid == event.nodeid:
                return draft
        key = f"unasked {event.nodeid} in {event.path}"
        if key not in self._drafts:
            # A session fixture of its prompt failed, and it is an error.
            spec = TaskSpec(nodeid=event.nodeid, prompt="", timeout=0.0, cwd=self._began.rootdir)
            self._drafts[key] = _Draft(spec=spec, submitted=event.at)
        return self._drafts[key]

    def _placed(self, verdict: Verdict | None, spec: TaskSpec) -> Verdict | None:
        """Return a verdict whose findings have their paths from the root directory."""
        if verdict is None or not verdict.findings:
            return verdict
        rootdir = self._began.rootdir
        findings = tuple(_placed(finding, spec.cwd, rootdir) for finding in verdict.findings)
        return replace(verdict, findings=findings)


def _placed(finding: Finding, cwd: str, rootdir: str) -> Finding:
    """Return a finding with its path from the root directory, if it is below that.

    An agent names paths from its own directory, or in full.
    """
    if not finding.path:
        return finding if finding.path is None else replace(finding, path=None)
    path = posixpath.normpath(posixpath.join(cwd, finding.path))
    if rootdir and f"{path}/".startswith(rootdir.rstrip("/") + "/"):
        path = posixpath.relpath(path, rootdir)
    return finding if path == finding.path else replace(finding, path=path)
