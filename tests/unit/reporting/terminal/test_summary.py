from __future__ import annotations

import io
import time
import unicodedata
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ptc.model.item_states import PhaseReport
from pytest_ptc.model.lifecycle import Snapshot, WorkerState, WorkerView
from pytest_ptc.model.result import Attempt, AttemptReport, Result, Usage
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.reporting.task_report import TaskReport
from pytest_ptc.reporting.terminal.failure import failure_text
from pytest_ptc.reporting.terminal.progress import Progress
from pytest_ptc.reporting.terminal.status import header_lines, live_lines, progress_line
from pytest_ptc.reporting.terminal.summary import MAX_ITEMS, summary
from pytest_ptc.text.printable import clip, clip_left, columns, printable, printable_lines, wrap

NO_TMUX = "tmux is not installed: workers are child processes"

if TYPE_CHECKING:
    from collections.abc import Sequence

JOURNAL = "runs/20261122-ab12cd"
TEXTS = st.text(st.characters(exclude_categories=()), max_size=200)
# What breaks layouts more often than chance finds it.
HOSTILE = st.text(
    st.sampled_from("a b\n\r\t\x1b[0m\x9b\u202e\u0301\u4e2d\ud800\ufe0f#:"), max_size=99
)
ANY_TEXT = st.one_of(TEXTS, HOSTILE)

# How long an example takes says something about the machine's load only.
patient = settings(max_examples=60)


def spec(nodeid: str, **more: Any) -> TaskSpec:
    """Return a spec of which only the node id matters."""
    return TaskSpec(nodeid=nodeid, prompt="Do it.", timeout=300.0, cwd="/repo", **more)


def finding(severity: str, message: str, place: str = "", rule: str | None = None) -> Finding:
    """Return a finding at `path:line`."""
    path, _, line = place.partition(":")
    return Finding(
        severity=Severity(severity),
        message=message,
        path=path or None,
        line=int(line) if line else None,
        rule=rule,
    )


def judged(
    nodeid: str, kind: str, said: str, *findings: Finding, seconds: float = 20.0, **more: Any
) -> Result:
    """Return the result of a task that one attempt of worker w2 judged."""
    verdict = Verdict(verdict=VerdictKind(kind), summary=said, findings=findings)
    attempt = Attempt(task_id="7", number=1, worker="w2")
    report = AttemptReport(attempt=attempt, seconds=seconds, verdict=verdict)
    return Result(task_id="7", spec=spec(nodeid, **more), reports=(report,))


def troubled(nodeid: str, *troubles: Trouble) -> Result:
    """Return the result of a task whose attempts all met trouble."""
    reports = tuple(
        AttemptReport(
            attempt=Attempt(task_id="8", number=number, worker=f"w{number}"),
            seconds=30.0 * number,
            trouble=trouble,
        )
        for number, trouble in enumerate(troubles, 1)
    )
    return Result(task_id="8", spec=spec(nodeid), reports=reports)


def paid(*usages: Usage | None, about: dict[str, Any] | None = None) -> Result:
    """Return the result of a task that was judged bad after so many attempts at these costs."""
    verdict = Verdict(verdict=VerdictKind.FAIL, summary="Bad.")
    trouble = Trouble(cause=Cause.TIMEOUT, message="late")
    reports = tuple(
        AttemptReport(
            attempt=Attempt(task_id="7", number=number, worker="w2"),
            seconds=20.0,
            verdict=verdict if number == len(usages) else None,
            trouble=None if number == len(usages) else trouble,
            usage=usage,
            about=about or {},
        )
        for number, usage in enumerate(usages, 1)
    )
    return Result(task_id="7", spec=spec("t.py::test_x"), reports=reports)


def unstarted(nodeid: str, cause: Cause, message: str) -> Result:
    """Return the result of a task that ended before it was attempted."""
    trouble = Trouble(cause=cause, message=message)
    return Result(task_id="9", spec=spec(nodeid), trouble_outside=trouble)


def mixed() -> list[Result]:
    """Return the results of a run in which about everything happened."""
    return [
        judged("t.py::test_a[1]", "pass", "Clean.", finding("low", "long name", "src/a.py:9")),
        judged(
            "t.py::test_a[2]",
            "fail",
            "Two injection paths reach the database, and tokens are logged. The rest is fine.",
            finding("medium", "token logged at debug level", "src/log.py:40"),
            finding(
                "critical",
                "user input is put into the statement by an f-string in execute()",
                "src/db.py:12",
                "sql-injection",
            ),
            *(finding("low", f"unused import {n}", f"src/x.py:{n}") for n in range(1, 6)),
            finding("info", "no docstring"),
        ),
        troubled(
            "t.py::test_b",
            Trouble(cause=Cause.TIMEOUT, message="no verdict within 300 s"),
            Trouble(
                cause=Cause.WORKER_LOST,
                message="the worker ended with status 137",
                evidence="reading src/db.py\n\x1b[31mKilled\x1b[0m\n\n",
            ),
        ),
        judged("t.py::test_c", "skip", "No such endpoint."),
        judged("t.py::test_d", "pass", "Fine.", finding("medium", "no ETag")),
        unstarted("t.py::test_e", Cause.STOPPED, "the run was stopped"),
    ]


def reports(results: Sequence[Result]) -> list[TaskReport]:
    """Return the reports of tasks that have no item: they are told by their verdicts alone."""
    return [TaskReport.of(result, overtaken=True) for result in results]


def failure(result: Result) -> str:
    """Return the text of an item's failure."""
    return failure_text(TaskReport.of(result), JOURNAL)


def section(results: Sequence[Result], **more: Any) -> str:
    """Return the summary as it stands on an 80-column screen."""
    given = {"wall": 41.23, "journal": JOURNAL, "width": 80, **more}
    return "\n".join(line.text for line in summary(reports(results), **given))


