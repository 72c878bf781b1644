"""Which findings are known ones, and which entries are void."""

from __future__ import annotations

import pytest

from pytest_ptc.model.excuses import Excuses
from pytest_ptc.model.known import (
    KnownEntry,
    KnownFindings,
    covers,
    known_among,
    void_entries,
)
from pytest_ptc.model.sightings import Roots, Sighting, sighting
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.verdict import Excuse, Finding, Severity, Verdict, VerdictKind
from pytest_ptc.model.weighing import weighed

TODAY = "2027-01-31"
OF_A_LINE = KnownEntry(
    number=1, line=1, reason="ours", fingerprint="f1", rule="sql-injection", path="src/a.py"
)
OF_A_RULE = KnownEntry(
    number=2, line=6, reason="style", rule="naming", path="src/**/*.py", until=TODAY
)
HERE = Sighting("src/a.py", 3, "SQL injection", "f1")


def known(*entries: KnownEntry, today: str = TODAY) -> KnownFindings:
    return KnownFindings(file="known.yaml", today=today, entries=entries)


@pytest.mark.parametrize(
    ("entry", "seen", "expected"),
    [
        (OF_A_LINE, HERE, True),
        # The line has moved; the rule is written in another way.
        (OF_A_LINE, Sighting("src/a.py", 300, "sql_injection", "f1"), True),
        # Another line, another rule at the line, no rule, nobody looked.
        (OF_A_LINE, HERE._replace(anchor="f2"), False),
        (OF_A_LINE, HERE._replace(rule="xss"), False),
        (OF_A_LINE, HERE._replace(rule=None), False),
        (OF_A_LINE, HERE._replace(anchor=None), False),
        (OF_A_LINE, HERE._replace(path="src/b.py"), False),
        (OF_A_RULE, Sighting("src/x/y.py", 1, "naming"), True),
        (OF_A_RULE, Sighting("src/y.py", None, "Naming"), True),
        (OF_A_RULE, Sighting("lib/y.py", 1, "naming"), False),
        (OF_A_RULE, Sighting(None, None, "naming"), False),
        (OF_A_RULE, Sighting("src/y.py", 1, None), False),
        (KnownEntry(number=1, line=1, reason="r", fingerprint="f1"), HERE, True),
    ],
)
def test_an_entry_means_only_what_it_names(
    entry: KnownEntry, seen: Sighting, expected: bool
) -> None:
    assert covers(entry, seen) is expected


@pytest.mark.parametrize(
    ("today", "holds"), [("2027-01-30", True), ("2027-01-31", True), ("2027-02-01", False)]
)
def test_an_entry_holds_through_its_last_day(today: str, holds: bool) -> None:
    seen = Sighting("src/y.py", 1, "naming")
    (entry,) = known_among(known(OF_A_RULE, today=today), [seen])
    assert (entry is OF_A_RULE) is holds
    void = [one.text for one in void_entries(known(OF_A_RULE, today=today), [seen])]
    text = "known finding 2 (naming in src/**/*.py, known.yaml:6) is void: its date, 2027-01-31, "
    text += "has passed"
    assert void == ([] if holds else [text])


def test_a_line_s_twin_is_another_finding() -> None:
    """Of two lines with the same text an entry means one; two entries mean both."""
    twin = HERE._replace(line=90)
    assert known_among(known(OF_A_LINE), [twin, HERE]) == [None, OF_A_LINE]
    # The same place twice, as two votes have it, is one finding.
    assert known_among(known(OF_A_LINE), [HERE, HERE]) == [OF_A_LINE, OF_A_LINE]
    other = KnownEntry(number=3, line=9, reason="too", fingerprint="f1")
    assert known_among(known(OF_A_LINE, other), [twin, HERE]) == [other, OF_A_LINE]
    twins = [Sighting("src/y.py", line, "naming") for line in (1, 2)]
    assert known_among(known(OF_A_RULE), twins) == [OF_A_RULE, OF_A_RULE]


@pytest.mark.parametrize(
    ("seen", "void"),
    [
        ([], False),
        ([HERE], False),
        ([HERE._replace(anchor="f2")], True),
        ([HERE._replace(anchor="f2"), HERE], False),
        # Of other files and rules nothing follows.
        ([Sighting("src/b.py", 3, "sql-injection", "f2"), Sighting("src/a.py", 3, "x")], False),
    ],
)
def test_an_entry_is_void_where_its_line_has_changed(seen: list[Sighting], void: bool) -> None:
    text = "known finding 1 (sql-injection in src/a.py, known.yaml:1) is void: its line changed"
    assert [one.text for one in void_entries(known(OF_A_LINE), seen)] == ([text] if void else [])


def test_a_finding_whose_line_nobody_read_does_not_say_that_it_changed() -> None:
    (void,) = void_entries(known(OF_A_LINE), [HERE._replace(anchor=None)])
    assert void.why == "nobody could read the finding's line"


ROOTS = Roots("/repo/tests", "/repo")
SPEC = TaskSpec(nodeid="t.py::t", prompt="p", timeout=1.0, cwd="/repo/src")


@pytest.mark.parametrize(
    ("path", "cwd", "expected"),
    [
        ("a.py", "/repo/src", "src/a.py"),
        ("/repo/src/a.py", "/repo/src", "src/a.py"),
        ("../src/./a.py", "/repo/src", "src/a.py"),
        ("../../etc/passwd", "/repo/src", None),
        ("/etc/passwd", "/repo/src", None),
        # Another checkout of the repository.
        ("src/a.py", "/elsewhere", "src/a.py"),
        (None, "/repo/src", None),
    ],
)
def test_a_path_is_taken_from_the_top_of_the_repository(
    path: str | None, cwd: str, expected: str | None
) -> None:
    finding = Finding(severity=Severity.LOW, message="m", path=path)
    assert sighting(finding, cwd, ROOTS).path == expected


def test_a_known_finding_blocks_nothing_and_keeps_its_reason() -> None:
    found = Finding(severity=Severity.HIGH, message="m", path="a.py", line=3, rule="sql-injection")
    here = found.with_facts(anchor="f1")
    verdict = Verdict(verdict=VerdictKind.FAIL, summary="s", findings=(here,))
    ended = weighed(verdict, SPEC, Excuses(ROOTS, known(OF_A_LINE)))
    assert ended.findings == (here.with_facts(excuse=Excuse.KNOWN, why="ours"),)
    assert ended.set_aside
    # Beside one that nobody knows it is not enough.
    other = found.with_facts(anchor="f2")
    both = Verdict(verdict=VerdictKind.FAIL, summary="s", findings=(here, other))
    assert not weighed(both, SPEC, Excuses(ROOTS, known(OF_A_LINE))).set_aside
