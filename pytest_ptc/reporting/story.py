"""From a run's journal to its report: the events, each taken once, in their order. Pure."""

from __future__ import annotations

import posixpath
from dataclasses import dataclass, field, replace
from itertools import chain
from typing import TYPE_CHECKING, TypeAlias

from msgspec.structs import replace as replace_struct

from pytest_ptc.journal.events import (
    AttemptAssigned,
    AttemptClaimed,
    AttemptEnded,
    AttemptsHeld,
    BaselineRead,
    CheckKept,
    CheckSubmitted,
    ItemDecided,
    ItemReported,
    ItemsCollected,
    KnownListRead,
    NodeJoined,
    NodeLeft,
    NodeLost,
    NodeRefused,
    RunBegan,
    RunEnded,
    RunStopping,
    SessionEnded,
    SuiteChanged,
    TaskGivenUp,
    TaskSubmitted,
    VerdictKept,
    VoteKept,
    VoteSubmitted,
    WorkerLost,
    WorkerReady,
    WorkerStarted,
)
from pytest_ptc.model.baseline import Comparer
from pytest_ptc.model.excuses import claim_of
from pytest_ptc.model.item_states import PhaseReport
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.sightings import Roots
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verification import checked_place
from pytest_ptc.model.voters import voter_of
from pytest_ptc.reporting.attempts import NOT_NEEDED, TaskAttempt, VoteReport, check_part, vote_part
from pytest_ptc.reporting.nodes import NodeReport, node_after
from pytest_ptc.reporting.run_report import Hold, RunFacts, RunReport, Session, WorkerReport
from pytest_ptc.reporting.task_report import TaskReport

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.baseline import Baseline
    from pytest_ptc.model.known import KnownFindings
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Finding, Verdict


_PanelEvent: TypeAlias = "VoteSubmitted | VoteKept | CheckSubmitted | CheckKept | ItemDecided"


def run_report(events: Iterable[Event]) -> RunReport:
    """Return the report of a run.

    Args:
        events: The run's story, gone through once; one of them is `RunBegan`.
    """
    others, before = iter(events), []
    for event in others:
        before.append(event)
        if isinstance(event, RunBegan):
            break
    story = _Story(next(event for event in before if isinstance(event, RunBegan)))
    for event in chain(before, others):
        story.take(event)
        last = event
    return story.report(last.at)