# --- one line of unknown text


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("plain text", "plain text", id="plain"),
        pytest.param("two\nlines\r\nand\ta tab", "two lines and a tab", id="breaks"),
        pytest.param("\x1b[1;31mred\x1b[0m", "red", id="colours-dropped"),
        pytest.param("\x1b[2J\x1b[H", r"\x1b[2J\x1b[H", id="cursor-moves"),
        pytest.param("\x1b]0;title\x07", r"\x1b]0;title\x07", id="title"),
        pytest.param("\x9b2J", r"\x9b2J", id="8-bit-control"),
        pytest.param("\x1b[3\x1b[1m1m", r"\x1b[31m", id="colour-within-colour"),
        pytest.param("pass\x08\x08\x08\x08fail", r"pass\x08\x08\x08\x08fail", id="backspaces"),
        pytest.param("a\u202eb", r"a\u202eb", id="right-to-left"),
        pytest.param("a\u200bb\U000e0041", r"a\u200bb\U000e0041", id="invisible"),
        pytest.param("a\u2028b", r"a\u2028b", id="line-separator"),
        pytest.param("a\u3164b", r"a\u3164b", id="filler"),
        pytest.param("a\ud800b", r"a\ud800b", id="lone-surrogate"),
        pytest.param(
            "größe 中文 e\u0301 ✅ a\u00a0b", "größe 中文 e\u0301 ✅ a\u00a0b", id="unicode"
        ),
        pytest.param("a" + "\u0301" * 6, "a" + "\u0301" * 4 + r"\u0301" * 2, id="zalgo"),
        pytest.param("##vso[task.setvariable]x", "# #vso[task.setvariable]x", id="azure"),
        pytest.param("##teamcity[x] ###[error]", "# #teamcity[x] ## #[error]", id="teamcity"),
        pytest.param("::add-mask::e", ": :add-mask::e", id="github"),
        pytest.param(" \t::add-mask::e", "  : :add-mask::e", id="github-behind-blanks"),
        pytest.param("a\n::error file=x::y", "a : :error file=x::y", id="github-on-a-line"),
        pytest.param("f :: Int, a::b", "f :: Int, a::b", id="types"),
        pytest.param("## Title [1]", "## Title [1]", id="markdown"),
        pytest.param("", "", id="empty"),
    ],
)
def test_printable(text: str, expected: str) -> None:
    """What could drive a terminal or a CI system is shown or dropped; what is text stays."""
    assert printable(text) == expected


@patient
@given(text=ANY_TEXT)
def test_no_control_character_survives(text: str) -> None:
    """No character of any text drives a terminal, and every output can encode what comes out."""
    shown = printable(text)
    assert not {unicodedata.category(char) for char in shown} & {"Cc", "Cf", "Cs", "Zl", "Zp"}
    assert "##[" not in shown
    shown.encode()
    assert len(shown) <= 5 * (columns(shown) + 1)
    assert len(shown.splitlines()) <= 1


@patient
@given(text=ANY_TEXT, width=st.integers(2, 40))
def test_no_line_is_a_command(text: str, width: int) -> None:
    """Neither as it is, nor wrapped, nor line by line: GitHub looks behind blanks, too."""
    text = f"{text}::add-mask::e {text}"
    for line in (printable(text), *wrap(printable(text), width, 50)):
        assert not line.lstrip().startswith("::add")
    for line in printable_lines(text).splitlines():
        assert not line.lstrip().startswith("::")
        assert line == printable(line)


@patient
@given(text=ANY_TEXT)
def test_printable_text_stays_as_it_is(text: str) -> None:
    """What has been made printable may be made printable again: nothing is escaped twice."""
    assert printable(printable(text)) == printable(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        pytest.param("abc", 3, id="ascii"),
        pytest.param("中文", 4, id="wide"),
        pytest.param("e\u0301", 1, id="combining"),
        pytest.param("größe", 5, id="latin"),
        pytest.param("✅", 2, id="emoji"),
        pytest.param("⚠\ufe0f", 2, id="emoji-by-selector"),
        pytest.param("1\ufe0f\u20e3", 2, id="keycap"),
        pytest.param("\N{THUMBS UP SIGN}\N{EMOJI MODIFIER FITZPATRICK TYPE-4}", 2, id="skin-tone"),
        pytest.param("\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7", 4, id="two-flags"),
        pytest.param("\u1112\u1161\u11ab", 2, id="syllable-of-parts"),
        pytest.param("ก็", 1, id="thai"),
        pytest.param("\u0915\u094d" * 30, 30, id="no-sign-is-that-long"),
    ],
)
def test_columns(text: str, expected: int) -> None:
    """Wide characters take two columns, combining ones none, and a sign of several is one."""
    assert columns(text) == expected


@pytest.mark.parametrize(
    ("text", "width", "end", "beginning"),
    [
        pytest.param("abcdefghij", 10, "abcdefghij", "abcdefghij", id="fits"),
        pytest.param("abcdefghij", 9, "abcdef...", "...efghij", id="cut"),
        pytest.param("abcdefghij", 2, "..", "..", id="only-dots"),
        pytest.param("abcdefghij", 0, "", "", id="nothing"),
        pytest.param("abcdefghij", -1, "", "", id="negative"),
        pytest.param("中文中文中", 8, "中文...", "...文中", id="wide"),
        pytest.param("ae\u0301e\u0301e\u0301b", 4, "a...", "...b", id="combining"),
        pytest.param(
            "\U0001f1e9\U0001f1ea" * 4,
            6,
            "\U0001f1e9\U0001f1ea...",
            "...\U0001f1e9\U0001f1ea",
            id="flags",
        ),
    ],
)
def test_clip(text: str, width: int, end: str, beginning: str) -> None:
    """A text is cut at the end or at the beginning, by columns, and dots show it."""
    assert clip(text, width) == end
    assert clip_left(text, width) == beginning


@patient
@given(text=ANY_TEXT.map(printable), width=st.integers(-2, 40))
def test_clipped_text_fits(text: str, width: int) -> None:
    """Whatever the text and the width, what is left is not wider."""
    assert columns(clip(text, width)) <= max(width, 0)
    assert columns(clip_left(text, width)) <= max(width, 0)


# --- header, live block, log line


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(
            {"workers": 5, "host": "tmux", "attach": "tmux -L ptc-1 attach"},
            [
                "ptc: 5 workers in tmux, command agent, list ptc-20261122-ab12cd",
                "ptc: watch with: tmux -L ptc-1 attach",
            ],
            id="tmux",
        ),
        pytest.param(
            {
                "workers": 6,
                "host": "dask",
                "cluster": "tcp://10.77.0.2:8786",
                "attach": "ptc attach",
            },
            [
                "ptc: 6 workers on dask, command agent, list ptc-20261122-ab12cd",
                "ptc: on the nodes of tcp://10.77.0.2:8786, as they join",
                "ptc: watch with: ptc attach",
            ],
            id="cluster",
        ),
        pytest.param(
            {"workers": 1, "host": "process", "note": NO_TMUX},
            [
                "ptc: 1 worker in child processes, command agent, list ptc-20261122-ab12cd",
                "ptc: tmux is not installed: workers are child processes",
            ],
            id="fell-back",
        ),
        pytest.param(
            {"workers": 5, "host": "tmux", "budget": 3.0},
            [
                "ptc: 5 workers in tmux, command agent, list ptc-20261122-ab12cd",
                ("ptc: budget $3.00; 5 tasks may overshoot it (ptc_task_budget_usd caps each)"),
            ],
            id="budget",
        ),
        pytest.param(
            {"workers": 1, "host": "tmux", "budget": 0.5, "task_budget": 0.05},
            [
                "ptc: 1 worker in tmux, command agent, list ptc-20261122-ab12cd",
                ("ptc: budget $0.50; $0.05 are put aside for a task, 1 answer may overshoot it"),
            ],
            id="budget-of-a-task-too",
        ),
        pytest.param(
            {"workers": 2, "host": "tmux", "task_budget": 0.05},
            ["ptc: 2 workers in tmux, command agent, list ptc-20261122-ab12cd"],
            id="budget-of-a-task-alone",
        ),
    ],
)
def test_header(given: dict[str, Any], expected: list[str]) -> None:
    """The header says how many workers of what kind there are and how to watch them."""
    assert header_lines(agent="command", list_id="ptc-20261122-ab12cd", **given) == expected


