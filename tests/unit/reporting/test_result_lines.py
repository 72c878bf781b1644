from __future__ import annotations

import json
import re
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.item_states import PhaseReport
from pytest_ptc.model.result import Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.reporting.attempts import TaskAttempt
from pytest_ptc.reporting.document import document
from pytest_ptc.reporting.result_lines import (
    AGENT_MAX_BYTES,
    MIN_BYTES,
    result_json_lines,
    result_lines,
)
from pytest_ptc.reporting.run_report import RunFacts, RunReport, Session
from pytest_ptc.reporting.short_ids import short_run_id
from pytest_ptc.reporting.task_report import TaskReport
from pytest_ptc.text.printable import printable
from tests.support.samples import run_of

if TYPE_CHECKING:
    from collections.abc import Sequence

RUN = "20261126-120000-5737b"
_OUTCOMES = {"pass": "passed", "fail": "failed", "skip": "skipped", "error": "error"}
_FACTS = RunFacts(
    host="process",
    agent="claude",
    workers=2,
    task_list_id="list",
    rootdir="/project",
    repository=None,
    commit=None,
    anchor=None,
    arguments=(),
    python="3.12",
    resumes=None,
    fail_on="verdict",
    pytest_ptc="1",
)


def usage(cost: float | None) -> Usage:
    """Return what an attempt used at a cost."""
    return Usage.of((1, 1, 0, 0), cost)


def spec(name: str, **more: Any) -> TaskSpec:
    """Return the task of a parameter."""
    return TaskSpec(nodeid=f"p.py::item[{name}]", prompt="p", timeout=9.0, cwd="/project", **more)


def item(
    name: str,
    kind: str = "pass",
    summary: str = "fine",
    *findings: Finding,
    outcome: str | None = None,
    xfail: str | None = None,
    cost: float | None = 0.05,
    data: Any = None,
) -> TaskReport:
    """Return an item that an agent judged, and that pytest reported."""
    verdict = Verdict(verdict=VerdictKind(kind), summary=summary, findings=findings, data=data)
    attempt = TaskAttempt(
        name="1.1", number=1, worker="w1", seconds=2.0, verdict=verdict, usage=usage(cost)
    )
    phase = PhaseReport("call", outcome or _OUTCOMES[kind], None, xfail)
    return TaskReport(spec=spec(name), attempts=(attempt,), verdict=verdict, phases=(phase,))


def troubled(name: str, cause: Cause, message: str) -> TaskReport:
    """Return an item without a verdict."""
    trouble = Trouble(cause=cause, message=message)
    phase = PhaseReport("setup", "error", f"ptc error: {cause}")
    return TaskReport(spec=spec(name), trouble=trouble, phases=(phase,))


def run(*tasks: TaskReport, exit_status: int | None = 0, **more: Any) -> RunReport:
    """Return a run that has ended."""
    about: dict[str, Any] = {"run_id": RUN, "ended": True, "stopped": None, **more}
    session = None if exit_status is None else Session(exit_status)
    return RunReport(began=0.0, seconds=12.3, session=session, facts=_FACTS, tasks=tasks, **about)


def finding(message: str, severity: str = "medium", path: str | None = None) -> Finding:
    """Return a finding in line 12."""
    line = 12 if path else None
    return Finding(severity=Severity(severity), message=message, path=path, line=line)


@pytest.mark.parametrize("bad", [True, False])
def test_a_short_line_has_one_thing_that_can_be_read(bad: bool) -> None:
    """Of a reason and a finding the one that is looked for, and else the name alone."""
    kind, severity = ("fail", "high") if bad else ("pass", "low")
    found = finding("no number", severity, "data/samples.txt")
    some = [
        item(f"data/{number}/{'x' * 30}.txt", kind, "Two of four samples are broken.", found)
        for number in range(34)
    ]
    lines = result_lines(run(*some), max_bytes=2400)
    assert len(lines) == 36
    told = lines[0].split("…", 1)[1].partition("  ")[2]
    assert told.startswith("high data/" if bad else "Two of fo")
    assert "…: " not in lines[0]


