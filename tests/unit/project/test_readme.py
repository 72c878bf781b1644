"""The README keeps what it promises to hold."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from pytest_ptc.collection.marker import KEYWORDS
from pytest_ptc.collection.options import OPTIONS
from pytest_ptc.text.secret_names import described

TESTS = Path(__file__).parents[2]
README = (TESTS.parent / "README.md").read_text(encoding="utf-8")


def test_the_quick_start_has_exactly_two_commands() -> None:
    """The first block runs the main job on five workers, the second the tests."""
    section = README.split("\n## Quick start\n", 1)[1].split("\n## ", 1)[0]
    first, second = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert "pytest example_suites/api_endpoints --ptc-workers=5" in first
    assert ".venv/bin/pytest -n 2" in second


def test_every_option_and_keyword_is_documented() -> None:
    """What can be said is told, with the default that holds."""
    for option in OPTIONS:
        (row,) = [line for line in README.splitlines() if f"| `{option.ini}` |" in line]
        assert option.help in row
        assert not option.flag or f"`{option.cli}`" in row
        assert option.env is None or f"`{option.env}`" in row
    for keyword in KEYWORDS:
        assert f"`{keyword}`" in README


def test_the_names_of_secrets_are_those_of_the_table() -> None:
    """What the README says is redacted is what is redacted."""
    assert described() in " ".join(README.split())


def test_no_placeholder_is_left() -> None:
    """Every part of the page has been written."""
    assert not re.findall(r"^[A-Z]{4,}$", README, re.MULTILINE)


def test_every_fault_in_the_table_is_tested() -> None:
    """Each row names tests, and each of them is there."""
    section = README.split("\n### Faults\n", 1)[1].split("\n## ", 1)[0]
    _, _, *rows = [line for line in section.splitlines() if line.startswith("|")]
    assert rows
    for row in rows:
        _, _, seen, tests, _ = row.split("|")
        named = re.findall(r"`(\S+\.py)::(\w+)`", tests)
        assert seen.strip(), row
        assert named, row
        assert tests.count("`") == 2 * len(named), row
        for file, test in named:
            tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
            there = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
            assert test in there, f"{file}::{test}"
