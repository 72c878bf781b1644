"""A run's story: whatever is done to it, nothing is read that its writer did not write."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from pytest_ptc.journal.events import (
    AttemptEnded,
    RunCleaned,
    RunEnded,
    TaskSubmitted,
    WorkerReady,
    event_to_json,
)
from pytest_ptc.journal.lines import FORMAT, MAX_LINE_BYTES, MAX_STORY_BYTES, STORY, StoryError
from pytest_ptc.journal.seals import RunKey
from pytest_ptc.journal.story import add_event, read_story
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Verdict, VerdictKind
from tests.support.journals import KEY, began, write_story

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.journal.events import Event

RUN = "20270115-080000-000aa"
SEALING = RunKey(KEY, RUN)
ENDED = AttemptReport(
    attempt=Attempt(task_id="1", number=1, worker="w1"),
    seconds=2.0,
    verdict=Verdict(verdict=VerdictKind.FAIL, summary="ü\n"),
)
EVENTS: list[Event] = [
    began(key=SEALING.name, at=1.0),
    TaskSubmitted(
        at=2.0,
        task="1",
        spec=TaskSpec(nodeid="t.py::test", prompt='say "no"', timeout=1.0, cwd="/"),
        fingerprint={},
    ),
    AttemptEnded.of(ENDED, sha256=None),
    WorkerReady(at=4.0, worker="w1"),
    RunEnded(at=5.0, seconds=4.0),
]
CLEANED = RunCleaned(removed=("socket",), left=())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a run, with its story."""
    write_story(tmp_path / RUN, EVENTS)
    return tmp_path / RUN


def events_in(folder: Path, key: RunKey | None = SEALING) -> list[Event]:
    """Return what a story tells."""
    return list(read_story(folder / STORY, key).events)


def test_a_story_comes_back_as_it_was_written(folder: Path) -> None:
    """Every event in its place, and where a further one would stand."""
    story = read_story(folder / STORY, SEALING)
    assert list(story.events) == EVENTS
    assert story.end == story.size == (folder / STORY).stat().st_size


def _lines(story: Path) -> list[bytes]:
    return story.read_bytes().splitlines(keepends=True)


