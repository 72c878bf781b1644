"""What the agents of a run judged, and on which input: for a comparison of many runs. Pure.

A judgement is what the agents said. What a person excuses, by a list of known findings or a
baseline, changes no judgement. A verdict that was kept from an earlier run is none of this run's.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from pytest_ptc.journal.lines import FORMAT, StoryError
from pytest_ptc.model.content import Content
from pytest_ptc.model.verdict import Excuse, Severity, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: How each line of a story begins, before the kind of its event.
_START = b'{"event": "'
#: Excuses that agents give, by votes and verification.
_BY_AGENTS = (Excuse.OUTVOTED, Excuse.REFUTED)


class Judgement(NamedTuple):
    """What became of one item in one run.

    Args:
        nodeid: Its node id.
        input: The hash of all that the judgement depends on; None where files are not known.
        kind: What was judged; None where nothing was.
        seconds: How long all its attempts took together.
        cost_usd: What they cost; None where that is not known.
        votes: What each vote of a panel came to, if it was cast; None for one without a verdict.
    """

    nodeid: str
    input: str | None
    kind: VerdictKind | None
    seconds: float
    cost_usd: float | None
    votes: tuple[VerdictKind | None, ...] = ()


class RunJudgements(NamedTuple):
    """The judgements of a run, in the order in which its tasks were submitted.

    Args:
        run_id: Its id.
        began: When it began, in seconds since the epoch.
        judgements: What it judged.
    """

    run_id: str
    began: float
    judgements: tuple[Judgement, ...]


def judgements_of(texts: Iterable[bytes]) -> RunJudgements:
    """Return the judgements of a run, from the texts of all its lines, which have been verified.

    Raises:
        StoryError: It is of another version's form.
    """
    first, *rest = texts
    try:
        began = msgspec.json.decode(first, type=_Began)
        if began.format != FORMAT:
            raise StoryError(f"its journal has format {began.format!r}, not {FORMAT}")
        drafts = _Drafts()
        for text in rest:
            kind = text[len(_START) : text.index(b'"', len(_START))]
            if (shape := _SHAPES.get(kind)) is not None:
                drafts.take(msgspec.json.decode(text, type=shape))
    except (msgspec.DecodeError, ValueError) as error:
        raise StoryError(f"its journal cannot be read: {error}") from None
    return RunJudgements(began.run_id, began.at, tuple(drafts.judgements()))


class _Began(msgspec.Struct):
    run_id: str
    at: float
    format: int | None = None


class _Spec(msgspec.Struct):
    nodeid: str
    source: str
    fail_on: str = "verdict"
    votes: int = 1
    quorum: Any = None
    voters: list[str] = []
    verify: bool = False

    @property
    def has_panel(self) -> bool:
        return self.votes > 1 or self.verify


class _Submitted(msgspec.Struct):
    task: str
    spec: _Spec
    fingerprint: dict[str, str]


class _Part(msgspec.Struct):
    """Another vote, or a verifier."""

    task: str
    item: str
    number: int | None = None


class _Assigned(msgspec.Struct):
    attempt: str
    content: Content | None = None


class _Facts(msgspec.Struct):
    excuse: str | None = None


class _Finding(msgspec.Struct):
    severity: Severity
    facts: _Facts | None = None


class _Verdict(msgspec.Struct):
    verdict: VerdictKind
    findings: list[_Finding] = []
    stands: bool = False

    def kind(self, fail_on: str) -> VerdictKind | None:
        """Return what was judged, as `Verdict.counts_as` and `Verdict.blocking` have it."""
        standing = [
            one for one in self.findings if one.facts is None or one.facts.excuse not in _BY_AGENTS
        ]
        if self.verdict is VerdictKind.ERROR:
            return None
        if self.verdict is VerdictKind.FAIL:
            stands = standing or not self.findings or self.stands
            return VerdictKind.FAIL if stands else VerdictKind.PASS
        if fail_on != "verdict":
            floor = Severity(fail_on).rank
            if any(one.severity.rank >= floor for one in standing):
                return VerdictKind.FAIL
        return self.verdict


class _Usage(msgspec.Struct):
    cost_usd: float | None = None


class _Ended(msgspec.Struct):
    task: str
    seconds: float
    verdict: _Verdict | None = None
    usage: _Usage | None = None


class _Decided(msgspec.Struct):
    item: str
    verdict: _Verdict | None = None
    spared: list[str] = []


_SHAPES: Mapping[bytes, type[_Event]] = {
    b"submitted": _Submitted,
    b"vote": _Part,
    b"check": _Part,
    b"assigned": _Assigned,
    b"ended": _Ended,
    b"decided": _Decided,
}
_Event = _Submitted | _Part | _Assigned | _Ended | _Decided


@dataclass(slots=True)
class _Draft:
    """A task, as far as the lines have told of it."""

    spec: _Spec
    fingerprint: Mapping[str, str]
    content: Content | None = None
    kind: VerdictKind | None = None
    seconds: float = 0.0
    costs: list[float | None] = field(default_factory=list)
    votes: dict[str, VerdictKind | None] = field(default_factory=dict)


class _Drafts:
    """The tasks of a run."""

    def __init__(self) -> None:
        self._drafts: dict[str, _Draft] = {}
        #: The item of each task, and whether it is a vote.
        self._parts: dict[str, tuple[str, bool]] = {}

    def take(self, event: _Event) -> None:
        """Take the next event."""
        match event:
            case _Submitted():
                self._drafts[event.task] = _Draft(event.spec, event.fingerprint)
                self._parts[event.task] = event.task, event.spec.votes > 1
            case _Part() if event.item in self._drafts:
                self._parts[event.task] = event.item, event.number is not None
            case _Assigned():
                task, _, _ = event.attempt.rpartition(".")
                if task in self._drafts:
                    self._drafts[task].content = event.content
            case _Ended() if event.task in self._parts:
                self._end(event)
            case _Decided() if event.item in self._drafts:
                draft = self._drafts[event.item]
                draft.kind = event.verdict.kind(draft.spec.fail_on) if event.verdict else None
                for task in event.spared:
                    draft.votes.pop(task, None)

    def _end(self, event: _Ended) -> None:
        item, is_vote = self._parts[event.task]
        draft = self._drafts[item]
        kind = event.verdict.kind(draft.spec.fail_on) if event.verdict else None
        draft.seconds += event.seconds
        draft.costs.append(event.usage.cost_usd if event.usage else None)
        if is_vote:
            draft.votes[event.task] = kind
        if not draft.spec.has_panel:
            draft.kind = kind

    def judgements(self) -> Iterable[Judgement]:
        for draft in self._drafts.values():
            if draft.costs:
                known = [cost for cost in draft.costs if cost is not None]
                yield Judgement(
                    nodeid=draft.spec.nodeid,
                    input=_input(draft),
                    kind=draft.kind,
                    seconds=draft.seconds,
                    cost_usd=sum(known) if len(known) == len(draft.costs) else None,
                    votes=tuple(draft.votes.values()),
                )


def _input(draft: _Draft) -> str | None:
    """Return the hash of what a judgement depends on; None where not all is known."""
    content, spec = draft.content, draft.spec
    if content is None or content.problem is not None:
        return None
    panel = (spec.votes, spec.quorum, spec.voters, spec.verify)
    files = (content.tree, content.named, content.agent)
    about = [spec.nodeid, spec.source, spec.fail_on, panel, files, draft.fingerprint]
    return hashlib.sha256(msgspec.json.encode(about, order="sorted")).hexdigest()