@dataclass(kw_only=True, slots=True)
class _Draft:
    """A task, as far as the events have told of it."""

    spec: TaskSpec
    task_id: str | None = None
    submitted: float | None = None
    kept_from: str | None = None
    #: By their names, in order.
    attempts: dict[str, TaskAttempt] = field(default_factory=dict)
    #: The tasks of its votes, by their numbers; and what its votes and verifiers came to.
    votes: dict[int, str] = field(default_factory=dict)
    kept_votes: dict[int, str] = field(default_factory=dict)
    decided: ItemDecided | None = None
    given_up: Trouble | None = None
    items: list[ItemReported] = field(default_factory=list)

    def report(self, number: int, *, overtaken: bool) -> TaskReport:
        attempts = tuple(self.attempts.values())
        ended = [attempt for attempt in attempts if attempt.verdict or attempt.trouble]
        last = ended[-1] if ended else None
        verdict, trouble = (last.verdict, last.trouble) if last else (None, None)
        if self.spec.has_panel:
            # Before it is decided, nothing that one of them says is the item's.
            decided = self.decided
            verdict, trouble = (decided.verdict, decided.trouble) if decided else (None, None)
        phases = [
            PhaseReport(item.phase or "", item.outcome, item.message, item.xfail)
            for item in self.items
        ]
        task_report = TaskReport(
            number=number,
            task_id=self.task_id,
            spec=self.spec,
            attempts=attempts,
            verdict=verdict if self.given_up is None else None,
            trouble=self.given_up or trouble,
            kept_from=self.kept_from,
            votes=tuple(self._votes()),
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

    def _votes(self) -> Iterator[VoteReport]:
        """Yield its votes, as far as they are known."""
        if self.spec.votes == 1:
            return
        spared = self.decided.spared if self.decided is not None else ()
        for number in range(1, self.spec.votes + 1):
            task_id = self.votes.get(number)
            mine = [
                attempt
                for name, attempt in self.attempts.items()
                if name == self.kept_votes.get(number) or name.rpartition(".")[0] == task_id
            ]
            last = mine[-1] if mine and task_id not in spared else None
            yield VoteReport(
                number,
                voter_of(self.spec, number),
                last.ended_as if last else NOT_NEEDED,
                last.verdict.summary if last and last.verdict else "",
            )


class _Story:
    """A run, as far as the events have told of it."""

    def __init__(self, began: RunBegan) -> None:
        self._began = began
        self._drafts: dict[str, _Draft] = {}
        #: The item of each task, and what the task is for, where an item has several.
        self._parts: dict[str, tuple[str, str]] = {}
        self._workers: dict[str, WorkerReport] = {}
        self._nodes: dict[str, NodeReport] = {}
        self._holds: list[Hold] = []
        self._stopped: str | None = None
        self._ended: float | None = None
        self._session: Session | None = None
        self._changed_suite: set[str] = set()
        self._known: KnownFindings | None = None
        self._baseline: Baseline | None = None
        self._comparer: Comparer | None = None
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
            baseline=self._baseline,
            tasks=tuple(
                draft.report(number, overtaken=stands[draft.spec.nodeid] != key)
                for number, (key, draft) in enumerate(self._drafts.items(), 1)
            ),
            collected=self._given or self._collected,
            workers=tuple(self._workers.values()),
            nodes=tuple(self._nodes.values()),
            holds=tuple(self._holds),
        )

    def take(self, event: Event) -> None:
        """Take the next event; one of another kind says nothing here."""
        match event:
            case TaskSubmitted():
                self._drafts[event.task] = _Draft(
                    spec=event.spec,
                    task_id=event.task,
                    submitted=event.at,
                    votes={1: event.task},
                )
                if event.spec.votes > 1:
                    part = vote_part(1, event.spec.votes, voter_of(event.spec, 1))
                    self._parts[event.task] = event.task, part
            case VerdictKept():
                self._keep(event)
            case VoteSubmitted() | VoteKept() | CheckSubmitted() | CheckKept() | ItemDecided():
                self._take_panel(event)
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
            case NodeJoined() | NodeLeft() | NodeLost() | NodeRefused():
                self._nodes[event.node] = node_after(self._nodes.get(event.node), event)
            case SuiteChanged():
                self._changed_suite.update(event.paths)
            case KnownListRead():
                self._known = event.known
            case BaselineRead():
                self._baseline = event.baseline
                self._comparer = Comparer(event.baseline)

    def _keep(self, event: VerdictKept) -> None:
        report = event.report.report
        verdict = self._placed(report.verdict, event.spec)
        attempt = replace(TaskAttempt.of(report), verdict=verdict)
        self._drafts[event.task] = _Draft(
            spec=event.spec,
            submitted=event.at,
            kept_from=event.run,
            attempts={attempt.name: attempt},
        )

    def _take_panel(self, event: _PanelEvent) -> None:
        draft = self._drafts[event.item]
        match event:
            case ItemDecided():
                verdict = self._placed(event.verdict, draft.spec)
                draft.decided = replace_struct(event, verdict=verdict)
            case CheckSubmitted() | CheckKept():
                part = check_part(checked_place(event.spec.prompt))
                self._parts[event.task] = event.item, part
            case VoteSubmitted() | VoteKept():
                voter = voter_of(draft.spec, event.number)
                part = vote_part(event.number, draft.spec.votes, voter)
                self._parts[event.task] = event.item, part
                draft.votes[event.number] = event.task
        if isinstance(event, VoteKept | CheckKept):
            report = event.report.report
            verdict = self._placed(report.verdict, draft.spec)
            attempt = TaskAttempt.of(report, self._parts[event.task][1])
            # By a name of its own: this run may have an attempt of that name.
            name = f"{event.run} {event.task}"
            draft.attempts[name] = replace(attempt, verdict=verdict)
            if isinstance(event, VoteKept):
                draft.kept_votes[event.number] = name

    def _take_attempt(self, event: AttemptAssigned | AttemptClaimed | AttemptEnded) -> None:
        if isinstance(event, AttemptEnded):
            item, part = self._parts.get(event.task, (event.task, ""))
            draft = self._drafts[item]
            draft.given_up = None
            known = draft.attempts[event.name]
            draft.attempts[event.name] = replace(
                TaskAttempt.of(event.report, part),
                verdict=self._placed(event.verdict, draft.spec),
                node=known.node,
                assigned=known.assigned,
                claimed=known.claimed,
                ended=event.at,
                sha256=event.sha256,
            )
            return
        made = Attempt.parse(event.attempt, worker=event.worker)
        item, part = self._parts.get(made.task_id, (made.task_id, ""))
        attempts, name = self._drafts[item].attempts, made.name
        if isinstance(event, AttemptAssigned):
            worker = self._workers.get(made.worker)
            attempts[name] = TaskAttempt(
                name=name,
                number=made.number,
                worker=made.worker,
                node=None if worker is None else worker.node,
                assigned=event.at,
                part=part,
            )
        elif name in attempts:
            attempts[name] = replace(attempts[name], claimed=event.at)

    def _take_worker(self, event: WorkerStarted | WorkerReady | WorkerLost) -> None:
        name = event.worker
        if isinstance(event, WorkerStarted):
            self._workers[name] = WorkerReport(name=name, started=event.at, node=event.node)
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
            spec = TaskSpec(
                nodeid=event.nodeid,
                prompt="",
                timeout=0.0,
                cwd=self._began.rootdir,
                self_test=event.self_test,
            )
            self._drafts[key] = _Draft(spec=spec, submitted=event.at)
        return self._drafts[key]

    def _placed(self, verdict: Verdict | None, spec: TaskSpec) -> Verdict | None:
        """Return a verdict whose findings have their paths from the root directory.

        They know what they are against the baseline, too.
        """
        if verdict is None or not verdict.findings:
            return verdict
        rootdir = self._began.rootdir
        findings = [_placed(finding, spec.cwd, rootdir) for finding in verdict.findings]
        if self._comparer is not None and spec.self_test is None:
            roots = Roots(rootdir, self._began.repository)
            claims = [claim_of(one, spec.cwd, roots, start=rootdir) for one in findings]
            states = self._comparer.states(claims)
            findings = [
                one.with_facts(state=state) for one, state in zip(findings, states, strict=True)
            ]
        return replace(verdict, findings=tuple(findings))


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
