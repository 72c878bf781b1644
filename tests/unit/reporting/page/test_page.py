from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import time
from collections import Counter
from dataclasses import replace
from functools import lru_cache
from html.parser import HTMLParser
from importlib.resources import files
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jinja2 import nodes
from markupsafe import Markup

from pytest_ptc.model.item_states import PhaseReport
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.reporting.document import document
from pytest_ptc.reporting.nodes import NodeReport
from pytest_ptc.reporting.page.figures import duration, moment
from pytest_ptc.reporting.page.markup import element, lines
from pytest_ptc.reporting.page.nodes import node_facts
from pytest_ptc.reporting.page.page import page
from pytest_ptc.reporting.page.templates import environment
from pytest_ptc.reporting.page.titles import STATES, anchor
from pytest_ptc.reporting.run_report import Hold, RunReport, WorkerReport
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.wording import grouped, thousands
from pytest_ptc.text.printable import printable, usd
from tests.support.documents import events_from
from tests.support.samples import BEGAN, run_of

PACKAGE = files("pytest_ptc.reporting.page")
STYLE = (PACKAGE / "page.css").read_text(encoding="utf-8")
SCRIPT = (PACKAGE / "page.js").read_text(encoding="utf-8")
SCHEMA = json.loads((files("pytest_ptc.reporting") / "run-report.schema.json").read_text())

#: Elements that have no end of their own in HTML.
EMPTY = {"input", "meta"}

TEXTS = st.text(st.characters(exclude_categories=()), max_size=80)
# What breaks markup more often than chance finds it.
HOSTILE = st.text(
    st.sampled_from("<>&\"'`=/!-;#x \n\r\t\0\x1b\u2028\u202e\ud800{}[]") | st.sampled_from("abk"),
    max_size=60,
)
BREAKERS = (
    *("</script>", "<script>", "<!--", "-->", "]]>", "</pre>", "</details>", "&lt;", "&#60;"),
    *("<img src=x onerror=alert(1)>", "'\"", " onfocus=alert(1) ", "javascript:alert(1)", "<"),
    *("</title>", "</style>", "</svg>", "</textarea>", "\n", "\ud83d", "\u202e"),
)
TOKENS = st.lists(st.sampled_from(BREAKERS), max_size=6).map("".join)
ANY_TEXT = st.one_of(TEXTS, HOSTILE, TOKENS)

patient = settings(max_examples=60)


class Node:
    """An element of a page."""

    def __init__(self, tag: str, attrs: dict[str, str | None]) -> None:
        self.tag, self.attrs = tag, attrs
        self.children: list[Node | str] = []

    @property
    def classes(self) -> set[str]:
        return set((self.attrs.get("class") or "").split())

    @property
    def text(self) -> str:
        return "".join(one if isinstance(one, str) else one.text for one in self.children)

    def all(self, tag: str = "", class_: str = "") -> list[Node]:
        """Return what is below this element and of this kind, in order."""
        return [
            node
            for node in self._below()
            if tag in ("", node.tag) and (not class_ or class_ in node.classes)
        ]

    def one(self, tag: str = "", class_: str = "") -> Node:
        """Return the only one of a kind."""
        (found,) = self.all(tag, class_)
        return found

    def by_id(self, name: str) -> Node:
        """Return the element of this name."""
        (found,) = [node for node in self._below() if node.attrs.get("id") == name]
        return found

    def _below(self) -> list[Node]:
        found: list[Node] = []
        for child in self.children:
            if isinstance(child, Node):
                found += [child, *child._below()]
        return found


class Reader(HTMLParser):
    """A page as a tree, read by the standard library and not by what wrote it."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.root = Node("", {})
        self._open = [self.root]
        self.feed(text)
        self.close()
        assert self._open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert len(dict(attrs)) == len(attrs)
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in EMPTY:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)


def read(made: str) -> Node:
    """Return a page as a tree."""
    made.encode()
    return Reader(made).root


def number(text: str) -> int:
    """Return a number as the page groups it."""
    return int(text.replace("\N{NO-BREAK SPACE}", ""))


def tiles(root: Node) -> dict[str, int]:
    """Return what the tiles count, by what they are of; the zeros too."""
    found = {}
    for tile in root.all(class_="tile"):
        if "flag" not in tile.classes:
            label = tile.children[1]
            assert isinstance(label, Node)
            (name,) = label.classes - {"state", "severity"}
            found[name] = number(tile.one("b").text)
    return found


def story(*events: dict[str, Any], status: int = 0) -> RunReport:
    """Return the report of a run of one worker, which began at 0 and ended at 10."""
    about: dict[str, Any] = {"run_id": "r1", "host": "process", "agent": "command", "workers": 1}
    about |= {"task_list_id": "l", "rootdir": "/p", "arguments": [], "resumes": None}
    about |= {"fail_on": "verdict", "pytest_ptc": "0.1.0", "python": "3.11.7"}
    told = [{"event": "run", "at": 0.0, **about}, *events]
    told.append({"event": "run ended", "at": 10.0})
    told.append({"event": "session ended", "at": 10.0, "exit_status": status})
    return run_report(events_from({**event, "at": BEGAN + event["at"]} for event in told))


def spec(nodeid: str, **more: Any) -> dict[str, Any]:
    """Return the spec of a task."""
    return {"nodeid": nodeid, "prompt": "Do it.", "params": {}, "cwd": "/p", "gate": True, **more}


def verdict(kind: str = "pass", summary: str = "so it is", *findings: Any) -> dict[str, Any]:
    """Return how an attempt ended, with a verdict."""
    told = {"verdict": kind, "summary": summary, "findings": list(findings), "data": None}
    return {"verdict": told, "trouble": None, "usage": None, "about": {}, "seconds": 1.0}


def attempt(
    at: float, until: float | None, name: str = "1.1", *, worker: str = "w1", **told: Any
) -> list[dict[str, Any]]:
    """Return the events of an attempt."""
    task, _, count = name.rpartition(".")
    events: list[dict[str, Any]] = [
        {"event": "assigned", "at": at, "attempt": name, "worker": worker}
    ]
    if until is not None:
        which = {"task": task, "attempt": int(count), "worker": worker, "sha256": "5" * 64}
        events.append({"event": "ended", "at": until, **which, **(told or verdict())})
    return events


def submitted(nodeid: str = "t.py::test_a", task: str = "1", **more: Any) -> dict[str, Any]:
    """Return the event of a task."""
    return {"event": "submitted", "at": 1.0, "task": task, "spec": spec(nodeid, **more)}


def outcome(told: str, nodeid: str = "t.py::test_a", message: str | None = None) -> dict[str, Any]:
    """Return the event of a test's outcome."""
    place = {"path": "t.py", "line": 3, "phase": "call"}
    return {"event": "item", "at": 9.0, "nodeid": nodeid, "outcome": told, **place} | {
        "message": message
    }