def test_a_list_id_cannot_forge_a_header_line() -> None:
    """A list id from the environment stays on its line."""
    lines = header_lines(workers=1, host="tmux", agent="command", list_id="x\nptc: all is well")
    assert lines == ["ptc: 1 worker in tmux, command agent, list x ptc: all is well"]


def busy(name: str, nodeid: str, since: float) -> WorkerView:
    """Return a worker on a test."""
    return WorkerView(name=name, state=WorkerState.BUSY, since=since, nodeid=nodeid)


WORKERS = (
    busy("w1", "tests/test_api.py::TestUsers::test_operation[GET /delay]", 97),
    busy("w2", "tests/test_review.py::test_review_of_a_pull_request[123-security-and-speed]", 60),
    WorkerView(name="w3", state=WorkerState.IDLE, since=99),
    busy("w4", "tests/test_api.py::test_operation[a::b[0]]", -23),
    WorkerView(name="w5", state=WorkerState.STARTING, since=100),
)
SNAPSHOT = Snapshot(
    queued=61,
    running=5,
    verdicts={
        VerdictKind.ERROR: 1,
        VerdictKind.PASS: 10,
        VerdictKind.SKIP: 0,
        VerdictKind.FAIL: 1,
    },
    workers=WORKERS,
)


@pytest.mark.parametrize(
    ("width", "height", "expected"),
    [
        pytest.param(
            80,
            24,
            [
                "ptc 12/78 done (10 pass, 1 fail, 1 error) | 5 running | 61 queued | 0:42",
                "w1   3s test_operation[GET /delay]      w2  40s ...est[123-security-and-speed]",
                "w3   1s idle                            w4 2:03 test_operation[a::b[0]]",
                "w5   0s starting",
            ],
            id="80x24",
        ),
        pytest.param(
            160,
            50,
            [
                "ptc 12/78 done (10 pass, 1 fail, 1 error) | 5 running | 61 queued | 0:42",
                (
                    "w1   3s test_operation[GET /delay]      "
                    "w2  40s ...est[123-security-and-speed]  "
                    "w3   1s idle                            "
                    "w4 2:03 test_operation[a::b[0]]"
                ),
                "w5   0s starting",
            ],
            id="160x50",
        ),
        pytest.param(
            80,
            9,
            [
                "ptc 12/78 done (10 pass, 1 fail, 1 error) | 5 running | 61 queued | 0:42",
                "w1   3s test_operation[GET /delay]      w2  40s ...est[123-security-and-speed]",
                "w4 2:03 test_operation[a::b[0]]         +2 more workers",
            ],
            id="80x9-idle-ones-left-out",
        ),
        pytest.param(
            80,
            6,
            [
                "ptc 12/78 done (10 pass, 1 fail, 1 error) | 5 running | 61 queued | 0:42",
                "w1  3s test_operation[GET /delay]       +4 more workers",
            ],
            id="80x6",
        ),
        pytest.param(
            80,
            2,
            ["ptc 12/78 done (10 pass, 1 fail, 1 error) | 5 running | 61 queued | 0:42"],
            id="80x2",
        ),
        pytest.param(
            30,
            24,
            [
                "ptc 12/78 done (10 pass, 1...",
                "w1   3s ...ration[GET /delay]",
                "w2  40s ...ecurity-and-speed]",
                "w3   1s idle",
                "w4 2:03 ...operation[a::b[0]]",
                "w5   0s starting",
            ],
            id="30x24",
        ),
    ],
)
def test_live_lines(width: int, height: int, expected: list[str]) -> None:
    """The live block packs the workers into what room the terminal has."""
    lines = live_lines(SNAPSHOT, now=100, started=58, width=width, height=height)
    assert lines == expected


def on_nodes(*, waiting: int, nodes: int = 2, notes: tuple[str, ...] = ()) -> Snapshot:
    """Return a run of two workers a node, and of some that wait for a place."""
    placed = [
        replace(busy(f"w{number + 1}", f"t.py::test[{number}]", 90), node=f"n{number % nodes}")
        for number in range(2 * nodes)
    ]
    rest = [
        WorkerView(name=f"w{number}", state=WorkerState.WAITING, since=0)
        for number in range(2 * nodes + 1, 2 * nodes + 1 + waiting)
    ]
    return Snapshot(queued=7, running=len(placed), retries=1, workers=(*placed, *rest), notes=notes)


@pytest.mark.parametrize(
    ("snapshot", "width", "head"),
    [
        pytest.param(
            on_nodes(waiting=6, nodes=0),
            80,
            ["ptc 0/7 done | 0 running | 7 queued | 6 workers wait for a place | 0:42"],
            id="all-wait",
        ),
        pytest.param(
            on_nodes(waiting=0),
            80,
            ["ptc 0/11 done | 4 running | 7 queued | 4 workers on 2 nodes | 1 retry | 0:42"],
            id="none-waits",
        ),
        pytest.param(
            on_nodes(waiting=1),
            160,
            [
                (
                    "ptc 0/11 done | 4 running | 7 queued "
                    "| 4 workers on 2 nodes, 1 waits for a place | 1 retry | 0:42"
                )
            ],
            id="wide",
        ),
        pytest.param(
            on_nodes(waiting=3),
            80,
            [
                "ptc 0/11 done | 4 running | 7 queued | 0:42",
                "ptc 4 workers on 2 nodes, 3 wait for a place",
            ],
            id="narrow",
        ),
        pytest.param(
            on_nodes(waiting=2, nodes=0, notes=("node na gets no workers: old", "b", "c")),
            80,
            [
                "ptc 0/7 done | 0 running | 7 queued | 2 workers wait for a place | 0:42",
                "ptc b",
                "ptc c",
            ],
            id="notes",
        ),
    ],
)
def test_live_lines_tell_of_places_on_nodes(
    snapshot: Snapshot, width: int, head: list[str]
) -> None:
    """Who waits for a place is a number, not a cell; places have a line where there is no room."""
    lines = live_lines(snapshot, now=100, started=58, width=width, height=40)
    placed = [worker for worker in snapshot.workers if worker.node is not None]
    assert lines[: len(head)] == head
    assert len(" ".join(lines[len(head) :]).split(" test[")) - 1 == len(placed)


