"""A run as one HTML page, made from its document: a file that needs nothing beside it. Pure.

All of the page is HTML, folded where it is long; the script only filters, sorts and shows hints, so
that nothing is lost where scripts are off, a browser's own search finds all of it, and there is no
second form of the data that could be read in another way. That costs a browser half a second for
100,000 elements, after it has shown the first of them: of very many items, only the worst are shown
with all that is known of them.

What an agent said is untrusted: `markup` escapes it, and the page's policy allows no script but its
own, no style but its own, and no address to be loaded at all.
"""

from __future__ import annotations

import base64
import hashlib
from collections import Counter
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from markupsafe import Markup

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.self_test import JudgeOutcome, outcome_text
from pytest_ptc.reporting.compared import compared, counts_text
from pytest_ptc.reporting.page.by_file import by_file
from pytest_ptc.reporting.page.figures import duration, moment
from pytest_ptc.reporting.page.items import groups
from pytest_ptc.reporting.page.nodes import node_facts
from pytest_ptc.reporting.page.places import Places
from pytest_ptc.reporting.page.templates import asset, render
from pytest_ptc.reporting.page.texts import Room
from pytest_ptc.reporting.page.timeline import timeline
from pytest_ptc.reporting.page.titles import STATES, anchor, flags
from pytest_ptc.reporting.task_report import WORST_FIRST
from pytest_ptc.reporting.wording import grouped, plural, thousands

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.model.shards import ShardFacts
    from pytest_ptc.reporting.attempts import Spent
    from pytest_ptc.reporting.page.places import Transcripts
    from pytest_ptc.reporting.run_report import RunReport

#: Most characters of all prompts, transcripts, data and last lines together, and of the messages of
#: all findings: a page of ten megabytes is as much as a browser likes.
_TEXTS_CHARS, _MESSAGES_CHARS = 1_800_000, 3_000_000
#: Most items that are shown with all that is known of them, a hundred elements each.
_WHOLE_ITEMS = 1_000

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
    "blocking": ("item failed by findings", "items failed by findings"),
    "new": ("item with new findings", "items with new findings"),
    "excused": ("item with excused findings", "items with excused findings"),
    "blind": ("pass without a tool call", "passes without a tool call"),
    "retried": ("item tried again", "items tried again"),
    "resumed": ("verdict of an earlier run", "verdicts of an earlier run"),
}

#: Void entries that are named.
_MAX_VOID = 5

_HOSTS = {"tmux": "in tmux", "process": "as child processes", "dask": "on dask"}

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
    transcripts: Transcripts = _NOTHING,
    links: str | Mapping[str, str] | None = None,
    files: str | None = None,
    live: str | None = None,
) -> str:
    """Return a run as an HTML page, to be encoded as UTF-8.

    Args:
        run: The run.
        transcripts: What is to be shown of attempts, by their names (`<task id>.<number>`): such as
            their `output.log`, which reads better than a `transcript.jsonl`. In a report that is
            merged, `<run id>/` stands before the name.
        links: The run's folder, as an address relative to the page (`.` for a page that lies in
            it): there is a link to each attempt's folder then. Or the folders of several runs, by
            their ids.
        files: The address below which the root directory's files are, at the commit of the run:
            places of findings are links then.
        live: For the page of an active run: its version, which the address `state` beside it tells
            as `{"version": ...}`. The page loads itself anew when it has another one.
    """
    tasks = run.worst_first
    style, script = asset("page.css"), asset("page.js")
    if live is not None:
        script = f"{script}\n{asset('live.js')}"
    room = Room(_TEXTS_CHARS, _MESSAGES_CHARS, _WHOLE_ITEMS)
    folders = {run.run_id: links} if isinstance(links, str) else links or _NOTHING
    places = Places(transcripts=transcripts, links=folders, run_id=run.run_id, files=files)
    return render(
        "page.html.jinja",
        run=run,
        live=live,
        policy=_policy(style, script) + ("; connect-src 'self'" if live is not None else ""),
        # Files of the package, in which no text of a run is.
        style=Markup(style),  # noqa: S704
        script=Markup(script),  # noqa: S704
        headline=_headline(run),
        tone=_tone(run),
        signs=_SIGNS.items(),
        strip=list(_strip(run, green=run.successful)),
        green=run.successful,
        began=_Moment(*moment(run.began)),
        first_facts=_first_facts(run),
        more_facts=_more_facts(run),
        warnings=list(_warnings(run)),
        outcomes=list(_outcomes(run)),
        severities=[
            _Tile("severity", one.value, grouped(run.findings[one]), one.value, "#items")
            for one in WORST_FIRST
        ],
        cost=_cost(run.spent),
        flags=list(_flags(run)),
        judge=run.judge,
        judge_rows=list(_judge_rows(run)),
        timeline=timeline(run),
        groups=groups(tasks, places, room),
        by_file=by_file(run, places.finding),
        many_items=_many(len(tasks), "item"),
        sorts=_SORTS if any(task.cost_usd is not None for task in tasks) else _SORTS[:-1],
    )


