"""A run as one HTML page, made from its document: a file that needs nothing beside it. Pure.

All of the page is HTML, folded where it is long; the script only filters, sorts and shows hints, so
that nothing is lost where scripts are off, a browser's own search finds all of it, and there is no
second form of the data that could be read in another way. That costs a browser half a second for
100,000 elements, after it has shown the first of them.

What an agent said is untrusted: `markup` escapes it, and the page's policy allows no script but its
own, no style but its own, and no address to be loaded at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from functools import lru_cache
from importlib.resources import files
from types import MappingProxyType
from typing import TYPE_CHECKING

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.reporting.page.figures import duration, moment
from pytest_ptc.reporting.page.items import Places, Room, glyph, groups, note
from pytest_ptc.reporting.page.markup import Markup, element, join, text
from pytest_ptc.reporting.page.timeline import timeline
from pytest_ptc.reporting.page.titles import STATES, flags
from pytest_ptc.reporting.run_report import WORST_FIRST
from pytest_ptc.reporting.wording import grouped, plural, thousands
from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.model.verdict import Severity
    from pytest_ptc.reporting.run_report import RunReport, Spent, TaskReport

#: Most characters of all prompts, transcripts, data and last lines together, and of the messages of
#: all findings: a page of ten megabytes is as much as a browser likes.
_LONG, _SAID = 3_000_000, 3_000_000

_NOTHING: Mapping[str, str] = MappingProxyType({})

#: The tiles that are always there, in their order; others are there if they count anything.
_TILES = (
    ItemState.FAILED,
    ItemState.ERROR,
    ItemState.PASSED,
    ItemState.SKIPPED,
    ItemState.XFAILED,
    ItemState.UNDONE,
)
_TITLES: Mapping[ItemState, str] = {
    **STATES,
    ItemState.XFAILED: "Expected fail",
    ItemState.XPASSED: "Unexpected pass",
    ItemState.UNRESOLVED: "Fail, no outcome",
    ItemState.UNREPORTED: "Pass, no outcome",
}

#: The flags that a reader can filter by.
_FLAGS: Mapping[str, tuple[str, str]] = {
    "blind": ("pass without a tool call", "passes without a tool call"),
    "retried": ("item tried again", "items tried again"),
    "resumed": ("verdict of an earlier run", "verdicts of an earlier run"),
}

_HOSTS = {"tmux": "in tmux", "process": "as child processes"}

#: The signs of the states, drawn in a square of 16.
_SIGNS: Mapping[str, str] = {
    "failed": "M4 4l8 8m0-8l-8 8",
    "error": "M8 3v6.5m0 3v.5",
    "undone": "M5.5 3.5v9m5-9v9",
    "xpassed": "M3 8.5l3 3 4-7m3.5-.5v5m0 2.5v.5",
    "unresolved": "M5.5 5.5c.5-3 5-3 5 0 0 2-2.5 2-2.5 4m0 2.5v.5",
    "unreported": "M5.5 5.5c.5-3 5-3 5 0 0 2-2.5 2-2.5 4m0 2.5v.5",
    "skipped": "M3.5 4l4 4-4 4m5-8l4 4-4 4",
    "xfailed": "M8 2a6 6 0 1 0 .01 0M6 6l4 4m0-4l-4 4",
    "passed": "M3 8.5l3.5 3.5L13 4.5",
}


def page(
    run: RunReport,
    *,
    transcripts: Mapping[str, str] = _NOTHING,
    links: str | None = None,
) -> str:
    """Return a run as an HTML page, to be encoded as UTF-8.

    Args:
        run: The run.
        transcripts: What is to be shown of attempts, by their names (`<task id>.<number>`): such as
            their `output.log`, which reads better than a `transcript.jsonl`.
        links: The run's folder, as an address relative to the page (`.` for a page that lies in
            it): there is a link to each attempt's folder then.
    """
    tasks = run.worst_first
    places = Places(transcripts=transcripts, links=links)
    style, script = _asset("page.css"), _asset("page.js")
    body = element(
        "body",
        _signs(),
        element("header", *_header(run), class_="top"),
        element(
            "main",
            *_warnings(run),
            element("section", *_tiles(run), class_="tiles", aria_label="Results"),
            timeline(run),
            _listed(tasks, places),
        ),
        element("footer", _imprint(run)),
        element("div", id="hint", role="tooltip", hidden=True),
        element("script", script),
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", http_equiv="Content-Security-Policy", content=_policy(style, script)),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("meta", name="color-scheme", content="light dark"),
        element("meta", name="referrer", content="no-referrer"),
        element("meta", name="robots", content="noindex"),
        element("title", f"{_headline(run)} - ptc run {run.run_id}"),
        element("style", style),
    )
    return f"<!doctype html>\n{element('html', head, body, lang='en')}\n"


@lru_cache
def _asset(name: str) -> Markup:
    return Markup((files("pytest_ptc.reporting.page") / name).read_text(encoding="utf-8"))


def _policy(style: str, script: str) -> str:
    """Return what the page may do: with hashes, not even an attribute could add a style."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(held: str) -> Markup:
    digest = hashlib.sha256(held.encode()).digest()
    return Markup(f"'sha256-{base64.b64encode(digest).decode()}'")


