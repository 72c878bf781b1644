from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.errors import ConfigError, TaskListError
from pytest_ptc.tasklist.task_format import (
    TaskRecord,
    TaskStatus,
    file_name,
    first_free_number,
    leading_number,
    parse,
    render,
    sanitise,
)

#: A task as Claude Code 2.1.330 wrote it.
BY_CLAUDE = b"""{
  "id": "7",
  "subject": "Review PR #123",
  "description": "Task ID: 7",
  "activeForm": "Reviewing PR #123",
  "owner": "w1",
  "status": "in_progress",
  "blocks": [],
  "blockedBy": [
    "3"
  ],
  "metadata": {
    "ptc": {
      "verdict": "pass"
    }
  }
}"""

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    # Half a surrogate pair is a text that JavaScript, and a test's parameters, can hold.
    | st.text()
    | st.just("\ud800\n"),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
objects = st.dictionaries(st.text(), json_values, max_size=4)
known = {"id", "subject", "description", "activeForm", "owner", "status", "blocks", "blockedBy"}
unknown_keys = st.dictionaries(
    st.text().filter(lambda name: name not in known | {"metadata"}), json_values, max_size=3
)
records = st.builds(
    TaskRecord,
    id=st.text(),
    subject=st.text(),
    description=st.text(),
    status=st.sampled_from(TaskStatus) | st.sampled_from(["blocked", "", "COMPLETED"]),
    blocks=st.lists(st.text()).map(tuple),
    blocked_by=st.lists(st.text()).map(tuple),
    active_form=st.none() | st.text(),
    owner=st.none() | st.text(),
    metadata=st.none() | objects,
    unknown=unknown_keys,
)


def task(**fields: Any) -> TaskRecord:
    """Return a pending task with these fields."""
    return TaskRecord(**{"id": "1", "subject": "s", "description": "d", **fields})


def raw(**changes: Any) -> bytes:
    """Return Claude Code's task with these fields changed."""
    fields = {**json.loads(BY_CLAUDE), **changes}
    return json.dumps(fields).encode()


def without(name: str) -> bytes:
    """Return Claude Code's task without this field."""
    fields = json.loads(BY_CLAUDE)
    del fields[name]
    return json.dumps(fields).encode()


@given(records)
def test_every_record_survives_the_disk(record: TaskRecord) -> None:
    """What is rendered parses to the same record, unknown keys and metadata included."""
    assert parse(render(record), "x") == record


@given(records)
def test_rendering_is_indented_by_two_as_claude_code_writes(record: TaskRecord) -> None:
    """The bytes are those of plain `json.dumps` with an indent of 2, nested values included."""
    value = record.to_json()
    plain = json.dumps(value, indent=2, ensure_ascii=False)
    escaped = json.dumps(value, indent=2)
    assert render(record).decode() in (plain, escaped)


def test_reads_what_claude_code_writes() -> None:
    """Every field of a file of Claude Code's lands where it belongs, and nothing is added."""
    record = parse(BY_CLAUDE, "7.json")
    assert record == TaskRecord(
        id="7",
        subject="Review PR #123",
        description="Task ID: 7",
        active_form="Reviewing PR #123",
        owner="w1",
        status=TaskStatus.IN_PROGRESS,
        blocked_by=("3",),
        metadata={"ptc": {"verdict": "pass"}},
    )
    assert json.loads(render(record)) == json.loads(BY_CLAUDE)


def test_fields_without_a_value_are_absent() -> None:
    """No owner, form or metadata is written as null, which Claude Code would refuse."""
    assert set(json.loads(render(task()))) == {
        "id",
        "subject",
        "description",
        "status",
        "blocks",
        "blockedBy",
    }
    assert b"owner" not in render(task(owner="w1", status=TaskStatus.IN_PROGRESS).released())


def test_half_a_surrogate_pair_is_escaped() -> None:
    """A text without UTF-8 is written as JavaScript writes it, rather than failing the run."""
    assert rb'"\ud800"' in render(task(subject="\ud800"))


