"""What many runs say of a suite and its judges: flips, agreement, cost and time. Pure."""

from __future__ import annotations

from collections import defaultdict
from statistics import median
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.agreement import Flips, flips, krippendorff_alpha, pass_power
from pytest_ptc.model.verdict import VerdictKind
from pytest_ptc.reporting.wording import count, seconds_text
from pytest_ptc.text.printable import printable, usd

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_ptc.journal.judgements import Judgement, RunJudgements

#: Most conversations for which pass^k is told.
_MAX_POWER = 5
#: Most flaky items of a suite that are named, and most earlier verdicts of one.
_MAX_ITEMS, _MAX_RUNS = 10, 6


class Told(NamedTuple):
    """A judgement, and the run that made it."""

    run_id: str
    kind: VerdictKind


class FlakyItem(NamedTuple):
    """An item that was judged differently on the same input.

    Args:
        nodeid: Its node id.
        verdicts: All judgements of that input, in order.
    """

    nodeid: str
    verdicts: tuple[Told, ...]


class SuiteStatistics(NamedTuple):
    """What runs say of one file of items.

    Args:
        suite: The file.
        items: How many items were judged.
        judgements: How many times, in all runs.
        flips: How often an input that was judged again was judged otherwise.
        alpha: Krippendorff's alpha over the runs; None where nothing can be told.
        pass_power: pass^k for k = 1, 2, ..., where votes were cast.
        median_seconds: The median time of a judgement.
        median_cost_usd: Its median cost; None where no agent says.
        flaky: Its flaky items, those with the most flips first.
    """

    suite: str
    items: int
    judgements: int
    flips: Flips
    alpha: float | None
    pass_power: tuple[float, ...]
    median_seconds: float
    median_cost_usd: float | None
    flaky: tuple[FlakyItem, ...]


def suite_statistics(runs: Sequence[RunJudgements]) -> list[SuiteStatistics]:
    """Return the statistics of each suite, by name.

    Args:
        runs: The runs, oldest first.
    """
    suites: dict[str, list[tuple[str, Judgement]]] = defaultdict(list)
    for run in runs:
        for one in run.judgements:
            suites[one.nodeid.partition("::")[0]].append((run.run_id, one))
    return [_statistics(suite, told) for suite, told in sorted(suites.items())]


def flaky_now(now: RunJudgements, earlier: Sequence[RunJudgements]) -> list[FlakyItem]:
    """Return the items of a run whose input was judged otherwise before.

    Args:
        now: The run.
        earlier: Earlier runs, oldest first.
    """
    told = [(run.run_id, one) for run in (*earlier, now) for one in run.judgements]
    inputs = {one.input for one in now.judgements if one.kind is not None}
    return [item for key, item in _by_input(told).items() if key in inputs and _is_flaky(item)]


def flaky_text(item: FlakyItem) -> str:
    """Return in one line what a flaky item was judged now, and otherwise before."""
    *before, last = item.verdicts
    other = next((one for one in reversed(before) if one.kind is not last.kind), before[-1])
    return printable(
        f"{item.nodeid}: {last.kind}; the same input: {other.kind} in run {other.run_id}"
    )


def _statistics(suite: str, told: Sequence[tuple[str, Judgement]]) -> SuiteStatistics:
    inputs = _by_input(told).values()
    units = [[one.kind for one in item.verdicts] for item in inputs]
    judged = [one for _, one in told]
    panels = [
        (sum(vote is VerdictKind.PASS for vote in one.votes), len(one.votes))
        for one in judged
        if one.votes
    ]
    powers = [pass_power(panels, number) for number in range(1, _MAX_POWER + 1)]
    costs = [one.cost_usd for one in judged if one.cost_usd is not None]
    flaky = [item for item in inputs if _is_flaky(item)]
    return SuiteStatistics(
        suite=suite,
        items=len({one.nodeid for one in judged}),
        judgements=len(judged),
        flips=flips(units),
        alpha=krippendorff_alpha(units),
        pass_power=tuple(power for power in powers if power is not None),
        median_seconds=median(one.seconds for one in judged),
        median_cost_usd=median(costs) if costs else None,
        flaky=tuple(sorted(flaky, key=lambda item: (-_flips_of(item), item.nodeid))),
    )


