"""The model's door to its task: what it may change there, and what its records come to."""

from __future__ import annotations

from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.agents.claude.recorder import MAX_REMINDERS, Recorder
from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.recording import Record, settle

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMA = {"type": "object", "required": ["n"]}


def says(kind: str, *, task: object = "7", **more: Any) -> dict[str, Any]:
    """Return an update that completes the task with a verdict of this kind."""
    verdict = {"verdict": kind, "summary": kind}
    return {"taskId": task, "status": "completed", "metadata": {"ptc": verdict}, **more}


MALFORMED = says("perfect")


class Door:
    """A recorder, and its ledger, which can be full."""

    def __init__(self, schema: dict[str, Any] | None = None) -> None:
        self.lines: list[Record | tuple[str, str]] = []
        self.full = False
        self.over = False
        #: What happens while a recording is put down.
        self.meanwhile: Callable[[], None] = lambda: None
        self.recorder = Recorder("7", schema, self)

    def record(self, record: Record) -> Future[bool]:
        future: Future[bool] = Future()
        if self.full:
            future.set_exception(JournalError("journal x: No space left on device"))
        else:
            self.meanwhile()
            self.lines.append(record)
            future.set_result(self.over and not record.says_fail)
        return future

    def answered(self, call: str, answer: str) -> Future[bool]:
        self.lines.append((call, answer))
        future: Future[bool] = Future()
        future.set_result(False)
        return future

    @property
    def kept(self) -> list[Verdict]:
        records = [line for line in self.lines if isinstance(line, Record)]
        return [record.verdict for record in records if record.verdict is not None]


@pytest.mark.parametrize(
    ("update", "refusal"),
    [
        pytest.param(says("pass"), None, id="verdict"),
        pytest.param(says("pass", task=7), None, id="number-of-the-task"),
        pytest.param(says("pass", status="in_progress"), None, id="verdict-while-in-progress"),
        pytest.param(says("pass", activeForm="Reading"), None, id="verdict-with-active-form"),
        pytest.param({"taskId": "7", "status": "in_progress"}, None, id="progress"),
        pytest.param({"taskId": "7", "activeForm": "Reading"}, None, id="active-form"),
        pytest.param(
            {"taskId": "7", "status": "in_progress", "metadata": None}, None, id="null-metadata"
        ),
        pytest.param({"taskId": "7", "metadata": {}}, None, id="empty-metadata"),
        pytest.param(
            says("pass", task="8"), "you may update task 7 alone; task 8 is", id="another-task"
        ),
        pytest.param(
            {"status": "in_progress"}, "you may update task 7 alone; task None is", id="no-task"
        ),
        pytest.param({"taskId": "7", "status": "deleted"}, "must not be deleted", id="delete"),
        pytest.param(says("pass", status="deleted"), "must not be deleted", id="delete-and-say"),
        pytest.param(
            {"taskId": "7", "status": "completed"}, "completed by its verdict", id="no-verdict"
        ),
        pytest.param(
            {"taskId": "7", "status": "completed", "metadata": {}},
            "completed by its verdict",
            id="completed-with-empty-metadata",
        ),
        pytest.param(
            says("pass", subject="x", owner="me"),
            "owner, subject of your task must not be changed",
            id="closed-fields",
        ),
        pytest.param(
            {"taskId": "7", "addBlockedBy": ["1"]}, "addBlockedBy of your task", id="blocking"
        ),
        pytest.param(
            says("pass", metadata='{"ptc": {}}'),
            '"metadata" must be a JSON object, not "{\\"ptc\\": {}}".',
            id="metadata-text",
        ),
        pytest.param(
            says("pass", metadata=[{"ptc": 1}]),
            'JSON object, not [{"ptc": 1}].',
            id="metadata-list",
        ),
        pytest.param(
            {"taskId": "7", "metadata": {"nodeid": "x", "a": 1}},
            '"metadata" may hold "ptc" alone, not a, nodeid.',
            id="foreign-metadata",
        ),
        pytest.param(
            says("pass", metadata={"ptc": {"verdict": "pass", "summary": "x"}, "more": 1}),
            '"metadata" may hold "ptc" alone, not more.',
            id="foreign-metadata-beside-a-verdict",
        ),
        pytest.param(MALFORMED, 'nothing was changed: "verdict" must be one of', id="malformed"),
        pytest.param(
            says("pass", metadata={"ptc": None}), "JSON object, not null. Fix", id="null-verdict"
        ),
    ],
)
def test_an_update_is_allowed_or_refused_with_a_reason(
    update: dict[str, Any], refusal: str | None
) -> None:
    """Of its own task the model may record progress and a verdict, and nothing else of anything."""
    door = Door()
    reason = door.recorder.update("c1", update)
    if refusal is None:
        assert reason is None
    else:
        assert reason is not None
        assert refusal in reason
    recorded = refusal is None and bool(update.get("metadata"))
    assert door.recorder.recorded is recorded
    assert [verdict.verdict for verdict in door.kept] == [VerdictKind.PASS] * recorded


