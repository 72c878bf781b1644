"""What the lists of a run come to, in lines: known findings, and those that are void. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.verdict import Excuse
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
    return list(_known(run))


def short_list_lines(run: RunReport) -> list[str]:
    """Return the same in a line for each list that there is something to do about."""
    void = run.void_known
    if not void:
        return []
    more = f" (+{len(void) - 1} more)" if len(void) > 1 else ""
    return [printable(f"{cut(void[0].text, _SHORT_CHARS)}{more}")]


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