def test_the_shortest_line_has_the_name_alone() -> None:
    """A few letters of a reason would take the room in which names differ."""
    found = finding("no number", "low", "data/samples.txt")
    many = [item(f"data/{n}/{'x' * 60}.txt", "pass", "Two broken.", found) for n in range(75)]
    lines = result_lines(run(*many), max_bytes=2400)
    assert len(lines) == 77
    assert lines[0].startswith("pass data/0/xx")
    assert lines[0].endswith("xxx.txt")


def test_an_active_run_has_items_that_are_running_and_queued() -> None:
    """They are no shortfall yet, and so not in capitals; of a killed run they are."""
    began = TaskAttempt(name="2.1", number=1, worker="w1", assigned=1.0)
    ended = TaskAttempt(name="3.1", number=1, worker="w1", ended=2.0)
    late = Verdict(verdict=VerdictKind.PASS, summary="fine")
    report = run(
        item("a", "fail", "bad"),
        TaskReport(spec=spec("b"), attempts=(began,)),
        TaskReport(spec=spec("c"), attempts=(ended,)),
        TaskReport(spec=spec("d")),
        TaskReport(spec=spec("e"), verdict=late),
        exit_status=None,
        ended=False,
    )
    assert result_lines(report, active=True) == [
        "FAIL a  bad",
        "running b",
        "queued c",
        "queued d",
        "running e  its agent recorded pass",
        "5: 1 fail, 2 running, 2 queued, $0.05, run 5737b, active",
    ]
    words = [line.split(" b ")[0] for line in result_lines(report)]
    assert words[1] == "NOT DONE"


def test_a_line_for_each_item_in_the_order_given() -> None:
    """What became of it, its own name, and why; the last line has totals and the run's id."""
    found = (finding("long tag", "low", "c.txt"), finding("unclosed tag", "medium", "c.txt"))
    report = run(
        item("a.txt", "pass", "4 samples, all complete."),
        item("b.txt", "pass", "Fine. And more.", finding("odd name", "info")),
        item("c.txt", "fail", "2 broken.", *found),
        troubled("d.txt", Cause.TIMEOUT, "no verdict within 20 s"),
        item("e.txt", "skip", "no samples"),
        item("f.txt", "fail", "as ever", outcome="xfailed", xfail="known"),
        item("g.txt", outcome="xpassed", xfail="known"),
        TaskReport(spec=spec("h.txt")),
        exit_status=1,
    )
    assert result_lines(report) == [
        "pass a.txt  4 samples, all complete",
        "pass b.txt  Fine: info odd name",
        "FAIL c.txt  2 broken: medium c.txt:12 unclosed tag (+1)",
        "ERROR d.txt  timeout: no verdict within 20 s",
        "skip e.txt  no samples",
        "xfail f.txt  known: as ever",
        "xpass g.txt  known: fine",
        "NOT DONE h.txt  not judged: the run was over first",
        "8: 2 pass, 1 fail, 1 error, 1 skip, 1 xfail, 1 xpass, 1 not done, 12 s, $0.30, run 5737b",
    ]


def test_a_verdict_that_pytest_made_no_outcome_of_is_no_pass() -> None:
    """A body that did not run, and one that failed, show what they are."""
    judged = item("a.txt")
    report = run(
        TaskReport(spec=judged.spec, attempts=judged.attempts, verdict=judged.verdict),
        item("b.txt", "pass", outcome="failed"),
        exit_status=1,
    )
    assert result_lines(report)[:2] == [
        "NOT DONE a.txt  its agent recorded pass, and its test did not run",
        "FAIL b.txt  the test failed",
    ]


@pytest.mark.parametrize(
    ("costs", "told"),
    [
        pytest.param([0.25, 0.5], ", $0.75,", id="known"),
        pytest.param([0.25, None], ", at least $0.25,", id="partly"),
        pytest.param([None, None], "12 s, run", id="unknown"),
    ],
)
def test_a_cost_is_as_good_as_what_is_known_of_it(costs: list[float | None], told: str) -> None:
    """An unknown cost is no cost of nothing."""
    tasks = [item(str(number), cost=cost) for number, cost in enumerate(costs)]
    assert told in result_lines(run(*tasks))[-1]


