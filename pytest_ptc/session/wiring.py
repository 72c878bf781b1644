"""The plugins of one pytest session with workers: made in order, and registered in order."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from pytest_ptc.session.gatekeeper import Gatekeeper, RunUnderGate
from pytest_ptc.session.hooks import SessionHooks, SetUpBypass
from pytest_ptc.session.promises import Promises
from pytest_ptc.session.publisher import Publisher
from pytest_ptc.session.pytest_place import place_of, session_end
from pytest_ptc.session.report_hooks import Reports
from pytest_ptc.session.run import Run
from pytest_ptc.session.run_lists import list_files
from pytest_ptc.session.sharding import Sharding
from pytest_ptc.session.tickets import TicketBook

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from pytest_ptc.model.reports import ReportKind
    from pytest_ptc.model.settings import Settings


def register_session(
    config: pytest.Config, settings: Settings, reports_there_are: Iterable[ReportKind]
) -> SessionHooks:
    """Make the run of a session and register its plugins; return the one that runs items.

    Args:
        config: Pytest's.
        settings: What the user asked for.
        reports_there_are: Those of the package, and those that plugins have added.

    Raises:
        ConfigError: Something that the settings name is missing, or cannot be met.
    """
    reports = Reports(
        settings,
        config.invocation_params.dir,
        os.environ,
        lambda session: run.story(session_end(session)),
        lambda: run.folder,
        kinds=reports_there_are,
        inputs=list_files(settings, config.rootpath),
    )
    # Before anything can be refused.
    reports.remove_stale()
    sharding = Sharding(config, settings, settings.part) if settings.part is not None else None
    kinds = config.hook.pytest_ptc_agents(config=config)
    run = Run.planned(
        place_of(config, settings),
        settings,
        other_host=lambda run_id: config.hook.pytest_ptc_make_host(
            config=config, settings=settings, run_id=run_id
        ),
        more_agents=[kind for some in kinds for kind in some],
    )
    book, promises = TicketBook(), Promises()
    publisher = Publisher(config, settings, run, book)
    gate = Gatekeeper(config, settings, RunUnderGate(book, promises, publisher, sharding))
    hooks = SessionHooks(
        config,
        settings,
        run=run,
        book=book,
        publisher=publisher,
        gate=gate,
        promises=promises,
        sharding=sharding,
    )
    # Before the hooks, which then put the exit status into the journal when the gate is done.
    config.pluginmanager.register(gate, "ptc-gate")
    config.pluginmanager.register(hooks, "ptc-hooks")
    if sharding is not None:
        # After the gate, so that it deals what all others have selected.
        config.pluginmanager.register(sharding, "ptc-shard")
    # Later ones are called earlier: this one around the set-up of our own hooks.
    config.pluginmanager.register(SetUpBypass(), "ptc-set-up")
    config.pluginmanager.register(reports, "ptc-reports")
    config.pluginmanager.register(publisher.output, "ptc-terminal-output")
    return hooks