def test_a_long_refusal_is_cut() -> None:
    """What the model wrote by mistake is not sent back to it in full."""
    reason = Door().recorder.update("c1", says("pass", metadata="x" * 5000))
    assert reason is not None
    assert len(reason) < 200


@pytest.mark.parametrize(("data", "kept"), [({"n": 1}, 1), ({}, 0), (None, 0)])
def test_data_is_held_to_the_schema_as_it_is_recorded(data: object, kept: int) -> None:
    """A model is told of data that does not meet the marker's schema while it can still fix it."""
    door = Door(SCHEMA)
    verdict = {"verdict": "pass", "summary": "x", "data": data}
    reason = door.recorder.update("c1", says("pass", metadata={"ptc": verdict}))
    assert len(door.kept) == kept
    assert (reason is None) == bool(kept)
    assert reason is None or '"data" does not meet the schema' in reason


def test_a_verdict_that_the_journal_did_not_take_is_not_recorded() -> None:
    """A full disk is told to the model; when it is fixed the same verdict is recorded."""
    door = Door()
    door.full = True
    door.recorder.announced("c1", says("pass"), "m1")
    door.recorder.announced("c2", says("pass"), "m2")
    reason = door.recorder.update("c1", says("pass"))
    assert reason is not None
    assert "nothing was changed: journal x: No space left on device." in reason
    assert not door.recorder.recorded
    assert not door.recorder.carried_out("c1", {"success": True})
    assert isinstance(door.recorder.settled(), Trouble)
    door.full = False
    assert door.recorder.update("c2", says("pass")) is None
    assert door.recorder.settled() == door.kept[0]


def test_a_model_that_stops_without_a_verdict_is_reminded_a_few_times() -> None:
    """A reminder says what to call; then the model may stop, and the item is an error."""
    recorder = Door().recorder
    reminders = [recorder.reminder() for _ in range(MAX_REMINDERS)]
    assert all(text and 'taskId "7"' in text and "TaskUpdate" in text for text in reminders)
    assert recorder.reminder() is None


@pytest.mark.parametrize(
    ("update", "reminded"),
    [
        pytest.param(says("fail"), False, id="verdict"),
        pytest.param(MALFORMED, True, id="malformed"),
        pytest.param(says("pass", task="8"), True, id="another-task"),
        pytest.param({"taskId": "7", "status": "in_progress"}, True, id="progress"),
    ],
)
def test_only_a_recorded_verdict_lets_the_model_stop(
    update: dict[str, Any], *, reminded: bool
) -> None:
    """Whoever has recorded a verdict is not reminded; whoever was refused one is."""
    recorder = Door().recorder
    recorder.update("c1", update)
    assert (recorder.reminder() is not None) is reminded


