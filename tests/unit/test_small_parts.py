"""Small parts: messages, the order of items, the environment, the screen, an agent's output."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.agents.output import HEAD_BYTES, TAIL_BYTES, Output
from pytest_ptc.agents.printed import Printed
from pytest_ptc.collection.task_specs import plain
from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.environment import MAX_VARIABLE_CHARS, agent_environment, inherited
from pytest_ptc.journal.attempt_writer import AttemptWriter
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.session.durations import longest_first
from pytest_ptc.session.order import ItemPool, bring_to
from pytest_ptc.session.run_ids import new_run_id
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.endings import Ended, describe_status, judge, status_verdict
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.worker.pane import Screen
from tests.support.ledgers import WritingLedger

if TYPE_CHECKING:
    from pathlib import Path

PASS = Verdict(verdict=VerdictKind.PASS, summary="fine")
FAIL = Verdict(verdict=VerdictKind.FAIL, summary="broken")
SKIP = Verdict(verdict=VerdictKind.SKIP, summary="not here")


@pytest.mark.parametrize(
    "message",
    [
        messages.Hello("w1", "key"),
        messages.Begun("7.1"),
        messages.Ended("7.1", problem="disk full\n"),
        messages.Ready(),
        messages.Prepare(None),
        messages.Prepare({"prompt": "line\nline"}),
        messages.Assigned("7.1", "c", "t", {"prompt": "line\nline"}, 9.5),
        messages.Waits("7.1", 1.5, "rate limit"),
        messages.Quit(),
    ],
    ids=messages.kind_of,
)
def test_a_message_is_one_line_and_comes_back(message: messages.Message) -> None:
    """Whatever a message holds, it is one line, and that line is the message."""
    line = messages.encode(message)
    assert line.count(b"\n") == 1
    assert messages.decode(line) == message


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"[]",
        b"7",
        b"{}",
        b'{"kind": "x"}',
        b'{"kind": "hello"}',
        b'{"kind": "quit", "x": 1}',
    ],
)
def test_what_is_not_a_message_is_a_value_error(line: bytes) -> None:
    """A line of a stranger ends its connection, not the coordinator."""
    with pytest.raises(ValueError, match=r".*"):
        messages.decode(line)


def items_of(pytester: pytest.Pytester, **files: str) -> list[pytest.Item]:
    """Collect items of several files."""
    pytester.makepyfile(**files)
    items, _ = pytester.inline_genitems()
    return items


def test_the_closest_item_shares_the_most_scopes(pytester: pytest.Pytester) -> None:
    """An item of the same class comes before one of the module, that before any other."""
    text = (
        "class TestC:\n    def test_1(self): pass\n    def test_2(self): pass\ndef test_3(): pass"
    )
    items = {item.nodeid: item for item in items_of(pytester, test_a=text, test_b=text)}
    pool = ItemPool(items.values())
    order = []
    current = items["test_b.py::TestC::test_1"]
    pool.remove(current)
    while pool:
        current = pool.closest(current)
        order.append(current.nodeid)
        pool.remove(current)
    assert order == [
        "test_b.py::TestC::test_2",
        "test_b.py::test_3",
        "test_a.py::TestC::test_1",
        "test_a.py::TestC::test_2",
        "test_a.py::test_3",
    ]


def test_bring_to_keeps_the_others_in_order(pytester: pytest.Pytester) -> None:
    """The item moves down, those that it passes move up by one."""
    items = items_of(pytester, test_a="def test_0(): pass\ndef test_1(): pass\ndef test_2(): pass")
    first, second, third = items
    bring_to(items, 0, third)
    assert items == [third, first, second]


def test_what_an_agent_inherits() -> None:
    """Of Claude Code's variables only provider and login are passed on."""
    environ = {
        "PATH": "/bin",
        "ANTHROPIC_API_KEY": "k",
        "CLAUDE_CONFIG_DIR": "/c",
        "CLAUDECODE": "1",
        "CLAUDE_PID": "1234",
        "CLAUDE_EFFORT": "high",
        "CLAUDE_CODE_ENTRYPOINT": "cli",
        "CLAUDE_CODE_OAUTH_TOKEN": "t",
        "CLAUDE_CODE_USE_VERTEX": "1",
        "PTC_RUN": "outer",
        "TMUX_PANE": "%1",
        "PYTEST_CURRENT_TEST": "x",
    }
    assert set(inherited(environ)) == {
        "PATH",
        "ANTHROPIC_API_KEY",
        "CLAUDE_CONFIG_DIR",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "CLAUDE_CODE_USE_VERTEX",
    }


def test_large_parameters_are_in_the_file_alone(tmp_path: Path) -> None:
    """A variable that the system would refuse is left out; the file's name is always there."""
    for size, there in ((10, True), (MAX_VARIABLE_CHARS, False)):
        spec = TaskSpec(nodeid="t", prompt="p", timeout=1, cwd="/", params={"x": "y" * size})
        env = agent_environment(
            {},
            attempt=Attempt(task_id="1", number=1, worker="w1"),
            spec=spec,
            folder=tmp_path,
            params_file=tmp_path / "params.json",
            cookie="c",
            token="t",
            address=tmp_path / "record-w1",
            run_id="r",
            task_list_id="l",
        )
        assert ("PTC_PARAMS" in env) is there
        assert env["PTC_PARAMS_FILE"] == str(tmp_path / "params.json")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        pytest.param({"a": (1, None)}, {"a": [1, None]}, id="json"),
        pytest.param({1, 2} - {1}, "{2}", id="set"),
        pytest.param(float("nan"), "nan", id="nan"),
        pytest.param(b"x", "b'x'", id="bytes"),
    ],
)
def test_parameters_become_plain_json(value: Any, text: Any) -> None:
    """What JSON cannot hold is told as text."""
    assert plain(value) == text


