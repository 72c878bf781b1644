"""Whether a verdict of an earlier run stands, and why not: every row of the decision."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.journal.events import RunEnded
from pytest_ptc.model.content import Content
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.result import Attempt, AttemptReport, Kept
from pytest_ptc.model.self_test import SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.runs.recorded import open_runs
from pytest_ptc.runs.state import RefusedRun
from pytest_ptc.session.resuming import (
    LAST,
    Earlier,
    are_decided,
    run_to_resume,
    stale_tests,
    why_not,
    without_needs,
)
from pytest_ptc.system.machine import boot_id, process_space
from pytest_ptc.system.processes import ProcessIdentity
from tests.support.journals import KEY, began, write_story

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.runs.recorded import RecordedRun

KEPT = Kept(
    run_id="r",
    report=AttemptReport(
        attempt=Attempt(task_id="1", number=1, worker="w1"),
        seconds=1.0,
        verdict=Verdict(verdict=VerdictKind.PASS, summary="s"),
    ),
)
PARTS = {"prompt": "p", "settings": "s", "agent: program": "a", "agent: packages": "b"}
SAME = Content(tree="t", named="n", agent="a", stat="0")
EARLIER = Earlier(kept=KEPT, parts=PARTS, begun=SAME, ended=SAME)
#: The same content, in files that were written since.
TOUCHED = replace(SAME, stat="1")
OTHER = replace(SAME, tree="u", stat="1")


@pytest.mark.parametrize(
    ("earlier", "now", "reason"),
    [
        pytest.param(EARLIER, SAME, None, id="nothing-changed"),
        pytest.param(EARLIER, TOUCHED, None, id="written-since-with-the-same-content"),
        pytest.param(replace(EARLIER, ended=None), SAME, None, id="killed-and-nothing-written"),
        pytest.param(
            replace(EARLIER, ended=None), TOUCHED, "was killed before", id="killed-written"
        ),
        pytest.param(EARLIER, OTHER, "the tree changed", id="changed-since"),
        pytest.param(
            EARLIER, replace(SAME, named="m"), "files that its words name changed", id="named"
        ),
        pytest.param(EARLIER, replace(SAME, agent="b"), "the agent changed", id="agent"),
        pytest.param(
            replace(EARLIER, ended=OTHER), TOUCHED, "changed while it ran", id="changed-meanwhile"
        ),
        pytest.param(
            replace(EARLIER, ended=replace(SAME, stat="2")),
            TOUCHED,
            "and put back",
            id="put-back-meanwhile",
        ),
        pytest.param(replace(EARLIER, ended=OTHER), OTHER, "the tree changed", id="judged-at-end"),
        pytest.param(
            replace(EARLIER, begun=None), SAME, "did not record its files", id="of-an-old-version"
        ),
        pytest.param(EARLIER, Content(problem="no repository"), "no repository", id="refused-now"),
        pytest.param(
            replace(EARLIER, begun=Content(problem="no repository")),
            SAME,
            "could not read its files: no repository",
            id="refused-then",
        ),
        pytest.param(
            replace(EARLIER, ended=Content(problem="too much")),
            TOUCHED,
            "at the end: too much",
            id="refused-at-its-end",
        ),
        pytest.param(
            replace(EARLIER, begun=Content(problem="x"), ended=Content(problem="x")),
            Content(problem="x"),
            "x",
            id="refused-is-never-equal",
        ),
        pytest.param(
            replace(EARLIER, agreed=False), SAME, "with different verdicts", id="reruns-disagree"
        ),
        pytest.param(
            replace(EARLIER, parts={**PARTS, "prompt": "q"}), SAME, "the prompt changed", id="part"
        ),
        pytest.param(
            replace(EARLIER, parts={"prompt": "p", "settings": "s"}),
            SAME,
            "the agent (program, packages) changed",
            id="parts-of-the-agent",
        ),
        pytest.param(replace(EARLIER, parts={}), SAME, "changed", id="no-parts"),
    ],
)
def test_why_a_verdict_does_not_stand(earlier: Earlier, now: Content, reason: str | None) -> None:
    """It stands where everything is shown to be the same, and nowhere else."""
    change = why_not(earlier, PARTS, now)
    assert (change is None) == (reason is None)
    if reason is not None:
        assert change is not None
        assert reason in change.what


@pytest.mark.parametrize(
    ("needs", "kept", "fresh"),
    [
        ({"a": (), "b": ()}, ["a", "b"], []),
        ({"a": (), "b": ("a",)}, ["a", "b"], []),
        ({"a": (), "b": ("a",)}, ["b"], ["b"]),
        ({"a": (), "b": ("a",), "c": ("b",)}, ["b", "c"], ["b", "c"]),
        ({"a": (), "b": (), "c": ("a", "b")}, ["a", "c"], ["c"]),
        ({"a": ("gone",), "b": ()}, ["a", "b"], ["a"]),
        ({"a": (), "b": ("a",)}, [], []),
    ],
)
def test_what_needs_a_task_that_is_run_again_is_run_again(
    needs: dict[str, tuple[str, ...]], kept: list[str], fresh: list[str]
) -> None:
    """Through any number of tasks; a need that nobody answers is not met either."""
    assert without_needs(needs, kept) == fresh


ITEM = TaskSpec(nodeid="item", prompt="p", timeout=1, cwd="/")
TEST = replace(ITEM, nodeid="test", self_test=SelfTest(kind="control"))


@pytest.mark.parametrize(
    ("specs", "kept", "stale"),
    [
        ([ITEM, TEST], ["item", "test"], []),
        ([ITEM, TEST], ["test"], ["test"]),
        ([ITEM, TEST], [], ["test"]),
        # Another test of the judge alone says nothing of this one.
        ([TEST, replace(TEST, nodeid="other")], ["test"], []),
        ([TEST], ["test"], []),
    ],
)
def test_a_run_that_judges_tests_its_judge_anew(
    specs: list[TaskSpec], kept: list[str], stale: list[str]
) -> None:
    """A kept verdict on a planted defect says that another run's judge could see."""
    assert stale_tests(specs, kept) == stale


