"""SARIF: valid by its schema, taken by GitHub as it is, and never better than the run."""

from __future__ import annotations

import hashlib
import json
import zlib
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ptc.model.errors import ReportError
from pytest_ptc.model.trouble import Cause
from pytest_ptc.reporting.formats import sarif as module
from pytest_ptc.reporting.formats.gitlab import gitlab_text
from pytest_ptc.reporting.formats.sarif import sarif, sarif_text
from tests.support.documents import Item, finding, run_of

SCHEMA = json.loads((Path(__file__).parents[3] / "data/sarif-2.1.0.schema.json").read_text())
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)

TEXTS = st.text(st.characters(exclude_categories=()), min_size=1, max_size=60).filter(str.strip)
FINDINGS = st.builds(
    finding,
    st.sampled_from(["info", "low", "medium", "high", "critical"]),
    TEXTS,
    path=st.none() | TEXTS,
    line=st.none() | st.integers(min_value=1),
    rule=st.none() | TEXTS,
)
ITEMS = st.builds(
    Item,
    nodeid=TEXTS,
    outcome=st.sampled_from([None, "passed", "failed", "error", "skipped", "xfailed", "xpassed"]),
    verdict=st.sampled_from([None, "pass", "fail", "skip", "error"]),
    findings=st.lists(FINDINGS, max_size=4).map(tuple),
    summary=TEXTS,
    trouble=st.none() | st.tuples(st.sampled_from(Cause), TEXTS),
    event=st.fixed_dictionaries({"xfail": st.none() | TEXTS, "message": st.none() | TEXTS}),
)


def sarif_of(*items: Item, **run: Any) -> dict[str, Any]:
    """Return the SARIF run of these items; the file is valid."""
    made = sarif(run_of(*items, **run))
    VALIDATOR.validate(made)
    (told,) = made["runs"]
    assert isinstance(told, dict)
    return told


def one_of(*items: Item, **run: Any) -> dict[str, Any]:
    """Return the only result of these items."""
    (result,) = sarif_of(*items, **run)["results"]
    assert isinstance(result, dict)
    return result


def test_a_result_has_all_that_code_scanning_uses() -> None:
    """Rule, level, place from the repository's top, words, and what it is about."""
    bad = finding("critical", "It is.", path="src/a b.py", line=9, rule="sql-injection")
    item = Item("t.py::test_a[1]", verdict="fail", outcome="failed", findings=(bad,))
    run = sarif_of(item)
    (result,) = run["results"]
    assert result["ruleId"] == run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"]
    assert (result["ruleId"], result["level"]) == ("sql-injection", "error")
    assert result["message"]["text"] == "It is."
    (location,) = result["locations"]
    assert location["physicalLocation"] == {
        "artifactLocation": {"uri": "src/a%20b.py", "uriBaseId": "%SRCROOT%"},
        "region": {"startLine": 9},
    }
    assert location["logicalLocations"][0]["fullyQualifiedName"] == "t.py::test_a[1]"
    assert result["properties"] == {
        "nodeid": "t.py::test_a[1]",
        "severity": "critical",
        "security-severity": "9.5",
        "verdict": "fail",
        "summary": "so it is",
    }
    assert run["invocations"][0]["executionSuccessful"] is True
    assert run["invocations"][0]["startTimeUtc"] == "2027-01-15T08:00:00.000Z"


@pytest.mark.parametrize(
    ("severity", "level", "score"),
    [
        ("critical", "error", "9.5"),
        ("high", "error", "8.0"),
        ("medium", "warning", "5.5"),
        ("low", "note", "2.0"),
        ("info", "note", None),
    ],
)
def test_severities_are_levels_and_scores(severity: str, level: str, score: str | None) -> None:
    """A rule has a score where all that it found is as bad; without a rule there is none."""
    ruled, plain = finding(severity, rule="r"), finding(severity)
    run = sarif_of(Item(findings=(ruled, plain)))
    assert [result["level"] for result in run["results"]] == [level] * 2
    scores = [result["properties"].get("security-severity") for result in run["results"]]
    assert scores == [score] * 2
    rules = {rule["id"]: rule for rule in run["tool"]["driver"]["rules"]}
    assert rules["r"].get("properties", {}).get("security-severity") == score
    assert "properties" not in rules["ptc/finding"]


