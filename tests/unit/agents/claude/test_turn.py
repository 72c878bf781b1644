"""One attempt with Claude Code, told of by either source."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.agents.claude.events import (
    Began,
    Called,
    Event,
    Failed,
    Finished,
    Limited,
    Returned,
    Said,
    Used,
)
from pytest_ptc.agents.claude.recorder import MAX_REMINDERS
from pytest_ptc.agents.claude.transcript import events_of
from pytest_ptc.agents.claude.turn import Answer, Turn
from pytest_ptc.model.result import Usage
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict
from tests.support.claude_turns import NoLedger

if TYPE_CHECKING:
    from collections.abc import Callable


def new_turn() -> Turn:
    """Return the turn of task 7."""
    return Turn("7", None, NoLedger())


def update_of(kind: str, task: str = "7") -> dict[str, Any]:
    """Return what the recording tool is called with."""
    verdict = {"verdict": kind, "summary": kind}
    return {"taskId": task, "status": "completed", "metadata": {"ptc": verdict}}


def outcome(turn: Turn, trouble: Trouble | None = None, *, listed: bool = True) -> str:
    """Return the verdict or the cause that a turn comes to."""
    ended = turn.ended(trouble, listed=lambda: listed, evidence=lambda: "seen last")
    if isinstance(ended, Verdict):
        return ended.verdict.value
    assert ended.evidence
    return str(ended.cause)


@dataclass(frozen=True, kw_only=True, slots=True)
class Step:
    """What happens: a model's answer with calls, then what becomes of them.

    Args:
        updates: What the recording tool is called with.
        tools: Calls of other tools that give a result.
        text: What the model says.
        missing: Whether the client does not find the task on its list.
        stops: Whether the model would stop behind it.
    """

    updates: tuple[dict[str, Any], ...] = ()
    tools: int = 0
    text: str = ""
    missing: bool = False
    stops: bool = False


@dataclass(slots=True)
class Source:
    """Plays steps to a turn as one of its sources does."""

    turn: Turn = field(default_factory=new_turn)
    answers: list[Answer] = field(default_factory=list)
    calls: int = 0

    def hooks(self, step: Step, ids: list[str]) -> None:
        """Ask what hooks ask."""
        for call_id, update in zip(ids, step.updates, strict=True):
            answer = self.turn.before_update(call_id, update)
            if answer.denied is None:
                success = {"success": not step.missing, "error": "Task not found"}
                answer = self.turn.after_update(call_id, success)
            self.answers.append(answer)
        if step.stops and not self.turn.over:
            self.answers.append(self.turn.before_stop())

    def ids(self, step: Step) -> tuple[list[str], list[str]]:
        """Return ids for a step's calls: those that record, and the others."""
        self.calls += 1
        return (
            [f"u{self.calls}-{number}" for number in range(len(step.updates))],
            [f"t{self.calls}-{number}" for number in range(step.tools)],
        )


def played_by_client(steps: tuple[Step, ...]) -> Source:
    """Tell a turn as the SDK's client does: events as they happen, hooks between them."""
    source = Source()
    source.turn.take_event(Began("s", (), "2.1.400", "m"))
    for step in steps:
        recording, others = source.ids(step)
        answer = f"a{source.calls}"
        if step.text:
            source.turn.take_event(Said(step.text))
        for call_id, update in zip(recording, step.updates, strict=True):
            source.turn.take_event(Called(call_id, "TaskUpdate", update, answer))
        for call_id in others:
            source.turn.take_event(Called(call_id, "Read", {}, answer))
            source.turn.take_event(Returned(call_id, "x", failed=False))
        source.hooks(step, recording)
    source.turn.take_event(Finished("success", is_error=False, session_id="s", turns=len(steps)))
    return source


def played_on_screen(steps: tuple[Step, ...]) -> Source:
    """Tell a turn as the real screen does: by hooks, and by its transcript when it is over."""
    source = Source()
    lines: list[dict[str, Any]] = []
    for step in steps:
        recording, others = source.ids(step)
        content: list[dict[str, Any]] = [{"type": "text", "text": step.text}] if step.text else []
        content += [
            {"type": "tool_use", "id": call_id, "name": "TaskUpdate", "input": update}
            for call_id, update in zip(recording, step.updates, strict=True)
        ]
        content += [
            {"type": "tool_use", "id": call_id, "name": "Read", "input": {}} for call_id in others
        ]
        message = {"id": f"a{source.calls}", "model": "m", "content": content}
        lines.append({"type": "assistant", "version": "2.1.400", "message": message})
        for call_id in others:
            result = {"type": "tool_result", "tool_use_id": call_id, "content": "x"}
            lines.append({"type": "user", "message": {"content": [result]}})
        source.hooks(step, recording)
    for event in events_of(json.dumps(line) for line in lines):
        source.turn.take_event(event)
    return source


RECORDS = Step(updates=(update_of("pass"),), tools=2)
STOPS = Step(text="Done.", stops=True)


