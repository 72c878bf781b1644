"""The findings of a run by file and rule."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.model.verdict import Severity
from pytest_ptc.reporting.page.by_file import MAX_FINDINGS, ByFile, FoundRow, by_file
from pytest_ptc.reporting.page.page import page
from pytest_ptc.reporting.wording import grouped
from tests.support.documents import Item, finding, run_of
from tests.support.samples import run_of as sample_run

if TYPE_CHECKING:
    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport


def view(run: RunReport) -> ByFile:
    """Return the view of a run that has findings, without addresses of lines."""
    made = by_file(run, lambda _finding, _task: "")
    assert made is not None
    return made


def made_rows(made: ByFile) -> list[FoundRow]:
    return [row for file in made.files for rule in file.rules for row in rule.rows]


def item(*findings: dict[str, Any], name: str = "test_it", **more: Any) -> Item:
    """Return an item that failed with findings."""
    return Item(f"test_a.py::{name}", "failed", "fail", findings, **more)


def test_a_run_without_findings_has_no_view() -> None:
    """And its page has none."""
    run = run_of(Item())
    assert by_file(run, lambda _finding, _task: "") is None
    assert 'id="by-file"' not in page(run)


def test_files_and_rules_come_worst_first() -> None:
    """By how many findings of the worst severities they have, then by name."""
    run = run_of(
        item(
            finding("low", path="b.py", rule="r1"),
            finding("low", path="b.py", rule="r1"),
            finding("high", path="a.py", rule="r2"),
            finding("info", path="a.py", rule="r1"),
            finding("high", path="c.py", rule="r1"),
            finding("low", path="c.py", rule="r1"),
            finding("low", path="d.py"),
            finding("low", path="c.py", rule="r0"),
        ),
    )
    made = view(run)
    assert made.many == "8 findings in 4 files"
    assert [(file.path, [rule.name for rule in file.rules]) for file in made.files] == [
        ("c.py", ["r1", "r0"]),
        ("a.py", ["r2", "r1"]),
        ("b.py", ["r1"]),
        ("d.py", [""]),
    ]
    assert made.files[0].severities == [("high", "1"), ("low", "2")]
    assert [row.severity for row in made.files[0].rules[0].rows] == ["high", "low"]


def test_a_finding_leads_to_its_item_and_its_line() -> None:
    """Across items, with the place that the item's own section shows it at."""
    run = run_of(
        item(finding("low", path="a.py", line=3), name="test_one"),
        item(
            finding("low", "first", path="a.py", line=9),
            finding("high", "second", path="b.py"),
            name="test_two[x::y]",
        ),
    )

    def href(found: Finding, task: TaskReport) -> str:
        return f"{task.number}/{found.path}"

    made = by_file(run, href)
    assert made is not None
    assert {(*row.items[0], row.line, row.href) for row in made_rows(made)} == {
        ("t1", "test_one", "0", "line 3", "1/a.py"),
        ("t2", "test_two[x::y]", "1", "line 9", "2/a.py"),
        ("t2", "test_two[x::y]", "0", "", "2/b.py"),
    }


def test_findings_without_a_path_are_under_no_file() -> None:
    """They are no file that is counted, and no file of this name."""
    run = run_of(item(finding("high"), finding("low", path="no file")))
    made = view(run)
    assert made.many == "2 findings in 1 file"
    assert [file.path for file in made.files] == ["", "no file"]
    assert "<i>no file</i>" in page(run)
    assert "<code>no file</code>" in page(run)
    assert view(run_of(item(finding("high")))).many == "1 finding"


@pytest.mark.parametrize("cwd", ["/project", "/project/src", "/copy/3", "/copy/3/"])
def test_a_file_has_one_name_in_the_project_and_in_its_copies(cwd: str) -> None:
    """An agent names it from where it works, or in full."""
    path = "a.py" if cwd.endswith("/src") else "src/a.py"
    run = run_of(
        item(finding("low", path="src/a.py"), name="test_one", spec={"cwd": "/project"}),
        item(finding("low", path=path), name="test_two", spec={"cwd": cwd}),
        item(finding("low", path=f"{cwd}/./{path}"), name="test_three", spec={"cwd": cwd}),
        rootdir="/project",
    )
    assert [file.path for file in view(run).files] == ["src/a.py"]