def test_a_rule_that_is_bad_and_less_bad_has_no_score() -> None:
    """GitHub would show its least finding as its worst; the level of each says more."""
    run = sarif_of(Item(findings=(finding("high", rule="r"), finding("low", rule="r"))))
    assert [result["level"] for result in run["results"]] == ["error", "note"]
    assert "properties" not in run["tool"]["driver"]["rules"][-1]


def test_our_own_rules_are_there_in_every_run() -> None:
    """A rule that comes and goes would be another set of rules in each upload."""
    rules = sarif_of()["tool"]["driver"]["rules"]
    assert [rule["id"] for rule in rules] == [
        "ptc/finding",
        "ptc/verdict",
        "ptc/test",
        "ptc/judge",
        "ptc/error",
    ]
    assert all(rule[part]["text"] for rule in rules for part in ("shortDescription", "help"))


@pytest.mark.parametrize(
    ("item", "run", "causes"),
    [
        pytest.param(
            Item(trouble=("worker lost", "w1 died"), outcome="error"), {}, ["worker-lost"], id="one"
        ),
        pytest.param(Item(verdict="error", outcome="error"), {}, ["verdict-error"], id="verdict"),
        pytest.param(Item(outcome="error"), {}, ["error-in-call"], id="set-up"),
        pytest.param(
            Item(verdict=None, outcome=None),
            {"over": False},
            ["run-not-complete", "not-judged"],
            id="killed",
        ),
    ],
)
def test_what_nobody_judged_is_never_a_clean_result(
    item: Item, run: dict[str, Any], causes: list[str]
) -> None:
    """The invocation failed, says why, and the item has a result as bad as a failure."""
    told = sarif_of(item, Item("t.py::test_b"), **run)
    (invocation,) = told["invocations"]
    assert invocation["executionSuccessful"] is False
    notes = invocation["toolExecutionNotifications"]
    assert [note["descriptor"]["id"] for note in notes] == causes
    assert [rule["id"] for rule in told["tool"]["driver"]["notifications"]] == causes
    assert all(note["level"] == "error" for note in notes)
    (result,) = told["results"]
    assert (result["ruleId"], result["level"]) == ("ptc/error", "error")


def test_a_run_that_was_stopped_is_not_successful() -> None:
    """Why it began nothing more is said, though all that it began has ended."""
    made = replace(run_of(Item()), stopped="the budget is spent")
    (invocation,) = sarif(made)["runs"][0]["invocations"]
    assert invocation["executionSuccessful"] is False
    note, _ = invocation["toolExecutionNotifications"]
    assert note["message"]["text"] == "the run was stopped: the budget is spent"


@pytest.mark.parametrize(
    ("reason", "why"),
    [
        ("see #7", "the test is expected to fail: see #7"),
        ("", "the test is expected to fail"),
    ],
)
def test_what_was_expected_is_suppressed(reason: str, why: str) -> None:
    """With the reason that the test gives; all else says that it is not suppressed."""
    known = Item("t.py::test_a", "xfailed", "fail", event={"xfail": reason})
    run = sarif_of(known, Item("t.py::test_b", "failed", "fail", (finding("low"),)))
    suppressions = {
        result["properties"]["nodeid"]: result["suppressions"] for result in run["results"]
    }
    assert suppressions == {
        "t.py::test_a": [{"kind": "external", "status": "accepted", "justification": why}],
        "t.py::test_b": [],
    }


def test_every_result_has_a_place_or_github_takes_none_of_them() -> None:
    """Without a file in the repository it is the test's; what the agent named is in the words."""
    outside = finding("high", path="/etc/passwd", line=3)
    run = sarif_of(Item(line=40, findings=(outside, finding("low"))))
    places = [result["locations"][0]["physicalLocation"] for result in run["results"]]
    assert {place["artifactLocation"]["uri"] for place in places} == {"test_a.py"}
    assert [place["region"] for place in places] == [{"startLine": 40}] * 2
    assert run["results"][0]["message"]["text"] == "m\n(in /etc/passwd:3)"
    nowhere = Item("../t.py::test_a", findings=(outside,))
    (place,) = one_of(nowhere)["locations"]
    assert place["physicalLocation"]["artifactLocation"]["uri"] == "README.md"
    with pytest.raises(ReportError, match="test_a: neither its finding nor its test"):
        sarif_text(run_of(nowhere, anchor=None))
    with pytest.raises(ReportError, match="test_a: neither its finding nor its test"):
        gitlab_text(run_of(nowhere, anchor=None))


