"""Every extension point of pytest-ptc.

An agent for one suite needs no hook: `--ptc-agent=package.module:function` names the function that
makes it, which is called in the worker's process as `function(launch, environ)`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.interfaces.agent_kind import AgentKind
    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.model.reports import ReportKind
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings


@pytest.hookspec(firstresult=True)
def pytest_ptc_make_host(config: pytest.Config, settings: Settings, run_id: str) -> Host | None:
    """Return the host that this run's workers live in, or None to let the next plugin choose."""


@pytest.hookspec
def pytest_ptc_agents(config: pytest.Config) -> Sequence[AgentKind] | None:
    """Return the agents that `--ptc-agent` may name besides those that come with the package."""


@pytest.hookspec(historic=True)
def pytest_ptc_reports() -> Sequence[ReportKind] | None:
    """Return reports that a run can write besides those that come with the package.

    Each has an option `--ptc-<name>` and an ini key. `ptc report -p MODULE --<name>=PATH` makes it
    again. It is called when the plugin is registered, before the command line is read.
    """


@pytest.hookspec
def pytest_ptc_result(config: pytest.Config, result: Result) -> None:
    """Called with the result of each task, in pytest's thread, before its item is reported."""
