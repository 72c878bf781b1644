"""The law that a run keeps whatever befalls it. Pure: it judges what was seen, and does nothing.

It goes by what the agents themselves noted, each before and after its acts, by what pytest
reported, and by the faults that were done. The run's journal is believed only in who worked on
what, and when.

 1. Every item has exactly one outcome: passed, failed, skipped or error; no other item has any.
 2. The outcome is the one that the item's script says, or an error that names a cause of
    `Cause`. So a script that says fail is never passed or skipped. If the script
    contradicts a verdict that it has recorded, and its worker was lost before that was seen, the
    recorded verdict may stand.
 3. A verdict is the outcome only if an agent gave it: the note that it was about to, in the last
    attempt that began, is there.
 4. What `ptc record` has acknowledged is the outcome. It is not only if its agent went against it:
    by its script; or, for pass and skip, because a fault killed the agent, whose exit status
    contradicts these as that of any program does.
 5. After that acknowledgement, with the same exceptions, no further attempt begins.
 6. Attempts come one after the other, each at most once, and no more than were allowed; each is in
    the journal before it begins, and nothing that its agent has started goes on after its end
    there. None takes longer than its time and what a worker is left that does not answer.
 7. An attempt comes to trouble only by its script, or by a fault that hit it and can have this
    effect. But its time may be up all the same where the machine has much else to do, and a run
    whose workers die faster than they start gives up.
 8. The journal's last word on each task is its item's outcome.
 9. Pytest ends by itself, in time, with the exit status of its outcomes.
10. Nothing is left: no process, tmux server, socket, lock, task or scratch folder.

The last two are judged where the run ends, in `run.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.coordinator.deadlines import STUCK_AFTER_S
from pytest_ptc.model.trouble import Cause
from tests.storm.faults import FAULTS, KILLED_AGENT
from tests.storm.scripts import OUTCOMES, VERDICT_ERROR, Ending, attempt_ending

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from tests.storm.faults import Strike
    from tests.storm.items import Item
    from tests.storm.story import Told
    from tests.storm.suite import Phase

#: Seconds that an attempt may take beyond its time: those after which its worker is taken as stuck,
#: and those that it takes to end what is left of that, one after the other where many are lost.
_OVERTIME = STUCK_AFTER_S + 20.0


def violations(items: Sequence[Item], phases: Sequence[Phase], timeout: float) -> list[str]:
    """Return every breach of the law, one sentence each.

    Args:
        items: The items.
        phases: All that pytest reported.
        timeout: How many seconds an attempt may take.
    """
    known = {item.script.name for item in items}
    strangers = dict.fromkeys(phase.nodeid for phase in phases if phase.item not in known)
    return [f"{nodeid}: nobody asked for this item" for nodeid in strangers] + [
        f"{item.script.name} ({'; '.join(item.script.steps)}): {breach}"
        for item in items
        for breach in _breaches(item, timeout)
    ]


def _breaches(item: Item, timeout: float) -> Iterator[str]:
    yield from _goes_one_attempt_after_the_other(item)
    yield from _is_not_done_again(item)
    yield from _takes_no_longer_than_it_may(item, timeout)
    yield from _comes_to_trouble_for_a_reason(item, timeout)
    if item.ended is None:
        told = ", ".join(f"{phase.when} {phase.outcome}" for phase in item.phases) or "nothing"
        yield f"it has not exactly one outcome; pytest reported {told}"
        return
    yield from _ends_as_its_script_says(item, item.ended)
    yield from _was_said_by_an_agent(item, item.ended)
    yield from _keeps_what_was_acknowledged(item, item.ended)
    yield from _has_its_error_from_an_attempt(item, item.ended)
    yield from _is_in_the_journal(item, item.ended)


def _ends_as_its_script_says(item: Item, ended: Ending) -> Iterator[str]:
    if ended == item.expected or (ended.outcome == "error" and ended.cause):
        return
    # Also what was recorded just before there was nobody left to acknowledge it to.
    recorded = [Ending(OUTCOMES[note.kind]) for note in item.notes if note.what == "says"]
    if not (item.script.contradicts_itself and ended in recorded):
        yield f"it ended as {_told(ended)}, and its script says {_told(item.expected)}"


def _was_said_by_an_agent(item: Item, ended: Ending) -> Iterator[str]:
    last = item.begun[-1] if item.begun else 0
    said = [note.kind for note in item.notes if note.what == "says" and note.attempt == last]
    if ended.outcome != "error" and ended.outcome not in (OUTCOMES[kind] for kind in said):
        yield f"it ended as {_told(ended)}, which no agent said in its last attempt, {last}"


def _keeps_what_was_acknowledged(item: Item, ended: Ending) -> Iterator[str]:
    for note in item.acknowledged:
        wanted = Ending(OUTCOMES[note.kind], VERDICT_ERROR if note.kind == "error" else None)
        if ended != wanted:
            yield f"{_acknowledgement(note.kind, note.attempt)}, and it ended as {_told(ended)}"


def _is_not_done_again(item: Item) -> Iterator[str]:
    for note in item.acknowledged:
        for number in item.begun:
            if number > note.attempt:
                told = _acknowledgement(note.kind, note.attempt)
                yield f"{told}, and attempt {number} began after that"


def _goes_one_attempt_after_the_other(item: Item) -> Iterator[str]:
    numbers = [note.attempt for note in item.notes]
    if numbers != sorted(numbers):
        yield f"two attempts were on at once: notes of attempts {numbers}"
    if len(set(item.begun)) != len(item.begun):
        yield f"an attempt was begun twice: {item.begun}"
    if any(number > item.allowed for number in item.begun):
        yield f"it had more attempts than {item.allowed}: {item.begun}"
    if unknown := set(item.begun) - item.attempts.keys():
        yield f"attempts that the journal does not have: {sorted(unknown)}"
    for number in item.outlived:
        yield f"something of attempt {number} outlived its end in the journal"


def _takes_no_longer_than_it_may(item: Item, timeout: float) -> Iterator[str]:
    for number, told in item.attempts.items():
        if told.seconds > timeout + _OVERTIME:
            yield f"attempt {number} took {told.seconds:.0f} s of its {timeout:g} s"


def _comes_to_trouble_for_a_reason(item: Item, timeout: float) -> Iterator[str]:
    for number, told in item.attempts.items():
        scripted = attempt_ending(item.script.steps, number).cause
        if told.word in (None, scripted, Cause.TIMEOUT):
            continue
        verdict = told.word in OUTCOMES
        if verdict and scripted != Cause.CONTRADICTED:
            continue
        if told.seconds >= timeout and (verdict or told.word in FAULTS[KILLED_AGENT].causes):
            # Its time was up: before its agent contradicted itself, or as it recorded.
            continue
        # A verdict that its agent was to contradict was cut short before that.
        wanted = Cause.WORKER_LOST if verdict else told.word
        hits = [strike for strike in item.hits if _hits(strike, number, told)]
        if not any(wanted in strike.causes for strike in hits):
            done = ", ".join(strike.kind for strike in hits) or "nothing"
            yield f"attempt {number} came to {told.word}, and what befell it was {done}"


def _hits(strike: Strike, number: int, told: Told) -> bool:
    """Tell whether a fault that hit an item hit this attempt at it."""
    if told.ended is not None and strike.at > told.ended:
        return False
    hit = strike.hit
    of_it = hit.attempt is not None and hit.attempt[1] == number
    return of_it or bool(hit.tasks) or told.worker in hit.workers


def _has_its_error_from_an_attempt(item: Item, ended: Ending) -> Iterator[str]:
    if ended.outcome != "error" or ended.cause in (None, Cause.NO_WORKERS):
        return
    words = [told.word for told in item.attempts.values()]
    if ("error" if ended.cause == VERDICT_ERROR else ended.cause) not in words:
        yield f"it ended as {_told(ended)}, and its attempts came to {words}"


def _is_in_the_journal(item: Item, ended: Ending) -> Iterator[str]:
    said = {outcome: kind for kind, outcome in OUTCOMES.items()}[ended.outcome]
    wanted = said if ended.cause in (None, VERDICT_ERROR) else ended.cause
    if item.last_word != wanted:
        yield f"it ended as {_told(ended)}, and the journal's last word is {item.last_word}"


def _acknowledgement(kind: str, attempt: int) -> str:
    return f"`ptc record {kind}` was acknowledged in attempt {attempt}"


def _told(ended: Ending) -> str:
    return ended.outcome if ended.cause is None else f"{ended.outcome} ({ended.cause})"