def test_retries_are_shown_where_there_is_room() -> None:
    """The number of retries stands before the time, and gives way to it in a narrow terminal."""
    snapshot = Snapshot(queued=1, verdicts={VerdictKind.PASS: 2}, retries=3)
    wide, narrow = (
        live_lines(snapshot, now=4000, started=0, width=width, height=24) for width in (80, 60)
    )
    assert wide == ["ptc 2/3 done (2 pass) | 0 running | 1 queued | 3 retries | 1:06:40"]
    assert narrow == ["ptc 2/3 done (2 pass) | 0 running | 1 queued | 1:06:40"]


@pytest.mark.parametrize(
    ("more", "width", "expected"),
    [
        pytest.param(
            {"behind_group": 1},
            80,
            "2/3 done (2 pass) | 0 running | 1 queued (1 waits for its group) | 1:40",
        ),
        pytest.param(
            {"cost_usd": 0.0123}, 80, "2/3 done (2 pass) | 0 running | 1 queued | $0.0123 | 1:40"
        ),
        pytest.param(
            {"cost_usd": 12.345}, 80, "2/3 done (2 pass) | 0 running | 1 queued | $12.35 | 1:40"
        ),
        pytest.param({"cost_usd": 0.0}, 80, "2/3 done (2 pass) | 0 running | 1 queued | 1:40"),
        pytest.param({"cost_usd": 12.0}, 55, "2/3 done (2 pass) | 0 running | 1 queued | 1:40"),
        pytest.param(
            {"held": "rate limit", "held_until": 165.9},
            99,
            "2/3 done (2 pass) | rate limit, held for 1:05 | 0 running | 1 queued | 1:40",
        ),
        pytest.param(
            {"held": "rate limit", "held_until": 100.0},
            99,
            "2/3 done (2 pass) | 0 running | 1 queued | 1:40",
        ),
        pytest.param(
            {"held": "rate limit", "held_until": 101.0, "cost_usd": 1.0, "retries": 1},
            80,
            "2/3 done (2 pass) | rate limit, held for 0:01 | 0 running | 1 queued | 1:40",
        ),
    ],
    ids=[
        "group",
        "cost",
        "dollars",
        "for-nothing",
        "narrow",
        "held",
        "no-longer-held",
        "held-and-narrow",
    ],
)
def test_the_live_line_says_what_it_costs_and_what_it_waits_for(
    more: dict[str, Any], width: int, expected: str
) -> None:
    """Why nothing begins stands at the front and stays; the cost gives way where it is narrow."""
    snapshot = Snapshot(queued=1, verdicts={VerdictKind.PASS: 2}, **more)
    assert live_lines(snapshot, now=100, started=0, width=width, height=24) == [f"ptc {expected}"]


def test_an_agents_reason_to_wait_stays_in_its_line() -> None:
    """Any agent may say why it waits; that cannot drive a terminal or forge a line of a log."""
    snapshot = Snapshot(held="x\n::error::\x1b[2J", held_until=200)
    line = progress_line(snapshot, now=100, started=0)
    assert line == printable(line)
    (line,) = live_lines(snapshot, now=100, started=0, width=120, height=24)
    assert line == printable(line)


def test_a_moment_before_the_start_is_the_start() -> None:
    """Readings of the clock that crossed each other show as zero, not below."""
    snapshot = Snapshot(running=1, workers=(busy("w1", "t.py::test_x", 101),))
    lines = live_lines(snapshot, now=100, started=101, width=80, height=24)
    assert lines == ["ptc 0/1 done | 1 running | 0 queued | 0:00", "w1  0s test_x"]


@pytest.mark.parametrize(
    ("snapshot", "expected"),
    [
        pytest.param(
            SNAPSHOT,
            "ptc: 12/78 done (10 pass, 1 fail, 1 error), 5 running, 61 queued, 0:42",
            id="amid",
        ),
        pytest.param(Snapshot(), "ptc: 0/0 done, 0 running, 0 queued, 0:42", id="empty"),
        pytest.param(
            Snapshot(running=1, retries=1),
            "ptc: 0/1 done, 1 running, 0 queued, 1 retry, 0:42",
            id="retry",
        ),
        pytest.param(
            on_nodes(waiting=2, nodes=1),
            "ptc: 0/9 done, 2 running, 7 queued, 2 workers on 1 node, 2 wait for a place, 1 retry, "
            "0:42",
            id="nodes",
        ),
        pytest.param(
            Snapshot(queued=1, cost_usd=0.5, held="overloaded", held_until=130.9),
            "ptc: 0/1 done, overloaded, held for 0:30, 0 running, 1 queued, $0.50, 0:42",
            id="held",
        ),
    ],
)
def test_progress_line(snapshot: Snapshot, expected: str) -> None:
    """A log gets the same numbers on a plain line."""
    assert progress_line(snapshot, now=100.9, started=58.0) == expected


class LogReporter:
    """What of pytest's terminal reporter writes a log."""

    verbosity = 0

    def __init__(self) -> None:
        self.lines: list[str] = []

    def ensure_newline(self) -> None:
        """Begin a line."""

    def write_line(self, line: str) -> None:
        """Write a line."""
        self.lines.append(line)


def test_a_log_has_each_note_at_once_and_once() -> None:
    """Half a minute would be late for a node that is refused; what it says is made printable."""
    reporter = LogReporter()
    progress = Progress(reporter, io.StringIO())  # type: ignore[arg-type]
    for notes in ((), ("node na gets no workers: \x1b[2J",), ("node na gets", "b")):
        progress.show(Snapshot(notes=notes))
        progress.show(Snapshot(notes=notes))
    assert reporter.lines == ["ptc: node na gets no workers: \\x1b[2J", "ptc: b"]


