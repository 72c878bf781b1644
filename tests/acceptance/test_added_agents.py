"""Agents that a suite or another plugin brings."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: A plugin of one file: the hook for pytest's process, and the agent for the worker's.
PLUGIN = """
from pytest_ptc.interfaces.agent_kind import AgentKind, AgentPlan
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.verdicts.recording import Record


def configure(request):
    if request.settings.model == "blind":
        raise ConfigError("oracle: there is no model 'blind'; use another ptc_model")
    return AgentPlan(options={"greeting": f"{request.settings.model} sees"})


def pytest_ptc_agents(config):
    return [AgentKind(name="oracle", make=f"{__name__}:make", configure=configure)]


class Oracle:
    name = "oracle"

    def __init__(self, greeting):
        self.greeting = greeting

    async def prepare(self, spec):
        pass

    async def run(self, job):
        kind = VerdictKind(job.spec.prompt)
        verdict = Verdict(verdict=kind, summary=f"{self.greeting} {kind}")
        job.journal.record(Record(call="1", verdict=verdict))
        return verdict

    async def close(self):
        pass


def make(launch, environ):
    return Oracle(launch.agent.options["greeting"])
"""
TESTS = (
    "@pytest.mark.ptc('pass')\ndef test_pass(): pass\n"
    "@pytest.mark.ptc('fail')\ndef test_fail(): pass\n"
)


def test_a_conftest_adds_an_agent(suite: Suite) -> None:
    """One file is enough: workers find the module where pytest found it."""
    (suite.path / "conftest.py").write_text(PLUGIN)
    suite.write(test_a=TESTS)
    result = suite.spawn("--ptc-agent=oracle", "-o", "ptc_model=crystal")
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*, oracle agent, *", "*crystal sees fail*"])


@pytest.mark.slow
def test_a_plugins_agent_refuses_what_it_cannot_do(suite: Suite) -> None:
    """Before a worker is started, in words of its own; and others are told of its name."""
    suite.pytester.makepyfile(oracles=PLUGIN)
    suite.write(test_a=TESTS)
    result = suite.spawn("-p", "oracles", "--ptc-agent=oracle", "-o", "ptc_model=blind")
    assert result.ret == 4
    result.stderr.fnmatch_lines(["*oracle: there is no model 'blind'; use another ptc_model"])
    assert suite.runs == []
    result = suite.spawn("-p", "oracles", "--ptc-agent=delphi")
    result.stderr.fnmatch_lines(["*'delphi' is not an agent; use claude, command, *, oracle or *"])


@pytest.mark.slow
def test_an_agent_that_only_pytest_finds_is_found_by_workers(suite: Suite) -> None:
    """What `pythonpath` puts on pytest's search path is on a worker's, for further imports too."""
    (suite.path / "tools").mkdir()
    (suite.path / "tools" / "kind.py").write_text("GREETING = 'it'\n")
    plugin = f"import kind\n{PLUGIN}".replace('launch.agent.options["greeting"]', "kind.GREETING")
    (suite.path / "tools" / "oracles.py").write_text(plugin)
    suite.write(test_a=TESTS)
    result = suite.spawn("--ptc-agent=oracles:make", "-o", "pythonpath=tools")
    result.assert_outcomes(passed=1, failed=1)
