"""A list of runs as text: how each stands, its age, its cost and its command. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.reporting.terminal.run_status import age_text, command_text
from pytest_ptc.reporting.wording import clock
from pytest_ptc.text.printable import clip, columns, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.journal.outline import RunOutline


#: The columns before the command, which needs no filling up.
_FILLED = range(4)


class RunRow(NamedTuple):
    """One run of the list.

    Args:
        run: Its id, as people type it.
        outline: The run; None for one whose journal is refused.
        state: `running`, `ended` or `killed`.
        refused: Why its journal is refused.
    """

    run: str
    outline: RunOutline | None = None
    state: str = ""
    refused: str = ""


def run_rows(rows: Sequence[RunRow], *, now: float, width: int | None) -> list[str]:
    """Return a line for each run, in columns.

    Args:
        rows: The runs.
        now: The time, in seconds since the epoch.
        width: Columns of the terminal, for which commands are cut; None for no terminal.
    """
    cells = [_cells(row, now) for row in rows]
    wide = [
        max((columns(row[place]) for row in cells if len(row) > 1), default=0) for place in _FILLED
    ]
    lines = []
    for row, cell in zip(rows, cells, strict=True):
        if row.outline is None:
            line = f"{row.run}  refused: {row.refused}"
        else:
            filled = [
                cell[place] + " " * (wide[place] - columns(cell[place]))
                for place in _FILLED
                if wide[place]
            ]
            line = "  ".join([*filled, cell[-1]])
            line = line if width is None else clip(line, width)
        lines.append(printable(line))
    return lines


def _cells(row: RunRow, now: float) -> tuple[str, ...]:
    outline = row.outline
    if outline is None:
        return (row.run,)
    if row.state == "running":
        when = f"active for {clock(now - outline.began['at'])}"
    else:
        when = f"{row.state} {age_text(now - (outline.ended or outline.last))} ago"
    return (
        row.run,
        when,
        f"shard {outline.shard}, {outline.standing}" if outline.shard else str(outline.standing),
        outline.cost,
        printable(command_text(outline.began)),
    )
