"""Filling the prompts of items before any of them runs: from markers to complete tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.model.errors import MarkerError
from pytest_ptc.session.live_servers import LiveServers
from pytest_ptc.system import pytest_internals

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.session.tickets import Ticket, TicketBook


def filled_tasks(
    config: pytest.Config, settings: Settings, book: TicketBook, servers: LiveServers
) -> list[tuple[pytest.Item, TaskSpec]]:
    """Return every item that has a task, with the task; the tickets of the others are given up.

    Args:
        config: Pytest's.
        settings: What the user asked.
        book: The items.
        servers: Opens servers that prompts need; where that fails, their items have no task.

    Raises:
        pytest.UsageError: Prompts or options cannot become tasks.
    """
    tasks = []
    problems: list[str] = []
    unopened = _unopened(config, book, servers)
    for item, ticket in book.all():
        try:
            if item in unopened:
                raise unopened[item]  # noqa: TRY301 - as if its own fixture had raised it
            with pytest_internals.captured(config):
                values = pytest_internals.session_fixtures(item, ticket.marked.fixtures)
        except (Exception, pytest.skip.Exception, pytest.fail.Exception) as error:  # noqa: BLE001
            # Whatever a user's fixture raised: pytest raises it again in the item's set-up.
            ticket.give_up(f"a session fixture of its prompt raised {error!r}")
            pytest_internals.ask_for(item, ticket.marked.fixtures)
            continue
        try:
            tasks.append((item, _task(ticket, settings, values)))
        except MarkerError as error:
            problems.append(str(error))
    if problems:
        raise pytest.UsageError("\n".join(problems))
    return tasks


def _task(ticket: Ticket, settings: Settings, values: Mapping[str, Any]) -> TaskSpec:
    wanted = {name: values[name] for name in ticket.marked.fixtures}
    return ticket.marked.spec(settings, wanted, ticket.needs)


def _unopened(
    config: pytest.Config, book: TicketBook, servers: LiveServers
) -> dict[pytest.Item, Exception]:
    """Open servers that prompts need; return the items whose server could not be opened."""
    prompts = {item: ticket.marked.fixtures for item, ticket in book.all()}
    try:
        with pytest_internals.captured(config):
            servers.open_for(prompts)
    except Exception as error:  # noqa: BLE001 - whatever a user's fixture raised
        return {
            item: error
            for item, fixtures in prompts.items()
            if LiveServers.NAME in pytest_internals.fixtures_needed(item, fixtures)
        }
    return {}