@pytest.mark.parametrize(
    ("update", "response", "ends", "missed"),
    [
        pytest.param(says("pass"), {"success": True}, True, False, id="done"),
        pytest.param(says("pass"), {"success": False, "error": "Task not found"}, True, True),
        pytest.param(says("pass"), {"success": False, "error": "NOT FOUND: 7"}, True, True),
        pytest.param(says("pass"), {"success": False, "error": "locked"}, True, False),
        pytest.param(says("pass"), {"success": False}, True, False, id="no-reason"),
        pytest.param(says("pass"), {"success": True, "error": "not found"}, True, False),
        pytest.param(says("pass"), None, True, False, id="failed"),
        pytest.param(says("pass"), "Task not found", True, False, id="prose"),
        pytest.param(MALFORMED, {"success": False, "error": "not found"}, False, False),
        pytest.param(
            {"taskId": "7", "status": "in_progress"},
            {"success": False, "error": "Task not found"},
            False,
            False,
            id="progress",
        ),
    ],
)
def test_the_turn_ends_with_an_accepted_verdict(
    update: dict[str, Any], response: object, *, ends: bool, missed: bool
) -> None:
    """Nothing is asked after an accepted verdict, and it is noted if the list has no such task."""
    recorder = Door().recorder
    recorder.update("c1", update)
    assert recorder.carried_out("c1", response) is ends
    assert recorder.missed is missed
    assert not recorder.carried_out("c2", {"success": True})


#: A step is what reached us of a call: (call, update, the answer that was seen to hold it or None,
#: whether it came to be carried out).
Step = tuple[str, dict[str, Any], str | None, bool]


def step(
    call: str, update: dict[str, Any], *, answer: str | None = "m1", done: bool = True
) -> Step:
    """Return a step; without more, of the first answer and carried out."""
    return call, update, answer, done