@patient
@given(
    nodeids=st.lists(st.one_of(st.none(), ANY_TEXT), max_size=30),
    width=st.integers(1, 250),
    height=st.integers(1, 80),
    age=st.floats(-10, 1e6),
)
def test_live_lines_stay_in_their_room(
    nodeids: list[str | None], width: int, height: int, age: float
) -> None:
    """No line reaches the last column and no more than a third of the rows are taken."""
    workers = tuple(
        busy(f"w{number}", nodeid, 100 - age)
        if nodeid
        else WorkerView(name=f"w{number}", state=WorkerState.IDLE, since=100 - age)
        for number, nodeid in enumerate(nodeids, 1)
    )
    notes = tuple(nodeid for nodeid in nodeids[:3] if nodeid)
    snapshot = Snapshot(running=len(workers), queued=10**6, retries=7, workers=workers, notes=notes)
    lines = live_lines(snapshot, now=100, started=100 - age, width=width, height=height)
    assert max(columns(line) for line in lines) <= width - 1
    assert 1 <= len(lines) <= max(height // 3, 1)
    assert all(line == printable(line) for line in lines)


# --- the closing section


NORMAL = """\
================================= ptc summary ==================================
6 items: 2 pass, 1 fail, 1 skip, 1 error, 1 not done
FAIL t.py::test_a[2] (w2, 20.0 s)
  | Two injection paths reach the database, and tokens are logged. The rest is
  | fine.
  - critical src/db.py:12 sql-injection: user input is put into the statement by
  | an f-string in execute()
  - medium src/log.py:40: token logged at debug level
  - low src/x.py:1: unused import 1
  - low src/x.py:2: unused import 2
  - low src/x.py:3: unused import 3
  +3 more
  output in attempts/7.1
ERROR t.py::test_b: worker lost (w2, 2 attempts, 90.0 s)
  | the worker ended with status 137
  output in attempts/8.2
2 findings in passing items: 1 medium, 1 low
  - medium: no ETag
  | in t.py::test_d
  - low src/a.py:9: long name
  | in t.py::test_a[1]
wall 41.2 s, work 170.0 s, speed-up 4.1x, 1 retry
journal runs/20261122-ab12cd"""

VERBOSE = """\
================================= ptc summary ==================================
6 items: 2 pass, 1 fail, 1 skip, 1 error, 1 not done
PASS t.py::test_a[1] (w2, 20.0 s)
  | Clean.
  - low src/a.py:9: long name
FAIL t.py::test_a[2] (w2, 20.0 s)
  | Two injection paths reach the database, and tokens are logged. The rest is
  | fine.
  - critical src/db.py:12 sql-injection: user input is put into the statement by
  | an f-string in execute()
  - medium src/log.py:40: token logged at debug level
  - low src/x.py:1: unused import 1
  - low src/x.py:2: unused import 2
  - low src/x.py:3: unused import 3
  - low src/x.py:4: unused import 4
  - low src/x.py:5: unused import 5
  - info: no docstring
  output in attempts/7.1
ERROR t.py::test_b: worker lost (w2, 2 attempts, 90.0 s)
  | the worker ended with status 137
  output in attempts/8.2
SKIP t.py::test_c (w2, 20.0 s)
  | No such endpoint.
PASS t.py::test_d (w2, 20.0 s)
  | Fine.
  - medium: no ETag
2 findings in passing items: 1 medium, 1 low
wall 41.2 s, work 170.0 s, speed-up 4.1x, 1 retry
journal runs/20261122-ab12cd"""

QUIET = """\
ptc: 2 pass, 1 fail, 1 skip, 1 error, 1 not done in 41.2 s, journal runs/20261122-ab12cd
t.py::test_a[2]: fail: Two injection paths reach the database, and tokens are logged; \
critical src/db.py:12 sql-injection: user input is put into the statement by an f-string in \
execute(); +7 findings
t.py::test_b: error worker lost: the worker ended with status 137"""

WIDE_FAIL = """\
FAIL t.py::test_a[2] (w2, 20.0 s)
  | Two injection paths reach the database, and tokens are logged. The rest is fine.
  - critical src/db.py:12 sql-injection: user input is put into the statement by an f-string in \
execute()
"""


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        pytest.param(0, NORMAL, id="normal"),
        pytest.param(1, VERBOSE, id="verbose"),
        pytest.param(-1, QUIET, id="quiet"),
        pytest.param(-2, QUIET, id="quieter"),
    ],
)
def test_summary(verbosity: int, expected: str) -> None:
    """What failed comes with its findings and its place; -q is as short, -v as full as it gets."""
    assert section(mixed(), verbosity=verbosity) == expected


def test_summary_at_160_columns() -> None:
    """Where there is more room less is wrapped."""
    text = section(mixed(), width=160)
    assert WIDE_FAIL in text
    assert text.splitlines()[0] == " ptc summary ".center(160, "=")


@pytest.mark.parametrize("number", [0, 1, 40], ids=["nothing", "one", "many"])
def test_a_quiet_run_that_passes_is_one_line(number: int) -> None:
    """With -q a model that has nothing to do reads one line."""
    results = [judged(f"t.py::test_{n}", "pass", "Fine.") for n in range(number)]
    lines = section(results, verbosity=-1, wall=1.0).splitlines()
    counts = f"{number} pass" if number else "0 items"
    assert lines == [f"ptc: {counts} in 1.0 s, journal {JOURNAL}"]


@pytest.mark.parametrize(
    ("phase", "head", "counts", "colour"),
    [
        (("call", "passed"), None, "1 pass", "green"),
        (("call", "failed"), "FAIL t.py::test_x: the test failed (w2, 20.0 s)", "1 fail", "red"),
        (
            ("teardown", "error"),
            "ERROR t.py::test_x: error in teardown (w2, 20.0 s)",
            "1 error",
            "red",
        ),
        (("call", "skipped"), None, "1 skip", "green"),
        (("call", "xfailed"), None, "1 fail as expected", "green"),
        (None, None, "1 not done", "yellow"),
    ],
)
def test_what_became_of_the_item_counts(
    phase: tuple[str, str] | None, head: str | None, counts: str, colour: str
) -> None:
    """A pass whose test failed is no pass here either."""
    phases = [] if phase is None else [PhaseReport(*phase, "OSError: no")]
    task = TaskReport.of(judged("t.py::test_x", "pass", "Fine."), phases)
    lines = summary([task], wall=1.0, journal=JOURNAL, width=80)
    assert lines[1] == (f"1 item: {counts}", {colour: True})
    assert [line.text for line in lines if line.text.startswith(("FAIL", "ERROR"))] == (
        [] if head is None else [head]
    )
    assert head is None or "  | OSError: no" in [line.text for line in lines]


def test_a_summary_is_green_only_if_the_run_is() -> None:
    """Another test may have failed, and an item may have failed before anybody was asked."""
    result = judged("t.py::test_x", "pass", "Fine.")
    made = {"wall": 1.0, "journal": JOURNAL, "width": 80}
    assert summary(reports([result]), **made, succeeded=False)[1].markup == {"yellow": True}  # type: ignore[arg-type]
    line = summary(reports([result]), **made, unasked=2)[1]  # type: ignore[arg-type]
    assert line == ("3 items: 1 pass, 2 error", {"red": True})


def test_ten_findings_of_passing_items_are_named() -> None:
    """The worst, and how many more there are."""
    found = [finding("low", f"n{number}") for number in range(11)]
    result = judged("t.py::test_x", "pass", "Fine.", *found, finding("high", "worst"))
    lines = section([result]).splitlines()
    start = lines.index("12 findings in passing items: 1 high, 11 low")
    assert lines[start + 1 : start + 3] == ["  - high: worst", "  | in t.py::test_x"]
    assert sum(line.startswith("  - ") for line in lines) == 10
    assert "  +2 more" in lines


def test_a_run_of_nothing_has_a_summary() -> None:
    """Without a single result the section still says where the journal is."""
    assert section([], wall=0.0).splitlines()[1:] == [
        "0 items",
        "wall 0.0 s, work 0.0 s",
        f"journal {JOURNAL}",
    ]


