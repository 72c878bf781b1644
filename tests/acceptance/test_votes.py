"""Items with votes and verification, judged by agents that disagree on purpose."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: The n-th conversation on an item says the n-th word behind the item's name; a verifier says what
#: stands behind `verifiers`. Which one it is, is decided by who makes a folder first.
AGENT = r"""
import json, os, re, signal, sys

text = sys.stdin.read()
checks = "Another reviewer reported a finding" in text
name, words, verifiers = re.search(r"ITEM (\w+): ([\w ]+)\. verifiers ([\w ]*)\.", text).groups()
part = "verifiers" if checks else "votes"
for n, word in enumerate((verifiers if checks else words).split()):
    try:
        os.mkdir(f"{name}-{part}-{n}")
    except FileExistsError:
        continue
    break
else:
    sys.exit(f"nobody expected another one of the {part} of {name}")
if word == "killed":
    os.kill(os.getppid(), signal.SIGKILL)
if word == "malformed":
    print('{"verdict": "perhaps"}')
elif word == "silent":
    print("nothing")
elif checks and word in ("CONFIRMED", "PLAUSIBLE", "REFUTED"):
    data = {"state": word, "quote": "x = 1"}
    print(json.dumps({"verdict": "pass", "summary": "looked", "data": data}))
else:
    findings = []
    if word in ("fail", "noted"):
        line, severity = 10 if n < 2 else 50, "high" if word == "fail" else "info"
        findings = [{"severity": severity, "message": f"bad {n}", "path": "a.py", "line": line}]
    said = {"bare": "fail", "noted": "pass"}.get(word, word)
    print(json.dumps({"verdict": said, "summary": f"{word} of {n}", "findings": findings}))
"""
#: Each item: its votes, its verifiers, the marker's keywords, and what becomes of it.
ITEMS: dict[str, tuple[str, str, dict[str, Any], str]] = {
    "two_pass": ("pass pass", "", {"votes": 3}, "passed"),
    "outvoted": ("pass fail pass", "", {"votes": 3}, "passed"),
    "two_fail": ("fail fail", "", {"votes": 3}, "failed"),
    "split": ("pass fail malformed", "", {"votes": 3}, "error"),
    "lost": ("pass killed silent", "", {"votes": 3}, "error"),
    "all_of": ("pass pass pass", "", {"votes": 3, "quorum": "all"}, "passed"),
    "one_of": ("fail pass", "", {"votes": 3, "quorum": 1}, "passed"),
    "tried_again": ("silent pass pass", "", {"votes": 2, "retries": 1}, "passed"),
    "refuted": ("fail", "REFUTED", {"verify": True}, "passed"),
    "confirmed": ("fail", "CONFIRMED", {"verify": True}, "failed"),
    "unanswered": ("fail", "killed", {"verify": True}, "failed"),
    "both_refuted": ("fail fail", "REFUTED REFUTED", {"votes": 3, "verify": True}, "passed"),
    "one_refuted": ("fail fail", "REFUTED PLAUSIBLE", {"votes": 3, "verify": True}, "failed"),
    "first_of_all": (
        *("fail pass pass", "REFUTED"),
        *({"votes": 3, "quorum": "all", "verify": True}, "passed"),
    ),
    "without_findings": ("bare noted bare", "", {"votes": 3}, "failed"),
    "unexplained": ("error skip", "", {"votes": 2}, "error"),
}


@pytest.fixture
def judged(suite: Suite) -> Suite:
    suite.agent.write_text(AGENT)
    (suite.path / "a.py").write_text("x = 1\n" * 60)
    suite.write(
        test_a="\n".join(
            f"@pytest.mark.ptc('ITEM {name}: {votes}. verifiers {checks}.', **{keywords!r})\n"
            f"def test_{name}(): pass"
            for name, (votes, checks, keywords, _) in ITEMS.items()
        )
    )
    return suite


def test_votes_and_verifiers_decide(judged: Suite) -> None:
    """No more conversations than are needed: the agent refuses one that nobody expects."""
    result = judged.run("--ptc-workers=4", "--ptc-json=run.json", "--ptc-max-worker-restart=9")
    document = json.loads((judged.path / "run.json").read_text())
    states = {task["nodeid"].partition("::test_")[2]: task for task in document["tasks"]}
    assert {name: task["state"] for name, task in states.items()} == {
        name: state for name, (_, _, _, state) in ITEMS.items()
    }, result.stdout.str()
    outvoted = states["outvoted"]
    assert sorted(vote["state"] for vote in outvoted["votes"]) == ["fail", "pass", "pass"]
    (finding,) = outvoted["verdict"]["findings"]
    assert (finding["excuse"], finding["named_by"], finding["votes"]) == ("outvoted", 1, 3)
    (finding,) = states["two_fail"]["verdict"]["findings"]
    assert (finding["blocks"], finding["named_by"]) == (True, 2)
    assert [vote["state"] for vote in states["two_pass"]["votes"]] == ["pass", "pass", "not needed"]
    (finding,) = states["refuted"]["verdict"]["findings"]
    assert (finding["excuse"], finding["why"]) == ("refuted", "x = 1")
    (finding,) = states["unanswered"]["verdict"]["findings"]
    assert (finding["blocks"], finding["check"]) == (True, "not verified: worker lost")
    assert states["split"]["trouble"]["cause"] == "no agreement"
    output = result.stdout.str()
    assert "no agreement - vote 1: " in output
    assert "vote 3: malformed verdict" in output
    assert "high a.py:10 (2 of 3 votes, plausible): bad" in output
    # One of a worker that was killed, and one of an agent that said nothing.
    assert "16 items: 8 pass, 5 fail, 3 error" in output
    # What they name at one line is one finding, which fails the run.
    (merged,) = [one for one in document["findings"] if one["line"] == 10]
    assert (merged["fails"], merged["severity"], merged["judged"]) == (True, "high", 13)
    assert f"in {merged['found_by']} items: test_a.py::test_" in output


def test_votes_that_were_cast_are_kept_and_the_others_are_cast(judged: Suite) -> None:
    """A run that lacked three votes needs three conversations more, and no verifier twice."""
    judged.commit("run.json", *(f"{name}-*" for name in ITEMS))
    chosen = ("-k", "lost or split or two_fail or refuted and not one")
    judged.run(*chosen, "--ptc-max-worker-restart=9")
    for name in ("lost-votes-1", "lost-votes-2", "split-votes-2"):
        (judged.path / name).rmdir()
    result = judged.run(*chosen, "--ptc-resume", "--ptc-json=run.json")
    cast = [event["attempt"] for event in judged.events("assigned")]
    assert len(cast) == 3, result.stdout.str()
    kept = [vote["report"]["verdict"]["verdict"] for vote in judged.events("vote kept")]
    assert sorted(kept) == ["fail"] * 5 + ["pass"] * 2
    # One of a finding that one conversation named, and two of one that two votes named.
    assert len(judged.events("check kept")) == 3
    result.assert_outcomes(passed=2, failed=1, errors=2)

    # In another tree, nothing that anybody said of the old one counts.
    (judged.path / "b.py").write_text("y = 2\n")
    for folder in judged.path.glob("*refuted-*"):
        folder.rmdir()
    judged.run("-k", "refuted and not one", "--ptc-resume").assert_outcomes(passed=2)
    assert judged.events("check kept") == judged.events("vote kept") == judged.events("kept") == []


#: An agent in Python: it says what it is, and which model it was asked for.
IN_PYTHON = """
from pytest_ptc.model.verdict import Verdict, VerdictKind

