"""GitHub: no word of an agent's becomes a command, and none becomes markup."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import cmarkgfm  # type: ignore[import-untyped]
import pytest
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_ptc.model.trouble import Cause
from pytest_ptc.reporting.formats.github import (
    MAX_ANNOTATIONS,
    MAX_SUMMARY_BYTES,
    annotation_lines,
    step_summary,
)
from pytest_ptc.text.printable import printable
from tests.support.documents import Item, finding, run_of

if TYPE_CHECKING:
    from collections.abc import Sequence

USAGE = {
    "input_tokens": 1,
    "output_tokens": 2,
    "cache_read_tokens": 3,
    "cache_write_tokens": 4,
    "cost_usd": 0.0123,
}

#: What commands, Markdown and GitHub itself look for, more often than chance finds it.
SIGNS = st.text(
    st.sampled_from("::%\r\n%0A%3A,=;]#[@|`*_~<>&()!\\$-+.:/ \u2028\x85\x0bwah1"), max_size=40
)
WORDS = st.sampled_from(
    [
        "\n::error file=a.py::forged",
        "%0A::error::forged",
        "##[error]forged",
        "a | b |\n| --- |",
        "<img src=x onerror=alert(1)>",
        "![x](http://evil.example/x.png)",
        "[x](http://evil.example)",
        "http://evil.example www.evil.example a@evil.example @octocat #1 :tada: $x^2$",
        "`code` **bold** _i_ ~~s~~ \\| &lt; &#60;b&#62; <!-- x -->",
        "# heading\n- item\n> quote\n***",
    ]
)
ANY_TEXT = st.one_of(st.text(st.characters(exclude_categories=()), max_size=40), SIGNS, WORDS)
SAID = ANY_TEXT.filter(str.strip)
SEVERITIES = ["critical", "high", "medium", "low", "info"]
FINDINGS = st.builds(
    finding,
    st.sampled_from(SEVERITIES),
    SAID,
    path=st.none() | SAID,
    line=st.none() | st.integers(min_value=1, max_value=99),
    rule=st.none() | SAID,
)
ITEMS = st.builds(
    Item,
    nodeid=SAID,
    outcome=st.sampled_from([None, "passed", "failed", "error", "skipped", "xfailed", "xpassed"]),
    verdict=st.sampled_from([None, "pass", "fail", "error"]),
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    summary=SAID,
    trouble=st.none() | st.tuples(st.sampled_from(Cause), SAID),
    event=st.fixed_dictionaries({"message": st.none() | ANY_TEXT}),
    resumed=st.none() | SAID,
    report=st.sampled_from([{}, {"about": {"tool_calls": 0}}]),
)

patient = settings(max_examples=80)


def parsed(line: str) -> tuple[str, dict[str, str], str]:
    """Return a command's name, properties and data, as GitHub's runner reads a line of output."""
    assert len(re.split(r"[\r\n]", line)) == 1
    assert line.startswith("::")
    about, data = line[2:].split("::", 1)
    name, _, told = about.partition(" ")
    pairs = [part.split("=", 1) for part in told.strip().split(",") if part]
    properties = {pair[0]: pair[1] for pair in pairs if len(pair) == 2 and pair[1]}
    for code, sign in (("%0D", "\r"), ("%0A", "\n"), ("%3A", ":"), ("%2C", ","), ("%25", "%")):
        properties = {key: value.replace(code, sign) for key, value in properties.items()}
        if sign not in ":,":
            data = data.replace(code, sign)
    return name, properties, data


def commands(*items: Item, **run: Any) -> list[tuple[str, dict[str, str], str]]:
    """Return the commands of a run of these items."""
    return [parsed(line) for line in annotation_lines(run_of(*items, **run))]


def test_a_finding_that_fails_an_item_is_an_error_at_its_place() -> None:
    """With the file and line, what it is and of which test, and the words of the agent."""
    bad = finding("high", "50% of it,\nall: wrong", path="src/a,b.py", line=3, rule="r")
    item = Item("t.py::test_a[x:1]", verdict="fail", outcome="failed", findings=(bad,))
    (line,) = annotation_lines(run_of(item))
    assert line == (
        "::error file=src/a%2Cb.py,line=3,title=high r%3A t.py%3A%3Atest_a[x%3A1]"
        "::50%25 of it,%0Aall: wrong"
    )
    assert parsed(line) == (
        "error",
        {"file": "src/a,b.py", "line": "3", "title": "high r: t.py::test_a[x:1]"},
        "50% of it,\nall: wrong",
    )


@pytest.mark.parametrize(
    ("item", "kinds"),
    [
        pytest.param(Item(), [], id="pass"),
        pytest.param(
            Item(findings=(finding("medium"), finding("low"))), ["warning", "notice"], id="findings"
        ),
        pytest.param(
            Item(verdict="fail", outcome="failed", findings=(finding("low"),)), ["error"], id="fail"
        ),
        pytest.param(Item(verdict="fail", outcome="failed"), ["error"], id="no-finding"),
        pytest.param(Item(outcome="failed"), ["error"], id="body"),
        pytest.param(Item(trouble=("timeout", "late"), outcome="error"), ["error"], id="trouble"),
        pytest.param(Item(verdict="error", outcome="error"), ["error"], id="verdict-error"),
        pytest.param(Item(outcome="error"), ["error"], id="set-up"),
        pytest.param(
            Item(verdict="fail", outcome="xfailed", findings=(finding("high"),)), [], id="expected"
        ),
    ],
)
def test_what_fails_an_item_is_an_error_and_the_rest_is_not(item: Item, kinds: list[str]) -> None:
    """Findings of an item that passes are warnings and notices; what was expected is nothing."""
    found = commands(item)
    assert [name for name, _, _ in found] == kinds
    for _, properties, _ in found:
        assert (properties["file"], properties["line"]) == ("test_a.py", "7")


def test_items_that_the_run_never_came_to_are_one_error() -> None:
    """Hundreds of them would leave no room for what was found."""
    stopped = Item("t.py::test_b", None, None, trouble=("run stopped", "the run ended"))
    items = [Item(verdict=None, outcome=None), stopped, Item("t.py::test_c", "failed", "fail")]
    judged, undone = commands(*items, over=False)
    assert judged[2] == "so it is"
    assert undone == (
        "error",
        {"file": "test_a.py", "title": "not judged"},
        "2 items not judged when the run was over: test_a.py::test_it, t.py::test_b",
    )


@pytest.mark.parametrize(
    ("numbers", "shown", "left"),
    [
        ((10, 10, 10), (10, 10, 10), None),
        ((11, 0, 0), (10, 0, 1), "1 error"),
        ((0, 12, 10), (0, 10, 10), "2 warning, 1 notice"),
        ((12, 13, 14), (10, 10, 10), "2 error, 3 warning, 5 notice"),
    ],
)
def test_no_more_than_github_shows_and_the_rest_is_counted(
    numbers: tuple[int, int, int], shown: tuple[int, int, int], left: str | None
) -> None:
    """Ten of a kind, the notice about the others included."""
    errors, warnings, notices = numbers
    bad = tuple(finding("high", f"e{number}") for number in range(errors))
    fine = tuple(finding("medium", f"w{number}") for number in range(warnings))
    fine += tuple(finding("low", f"n{number}") for number in range(notices))
    items = [Item("t.py::test_a", findings=fine)]
    if errors:
        items.append(Item("t.py::test_b", "failed", "fail", bad))
    found = commands(*items)
    kinds = [name for name, _, _ in found]
    assert tuple(map(kinds.count, ("error", "warning", "notice"))) == shown
    assert kinds == sorted(kinds, key=["error", "warning", "notice"].index)
    last = found[-1][2]
    assert (f"not annotated, because GitHub shows 10 of a kind: {left} more" == last) is bool(left)


@patient
@given(st.lists(ITEMS, max_size=5), st.booleans())
def test_no_command_can_be_forged(items: list[Item], over: bool) -> None:
    """Every line is one command of ours with our properties, and it says what it was made of."""
    made = run_of(*items, over=over)
    lines = annotation_lines(made)
    for line in lines:
        name, properties, data = parsed(line)
        assert name in ("error", "warning", "notice")
        assert set(properties) <= {"file", "line", "title"}
        assert properties.get("line", "1").isdecimal()
        # Of the old kind of command, which may begin anywhere in a line, there is none.
        assert "##[" not in line
        assert all(part == printable(part) for part in data.split("\n"))
        line.encode()
    kinds = [parsed(line)[0] for line in lines]
    assert all(kinds.count(kind) <= MAX_ANNOTATIONS for kind in kinds)


class Page(HTMLParser):
    """What GitHub's own parser makes of a summary: the tags, and the text of every cell.

    Args:
        markdown: The summary.
    """

    def __init__(self, markdown: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.cells: list[str] = []
        self._in_code = self._in_cell = False
        self.words = ""
        self.words_outside_code = ""
        # Unsafe: of HTML, nothing is left out here but what GitHub leaves out.
        unsafe = Options.CMARK_OPT_UNSAFE
        self.feed(cmarkgfm.github_flavored_markdown_to_html(markdown, options=unsafe))

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        assert not attrs
        self.tags.append(tag)
        self._in_code = tag == "code"
        if tag == "td":
            self.cells.append("")
            self._in_cell = True

    def handle_endtag(self, tag: str) -> None:
        self._in_code = self._in_code and tag != "code"
        self._in_cell = self._in_cell and tag != "td"

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    def handle_data(self, data: str) -> None:
        self.words += data
        code = self.tags and self.tags[-1] == "code" and self._in_code
        if not code:
            self.words_outside_code += data
        if self.cells and self._in_cell and data.strip():
            self.cells[-1] += data if code else data.replace("\u200b", "")


def test_the_summary_tells_the_run() -> None:
    """Counts, what did not pass, findings by severity, the cost, and what deserves no trust."""
    bad = finding("high", "It is|bad.", path="a.py", line=3, rule="r")
    items = [
        Item(
            "t.py::test_a[1]",
            "failed",
            "fail",
            (bad,),
            "No.",
            event={"message": "ptc verdict: fail - No."},
            report={"usage": USAGE},
        ),
        Item("t.py::test_b", "error", trouble=("timeout", "late"), report={"usage": USAGE}),
        Item("t.py::test_c", findings=(finding("low"),), report={"about": {"tool_calls": 0}}),
        Item("t.py::test_d", resumed="20270101-000000-000aa"),
        Item("t.py::test_e", "xfailed", "fail", (finding("critical"),)),
        Item("t.py::test_f::submit[1]", None, "fail", summary="Not good."),
        Item("t.py::test_g", "failed", event={"message": "assert 0"}),
    ]
    page = Page(step_summary(run_of(*items)))
    words = page.words.replace("\u200b", "")
    assert "2 failed, 1 error, 1 judged alone, 2 passed, 1 failed as expected" in words
    assert "1 pass without a tool call: t.py::test_c." in words
    assert "1 verdict of run 20270101-000000-000aa kept, unchanged" in words
    assert "6 attempts, cost $0.0246." in words
    assert "2 findings: 1 high, 1 low" in words
    assert page.cells == [
        *("failed", "t.py::test_a[1]", "No."),
        *("failed", "t.py::test_g", "the test failed: assert 0"),
        *("error", "t.py::test_b", "timeout: late"),
        *("judged alone", "t.py::test_f::submit[1]", "Not good."),
        *("high", "a.py:3", "It is|bad.", "r", "t.py::test_a[1]"),
        *("low", "", "m", "", "t.py::test_c"),
        *("t.py::test_c", "so it is", ""),
        *("t.py::test_d", "so it is", ""),
    ]
    assert "Not successful: pytest ended with status 1: tests failed." in words


@pytest.mark.parametrize(
    "nodeid",
    [
        "g.ptc.md::alpha",
        "t.py::TestA::test_b[x:1-@octocat-#1-:tada:]",
        "t.py::test_a[a|b||c]",
        "t.py::test_a[`x` ``y``]",
        "t.py::test_a[<b>&amp;*_~\\\\]",
        "sub dir/t.py::test_a[http://a.example www.a.example a@b.example]",
        "t.py::test_a[" + "x" * 900 + "]",
    ],
)
def test_a_node_id_can_be_copied(nodeid: str) -> None:
    """From the text that a reader sees, in every place where it stands, as pytest has it."""
    items = [
        Item(nodeid, "failed", "fail", (finding("high"),)),
        Item(f"{nodeid}p", report={"about": {"tool_calls": 0}}),
    ]
    made = run_of(*items)
    page = Page(step_summary(made))
    assert [page.cells[place] for place in (1, 7, 8)] == [nodeid, nodeid, f"{nodeid}p"]
    assert f"1 pass without a tool call: {nodeid}p." in page.words
    assert not re.search("[\u200b-\u200d\u2060\ufeff]", page.words)


def test_answers_of_passing_items_are_told() -> None:
    """Summary and data, folded; what an agent answers is what many runs are for."""
    data = {"samples": 41, "n": float("inf")}
    said = {"verdict": "pass", "summary": "41 samples, all complete", "findings": []}
    page = Page(step_summary(run_of(Item(report={"verdict": {**said, "data": data}}))))
    assert page.cells == [
        *("test_a.py::test_it", "41 samples, all complete"),
        '{"samples": 41, "n": "inf"}',
    ]
    assert "details" in page.tags


def test_the_summary_of_a_run_that_is_not_whole_says_so() -> None:
    """Killed, stopped, or with costs that nobody knows."""
    undone = Item(verdict=None, outcome=None)
    page = Page(step_summary(run_of(undone, over=False)))
    assert "1 not run" in page.words
    assert "killed, or is still active" in page.words
    assert page.cells == []
    unknown = Item(report={"usage": {**USAGE, "cost_usd": None}})
    words = Page(step_summary(replace(run_of(unknown), stopped="<b>budget"))).words
    assert "The run was stopped: <b>budget." in words
    assert "1 attempt of unknown cost" in words


@patient
@given(st.lists(ITEMS, max_size=4))
def test_no_word_becomes_markup(items: list[Item]) -> None:
    """By GitHub's own parser there are our headings, paragraphs and cells, and nothing else."""
    made = run_of(*items)
    markdown = step_summary(made)
    page = Page(markdown)
    table = {"table", "thead", "tbody", "tr", "th", "td"}
    folded = {"details", "summary"}
    assert set(page.tags) <= {"h2", "h3", "p", "strong", "code", *folded, *table}
    assert page.tags.count("details") == page.tags.count("summary") <= 1
    assert page.tags.count("strong") <= 1
    assert page.tags.count("h2") == 1
    assert page.tags.count("h3") + page.tags.count("details") == page.tags.count("table") <= 3
    rows = re.findall(r"^\| .* \|$", markdown, re.MULTILINE)
    assert page.tags.count("tr") == len(rows) - page.tags.count("table")
    # Mentions, references and emoji are looked for in the finished text.
    assert not re.search(r"[@#:]\w", re.sub(r"\d:\d", "", page.words_outside_code))


def test_the_summary_is_no_larger_than_github_takes() -> None:
    """The least is left out, and that is said."""
    items = [
        Item(f"t.py::test_{number}", "failed", "fail", (finding("low", "|" * 400),))
        for number in range(2000)
    ]
    made = run_of(*items)
    whole = step_summary(made)
    assert len(whole.encode()) <= MAX_SUMMARY_BYTES
    assert "more left out: GitHub takes no larger summary." in whole
    Page(whole)
    for room in (0, 100, 300, 700, 5000):
        assert len(step_summary(made, room=room).encode()) <= room