def test_items_that_a_stop_kept_from_ending_are_only_counted() -> None:
    """After `-x` the items that were not done are a number, not a page of errors."""
    stopped = [unstarted(f"t.py::test_{n}", Cause.STOPPED, "stopped") for n in range(60)]
    results = [judged("t.py::test_bad", "fail", "Broken."), *stopped]
    for verbosity in (-1, 0, 1):
        text = section(results, verbosity=verbosity)
        assert "1 fail, 60 not done" in text
        assert "t.py::test_1" not in text


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            unstarted("t.py::test_x", Cause.NEEDS, "t.py::test_w did not pass"),
            ["ERROR t.py::test_x: needs unmet", "  | t.py::test_w did not pass"],
            id="never-attempted",
        ),
        pytest.param(
            judged("t.py::test_x", "error", "No access to the repository."),
            [
                "ERROR t.py::test_x: verdict error (w2, 20.0 s)",
                "  | No access to the repository.",
                "  output in attempts/7.1",
            ],
            id="verdict-error",
        ),
        pytest.param(
            judged("t.py::test_x", "fail", "Bad.", gate=False),
            [
                "FAIL t.py::test_x (w2, 20.0 s, gate off)",
                "  | Bad.",
                "  output in attempts/7.1",
            ],
            id="gate-off",
        ),
    ],
)
def test_an_item_that_went_wrong(result: Result, expected: list[str]) -> None:
    """Each way to go wrong is named, with what there is to look at."""
    lines = section([result]).splitlines()
    assert lines[2 : 2 + len(expected)] == expected
    assert lines[2 + len(expected)].startswith("wall ")


CHEAP = Usage.of((1200, 300, 5000, 100), 0.0123)


@pytest.mark.parametrize(
    ("results", "budget", "expected"),
    [
        pytest.param([paid(None)], 1.0, None, id="no-account"),
        pytest.param([unstarted("t.py::test_x", Cause.BUDGET, "")], 1.0, None, id="no-attempt"),
        pytest.param(
            [paid(CHEAP)],
            None,
            "$0.0123, 6.3k tokens read (5.0k from cache), 300 written",
            id="one",
        ),
        pytest.param(
            [paid(CHEAP)],
            1.0,
            "$0.0123 of $1.00, 6.3k tokens read (5.0k from cache), 300 written",
            id="within",
        ),
        pytest.param(
            [paid(Usage(cost_usd=1.0))],
            1.0,
            "$1.00 of $1.00, 0 tokens read (0 from cache), 0 written",
            id="exactly",
        ),
        pytest.param(
            [paid(Usage(cost_usd=1.5))],
            1.0,
            "$1.50, $0.50 over budget, 0 tokens read (0 from cache), 0 written",
            id="over-budget",
        ),
        pytest.param(
            [paid(CHEAP, CHEAP), paid(None), paid(CHEAP)],
            None,
            "$0.0369, 18.9k tokens read (15.0k from cache), 900 written",
            id="every-attempt",
        ),
        pytest.param(
            [paid(Usage.of((999, 1000, 0, 0)))],
            None,
            "unknown, 999 tokens read (0 from cache), 1.0k written",
            id="unknown",
        ),
        pytest.param(
            [paid(Usage(), CHEAP), paid(Usage())],
            0.01,
            "at least $0.0123, $0.0023 over budget, 6.3k tokens read (5.0k from cache), "
            "300 written, 2 attempts of unknown cost",
            id="some-unknown",
        ),
    ],
)
def test_the_cost_of_a_run(
    results: list[Result], budget: float | None, expected: str | None
) -> None:
    """What all attempts cost is a line, or with -q a part of one, if any accounts for it."""
    lines = section(results, budget=budget).splitlines()
    assert [line for line in lines if line.startswith("cost ")] == (
        [] if expected is None else [f"cost {expected}"]
    )
    assert expected is None or lines[-2] == f"cost {expected}"
    quiet = section(results, budget=budget, verbosity=-1).splitlines()[0]
    part = "" if expected is None else f", cost {expected}"
    assert quiet.endswith(f" in 41.2 s{part}, journal {JOURNAL}")


@pytest.mark.parametrize(
    ("usages", "details"),
    [
        pytest.param([CHEAP], "w2, 20.0 s, $0.0123", id="one"),
        pytest.param([CHEAP, CHEAP], "w2, 2 attempts, 40.0 s, $0.0246", id="retried"),
        pytest.param([None, CHEAP], "w2, 2 attempts, 40.0 s, $0.0123", id="one-without-account"),
        pytest.param(
            [Usage(), CHEAP], "w2, 2 attempts, 40.0 s, at least $0.0123", id="one-unknown"
        ),
        pytest.param([None], "w2, 20.0 s", id="no-account"),
    ],
)
def test_the_cost_of_an_item(usages: list[Usage | None], details: str) -> None:
    """An item's line has what all its attempts cost, as far as that is known."""
    assert section([paid(*usages)]).splitlines()[2] == f"FAIL t.py::test_x ({details})"


@pytest.mark.parametrize(
    ("about", "line"),
    [
        pytest.param({"turns": 3}, "output in {}attempts/7.1", id="output"),
        pytest.param(
            {"transcript": "transcript.jsonl"},
            "transcript in {}attempts/7.1/transcript.jsonl",
            id="transcript",
        ),
        pytest.param(
            {"transcript": "a\nb"}, "transcript in {}attempts/7.1/a b", id="hostile-transcript"
        ),
    ],
)
def test_where_to_look_is_the_transcript_if_there_is_one(about: dict[str, Any], line: str) -> None:
    """An attempt that kept a transcript names it, any other its folder."""
    result = paid(None, about=about)
    assert "  " + line.format("") in section([result]).splitlines()
    assert failure(result).splitlines()[-1] == line.format(f"{JOURNAL}/")


def test_colours_are_the_terminal_writers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lines bring keywords that pytest's writer knows, and no escape sequences of their own."""
    monkeypatch.setenv("PY_COLORS", "1")
    writer = terminal_writer()
    for line in summary(reports(mixed()), wall=1.0, journal=JOURNAL, width=80, verbosity=1):
        assert "\x1b" not in line.text
        writer.line(line.text, **line.markup)
    assert "\x1b[31mFAIL t.py::test_a[2]" in writer._file.getvalue()
    assert "\x1b[32mPASS" in writer._file.getvalue()