@pytest.mark.parametrize("said_first", [True, False], ids=["said-first", "done-first"])
@pytest.mark.parametrize(
    ("steps", "ended"),
    [
        pytest.param([], Cause.NO_VERDICT, id="nothing"),
        pytest.param(
            [step("c1", {"taskId": "7", "status": "in_progress"})],
            Cause.NO_VERDICT,
            id="progress-alone",
        ),
        pytest.param([step("c1", says("pass"))], "pass", id="pass"),
        pytest.param([step("c1", says("pass"), answer=None)], "pass", id="never-announced"),
        pytest.param([step("c1", says("error"))], "error", id="error"),
        pytest.param([step("c1", MALFORMED)], Cause.MALFORMED, id="malformed"),
        pytest.param([step("c1", says("pass", task="8"))], Cause.MALFORMED, id="for-another-task"),
        pytest.param(
            [step("c1", MALFORMED), step("c2", says("pass"), answer="m2")], "pass", id="fixed"
        ),
        pytest.param(
            [step("c1", MALFORMED), step("c2", says("pass"))], Cause.CONTRADICTED, id="beside"
        ),
        pytest.param(
            [step("c1", says("pass")), step("c2", MALFORMED)], Cause.CONTRADICTED, id="beside-after"
        ),
        pytest.param(
            [step("c1", MALFORMED), step("c2", says("fail"))], "fail", id="malformed-beside-fail"
        ),
        pytest.param(
            [step("c1", says("FAIL")), step("c2", says("pass"), answer="m2")],
            Cause.CONTRADICTED,
            id="malformed-fail-then-pass",
        ),
        pytest.param(
            [step("c1", says("fail", subject="x")), step("c2", says("skip"), answer="m2")],
            Cause.CONTRADICTED,
            id="refused-fail-then-skip",
        ),
        pytest.param(
            [
                step("c1", says("x", metadata={"result": {"verdict": "fail"}})),
                step("c2", says("pass"), answer="m2"),
            ],
            Cause.CONTRADICTED,
            id="nested-fail-then-pass",
        ),
        pytest.param(
            [
                step("c1", says("x", metadata='{"ptc": {"verdict": "fail"}}')),
                step("c2", says("pass"), answer="m2"),
            ],
            Cause.CONTRADICTED,
            id="fail-in-a-text-then-pass",
        ),
        pytest.param(
            [step("c1", says("fail", task="8")), step("c2", says("pass"), answer="m2")],
            Cause.CONTRADICTED,
            id="fail-of-another-task-then-pass",
        ),
        pytest.param(
            [step("c1", says("FAIL")), step("c2", says("fail"), answer="m2")],
            "fail",
            id="malformed-fail-then-fail",
        ),
        pytest.param(
            [step("c1", says("pass", task="8")), step("c2", says("pass"))],
            "pass",
            id="another-task-beside",
        ),
        pytest.param([step("c1", says("pass")), step("c2", says("fail"))], "fail", id="pass-fail"),
        pytest.param([step("c1", says("fail")), step("c2", says("pass"))], "fail", id="fail-pass"),
        pytest.param(
            [step("c1", says("pass")), step("c2", says("skip"))],
            Cause.CONTRADICTED,
            id="pass-skip",
        ),
        pytest.param([step("c1", says("pass"), done=False)], Cause.NO_VERDICT, id="only-said-pass"),
        pytest.param([step("c1", says("skip"), done=False)], Cause.NO_VERDICT, id="only-said-skip"),
        pytest.param([step("c1", says("fail"), done=False)], "fail", id="only-said-fail"),
        pytest.param(
            [step("c1", MALFORMED, done=False)], Cause.MALFORMED, id="only-said-malformed"
        ),
        pytest.param(
            [step("c1", says("fail", task="8"), done=False)],
            Cause.MALFORMED,
            id="only-said-fail-of-another-task",
        ),
        pytest.param(
            [step("c1", {"taskId": "7"}, done=False)], Cause.NO_VERDICT, id="only-said-nothing"
        ),
        pytest.param(
            [step("c1", says("pass")), step("c2", says("fail"), done=False)],
            "fail",
            id="pass-and-said-fail",
        ),
        pytest.param(
            [step("c1", says("pass")), step("c2", says("skip"), done=False)],
            Cause.CONTRADICTED,
            id="pass-and-said-skip",
        ),
        pytest.param(
            [step("c1", says("pass")), step("c2", says("pass"), done=False)],
            "pass",
            id="pass-and-said-pass",
        ),
        pytest.param(
            [step("c1", says("pass")), step("c2", MALFORMED, done=False)],
            Cause.CONTRADICTED,
            id="pass-and-said-malformed",
        ),
        pytest.param(
            [step("c1", says("fail")), step("c2", MALFORMED, done=False)],
            "fail",
            id="fail-and-said-malformed",
        ),
    ],
)
def test_what_was_recorded_and_said_comes_to(
    steps: list[Step], ended: str | Cause, *, said_first: bool
) -> None:
    """A fail counts even if only said, a pass only if recorded, and doubt is trouble.

    The client announces a call before or after it asks whether it may be carried out.
    """
    recorder = Door().recorder

    def announce() -> None:
        for call, update, answer, _ in steps:
            if answer is not None:
                recorder.announced(call, update, answer)

    if said_first:
        announce()
    for call, update, _, done in steps:
        if done:
            recorder.update(call, update)
    if not said_first:
        announce()
    for _ in range(2):  # asking again changes nothing
        settled = recorder.settled()
        found = settled.cause if isinstance(settled, Trouble) else settled.verdict.value
        assert found == ended


@pytest.mark.parametrize(
    ("steps", "ended"),
    [
        pytest.param([step("c1", says("pass"))], "pass", id="pass"),
        pytest.param([step("c1", MALFORMED), step("c2", says("pass"), answer="m2")], "pass"),
        pytest.param([step("c1", MALFORMED), step("c2", says("pass"))], Cause.CONTRADICTED),
        pytest.param([step("c1", says("pass")), step("c2", MALFORMED)], Cause.CONTRADICTED),
        pytest.param(
            [step("c1", MALFORMED), step("c2", says("pass"), answer=None)], Cause.CONTRADICTED
        ),
        pytest.param(
            [step("c1", says("fail", description="x")), step("c2", says("pass"))],
            Cause.CONTRADICTED,
        ),
        pytest.param([step("c1", MALFORMED), step("c2", says("fail"))], "fail"),
        pytest.param([step("c1", says("fail"), done=False)], "fail"),
        pytest.param([step("c1", says("FAIL"), done=False)], Cause.MALFORMED),
        pytest.param(
            [step("c1", says("FAIL")), step("c2", says("pass"), answer="m2")], Cause.CONTRADICTED
        ),
        pytest.param([step("c1", says("pass"), done=False)], Cause.NO_VERDICT),
    ],
)
def test_the_ledger_alone_comes_to_the_same(steps: list[Step], ended: str | Cause) -> None:
    """A worker that is killed in the middle of a turn leaves no pass that it would not have filed.

    Where the ledger does not say which answer a call stood in, a refusal counts against a pass.
    """
    door = Door()
    for call, update, answer, done in steps:
        if done:
            door.recorder.update(call, update)
        if answer is not None:
            door.recorder.announced(call, update, answer)
    answers = {line[0]: line[1] for line in door.lines if isinstance(line, tuple)}
    records = [
        replace(line, answer=answers.get(line.call))
        for line in door.lines
        if isinstance(line, Record)
    ]
    settled = settle(records)
    assert (settled.cause if isinstance(settled, Trouble) else settled.verdict.value) == ended