@pytest.mark.parametrize("complete", [True, False])
def test_the_samples_are_documents_of_runs(complete: bool) -> None:
    """What these tests show pages of is what runs are told in."""
    jsonschema.validate(document(run_of(complete=complete)), SCHEMA)
    told = story(submitted(), *attempt(2, 3), outcome("passed"))
    jsonschema.validate(document(told), SCHEMA)


# What is told.


@pytest.mark.parametrize("complete", [True, False])
def test_the_numbers_are_those_of_the_document(complete: bool) -> None:
    """Tiles, groups and rows say of outcomes and findings what the totals say."""
    told = run_of(tasks=90, findings=300, complete=complete)
    root, totals = read(page(told)), document(told)["totals"]
    rows = root.all("details", "item")
    states = Counter(row.attrs["data-outcome"] or "" for row in rows)
    without = {state: states.pop(state, 0) for state in ("undone", "unresolved", "unreported")}
    assert states == totals["outcomes"]
    assert without["undone"] == sum(task.undone for task in told.tasks)
    assert (without["undone"] > 0) is not complete
    always = dict.fromkeys(("failed", "error", "passed", "skipped", "xfailed", "undone"), 0)
    there = {state: count for state, count in without.items() if count}
    assert tiles(root) == {**always, **states, **there, **totals["findings"]}
    groups = {node.attrs["id"] or "": node for node in root.all("section", "group")}
    listed = {name: len(node.all("details", "item")) for name, node in groups.items()}
    assert listed == {**states, **there}
    findings = [
        one for row in rows for found in row.all("ul", "findings") for one in found.all("li")
    ]
    assert len(findings) == sum(totals["findings"].values())
    assert usd(totals["usage"]["cost_usd"]) in root.one("div", "cost").text
    flags = Counter(flag for row in rows for flag in (row.attrs.get("data-flag") or "").split())
    assert flags["blind"] == totals["without_a_tool_call"] > 0
    assert {
        node.attrs["data-value"]: number(node.text.split(" ")[0]) for node in root.all("a", "flag")
    } == flags


def test_the_worst_comes_first() -> None:
    """Failures, errors, what was not done; and within a group, the worse findings."""
    low, high = ({"severity": severity, "message": "m"} for severity in ("low", "critical"))
    told = story(
        *(submitted(f"t.py::test_{name}", name) for name in "abcdef"),
        *attempt(2, 3, "a.1", **verdict("pass")),
        *attempt(3, 4, "b.1", **verdict("fail", "s", low, low)),
        *attempt(4, 5, "c.1", **verdict("fail", "s", high)),
        *attempt(5, 6, "d.1", **verdict("error")),
        *attempt(6, 7, "e.1", **{**verdict("pass"), "about": {"tool_calls": 0}}),
        *(
            outcome(how, f"t.py::test_{name}")
            for name, how in zip(
                "abcde", ("passed", "failed", "failed", "error", "passed"), strict=True
            )
        ),
    )
    names = [task.nodeid[-1] for task in told.worst_first]
    assert names == ["c", "b", "d", "f", "e", "a"]
    rows = read(page(told)).all("details", "item")
    assert [row.attrs["id"] for row in rows] == ["t3", "t2", "t4", "t6", "t5", "t1"]


def test_nothing_is_green_in_a_run_that_is_no_success() -> None:
    """The page of a failed run has one class for that, which its style minds."""
    assert '<body class="not-green">' in page(run_of())
    assert "body.not-green { --passed: var(--soft); }" in page(run_of())