def _signs() -> Markup:
    symbols = (
        element("symbol", element("path", d=path), id=f"sign-{state}", viewBox="0 0 16 16")
        for state, path in _SIGNS.items()
    )
    return element("svg", *symbols, class_="signs", width=0, height=0, aria_hidden="true")


# The head of the page.


def _header(run: RunReport) -> Iterator[Markup]:
    facts = run.facts
    shown, exact = moment(run.began)
    yield element("p", "pytest-ptc run ", element("code", run.run_id), class_="run")
    yield element("h1", _headline(run), class_=_tone(run))
    yield _strip(run, green=run.successful or _tone(run) == "failed")
    work = sum(task.seconds for task in run.tasks if task.kept_from is None)
    took = duration(run.seconds)
    if work > run.seconds > 0:
        took += f" for {duration(work)} of work"
    told = [
        ("Began", element("time", shown, datetime=exact)),
        ("Took", took),
        ("Workers", f"{facts.workers} {_HOSTS.get(facts.host, facts.host)}"),
        ("Agent", facts.agent),
        ("Resumes", facts.resumes),
    ]
    yield _pairs([(name, value) for name, value in told if value is not None], "facts")
    more = [
        ("Arguments", " ".join(facts.arguments) or "none"),
        ("Root directory", facts.rootdir),
        ("Fails on", facts.fail_on),
        ("Task list", facts.task_list_id),
        ("Python", facts.python),
        ("pytest-ptc", facts.pytest_ptc),
    ]
    about = _pairs(more, "facts")
    yield element("details", element("summary", "About this run"), about, class_="fold")


def _pairs(told: Sequence[tuple[str, str]], class_: str) -> Markup:
    held = (element("div", element("dt", name), element("dd", value)) for name, value in told)
    return element("dl", *held, class_=class_)


def _headline(run: RunReport) -> str:
    """Return how the run went in one line: what went wrong, else that nothing did."""
    counts = _counts(run)
    bad = [f"{grouped(counts[state])} {word}" for state, word in _BAD if counts[state]]
    if not run.complete and run.exit_status is None:
        return f"Interrupted: {', '.join(bad) or 'no item is known to have failed'}"
    if bad:
        return f"{', '.join(bad)} of {_many(len(run.tasks), 'item')}"
    if not run.tasks:
        return "Not successful: nothing was asked of agents"
    if not run.successful:
        return f"Not successful: {run.why_not_successful}"
    others = [f"{grouped(counts[state])} {word}" for state, word in _FINE if counts[state]]
    return ", ".join(others)


_BAD = (
    (ItemState.FAILED, "failed"),
    (ItemState.ERROR, "in error"),
    (ItemState.UNDONE, "not done"),
    (ItemState.UNRESOLVED, "failed without an outcome"),
)
_FINE = (
    (ItemState.PASSED, "passed"),
    (ItemState.XPASSED, "passed unexpectedly"),
    (ItemState.XFAILED, "failed as expected"),
    (ItemState.SKIPPED, "skipped"),
    (ItemState.UNREPORTED, "passed without an outcome"),
)


def _tone(run: RunReport) -> str:
    counts = _counts(run)
    if counts[ItemState.FAILED]:
        return "failed"
    if not run.successful:
        return "error"
    return "passed" if counts[ItemState.PASSED] else "skipped"


def _counts(run: RunReport) -> Counter[ItemState]:
    return Counter(task.state for task in run.tasks)


def _strip(run: RunReport, *, green: bool) -> Markup:
    """Return the shares of the states as a line; the tiles say the same in numbers.

    Args:
        run: The run.
        green: Whether what passed is green here: not where nothing tells that the run failed.
    """
    counts = _counts(run)
    left, shares = 0.0, []
    for state in STATES:
        number = counts[state]
        wide = 100 * number / max(len(run.tasks), 1)
        if number:
            shown = state if green or state is not ItemState.PASSED else ItemState.SKIPPED
            x, width = f"{left:.3f}%", f"{wide:.3f}%"
            shares.append(element("rect", x=x, width=width, height=8, class_=shown.value))
        left += wide
    return element("svg", *shares, class_="strip", width="100%", height=8, aria_hidden="true")


