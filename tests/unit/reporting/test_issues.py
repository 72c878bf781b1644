"""What somebody must look at, where it is, and that it is the same thing in the next run."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.reporting.issues import issues_of
from tests.support.documents import Item, finding, run_of

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Findings of every severity, of which the middle ones have rules.
FINDINGS = (
    finding("info"),
    finding("critical", rule="sql-injection", path="src/db.py", line=3),
    finding("medium", rule="naming", path="src/db.py", line=9),
)


def told(*items: Item, **run: Any) -> list[tuple[str, str, bool]]:
    """Return the issues' rules, severities and whether they are why an item did not pass."""
    return [
        (issue.rule, issue.severity.value, issue.fails)
        for issue in issues_of(run_of(*items, **run))
    ]


@pytest.mark.parametrize(
    ("item", "expected"),
    [
        pytest.param(Item(), [], id="pass"),
        pytest.param(Item(verdict="skip", outcome="skipped"), [], id="skip"),
        pytest.param(
            Item(findings=FINDINGS),
            [
                ("sql-injection", "critical", False),
                ("naming", "medium", False),
                ("ptc/finding", "info", False),
            ],
            id="pass-with-findings",
        ),
        pytest.param(
            Item(verdict="fail", outcome="failed", findings=FINDINGS[1:]),
            [("sql-injection", "critical", True), ("naming", "medium", True)],
            id="fail-with-findings",
        ),
        pytest.param(
            Item(outcome="failed", findings=FINDINGS, spec={"fail_on": "high"}),
            [
                ("sql-injection", "critical", True),
                ("naming", "medium", False),
                ("ptc/finding", "info", False),
            ],
            id="pass-with-findings-that-fail",
        ),
        pytest.param(
            Item(outcome="failed", findings=FINDINGS[:1], spec={"fail_on": "high"}),
            [("ptc/test", "high", True), ("ptc/finding", "info", False)],
            id="the-body-fails-though-findings-need-not",
        ),
        pytest.param(
            Item(outcome="failed", findings=FINDINGS[1:2], spec={"fail_on": "high", "gate": False}),
            [("sql-injection", "critical", False), ("ptc/test", "high", True)],
            id="the-body-alone-judges",
        ),
        pytest.param(
            Item(verdict="fail", outcome="failed"),
            [("ptc/verdict", "high", True)],
            id="fail-without-findings",
        ),
        pytest.param(
            Item(verdict="fail", outcome="passed", spec={"gate": False}),
            [("ptc/verdict", "medium", False)],
            id="fail-where-the-body-judges",
        ),
        pytest.param(
            Item(verdict="fail", outcome="xfailed"),
            [("ptc/verdict", "high", False)],
            id="fail-as-expected",
        ),
        pytest.param(
            Item(verdict="error", outcome="error"), [("ptc/error", "high", True)], id="error"
        ),
        pytest.param(
            Item(trouble=("timeout", "no verdict within 300 s"), outcome="error"),
            [("ptc/error", "high", True)],
            id="trouble",
        ),
        pytest.param(
            Item(outcome="error", event={"phase": "teardown"}),
            [("ptc/error", "high", True)],
            id="a-pass-whose-teardown-broke",
        ),
        pytest.param(
            Item(verdict="fail", outcome="error", event={"phase": "teardown"}),
            [("ptc/verdict", "high", True), ("ptc/error", "high", True)],
            id="a-fail-whose-teardown-broke",
        ),
        pytest.param(
            Item(verdict=None, outcome=None), [("ptc/error", "high", True)], id="never-begun"
        ),
        pytest.param(
            Item(verdict="fail", outcome=None),
            [("ptc/verdict", "high", True)],
            id="judged-and-not-run",
        ),
        pytest.param(
            Item(verdict=None, outcome="skipped"),
            [("ptc/error", "high", True)],
            id="skipped-by-itself-and-so-nothing-is-judged",
        ),
        pytest.param(
            Item(verdict="fail", outcome="skipped"),
            [("ptc/verdict", "high", True)],
            id="a-fail-that-a-fixture-skips",
        ),
        pytest.param(
            Item(verdict="fail", outcome="passed"),
            [("ptc/verdict", "high", True)],
            id="a-fail-that-a-plugin-calls-a-pass",
        ),
        pytest.param(
            Item(verdict=None, outcome="passed"),
            [("ptc/error", "high", True)],
            id="a-pass-that-nobody-judged",
        ),
        pytest.param(Item(outcome="xpassed"), [], id="xpassed"),
    ],
)
def test_what_there_is_to_look_at(item: Item, expected: Sequence[tuple[str, str, bool]]) -> None:
    """Every finding, and one issue more where those are not why an item did not pass."""
    assert told(item) == expected