def test_a_finding_leads_to_its_line_and_an_item_has_commands_to_copy() -> None:
    """On the commit of the run, where its files have an address; names are quoted for a shell."""
    made = page(run_of(), files="https://github.example/o/r/blob/" + "c" * 40)
    root = read(made)
    places = [link for link in root.all("a") if "/blob/" in (link.attrs.get("href") or "")]
    assert places
    assert re.search(r"/blob/c{40}/src/package/module_\d+\.py#L\d+$", places[0].attrs["href"] or "")
    assert "/blob/" not in page(run_of())
    run_id = run_of().run_id
    sessions = (task for task in run_of().tasks if task.attempts[-1].about.get("session"))
    nodeid = next(sessions).nodeid
    assert f"<code>ptc rerun {run_id} &#39;{nodeid}&#39;</code>" in made
    assert f"<code>ptc talk {run_id} &#39;{nodeid}&#39;</code>" in made
    assert "<code>ptc talk " not in page(run_of(nodes=2))


def test_an_interrupted_run_says_so_loudly() -> None:
    """In the title, the headline and a warning, with how much is missing."""
    told = run_of(complete=False)
    root = read(page(told))
    undone = sum(task.undone for task in told.tasks)
    assert root.one("head").one("title").text.startswith("Interrupted")
    assert root.one("h1").text.startswith("Interrupted: ")
    assert f"{undone} of 60 items have no verdict" in root.one("div", "warning").text
    assert "warning" not in page(run_of()).split("<body ")[1]


def test_a_stopped_run_says_why() -> None:
    """What was not done for it is no error."""
    trouble = {"cause": "run stopped", "message": "why not", "evidence": ""}
    root = read(
        page(
            story(
                submitted(),
                {"event": "stopping", "at": 4.0, "why": "the first failure (-x)"},
                {"event": "given up", "at": 4.0, "task": "1", "trouble": trouble},
            )
        )
    )
    assert "the first failure (-x)" in root.one("div", "warning").text
    assert root.one("h1").text == "1 not done of 1 item"
    assert "No attempt was made." in root.one("details", "item").text


@pytest.mark.parametrize(
    ("outcomes", "headline"),
    [
        (["passed", "passed"], "2 passed"),
        (["passed", "xfailed", "skipped"], "1 passed, 1 failed as expected, 1 skipped"),
        (["passed", "failed", "error"], "1 failed, 1 in error of 3 items"),
        (["xpassed"], "1 passed unexpectedly"),
    ],
)
def test_the_headline_says_how_it_went(outcomes: list[str], headline: str) -> None:
    """What went wrong, else what went right."""
    told = story(
        *(submitted(f"t.py::test_{n}", str(n)) for n in range(len(outcomes))),
        *(event for n in range(len(outcomes)) for event in attempt(2, 3, f"{n}.1")),
        *(outcome(one, f"t.py::test_{n}") for n, one in enumerate(outcomes)),
        status=int("failed" in outcomes),
    )
    root = read(page(told))
    assert root.one("h1").text == headline
    assert root.one("head").one("title").text == f"{headline} - ptc run r1"


def test_a_run_without_tasks_has_a_page() -> None:
    """Nothing to list, and nothing to draw."""
    root = read(page(story()))
    assert root.one("h1").text == "Not successful: no agent was asked"
    assert root.all("section", "timeline") == []
    assert "No task was submitted." in root.one("main").text


def test_an_item_unfolds_to_all_that_is_known() -> None:
    """Verdict, findings worst first, attempts with what they cost, prompt, data and settings."""
    findings = [
        {"severity": "low", "message": "a remark"},
        {"severity": "high", "message": "two\nlines", "path": "a.py", "line": 7, "rule": "r1"},
    ]
    bill = {"input_tokens": 900, "cache_read_tokens": 12_000, "cache_write_tokens": 100}
    ended = {
        **verdict("fail", "it is broken", *findings),
        "usage": {**bill, "output_tokens": 321, "cost_usd": 0.0123},
        "about": {"client": "C 1", "model": "M", "session": "S", "tool_calls": 4, "x": {"y": 1}},
    }
    ended["verdict"]["data"] = {"answer": 42}
    ended["verdict"] |= {"checked": ["a.py", "b.py"], "open": ["c.py"]}
    trouble = {"cause": "timeout", "message": "too slow", "evidence": "last words"}
    first = {**ended, "verdict": None, "trouble": trouble, "usage": None, "about": {}}
    told = story(
        submitted(params={"pr": 5}),
        *attempt(2, 3, "1.1", **first),
        *attempt(4, 6, "1.2", worker="w2", **ended),
        outcome("failed", message="ptc verdict: fail - it is broken"),
    )
    row = read(page(told, transcripts={"1.2": "what it did"})).one("details", "item")
    assert row.one("span", "line").text == "it is broken"
    said = ["Verdict failit is broken", "Checkeda.py; b.py", "Openc.py"]
    assert [one.text for one in row.all("p", "said")] == said
    assert [one.text for one in row.one("ul", "findings").all("p")] == ["two\nlines", "a remark"]
    assert "a.py:7" in row.text
    assert [node.text for node in row.all("th")] == [
        *("Attempt", "Worker", "Began", "Took", "Ended as", "Tool calls", "Cost", "Tokens")
    ]
    cells = [cell.text for cell in row.all("td") if "data-th" in cell.attrs]
    assert cells[:2] + cells[4:8] == ["1", "w1", "timeout", "", "", ""]
    assert cells[8:10] + cells[12:] == ["2", "w2", "fail", "4", "$0.0123", "13.0k in, 321 out"]
    facts = row.all("tr", "facts")
    assert "too slow" in facts[0].text
    assert all(word in facts[1].text for word in ("ClientC 1", "ModelM", "SessionS", "5" * 64))
    folded = {node.one("summary").text: node for node in row.all("details", "fold")}
    assert list(folded) == [
        *("Data", "Prompt", "Parameters", "Last lines of attempt 1", "Transcript of attempt 2"),
        "Settings and facts of attempt 2",
    ]
    assert folded["Prompt"].one("pre").text == "Do it."
    assert json.loads(folded["Data"].one("pre").text) == {"answer": 42}
    assert json.loads(folded["Parameters"].one("pre").text) == {"pr": 5}
    assert folded["Last lines of attempt 1"].one("pre").text == "last words"
    assert folded["Transcript of attempt 2"].one("pre").text == "what it did"
    assert json.loads(folded["Settings and facts of attempt 2"].one("pre").text) == {"x": {"y": 1}}


