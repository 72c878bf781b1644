"""A run against its baseline: in lines, and as JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ptc.model.baseline import difference
from pytest_ptc.model.verdict import FindingState
from pytest_ptc.reporting.past_runs import past_run
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ptc.model.baseline import Difference, FoundAgain, PastFinding
    from pytest_ptc.reporting.run_report import RunReport


def compared(run: RunReport) -> Difference | None:
    """Return a run against its baseline; None where it has none."""
    return None if run.baseline is None else difference(run.baseline, past_run(run))


def counts_text(found: Difference) -> str:
    """Return how many there are of each, in words."""
    numbers = found.counts.items()
    return ", ".join(f"{number} {state}" for state, number in numbers if number or state == "new")


def difference_lines(found: Difference, *, verbose: bool) -> Iterator[str]:
    """Yield a line for each finding: what is new, regressed and gone; `verbose`: all others too."""
    states = [FindingState.NEW, FindingState.REGRESSED]
    for state in states:
        yield from (_found_line(one) for one in _worst_first(found.of(state)))
    yield from (_past_line("gone", one) for one in found.gone)
    if verbose:
        yield from (_found_line(one) for one in _worst_first(found.of(FindingState.OPEN)))
        yield from (_past_line("not looked for", one) for one in found.not_looked_for)


def difference_json(found: Difference) -> dict[str, Any]:
    """Return a run against a baseline, as JSON."""
    return {
        "baseline": {
            "source": found.baseline.source,
            "run_id": found.baseline.run_id,
            "commit": found.baseline.commit,
        },
        "run": found.run_id,
        "counts": found.counts,
        **{
            state.value: list(map(_found_json, _worst_first(found.of(state))))
            for state in FindingState
        },
        "gone": list(map(past_finding_json, found.gone)),
        "not_looked_for": list(map(past_finding_json, found.not_looked_for)),
    }


def past_finding_json(past: PastFinding) -> dict[str, Any]:
    """Return a finding of an earlier run, as JSON."""
    fields = {name: getattr(past, name) for name in past.__slots__}
    return {**fields, "items": list(past.items)}


def _found_json(one: FoundAgain) -> dict[str, Any]:
    return {"item": one.item, "severity": one.claim.severity, "message": one.claim.message} | {
        **one.claim.seen._asdict(),
        "excuse": one.claim.excuse,
    }


def _badness(one: FoundAgain) -> tuple[int, str, int]:
    # Then by place: items are in the order in which they ended.
    return -one.claim.severity.rank, one.claim.seen.path or "", one.claim.seen.line or 0


def _worst_first(found: list[FoundAgain]) -> list[FoundAgain]:
    return sorted(found, key=_badness)


def _found_line(one: FoundAgain) -> str:
    claim = one.claim
    beside = f" ({claim.excuse})" if claim.excuse is not None else ""
    head = _words(one.state.value, claim.severity, claim.seen.location, claim.seen.rule)
    return printable(f"{head}{beside}: {claim.message}")


def _past_line(word: str, one: PastFinding) -> str:
    return printable(f"{_words(word, one.severity, one.location, one.rule)}: {one.message}")


def _words(*words: str | None) -> str:
    return " ".join(filter(None, words))