@pytest.mark.parametrize(
    ("records", "status", "from_exit", "ended"),
    [
        pytest.param([PASS], 0, False, PASS, id="pass"),
        pytest.param([FAIL], 1, False, FAIL, id="fail-as-linters-do"),
        pytest.param([], 0, False, Cause.NO_VERDICT, id="nothing"),
        pytest.param([], 3, False, Cause.AGENT_FAILED, id="status"),
        pytest.param([], -11, False, Cause.AGENT_FAILED, id="signal"),
        pytest.param([PASS], 1, False, Cause.CONTRADICTED, id="pass-then-1"),
        pytest.param([PASS], -9, False, Cause.CONTRADICTED, id="pass-then-killed"),
        pytest.param([SKIP], 2, False, Cause.CONTRADICTED, id="skip-then-2"),
        pytest.param([PASS, SKIP], 0, False, Cause.CONTRADICTED, id="pass-and-skip"),
        pytest.param([], 0, True, VerdictKind.PASS, id="exit-0"),
        pytest.param([], 1, True, VerdictKind.FAIL, id="exit-1"),
        pytest.param([], 2, True, Cause.AGENT_FAILED, id="exit-2"),
        pytest.param([PASS], 0, True, PASS, id="own-words"),
        pytest.param([PASS], 2, True, Cause.CONTRADICTED, id="pass-then-2"),
        pytest.param([SKIP], 0, True, Cause.CONTRADICTED, id="skip-then-0"),
    ],
)
def test_records_and_exit_status_are_judged_together(
    records: list[Verdict], status: int, from_exit: bool, ended: Any
) -> None:
    """A claim that the exit status belies is trouble, never a pass."""
    recorded = [Record(call=str(n), verdict=one) for n, one in enumerate(records)]
    said = status_verdict(status, "") if from_exit else None
    if said is not None:
        recorded.insert(0, Record(call="status", verdict=said))
    judged = judge(recorded, Ended(status))
    if isinstance(ended, Cause):
        assert isinstance(judged, Trouble)
        assert judged.cause is ended
    elif isinstance(ended, VerdictKind):
        assert isinstance(judged, Verdict)
        assert judged.verdict is ended
    else:
        assert judged == ended


def test_statuses_have_names() -> None:
    """A signal is told by its name where it has one."""
    assert [describe_status(status) for status in (0, 3, -9, -99)] == [
        "exit status 0",
        "exit status 3",
        "SIGKILL",
        "signal 99",
    ]


def shown_output(folder: Path, *chunks: bytes) -> tuple[Output, list[str]]:
    """Return an output that has taken these chunks, and the lines it has shown."""
    lines: list[str] = []
    journal = WritingLedger(AttemptWriter(folder, "seal", Redactor()))
    output = Output(folder / "log", lines.append, Redactor(), Printed(journal, None))
    for chunk in chunks:
        output.take("stdout", chunk)
    return output, lines


def test_the_middle_of_a_flood_is_cut(tmp_path: Path) -> None:
    """The beginning and the end of the output stay, and the file says what is missing."""
    output, _ = shown_output(tmp_path, b"first\n", *[b"y" * 65_535 + b"\n"] * 100)
    output.take("stdout", b"last\n")
    output.close()
    text = (tmp_path / "log").read_bytes()
    assert text.startswith(b"first\n")
    assert text.endswith(b"last\n")
    assert b"bytes cut" in text
    assert len(text) < HEAD_BYTES + TAIL_BYTES + 2 * 65_536 + 100


def test_a_screen_that_nobody_empties_does_not_hold_up_the_work() -> None:
    """Lines that find no room are dropped and counted, and writing goes on when there is room."""
    reader, writer = os.pipe()
    screen = Screen(writer)
    for _ in range(10_000):
        screen.line("x" * 100)
    taken = b""
    while len(taken) < 60_000:
        taken += os.read(reader, 65_536)
    screen.line("after")
    rest = os.read(reader, 65_536)
    assert b"lines dropped" in rest
    assert rest.endswith(b"after\n")
    os.close(reader)
    os.close(writer)


def test_run_ids_sort_by_time() -> None:
    """Journals of one second stand in the order of their runs."""
    ids = [new_run_id(1_795_346_284 + n / 1000) for n in range(0, 2000, 7)]
    assert ids == sorted(ids)
    assert len(set(ids)) == len(ids)


def test_the_longest_task_is_begun_first() -> None:
    """Known times decide, an unknown task is taken for the usual one, and else the order stays."""
    assert longest_first(["a", "b", "c"], {}) == ["a", "b", "c"]
    known = {"a": 1.0, "b": 9.0, "d": 5.0, "elsewhere": 100.0}
    assert longest_first(["a", "b", "c", "d"], known) == ["b", "c", "d", "a"]
