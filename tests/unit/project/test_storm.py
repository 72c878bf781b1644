"""The storm's own judgement: what it takes for a breach of the law, and what not."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.storm.faults import FAULTS, KILLED_AGENT, Hit, Strike
from tests.storm.items import Item, Note
from tests.storm.law import violations
from tests.storm.scripts import Ending, Script, ending, make_scripts
from tests.storm.story import Told
from tests.storm.suite import Phase

KILLED_WORKER = "SIGKILL of a worker"
LOST = "ptc error: worker lost: w1 ended"


def seen(steps: str, said: str, outcome: str, text: str = "", **more: Any) -> Item:
    """Return an item as it was seen.

    Args:
        steps: Its script.
        said: Its agents' notes: `1 began, 1 says pass`.
        outcome: What it ended as.
        text: What pytest printed of it.
        more: Whatever else was seen.
    """
    notes = [f"1.5 {note.split(' ', 1)[0]} 7 {note.split(' ', 1)[1]}" for note in said.split(", ")]
    when = "setup" if outcome in ("error", "skipped") else "call"
    phase = Phase("a.py::t[t1]", when, "failed" if outcome == "error" else outcome, text)
    words = {"passed": "pass", "failed": "fail", "skipped": "skip"}
    word = words.get(outcome) or text.split(": ")[1]
    return Item(
        **{
            "script": Script(name="t1", steps=tuple(steps.split("; "))),
            "allowed": 2,
            "phases": [phase],
            "notes": [Note.of(note) for note in notes],
            "attempts": {1: Told(worker="w1", began=1.0, ended=2.0, word=word)},
            "last_word": word,
            **more,
        }
    )


def done(kind: str) -> list[Strike]:
    """Return a fault of this kind, done to the item's worker, task and agent."""
    hit = Hit(workers=("w1",), tasks=("5",), attempt=("5", 1), pid=7)
    return [Strike(at=1.5, kind=kind, hit=hit, causes=FAULTS[kind].causes)]


def breaches(item: Item) -> list[str]:
    """Return what the law has against an item."""
    return violations([item], item.phases, timeout=2.0)


RECORDS = "record pass; sleep 1"
SAID = "1 began, 1 says pass, 1 acknowledged pass"
TWICE = {number: Told(worker="w1", began=1.0, ended=2.0) for number in (1, 2)}

LAWFUL = {
    "as scripted": seen("print pass", "1 began, 1 says pass", "passed"),
    "a fail": seen("record fail", "1 began, 1 says fail", "failed", "ptc verdict: fail: bad"),
    "lost": seen("print pass", "1 began", "error", LOST, hits=done(KILLED_WORKER)),
    "late": seen("print pass", "1 began", "error", "ptc error: timeout: none"),
    "cut short": seen(f"{RECORDS}; exit 1", SAID, "passed", hits=done(KILLED_WORKER)),
    "killed after its record": seen(
        RECORDS,
        f"{SAID}, 2 began, 2 says pass",
        "passed",
        hits=done(KILLED_AGENT),
        attempts=TWICE,
    ),
}


@pytest.mark.parametrize("name", LAWFUL)
def test_what_a_run_may_do_is_no_breach(name: str) -> None:
    """The storm does not cry wolf."""
    assert breaches(LAWFUL[name]) == []


BREACHES = {
    "has not exactly one outcome": seen("print pass", SAID, "passed", phases=[]),
    "its script says failed": seen("print fail", SAID, "passed"),
    "ended as error, and": seen(
        "print pass", SAID, "error", "no cause: x", hits=done(KILLED_WORKER)
    ),
    "which no agent said": seen("print pass", "1 began", "passed", hits=done(KILLED_WORKER)),
    "no agent said in its last attempt, 2": seen(
        "first exit 3; print pass", "1 began, 1 says pass, 2 began", "passed", attempts=TWICE
    ),
    "acknowledged in attempt 1, and it ended as error": seen(
        RECORDS, SAID, "error", LOST, hits=done(KILLED_WORKER)
    ),
    "attempt 2 began after that": seen(
        RECORDS, f"{SAID}, 2 began, 2 says pass", "passed", attempts=TWICE
    ),
    "two attempts were on at once": seen(
        "print pass", "1 began, 2 began, 1 says pass, 2 says pass", "passed", attempts=TWICE
    ),
    "begun twice": seen("print pass", "1 began, 1 began, 1 says pass", "passed"),
    "more attempts than 2": seen(
        "print pass", "1 began, 2 began, 3 began, 3 says pass", "passed", attempts=TWICE
    ),
    "the journal does not have": seen("print pass", SAID, "passed", attempts={}),
    "outlived its end": seen("print pass", SAID, "passed", outlived=[1]),
    "took 98 s of its 2 s": seen(
        "print pass", SAID, "passed", attempts={1: Told(worker="w1", began=1.0, ended=99.0)}
    ),
    "and what befell it was nothing": seen("print pass", "1 began", "error", LOST),
    "came to pass, and what befell it was a task's file cut": seen(
        f"{RECORDS}; exit 1", SAID, "passed", hits=done("a task's file cut")
    ),
    "its attempts came to [None, None]": seen(
        "print pass", "1 began, 2 began", "error", "ptc error: machinery: x", attempts=TWICE
    ),
    "came to claim lost, and what befell it was a task's file cut": seen(
        "print pass", "1 began", "error", "ptc error: claim lost: x", hits=done("a task's file cut")
    ),
    "last word is fail": seen("print pass", SAID, "passed", last_word="fail"),
}


@pytest.mark.parametrize("breach", BREACHES)
def test_every_breach_is_found(breach: str) -> None:
    """Each rule of the law is broken by an item that keeps the others as far as it can."""
    assert any(breach in told for told in breaches(BREACHES[breach]))


def test_an_item_that_nobody_asked_for_is_a_breach() -> None:
    """What pytest reported and no script knows did not come from this suite."""
    (told,) = violations([], [Phase("a.py::t[odd]", "call", "passed", "")], timeout=1.0)
    assert told == "a.py::t[odd]: nobody asked for this item"


@pytest.mark.parametrize(
    ("steps", "end"),
    [
        ("sleep 1; print pass", Ending("passed")),
        ("record pass; print fail", Ending("failed")),
        ("record fail; exit 1", Ending("failed")),
        ("record pass; exit 1", Ending("error", "contradicted verdict")),
        ("record skip; print pass", Ending("error", "contradicted verdict")),
        ("print error; exit 1", Ending("error", "verdict error")),
        ("record pass; hang", Ending("passed")),
        ("print pass; hang", Ending("error", "timeout")),
        ("first hang; record skip", Ending("skipped")),
        ("first garble; first exit 0; print fail", Ending("failed")),
        ("garble", Ending("error", "malformed verdict")),
        ("exit 3", Ending("error", "agent failed")),
        ("sleep 1", Ending("error", "no verdict")),
    ],
)
def test_a_script_says_how_its_item_ends(steps: str, end: Ending) -> None:
    """What the table of outcomes says of each kind of script."""
    assert ending(Script(name="t1", steps=tuple(steps.split("; "))), 4) == end


def test_a_seed_gives_the_same_scripts_of_all_kinds() -> None:
    """A storm can be had again, and no kind of script is left to luck."""
    one, other = (make_scripts(40, 1.0, random.Random(3)) for _ in range(2))  # noqa: S311
    assert one == other
    kinds = {tuple(step for step in script.steps if "sleep" not in step) for script in one}
    assert len(one) == 40
    assert len(kinds) >= 20
