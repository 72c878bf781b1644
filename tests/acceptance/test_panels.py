"""Panels in the middle of things: votes that hang, an item that is stopped, a run that ends."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import ptc
from tests.support.runs import agents_of, start, until

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: The n-th conversation on an item does what the n-th word behind the item's name says. Which one
#: it is, is decided by who makes a folder first.
AGENT = r"""
import json, os, re, signal, sys, time

name, words = re.search(r"ITEM (\w+): ([\w ]+)\.", sys.stdin.read()).groups()
words = words.split()
for n, word in enumerate(words):
    try:
        os.mkdir(f"{name}-{n}")
    except FileExistsError:
        continue
    break
else:
    sys.exit(f"nobody expected another vote on {name}")
if word == "hang":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    open(f"{name}-{n}/hangs", "w").close()
    time.sleep(600)
elif word == "fail_last":
    while not all(os.path.exists(f"{name}-{i}/hangs") for i in range(len(words)) if i != n):
        time.sleep(0.01)
elif word == "wait":
    while not os.path.exists("go"):
        time.sleep(0.01)
said = "fail" if word.startswith("fail") else "pass"
print(json.dumps({"verdict": said, "summary": f"{said} of {n}"}))
"""

TASKS = """
@pytest.mark.ptc("ITEM hung: fail_last hang hang.", votes=3, quorum="all")
def test_hung(): pass
@pytest.mark.ptc("ITEM halted: hang hang.", votes=3)
def test_halted(): pass
@pytest.mark.ptc("ITEM waits: wait wait.", votes=3)
def test_waits(): pass
@pytest.mark.ptc("ITEM dear: pass.", votes=3, budget_usd=2)
def test_dear(): pass
"""


#: Agent `command` tells no costs: no budget holds for it.
CONFTEST = """
from dataclasses import replace
from pytest_ptc.agents.registry import AGENT_KINDS


def pytest_ptc_agents(config):
    (command,) = [kind for kind in AGENT_KINDS if kind.name == "command"]
    return [replace(command, name="dear", limits=("budget_usd",), tells_costs=True)]
"""


@pytest.fixture
def panels(suite: Suite) -> Suite:
    suite.agent.write_text(AGENT)
    return suite


def watching(suite: Suite) -> subprocess.Popen[str]:
    line = [sys.executable, "-m", "pytest_ptc.cli", "watch"]
    return subprocess.Popen(line, cwd=suite.path, stdout=subprocess.PIPE, text=True)


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["tmux"], indirect=True)
def test_votes_that_hang_are_ended_and_an_item_is_stopped_with_all_of_its_votes(
    panels: Suite,
) -> None:
    """What the others have decided is not waited for, and no vote is cast that is not needed."""
    panels.write(test_a=TASKS)
    (panels.path / "conftest.py").write_text(CONFTEST)
    line = ("--ptc-workers=4", "--ptc-agent=dear", "--ptc-budget-usd=1", "--ptc-json=run.json")
    run = start(panels, *line, "-rA")
    for name in ("hung-2", "halted-1", "waits-1"):
        until((panels.path / name).exists, name)
    until((panels.path / "halted-1/hangs").exists, "an agent that hangs")
    # One of the three votes on the first item failed: the two that hang are ended by that.
    until(lambda: len(agents_of(panels)) == 4, "the end of the votes that are not needed")
    _, totals, *workers = ptc(panels, "status").stdout.splitlines()
    assert totals == "1 of 4 done: 1 fail, 2 running, 1 queued"
    assert Counter(line.split()[1] for line in workers) == {"test_halted": 2, "test_waits": 2}
    watch = watching(panels)
    assert watch.stdout is not None
    assert any("1 of 4 done: 1 fail, 2 running, 1 queued" in line for line in watch.stdout)
    watch.send_signal(signal.SIGINT)
    watch.communicate(timeout=30)
    stopped = ptc(panels, "stop", panels.runs[0].name, "halted")
    assert stopped.stdout == f"{panels.runs[0].name}: test_halted: stopped\n", stopped.stderr
    until(lambda: len(agents_of(panels)) == 2, "the end of the votes on the stopped item")
    (panels.path / "go").touch()
    output, _ = run.communicate(timeout=60)
    assert "1 failed" in output
    assert "1 passed" in output
    document = json.loads((panels.path / "run.json").read_text())
    states = {task["nodeid"].partition("::test_")[2]: task for task in document["tasks"]}
    assert [vote["state"] for vote in states["hung"]["votes"]].count("not needed") == 2
    causes = {name: (task["trouble"] or {}).get("cause") for name, task in states.items()}
    assert causes == {"hung": None, "halted": "stopped", "waits": None, "dear": "budget spent"}
    cast = Counter(event["attempt"] for event in panels.events("assigned"))
    assert len(cast) == 7, "three votes, and twice two"
    assert panels.events("worker lost") == []


def test_the_first_panel_that_fails_ends_a_run_that_asks_for_that(panels: Suite) -> None:
    panels.write(
        test_a="""
@pytest.mark.ptc("ITEM fails: fail fail.", votes=3)
def test_fails(): pass
@pytest.mark.ptc("ITEM hangs: hang hang.", votes=3)
def test_hangs(): pass
"""
    )
    result = panels.run("-x", "--ptc-workers=4")
    result.assert_outcomes(failed=1)
    assert agents_of(panels) == []
    assert panels.events("decided")[0]["verdict"]["verdict"] == "fail"