@pytest.mark.parametrize(
    ("results", "colour"),
    [
        pytest.param([judged("t.py::test_x", "pass", "Fine.")], "green", id="pass"),
        pytest.param([judged("t.py::test_x", "fail", "Bad.")], "red", id="fail"),
        pytest.param([unstarted("t.py::test_x", Cause.STOPPED, "")], "yellow", id="not-done"),
        pytest.param([], "yellow", id="nothing"),
    ],
)
def test_green_means_that_everything_was_done(results: list[Result], colour: str) -> None:
    """The counts are green only where every item ended and none of them badly."""
    counts = summary(reports(results), wall=1.0, journal=JOURNAL, width=80)[1]
    assert counts.markup == {colour: True}


def terminal_writer() -> Any:
    """Return a writer as pytest has it."""
    from _pytest._io import TerminalWriter  # noqa: PLC0415 - there is no public way to make one

    return TerminalWriter(io.StringIO())


FINDINGS = st.builds(
    Finding,
    severity=st.sampled_from(Severity),
    message=ANY_TEXT,
    path=st.one_of(st.none(), ANY_TEXT),
    line=st.one_of(st.none(), st.integers(1, 10**9)),
    rule=st.one_of(st.none(), ANY_TEXT),
)


@patient
@given(
    said=ANY_TEXT,
    findings=st.lists(FINDINGS, max_size=7),
    kind=st.sampled_from(VerdictKind),
    width=st.integers(20, 200),
    verbosity=st.integers(0, 1),
)
def test_whatever_an_agent_says_stays_in_its_lines(
    said: str, findings: list[Finding], kind: VerdictKind, width: int, verbosity: int
) -> None:
    """No line of an agent's is too wide, none drives anything or begins with an agent's words."""
    result = judged("t.py::test_x", kind.value, said, *findings)
    lines = summary(reports([result]), wall=1.0, journal="runs/1", width=width, verbosity=verbosity)
    ours = (
        *("  | ", "  - ", "  +", "  output in ", "===", "1 item", f"{len(findings)} finding"),
        *("wall ", "journal ", "PASS ", "FAIL ", "SKIP ", "ERROR "),
    )
    for line in lines:
        if line.text.startswith(("  | ", "  - ")):
            assert columns(line.text) <= width
        assert line.text == printable(line.text)
        assert line.text.startswith(ours)


@patient
@given(said=ANY_TEXT, findings=st.lists(FINDINGS, max_size=3))
def test_quiet_is_one_line_an_item_whatever_is_said(said: str, findings: list[Finding]) -> None:
    """An agent cannot add a line to what a model reads, nor make it pay for a long one."""
    result = judged("t.py::test_x", "fail", said, *findings)
    first, line = section([result], verbosity=-1).split("\n")
    assert first.startswith("ptc: 1 fail in ")
    assert line.startswith("t.py::test_x: fail: ")
    assert columns(line) <= 400
    assert line == printable(line)


def test_a_node_id_cannot_forge_a_line() -> None:
    """Names of parameters may be anything; they stay on their line."""
    result = judged("t.py::test_x[\nptc: 1 pass\x1b[2J]", "fail", "Bad.")
    expected = r"t.py::test_x[ ptc: 1 pass\x1b[2J]"
    assert section([result], verbosity=-1).split("\n")[1:] == [f"{expected}: fail: Bad"]
    assert section([result]).split("\n")[2] == f"FAIL {expected} (w2, 20.0 s)"


def test_no_time_at_all_has_no_speed_up() -> None:
    """A clock that did not move divides nothing by nothing."""
    lines = section([judged("t.py::test_x", "pass", "Fine.")], wall=0.0).splitlines()
    assert lines[-2] == "wall 0.0 s, work 20.0 s"


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        pytest.param("One. Two.", "One", id="two"),
        pytest.param("Only one.", "Only one", id="one"),
        pytest.param("No stop", "No stop", id="no-stop"),
        pytest.param("Uses e.g. eval in v1.2 here. Bad.", "Uses e.g. eval in v1.2 here", id="eg"),
        pytest.param("Really? Yes.", "Really?", id="question"),
        pytest.param("第一。第二。", "第一", id="chinese"),
        pytest.param("a\n\nB. C.", "a B", id="lines"),
    ],
)
def test_the_first_sentence(said: str, expected: str) -> None:
    """With -q the summary is cut after its first sentence."""
    result = judged("t.py::test_x", "fail", said)
    assert section([result], verbosity=-1).split("\n")[1] == f"t.py::test_x: fail: {expected}"


def test_a_node_id_and_a_path_are_never_cut() -> None:
    """What is there to be copied stays whole, however narrow the terminal."""
    nodeid = "tests/" + "long/" * 30 + "test_x.py::test_y[1]"
    journal = "runs/" + "deep/" * 30
    text = section([judged(nodeid, "fail", "Bad.")], width=40, journal=journal)
    assert f"FAIL {nodeid} (w2, 20.0 s)\n" in text
    assert f"journal {journal}" in text
    assert text.endswith(f"journal {journal}")


@pytest.mark.parametrize(
    ("verbosity", "expected"),
    [
        pytest.param(-1, 2, id="quiet"),
        pytest.param(0, 21, id="normal"),
        pytest.param(1, 50_027, id="v"),
    ],
)
def test_ten_thousand_findings_and_megabytes_of_text(verbosity: int, expected: int) -> None:
    """A verdict as large as one may be is soon reported, at the length that was asked for."""
    many = [finding("low", "x" * 300, f"src/{n}.py:1") for n in range(10_000)]
    result = judged("t.py::test_x", "fail", "word " * 1_000_000, *many, finding("high", "here"))
    begun = time.monotonic()
    lines = section([result], verbosity=verbosity).splitlines()
    assert time.monotonic() - begun < 10
    assert len(lines) == expected
    assert any("high: here" in line for line in lines[:40])


# --- an item's own report


def test_failure_text() -> None:
    """The report of a failed item has the verdict first, then findings worst first, then where."""
    assert failure(mixed()[1]).splitlines() == [
        (
            "ptc verdict: fail - Two injection paths reach the database, and tokens are logged. "
            "The rest is fine."
        ),
        (
            "  - critical src/db.py:12 sql-injection: user input is put into the statement by an "
            "f-string in execute()"
        ),
        "  - medium src/log.py:40: token logged at debug level",
        *(f"  - low src/x.py:{n}: unused import {n}" for n in range(1, 6)),
        "  - info: no docstring",
        "attempt 1 on w2, 20.0 s: verdict fail",
        f"output in {JOURNAL}/attempts/7.1",
    ]


def test_trouble_text() -> None:
    """The report of an errored item has the cause first, then every attempt, then last lines."""
    assert failure(mixed()[2]).splitlines() == [
        "ptc error: worker lost - the worker ended with status 137",
        "attempt 1 on w1, 30.0 s: timeout - no verdict within 300 s",
        "attempt 2 on w2, 60.0 s: worker lost",
        f"output in {JOURNAL}/attempts/8.2",
        "last lines:",
        "  | reading src/db.py",
        "  | Killed",
    ]


