"""Where findings stand: what is refused, with which words, and what is corrected."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.verdict import Finding, Severity, Verdict, VerdictKind
from pytest_ptc.verdicts.places import (
    NEAR_LINES,
    Kind,
    Seen,
    anchor,
    checked_places,
    noted_places,
    plain,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

LINES = ("import os", "", "def door():", "return os.environ", "", "door()", "", "", "", "door()")
FILE = Seen(Kind.FILE, path="src/a.py", name="project/src/a.py", lines=LINES)


class Disk:
    """What was reviewed, by path; what is not named is not there."""

    def __init__(self, near: Sequence[str] = (), seen: Mapping[str, Seen] | None = None) -> None:
        self._seen = {"src/a.py": FILE, **(seen or {})}
        self._near = near

    def look(self, path: str) -> Seen:
        return self._seen.get(path, Seen(Kind.ABSENT, known_start=path.startswith("src/")))

    def near(self, _: str) -> Sequence[str]:
        return self._near


def verdict(*findings: dict[str, Any]) -> Verdict:
    """Return a fail with these findings."""
    made = tuple(
        Finding(severity=Severity.HIGH, message="m", **{"path": "src/a.py", **fields})
        for fields in findings
    )
    return Verdict(verdict=VerdictKind.FAIL, summary="s", findings=made)


def problem(disk: Disk, *findings: dict[str, Any]) -> str:
    """Return what an agent is told of findings that do not hold."""
    with pytest.raises(VerdictError) as caught:
        checked_places(verdict(*findings), disk)
    return str(caught.value)


def checked(disk: Disk, **fields: Any) -> Finding:
    """Return a finding that holds."""
    (finding,) = checked_places(verdict(fields), disk).findings
    return finding


@pytest.mark.parametrize(
    ("fields", "line"),
    [
        ({"line": 3}, 3),
        ({"line": 10}, 10),
        ({}, None),
        ({"line": 4, "quote": "  return\tos.environ "}, 4),
        ({"line": 4, "quote": "os.environ"}, 4),
        ({"line": 1, "quote": "return os.environ"}, 4),
        ({"line": 5, "quote": "door()"}, 6),
        ({"line": 7, "quote": "door()"}, 6),
        ({"line": 9, "quote": "door()"}, 10),
        ({"line": 2, "quote": "def door(): return os.environ"}, 3),
        ({"line": 3, "quote": "   "}, 3),
        ({"quote": "import os"}, 1),
        ({"quote": "door()"}, None),
    ],
)
def test_a_place_holds_and_is_corrected_by_its_quote(
    fields: dict[str, Any], line: int | None
) -> None:
    """Within three lines, or anywhere if it stands once; white space does not count."""
    found = checked(Disk(), **fields)
    assert (found.line, found.path, found.facts.misplaced) == (line, "src/a.py", "")
    expected = None if line is None else anchor("project/src/a.py", LINES[line - 1])
    assert found.facts.anchor == expected


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"line": 11}, '"findings[0].line": src/a.py has 10 lines, not 11'),
        ({"line": 99, "quote": "import os"}, "has 10 lines, not 99; the quote stands at line 1"),
        (
            {"line": 8, "quote": "import os"},
            "in src/a.py, line 8 is ``, not the quote; the quote stands at line 1",
        ),
        (
            {"line": 3, "quote": "def window():"},
            "line 3 is `def door():`, not the quote; it stands nowhere in the file, copy the line",
        ),
        ({"quote": "def window():"}, "src/a.py has no such text; copy the line as it is there"),
        ({"path": "src/b.py"}, '"findings[0].path": src/b.py is not there; there is src/c.py'),
        ({"path": "b.py"}, "b.py is not there"),
        ({"path": "b.py:7"}, "b.py:7 is not there"),
        ({"path": "b.py#L7-L9"}, "b.py#L7-L9 is not there"),
        ({"path": "lib/b.PY"}, "lib/b.PY is not there"),
        ({"path": "src/nothing"}, "src/nothing is not there"),
        ({"path": "src/a.py:7"}, 'src/a.py:7 is not there; put 7 into "line"'),
        ({"path": "GET /users", "line": 3}, "GET /users is not there"),
        ({"path": "dir", "line": 3}, '"findings[0].line": dir is a directory, and has no lines'),
        ({"path": "pipe", "quote": "x"}, "pipe is no regular file in there, and has no lines"),
        ({"path": "../b.py"}, "../b.py is outside of what was reviewed"),
        ({"path": "/etc/passwd", "line": 1}, "/etc/passwd is outside of what was reviewed"),
        ({"path": "gone.py", "line": 9}, "gone.py had 2 lines, not 9"),
    ],
)
def test_a_place_that_does_not_hold_is_told_with_what_is_there(
    fields: dict[str, Any], told: str
) -> None:
    """So that a model can correct it at once."""
    assert told in problem(DISK, fields)


OUTSIDE = Seen(Kind.OUTSIDE)
DISK = Disk(
    ("src/c.py",),
    {
        "dir": Seen(Kind.DIRECTORY, path="dir", name="dir"),
        "pipe": Seen(Kind.OTHER, path="pipe", name="pipe"),
        "../b.py": OUTSIDE,
        "/etc/passwd": OUTSIDE,
        "/users": OUTSIDE,
        "/": OUTSIDE,
        "gone.py": Seen(Kind.FILE, path="gone.py", name="gone.py", lines=("a", "b"), gone=True),
        "big.py": Seen(Kind.FILE, path="big.py", name="big.py"),
    },
)


@pytest.mark.parametrize(
    "name",
    [
        *("GET /users", "/users", "/", "/users/{id}", "https://example.org/a.html", "users"),
        *("POST /a/b.json", "users/{id}.json", "UserService.login()", "users/list", "SELECT *"),
        *(
            "http://localhost:8000",
            "localhost:8000",
            "example.com",
            "api.example.com:443",
            "pkg.mod",
        ),
    ],
)
def test_a_name_is_no_place_and_not_refused(name: str) -> None:
    """Endpoints and the like are what suites are about, too."""
    found = checked(DISK, path=name)
    assert (found.path, found.facts.anchor, found.has_place) == (name, None, False)


def test_a_directory_and_a_file_that_nobody_can_read_are_places() -> None:
    """What cannot be known of them is not known, and nothing is refused for it."""
    assert checked(DISK, path="dir").has_place
    assert checked(DISK, path="pipe").has_place
    big = checked(DISK, path="big.py", line=10**6, quote="x")
    assert (big.has_place, big.facts.anchor, big.facts.touched) == (True, None, None)


def test_what_the_change_touches_is_asked_of_the_place_that_holds() -> None:
    """By the name in the repository, and the corrected line; nothing else is asked."""
    asked: list[tuple[str, int | None]] = []

    def touches(name: str, line: int | None) -> bool:
        asked.append((name, line))
        return False

    given = verdict(
        {"line": 2, "quote": "import os"},
        {"path": None},
        {"path": "GET /users"},
        {"path": "gone.py", "line": 1},
        {"path": "big.py", "line": 1},
        {"path": "dir"},
    )
    findings = checked_places(given, DISK, touches).findings
    assert asked == [("project/src/a.py", 1), ("dir", None)]
    # What the change has deleted is its own work.
    assert [one.facts.touched for one in findings] == [False, None, None, True, None, False]


def test_of_several_lines_that_may_be_meant_one_of_the_change_is_enough() -> None:
    """A copy of an old line beside it does not make a new one old."""
    lines = ("door()", "", "door()", "", "")
    disk = Disk(seen={"src/a.py": FILE._replace(lines=lines)})
    for line, first, expected in ((2, 1, True), (1, 1, False), (3, 3, True)):
        given = verdict({"line": line, "quote": "door()"})
        (found,) = checked_places(given, disk, lambda _, at: at == 3).findings
        assert (found.line, found.facts.touched) == (first, expected)


def test_all_that_is_wrong_is_told_up_to_a_bound() -> None:
    """By the number of the finding; the fix comes once."""
    told = problem(Disk(), {"line": 1}, *({"line": 100 + number} for number in range(8)))
    assert '"findings[0]' not in told
    assert '"findings[5].line": src/a.py has 10 lines, not 104; and 3 more findings' in told
    assert told.count("leave path, line and quote out") == 1


def test_what_nobody_can_correct_gets_a_note_and_stays() -> None:
    """A linter's finding is listed as it came; what holds is looked up beside it."""
    bad, good = noted_places(verdict({"line": 99}, {"line": 3}), Disk()).findings
    assert (bad.path, bad.line) == ("src/a.py", 99)
    assert bad.facts.misplaced == "src/a.py has 10 lines, not 99"
    assert (bad.facts.anchor, bad.facts.touched) == (None, None)
    assert good.facts.anchor == anchor("project/src/a.py", "def door():")


