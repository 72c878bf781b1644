"""The way of an item to its outcome, and what one book knows of all of them."""

from __future__ import annotations

import itertools
from concurrent.futures import Future
from types import SimpleNamespace
from typing import TYPE_CHECKING, cast

import pytest

from pytest_ptc.model.errors import IllegalMove
from pytest_ptc.model.item_states import ItemState, PhaseReport
from pytest_ptc.session.tickets import MOVES, Ticket, TicketBook, TicketState
from tests.support.results import result

if TYPE_CHECKING:
    from pytest_ptc.collection.marker import MarkedTask
    from pytest_ptc.model.result import Result

PASSED = PhaseReport("call", "passed")
FAILED = PhaseReport("call", "failed")
SET_UP_ERROR = PhaseReport("setup", "error", "why")


class Item:
    """An item; all that a book knows of one is its node id."""

    def __init__(self, nodeid: str) -> None:
        self.nodeid = nodeid


def marked(nodeid: str) -> MarkedTask:
    """Return what a marker asks for, as far as a book knows it."""
    return cast("MarkedTask", SimpleNamespace(nodeid=nodeid, self_test=None))


def book_of(*names: str, needed: str | None = None) -> tuple[TicketBook, list[pytest.Item]]:
    """Return a book with an item for each name, and the items, the needed one last."""
    items = [cast("pytest.Item", Item(name)) for name in names]
    others = [cast("pytest.Item", Item(needed))] if needed else []
    selected = {one: marked(one.nodeid) for one in items}
    book = TicketBook()
    book.enter(
        selected,
        {one: marked(one.nodeid) for one in others},
        {one.nodeid: () for one in (*items, *others)},
    )
    return book, [*items, *others]


def ticket_of(book: TicketBook, one: pytest.Item) -> Ticket:
    """Return the ticket of an item that has one."""
    ticket = book.get(one)
    assert ticket is not None
    return ticket


def run(ticket: Ticket, ended: Result) -> None:
    """Bring an item to its run by this result."""
    if ticket.state is TicketState.COLLECTED:
        ticket.publish(ended.spec, Future())
    ticket.arrive(ended)
    ticket.run()


@pytest.mark.parametrize(("state", "to"), [*itertools.product(TicketState, TicketState)])
def test_only_the_moves_of_the_table_are_made(state: TicketState, to: TicketState) -> None:
    """Every other one is a defect, and says so."""
    if to in MOVES[state]:
        assert state.move(to) is to
    else:
        with pytest.raises(IllegalMove, match="ticket cannot move"):
            state.move(to)


def test_a_result_is_taken_once_and_not_before_there_is_a_task() -> None:
    """So that no late or second arrival changes by what an item has run."""
    book, (one,) = book_of("a")
    ticket = ticket_of(book, one)
    with pytest.raises(IllegalMove):
        ticket.arrive(result("pass"))
    run(ticket, result("fail"))
    with pytest.raises(IllegalMove):
        ticket.arrive(result("pass"))
    assert ticket.result is not None
    assert ticket.item_state is ItemState.UNRESOLVED


def test_an_item_without_a_task_never_has_a_result() -> None:
    """It keeps the reason why."""
    book, (one,) = book_of("a")
    ticket = ticket_of(book, one)
    ticket.give_up("the fixture broke")
    with pytest.raises(IllegalMove):
        ticket.publish(result("pass").spec, Future())
    book.report(ticket, SET_UP_ERROR)
    assert (ticket.problem, ticket.unasked) == ("the fixture broke", True)


def test_an_item_that_is_run_again_needs_another_result() -> None:
    """What the first one came to is kept by its task; the item's own reports begin anew."""
    book, (one,) = book_of("a")
    ticket = ticket_of(book, one)
    run(ticket, failed := result("fail"))
    book.results.append(failed)
    book.report(ticket, FAILED)
    book.publish_again(ticket, Future())
    assert (ticket.state, ticket.result, ticket.reports) == (TicketState.PUBLISHED, None, [])
    assert [(task.task_id, task.state) for task in book.tasks] == [("1", ItemState.FAILED)]
    assert ticket.item_state is ItemState.UNDONE


def test_a_needed_task_is_no_item() -> None:
    """It is published like any other, and nothing is reported of it."""
    book, (one, other) = book_of("a", needed="b")
    assert [(t.marked.nodeid, t.selected) for _, t in book.all()] == [("a", True), ("b", False)]
    assert list(book.selected) == [one]
    assert book.get(other) is None
    assert book.name_of(other) == "b"


def test_a_report_belongs_to_the_item_that_runs() -> None:
    """Two may have the same node id; where none runs, the first is meant."""
    book, (first, second) = book_of("a", "a")
    assert book.reported("a", second) is book.get(second)
    assert book.reported("a", None) is book.get(first)
    assert book.reported("a", cast("pytest.Item", Item("a"))) is None
    assert book.reported("b", second) is None


@pytest.mark.parametrize(
    ("ended", "report", "unjudged"),
    [
        (result(None), SET_UP_ERROR, 1),
        (result("error"), SET_UP_ERROR, 1),
        (result("skip"), SET_UP_ERROR, 1),
        (result("pass"), SET_UP_ERROR, 0),
        (result("fail"), FAILED, 0),
        (result("pass"), PASSED, 0),
    ],
)
def test_errors_of_what_nobody_judged_are_counted(
    ended: Result, report: PhaseReport, unjudged: int
) -> None:
    """By that the exit status is told apart."""
    book, (one,) = book_of("a")
    ticket = ticket_of(book, one)
    run(ticket, ended)
    book.report(ticket, report)
    assert book.unjudged == unjudged


def test_a_marked_item_that_had_no_task_is_counted_once() -> None:
    """In its set-up and in its call it is the same item."""
    book, _ = book_of()
    late = cast("pytest.Item", Item("late"))
    book.refuse(late)
    book.refuse(late)
    assert book.unjudged == 1
