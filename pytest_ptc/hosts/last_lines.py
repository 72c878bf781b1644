"""The last lines of what a worker printed, made safe to show again."""

from __future__ import annotations

import re

#: How many lines are enough to see why a worker ended.
LINES = 40

#: Sequences that a terminal obeys, and single control characters: what a worker printed is shown
#: again in reports and in other people's terminals, where it must only be read.
_CONTROLS = re.compile(
    r"""
    \x1b \[ [0-?]* [ -/]* [@-~]             # colours, cursor movement
  | \x1b [\]PX^_] [^\x07\x1b]* (?: \x07 | \x1b\\ )  # titles, hyperlinks, strings for the terminal
  | \x1b .?
  | [\x00-\x08\x0b-\x1f\x7f-\x9f]
    """,
    re.VERBOSE,
)


def last_lines(text: str) -> str:
    """Return the last lines that are not empty, without what only a terminal understands."""
    lines = (_as_shown(line) for line in text.split("\n"))
    return "\n".join([line for line in lines if line][-LINES:])


def _as_shown(line: str) -> str:
    # A carriage return lets a line be written over: a progress bar's last state is what was seen.
    shown = line.rstrip("\r").rpartition("\r")[2]
    return _CONTROLS.sub("", shown).rstrip()
