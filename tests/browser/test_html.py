"""The page of a run in a real browser."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol

import pytest

from pytest_ptc.reporting.page.page import page
from pytest_ptc.reporting.page.titles import anchor
from tests.support.samples import run_of

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.reporting.run_report import RunReport
    from pytest_ptc.reporting.task_report import TaskReport
    from tests.support.chromium import Chromium

SHOWN = "[...document.querySelectorAll('.item')].filter((item) => item.checkVisibility())"


class Opened(Protocol):
    """Opens the page of a document, at a place in it."""

    def __call__(self, told: RunReport, place: str = "", **how: Any) -> Chromium:
        """Return the browser that shows it."""


@pytest.fixture
def opened(chromium: Chromium, tmp_path: Path) -> Opened:
    """What opens the page of a document."""

    def open_page(told: RunReport, place: str = "", **how: Any) -> Chromium:
        file = tmp_path / "page.html"
        file.write_text(page(told, links="."), encoding="utf-8")
        chromium.open(f"{file.as_uri()}{place}", **how)
        return chromium

    return open_page


def shown(browser: Chromium) -> list[str]:
    """Return the names of the items that are there to be seen, in their order."""
    found: list[str] = browser.value(f"{SHOWN}.map((item) => item.id)")
    return found


def names(told: RunReport, outcome: str = "", severity: str = "") -> list[str]:
    """Return the names of the items of a kind, as a page has them."""
    return [
        anchor(task)
        for task in told.worst_first
        if outcome in ("", task.state) and (not severity or severity in task.severities)
    ]


@pytest.mark.parametrize(
    ("width", "dark", "complete"),
    [(1280, False, True), (360, True, True), (360, False, False), (1280, True, False)],
)
def test_a_page_opens_in_peace(opened: Opened, width: int, dark: bool, complete: bool) -> None:
    """No error, nothing loaded but the page, nothing wider than the screen, nothing that moves."""
    told = run_of(complete=complete)
    browser = opened(told, width=width, dark=dark)
    moved = browser.value(
        "new Promise((told) => { let sum = 0; new PerformanceObserver((list) => {"
        " for (const entry of list.getEntries()) sum += entry.value;"
        "}).observe({type: 'layout-shift', buffered: true}); setTimeout(() => told(sum), 150); })"
    )
    assert browser.said == []
    assert len(browser.loads) == 1
    assert moved < 0.01
    assert browser.value("document.documentElement.scrollWidth") == width
    assert shown(browser) == names(told)
    paper = browser.value("getComputedStyle(document.documentElement).backgroundColor")
    assert (int(paper.split("(")[1].split(",")[0]) < 128) is dark


@pytest.mark.parametrize("width", [1280, 360])
def test_unfolded_items_are_no_wider_than_the_screen(opened: Opened, width: int) -> None:
    """Tables, hashes and transcripts included."""
    browser = opened(run_of(), width=width)
    browser.click("#unfold")
    browser.value("document.querySelectorAll('.fold').forEach((fold) => { fold.open = true; })")
    assert browser.value("document.documentElement.scrollWidth") == width
    assert browser.value("document.querySelectorAll('.item:not([open])').length") == 0
    browser.click("#unfold")
    assert browser.value("document.querySelectorAll('.item[open]').length") == 0
    assert browser.said == []


@pytest.mark.parametrize(
    ("place", "outcome", "severity"),
    [
        ("#outcome=failed", "failed", ""),
        ("#severity=critical", "", "critical"),
        ("#outcome=passed&severity=high", "passed", "high"),
        ("#outcome=nonsense", "nonsense", ""),
    ],
)
def test_the_address_says_what_is_shown(
    opened: Opened, place: str, outcome: str, severity: str
) -> None:
    """So a filter can be kept and sent."""
    told = run_of()
    browser = opened(told, place)
    expected = names(told, outcome, severity)
    assert shown(browser) == expected
    said = browser.value("document.getElementById('shown').textContent")
    assert said == f"{len(expected)} of 60 items"
    pressed = browser.value("document.querySelectorAll('.tile[aria-pressed=true]').length")
    assert pressed == len([one for one in (outcome, severity) if one not in ("", "nonsense")])
    assert browser.value("document.getElementById('none').hidden") is bool(expected)


def test_tiles_are_switches(opened: Opened) -> None:
    """Those of one kind add up, those of two narrow down; for the mouse and the keyboard."""
    told = run_of()
    browser = opened(told)
    browser.click(".tile[data-value=failed]")
    assert browser.value("location.hash") == "#outcome=failed"
    assert shown(browser) == names(told, "failed")
    browser.value("document.querySelector('.tile[data-value=error]').focus()")
    browser.press(" ")
    assert browser.value("location.hash") == "#outcome=failed,error"
    assert shown(browser) == names(told, "failed") + names(told, "error")
    browser.click(".tile[data-value=high]")
    both = names(told, "failed", "high") + names(told, "error", "high")
    assert shown(browser) == both
    browser.click(".tile[data-value=failed]")
    assert shown(browser) == names(told, "error", "high")
    browser.click("#clear")
    assert shown(browser) == names(told)
    assert browser.value("location.hash") == ""


def test_words_are_searched(opened: Opened) -> None:
    """All of them, in names and in what was said; `/` gets there, Escape leaves all as it was."""
    told = run_of()
    browser = opened(told)
    browser.press("/", "/")
    browser.type("MODULE_7.py] test_module[src")
    browser.wait_for(f"{SHOWN}.length === 1")
    assert shown(browser) == ["t8"]
    assert "q=MODULE_7.py" in browser.value("location.hash")
    browser.press("Escape")
    browser.wait_for(f"{SHOWN}.length === 60")
    opened(told, "#q=no+such+word+anywhere")
    assert shown(browser) == []


def test_items_are_sorted(opened: Opened) -> None:
    """By what they took and what they cost; and back."""
    told = run_of()
    browser = opened(told, "#sort=dearest")
    costs = {anchor(task): task.cost_usd or -1 for task in told.tasks}
    order = [costs[name] for name in shown(browser)]
    assert order == sorted(order, reverse=True)
    browser.value(
        "(() => { const sort = document.getElementById('sort'); sort.value = 'slowest';"
        " sort.dispatchEvent(new Event('change')); })()"
    )
    took = {anchor(task): task.seconds for task in told.tasks}
    order = [took[name] for name in shown(browser)]
    assert order == sorted(order, reverse=True)
    browser.click("#clear")
    assert shown(browser) == names(told)


def test_a_bar_leads_to_its_item(opened: Opened) -> None:
    """Whatever is filtered; its hint is told to mouse and keyboard; arrows go from bar to bar."""
    told = run_of()
    browser = opened(told, "#outcome=error")
    assert browser.value("document.querySelectorAll('.bar[tabindex=\"0\"]').length") == 1
    hint = "document.getElementById('hint')"
    browser.hover(".bar.pass rect")
    assert "pass, " in browser.value(f"{hint}.textContent")
    assert browser.value(f"{hint}.hidden") is False
    browser.value("document.querySelector('.bar[tabindex=\"0\"]').focus()")
    before = browser.value("document.activeElement.getAttribute('aria-label')")
    browser.press("ArrowRight")
    browser.press("ArrowDown")
    after = browser.value("document.activeElement.getAttribute('aria-label')")
    assert after != before
    assert browser.value(f"{hint}.textContent").replace("\n", ": ") == after
    assert browser.value("document.querySelectorAll('.bar[tabindex=\"0\"]').length") == 1
    browser.value("document.querySelector('.bar.pass').focus()")
    target = browser.value("document.activeElement.getAttribute('href')")
    assert target[1:] not in shown(browser)
    browser.press("Enter", "\r")
    browser.wait_for(f"document.querySelector('{target}').open")
    assert browser.value("location.hash") == target
    assert shown(browser) == names(told)
    assert browser.value(f"document.querySelector('{target} summary') === document.activeElement")
    assert browser.said == []


def test_the_timeline_can_be_widened(opened: Opened) -> None:
    """With finer marks, as far as there are some."""
    browser = opened(run_of())
    width = "document.querySelector('.plot > svg').getBoundingClientRect().width"
    marks = (
        "[...document.querySelectorAll('.tick')]"
        ".filter((mark) => mark.getClientRects().length).length"
    )
    narrow, few = browser.value(width), browser.value(marks)
    for _ in range(6):
        browser.click("[data-zoom='1']")
    assert browser.value(width) == pytest.approx(16 * narrow, rel=0.01)
    assert browser.value(marks) > 3 * few
    assert browser.value("document.querySelector('[data-zoom=\"1\"]').disabled") is True
    assert browser.value("document.documentElement.scrollWidth") == 1280


def test_without_scripts_all_is_there_to_be_read(opened: Opened) -> None:
    """Folded and unfolded by the browser; no control is shown that does nothing."""
    told = run_of()
    browser = opened(told, scripts=False)
    assert shown(browser) == names(told)
    assert browser.value("document.querySelector('.controls').checkVisibility()") is False
    assert browser.value("document.querySelector('.tick').getClientRects().length") == 1
    browser.click(f"#{names(told)[0]} summary")
    told_there = browser.value("document.querySelector('.item[open]').innerText")
    assert "Attempt" in told_there
    assert browser.said == []


def with_word(task: TaskReport, word: str) -> TaskReport:
    """Return a task with one word wherever a text of unknown origin can stand."""

    def verdict(said: Verdict | None) -> Verdict | None:
        if said is None:
            return None
        findings = (replace(one, message=word, rule=word, path="a.py") for one in said.findings)
        return replace(said, summary=word, findings=tuple(findings))

    def trouble(met: Trouble | None) -> Trouble | None:
        return None if met is None else replace(met, message=word, evidence=word)

    attempts = (
        replace(one, verdict=verdict(one.verdict), trouble=trouble(one.trouble))
        for one in task.attempts
    )
    return replace(
        task,
        spec=replace(task.spec, nodeid=f"t.py::{word}"),
        verdict=verdict(task.verdict),
        trouble=trouble(task.trouble),
        attempts=tuple(attempts),
    )


def test_no_words_do_anything(opened: Opened) -> None:
    """A run whose agents say markup has the elements that it has where they say words."""
    breaker = "</p></div></script><script>told()</script><img src=//x onerror='told()'>\"' --> &lt;"
    counts = []
    for word in ("plain", breaker):
        told = run_of()
        told = replace(told, tasks=tuple(with_word(task, word) for task in told.tasks))
        browser = opened(told)
        kinds = browser.value("[...document.querySelectorAll('*')].map((one) => one.tagName)")
        counts.append(Counter(kinds))
        browser.click("#unfold")
        browser.press("/", "/")
        browser.type(word[:30])
        browser.wait_for("location.hash !== ''")
        browser.hover(".bar rect")
        assert browser.said == []
        assert len(browser.loads) == 1
    assert counts[0] == counts[1]


@pytest.mark.slow
def test_a_thousand_items_with_ten_thousand_findings(opened: Opened) -> None:
    """They open, are filtered and searched, and scroll, all in a time that nobody minds."""
    told = run_of(tasks=1000, findings=10_000, workers=16)
    browser = opened(told)
    assert len(shown(browser)) == 1000
    timed = (
        "(() => {{ const began = performance.now(); {0}; return performance.now() - began; }})()"
    )
    filtered = browser.value(
        timed.format(
            "document.querySelector('.tile[data-value=critical]').click();"
            "document.body.getBoundingClientRect()"
        )
    )
    assert shown(browser) == names(told, severity="critical")
    browser.click("#clear")
    frames = browser.value(
        "new Promise((told) => { const times = []; let last = performance.now(); let count = 0;"
        " const step = (now) => { times.push(now - last); last = now; scrollBy(0, 1500);"
        " if (++count < 40) requestAnimationFrame(step); else told(times); };"
        " requestAnimationFrame(step); })"
    )
    assert browser.value("scrollY") > 20_000
    # On a machine that does nothing else: 30 ms, and 17 ms a frame.
    assert filtered < 2000
    assert sorted(frames)[len(frames) // 2] < 250
    browser.value("location.hash = '#q=sql-injection'")
    browser.wait_for(f"{SHOWN}.length < 1000")
    unfolded = browser.value(timed.format("document.getElementById('unfold').click()"))
    assert unfolded < 5000
    assert browser.said == []


def test_what_is_tapped_is_no_smaller_than_a_finger_needs(opened: Opened) -> None:
    """24 pixels at the least, on a phone."""
    browser = opened(run_of(), "#t1", width=360)
    sizes = browser.value(
        "[...document.querySelectorAll('summary, button, select, input, a.tile')]"
        ".filter((one) => one.checkVisibility()).map((one) => one.getBoundingClientRect().height)"
    )
    assert len(sizes) > 50
    assert min(sizes) >= 24
