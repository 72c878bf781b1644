"""What a person reads in a pane of what the client says."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ptc.agents.claude.events import (
    Began,
    Called,
    Denied,
    Event,
    Failed,
    Finished,
    Limited,
    Retrying,
    Returned,
    Said,
    Thought,
    Used,
)
from pytest_ptc.agents.claude.narrative import lines_of
from pytest_ptc.model.result import Usage


def called(tool: str, **given: Any) -> Called:
    """Return a call of a tool."""
    return Called("c1", tool, given, "m1")


def done(turns: int, cost: float | None) -> Finished:
    """Return the end of a turn."""
    total = Usage(cost_usd=cost)
    return Finished(subtype="success", is_error=False, session_id="s", turns=turns, total=total)


def numbered(count: int) -> str:
    """Return so many lines."""
    return "\n".join(f"line {number}" for number in range(1, count + 1))


@pytest.mark.parametrize(
    ("event", "lines"),
    [
        pytest.param(
            Began("s", ("Read",), "2.1.330", "haiku"), ["Claude Code 2.1.330, haiku"], id="began"
        ),
        pytest.param(Said("Two\n\n  \nlines"), ["Two", "lines"], id="said"),
        pytest.param(Said(" \n"), [], id="said-nothing"),
        pytest.param(Thought("Hm.\nYes."), ["~ Hm.", "~ Yes."], id="thought"),
        pytest.param(called("Bash", command="git log\n-1"), ["> Bash git log -1"], id="command"),
        pytest.param(
            called("Grep", path="src", pattern="x"), ["> Grep src"], id="the-most-telling"
        ),
        pytest.param(called("Grep", pattern="x", glob="y"), ["> Grep x"], id="the-next"),
        pytest.param(
            called("Read", file_path="/a", path="/b"), ["> Read /a"], id="the-file-before-the-path"
        ),
        pytest.param(
            called("Odd", command=["a"], query="q"), ["> Odd q"], id="only-a-text-is-telling"
        ),
        pytest.param(called("Odd", size=3), ['> Odd {"size": 3}'], id="none-telling"),
        pytest.param(called("TaskList"), ["> TaskList"], id="no-input"),
        pytest.param(
            called("TaskUpdate", taskId="7", metadata={"ptc": {"verdict": "pass", "summary": "ü"}}),
            ['> TaskUpdate {"verdict": "pass", "summary": "ü"}'],
            id="verdict",
        ),
        pytest.param(
            called("TaskUpdate", taskId="7", status="in_progress"),
            ['> TaskUpdate {"taskId": "7", "status": "in_progress"}'],
            id="update-without-a-verdict",
        ),
        pytest.param(
            called("TaskUpdate", taskId="7", metadata=None),
            ['> TaskUpdate {"taskId": "7", "metadata": null}'],
            id="update-without-metadata",
        ),
        pytest.param(Returned("c1", "a\nb", failed=False), ["  < a", "  < b"], id="returned"),
        pytest.param(Returned("c1", "a\nb", failed=True), ["  ! a", "  ! b"], id="failed-tool"),
        pytest.param(Denied("Bash"), ["  ! Bash is not allowed here"], id="denied"),
        pytest.param(
            Retrying(1.25, 529, "overloaded"), ["  ! overloaded (529): retry in 1.2 s"], id="retry"
        ),
        pytest.param(
            Retrying(0.5, None, "unknown"), ["  ! unknown: retry in 0.5 s"], id="retry-no-status"
        ),
        pytest.param(Limited(1.0), ["  ! the provider's usage limit is reached"], id="limited"),
        pytest.param(
            Failed("server_error", "It\nbroke"),
            ["  ! server_error: It", "  ! server_error: broke"],
            id="gave-up",
        ),
        pytest.param(done(1, 0.01234), ["  . 1 turn, $0.0123 in all"], id="one-turn"),
        pytest.param(done(2, 0.0), ["  . 2 turns, $0.0000 in all"], id="two-turns"),
        pytest.param(done(0, None), ["  . 0 turns"], id="cost-not-known"),
        pytest.param(Used("m1", Usage(input_tokens=9)), [], id="used"),
    ],
)
def test_an_event_is_told_in_lines(event: Event, lines: list[str]) -> None:
    """A person sees who does what to what, and nothing of what says nothing."""
    assert lines_of(event) == lines


@pytest.mark.parametrize(
    ("make", "most", "rest"),
    [
        pytest.param(Said, 12, "[{} more lines]", id="said"),
        pytest.param(Thought, 12, "  [{} more lines]", id="thought"),
        pytest.param(
            lambda text: Returned("c1", text, failed=False), 4, "    [{} more lines]", id="returned"
        ),
        pytest.param(lambda text: Failed("api", text), 2, "         [{} more lines]", id="gave-up"),
    ],
)
def test_a_long_text_is_its_beginning(make: Any, most: int, rest: str) -> None:
    """A text that has just room is shown in full, of a longer one the rest is counted."""
    assert len(lines_of(make(numbered(most)))) == most
    assert "more lines" not in "".join(lines_of(make(numbered(most))))
    longer = lines_of(make(numbered(most + 2)))
    assert longer[:most] == lines_of(make(numbered(most)))
    assert longer[most:] == [rest.format(2)]


@pytest.mark.parametrize(
    "make",
    [
        pytest.param(lambda room: Said("x" * room), id="said"),
        pytest.param(lambda room: called("Bash", command="x" * (room - len("> Bash "))), id="call"),
        pytest.param(lambda room: Returned("c1", "x" * (room - 4), failed=False), id="returned"),
    ],
)
def test_a_long_line_is_cut(make: Any) -> None:
    """A line of 300 characters stays whole, marks and all; one more is cut to as many."""
    (whole,), (cut,) = lines_of(make(300)), lines_of(make(301))
    assert len(whole) == len(cut) == 300
    assert whole.endswith("x")
    assert cut.endswith("x...")


@pytest.mark.parametrize("metadata", ['{"ptc": {"verdict": "pass"}}', ["ptc"], 7, True])
def test_a_call_of_any_shape_can_be_told(metadata: object) -> None:
    """A model's mistake in a call is shown as it is: the recorder answers it, the pane shows it."""
    (line,) = lines_of(called("TaskUpdate", taskId="7", metadata=metadata))
    assert line.startswith('> TaskUpdate {"taskId": "7", "metadata": ')