def test_what_the_body_said_is_told_beside_the_verdict() -> None:
    """A pass that the test's own body overruled shows why; what only repeats the agent does not."""
    body = story(submitted(), *attempt(2, 3), outcome("failed", message="assert so it is == 1"))
    row = read(page(body)).one("details", "item")
    assert row.one("span", "line").text == "the test failed: assert so it is == 1"
    assert [one.text for one in row.all("p", "said")] == [
        *("Verdict passso it is", "Failed in callassert so it is == 1")
    ]
    skipped = story(
        submitted(),
        *attempt(2, 3, **verdict("skip", "not here")),
        outcome("skipped", message="Skipped: not here"),
    )
    assert len(read(page(skipped)).all("p", "said")) == 1


@pytest.mark.parametrize(
    ("nodeid", "where", "name"),
    [
        ("t.py::test_a", "t.py::", "test_a"),
        ("d/t.py::TestX::test_a[x::y]", "d/t.py::TestX::", "test_a[x::y]"),
        ("odd", "", "odd"),
    ],
)
def test_a_row_tells_the_test_from_where_it_is(nodeid: str, where: str, name: str) -> None:
    """Its own name stands out, with all of its parameters."""
    shown = read(page(story(submitted(nodeid)))).one("span", "name")
    assert shown.one("b").text == name
    assert "".join(one.text for one in shown.all("span", "where")) == where


def test_what_is_remarkable_of_an_item_is_marked() -> None:
    """No tool call, an earlier run's verdict, work of a test's own, a rerun, a gate that is off."""
    report = {**verdict(), "attempt": 2, "worker": "w9"}
    kept = {"event": "kept", "at": 1.0, "nodeid": "t.py::test_k", "run": "r0"}
    told = story(
        {**kept, "spec": spec("t.py::test_k"), "report": report},
        submitted("t.py::test_a", "1", gate=False),
        *attempt(2, 3, "1.1", **{**verdict("fail"), "about": {"tool_calls": 0}}),
        submitted("t.py::test_b", "2"),
        *attempt(2, 3, "2.1", **{**verdict(), "about": {"tool_calls": 0}}),
        submitted("t.py::test_b::submit[1]", "3"),
        *attempt(2, 3, "3.1"),
        submitted("t.py::test_c", "4"),
        *attempt(2, 3, "4.1", **verdict("fail")),
        submitted("t.py::test_c", "5"),
        *attempt(3, 4, "5.1"),
        *(outcome("passed", f"t.py::test_{name}") for name in "kabc"),
    )
    rows = read(page(told, links="..")).all("details", "item")
    chips = {row.attrs["id"]: [chip.text for chip in row.all("span", "chip")] for row in rows}
    assert chips == {
        "t1": ["2 attempts", "of run r0"],
        "t2": ["verdict fail, gate off"],
        "t3": ["no tool call"],
        "t4": ["own work"],
        "t5": ["run again"],
        "t6": [],
    }
    states = {row.attrs["id"]: row.attrs["data-outcome"] for row in rows}
    assert states["t4"] == "unreported"
    assert states["t5"] == "unresolved"
    (earlier,) = [row for row in rows if row.attrs["id"] == "t1"]
    assert "verdict of run r0" in earlier.text
    assert any("without using a tool" in row.one("div", "body").text for row in rows)
    # Under which name its attempt lies in that run is not known.
    assert earlier.all("a") == []


# Where a reader can go on.


def hrefs(made: str) -> list[str]:
    """Return all addresses of a page."""
    return [node.attrs["href"] or "" for node in read(made).all() if "href" in node.attrs]


def test_places_in_files_are_text() -> None:
    """A report does not know where the source is shown."""
    found = {"severity": "low", "message": "m", "path": "javascript:alert(1)", "line": 4}
    told = story(submitted(), *attempt(2, 3, **verdict("fail", "s", found)), outcome("failed"))
    assert [href for href in hrefs(page(told)) if not href.startswith("#")] == []
    assert "javascript:alert(1):4" in read(page(told)).one("ul", "findings").text


def test_attempts_folders_are_links_where_the_journal_is_known() -> None:
    """Relative to the page, for each attempt."""
    told = story(submitted(), *attempt(2, 3), *attempt(4, 5, "1.2"), outcome("passed"))
    linked = [href for href in hrefs(page(told, links="../runs/r1/")) if href.startswith(".")]
    assert linked == ["../runs/r1/attempts/1.1/", "../runs/r1/attempts/1.2/"]


def test_every_address_within_the_page_is_there() -> None:
    """Names are unique, and what is pointed to exists."""
    root = read(page(run_of()))
    names = Counter(node.attrs["id"] for node in root.all() if "id" in node.attrs)
    assert max(names.values()) == 1
    for node in root.all():
        for key in ("href", "aria-labelledby"):
            if key in node.attrs:
                assert (node.attrs[key] or "").removeprefix("#") in names


