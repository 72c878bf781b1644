"""What was asked of a cluster: a row for everything that does not fit together."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_ptc.model.errors import ConfigError, MarkerError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.remote.transport import Address
from pytest_ptc.session.dask_choice import (
    carried_variables,
    cluster_address,
    dask_problem,
    node_needs,
    refuse_secrets,
)
from tests.support.settings import settings_with


@pytest.mark.parametrize(
    ("said", "words"),
    [
        ({}, None),
        ({"host": "dask", "dask_scheduler": "local"}, None),
        ({"host": "dask"}, "needs --ptc-dask-scheduler"),
        ({"dask_scheduler": "local"}, "of no use without --ptc-host=dask"),
        # An ini file names the cluster, and the command line another host for once.
        ({"host": "process", "dask_scheduler": "tls://far:8786"}, None),
        (
            {"host": "dask", "dask_scheduler": "local", "interactive": True},
            "--ptc-interactive cannot be used with --ptc-host=dask",
        ),
    ],
)
def test_options_that_do_not_fit_together_are_an_error(
    said: dict[str, Any], words: str | None
) -> None:
    """With what to do instead."""
    problem = dask_problem(settings_with(**said))
    assert problem is None if words is None else words in str(problem)


def test_a_variable_that_is_not_there_cannot_be_carried() -> None:
    """Its absence here would be a key that is missing on every node."""
    settings = settings_with(dask_env=("A", "B", "C"))
    environ = {"A": "1", "B": "2", "C": "3"}
    assert carried_variables(settings, {**environ, "D": "4"}) == environ
    with pytest.raises(ConfigError, match=r"^ptc_dask_env: A, C is not set here"):
        carried_variables(settings, {"B": ""})


def test_the_cluster_is_where_it_was_said_and_secrets_stay_away_from_clear_wires() -> None:
    """Those of variables that are set, of those that are carried, and of commands."""
    environ = {"MY_TOKEN": "canary-4711"}
    said: dict[str, Any] = {"host": "dask", "dask_insecure": True, "dask_scheduler": "tcp://far:1"}
    assert cluster_address(settings_with(**said), environ, {}) == Address("tcp", "far", 1)
    for more, commands in (
        ({"env": ("MY_TOKEN=canary-4711",)}, {}),
        ({"dask_env": ("MY_TOKEN",)}, {}),
        ({}, {"ptc_command": ["judge", "--token=canary-4711"]}),
    ):
        with pytest.raises(ConfigError, match="TOKEN of") as refused:
            cluster_address(settings_with(**said, **more), environ, commands)
        assert "canary" not in str(refused.value)
        tls = said | {"dask_scheduler": "tls://far:1"}
        assert cluster_address(settings_with(**tls, **more), environ, commands) is not None


def test_a_task_with_a_secret_of_its_own_is_refused_where_all_can_read() -> None:
    """By the test and its keyword, the value never."""
    harmless = TaskSpec(nodeid="t.py::a", prompt="p", timeout=1.0, cwd="/", env={"COLOUR": "blue"})
    secret = replace(harmless, nodeid="t.py::b", env={"API_KEY": "canary-4711"})
    refuse_secrets([harmless])
    with pytest.raises(MarkerError, match=r"^t\.py::b: env: .*API_KEY of its keyword env") as told:
        refuse_secrets([harmless, secret])
    assert "canary" not in str(told.value)


@pytest.mark.parametrize(
    ("said", "programs"),
    [
        ({}, {"git"}),
        ({"dask_code": "shared"}, set()),
        ({"dask_code": "shared", "isolation": "worktree"}, {"git"}),
        ({"dask_code": "shared", "dask_node_host": "tmux"}, {"tmux"}),
        ({"dask_node_host": "process"}, {"git"}),
    ],
)
def test_a_node_needs_the_programs_that_the_run_uses_there(
    said: dict[str, Any], programs: set[str]
) -> None:
    """And our version and Python."""
    needs = node_needs(settings_with(**said), "1.2", "abc")
    assert set(needs.programs) == programs
    assert (needs.version, needs.source) == ("1.2", "abc")