class Mine:
    name = "mine"

    async def prepare(self, spec):
        pass

    async def run(self, job):
        said = f"mine:{job.spec.model}"
        return Verdict(verdict=VerdictKind.PASS, summary=said, data=said)

    async def close(self):
        pass

def make(launch, environ):
    return Mine()
"""


def test_each_voter_is_an_agent_and_a_model_of_its_own(suite: Suite) -> None:
    """One worker hosts them all; a name that is no agent is refused before anything is started."""
    (suite.path / "mine.py").write_text(IN_PYTHON)
    # Before the colon stands the agent: one that is a place in Python has no model behind it.
    (suite.path / "conftest.py").write_text(
        "from pytest_ptc.interfaces.agent_kind import AgentKind\n"
        "def pytest_ptc_agents():\n"
        "    return [AgentKind(name='mine', make='mine:make')]\n"
    )
    suite.write(
        test_a="""
@pytest.mark.ptc("pass as a command", voters=["mine:a", "command", "mine:b"], quorum="all")
def test_panel(ptc): assert ptc.data == "mine:a"
@pytest.mark.ptc("fail", agent="mine")
def test_item(ptc): assert ptc.data == "mine:None"
"""
    )
    suite.run("--ptc-workers=1", "--ptc-json=run.json").assert_outcomes(passed=2)
    document = json.loads((suite.path / "run.json").read_text())
    votes = next(task["votes"] for task in document["tasks"] if task["votes"])
    assert [(vote["voter"], vote["said"]) for vote in votes] == [
        *(("mine:a", "mine:a"), ("command", "as a command"), ("mine:b", "mine:b"))
    ]
    suite.write(test_a='@pytest.mark.ptc("p", voters=["nobody:x", "mine"])\ndef test_a(): pass\n')
    result = suite.run()
    assert len(suite.runs) == 1
    result.stderr.fnmatch_lines(["*test_a.py::test_a: agent 'nobody': *'nobody' is not an agent*"])