@pytest.mark.parametrize("cwd", ["/project", "/"])
@pytest.mark.parametrize("path", ["/etc/passwd", "/projects/a.py", "/"])
def test_a_file_elsewhere_keeps_its_name(path: str, cwd: str) -> None:
    """It is no file of the project."""
    run = run_of(item(finding("low", path=path), spec={"cwd": cwd}), rootdir="/project")
    assert [file.path for file in view(run).files] == [path]


def test_a_rule_has_one_name_however_it_is_written() -> None:
    """The one that it has in the report for code scanning."""
    run = run_of(item(finding("low", rule="SQL injection"), finding("low", rule="sql-injection")))
    (rule,) = view(run).files[0].rules
    assert (rule.name, len(rule.rows)) == ("sql-injection", 2)


def test_all_findings_are_there() -> None:
    """With each item that names it, also one that passed; the marks count what is shown."""
    run = sample_run(tasks=90, findings=300)
    made = view(run)
    for file in made.files:
        rows = [row for rule in file.rules for row in rule.rows]
        shown = Counter(row.severity for row in rows)
        marks = shown if len(rows) > 1 else {}
        assert {name: int(number) for name, number in file.severities} == marks
    links = [(link.anchor, link.place) for row in made_rows(made) for link in row.items]
    assert len(set(links)) == len(links) == sum(run.findings.values())
    assert made.left_out == ""


def test_what_several_items_name_is_there_once() -> None:
    """With the worst severity, a link to each, and in how many items it is altogether."""
    run = run_of(
        item(finding("low", path="a.py", line=3, rule="r"), name="test_one"),
        item(
            finding("info", path="b.py"),
            finding("high", "bad", path="a.py", line=4, rule="R"),
            name="test_two",
        ),
    )
    made = view(run)
    assert made.many == "2 findings in 2 files, 3 in the items"
    row = made_rows(made)[0]
    assert (row.severity, row.message, row.blocks) == ("high", "bad", True)
    assert [(link.name, link.place) for link in row.items] == [("test_one", "0"), ("test_two", "0")]


def test_of_too_many_findings_the_worst_are_there() -> None:
    """And how many are not."""
    task = run_of(item(finding("low", path="many.py"), finding("high", path="last.py"))).tasks[0]
    assert task.verdict is not None
    low, high = task.verdict.findings
    least = replace(low, severity=Severity.INFO, path="least.py")
    verdict = replace(task.verdict, findings=(low,) * MAX_FINDINGS + (least, high))
    run = replace(run_of(item()), tasks=(replace(task, verdict=verdict),))
    made = view(run)
    assert made.files[0].path == "last.py"
    assert sum(len(rule.rows) for file in made.files for rule in file.rules) == MAX_FINDINGS
    assert made.left_out == "2 more, none worse than low, are with their items."
    assert made.left_out in page(run)
    assert [file.path for file in made.files] == ["last.py", "many.py"]
    assert made.many == f"{grouped(MAX_FINDINGS + 2)} findings in 3 files"


def test_long_texts_are_cut() -> None:
    """A message is one line; of a name the end is there, with its parameters."""
    name = f"test_it[{'n' * 9000}-last]"
    run = run_of(
        item(
            finding("low", " \n two\n\tlines ", path="a.py"),
            finding("low", "m" * 9000, path="b.py"),
            finding("low", f"x{' ' * 9000}y", path="p" * 9000),
            name=name,
        )
    )
    files = view(run).files
    rows = [file.rules[0].rows[0] for file in files]
    assert rows[0].message == "two lines"
    assert rows[1].message == f"{'m' * 117}..."
    assert rows[2].message == "x..."
    assert len(files[2].path) == 300
    names = [row.items[0].name for row in rows]
    assert all(len(name) == 80 and name.endswith("-last]") for name in names)
