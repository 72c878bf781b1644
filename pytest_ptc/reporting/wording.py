"""Words that all texts about a run share: how a task ended, what was found, numbers and times.

Pure. An agent's words are untrusted twice over. They pass through `printable`, so that they cannot
drive the terminal; and no line begins with them, because CI systems take a line that begins with
`::` or `---` for a command. Node ids and paths are never wrapped, for they are there to be copied.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.verdict import Excuse
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_ptc.model.verdict import Finding, Verdict
    from pytest_ptc.reporting.task_report import TaskReport

#: Most characters of a line of code that is quoted beside a finding.
_MAX_QUOTE = 80

#: Most characters of one text that are looked at: an agent's may be megabytes.
MAX_TEXT_CHARS = 8000

# A full stop inside "e.g. this" ends no sentence: a capital or a letter without case must follow.
_SENTENCE_END = re.compile(r"[.!?](?=\s+[^\W\d_a-z])|\u3002")

#: From so many seconds on, tenths say nothing.
_LONG_S = 10


def finding_text(finding: Finding) -> str:
    """Return a finding in one line."""
    place = " ".join(filter(None, (finding.severity, finding.location, finding.rule)))
    marks = finding_marks(finding)
    beside = f" ({marks})" if marks else ""
    return printable(f"{place[:MAX_TEXT_CHARS]}{beside}: {finding.message[:MAX_TEXT_CHARS]}")


def finding_marks(finding: Finding) -> str:
    """Return what we know of a finding, such as `2 of 3 votes, confirmed`; empty for nothing."""
    facts = finding.facts
    votes = f"{facts.named_by} of {facts.votes} votes" if facts.votes is not None else None
    state = facts.state if facts.excuse is not Excuse.BASELINE else None
    excuse = facts.excuse.value if facts.excuse is not None else None
    check = facts.check if facts.check != excuse else None
    if excuse and facts.why:
        why = " ".join(facts.why[:MAX_TEXT_CHARS].split())
        # What refutes a finding is a line of code: it is told from our words.
        refuted = facts.excuse is Excuse.REFUTED
        excuse = f'{excuse}: "{cut(why, _MAX_QUOTE)}"' if refuted else f"{excuse}: {why}"
    # A text of an agent's names, or of a file's lines.
    place = facts.misplaced[:MAX_TEXT_CHARS]
    return ", ".join(filter(None, (votes, check, state, excuse, place)))


def looked_at(verdict: Verdict | None) -> list[str]:
    """Return what a verdict says of what it looked at, a line for each of checked and open."""
    if verdict is None:
        return []
    texts = {"checked": verdict.checked, "open": verdict.open}
    return [
        printable(f"{name}: {'; '.join(said)}"[:MAX_TEXT_CHARS])
        for name, said in texts.items()
        if said
    ]


def hung(lines: Sequence[str]) -> Iterator[str]:
    """Yield the lines of one finding, the first behind a dash and the others below it."""
    yield f"  - {lines[0]}"
    yield from (f"  | {line}" for line in lines[1:])


def output_lines(task: TaskReport, journal: Path | str) -> list[str]:
    """Return where to look for what the last attempt's agent said; empty without an attempt."""
    if not task.attempts:
        return []
    last = task.attempts[-1]
    run = Path(journal)
    if task.kept_from is not None:
        # Journals stand side by side; in the summary, where ours is named once, the other is too.
        run = run.with_name(task.kept_from) if run.name else Path("..", task.kept_from)
    folder = run / "attempts" / last.name
    if "transcript" in last.about:
        return [printable(f"transcript in {folder / str(last.about['transcript'])}")]
    return [printable(f"output in {folder}")]


def behind_group(tasks: int) -> str:
    """Return how many queued tasks wait for their group, as what follows on the number of all."""
    if not tasks:
        return ""
    return f" ({tasks} waits for its group)" if tasks == 1 else f" ({tasks} wait for their group)"


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


def first_sentence(text: str) -> str:
    """Return the first sentence of a text of unknown origin, printable, without its full stop."""
    text = printable(text[:MAX_TEXT_CHARS])
    end = _SENTENCE_END.search(text)
    return (text[: end.end()] if end else text).rstrip(".\u3002")


def seconds_text(seconds: float) -> str:
    """Return `1.2 s`, `12 s` or `3:05`."""
    if seconds < _LONG_S:
        return f"{seconds:.1f} s"
    return f"{seconds:.0f} s" if seconds < 60 else clock(seconds)  # noqa: PLR2004


def clock(seconds: float) -> str:
    """Return `1:05` or `1:02:05`, for a time that goes on."""
    minutes, second = divmod(max(int(seconds), 0), 60)
    hours, minute = divmod(minutes, 60)
    return f"{hours}:{minute:02}:{second:02}" if hours else f"{minute}:{second:02}"


def grouped(number: int) -> str:
    """Return `10 000`, its groups kept together on a line."""
    return f"{number:,}".replace(",", "\N{NO-BREAK SPACE}")


def thousands(number: int) -> str:
    """Return `950`, `12.3k` or `4.5M`."""
    if number < 1000:  # noqa: PLR2004
        return str(number)
    if number < 999_950:  # noqa: PLR2004 - what is 1000.0k is 1.0M
        return f"{number / 1000:.1f}k"
    return f"{number / 1_000_000:.1f}M"