# The timeline.


def bars(root: Node) -> list[tuple[str, float, float]]:
    """Return how each bar ended, and where it begins and how wide it is, in percent."""
    found = []
    for bar in root.one("div", "plot").all("a", "bar"):
        (ending,) = bar.classes - {"bar"}
        place = bar.one("rect").attrs
        x, width = (float((place[key] or "").rstrip("%")) for key in ("x", "width"))
        found.append((ending, x, width))
    return found


def test_every_attempt_is_a_bar_of_its_own_kind() -> None:
    """Where it was in the run's time, by how it ended, with what it was."""
    trouble = {"cause": "timeout", "message": "m", "evidence": ""}
    told = story(
        {"event": "worker started", "at": 1.0, "worker": "w1"},
        {"event": "worker ready", "at": 1.5, "worker": "w1"},
        *(submitted(f"t.py::test_{n}", str(n)) for n in range(1, 7)),
        *attempt(2, 3, "1.1", **{**verdict(), "verdict": None, "trouble": trouble}),
        *attempt(4, 5, "1.2", worker="w2"),
        *attempt(5, 5.5, "2.1", **verdict("fail")),
        *attempt(5.5, 6, "3.1", **verdict("fail")),
        *attempt(6, 6, "4.1", **verdict("skip")),
        *attempt(7, 7.5, "5.1", **verdict("error")),
        *attempt(8, None, "6.1", worker="w2"),
        {"event": "worker lost", "at": 9.0, "worker": "w1", "why": "gone", "ended": "SIGKILL"},
        outcome("passed", "t.py::test_1"),
        outcome("xfailed", "t.py::test_2"),
    )
    root = read(page(told))
    assert bars(root) == [
        ("trouble", 20.0, 10.0),
        ("pass", 40.0, 10.0),
        ("expected", 50.0, 5.0),
        ("fail", 55.0, 5.0),
        ("skip", 60.0, 0.12),
        ("error", 70.0, 5.0),
        ("open", 80.0, 20.0),
    ]
    plot = root.one("div", "plot")
    said = [title.text for title in plot.all("title")]
    assert said[:2] == [
        "t.py::test_1\ntimeout, 1.0 s on w1",
        "t.py::test_1\npass, 1.0 s on w2, attempt 2",
    ]
    assert said[-1] == "w1 was lost: SIGKILL"
    assert len(plot.all("circle")) == 1
    assert [bar.attrs["tabindex"] for bar in plot.all("a", "bar")] == ["0", *["-1"] * 6]
    workers = [entry.text for entry in root.one("ol", "workers").all("li")]
    assert workers == ["waitingat most 6", "w1", "w2"]
    legend = [entry.text for entry in root.one("ul", "legend").all("li")]
    assert legend[-2:] == ["another attempt", "worker lost"]
    assert len(legend) == 9


def test_holds_are_one_band_with_all_their_reasons() -> None:
    """Every worker that is refused says so."""
    told = story(
        submitted(),
        *attempt(2, 3),
        {"event": "held", "at": 3.0, "seconds": 2.0, "why": "rate limit"},
        {"event": "held", "at": 4.0, "seconds": 2.0, "why": "overloaded"},
        {"event": "held", "at": 4.5, "seconds": 0.1, "why": "rate limit"},
        {"event": "held", "at": 8.0, "seconds": 0.2, "why": "rate limit"},
    )
    plot = read(page(told)).one("div", "plot")
    assert [hold.one("title").text for hold in plot.all("g", "hold")] == [
        *("Held back for 3.0 s: rate limit, overloaded", "Held back for 0.2 s: rate limit")
    ]
    first = plot.all("g", "hold")[0].one("rect").attrs
    assert (first["x"], first["width"]) == ("30.0%", "30.000%")
    # A narrow band has no room for words.
    assert [len(hold.all("text")) for hold in plot.all("g", "hold")] == [1, 0]


def test_waiting_tasks_are_an_area() -> None:
    """A task waits until its first attempt, and between attempts; an unbegun one to the end."""
    told = story(
        submitted("t.py::test_1", "1"),
        submitted("t.py::test_2", "2"),
        *attempt(2, 3),
        *attempt(4, 5, "1.2"),
    )
    (area,) = read(page(told)).one("div", "plot").all("path", "waiting")
    assert area.attrs["d"] == (
        "M0 36H100.0V0.0H200.0V18.0H300.0V0.0H400.0V18.0H1000.0V36.0H1000V36Z"
    )


