"""The benchmarks run: what nobody runs for weeks breaks unseen."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.agents.acp.clients import client_named
from tests.bench import agents, client_cpu, reports, resuming, run_command, scale
from tests.bench.figures import Check, table

if TYPE_CHECKING:
    from pathlib import Path


def test_the_cost_of_reports_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small run's reports are all made, its findings all counted."""
    monkeypatch.setattr(reports, "ITEMS", 3)
    monkeypatch.setattr(reports, "ROUNDS", 1)
    lines = table(reports.measure(tmp_path)).splitlines()
    assert any("30 findings over 3 items" in line and line.endswith("| met |") for line in lines)
    parts = ("json", "sarif", "gitlab", "html", "annotations", "step summary")
    assert all(any(f"- {part}, CPU" in line for line in lines) for part in parts)


@pytest.mark.slow
def test_the_cost_of_the_command_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Against the same items in a file; both pass them all."""
    monkeypatch.setattr(run_command, "PAIRS", 1)
    lines = table(run_command.measure(tmp_path)).splitlines()
    assert sum("`ptc run` less the same items" in line for line in lines) == 2


def test_the_cost_of_looks_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a small repository; nothing in it is too much to look at."""
    for name, value in {"FILES": 30, "ROUNDS": 2, "TASKS": 2}.items():
        monkeypatch.setattr(resuming, name, value)
    lines = table(resuming.measure(tmp_path)).splitlines()
    assert sum(" look" in line or "- " in line[2:4] for line in lines) == 4


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told on Linux alone")
def test_the_cost_of_agents_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A client of its own, and a program that sends nothing."""
    monkeypatch.setattr(agents, "ROUNDS", 1)
    monkeypatch.setattr(agents, "TASKS", 2)
    monkeypatch.setattr(agents, "CLIENTS", [client_named("codex")])
    monkeypatch.setattr(agents, "OTHERS", ("command",))
    codex, command = agents.measure(tmp_path)
    assert codex.cells()[:2] == ("acp:codex", "1")
    assert command.cells()[:3] == ("command", "0", "0.0 kB")


@pytest.mark.slow
def test_the_cost_of_very_many_tasks_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In a small run: all items end as scripted, though a worker is lost, with either crew."""
    monkeypatch.setattr(scale, "SIZES", (20, 60))
    monkeypatch.setattr(scale, "WORKERS", 4)
    monkeypatch.setenv("BENCH_ATTEMPT_SECONDS", "0.2")
    rows = list(scale.measure(tmp_path))
    checks = [row for row in rows if isinstance(row, Check)]
    assert [row.problem for row in checks] == [None] * len(checks)
    assert sum("items as scripted" in row.what for row in checks) == 4


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="told on Linux alone")
def test_the_cost_of_a_client_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every client is seen, and every request counted."""
    for name, value in {"ROUNDS": 1, "SMALL": 2, "LARGE": 4, "WORKERS": (2,)}.items():
        monkeypatch.setattr(client_cpu, name, value)
    requests, one_more, _, size = client_cpu.measure(tmp_path)
    assert not requests.missed
    assert "one more task, from 2 to 4" in one_more.cells()[0]
    assert size.cells()[1] == "6"
