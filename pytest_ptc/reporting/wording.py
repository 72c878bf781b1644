"""Words that all texts about a run share: how a task ended, what was found, numbers and times.

Pure. An agent's words are untrusted twice over. They pass through `printable`, so that they cannot
drive the terminal; and no line begins with them, because CI systems take a line that begins with
`::` or `---` for a command. Node ids and paths are never wrapped, for they are there to be copied.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.item_states import ItemState
from pytest_ptc.model.trouble import Cause
from pytest_ptc.model.verdict import Severity, VerdictKind
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.verdict import Finding

#: Most characters of one text that are looked at: an agent's may be megabytes.
LONGEST = 8000

WORST_FIRST = tuple(reversed(Severity))


class Ending(NamedTuple):
    """How a task ended, in the words that reports use."""

    kind: VerdictKind
    cause: str
    said: str


class Final(NamedTuple):
    """What became of the item of a task: its state, and pytest's words on it, if it had any."""

    state: ItemState
    phase: str | None = None
    message: str | None = None


def ending(result: Result, final: Final | None = None) -> Ending:
    """Return how a task ended.

    Args:
        result: What its agent came to.
        final: What became of its item; None where that is not known, or there is none.
    """
    told = _told(result)
    if final is None or told.kind in (VerdictKind.FAIL, VerdictKind.ERROR):
        return told
    said = final.message or told.said
    match final.state:
        case ItemState.FAILED | ItemState.UNRESOLVED:
            return Ending(VerdictKind.FAIL, "the test failed", said)
        case ItemState.ERROR:
            where = f"error in {final.phase}" if final.phase else "error"
            return Ending(VerdictKind.ERROR, where, said)
        case ItemState.SKIPPED if told.kind is VerdictKind.PASS:
            return Ending(VerdictKind.SKIP, "skipped by the test", said)
    return told


def _told(result: Result) -> Ending:
    verdict, trouble = result.verdict, result.trouble
    if verdict is not None and result.blocking:
        many = count(len(result.blocking), "finding")
        beside = f"{many} of {result.spec.fail_on} or worse beside a {verdict.verdict}"
        said = f"{beside}: {verdict.summary}"
        return Ending(VerdictKind.FAIL, "", said)
    if verdict is not None:
        cause = "verdict error" if verdict.verdict is VerdictKind.ERROR else ""
        return Ending(verdict.verdict, cause, verdict.summary)
    if trouble is not None:
        return Ending(VerdictKind.ERROR, trouble.cause.value, trouble.message)
    return Ending(VerdictKind.ERROR, "no result", "the task has neither a verdict nor a trouble")


def unfinished(result: Result, final: Final | None = None) -> bool:
    """Tell whether the run was stopped before the item could end: no news about the item."""
    if final is not None and final.state in (ItemState.UNDONE, ItemState.UNREPORTED):
        return True
    return result.trouble is not None and result.trouble.cause is Cause.STOPPED


def findings_of(result: Result) -> tuple[Finding, ...]:
    """Return what its verdict holds."""
    return result.verdict.findings if result.verdict else ()


def worst_first(findings: Iterable[Finding]) -> list[Finding]:
    """Return the findings, critical ones first, else in their order."""
    return sorted(findings, key=lambda finding: WORST_FIRST.index(finding.severity))


def finding_text(finding: Finding) -> str:
    """Return a finding in one line."""
    place = " ".join(filter(None, (finding.severity, finding.location, finding.rule)))
    return printable(f"{place[:LONGEST]}: {finding.message[:LONGEST]}")


def hung(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of one finding, the first behind a dash and the others below it."""
    yield f"  - {lines[0]}"
    yield from (f"  | {line}" for line in lines[1:])


def output_lines(result: Result, journal: Path | str) -> list[str]:
    """Return where to look for what the last attempt's agent said; empty without an attempt."""
    if not result.reports:
        return []
    last = result.reports[-1]
    run = Path(journal)
    if result.resumed is not None:
        # Journals stand side by side; in the summary, where ours is named once, the other is too.
        run = run.with_name(result.resumed) if run.name else Path("..", result.resumed)
    folder = run / "attempts" / last.attempt.name
    if "transcript" in last.about:
        return [printable(f"transcript in {folder / str(last.about['transcript'])}")]
    return [printable(f"output in {folder}")]


def cut(text: str, most: int) -> str:
    """Cut by characters, as JUnit's limit counts."""
    return text if len(text) <= most else text[: most - 3] + "..."


def listed(counts: Iterable[tuple[object, int]]) -> str:
    """Return `2 pass, 1 fail`, without what there is none of."""
    return ", ".join(f"{number} {name}" for name, number in counts if number)


def count(number: int, one: str, many: str = "") -> str:
    """Return `1 retry` or `2 retries`."""
    return f"{number} {plural(number, one, many)}"


def plural(number: int, one: str, many: str = "") -> str:
    """Return the word for one, or for several."""
    return one if number == 1 else many or f"{one}s"


def clock(seconds: float) -> str:
    """Return `1:05` or `1:02:05`, for a time that goes on."""
    minutes, second = divmod(max(int(seconds), 0), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"