@pytest.mark.parametrize(
    ("update", "tried_again"),
    [
        pytest.param(MALFORMED, True, id="malformed"),
        pytest.param(says("pass", task="8"), True, id="for-another-task"),
        pytest.param(says("Fail"), False, id="wrong-case"),
        pytest.param(says("x", metadata={"ptc": "fail"}), False, id="word"),
        pytest.param(says("fail", status="deleted"), False, id="delete-and-say"),
        pytest.param(says("fail", task="8"), False, id="fail-for-another-task"),
        pytest.param(
            says("x", metadata={"ptc": {**says("fail")["metadata"]["ptc"], "data": float("inf")}}),
            False,
            id="infinite-data",
        ),
    ],
)
@pytest.mark.parametrize("done", [True, False], ids=["refused", "only-said"])
def test_a_refused_fail_is_not_tried_again(
    update: dict[str, Any], *, tried_again: bool, done: bool
) -> None:
    """Whoever said fail in any form that can be recognised is not asked until it says pass."""
    recorder = Door().recorder
    recorder.announced("c1", update, "m1")
    if done:
        recorder.update("c1", update)
    settled = recorder.settled()
    assert isinstance(settled, Trouble)
    assert settled.retryable is tried_again
    assert ("it said fail: not tried again" in settled.message) is not tried_again


def test_a_verdict_that_is_only_said_contradicts_a_pass() -> None:
    """A text that is a verdict is displaced; prose that mentions one is nothing."""
    for text, kept in (
        ("It could fail, but does not.", True),
        ('Done:\n{"verdict": "fail", "summary": "x"}', False),
    ):
        recorder = Door().recorder
        recorder.said(text)
        recorder.update("c1", says("pass"))
        assert isinstance(recorder.settled(), Verdict) is kept


def test_a_pass_that_comes_when_the_time_is_over_is_none() -> None:
    """The model is told, and nothing is recorded; a fail is."""
    door = Door()
    door.over = True
    reason = door.recorder.update("c1", says("pass"))
    assert reason is not None
    assert "time of this task is over" in reason
    assert not door.recorder.recorded
    assert door.recorder.update("c2", says("fail")) is None
    assert door.recorder.recorded


def test_a_verdict_on_another_list_is_disowned_in_the_ledger() -> None:
    """The last line of a call is what counts, so nobody who reads later takes it for a pass."""
    door = Door()
    door.recorder.update("c1", says("pass"))
    door.recorder.disown("on another list")
    last = door.lines[-1]
    assert isinstance(last, Record)
    assert (last.call, last.refused) == ("c1", "on another list")


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        pytest.param(
            [step("c1", says("pass", task="8")), step("c2", MALFORMED)],
            'nothing recorded was valid: "verdict" must be one of',
            id="the-last-refusal",
        ),
        pytest.param(
            [step("c1", says("skip")), step("c2", MALFORMED)],
            'besides skip, the agent recorded a refused verdict: "verdict" must be one of',
            id="beside",
        ),
    ],
)
def test_trouble_quotes_what_was_wrong(steps: list[Step], message: str) -> None:
    """Whoever reads the report sees the reason that the model was given."""
    recorder = Door().recorder
    for call, update, answer, _ in steps:
        recorder.announced(call, update, answer or "")
        recorder.update(call, update)
    settled = recorder.settled()
    assert isinstance(settled, Trouble)
    assert message in settled.message