@pytest.mark.parametrize(
    ("result", "expected"),
    [
        pytest.param(
            unstarted("t.py::test_x", Cause.NO_WORKERS, "every worker was lost"),
            "ptc error: no workers - every worker was lost\nno attempt was made",
            id="no-workers",
        ),
        pytest.param(
            judged("t.py::test_x", "error", "No access.", finding("info", "HTTP 403")),
            "ptc verdict: error - No access.\n"
            "  - info: HTTP 403\n"
            "attempt 1 on w2, 20.0 s: verdict error\n"
            f"output in {JOURNAL}/attempts/7.1",
            id="verdict-error",
        ),
        pytest.param(
            Result(task_id="1", spec=spec("t.py::test_x")),
            "ptc error: not judged - the run was over first\nno attempt was made",
            id="nothing-known",
        ),
        pytest.param(
            troubled("t.py::test_x", Trouble(cause=Cause.NO_VERDICT, message="")),
            "ptc error: no verdict\n"
            "attempt 1 on w1, 30.0 s: no verdict\n"
            f"output in {JOURNAL}/attempts/8.1",
            id="no-message",
        ),
    ],
)
def test_trouble_of_every_shape(result: Result, expected: str) -> None:
    """Trouble outside an attempt, a verdict of error and the impossible all have a report."""
    assert failure(result) == expected


def test_evidence_is_the_last_twenty_lines() -> None:
    """Of long output the end is shown; a progress bar's turns count as lines."""
    evidence = "x\n" * 10_000 + "\r".join(f"{n} %" for n in range(50)) + "\r\n\n" + "y" * 1000
    trouble = Trouble(cause=Cause.TIMEOUT, message="late", evidence=evidence)
    lines = failure(troubled("t.py::test_x", trouble)).splitlines()
    start = lines.index("last lines:") + 1
    assert lines[start:] == [*(f"  | {n} %" for n in range(31, 50)), "  | " + "y" * 197 + "..."]


@pytest.mark.parametrize("kind", ["fail", "error"])
def test_what_was_cut_for_junit_follows_in_full(kind: str) -> None:
    """A long summary is cut in the first line and whole below the worst finding."""
    said = " ".join(f"word{n}" for n in range(120))
    long = finding("high", "z" * 300)
    lines = failure(judged("t.py::test_x", kind, said, long)).splitlines()
    assert lines[0].endswith("...")
    assert lines[1].endswith("z...")
    assert 450 < len(f'failed on setup with "{lines[0]}\n{lines[1]}\n') <= 500
    below = " ".join(line[4:] for line in lines if line.startswith("  | "))
    assert said in below
    assert "z" * 80 in below


def test_findings_beyond_twenty_are_counted() -> None:
    """An item's report stays readable however much was found."""
    result = judged("t.py::test_x", "fail", "Bad.", *[finding("low", "same")] * 500)
    lines = failure(result).splitlines()
    assert lines.count("  - low: same") == 20
    assert "  +480 more" in lines


@patient
@given(
    said=ANY_TEXT,
    findings=st.lists(FINDINGS, max_size=4),
    kind=st.sampled_from([VerdictKind.FAIL, VerdictKind.ERROR]),
    evidence=ANY_TEXT,
)
def test_junit_keeps_the_verdict_and_the_worst_finding(
    said: str, findings: list[Finding], kind: VerdictKind, evidence: str
) -> None:
    """The first lines fit JUnit's 500 characters, and no line begins with an agent's words."""
    judged_ = judged("t.py::test_x", kind.value, said, *findings)
    trouble = Trouble(cause=Cause.AGENT_FAILED, message=said, evidence=evidence)
    for text in (
        failure(judged_),
        failure(troubled("t.py::test_x", trouble)),
    ):
        lines = text.split("\n")
        assert len('failed on setup with "') + len(lines[0]) + len(lines[1]) + 2 <= 500
        ours = ("ptc ", "  | ", "  - ", "attempt ", "output in ", "last lines:")
        assert all(line.startswith(ours) and line == printable(line) for line in lines)


def test_items_that_met_the_same_trouble_are_told_together() -> None:
    """What is wrong with the whole run is read once; other troubles stay apart, and up to three."""
    login = Trouble(cause=Cause.LOGIN, message="no login; set a key")
    other = Trouble(cause=Cause.API, message="broke down")
    results = [
        *(troubled(f"t.py::test_{number}", login) for number in range(5)),
        *(troubled(f"u.py::test_{number}", other) for number in range(3)),
    ]
    text = section(results).splitlines()
    start = text.index("ERROR 5 items: login")
    assert text[start + 1 : start + 6] == [
        "  | no login; set a key",
        "  t.py::test_0",
        "  t.py::test_1",
        "  t.py::test_2",
        "  +2 more",
    ]
    assert len([line for line in text if line.startswith("ERROR u.py::")]) == 3
    quiet = [
        line.text
        for line in summary(reports(results), wall=1.0, journal=JOURNAL, width=80, verbosity=-1)
    ]
    assert quiet[1] == "t.py::test_0 and 4 more: error login: no login; set a key"
    assert len(quiet) == 5


def many_bad(number: int) -> list[Result]:
    """Return the results of items that failed, each worse than the one before, and of one pass."""
    severities = ("info", "low", "medium", "high", "critical")
    return [
        judged("t.py::test_good", "pass", "Clean."),
        *(
            judged(
                f"t.py::test_{place}",
                "fail",
                "Bad.",
                *[finding(severities[place * 5 // number], "bad", "a.py:1")] * (place + 1),
            )
            for place in range(number)
        ),
    ]


def test_of_very_many_items_that_failed_the_worst_are_told_and_the_others_counted() -> None:
    """Those that pytest shows take room, too; `-v` tells of all."""
    results = many_bad(MAX_ITEMS + 50)
    told = [line for line in section(results).splitlines() if line.startswith("FAIL ")]
    assert [line.split()[1] for line in told] == [
        f"t.py::test_{place}" for place in range(50, MAX_ITEMS + 50)
    ]
    assert "+50 more did not pass; `ptc results --all` has a line for each" in section(results)
    shown = {f"t.py::test_{place}" for place in range(MAX_ITEMS)}
    lines = section(results, shown=shown).splitlines()
    assert not [line for line in lines if line.startswith("FAIL ")]
    assert "+50 more did not pass; `ptc results --all` has a line for each" in lines
    verbose = section(results, verbosity=1)
    assert (
        len([line for line in verbose.splitlines() if line.startswith("FAIL ")]) == len(told) + 50
    )
    assert "did not pass" not in verbose
    assert "did not pass" not in section(many_bad(MAX_ITEMS))
    quiet = section(results, verbosity=-1).splitlines()
    assert len(quiet) == 1 + MAX_ITEMS + 1
    assert quiet[1].startswith("t.py::test_50: fail")
    assert quiet[-1] == "+50 more did not pass; `ptc results --all` has a line for each"