@pytest.mark.parametrize(
    ("data", "problem"),
    [
        (b"", "the file is empty"),
        (b" \n", "the file is empty"),
        (b"{", "not JSON"),
        (b"\xff{}", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (raw(metadata={"x": float("nan")}), "NaN is not JSON"),
        (b"[]", "a task is a JSON object"),
        (without("id"), '"id" is missing'),
        (without("subject"), '"subject" is missing'),
        (without("description"), '"description" is missing'),
        (without("status"), '"status" is missing'),
        (without("blocks"), '"blocks" is missing'),
        (without("blockedBy"), '"blockedBy" is missing'),
        (raw(id=7), '"id" must be a text'),
        (raw(status=None), '"status" must be a text'),
        (raw(owner=None), '"owner" must be a text'),
        (raw(activeForm=1), '"activeForm" must be a text'),
        (raw(blocks="3"), '"blocks" must be a list of texts'),
        (raw(blockedBy=[3]), '"blockedBy" must be a list of texts'),
        (raw(metadata=None), '"metadata" must be an object'),
        (raw(metadata=[]), '"metadata" must be an object'),
    ],
)
def test_a_broken_file_is_named_with_its_fault(data: bytes, problem: str) -> None:
    """The error of a file that is no task names the file and the field."""
    with pytest.raises(TaskListError) as caught:
        parse(data, "/lists/a/7.json")
    assert str(caught.value).startswith("/lists/a/7.json: ")
    assert problem in str(caught.value)


@pytest.mark.parametrize("value", [float("nan"), object(), {1, 2}])
def test_metadata_that_is_no_json_is_refused(value: object) -> None:
    """What cannot be written is refused with the task's name, before anything is on disk."""
    with pytest.raises(TaskListError, match=r"task 1 \('s'\) cannot be written as JSON"):
        render(task(metadata={"x": value}))


def test_metadata_that_contains_itself_is_refused() -> None:
    """A cycle is an error of ours, not an endless loop."""
    cycle: dict[str, Any] = {}
    cycle["x"] = cycle
    with pytest.raises(TaskListError, match="cannot be written as JSON"):
        render(task(metadata=cycle))


def test_an_unknown_status_is_kept_and_is_not_done() -> None:
    """A state of a newer Claude Code is neither free nor held nor done, and survives a write."""
    record = parse(raw(status="blocked", owner="w1"), "x")
    assert record.status == "blocked"
    assert not record.is_done
    assert not record.is_free_for("w1")
    assert not record.is_held_by("w1")
    assert json.loads(render(record))["status"] == "blocked"


def test_a_claim_needs_a_pending_task_that_is_nobody_elses() -> None:
    """Pending without an owner, with an empty one or with one's own is free; else it is not."""
    assert task().is_free_for("w1")
    assert task(owner="").is_free_for("w1")
    assert task(owner="w1").is_free_for("w1")
    assert not task(owner="w2").is_free_for("w1")
    assert not task(owner="w1", status=TaskStatus.IN_PROGRESS).is_free_for("w1")
    assert not task(status=TaskStatus.COMPLETED).is_free_for("w1")


def test_who_holds_a_task_owns_it_and_is_at_it() -> None:
    """Holding takes both the owner's name and the status in_progress."""
    assert task().claimed("w1").is_held_by("w1")
    assert not task().claimed("w1").is_held_by("w2")
    assert not task(owner="w1").is_held_by("w1")
    assert not task().claimed("w1").completed({}).is_held_by("w1")


def test_completing_adds_to_the_metadata() -> None:
    """Metadata of others stays, ours is added, and there is still none where there was none."""
    done = task(metadata={"theirs": 1, "ptc": 0}).completed({"ptc": 2})
    assert done.metadata == {"theirs": 1, "ptc": 2}
    assert done.is_done
    assert task().completed({}).metadata is None


def test_links_to_a_task_that_goes_are_removed() -> None:
    """Both directions are cleared, and links to others stay."""
    cleared = task(blocks=("2", "3"), blocked_by=("3", "4")).without_links_to({"3"})
    assert (cleared.blocks, cleared.blocked_by) == (("2",), ("4",))


@pytest.mark.parametrize(
    ("name", "directory"),
    [
        ("ptc-2026_11", "ptc-2026_11"),
        ("a.b", "a-b"),
        (".", "-"),
        ("..", "--"),
        ("../../etc/passwd", "------etc-passwd"),
        ("/", "-"),
        ("a b\n\0", "a-b--"),
        ("é", "-"),
        # JavaScript counts UTF-16 code units: two for a character beyond U+FFFF.
        ("😀", "--"),
        ("\udc80", "-"),
        ("x" * 255, "x" * 255),
    ],
)
def test_a_list_id_becomes_one_harmless_name(name: str, directory: str) -> None:
    """Every id names a directory beside the other lists, the one that Claude Code uses for it."""
    assert sanitise(name) == directory


@pytest.mark.parametrize(("name", "fix"), [("", "name one"), ("x" * 256, "at most 255")])
def test_a_list_id_that_names_no_directory_is_refused(name: str, fix: str) -> None:
    """An empty or overlong id is an error that says what to do."""
    with pytest.raises(ConfigError, match=fix):
        sanitise(name)


def test_task_files_are_named_after_sanitised_ids() -> None:
    """A task id cannot lead out of its list, and an empty one names a file that nobody makes."""
    assert file_name("12") == "12.json"
    assert file_name("../12") == "---12.json"
    assert file_name("") == ".json"


@pytest.mark.parametrize(
    ("text", "number"),
    [("12.json", 12), ("12a.json", 12), (" 12\n", 12), ("+3", 3), ("007", 7), ("a.json", 0)],
)
def test_numbers_are_read_as_javascript_reads_them(text: str, number: int) -> None:
    """A name or mark counts by its leading digits, as `parseInt` has it."""
    assert leading_number(text) == number


@pytest.mark.parametrize("text", ["", "-5", ".highwatermark", "x1", "٣"])
def test_text_without_a_leading_number_counts_nothing(text: str) -> None:
    """What `parseInt` calls NaN, or below zero, never lowers or raises an id."""
    assert leading_number(text) == 0


def test_the_first_free_number_is_beyond_all_names_and_the_mark() -> None:
    """New ids are larger than every file's and than every id that was deleted."""
    assert first_free_number([], 0) == 1
    assert first_free_number(["9.json", "10.json", "2.json", "x.json"], 0) == 11
    assert first_free_number(["3.json"], 41) == 42
    assert first_free_number(["99.json.lock", "98.json.tmp.ab", ".lock"], 0) == 1