@pytest.mark.parametrize("done", [True, False], ids=["refused", "only-said"])
@pytest.mark.parametrize(
    "update",
    [
        pytest.param(says("fail", description="x"), id="closed-field"),
        pytest.param(
            says("fail", metadata={"ptc": {"verdict": "fail", "summary": "x"}, "more": 1}),
            id="foreign-metadata",
        ),
        pytest.param(says("fail", metadata='{"ptc": {"verdict": "fail"}}'), id="metadata-text"),
    ],
)
def test_a_fail_in_a_wrong_form_beside_a_pass_is_no_pass(
    update: dict[str, Any], *, done: bool
) -> None:
    """The model never hears that its fail was refused, so the pass beside it must not stand."""
    recorder = Door().recorder
    recorder.announced("c1", says("pass"), "m1")
    recorder.announced("c2", update, "m1")
    recorder.update("c1", says("pass"))
    if done:
        recorder.update("c2", update)
    settled = recorder.settled()
    assert isinstance(settled, Trouble) or settled.verdict is VerdictKind.FAIL


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)
verdicts = st.fixed_dictionaries(
    {"verdict": st.sampled_from([*VerdictKind, "PASS", None]), "summary": st.just("x")}
)
metadata = json_values | st.fixed_dictionaries({"ptc": verdicts | json_values})
updates = st.fixed_dictionaries(
    {},
    optional={
        "taskId": st.sampled_from(["7", 7, "8"]) | json_values,
        "status": st.sampled_from(["completed", "in_progress", "deleted"]) | json_values,
        "metadata": metadata,
        "owner": json_values,
    },
)


# How long an example takes to make says something about the machine's load only.
@given(st.lists(updates, max_size=4), st.lists(updates, max_size=2))
def test_whatever_a_model_calls_a_pass_is_one_that_was_kept(
    calls: list[dict[str, Any]], announced: list[dict[str, Any]]
) -> None:
    """No update raises, and the outcome is a pass only if a pass and nothing else was kept."""
    door = Door()
    for number, update in enumerate(calls):
        door.recorder.announced(f"c{number}", update, f"m{number}")
        reason = door.recorder.update(f"c{number}", update)
        door.recorder.carried_out(f"c{number}", {"success": reason is None})
    for number, update in enumerate(announced):
        door.recorder.announced(f"a{number}", update, "last")
    settled = door.recorder.settled()
    kinds = {verdict.verdict for verdict in door.kept}
    assert door.recorder.recorded == bool(kinds)
    if isinstance(settled, Verdict) and settled.passed:
        assert kinds == {VerdictKind.PASS}


def test_which_answer_holds_a_verdict_may_be_told_while_it_is_put_down() -> None:
    """The model's answer is heard while the coordinator's disk is waited for: none is forgotten."""
    door = Door()
    door.meanwhile = lambda: door.recorder.announced("c1", says("pass"), "m1")
    assert door.recorder.update("c1", says("pass")) is None
    assert door.lines[1:] == [("c1", "m1")]
    assert door.recorder.update("c2", MALFORMED) is not None
    door.recorder.announced("c2", MALFORMED, "m2")
    ended = door.recorder.settled()
    assert isinstance(ended, Verdict)
    assert ended.passed


class Unheard(Future[bool]):
    """A future whose result nobody waits for any more, because the client has died."""

    def result(self, timeout: float | None = None) -> bool:
        del timeout
        raise InterruptedError


@pytest.mark.parametrize("kind", ["pass", "fail"])
def test_a_verdict_on_disk_counts_though_nobody_waits_for_that(
    kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor does it count before it is on disk, nor a pass that came too late."""

    class Waiting(Door):
        def record(self, record: Record) -> Future[bool]:
            super().record(record)
            return unheard

    unheard = Unheard()
    door = Waiting()
    with pytest.raises(InterruptedError):
        door.recorder.update("1", says(kind))
    assert isinstance(door.recorder.settled(), Trouble)
    Future.set_result(unheard, False)
    monkeypatch.setattr(unheard, "result", lambda: False)
    assert door.recorder.settled() == door.kept[0]
