"""Results on their way from the coordinator's thread to pytest's, where they enter the book."""

from __future__ import annotations

import contextlib
import queue
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.session.tickets import TicketState

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    import pytest

    from pytest_ptc.model.result import Result
    from pytest_ptc.session.publisher import Publisher
    from pytest_ptc.session.tickets import Ticket


class _Arrival(NamedTuple):
    item: pytest.Item
    ticket: Ticket
    future: Future[Result]


class Arrivals:
    """The results that items wait for.

    Args:
        publisher: Who tells of each result, and shows how far the run is while it is waited for.
    """

    def __init__(self, publisher: Publisher) -> None:
        self._publisher = publisher
        self._queue: queue.SimpleQueue[_Arrival] = queue.SimpleQueue()

    def __repr__(self) -> str:
        return f"<Arrivals {self._queue.qsize()} not taken>"

    def expect(self, item: pytest.Item, ticket: Ticket) -> None:
        """Receive the result of an item's task here; its ticket has a future."""
        assert ticket.future is not None, "it is published"
        ticket.future.add_done_callback(self._put(item, ticket))

    def _put(self, item: pytest.Item, ticket: Ticket) -> Callable[[Future[Result]], None]:
        return lambda future: self._queue.put(_Arrival(item, ticket, future))

    def receive(self, wait: bool) -> list[pytest.Item]:
        """Return the items whose results have come; wait for one if there is none and it may."""
        arrived = self.take()
        while wait and not arrived:
            progress = self._publisher.progress
            progress.show(self._publisher.snapshot)
            with contextlib.suppress(queue.Empty):
                arrived = [self._enter(self._queue.get(timeout=progress.interval))]
        self._publisher.progress.clear()
        return arrived

    def take(self) -> list[pytest.Item]:
        """Return the items whose results have come since."""
        arrived = []
        with contextlib.suppress(queue.Empty):
            while True:
                arrived.append(self._enter(self._queue.get_nowait()))
        return arrived

    def _enter(self, arrival: _Arrival) -> pytest.Item:
        ticket = arrival.ticket
        # An item that somebody has run out of turn has taken its result itself.
        if ticket.state is TicketState.PUBLISHED and ticket.future is arrival.future:
            self.result_of(arrival.item, ticket)
        return arrival.item

    def result_of(self, item: pytest.Item, ticket: Ticket) -> Result:
        """Enter the result of an item's task, and return it; wait for it if it has not come."""
        assert ticket.future is not None, "it is published"
        result = ticket.future.result()
        ticket.arrive(result)
        self._publisher.tell_result(result)
        if not ticket.selected:
            self._publisher.tell_needed(item, result)
        return result