def test_an_empty_file_has_a_first_line() -> None:
    """Where tools say that something is missing."""
    empty = Disk(seen={"src/a.py": FILE._replace(lines=())})
    assert checked(empty, line=1).facts.anchor == anchor("project/src/a.py", "")
    assert "has 0 lines, not 2" in problem(empty, {"line": 2})


WORDS = st.lists(st.sampled_from(["a", "b", "", "a b", "x = 1"]), min_size=1, max_size=12)


@given(WORDS, st.data())
def test_a_quote_of_a_line_nearby_always_holds(lines: list[str], data: st.DataObject) -> None:
    """Whatever else is in the file, the line is then one where the quote stands."""
    real = data.draw(st.integers(1, len(lines)))
    near = data.draw(st.integers(max(1, real - NEAR_LINES), min(len(lines), real + NEAR_LINES)))
    disk = Disk(seen={"src/a.py": FILE._replace(lines=tuple(lines))})
    found = checked(disk, line=near, quote=lines[real - 1])
    assert found.line is not None
    assert lines[real - 1] in lines[found.line - 1]


@given(st.text(), st.text())
def test_an_anchor_is_of_path_and_line_but_not_of_white_space(path: str, line: str) -> None:
    """Indentation may change, and the finding is the same."""
    assert anchor(path, line) == anchor(path, f"\t {plain(line)}  ")
    assert anchor(path, line) != anchor(f"{path}x", line)
    assert anchor(path, line) != anchor(path, f"{line}x")


def test_hints_are_for_the_problems_that_are_told() -> None:
    """A linter's file may have thousands, and each hint takes its time."""
    asked: list[str] = []

    class Asked(Disk):
        def near(self, path: str) -> Sequence[str]:
            asked.append(path)
            return ()

    many = [{"path": f"{number}.py"} for number in range(50)]
    problem(Asked(), *many)
    assert asked == [f"{number}.py" for number in range(5)]
    noted_places(verdict(*many), Asked())
    assert len(asked) == 5


def test_what_nobody_had_the_time_to_look_at_stays_as_it_is() -> None:
    """It is not refused, and not said to be anywhere."""
    disk = Disk(seen={"src/a.py": Seen(Kind.UNKNOWN)})
    given = verdict({"line": 99, "quote": "nowhere"}, {})
    assert checked_places(given, disk) == noted_places(given, disk) == given