@pytest.mark.parametrize("play", [played_by_client, played_on_screen])
@pytest.mark.parametrize(
    ("steps", "ended", "tool_calls"),
    [
        pytest.param((RECORDS,), "pass", 2, id="records"),
        pytest.param((STOPS, RECORDS), "pass", 2, id="is-told-again"),
        pytest.param((STOPS,) * (MAX_REMINDERS + 1), Cause.NO_VERDICT, 0, id="never"),
        pytest.param((Step(updates=(update_of("great"),)), STOPS), Cause.MALFORMED, 0, id="bad"),
        pytest.param((Step(updates=(update_of("great"),)), RECORDS), "pass", 2, id="better"),
        pytest.param(
            (Step(updates=(update_of("pass", "8"),)), STOPS), Cause.MALFORMED, 0, id="other-task"
        ),
        pytest.param(
            (Step(updates=(update_of("pass"), update_of("fail"))),), "fail", 0, id="one-answer"
        ),
        pytest.param(
            (Step(updates=(update_of("pass"), update_of("great"))),),
            Cause.CONTRADICTED,
            0,
            id="one-answer-refused",
        ),
        pytest.param(
            (Step(text='{"verdict": "fail", "summary": "said"}'), RECORDS),
            Cause.CONTRADICTED,
            2,
            id="said-fail",
        ),
        pytest.param(
            (Step(updates=(update_of("pass"),), missing=True),), Cause.WRONG_LIST, 0, id="list"
        ),
    ],
)
def test_both_sources_come_to_the_same(
    play: Callable[[tuple[Step, ...]], Source],
    steps: tuple[Step, ...],
    ended: str | Cause,
    tool_calls: int,
) -> None:
    """What a conversation comes to does not depend on who tells of it."""
    source = play(steps)
    assert outcome(source.turn) == str(ended)
    assert source.turn.tool_calls == tool_calls
    # A client ends a turn whatever hooks say; on the screen it goes on after a reminder.
    assert source.turn.over is (play is played_by_client or source.answers[-1].reminder is None)
    assert (source.turn.facts["client"], source.turn.facts["model"]) == ("Claude Code 2.1.400", "m")
    reminders = [answer for answer in source.answers if answer.reminder is not None]
    assert len(reminders) == min(MAX_REMINDERS, sum(step.stops for step in steps))


def test_a_task_that_is_gone_from_our_list_too_was_recorded_on_it() -> None:
    """Somebody has completed or deleted it; what was recorded is in the journal."""
    source = played_by_client((Step(updates=(update_of("pass"),), missing=True),))
    assert outcome(source.turn, listed=False) == "pass"


def test_the_list_is_only_looked_at_for_a_task_that_was_missed() -> None:
    """Looking takes a lock."""
    source = played_by_client((RECORDS,))

    def listed() -> bool:
        raise AssertionError("looked")

    assert isinstance(source.turn.ended(None, listed=listed, evidence=str), Verdict)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (Answer(), {}),
        (Answer(reminder="record"), {"decision": "block", "reason": "record"}),
        (Answer(ends="recorded"), {"continue": False, "stopReason": "recorded"}),
        (
            Answer(denied="no"),
            {
                "hookSpecificOutput": {
                    "hookEventName": "PreToolUse",
                    "permissionDecision": "deny",
                    "permissionDecisionReason": "no",
                }
            },
        ),
    ],
)
def test_an_answer_has_claude_codes_form(answer: Answer, expected: dict[str, Any]) -> None:
    """As its hooks are documented."""
    assert answer.to_json() == expected


def test_a_turn_is_asked_then_at_work_then_over() -> None:
    """And asked again in a fresh conversation, with what is recorded still there."""
    turn = new_turn()
    phases = [(repr(turn), turn.limit)]
    turn.take_event(Began("s", (), "2.1.400", "m"))
    phases.append((repr(turn), turn.limit))
    turn.take_event(Limited(5.0))
    assert turn.before_update("c1", update_of("pass")) == Answer()
    turn.take_event(Finished("success", is_error=False, session_id="s"))
    phases.append((repr(turn), turn.limit))
    turn.begin()
    phases.append((repr(turn), turn.limit))
    assert phases == [
        (f"<Turn of task 7: {phase}>", limit)
        for phase, limit in (("asked", None), ("at work", None), ("over", 5.0), ("asked", None))
    ]
    assert outcome(turn) == "pass"


@pytest.mark.parametrize("events", [(), (Failed("rate_limit", "slow"),)], ids=["none", "failed"])
def test_trouble_of_ours_comes_before_the_clients(events: tuple[Event, ...]) -> None:
    """Where a client was ended, or never began, its own words are not the reason."""
    turn = new_turn()
    for event in events:
        turn.take_event(event)
    ours = Trouble(cause=Cause.AGENT_FAILED, message="ended")
    assert outcome(turn, ours) == str(Cause.AGENT_FAILED)


def test_what_the_client_says_of_the_api_is_why_there_is_no_verdict() -> None:
    """By its events, or by its hook."""
    live, screen = new_turn(), new_turn()
    live.take_event(Failed("rate_limit", "slow down"))
    live.take_event(Finished("success", is_error=True, session_id="s", text="slow down"))
    screen.gave_up("rate_limit", "slow down")
    assert screen.over
    assert outcome(live) == outcome(screen) == str(Cause.RATE_LIMIT)


def test_nobody_knows_how_a_turn_looked_that_nobody_told_of() -> None:
    """That is not the same as that it did not look."""
    assert new_turn().tool_calls is None


def test_a_turn_costs_what_its_client_accounts_for_or_what_was_billed() -> None:
    """Some clients go on counting over conversations; a bill is told once or more."""
    turn = new_turn()
    bill = Usage(input_tokens=5, output_tokens=1)
    for event in (Used("m1", bill), Used("m1", bill), Used("m2", bill)):
        turn.take_event(event)
    before = Usage(input_tokens=100, cost_usd=1.0)
    assert turn.usage(before) == Usage(input_tokens=10, output_tokens=2, cost_usd=None)
    total = Usage(input_tokens=112, output_tokens=3, cost_usd=1.5)
    turn.take_event(Finished("success", is_error=False, session_id="s", total=total))
    assert turn.usage(before) == Usage(input_tokens=12, output_tokens=3, cost_usd=0.5)
    assert turn.usage() == Usage(input_tokens=10, output_tokens=2, cost_usd=None)
    turn.begin()
    assert turn.usage() == Usage(cost_usd=None)
