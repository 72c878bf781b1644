"""Every public name as a user's typed suite has it; mypy checks this file with all others.

It is not run. Where a use is wrong on purpose, the error that mypy has to find stands beside it:
with `warn_unused_ignores`, an error that is not found any more is one itself.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from typing_extensions import assert_type

import pytest_ptc
from pytest_ptc import (
    Finding,
    PtcError,
    Severity,
    Verdict,
    VerdictKind,
    command_lines,
    csv_rows,
    files,
    json_items,
    openapi_operations,
)
from pytest_ptc.interfaces.agent_kind import AgentKind
from pytest_ptc.model.reports import ReportKind

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from concurrent.futures import Future

    import pytest

    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.session.coordinator_fixture import PtcCoordinator


def lists_files() -> None:
    """What `parametrize` takes."""
    assert_type(files("src/**/*.py", "lib/**/*.py", exclude="src/vendor/**"), list[Any])
    assert_type(pytest_ptc.files("*.md", exclude=["a.md", "b.md"]), list[Any])
    files(1)  # type: ignore[arg-type]
    files("*.md", excluding="a.md")  # type: ignore[call-arg]


def lists_items_of_sources() -> None:
    """What `parametrize` takes, from a command, CSV, JSON and OpenAPI."""
    assert_type(command_lines("git ls-files '*.md'"), list[Any])
    assert_type(csv_rows("people.csv", "name", "age"), list[Any])
    assert_type(json_items("items.json", "name", pick="data.items"), list[Any])
    assert_type(openapi_operations("openapi.json"), list[Any])
    command_lines(["git"])  # type: ignore[arg-type]
    json_items("items.json", picks="items")  # type: ignore[call-arg]
    openapi_operations()  # type: ignore[call-arg]


def reads_a_verdict(ptc: Verdict) -> None:
    """What the fixture `ptc` is."""
    assert_type(ptc.verdict, VerdictKind)
    assert_type(ptc.summary, str)
    assert_type(ptc.findings, tuple[Finding, ...])
    assert_type(ptc.passed, bool)
    assert_type(ptc.blocking, list[Finding])
    assert_type(ptc.findings_at_least("medium"), list[Finding])
    assert_type(ptc.findings_at_least(Severity.MEDIUM), list[Finding])
    ptc.findings_at_least(3)  # type: ignore[arg-type]
    ptc.summary = "changed"  # type: ignore[misc]
    ptc.sumary  # type: ignore[attr-defined]  # noqa: B018 - the error is the point


def reads_a_finding(finding: Finding) -> None:
    """What a verdict's findings are."""
    assert_type(finding.severity, Severity)
    assert_type(finding.severity.rank, int)
    assert_type(finding.path, str | None)
    assert_type(finding.line, int | None)
    assert_type(finding.location, str)
    finding.path.upper()  # type: ignore[union-attr]


def makes_a_verdict() -> Verdict:
    """What an agent in Python returns."""
    finding = Finding(severity=Severity.HIGH, message="a hole", path="src/x.py", line=3)
    Finding("high", "a hole")  # type: ignore[call-arg, arg-type]
    Finding(severity="high", message="a hole")  # type: ignore[arg-type]
    Verdict(verdict=VerdictKind.PASS)  # type: ignore[call-arg]
    return Verdict(verdict=VerdictKind.FAIL, summary="one hole", findings=(finding,))


def hands_out_work(ptc_coordinator: PtcCoordinator) -> None:
    """What the fixture `ptc_coordinator` is."""
    future: Future[Verdict] = ptc_coordinator.submit("Read {path}.", {"path": "a"}, timeout=60)
    verdicts: Iterator[Verdict] = ptc_coordinator.map("Read {path}.", [{"path": "a"}])
    assert_type(next(verdicts), Verdict)
    try:
        assert_type(future.result(), Verdict)
    except PtcError as error:
        assert_type(str(error), str)
    ptc_coordinator.submit(1)  # type: ignore[arg-type]
    ptc_coordinator.map("Read {path}.", {"path": "a"})  # type: ignore[dict-item]


class Plugin:
    """What a plugin's hooks are given."""

    def pytest_ptc_make_host(
        self, config: pytest.Config, settings: Settings, run_id: str
    ) -> Host | None:
        """Leave the host to others."""
        assert_type(settings.workers, int)
        assert_type(run_id, str)
        config.rootpath.joinpath(run_id)
        return None

    def pytest_ptc_agents(self, config: pytest.Config) -> Sequence[AgentKind] | None:
        """Name an agent."""
        config.rootpath.joinpath("agents")
        AgentKind(name="mine")  # type: ignore[call-arg]
        return [AgentKind(name="mine", make="package.module:function")]

    def pytest_ptc_reports(self) -> Sequence[ReportKind] | None:
        """Name a report."""
        ReportKind("csv")  # type: ignore[call-arg]
        return [ReportKind("csv", "a line for each task,", "package.module:function")]

    def pytest_ptc_result(self, config: pytest.Config, result: Result) -> None:
        """Read how a task ended."""
        assert_type(result.verdict, Verdict | None)
        result.trouble.cause  # type: ignore[union-attr]  # noqa: B018 - the error is the point
        config.rootpath.joinpath(result.task_id)
