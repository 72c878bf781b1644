"""The README keeps what it promises to hold."""

from __future__ import annotations

import re
from pathlib import Path

from pytest_ptc.markers import KEYWORDS
from pytest_ptc.options import OPTIONS

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def test_the_quick_start_has_exactly_two_commands() -> None:
    """The first block runs the main job on five workers, the second the tests."""
    section = README.split("\n## Quick start\n", 1)[1].split("\n## ", 1)[0]
    first, second = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert "pytest example_suites/api_endpoints --ptc-workers=5" in first
    assert second.rstrip().endswith("pytest")


def test_every_option_and_keyword_is_documented() -> None:
    """What can be said is told, with the default that holds."""
    for option in OPTIONS:
        (row,) = [line for line in README.splitlines() if f"| `{option.ini}` |" in line]
        assert option.help in row
        assert not option.flag or f"`{option.cli}`" in row
        assert option.env is None or f"`{option.env}`" in row
    for keyword in KEYWORDS:
        assert f"`{keyword}`" in README


def test_no_placeholder_is_left() -> None:
    """Every part of the page has been written."""
    assert not re.findall(r"^[A-Z]{4,}$", README, re.MULTILINE)