@pytest.mark.parametrize(
    ("findings", "github"),
    [
        pytest.param((finding("low", path="a.py", line=3),), False, id="a-line-of-its-own"),
        pytest.param(
            (finding("low", path="a.py", line=3, rule="r"), finding("low", path="a.py", line=3)),
            False,
            id="another-rule",
        ),
        pytest.param(
            (finding("low", "m", path="a.py", line=3), finding("low", "n", path="a.py", line=3)),
            True,
            id="one-line-twice",
        ),
        pytest.param((finding("low", path="a.py"),), True, id="no-line"),
        pytest.param((finding("low"),), True, id="no-file"),
    ],
)
def test_github_takes_no_two_findings_for_one(
    findings: tuple[dict[str, Any], ...], github: bool
) -> None:
    """Its own hash is of the line's text: it is left to it only where the line has one finding."""
    results = sarif_of(Item(findings=findings))["results"]
    for result in results:
        prints = result["partialFingerprints"]
        assert ("primaryLocationLineHash" in prints) is github
        assert len(set(prints.values())) == 1
    assert len({result["partialFingerprints"]["pytestPtc/v2"] for result in results}) == len(
        findings
    )


def test_no_text_of_an_agent_is_a_link() -> None:
    """SARIF's plain messages have links, `[text](place)`; ours have none."""
    result = one_of(Item(findings=(finding("low", "see [this](http://evil.example/) and [0](1)"),)))
    assert result["message"]["text"] == "see [this] (http://evil.example/) and [0] (1)"


@settings(max_examples=80)
@given(st.lists(ITEMS, max_size=4), st.booleans())
def test_whatever_agents_say_is_valid(items: list[Item], over: bool) -> None:
    """The schema holds, a path comes back as it was, and every word can be encoded."""
    made = json.loads(json.dumps(sarif(run_of(*items, over=over))))
    VALIDATOR.validate(made)
    json.dumps(made, ensure_ascii=False).encode()
    for result in made["runs"][0]["results"]:
        assert result["message"]["text"].strip()
        for location in result["locations"]:
            place = location.get("physicalLocation")
            if place is not None:
                uri = place["artifactLocation"]["uri"]
                assert uri.isascii()
                assert not uri.startswith(("/", "../", "./"))
                assert ":" not in uri
                assert uri.count("/") == unquote(uri).count("/")
                assert 1 <= place["region"]["startLine"] < 2**31


def test_the_worst_stay_and_the_rest_is_counted() -> None:
    """GitHub shows 5,000 results, and refuses a file with five times as many."""
    findings = tuple(finding("low", str(number), rule=f"r{number}") for number in range(5100))
    # Not validated: the schema of 5,000 results takes minutes.
    (run,) = sarif(run_of(Item(findings=(*findings, finding("high", "the worst")))))["runs"]
    assert len(run["results"]) == 5000
    assert run["results"][0]["message"]["text"] == "the worst"
    assert len(run["tool"]["driver"]["rules"]) == 4999 + 5
    assert run["properties"]["resultsLeftOut"] == 101
    (note,) = run["invocations"][0]["toolExecutionNotifications"]
    assert note["level"] == "warning"
    assert note["message"]["text"].startswith("101 results left out")
    assert run["invocations"][0]["executionSuccessful"] is True


def test_a_file_is_small_enough_to_upload(monkeypatch: pytest.MonkeyPatch) -> None:
    """Results are left out until it is, the least ones first, and that is said."""
    monkeypatch.setattr(module, "MAX_BYTES", 20_000)
    words = [hashlib.shake_256(bytes([number])).hexdigest(200) for number in range(200)]
    severities = ["high"] + ["low"] * 199
    findings = map(finding, severities, words)
    text = sarif_text(run_of(Item(findings=tuple(findings))))
    assert len(zlib.compress(text.encode())) <= 20_000 < len(text)
    (run,) = json.loads(text)["runs"]
    assert run["results"][0]["level"] == "error"
    assert 0 < len(run["results"]) == 200 - run["properties"]["resultsLeftOut"] < 200
