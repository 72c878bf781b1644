from __future__ import annotations

import pytest

from pytest_ptc.reporting.terminal.brief import brief_summary
from tests.support.samples import run_of


@pytest.mark.parametrize("tasks", [1, 60, 3000])
@pytest.mark.parametrize("verbose", [False, True])
def test_a_run_of_any_size_ends_within_the_bound(tasks: int, verbose: bool) -> None:
    """With long sentences for problems, too; totals and the run's id come last."""
    run = run_of(tasks, tasks * 3)
    problems = ["a sentence " * 90] * 20
    lines = brief_summary(run, journal="runs/x", verbose=verbose, problems=problems)
    assert sum(len(line.text) + 1 for line in lines) < 18_000
    assert lines[-1].text.startswith(f"ptc: {tasks}: ")
    assert lines[-1].text.endswith(", run 0f1e2")


def test_the_worst_come_first_and_passes_are_not_listed() -> None:
    """What is left out is counted, with the command that shows it; findings of passes are named."""
    texts = [line.text for line in brief_summary(run_of(3000, 9000), journal="runs/x")]
    kinds = [text.split(" ")[0] for text in texts]
    assert kinds.index("FAIL") == 0
    assert "pass" not in kinds
    assert any(text.endswith("more; rest: ptc results 0f1e2") for text in texts)
    assert any("findings in passing items: " in text for text in texts)
    small = [line.text for line in brief_summary(run_of(60, 180), journal="runs/x")]
    assert any(text.endswith(" (+2 findings)") for text in small)
