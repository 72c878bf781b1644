"""Runs under random faults, and the law they keep; the full size is `python -m tests.storm`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.storm.run import Plan, run_storm

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.fault("storm")
@pytest.mark.slow
def test_a_run_keeps_the_law_in_a_storm(tmp_path: Path) -> None:
    """Whatever is killed or broken, each item ends as its script says or says why it does not."""
    plan = Plan(tasks=40, workers=4, every=0.5, seed=3, longest=0.6, timeout=2.0, patience=120.0)
    aftermath = run_storm(plan, tmp_path / "suite")
    assert not aftermath.violations, aftermath.report()
    # The law holds of a run that gives up at once, too; but that would show nothing.
    assert aftermath.as_scripted >= plan.tasks / 4, aftermath.report()