def test_why_a_run_is_no_success_though_no_item_says_it() -> None:
    """Green lines alone would look better than the run."""
    assert result_lines(run(item("a.txt"), exit_status=3))[1:] == [
        "not successful: pytest ended with status 3: an internal error in pytest or a plugin",
        "1: 1 pass, 12 s, $0.05, run 5737b",
    ]
    assert len(result_lines(run(item("a.txt")))) == 2
    killed = run(item("a.txt", "fail"), exit_status=None, ended=False)
    assert any(line.startswith("not successful: ") for line in result_lines(killed))


def test_verbose_lines_have_all_that_was_found() -> None:
    """Whole summaries, and a line for each finding with its rule."""
    found = Finding(severity=Severity.LOW, message="eval", path="a.py", line=3, rule="S307")
    report = run(item("a.txt", "pass", "One. Two.", found, finding("dead", "high")))
    assert result_lines(report, verbose=True)[:-1] == [
        "pass a.txt  One. Two.",
        "  - f1 high: dead",
        "  - f2 low a.py:3 S307: eval",
    ]


def test_fifty_items_are_all_named_within_an_agents_bound() -> None:
    """Lines are shortened, those that need no look first."""
    report = run(
        *(item(f"module_{number}.py", "pass", "word " * 40) for number in range(45)),
        *(item(f"bad_{number}.py", "fail", "Broken.", finding("x" * 90)) for number in range(5)),
        exit_status=1,
    )
    lines = result_lines(report, max_bytes=AGENT_MAX_BYTES)
    assert len(lines) == 52
    assert lines[0] == "pass module_0.py  word word word…"
    assert lines[45] == f"FAIL bad_0.py  Broken: medium {'x' * 81}…"
    assert lines[50] == "rest: ptc results 5737b"


def test_the_worst_of_many_items_are_shown_and_the_others_are_counted() -> None:
    """Failures come before passes, and equal troubles are one line."""
    report = run(
        *(item(f"m{number}", "pass", "word " * 40) for number in range(300)),
        *(troubled(f"e{number}", Cause.LOGIN, "log in") for number in range(150)),
        *(item(f"f{number}", "fail", f"Bad {number}.") for number in range(4)),
        exit_status=1,
    )
    lines = result_lines(report, max_bytes=AGENT_MAX_BYTES, rest="ptc results {run} --all")
    assert lines[:5] == [
        *(f"FAIL f{n}  Bad {n}" for n in range(4)),
        "ERROR 150 items  login: log in",
    ]
    shown = sum(line.startswith("pass ") for line in lines)
    assert shown > 2
    assert lines[-2] == f"{300 - shown} pass more; rest: ptc results 5737b --all"


def test_failures_that_do_not_fit_are_counted_and_no_pass_takes_their_room() -> None:
    """Of 300 failures the first are shown, and all are counted."""
    report = run(
        *(item(f"m{number}", "pass", "fine") for number in range(100)),
        *(item(f"f{number}", "fail", f"{number} " * 90) for number in range(300)),
        exit_status=1,
    )
    lines = result_lines(report, max_bytes=AGENT_MAX_BYTES)
    shown = sum(line.startswith("FAIL ") for line in lines)
    assert not any(line.startswith("pass ") for line in lines)
    assert lines[-2:] == [
        f"100 pass, {300 - shown} fail more; rest: ptc results 5737b",
        "400: 100 pass, 300 fail, 12 s, $20.00, run 5737b",
    ]


def test_a_bound_too_small_for_totals_is_refused() -> None:
    """Totals and where to read on need room."""
    with pytest.raises(ValueError, match=str(MIN_BYTES)):
        result_lines(run(), max_bytes=MIN_BYTES - 1)


@pytest.mark.parametrize(
    ("run_id", "others", "short"),
    [
        pytest.param(RUN, [], "5737b", id="alone"),
        pytest.param(RUN, [RUN, "20261126-120001-5737c"], "5737b", id="different"),
        pytest.param(RUN, ["20261126-110000-5737b"], "120000-5737b", id="same-end"),
        pytest.param(RUN, ["20261125-120000-5737b"], RUN, id="same-time"),
        pytest.param("odd", ["more odd"], "odd", id="no-dash"),
    ],
)
def test_a_runs_short_id_names_no_other(run_id: str, others: list[str], short: str) -> None:
    """`ptc results` takes the end of an id that one run has."""
    assert short_run_id(run_id, others) == short


