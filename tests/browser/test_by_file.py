"""The findings by file and rule in a real browser."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.reporting.page.by_file import by_file
from pytest_ptc.reporting.page.page import page
from tests.support.found import run_with_excuses
from tests.support.samples import run_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.chromium import Chromium

VIEW = "document.getElementById('by-file')"
ROWS = f"[...{VIEW}.querySelectorAll('li')].filter((row) => row.checkVisibility())"
COUNT = "document.getElementById('found').textContent"


def test_findings_by_file_are_filtered_and_lead_to_their_items(
    chromium: Chromium, tmp_path: Path
) -> None:
    """Without scripts all are there; with them, those of the items and severities wanted."""
    run = run_of(findings=600)
    file = tmp_path / "page.html"
    file.write_text(page(run), encoding="utf-8")
    view = by_file(run, lambda _finding, _task: "")
    assert view is not None
    found = [row for file in view.files for rule in file.rules for row in rule.rows]
    total = len(found)
    assert any(len(row.items) > 1 for row in found)

    chromium.open(file.as_uri(), scripts=False, width=390)
    assert chromium.value(f"{ROWS}.length") == 0
    chromium.click("#by-file > summary")
    assert chromium.value(f"{ROWS}.length") == total
    assert chromium.value("document.documentElement.scrollWidth") == 390

    chromium.open(file.as_uri(), width=1280)
    chromium.click("#by-file > summary")
    assert chromium.value(f"{ROWS}.length") == total
    everything = chromium.value(COUNT)
    chromium.click(".severities .tile[data-value=high]")
    high = sum(row.severity == "high" for row in found)
    assert chromium.value(f"{ROWS}.map((row) => row.firstChild.textContent)") == ["high"] * high
    assert chromium.value(COUNT) == f"{high} of {everything}"
    marks = f"[...{VIEW}.querySelectorAll('h4 .severity')].filter((one) => one.checkVisibility())"
    of_mark = f"{ROWS}.filter((row) => row.closest('.file').contains(mark)).length"
    pairs = chromium.value(f"{marks}.map((mark) => [mark.textContent, {of_mark}])")
    assert pairs
    assert all(text == f"{number} high" for text, number in pairs)

    chromium.click("#clear")
    assert chromium.value(COUNT) == everything
    assert chromium.value(f"{ROWS}.length") == total

    chromium.click(".flags .tile[data-value=blocking]")
    assert chromium.value(f"{ROWS}.length") == sum(row.blocks for row in found) < total
    chromium.click("#clear")
    chromium.type("sql-injection")
    rules = f"new Set({ROWS}.map((row) => row.closest('div').firstChild.textContent))"
    chromium.wait_for(f"{COUNT} !== {everything!r}")
    assert chromium.value(f"[...{rules}]") == ["sql-injection"]

    target = chromium.value(f"{ROWS}[0].querySelector('[data-n]').getAttribute('href')")
    chromium.click(f"#by-file li:not([hidden]) > div > a[href='{target}']")
    chromium.wait_for(f"document.querySelector('{target}').open")
    assert chromium.value("location.hash") == target
    assert chromium.said == []


@pytest.mark.slow
def test_findings_are_filtered_by_what_is_new_and_what_is_excused(
    chromium: Chromium, tmp_path: Path
) -> None:
    run, _ = run_with_excuses()
    file = tmp_path / "page.html"
    file.write_text(page(run), encoding="utf-8")
    chromium.open(file.as_uri(), width=1280)
    chromium.click("#by-file > summary")
    rules = f"{ROWS}.map((row) => row.closest('div').firstChild.textContent).sort().join()"
    chromium.click(".flags .tile[data-value=new]")
    assert chromium.value(rules) == "back,new"
    chromium.click(".flags .tile[data-value=excused]")
    assert chromium.value(rules) == "back,new,no,old,sql,style"
    chromium.click(".flags .tile[data-value=new]")
    assert chromium.value(rules) == "no,old,sql,style"
    assert chromium.said == []
