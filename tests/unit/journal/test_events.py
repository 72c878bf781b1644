"""Events: whatever a run tells comes back as it was told, also from a newer version."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ptc.journal.events import (
    AttemptEnded,
    Event,
    EventError,
    ItemDecided,
    KeptReport,
    Unknown,
    event_from_json,
    event_to_json,
    kind_of,
)
from pytest_ptc.model.baseline import Baseline, PastFinding, PastStatus
from pytest_ptc.model.content import Content
from pytest_ptc.model.inline_suite import InlineItem, InlineSuite
from pytest_ptc.model.known import KnownEntry, KnownFindings
from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.self_test import Expectation, SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import (
    Excuse,
    Finding,
    FindingFacts,
    Severity,
    Verdict,
    VerdictKind,
)
from pytest_ptc.text.redaction import Redactor

KINDS = [kind for kind in Event.__subclasses__() if kind is not Unknown]

SECRET = "ghp_0123456789abcdefghij"
#: Any text that JSON can hold, lone surrogates too: prompts and outputs have them.
TEXT = st.text(st.characters(), max_size=20) | st.just(f"a {SECRET}")
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=6,
)
OBJECTS = st.dictionaries(TEXT, JSON, max_size=3)
FINITE = st.floats(allow_nan=False, allow_infinity=False)
FINDINGS = st.builds(
    Finding,
    severity=st.sampled_from(Severity),
    message=TEXT,
    path=st.none() | TEXT,
    line=st.none() | st.integers(1, 10**6),
    rule=st.none() | TEXT,
    quote=st.none() | TEXT,
    facts=st.builds(
        FindingFacts,
        anchor=st.none() | TEXT.filter(bool),
        touched=st.none() | st.booleans(),
        named_by=st.none() | st.integers(1, 9),
        excuse=st.none() | st.sampled_from(Excuse),
        why=TEXT,
    ),
)
VERDICTS = st.builds(
    Verdict,
    verdict=st.sampled_from(VerdictKind),
    summary=TEXT,
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    data=JSON,
)
TROUBLES = st.builds(
    Trouble, cause=st.sampled_from(Cause), message=TEXT, evidence=TEXT, final=st.booleans()
)
USAGES = st.builds(
    Usage,
    input_tokens=st.integers(0, 10**9),
    output_tokens=st.integers(0, 10**9),
    cost_usd=st.none() | st.floats(0, 1e6),
)
SELF_TESTS = st.builds(SelfTest, kind=st.just("control")) | st.builds(
    SelfTest,
    kind=st.just("canary"),
    expect=st.builds(
        Expectation,
        path=TEXT,
        rules=st.lists(TEXT, max_size=2).map(tuple),
        message=st.none() | TEXT,
        line=st.none() | st.integers(1, 10**6),
    ),
    tolerated=st.booleans(),
)
SPECS = st.builds(
    TaskSpec,
    nodeid=TEXT,
    prompt=TEXT,
    timeout=st.floats(0.1, 1e6),
    cwd=TEXT,
    params=OBJECTS,
    retries=st.integers(0, 9),
    env=st.dictionaries(TEXT, TEXT, max_size=2),
    needs=st.lists(TEXT, max_size=2).map(tuple),
    gate=st.booleans(),
    isolation=st.none() | st.just("worktree"),
    schema=st.none() | OBJECTS,
    tools=st.none() | st.lists(TEXT, max_size=2).map(tuple),
    max_turns=st.none() | st.integers(1, 99),
    budget_usd=st.none() | st.floats(0.01, 1e4),
    votes=st.integers(1, 9),
    quorum=st.sampled_from(["majority", "all", "2"]),
    voters=st.lists(TEXT, max_size=2).map(tuple),
    verify=st.booleans(),
    self_test=st.none() | SELF_TESTS,
    alias=st.none() | TEXT,
)
INLINE_SUITES = st.builds(
    InlineSuite,
    prompt=TEXT,
    items=st.lists(st.builds(InlineItem, name=TEXT, params=OBJECTS), max_size=2).map(tuple),
    keywords=OBJECTS,
    words=st.lists(TEXT, max_size=2).map(tuple),
    since=st.none() | TEXT,
    nothing=st.none() | TEXT,
)
KNOWN = st.builds(
    KnownFindings,
    file=TEXT,
    today=TEXT,
    entries=st.lists(
        st.builds(
            KnownEntry,
            number=st.integers(1, 9),
            line=st.integers(1, 9),
            reason=TEXT,
            fingerprint=st.none() | TEXT,
            until=st.none() | TEXT,
        ),
        max_size=2,
    ).map(tuple),
)
BASELINES = st.builds(
    Baseline,
    source=TEXT,
    run_id=TEXT,
    findings=st.lists(
        st.builds(
            PastFinding,
            status=st.sampled_from(PastStatus),
            severity=st.sampled_from(Severity),
            message=TEXT,
            path=st.none() | TEXT,
            line=st.none() | st.integers(1, 9),
            items=st.lists(TEXT, max_size=2).map(tuple),
        ),
        max_size=2,
    ).map(tuple),
)
CONTENTS = st.builds(Content, tree=TEXT, named=TEXT, agent=TEXT, stat=TEXT, problem=st.none())
ATTEMPTS = st.builds(Attempt, task_id=TEXT.filter(bool), number=st.integers(1, 9), worker=TEXT)


def _reports(verdict: Any, trouble: Any) -> st.SearchStrategy[AttemptReport]:
    return st.builds(
        AttemptReport,
        attempt=ATTEMPTS,
        seconds=FINITE.map(lambda seconds: round(seconds, 6)),
        verdict=verdict,
        trouble=trouble,
        usage=st.none() | USAGES,
        about=OBJECTS,
    )


REPORTS = _reports(VERDICTS, st.none()) | _reports(st.none(), TROUBLES)


def _event(kind: type[Event]) -> st.SearchStrategy[Event]:
    """Return all events of a kind."""
    fields: dict[str, st.SearchStrategy[Any]] = {
        "at": FINITE,
        "lost_before": st.integers(0, 99),
        "spec": SPECS,
        "content": CONTENTS,
        "trouble": TROUBLES,
        "fingerprint": st.dictionaries(TEXT, TEXT, max_size=2),
        "report": REPORTS.map(KeptReport.of),
        "attempt": ATTEMPTS.map(lambda attempt: attempt.name),
    }
    if kind is AttemptEnded:
        return st.builds(AttemptEnded.of, REPORTS, sha256=st.none() | TEXT)
    if kind is ItemDecided:
        return _decisions(VERDICTS, st.none()) | _decisions(st.none(), TROUBLES)
    known = {name: fields[name] for name in kind.__struct_fields__ if name in fields}
    others = set(kind.__struct_fields__) - set(known)
    guessed = {name: _of_type(str(kind.__annotations__[name])) for name in others}
    return st.builds(kind, **known, **guessed)


def _decisions(verdict: Any, trouble: Any) -> st.SearchStrategy[ItemDecided]:
    return st.builds(ItemDecided, at=FINITE, item=TEXT, verdict=verdict, trouble=trouble)


def _of_type(annotation: str) -> st.SearchStrategy[Any]:
    plain: dict[str, st.SearchStrategy[Any]] = {
        "str": TEXT,
        "int": st.integers(0, 2**53),
        "float": FINITE,
        "bool": st.booleans(),
        "None": st.none(),
        "tuple[str, ...]": st.lists(TEXT, max_size=3).map(tuple),
        "tuple[int, ...]": st.lists(st.integers(0, 9), max_size=3).map(tuple),
        "dict[str, str]": st.dictionaries(TEXT, TEXT, max_size=3),
        "InlineSuite": INLINE_SUITES,
        "KnownFindings": KNOWN,
        "SelfTest": SELF_TESTS,
        "Baseline": BASELINES,
    }
    return st.one_of(*(plain[name] for name in annotation.split(" | ")))


EVENTS = st.one_of(*map(_event, KINDS))


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
@settings(max_examples=30)  # of each of many kinds
@given(data=st.data())
def test_an_event_of_each_kind_comes_back_as_it_was(kind: type[Event], data: st.DataObject) -> None:
    """Through the very text that is on disk."""
    event = data.draw(_event(kind))
    told = event_to_json(event)
    assert told["event"] == kind_of(event)
    assert event_from_json(json.loads(json.dumps(told))) == event


@given(event=EVENTS, more=st.dictionaries(st.from_regex(r"new_[a-z]{1,5}", fullmatch=True), JSON))
def test_fields_of_a_newer_version_are_left_out(event: Event, more: dict[str, Any]) -> None:
    """What this version knows of the event is what it was."""
    assert event_from_json({**event_to_json(event), **more}) == event


@given(fields=OBJECTS, at=FINITE)
def test_a_kind_of_a_newer_version_is_kept_whole(fields: dict[str, Any], at: float) -> None:
    """Nothing of it is lost, and a reader that matches on kinds passes it by."""
    told = {**fields, "event": "worker moved", "at": at}
    own = {name: value for name, value in fields.items() if name not in ("event", "at")}
    event = event_from_json(told)
    assert event == Unknown(at=at, kind="worker moved", fields=own)
    assert event_to_json(event) == told


@given(event=EVENTS, data=st.data())
def test_an_event_that_lacks_a_field_is_refused_by_name(event: Event, data: st.DataObject) -> None:
    """The error names the kind and the field, whichever it is."""
    told = event_to_json(event)
    # A field with a default may be missing: an older version did not write it.
    required = {field.name for field in msgspec.structs.fields(event) if field.required} | {"at"}
    missing = data.draw(st.sampled_from(sorted(required)))
    del told[missing]
    with pytest.raises(EventError) as refused:
        event_from_json(told)
    assert str(refused.value) == f"{kind_of(event)!r} lacks the field {missing!r}"


@pytest.mark.parametrize(
    ("told", "said"),
    [
        ({}, "has no kind"),
        ({"event": ["run"], "at": 1}, "has no kind"),
        ({"event": "run ended", "at": 1, "seconds": "x"}, "'run ended' has a wrong field"),
        ({"event": "worker moved", "at": "noon"}, "'worker moved' has a wrong field"),
        ({"event": "worker moved"}, "'worker moved' lacks the field 'at'"),
        (
            {"event": "given up", "at": 1, "task": "1", "trouble": {"cause": "boredom"}},
            "`$.trouble",
        ),
    ],
)
def test_what_is_no_event_is_refused(told: dict[str, Any], said: str) -> None:
    """One sentence, which names what is wrong."""
    with pytest.raises(EventError) as refused:
        event_from_json(told)
    assert said in str(refused.value)


def test_an_attempt_ends_with_a_verdict_or_a_trouble() -> None:
    """Never with neither, whoever wrote the line: a reader would have to guess."""
    report = AttemptReport(
        attempt=Attempt(task_id="1", number=2, worker="w1"),
        seconds=1.0,
        trouble=Trouble(cause=Cause.TIMEOUT, message="late"),
    )
    told = event_to_json(AttemptEnded.of(report, sha256=None))
    with pytest.raises(EventError, match="either a verdict or a trouble"):
        event_from_json({**told, "trouble": None})


@given(report=REPORTS)
def test_a_report_comes_back_from_its_event(report: AttemptReport) -> None:
    """The event is the report, in its form on disk."""
    event = AttemptEnded.of(report, sha256=None)
    assert event.report == report
    assert event.name == report.attempt.name
    assert KeptReport.of(report).report == report


@given(event=EVENTS)
def test_what_is_redacted_is_still_the_event(event: Event) -> None:
    """Secrets are in texts, and a text stays one, wherever it stands."""
    redactor = Redactor({"TOKEN": SECRET})
    told = redactor.json(event_to_json(event))
    assert redactor.text(SECRET) == "[redacted TOKEN]"
    assert type(event_from_json(json.loads(json.dumps(told)))) is type(event)