def test_the_lanes_of_a_nodes_workers_are_together() -> None:
    """Below that of the node, which is drawn from when it joined to its end; the others first."""

    def joined(node: str, at: float) -> dict[str, Any]:
        known = {"python": "3.11.7", "version": "0.1.0"}
        return {"event": "node joined", "at": at, "node": node, "host": node[:2], **known}

    def started(worker: str, node: str | None) -> dict[str, Any]:
        return {"event": "worker started", "at": 1.0, "worker": worker, "node": node}

    told = story(
        joined("na-1", 1.0),
        joined("nb-2", 2.0),
        {"event": "node refused", "at": 3.0, "node": "nc", "why": "has no pytest-ptc"},
        started("w1", "nb-2"),
        started("w2", None),
        started("w3", "na-1"),
        started("w4", "nb-2"),
        submitted(),
        *attempt(2, 3),
        {"event": "node lost", "at": 5.0, "node": "nb-2", "why": "not heard"},
    )
    root = read(page(told))
    lanes = root.one("ol", "workers").all("li")
    assert [lane.text for lane in lanes[1:]] == ["w2", "na-1 (na)", "w3", "nb-2 (nb)", "w1", "w4"]
    assert "was lost: not heard" in (lanes[4].attrs["title"] or "")
    plot = root.one("div", "plot")
    lines = [(one.attrs["x1"], one.attrs["x2"]) for one in plot.all("line", "node")]
    assert lines == [("10.0%", "100%"), ("20.0%", "50.0%")]
    said = [title.text for title in plot.all("title")]
    assert said[0].endswith("on w1@nb-2")
    assert said[-1] == "nb-2 was lost: not heard"
    facts = " ".join(facts.text for facts in root.all("dl", "facts"))
    assert "2 nodes" in facts
    assert "Node nc" in facts
    assert "got no workers: has no pytest-ptc" in facts


def test_of_many_nodes_the_page_names_some() -> None:
    """And counts the others, those apart that were refused or lost."""
    nodes = [NodeReport(name=f"n{number}", host="h", joined=1.0) for number in range(30)]
    nodes += [NodeReport(name=f"r{number}", refused=2.0, why="old") for number in range(22)]
    facts = list(node_facts(nodes))
    assert facts[0][1].startswith("n0 (h), n1 (h), ")
    assert facts[0][1].endswith("n19 (h), +10")
    assert facts[1] == ("Node r0", "got no workers: old")
    assert facts[-1] == ("Nodes", "+2 that were lost or refused")
    assert len(facts) == 22


def test_many_workers_have_narrower_lanes() -> None:
    """A crash loop of sixty workers is still one drawing."""
    tall, tight = run_of(workers=20), run_of(workers=40)
    heights = []
    for told in (tall, tight):
        drawn = read(page(told)).one("div", "plot").children[0]
        assert isinstance(drawn, Node)
        heights.append(int(drawn.attrs["height"] or 0))
    assert heights[1] < 40 * 16 + 70
    assert heights[0] > 20 * 20


@pytest.mark.parametrize("seconds", [0.05, 3, 61, 3700, 90_000, 40_000_000])
def test_the_time_has_as_many_marks_as_there_is_room_for(seconds: float) -> None:
    """More at each zoom, none that says the same as another."""
    told = story(submitted(), *attempt(0, 0.01))
    plot = read(page(replace(told, seconds=seconds))).one("div", "plot")
    counts = []
    for zoom in range(5):
        marks = [mark.text for mark in plot.one("g", f"zoom{zoom}").all("text")]
        assert len(set(marks)) == len(marks)
        counts.append(len(marks))
    assert 2 <= counts[0] <= 10
    assert counts == sorted(counts)


# What an agent says, and what it cannot do.


def hostile(text: str) -> RunReport:
    """Return a report that has one text wherever a text of unknown origin can stand."""
    told = run_of(tasks=2, findings=2, workers=1)
    found = Finding(severity=Severity.HIGH, message=text, path=text, line=3, rule=text)
    trouble = Trouble(cause=Cause.NO_VERDICT, message=text, evidence=text)
    about = dict.fromkeys(("client", "model", "session", "denied", "tool_calls", text), text)
    said = Verdict(verdict=VerdictKind.PASS, summary=text, findings=(found,), data={text: [text]})
    tasks = []
    for place, task in enumerate(told.tasks):
        asked = replace(
            task.spec, nodeid=f"{place}.py::{text}.", prompt=text, params={text: text}, cwd=text
        )
        last = replace(
            task.attempts[-1],
            name=f"{text}.2",
            worker="w1",
            verdict=said,
            trouble=None,
            about=about,
            sha256=text,
        )
        first = replace(last, name=f"{text}.1", number=1, verdict=None, trouble=trouble)
        outcome = "error" if place else "failed"
        tasks.append(
            replace(
                task,
                spec=asked,
                task_id=text,
                path=text,
                verdict=None if place else said,
                trouble=trouble if place else None,
                attempts=(first, replace(last, number=2)),
                phases=(PhaseReport("call", outcome, f"assert {text}"),),
            )
        )
    worker = WorkerReport(name="w1", started=BEGAN, lost=BEGAN, why=text)
    facts: dict[str, Any] = dict.fromkeys(
        ("host", "agent", "task_list_id", "rootdir", "python", "fail_on"), text
    )
    return replace(
        told,
        run_id=text,
        stopped=text,
        facts=told.facts._replace(arguments=(text,), resumes=text, pytest_ptc=text, **facts),
        tasks=tuple(tasks),
        workers=(worker,),
        holds=(Hold(BEGAN, 9.0, text),),
    )


#: Attributes whose values hold texts of unknown origin.
TOLD = {"aria-label", "title", "href"}


def outline(made: str) -> list[tuple[str, dict[str, str | None]]]:
    """Return all elements with their attributes, without what is told in these."""
    found = []
    for node in read(made).all():
        kept = {key: None if key in TOLD else value for key, value in node.attrs.items()}
        if node.tag in ("script", "style"):
            kept["held"] = node.text
        found.append((node.tag, kept))
    return found


