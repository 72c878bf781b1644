"""Reports that are not ours: JUnit XML is pytest's own, and CTRF a plugin's."""

from __future__ import annotations

import base64
import html
import json
from pathlib import Path
from typing import TYPE_CHECKING
from xml.etree import ElementTree as ET

import pytest
import xmlschema

from tests.support.reported import FINDING, marked

if TYPE_CHECKING:
    from tests.support.suite import Suite

XSD = Path(__file__).parents[1] / "data/junit-10.xsd"

#: A test of each kind of outcome.
ALL = (
    marked("passes", f"say {FINDING % ('pass', 'low', 'a.py')}")
    + marked("fails", f"say {FINDING % ('fail', 'high', 'b.py')}")
    + marked("skips", "skip not here")
    + marked("errs", "error could not")
    + marked("trouble", "say working", "exit 0", keywords=", retries=1")
    + marked("body", "pass", body="assert 0")
    + "@pytest.mark.xfail(reason='see #7')\n"
    + marked("known", "fail as known")
)


#: What an agent does whose first attempt fails, whatever it says after that.
FIRST_FAILS = "first began record fail|--summary|no"


def cases(suite: Suite) -> dict[str, ET.Element]:
    """Return the test cases of the suite's JUnit report, by their names."""
    root = ET.parse(suite.path / "junit.xml").getroot()  # noqa: S314 - pytest wrote it
    return {case.attrib["name"].removeprefix("test_"): case for case in root.iter("testcase")}


def properties(case: ET.Element) -> dict[str, str]:
    """Return a test case's properties."""
    return {one.attrib["name"]: one.attrib["value"] for one in case.iter("property")}


def test_junit_xml_is_valid_and_begins_with_the_verdict(suite: Suite) -> None:
    """By the schema that pytest holds its own to; the message's first line says it all."""
    suite.write(test_a=ALL)
    suite.run("--junitxml=junit.xml").assert_outcomes(
        passed=1, failed=2, errors=2, skipped=1, xfailed=1
    )
    xmlschema.XMLSchema(XSD).validate(suite.path / "junit.xml")
    found = cases(suite)
    messages = {
        name: case[0].attrib["message"].splitlines()[0] for name, case in found.items() if len(case)
    }
    # What pytest puts before it depends on pytest.
    assert messages["fails"].endswith("ptc verdict: fail - s")
    assert messages["errs"].endswith("ptc verdict: error - could not")
    assert "ptc error: no verdict - the agent ended" in messages["trouble"]
    assert (messages["skips"], messages["known"]) == ("not here", "see #7")
    assert not any(map(properties, found.values()))


@pytest.mark.filterwarnings("error")
@pytest.mark.slow
def test_properties_tell_of_each_task_where_they_are_asked_for(suite: Suite) -> None:
    """Verdict, worker, attempts, and the run that a verdict is of; the strict schema has none."""
    suite.write(test_a=ALL)
    suite.commit("junit.xml")
    suite.run("--junitxml=junit.xml", "--ptc-properties")
    found = {name: properties(case) for name, case in cases(suite).items()}
    workers = [entry.pop("ptc_worker") for entry in found.values()]
    assert set(workers) <= {"w1", "w2"}
    trouble = {"ptc_verdict": "error", "ptc_attempts": "2", "ptc_state": "error"}
    assert found["trouble"] == trouble
    states = {name: entry["ptc_state"] for name, entry in found.items()}
    assert (states["passes"], states["body"], states["known"]) == ("passed", "failed", "xfailed")
    verdicts = {name: entry["ptc_verdict"] for name, entry in found.items()}
    assert verdicts == {
        "passes": "pass",
        "fails": "fail",
        "skips": "skip",
        "errs": "error",
        "trouble": "error",
        "body": "pass",
        "known": "fail",
    }
    assert not xmlschema.XMLSchema(XSD).is_valid(suite.path / "junit.xml")
    suite.run("--junitxml=junit.xml", "--ptc-properties", "--ptc-resume", "-k", "passes")
    assert properties(cases(suite)["passes"])["ptc_resumed"] == suite.runs[0].name


@pytest.mark.slow
def test_properties_of_an_item_that_is_run_again_are_those_of_its_last_task(suite: Suite) -> None:
    """Beside what the test records itself, which stays."""
    suite.write(
        test_a=marked("it", FIRST_FAILS, "pass", body="record('own', 1)").replace(
            "(ptc)", "(ptc, record)"
        )
        + "@pytest.fixture\n"
        "def record(request): return lambda *pair: request.node.user_properties.append(pair)\n"
    )
    suite.run("--junitxml=junit.xml", "--ptc-properties", "--reruns=1")
    told = [
        (one.attrib["name"], one.attrib["value"]) for one in cases(suite)["it"].iter("property")
    ]
    names = [name for name, _ in told]
    assert sorted(names) == ["own", "ptc_attempts", "ptc_state", "ptc_verdict", "ptc_worker"]
    assert dict(told)["ptc_verdict"] == "pass"


@pytest.mark.slow
def test_ctrf_is_written_by_its_own_plugin(suite: Suite) -> None:
    """It sees our outcomes as any test's, with the verdict as message and reruns as retries."""
    again = marked("again", FIRST_FAILS, "pass")
    suite.write(test_a=ALL + f"@pytest.mark.flaky(reruns=1)\n{again}")
    suite.run("-p", "ctrf", "--ctrf=ctrf.json")
    results = json.loads((suite.path / "ctrf.json").read_text())["results"]
    tests = {test["name"].partition("::test_")[2]: test for test in results["tests"]}
    assert {name: test["status"] for name, test in tests.items()} == {
        "passes": "passed",
        "fails": "failed",
        "skips": "skipped",
        "errs": "failed",
        "trouble": "failed",
        "body": "failed",
        "known": "skipped",
        "again": "passed",
    }
    assert tests["fails"]["trace"].splitlines()[0] == "ptc verdict: fail - s"
    assert tests["skips"]["message"] == "not here"
    assert (tests["again"]["retries"], tests["again"]["flaky"]) == (1, True)
    assert (results["summary"]["tests"], results["summary"]["failed"]) == (8, 4)


@pytest.mark.slow
def test_pytest_html_gets_what_each_item_came_to(suite: Suite) -> None:
    """Its page has verdict, findings and attempts of every marked item, to be unfolded."""
    suite.write(test_a=ALL)
    # Of itself it adds a link to a file for each extra; one page is easier to read here.
    # Its plugin is called html, as a module of Python's is: none can load it by that name.
    others = ("-p", "no:hypothesispytest", "-p", "no:libtmux", "-p", "no:anyio")
    result = suite.pytester.runpytest_inprocess(
        *others, "--ptc-workers=2", "--html=page.html", "--self-contained-html"
    )
    result.assert_outcomes(passed=1, failed=2, errors=2, skipped=1, xfailed=1)
    text = (suite.path / "page.html").read_text()
    blob = html.unescape(text.partition('data-jsonblob="')[2].partition('"')[0])
    tests = json.loads(blob)["tests"]
    extras = [
        json.loads(base64.b64decode(extra["content"].partition("base64,")[2]))
        for entries in tests.values()
        for entry in entries
        for extra in entry["extras"]
        if extra["name"] == "ptc"
    ]
    assert sorted(str((extra["verdict"] or {}).get("verdict")) for extra in extras) == [
        "None",
        "error",
        "fail",
        "fail",
        "pass",
        "pass",
        "skip",
    ]
    (trouble,) = [extra for extra in extras if extra["verdict"] is None]
    assert [attempt["attempt"] for attempt in trouble["attempts"]] == [1, 2]
