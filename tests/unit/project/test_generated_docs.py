"""The parts of the documentation that come from the code are as the code is now."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.trouble import Cause
from tests.docs.causes import WHAT_TO_DO
from tests.docs.faults import FAULTS, fault_rows, marked_tests
from tests.docs.generate import PARTS, ROOT, generated_in, pages, renewed

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize("page", list(pages()), ids=lambda page: page.relative_to(ROOT).as_posix())
def test_a_page_has_what_would_be_generated(page: Path) -> None:
    """`python -m tests.docs.generate` writes what is missing."""
    text = page.read_text(encoding="utf-8")
    assert renewed(text) == text, "run `python -m tests.docs.generate`"


def test_every_part_is_on_one_page() -> None:
    """What can be generated is shown, once."""
    found = [name for page in pages() for name in generated_in(page.read_text(encoding="utf-8"))]
    assert sorted(found) == sorted(PARTS)


def test_every_cause_says_what_to_do() -> None:
    """And nothing is said about a cause that is gone."""
    assert set(WHAT_TO_DO) == set(Cause)


def test_every_fault_in_the_table_is_tested() -> None:
    """Each row has a test, and each mark has a row."""
    assert set(marked_tests()) == set(FAULTS)
    assert all(row.tests for row in fault_rows())
