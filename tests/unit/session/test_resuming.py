"""Whether a verdict of an earlier run stands, and why not: every row of the decision."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pytest_ptc.model.content import Content
from pytest_ptc.model.result import Attempt, AttemptReport, Kept
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.session.resuming import Earlier, why_not

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
        pytest.param(replace(EARLIER, ended=None), TOUCHED, "nobody lived", id="killed-written"),
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
            replace(EARLIER, begun=None), SAME, "did not look at its files", id="of-an-old-version"
        ),
        pytest.param(EARLIER, Content(problem="no repository"), "no repository", id="refused-now"),
        pytest.param(
            replace(EARLIER, begun=Content(problem="no repository")),
            SAME,
            "could not look at its files: no repository",
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
        pytest.param(replace(EARLIER, agreed=False), SAME, "did not agree", id="reruns-disagree"),
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