@pytest.mark.parametrize("outcome", ["failed", "error", None])
@pytest.mark.parametrize("verdict", ["pass", "fail", "error", None])
@pytest.mark.parametrize("findings", [(), FINDINGS])
def test_an_item_that_did_not_pass_is_never_silent(
    outcome: str | None, verdict: str | None, findings: tuple[dict[str, Any], ...]
) -> None:
    """Whatever became of it, something says that it failed."""
    item = Item(outcome=outcome, verdict=verdict, findings=findings)
    assert any(fails for _, _, fails in told(item))


def test_the_worst_comes_first_else_the_order_of_the_tasks() -> None:
    """Severity first, then what failed an item, and no other order is made up."""
    items = [
        Item("t.py::test_a", findings=(finding("high", "a"), finding("low", "a"))),
        Item("t.py::test_b", verdict="fail", outcome="failed", findings=(finding("high", "b"),)),
        Item("t.py::test_c", findings=(finding("critical", "c"), finding("high", "c"))),
    ]
    found = issues_of(run_of(*items))
    assert [(issue.severity.value, issue.message) for issue in found] == [
        ("critical", "c"),
        ("high", "b"),
        ("high", "a"),
        ("high", "c"),
        ("low", "a"),
    ]


def test_of_a_test_that_was_run_again_the_last_word_counts() -> None:
    """Findings of an attempt that a rerun has overtaken are no news."""
    first = Item(verdict="fail", outcome=None, findings=(finding("high", "old"),))
    made = run_of(first, Item("t.py::test_b"), Item(findings=(finding("low", "new"),)))
    assert [task.nodeid for task in made.standing] == ["t.py::test_b", first.nodeid]
    assert [issue.message for issue in issues_of(made)] == ["new"]


def test_items_that_the_run_never_came_to_are_one_issue() -> None:
    """Hundreds of them say no more than one, which names the first."""
    stopped = Item("t.py::test_s", None, trouble=("run stopped", "the run ended"))
    waiting = [Item(f"t.py::test_{number}", None, None) for number in range(4)]
    (issue,) = issues_of(run_of(stopped, *waiting))
    assert issue.message == (
        "5 items not judged when the run was over: "
        "t.py::test_s, t.py::test_0, t.py::test_1, +2 more"
    )
    assert issue.of_run


@pytest.mark.parametrize(
    ("path", "run", "expected"),
    [
        pytest.param("src/a.py", {}, "src/a.py", id="relative"),
        pytest.param("/repo/src/a.py", {}, "src/a.py", id="in-full"),
        pytest.param("./src/../a.py", {}, "a.py", id="roundabout"),
        pytest.param("a b%.py", {}, "a b%.py", id="any-name"),
        pytest.param("/etc/passwd", {}, None, id="outside"),
        pytest.param("../x.py", {}, None, id="above"),
        pytest.param(".", {}, None, id="the-root-itself"),
        pytest.param("a.py", {"repository": None}, "a.py", id="no-repository"),
        pytest.param("a.py", {"rootdir": "/repo/sub"}, "a.py", id="above-the-root-of-the-tests"),
        pytest.param("sub/a.py", {"rootdir": "/repo/sub"}, "sub/a.py", id="in-it"),
        pytest.param("../b.py", {"repository": "/"}, "b.py", id="the-whole-machine"),
    ],
)
def test_places_are_those_of_the_repository(
    path: str, run: dict[str, Any], expected: str | None
) -> None:
    """Paths begin at the repository's top, wherever pytest's root and the agent's directory are."""
    item = Item("t.py::test_a", findings=(finding("low", path=path, line=3),))
    (issue,) = issues_of(run_of(item, **run))
    if expected is None:
        assert (issue.path, issue.line, issue.at_test) == ("t.py", 7, True)
        assert issue.task is not None
        assert issue.message == f"m\n(in {issue.task.findings[0].path}:3)"
    else:
        assert (issue.path, issue.line, issue.at_test) == (expected, 3, False)
        assert issue.message == "m"


def test_another_checkout_has_the_paths_of_the_repository() -> None:
    """An agent that works in a checkout of its own means the same files."""
    findings = (finding("low", path="src/a.py"), finding("low", path="/etc/passwd"))
    elsewhere = Item(findings=findings, spec={"cwd": "/elsewhere/pr-7"})
    everywhere = Item("t.py::test_b", findings=findings[:1], spec={"cwd": "/"})
    assert [issue.path for issue in issues_of(run_of(elsewhere, everywhere))] == [
        "src/a.py",
        "test_a.py",
        "t.py",
    ]


def test_what_is_nowhere_in_the_repository_is_at_a_file_that_stands_for_it() -> None:
    """Where the test is outside, too; without such a file, and a repository, by its own name."""
    item = Item("../x/t.py::test", findings=(finding("low"),))
    (issue,) = issues_of(run_of(item))
    assert (issue.path, issue.line, issue.at_test) == ("README.md", None, True)
    (issue,) = issues_of(run_of(item, anchor=None))
    assert issue.path is None
    (issue,) = issues_of(run_of(item, anchor=None, repository=None))
    assert issue.path == "x/t.py"


