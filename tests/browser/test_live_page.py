"""The page of a run that goes on, in a real browser."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import start, until
from tests.support.suite import Suite, clean_environment, nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.chromium import Chromium

TASKS = """
@pytest.mark.parametrize("n", list(range(14)))
@pytest.mark.ptc("pass looked at {n}")
def test_many(n): pass
@pytest.mark.ptc("touch began\\nwait go\\nfail broken")
def test_late(): pass
@pytest.mark.ptc("wait end\\npass fine")
def test_last(): pass
"""


@pytest.fixture
def suite(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> Iterator[Suite]:
    """A project of its own."""
    clean_environment(pytester, monkeypatch)
    made = Suite(pytester)
    yield made
    nothing_left(made)


def test_a_page_shows_a_new_verdict_and_stays_where_it_is(suite: Suite, chromium: Chromium) -> None:
    """Nobody loads it anew; what is unfolded and where it is scrolled to is as it was."""
    suite.write(test_a=TASKS)
    run = start(suite, "--ptc-workers=3")
    until((suite.path / "began").exists, "the agent")
    until(lambda: len(suite.events("ended")) == 14, "the first verdicts", 60)
    watch = subprocess.Popen(
        [sys.executable, "-m", "pytest_ptc.cli", "watch", "--html"],
        cwd=suite.path,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert watch.stdout is not None
        address = watch.stdout.readline().split()[-1]
        chromium.open(address)
        assert chromium.value("document.body.innerText.includes('broken')") is False
        chromium.value(
            "{ const item = [...document.querySelectorAll('details.item')].at(-1);"
            " item.open = true; window.unfolded = item.id; scrollTo(0, 500); }"
        )
        unfolded = chromium.value("window.unfolded")
        (suite.path / "go").touch()
        chromium.wait_for("document.body && document.body.textContent.includes('broken')")
        chromium.wait_for(f"document.getElementById('{unfolded}')?.open")
        chromium.wait_for("Math.abs(scrollY - 500) < 5")
        assert chromium.said == []
        (suite.path / "end").touch()
        output, _ = run.communicate(timeout=60)
        assert "15 passed" in output
        assert any("has ended: 16 items" in line for line in watch.stdout)
    finally:
        watch.send_signal(2)
        watch.communicate(timeout=30)
        assert watch.returncode == 0
        if run.poll() is None:
            run.terminate()
            run.communicate(timeout=30)