@settings(max_examples=300)
@given(data=st.data())
def test_whatever_is_changed_nothing_is_told_that_was_not_written(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """A changed story is refused, or it is one that was cut short, and its beginning counts."""
    folder = tmp_path_factory.mktemp("story") / RUN
    write_story(folder, EVENTS)
    story = folder / STORY
    text, lines = story.read_bytes(), _lines(story)
    index = st.integers(0, len(lines) - 1)
    match data.draw(st.sampled_from(["byte", "cut", "remove", "swap", "double", "insert", "add"])):
        case "byte":
            at = data.draw(st.integers(0, len(text) - 1))
            byte = data.draw(st.integers(0, 255))
            changed = text[:at] + bytes([byte]) + text[at + 1 :]
        case "cut":
            changed = text[: data.draw(st.integers(0, len(text)))]
        case "remove":
            at = data.draw(index)
            changed = b"".join(lines[:at] + lines[at + 1 :])
        case "swap":
            one, two = data.draw(index), data.draw(index)
            lines[one], lines[two] = lines[two], lines[one]
            changed = b"".join(lines)
        case "double":
            at = data.draw(index)
            changed = b"".join([*lines[: at + 1], lines[at], *lines[at + 1 :]])
        case "insert":
            at = data.draw(index)
            more = data.draw(st.binary(max_size=50).map(lambda line: line + b"\n"))
            changed = b"".join([*lines[:at], more, *lines[at:]])
        case _:
            changed = text + data.draw(st.binary(max_size=50))
    story.write_bytes(changed)
    try:
        events = events_in(folder)
    except StoryError:
        assert changed != text
        return
    assert events == EVENTS[: len(events)]
    if events != EVENTS:
        # Only the end may be missing: what follows the last whole line is one that was cut short.
        assert b"\n" not in changed[read_story(story, SEALING).end :]


def _of_another_run(folder: Path) -> None:
    write_story(folder.with_name("another"), EVENTS)
    (folder.with_name("another") / STORY).replace(folder / STORY)


def _unsealed(folder: Path) -> None:
    lines = [f"{json.dumps(event_to_json(event))}\n" for event in EVENTS]
    (folder / STORY).write_text("".join(lines))


def _text(text: str) -> Any:
    return lambda folder: (folder / STORY).write_text(text)


def _edited(folder: Path) -> None:
    story = folder / STORY
    story.write_bytes(story.read_bytes().replace(b'"fail"', b'"pass"'))


def _newer(folder: Path) -> None:
    line, _ = SEALING.line({"event": "run", "format": FORMAT + 1}, SEALING.start)
    (folder / STORY).write_bytes(line + b"\n")


def _lacking(field: str, number: int) -> Any:
    told = [event_to_json(event) for event in EVENTS]
    where, _, name = field.rpartition(".")
    del (told[number - 1][where] if where else told[number - 1])[name]
    return lambda folder: write_story(folder, told)


def _fifo(folder: Path) -> None:
    (folder / STORY).unlink()
    os.mkfifo(folder / STORY)


def _link(folder: Path) -> None:
    (folder / STORY).rename(folder / "there")
    (folder / STORY).symlink_to("there")


def _device(folder: Path) -> None:
    (folder / STORY).unlink()
    (folder / STORY).symlink_to("/dev/zero")


def _large(folder: Path) -> None:
    os.truncate(folder / STORY, MAX_STORY_BYTES + 1)


def _long_line(folder: Path) -> None:
    with (folder / STORY).open("ab") as file:
        file.truncate(file.tell() + MAX_LINE_BYTES + 1)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        (lambda folder: write_story(folder, EVENTS, b"another key"), "another key"),
        (_of_another_run, "its first event does not verify"),
        (_unsealed, "has no seal"),
        (_edited, "event 3 does not verify"),
        (_newer, f"format {FORMAT + 1}"),
        (_lacking("scratch", 1), "its event 1 'run' lacks the field 'scratch'"),
        (_lacking("spec.prompt", 2), "its event 2 'submitted' lacks the field 'spec.prompt'"),
        (_lacking("at", 5), "its event 5 'run ended' lacks the field 'at'"),
        (_text(""), "is empty"),
        (_text("[1]\n"), "does not begin like the journal of a run"),
        (_text('{"event": ["run"]}\n'), "does not begin like the journal of a run"),
        (_text('{"event": "submitted"}\n'), "does not begin like the journal of a run"),
        (_text("[" * 100_000 + "\n"), "does not begin like the journal of a run"),
        (_text('{"event": "run", "mac": 1}\n'), "another version"),
        (_text('{"event": "run", "mac": 1, "format": 2}\n'), "another key"),
        (_text('{"event": "run"'), "ends in its first event"),
        (lambda folder: (folder / STORY).unlink(), "has no journal.jsonl"),
        (_fifo, "not a regular file"),
        (_link, "cannot be used"),
        (_device, "cannot be used"),
        (_large, "is longer than"),
        (_long_line, "is too long"),
    ],
)
def test_what_is_not_a_story_of_ours_is_refused_with_the_reason(
    folder: Path, done: Any, said: str
) -> None:
    """One sentence, whatever lies there; nothing blocks, and no memory is filled."""
    done(folder)
    with pytest.raises(StoryError) as refused:
        read_story(folder / STORY, SEALING)
    assert said in str(refused.value)
    assert "\n" not in str(refused.value)


def test_without_a_key_nothing_verifies(folder: Path) -> None:
    """A user who has none yet has written no journal."""
    with pytest.raises(StoryError, match="no key yet"):
        events_in(folder, None)


def test_what_was_cut_short_gives_way_to_what_is_added(folder: Path) -> None:
    """A killed run's story gets an end, behind what verifies of it, and only once."""
    whole = (folder / STORY).read_bytes()
    (folder / STORY).write_bytes(whole[:-20])
    story = read_story(folder / STORY, SEALING)
    assert story.size > story.end
    assert add_event(folder / STORY, story, SEALING, CLEANED)
    assert not add_event(folder / STORY, story, SEALING, CLEANED)
    events = events_in(folder)
    assert events[:-1] == EVENTS[:-1]
    assert events[-1] == replace(CLEANED, at=events[-1].at)