def _by_input(told: Iterable[tuple[str, Judgement]]) -> dict[str, FlakyItem]:
    """Return what was judged of each input that is known, in order."""
    found: dict[str, list[Told]] = defaultdict(list)
    names: dict[str, str] = {}
    for run_id, one in told:
        if one.input is not None and one.kind is not None:
            found[one.input].append(Told(run_id, one.kind))
            names[one.input] = one.nodeid
    return {key: FlakyItem(names[key], tuple(verdicts)) for key, verdicts in found.items()}


def _is_flaky(item: FlakyItem) -> bool:
    return len({one.kind for one in item.verdicts}) > 1


def _flips_of(item: FlakyItem) -> int:
    return flips([[one.kind for one in item.verdicts]]).flips


# In words and as JSON.


def statistics_lines(suites: Sequence[SuiteStatistics], runs: int) -> Iterator[str]:
    """Yield the statistics in lines."""
    yield f"{count(runs, 'run')}, {count(len(suites), 'suite')}"
    for suite in suites:
        judged = count(suite.judgements, "judgement")
        cost = suite.median_cost_usd
        median_cost = f", {usd(cost)}" if cost is not None else ""
        median_time = seconds_text(suite.median_seconds)
        yield printable(f"{suite.suite}: {count(suite.items, 'item')}, {judged}")
        yield f"  median of a judgement: {median_time}{median_cost}"
        yield f"  the same input judged again: {_flips_text(suite)}"
        if suite.pass_power:
            powers = (f"pass^{k} {power:.2f}" for k, power in enumerate(suite.pass_power, 1))
            yield f"  votes: {', '.join(powers)}"
        for item in suite.flaky[:_MAX_ITEMS]:
            last = item.verdicts[-_MAX_RUNS:]
            more = f"{len(item.verdicts) - len(last)} earlier, " * (len(last) < len(item.verdicts))
            verdicts = ", ".join(f"{one.kind} in {one.run_id}" for one in last)
            yield printable(f"  flaky {item.nodeid}: {more}{verdicts}")
        if len(suite.flaky) > _MAX_ITEMS:
            yield f"  +{len(suite.flaky) - _MAX_ITEMS} more flaky items"


def _flips_text(suite: SuiteStatistics) -> str:
    repeats, flipped = suite.flips
    if not repeats:
        return "never"
    rate = suite.flips.rate
    alpha = "" if suite.alpha is None else f", agreement alpha {suite.alpha:.2f}"
    times = count(repeats, "time")
    return f"{times}, {count(flipped, 'flip')} ({rate:.1%}){alpha}"


def statistics_json(suites: Sequence[SuiteStatistics], runs: Sequence[str]) -> dict[str, Any]:
    """Return the statistics as JSON."""
    return {
        "format": "pytest-ptc statistics",
        "version": "1.0",
        "runs": list(runs),
        "suites": [
            {
                "suite": one.suite,
                "items": one.items,
                "judgements": one.judgements,
                "repeats": one.flips.repeats,
                "flips": one.flips.flips,
                "flip_rate": one.flips.rate,
                "alpha": one.alpha,
                "pass_power": list(one.pass_power),
                "median_seconds": one.median_seconds,
                "median_cost_usd": one.median_cost_usd,
                "flaky": [
                    {
                        "nodeid": item.nodeid,
                        "verdicts": [
                            {"run": told.run_id, "verdict": told.kind.value}
                            for told in item.verdicts
                        ],
                    }
                    for item in one.flaky
                ],
            }
            for one in suites
        ],
    }