@lru_cache
def plain_outline() -> list[tuple[str, dict[str, str | None]]]:
    """Return what the hostile document's page is made of where its text is a plain word."""
    made = page(hostile("xx"), transcripts={"xx.1": "xx", "xx.2": "xx"}, links=".")
    return outline(made)


@patient
@given(text=ANY_TEXT)
def test_no_text_makes_an_element_or_an_attribute(text: str) -> None:
    """Whatever it is, the page has the elements that it has for a plain word."""
    word = f"x{text}x"
    names = {f"{word}.{number}": word for number in (1, 2)}
    made = page(hostile(word), transcripts=names, links=".")
    assert outline(made) == plain_outline()
    assert all(href.startswith(("#", "./attempts/")) for href in hrefs(made))


@patient
@given(text=ANY_TEXT)
def test_what_is_shown_is_what_was_said(text: str) -> None:
    """A reader has every character, those without a shape as Python would write them."""
    told = story(
        submitted(),
        *attempt(2, 3, **verdict("fail", text, {"severity": "low", "message": text})),
        outcome("failed"),
    )
    told_lines = re.split(r"\r\n?|\n", text.expandtabs(4))
    expected = "\n".join(map(printable, told_lines))
    row = read(page(told)).one("details", "item")
    assert row.one("ul", "findings").one("p").text == expected
    assert row.one("span", "line").text == printable(text)


def test_the_script_makes_nothing_of_texts() -> None:
    """No way from a text to an element, a script or a request is in it."""
    for word in ("innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "DOMParser"):
        assert word not in SCRIPT
    for word in ("eval", "Function(", "setAttribute('style", "fetch(", "XMLHttpRequest", "import"):
        assert word not in SCRIPT
    assert "</" not in SCRIPT
    assert "</" not in STYLE


@pytest.mark.parametrize("name", ["page.html.jinja", "items.html.jinja", "by_file.html.jinja"])
def test_a_template_leaves_no_hole(name: str) -> None:
    """All is escaped and printable, values of attributes stand in quotes, none is an address."""
    source = (PACKAGE / name).read_text(encoding="utf-8")
    tree = environment().parse(source)
    # What is put together or filtered is put out without being made printable.
    assert {one.name for one in tree.find_all(nodes.Filter)} <= {"length"}
    assert not list(tree.find_all((nodes.MarkSafe, nodes.ScopedEvalContextModifier)))
    assert all(isinstance(one.nodes[0], nodes.Const) for one in tree.find_all(nodes.Concat))
    assert not re.search(r"=\s*\{[{%]", source)
    assert not re.search(r"\son\w+=|javascript:", source)
    assert set(re.findall(r'href="(.*?)"', source)) <= {
        *("#items", "#sign-error", "#sign-{{ state }}", "{{ one.href }}", "{{ fact.href }}"),
        *("{{ row.href }}", "#{{ row.anchor }}", "#{{ link.anchor }}"),
    }


def test_the_page_loads_nothing() -> None:
    """No address but its own places, no style that imports, and a policy that allows none."""
    made = page(run_of(), links=".")
    root = read(made)
    for node in root.all():
        assert node.tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "video"}
        assert not {"src", "srcset", "action", "style", "ping", "poster", "data"} & set(node.attrs)
        assert not [key for key in node.attrs if key.startswith("on")]
        if node.tag != "meta":
            for value in node.attrs.values():
                assert not re.search(r"^\s*(https?:|//|data:|javascript:)", value or "")
    assert "@import" not in STYLE
    assert re.findall(r"url\((.*?)\)", STYLE) == re.findall(r'url\(("#[a-z-]+")\)', STYLE)
    assert not re.search(r"https?:|//[a-z]", made.replace(SCRIPT, ""))


def test_the_policy_allows_the_pages_own_style_and_script_alone() -> None:
    """By their hashes, so that no attribute can bring another."""
    root = read(page(run_of()))
    (policy,) = [
        node.attrs["content"]
        for node in root.all("meta")
        if node.attrs.get("http-equiv") == "Content-Security-Policy"
    ]
    digests = {
        name: base64.b64encode(hashlib.sha256(root.one(name).text.encode()).digest()).decode()
        for name in ("style", "script")
    }
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digests['style']}'; "
        f"script-src 'sha256-{digests['script']}'; base-uri 'none'; form-action 'none'"
    )


# How large it may be.


def test_a_long_text_is_there_with_its_beginning_and_its_end() -> None:
    """And with how much of it is not."""
    told = story(submitted(), *attempt(2, 3), outcome("passed"))
    text = f"BEGIN{'-' * 100_000}END"
    row = read(page(told, transcripts={"1.1": text})).one("details", "item")
    (fold,) = [one for one in row.all("details", "fold") if "Transcript" in one.text[:20]]
    head, tail = fold.all("pre")
    assert head.text.startswith("BEGIN--")
    assert tail.text.endswith("--END")
    assert len(head.text) + len(tail.text) == 24_000
    assert grouped(len(text) - 24_000) in fold.one("p", "note").text


def test_a_finding_may_be_of_any_length() -> None:
    """The page has the first few thousand characters."""
    findings = [{"severity": "low", "message": "m" * 50_000, "rule": "r" * 50_000}]
    told = story(submitted(), *attempt(2, 3, **verdict("fail", "s", *findings)), outcome("failed"))
    assert len(page(told)) < 90_000
    assert "more characters" in read(page(told)).one("ul", "findings").text


