"""What the lists of a run come to, in lines: what is known, void, new and gone. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.verdict import Excuse
from pytest_ptc.reporting.compared import compared, counts_text
from pytest_ptc.reporting.wording import count, cut
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ptc.reporting.run_report import RunReport

#: Void entries that are named, and most characters of each.
_MAX_NAMED, _MAX_CHARS = 10, 300
#: Most characters where there is little room.
_SHORT_CHARS = 140


class ListLine(NamedTuple):
    """A line, and whether somebody should do something about it."""

    text: str
    warns: bool = False


def list_lines(run: RunReport) -> list[ListLine]:
    """Return what there is to say of a run's lists; nothing of one that has none."""
    return [*_known(run), *_compared(run)]


def short_list_lines(run: RunReport) -> list[str]:
    """Return the same in a line for each list that there is something to do about."""
    void = run.void_known
    more = f" (+{len(void) - 1} more)" if len(void) > 1 else ""
    first = [printable(f"{cut(void[0].text, _SHORT_CHARS)}{more}")] if void else []
    return [*first, *(line.text for line in _compared(run))]


def _compared(run: RunReport) -> Iterator[ListLine]:
    found = compared(run)
    if found is None:
        return
    source = cut(found.baseline.source, _SHORT_CHARS // 2)
    yield ListLine(printable(f"against {source}: {counts_text(found)}"))


def _known(run: RunReport) -> Iterator[ListLine]:
    if run.known is None:
        return
    if number := run.excused[Excuse.KNOWN]:
        yield ListLine(printable(f"{count(number, 'known finding')} ({run.known.file})"))
    void = run.void_known
    for entry in void[:_MAX_NAMED]:
        yield ListLine(printable(cut(entry.text, _MAX_CHARS)), warns=True)
    if len(void) > _MAX_NAMED:
        text = f"{len(void) - _MAX_NAMED} more known findings are void; see `ptc known list`"
        yield ListLine(text, warns=True)