def _warnings(run: RunReport) -> Iterator[Markup]:
    counts = _counts(run)
    undone = grouped(counts[ItemState.UNDONE])
    open_items = f"{undone} of {_many(len(run.tasks), 'item')} have no verdict."
    if run.exit_status is None:
        yield _warning(
            "This run did not come to its end",
            f"It was killed, or it is still on. {open_items} What is below is what its journal "
            "has; --ptc-resume takes the run over.",
        )
    if run.stopped is not None:
        yield _warning("This run was stopped", f"{run.stopped}. {open_items}")
    told = run.stopped is not None or any(counts[state] for state, _ in _BAD)
    if run.exit_status is not None and not run.successful and not told:
        yield _warning("This run is not successful", f"{run.why_not_successful}.")


def _warning(title: str, said: str) -> Markup:
    sign = element("svg", element("use", href="#sign-error"), aria_hidden="true")
    return element(
        "div", sign, element("div", element("h2", title), element("p", said)), class_="warning"
    )


def _many(number: int, one: str) -> str:
    return f"{grouped(number)} {plural(number, one)}"


# The tiles.


def _tiles(run: RunReport) -> Iterator[Markup]:
    counts = _counts(run)
    states = [*_TILES, *(state for state in STATES if state not in _TILES and counts[state])]
    yield element(
        "div",
        *(_tile("outcome", state.value, counts[state], _state_label(state)) for state in states),
        class_="outcomes",
    )
    found = run.findings
    yield element(
        "div",
        element("h2", "Findings"),
        *(
            _tile("severity", severity.value, found[severity], _severity_label(severity))
            for severity in WORST_FIRST
        ),
        class_="severities",
    )
    yield _cost(run.spent)
    numbers = Counter(flag for task in run.tasks for flag in flags(task))
    shown = [_flag(flag, numbers[flag], *said) for flag, said in _FLAGS.items() if numbers[flag]]
    if shown:
        yield element("div", *shown, class_="flags")


def _state_label(state: ItemState) -> Markup:
    return glyph(state, _TITLES[state], class_=f"state {state.value}")


def _severity_label(severity: Severity) -> Markup:
    return element("span", severity.value, class_=f"severity {severity.value}")


def _tile(facet: str, value: str, number: int, label: Markup) -> Markup:
    """Return a tile: a link to its group; the script makes it a switch."""
    held = (element("b", grouped(number)), label)
    if not number:
        return element("span", *held, class_="tile none")
    # No group is of one severity: without a script, the list itself is the place.
    target = f"#{value}" if facet == "outcome" else "#items"
    return element("a", *held, class_="tile", href=target, data_facet=facet, data_value=value)


def _flag(flag: str, number: int, one: str, many: str) -> Markup:
    said = f"{grouped(number)} {plural(number, one, many)}"
    return element(
        "a", said, class_=f"tile flag {flag}", href="#items", data_facet="flag", data_value=flag
    )


def _cost(spent: Spent | None) -> Markup:
    if spent is None:
        held = (element("b", "\u2013"), element("span", "No account of cost by this agent"))
        return element("div", element("h2", "Cost"), *held, class_="cost none")
    usage, read, unknown = spent.usage, spent.tokens_read, spent.unknown
    least = "at least " if unknown else ""
    tokens = f"{thousands(read)} tokens read, {thousands(usage.output_tokens)} written"
    return element(
        "div",
        element("h2", "Cost"),
        element("b", f"{least}{usd(spent.cost_usd)}"),
        element("span", tokens),
        element("span", f"{usage.cache_read_tokens / read:.0%} from cache") if read else None,
        element("span", f"{_many(unknown, 'attempt')} of unknown cost") if unknown else None,
        class_="cost",
    )


# The list.


def _listed(tasks: Sequence[TaskReport], places: Places) -> Markup:
    if not tasks:
        return note("No task was submitted.")
    return element(
        "section",
        element(
            "div",
            element("h2", "Items", id="items"),
            element("output", _many(len(tasks), "item"), id="shown"),
            _controls(tasks),
            class_="head",
        ),
        element("p", "No item is like that.", id="none", hidden=True, class_="note"),
        element("div", *groups(tasks, places, Room(_LONG, _SAID)), id="list"),
        aria_labelledby="items",
    )


_SORTS = (("worst", "worst first"), ("slowest", "slowest first"), ("dearest", "dearest first"))


def _controls(tasks: Sequence[TaskReport]) -> Markup:
    sorts = _SORTS if any(task.cost_usd is not None for task in tasks) else _SORTS[:-1]
    options = (element("option", said, value=value) for value, said in sorts)
    return element(
        "div",
        element(
            "input",
            id="search",
            type="search",
            placeholder="Search names, findings, words ( / )",
            aria_label="Search",
            autocomplete="off",
            spellcheck="false",
        ),
        element("select", *options, id="sort", aria_label="Order"),
        element("button", "Unfold", type="button", id="unfold"),
        element("button", "Clear", type="button", id="clear", disabled=True),
        class_="controls scripted",
    )


def _imprint(run: RunReport) -> Markup:
    version = text(run.facts.pytest_ptc)
    said = [text("Made from the journal of the run by pytest-ptc"), version]
    return element("p", join(said, " "))