def vote(kind: VerdictKind) -> Kept:
    """Return a kept vote."""
    verdict = Verdict(verdict=kind, summary="s")
    return replace(KEPT, report=replace(KEPT.report, verdict=verdict))


@pytest.mark.parametrize(
    ("votes", "cast", "decided"),
    [
        (1, "", False),
        (1, "p", True),
        (3, "p", False),
        (3, "pp", True),
        (3, "pf", False),
        (3, "ff", True),
    ],
)
def test_kept_votes_decide_or_more_are_asked_for(votes: int, cast: str, decided: bool) -> None:
    """By then a judge works in this run."""
    kinds = {"p": VerdictKind.PASS, "f": VerdictKind.FAIL}
    kept = {number: vote(kinds[one]) for number, one in enumerate(cast, 1)}
    assert are_decided(replace(ITEM, votes=votes), kept) is decided


class Runs:
    """A project's runs, with journals that verify unless they are broken.

    Args:
        root: The project's root directory.
    """

    def __init__(self, root: Path) -> None:
        self._root = root
        self._folder = root / ".pytest_cache/d/ptc/runs"

    def end(self, run_id: str) -> None:
        """Add a run that has ended."""
        write_story(self._folder / run_id, [began(run_id=run_id), RunEnded(seconds=1.0)])

    def kill(self, run_id: str) -> None:
        """Add a run whose process is gone."""
        write_story(self._folder / run_id, [began(run_id=run_id)])

    def start(self, run_id: str) -> None:
        """Add a run of this process."""
        ourselves = ProcessIdentity.of(os.getpid())
        assert ourselves is not None
        event = began(
            run_id=run_id,
            pid=ourselves.pid,
            created=ourselves.created,
            boot=boot_id(),
            process_space=process_space(),
        )
        write_story(self._folder / run_id, [event])

    def refuse(self, run_id: str) -> None:
        """Add a run whose journal another key has sealed."""
        write_story(self._folder / run_id, [began(run_id=run_id)], key=bytes(32))

    def found(self) -> list[RecordedRun | RefusedRun]:
        """Return them, oldest first."""
        return open_runs(self._folder, self._root, KEY)


@pytest.fixture
def runs(tmp_path: Path) -> Runs:
    """Give the test a project without any run."""
    return Runs(tmp_path)


def test_where_there_is_no_run_there_is_none_to_take_up(runs: Runs) -> None:
    """That is no error: the first run of a pipeline may say `--ptc-resume`, too."""
    assert run_to_resume(runs.found(), LAST) is None


@pytest.mark.parametrize("how", ["end", "kill", "refuse"])
def test_the_last_run_is_taken_up_whatever_became_of_it(runs: Runs, how: str) -> None:
    """No older one where it is refused: somebody may want that one to be taken."""
    runs.end("20270101-000000-000aa")
    getattr(runs, how)("20270102-000000-000bb")
    run = run_to_resume(runs.found(), LAST)
    assert run is not None
    assert run.run_id == "20270102-000000-000bb"
    assert isinstance(run, RefusedRun) == (how == "refuse")


def test_a_run_is_named_by_the_end_of_its_id(runs: Runs) -> None:
    """If that is one run's, and its journal is believed."""
    for run_id in ("20270101-000000-000aa", "20270102-000000-000aa", "20270103-000000-000bb"):
        runs.end(run_id)
    runs.refuse("20270104-000000-000cc")
    found = runs.found()
    named = run_to_resume(found, "000bb")
    assert named is not None
    assert named.run_id == "20270103-000000-000bb"
    for wanted, words in [
        ("000aa", "20270101-000000-000aa, 20270102-000000-000aa"),
        ("000dd", "no run has an id that ends in .000dd"),
        ("000cc", "20270104-000000-000cc"),
    ]:
        with pytest.raises(ConfigError, match=f"--ptc-resume: .*{words}"):
            run_to_resume(found, wanted)


@pytest.mark.parametrize("wanted", [LAST, "000bb"])
def test_a_run_that_is_active_is_not_taken_up(runs: Runs, wanted: str) -> None:
    """Two runs would do the same tasks."""
    runs.end("20270101-000000-000aa")
    runs.start("20270102-000000-000bb")
    with pytest.raises(ConfigError, match="20270102-000000-000bb is still active"):
        run_to_resume(runs.found(), wanted)