@pytest.mark.parametrize(
    ("spec", "path", "message"),
    [
        pytest.param({}, "a.py", "m", id="in-place"),
        pytest.param({"isolation": "worktree", "ref": "c" * 40}, "a.py", "m", id="HEAD"),
        pytest.param(
            {"isolation": "worktree", "ref": "d" * 40},
            "t.py",
            "m\n(in a.py:3 of commit dddddddddddd)",
            id="another-commit",
        ),
    ],
)
def test_what_is_about_another_commit_stands_at_the_test(
    spec: dict[str, Any], path: str, message: str
) -> None:
    """Its lines are not those of the files that are checked out, if it has these files at all."""
    found = (finding("low", path="a.py", line=3),)
    (issue,) = issues_of(run_of(Item("t.py::test_a", findings=found, spec=spec)))
    assert (issue.path, issue.message) == (path, message)


def test_what_is_about_another_commit_without_a_file_names_the_commit() -> None:
    """And a commit is another one where nobody knows what is checked out."""
    spec = {"isolation": "worktree", "ref": "d" * 40}
    item = Item("t.py::test_a", findings=(finding("low"),), spec=spec)
    (issue,) = issues_of(run_of(item, commit=None))
    assert issue.message == "m\n(of commit dddddddddddd)"


@pytest.mark.parametrize("status", [1, 2, 3, 4, 5, 7, 10])
def test_a_run_that_is_no_success_has_an_issue(status: int) -> None:
    """Though every item passed, as where another test failed or a plugin set the exit status."""
    (issue,) = issues_of(run_of(Item(), status=status))
    assert (issue.rule, issue.fails, issue.path) == ("ptc/error", True, "README.md")
    assert f"status {status}" in issue.message


@pytest.mark.parametrize(
    ("said", "rule"),
    [
        (None, "ptc/finding"),
        ("", "ptc/finding"),
        ("..", "ptc/finding"),
        ("SQL Injection!", "sql-injection"),
        ("sql-injection", "sql-injection"),
        ("CWE-89/a.b_c", "cwe-89/a.b_c"),
        ("ptc/verdict", "ptc-verdict"),
        ("-PTC/error", "ptc-error"),
        ("a\nb\x1b[2Jc", "a-b-x1b-2jc"),
        ("x" * 999, "x" * 100),
    ],
)
def test_a_rule_is_one_name_however_it_is_written(said: str | None, rule: str) -> None:
    """Alerts are kept by rule; and what an agent says is never one of our own rules."""
    (issue,) = issues_of(run_of(Item(findings=(finding("low", rule=said),))))
    assert issue.rule == rule


def prints(*items: Item, **run: Any) -> list[str]:
    """Return the fingerprints of what was found, in the order of the fingerprints."""
    return sorted(issue.fingerprint for issue in issues_of(run_of(*items, **run)))


def test_a_fingerprint_outlives_what_does_not_matter() -> None:
    """Other lines, another order of the tests, another version, a verdict in other words."""
    one = Item("t.py::test_a", findings=(finding("low", path="a.py", line=3),))
    two = Item("t.py::test_b", verdict="fail", outcome="failed", summary="No.")
    before = prints(one, two)
    moved = one._replace(line=70, findings=(finding("low", path="/repo/a.py", line=30),))
    assert prints(two._replace(summary="It is not."), moved, pytest_ptc="9") == before


def test_a_fingerprint_is_of_one_thing() -> None:
    """Another file, rule or message is another thing, and so is the same thing again."""
    same = finding("low", path="a.py")
    findings = (same, same, finding("low", "n", path="a.py"), finding("low", path="b.py"))
    ruled = finding("low", path="a.py", rule="r")
    items = [
        Item("t.py::test_a", findings=(*findings, ruled, finding("low"))),
        Item("t.py::test_b", findings=(*findings, ruled, finding("low"))),
        Item("t.py::test_c", verdict="fail", outcome="failed"),
        Item("t.py::test_d", verdict="fail", outcome="error"),
    ]
    found = prints(*items)
    assert len(set(found)) == len(found) == 10


def test_words_are_text_and_lines_are_numbers_a_reader_can_hold() -> None:
    """Nothing unseen, nothing endless, nothing empty, and no line beyond 32 bits."""
    findings = (
        finding("high", "one\r\n\x1b[31mtwo\u202e\x00", path="a.py", line=2**40),
        finding("low", "\x1b[0m"),
        finding("info", "x" * 10_000),
    )
    first, second, third = issues_of(run_of(Item(findings=findings)))
    assert (first.message, first.line) == ("one\ntwo\\u202e\\x00", None)
    assert second.message == "(no words)"
    assert len(third.message) == 4000
    assert third.message.endswith("...")
