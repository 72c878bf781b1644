"""Planted defects: each is one small edit, and all else stays byte for byte."""

from __future__ import annotations

import difflib
from pathlib import Path

import pytest

import pytest_ptc
from pytest_ptc.collection.self_test_marks import canary_of
from pytest_ptc.model.errors import PlantingError
from pytest_ptc.planting.mutations import RULES, Mutation, chosen, mutations
from pytest_ptc.planting.suite import expectation

PACKAGE = Path(pytest_ptc.__file__).parent


def edits(rule: str, source: str) -> list[str]:
    """Return what each mutation of a rule makes of a text, as its lines that are new or gone."""
    before = source.splitlines()
    found = []
    for one in mutations("a.py", source.encode(), [rule]):
        after = one.source.decode().splitlines()
        diff = list(difflib.unified_diff(before, after, lineterm="", n=0))[2:]
        found.append(" ".join(line.replace("    ", "") for line in diff if line[0] in "+-"))
    return found


@pytest.mark.parametrize(
    ("rule", "source", "expected"),
    [
        ("removed-check", "def f(x):\n    if x < 0:\n        raise E\n    return x\n", 1),
        ("removed-check", "def f(x):\n    if x: return 1\n    return x\n", ["-if x: return 1"]),
        # Nothing else would be left, something would change its meaning, or it is no guard.
        ("removed-check", "def f(x):\n    if x:\n        return 1\n", []),
        (
            "removed-check",
            "def f(x):\n    if x:\n        return 1\n    else:\n        g()\n    h()",
            [],
        ),
        ("removed-check", "def f(x):\n    if x:\n        g()\n    return x\n", []),
        ("removed-check", "def f(x):\n    if x: return 1\n    g(); h()\n", 1),
        ("removed-check", "def f(x):\n    g(); y = 1\n    if x: return 1; \n    h()\n", 1),
        ("inverted-condition", "if x == y: pass\n", ["-if x == y: pass +if x != y: pass"]),
        (
            "inverted-condition",
            "if a not  in b: pass\n",
            ["-if a not  in b: pass +if a in b: pass"],
        ),
        ("inverted-condition", "if not x.y: pass\n", ["-if not x.y: pass +if x.y: pass"]),
        ("inverted-condition", "while f(): g()\n", ["-while f(): g() +while not f(): g()"]),
        (
            "inverted-condition",
            "if x is None: pass\n",
            ["-if x is None: pass +if x is not None: pass"],
        ),
        ("inverted-condition", "if a == b == c: pass\n", []),
        ("off-by-one", "x <= y\n", ["-x <= y +x < y"]),
        ("off-by-one", "é = 'é' + s; é > y\n", ["-é = 'é' + s; é > y +é = 'é' + s; é >= y"]),
        ("off-by-one", "range(n)\n", ["-range(n) +range(1, n)"]),
        ("off-by-one", "range(*n)\n", []),
        ("off-by-one", "a[len(a) - 1]\n", ["-a[len(a) - 1] +a[len(a)]"]),
        (
            "swallowed-error",
            "try:\n    f()\nexcept E:\n    g()\n    raise\n",
            ["-g() -raise +pass"],
        ),
        ("swallowed-error", "try: f()\nexcept E: raise\n", []),
        ("swallowed-error", "try:\n    f()\nexcept E:\n    g()\n", []),
        ("wrong-operator", "a and (b or c)\n", 2),
        ("wrong-operator", "a and b and c\n", []),
        ("wrong-operator", "a and (  # or\n    b)\n", []),
        (
            "shared-default",
            "def f(a, b=None, *, c=None):\n    if b is None:\n        b = []\n",
            ["-def f(a, b=None, *, c=None): +def f(a, b=[], *, c=None):"],
        ),
        ("shared-default", "def f(*, c=None):\n    if c is None:\n        c = {}\n", 1),
        ("shared-default", "def f(b=None):\n    return b\n", []),
        ("unsafe-call", "ast.literal_eval(x)\n", ["-ast.literal_eval(x) +eval(x)"]),
        ("unsafe-call", "literal_eval(x)\n", []),
        ("off-by-one", "f'{x < y}'\n", []),
        ("off-by-one", "\ufeffx < y\n", ["-\ufeffx < y +\ufeffx <= y"]),
    ],
)
def test_a_rule_makes_one_small_edit(rule: str, source: str, expected: list[str] | int) -> None:
    """What is not plain is left alone: better no defect than one of another kind."""
    found = edits(rule, source)
    assert found == expected if isinstance(expected, list) else len(found) == expected, found


@pytest.mark.parametrize("name", ["system/processes.py", "coordinator/schedule.py", "cli/run.py"])
def test_lines_that_are_not_touched_stay_as_they_are(name: str) -> None:
    """In real code: one hunk, at the line that is told; and every mark can be used."""
    source = (PACKAGE / name).read_bytes()
    before = source.splitlines()
    found = mutations(name, source, list(RULES))
    assert len({one.rule for one in found}) > 2
    for one in found:
        after = one.source.splitlines()
        matcher = difflib.SequenceMatcher(None, before, after, autojunk=False)
        (hunk,) = [code for code in matcher.get_opcodes() if code[0] != "equal"]
        assert abs(hunk[3] + 1 - one.line) <= 3, one
        assert len(after) <= len(before)
        assert canary_of(expectation(one), {}).expect is not None


def test_ends_of_lines_stay() -> None:
    """A file of another system is not written anew."""
    (one,) = mutations(
        "a.py", b"\xef\xbb\xbfx = 1\r\nif x == 1:\r\n    y = 2\r\n", ["inverted-condition"]
    )
    assert one.source == b"\xef\xbb\xbfx = 1\r\nif x != 1:\r\n    y = 2\r\n"


def test_another_encoding_is_refused() -> None:
    """Its columns would not be its bytes."""
    source = "# coding: latin-1\né = x < y\n".encode()
    with pytest.raises(PlantingError, match=r"a\.py: is in iso-8859-1, not in UTF-8"):
        mutations("a.py", source, ["off-by-one"])


@pytest.mark.parametrize("source", [b"def", b"\xff", b"x = '\0'"])
def test_what_is_no_python_is_refused(source: bytes) -> None:
    """With the name of the file."""
    with pytest.raises(PlantingError, match=r"a\.py: cannot be read as Python"):
        mutations("a.py", source, list(RULES))


def test_a_choice_is_the_same_for_the_same_seed_and_has_all_kinds() -> None:
    """Of many, as many kinds as there are, and no two at one line."""
    found = [
        Mutation("a.py", rule, line, "w", f"{rule}{line}".encode())
        for rule in ("one", "two", "three")
        for line in range(1, 20)
    ]
    first = chosen(found, 6, 1)
    assert first == chosen(list(reversed(found)), 6, 1)
    assert first != chosen(found, 6, 2)
    assert {one.rule for one in first[:3]} == {"one", "two", "three"}
    assert len({one.line for one in first}) == 6
    assert len(chosen(found, 100, 1)) == 19