TEXTS = st.text(st.characters(exclude_categories=()), max_size=300)
HOSTILE = st.text(
    st.sampled_from("a b\n\r\t\x1b[0m\x9b\u202e\u0301\u4e2d\ud800\ufe0f#:]./"), max_size=400
)
ANY_TEXT = st.one_of(TEXTS, HOSTILE)
FINDINGS = st.lists(
    st.builds(Finding, severity=st.sampled_from(Severity), message=ANY_TEXT, path=ANY_TEXT),
    max_size=3,
)
ITEMS = st.lists(
    st.one_of(
        st.builds(
            lambda name, kind, summary, found: item(name, kind, summary, *found),
            ANY_TEXT,
            st.sampled_from(["pass", "fail", "skip"]),
            ANY_TEXT,
            FINDINGS,
        ),
        st.builds(troubled, ANY_TEXT, st.sampled_from(list(Cause)), ANY_TEXT),
    ),
    max_size=8,
)
_NUMBER = re.compile(r"(\d+) (pass|fail|error|skip|not done)\b")


def _counts(text: str) -> Counter[str]:
    return Counter({word: int(number) for number, word in _NUMBER.findall(text)})


def _shown(lines: Sequence[str]) -> Counter[str]:
    counts: Counter[str] = Counter()
    for line in lines:
        words = re.match(r"(NOT DONE|pass|FAIL|ERROR|skip) (?:(\d+) items  )?", line)
        assert words is not None, line
        counts[words[1].lower()] += int(words[2] or 1)
    return counts


@given(
    items=ITEMS,
    times=st.sampled_from([1, 3, 40]),
    bound=st.integers(MIN_BYTES, 5000),
    stopped=st.one_of(st.none(), ANY_TEXT),
)
def test_the_bound_holds_and_nothing_bad_is_hidden(
    items: list[TaskReport], times: int, bound: int, stopped: str | None
) -> None:
    """For any number of items and any texts: bytes, counts, printable lines, worst first."""
    report = run(*(items * times), exit_status=1, stopped=stopped)
    everything = result_lines(report)
    true = _counts(everything[-1])
    lines = result_lines(report, max_bytes=bound)
    assert sum(len(line.encode()) + 1 for line in lines) <= bound
    assert all(printable(line) == line and line == line.strip() for line in lines)
    assert _counts(lines[-1]) == true
    assert sum(true.values()) == len(report.tasks)
    body = [line for line in lines[:-1] if not line.startswith("not successful: ")]
    left: Counter[str] = Counter()
    if body and "rest: ptc results" in body[-1]:
        left = _counts(body.pop())
    shown = _shown(body)
    assert shown + left == true
    if left["fail"] or left["error"] or left["not done"]:
        assert not shown["pass"]
        assert not shown["skip"]


def test_json_lines_have_the_words_of_the_report() -> None:
    """Each item's fields are those of the document; the last line has its totals."""
    report = run_of(60, 90)
    made, told = document(report), [json.loads(line) for line in result_json_lines(report)]
    for task, line in zip(made["tasks"], told[:-1], strict=True):
        verdict = task["verdict"] or {}
        assert {key: line[key] for key in ("nodeid", "state", "outcome", "params", "resumed")} == {
            key: task[key] for key in ("nodeid", "state", "outcome", "params", "resumed")
        }
        assert line["verdict"] == verdict.get("verdict")
        assert line["summary"] == verdict.get("summary")
        names = [finding.pop("name") for finding in line["findings"]]
        assert line["findings"] == verdict.get("findings", [])
        assert [f"f{int(name[1:])}" for name in names] == names
        assert line["data"] == verdict.get("data")
        assert line["cause"] == (task["trouble"] or {}).get("cause")
    assert told[-1]["states"] == made["totals"]["states"]
    assert told[-1]["successful"] is made["run"]["successful"]
    assert told[0]["item"] == "src/package/module_0.py"