class _Moment(NamedTuple):
    """A moment for a reader, and for a machine."""

    shown: str
    exact: str


class _Share(NamedTuple):
    """A part of the strip, in percent of it."""

    x: str
    width: str
    class_: str


class _Tile(NamedTuple):
    """A number that is a link to what it counts; the script makes it a switch."""

    facet: str
    value: str
    number: str
    title: str
    href: str


class _Cost(NamedTuple):
    """What the run cost, in words."""

    known: bool
    total: str
    more: Sequence[str]


def _policy(style: str, script: str) -> str:
    """Return what the page may do: with hashes, not even an attribute could add a style."""
    return (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; "
        "base-uri 'none'; form-action 'none'"
    )


def _hash(held: str) -> str:
    digest = hashlib.sha256(held.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"


# The head of the page.


def _first_facts(run: RunReport) -> list[tuple[str, str]]:
    facts = run.facts
    work = sum(task.seconds for task in run.tasks if task.kept_from is None)
    took = duration(run.seconds)
    if work > run.seconds > 0:
        took += f" for {duration(work)} of work"
    rows = [
        ("Took", took),
        ("Workers", _workers(run)),
        ("Agent", facts.agent),
    ]
    if (found := compared(run)) is not None:
        rows.append(("Baseline", f"{found.baseline.source}: {counts_text(found)}"))
    if run.shards:
        rows.append(("Shards", str(sum(shard.stands for shard in run.shards))))
    return rows if facts.resumes is None else [*rows, ("Resumes", facts.resumes)]


def _workers(run: RunReport) -> str:
    """Return how many workers there were, and where."""
    facts = run.facts
    nodes = sum(node.joined is not None for node in run.nodes)
    on = f", {nodes} node{'s' * (nodes != 1)}" if run.nodes else ""
    return f"{facts.workers} {_HOSTS.get(facts.host, facts.host)}{on}"


def _more_facts(run: RunReport) -> list[tuple[str, str]]:
    facts = run.facts
    return [
        ("Arguments", " ".join(facts.arguments) or "none"),
        ("Root directory", facts.rootdir),
        ("Fails on", facts.fail_on),
        ("Task list", facts.task_list_id),
        ("Python", facts.python),
        ("pytest-ptc", facts.pytest_ptc),
        *node_facts(run.nodes),
        *((f"Shard {one.shard}", f"run {one.run}: {_went(one)}") for one in run.shards),
    ]


def _went(shard: ShardFacts) -> str:
    said = shard.why_not_successful or "successful"
    return said if shard.stands else f"{said}; a later run of this shard stands"


def _headline(run: RunReport) -> str:
    """Return how the run went in one line: what went wrong, else that nothing did."""
    counts = _counts(run)
    bad = [f"{grouped(counts[state])} {word}" for state, word in _BAD if counts[state]]
    if not run.complete and run.exit_status is None:
        return f"Interrupted: {', '.join(bad) or 'no item is known to have failed'}"
    if run.judge.blind:
        return "; ".join(["The judge is blind", *([", ".join(bad)] if bad else [])])
    if bad:
        return f"{', '.join(bad)} of {_many(len(run.tasks), 'item')}"
    if not run.tasks:
        return "Not successful: no agent was asked"
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


def _strip(run: RunReport, *, green: bool) -> Iterator[_Share]:
    """Yield the shares of the states of a line; the tiles say the same in numbers.

    Args:
        run: The run.
        green: Whether what passed is green here: only where the run is successful.
    """
    counts = _counts(run)
    left = 0.0
    for state in STATES:
        wide = 100 * counts[state] / max(len(run.tasks), 1)
        if wide:
            shown = state if green or state is not ItemState.PASSED else ItemState.SKIPPED
            yield _Share(f"{left:.3f}%", f"{wide:.3f}%", shown.value)
        left += wide


def _warnings(run: RunReport) -> Iterator[tuple[str, str]]:
    counts = _counts(run)
    undone = grouped(counts[ItemState.UNDONE])
    open_items = f"{undone} of {_many(len(run.tasks), 'item')} have no verdict."
    if run.exit_status is None:
        words = (
            f"It was killed, or is still active. {open_items} This page shows what its journal "
            "has; --ptc-resume takes the run over."
        )
        yield "This run did not come to its end", words
    if run.stopped is not None:
        yield "This run was stopped", f"{run.stopped}. {open_items}"
    for blind in run.judge.blind:
        yield "The judge is blind", f"{blind.text}."
    if void := [entry.text for entry in run.void_known]:
        more = f", and {len(void) - _MAX_VOID} more" if len(void) > _MAX_VOID else ""
        yield "Known findings are void", f"{'; '.join(void[:_MAX_VOID])}{more}."
    explained = (
        bool(run.judge.blind) or run.stopped is not None or any(counts[state] for state, _ in _BAD)
    )
    if run.exit_status is not None and not run.successful and not explained:
        yield "This run is not successful", f"{run.why_not_successful}."


class _JudgeRow(NamedTuple):
    """A test of the judge, for a reader."""

    anchor: str
    nodeid: str
    state: str
    words: str


def _judge_rows(run: RunReport) -> Iterator[_JudgeRow]:
    """Yield the tests of the judge, those that it got wrong first."""
    for task in run.worst_first:
        outcome, test = task.test_outcome, task.spec.self_test
        if outcome is None or test is None or task.superseded:
            continue
        words = outcome_text(test, task.verdict, outcome, cwd=task.spec.cwd)
        if test.expect is not None and outcome is not JudgeOutcome.MISSED:
            words += f": {test.expect.text}"
        yield _JudgeRow(anchor(task), task.nodeid, "passed" if outcome.good else "failed", words)


def _many(number: int, one: str) -> str:
    return f"{grouped(number)} {plural(number, one)}"


# The tiles.


def _outcomes(run: RunReport) -> Iterator[_Tile]:
    counts = _counts(run)
    for state in (*_TILES, *(one for one in STATES if one not in _TILES and counts[one])):
        name = state.value
        yield _Tile("outcome", name, grouped(counts[state]), _TITLES[state], f"#{name}")


def _flags(run: RunReport) -> Iterator[tuple[str, str]]:
    numbers = Counter(flag for task in run.tasks for flag in flags(task))
    for flag, (one, many) in _FLAGS.items():
        if number := numbers[flag]:
            yield flag, f"{grouped(number)} {plural(number, one, many)}"


def _cost(spent: Spent | None) -> _Cost:
    if spent is None:
        return _Cost(known=False, total="\u2013", more=["No account of cost by this agent"])
    usage, read, unknown = spent.usage, spent.tokens_read, spent.unknown
    more = [f"{thousands(read)} tokens read, {thousands(usage.output_tokens)} written"]
    if read:
        more.append(f"{usage.cache_read_tokens / read:.0%} from cache")
    if unknown:
        more.append(f"{_many(unknown, 'attempt')} of unknown cost")
    return _Cost(known=True, total=spent.cost_text, more=more)


_SORTS = (("worst", "worst first"), ("slowest", "slowest first"), ("dearest", "dearest first"))