def test_beyond_all_room_texts_are_left_out_and_messages_cut() -> None:
    """Those of the worst items are there; the page says what it has not."""
    message = {"severity": "low", "message": "m" * 7_000}
    told = story(
        *(submitted(f"t.py::test_{n}", str(n)) for n in range(300)),
        *(
            event
            for n in range(300)
            for event in attempt(2, 3, f"{n}.1", **verdict("fail", "s", message, message))
        ),
        *(outcome("failed", f"t.py::test_{n}") for n in range(300)),
    )
    made = page(told, transcripts={f"{n}.1": "t" * 20_000 for n in range(300)})
    assert len(made) < 8_000_000
    rows = read(made).all("details", "item")
    kept = ["Left out to keep the page small" not in row.text for row in rows]
    assert kept == sorted(kept, reverse=True)
    assert (kept[0], kept[-1]) == (True, False)
    assert "m" * 7_000 in rows[0].text
    assert "m" * 301 not in rows[-1].text


def test_of_very_many_items_only_the_worst_are_shown_with_their_attempts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The others have what was said and found, and the command that shows the rest."""
    monkeypatch.setattr("pytest_ptc.reporting.page.page._WHOLE_ITEMS", 10)
    told = run_of()
    rows = read(page(told)).all("details", "item")
    assert len(rows) == len(told.tasks) > 10
    by_name = {anchor(task): task for task in told.tasks}
    for place, row in enumerate(rows):
        task = by_name[row.attrs["id"] or ""]
        show = f"ptc show {told.run_id} {shlex.quote(task.nodeid)}"
        whole = place < 10
        assert (show in row.text) is not whole
        assert ("left out to keep the page small" in row.text) is not whole
        assert bool(row.all("table", "attempts")) is (whole and bool(task.attempts))
        assert ("Prompt" in row.text) is whole
        assert [one.message in row.text for one in task.findings] == [True] * len(task.findings)
        assert task.verdict is None or task.verdict.summary in row.text
        assert task.trouble is None or task.trouble.message in row.text


def test_a_large_run_is_made_in_time() -> None:
    """1,000 items with 10,000 findings are less than ten megabytes, within seconds of work."""
    told = run_of(tasks=1000, findings=10_000, workers=16)
    transcripts = {f"{n}.1": "a line of what was done\n" * 400 for n in range(1000)}
    began = time.process_time()
    made = page(told, transcripts=transcripts, links=".")
    # On a machine that does nothing else it is a second.
    assert time.process_time() - began < 6
    assert len(made.encode()) < 10_000_000


# Its parts.


@pytest.mark.parametrize(
    ("seconds", "told"),
    [
        *((0, "0.0 s"), (-1, "0.0 s"), (12.34, "12.3 s"), (99.94, "99.9 s"), (99.96, "1 min 40 s")),
        *((3599, "59 min 59 s"), (3599.7, "1 h 00 min"), (3725, "1 h 02 min")),
        *((86_399, "24 h 00 min"), (100_000, "1 d 04 h")),
    ],
)
def test_durations(seconds: float, told: str) -> None:
    """In the two units that matter."""
    assert duration(seconds) == told


def test_numbers_and_moments() -> None:
    """Grouped, shortened, and in a time that all readers share."""
    assert grouped(1234567) == "1\N{NO-BREAK SPACE}234\N{NO-BREAK SPACE}567"
    assert [thousands(n) for n in (999, 1000, 999_949, 999_950, 4_500_000)] == [
        *("999", "1.0k", "999.9k", "1.0M", "4.5M")
    ]
    assert moment(0) == ("1 Jan 1970, 00:00:00 UTC", "1970-01-01T00:00:00Z")


def test_elements_escape_what_is_no_markup() -> None:
    """Values of attributes as well; nothing for None and False."""
    made = element("p", "<b>", None, Markup("<i>x</i>"), class_='"', hidden=True, id=None, data_n=0)
    assert made == '<p class="&#34;" hidden data-n="0">&lt;b&gt;<i>x</i></p>'
    assert element("input", disabled=False) == "<input/>"
    assert lines("a\r\nb\rc\td") == "a\nb\nc   d"


def colours() -> dict[str, dict[str, str]]:
    """Return the colours of the light and of the dark page, by their names."""
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)[:2]
    found = {"light": dict(re.findall(r"--(\w+): (#\w{6});", light))}
    return {**found, "dark": dict(re.findall(r"--(\w+): (#\w{6});", dark))}


def luminance(colour: str) -> float:
    """Return the relative luminance of a colour, as WCAG defines it."""
    parts = [int(colour[place : place + 2], 16) / 255 for place in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("ground", ["paper", "card"])
def test_words_have_contrast(scheme: str, ground: str) -> None:
    """4.5 to 1 at the least, in every colour that words have."""
    named = colours()[scheme]
    for name, colour in named.items():
        if name not in ("paper", "card", "line"):
            dark, light = sorted((luminance(colour), luminance(named[ground])))
            assert (light + 0.05) / (dark + 0.05) >= 4.5, name


def test_every_state_has_a_sign_of_its_own() -> None:
    """Colour is never the only sign."""
    root = read(page(run_of()))
    signs = {node.attrs["id"]: node.one("path").attrs["d"] for node in root.all("symbol")}
    assert set(signs) == {f"sign-{state.value}" for state in STATES}
    # Two states differ in their words alone: neither is a test's outcome.
    assert len(set(signs.values())) == len(signs) - 1
