"""The README keeps what it promises to hold."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.docs.generate import DOCS, ROOT, pages
from tests.unit.project.test_architecture import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterator

README = (ROOT / "README.md").read_text(encoding="utf-8")
#: Variables that only our own processes hand to each other.
INTERNAL = {"PTC_CLIENT", "PTC_HOOK_KEY"}


def _table(text: str, heading: str) -> Iterator[str]:
    """Give the rows of the table in a section, without their links."""
    section = text.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]
    for line in section.splitlines():
        if line.startswith("| "):
            yield re.sub(r"\]\([^)]*\)", "]", line)


def test_the_quick_start_has_exactly_two_commands() -> None:
    """The first block runs the main job on five workers, the second the tests."""
    section = README.split("\n## Quick start\n", 1)[1].split("\n## ", 1)[0]
    first, second = re.findall(r"^```sh\n(.*?)^```$", section, re.DOTALL | re.MULTILINE)
    assert "pytest example_suites/api_endpoints --ptc-workers=5" in first
    assert ".venv/bin/pytest -n 2" in second


def test_the_readme_is_short() -> None:
    """Whatever else there is to say is in a page of the documentation."""
    assert len(README.splitlines()) <= 200


def test_outcomes_are_the_same_in_readme_and_reference() -> None:
    """One table, shown in two places."""
    reference = (DOCS / "reference/verdict.md").read_text(encoding="utf-8")
    rows = list(_table(README, "What an outcome means"))
    assert len(rows) > 5
    assert rows == list(_table(reference, "Outcomes"))


def test_every_variable_is_in_the_reference() -> None:
    """What the code calls `PTC_...` is explained."""
    page = (DOCS / "reference/environment.md").read_text(encoding="utf-8")
    named = {
        name
        for path in PACKAGE.rglob("*.py")
        for name in re.findall(r"\"(PTC_[A-Z_]+)\"", path.read_text(encoding="utf-8"))
    }
    assert named
    assert {name for name in named - INTERNAL if f"`{name}`" not in page} == set()


def test_no_placeholder_is_left() -> None:
    """Every part of every page has been written."""
    for page in [ROOT / "README.md", *pages()]:
        assert not re.findall(
            r"^[A-Z]{4,}$|\bTODO\b", page.read_text(encoding="utf-8"), re.MULTILINE
        )
