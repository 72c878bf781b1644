"""The last lines that a worker printed, without control sequences."""

from __future__ import annotations

import re

#: How many lines are enough to see why a worker ended.
MAX_LINES = 40

#: Terminal control sequences and single control characters: reports and other people's terminals
#: show these lines, and must not execute them.
_CONTROL_SEQUENCES = re.compile(
    r"""
    \x1b \[ [0-?]* [ -/]* [@-~]             # colours, cursor movement
  | \x1b [\]PX^_] [^\x07\x1b]* (?: \x07 | \x1b\\ )  # titles, hyperlinks, strings for the terminal
  | \x1b .?
  | [\x00-\x08\x0b-\x1f\x7f-\x9f]
    """,
    re.VERBOSE,
)


def last_lines(text: str) -> str:
    """Return the last lines that are not empty, without control sequences."""
    lines = (_visible(line) for line in text.split("\n"))
    return "\n".join([line for line in lines if line][-MAX_LINES:])


def _visible(line: str) -> str:
    # A carriage return overwrites a line: of a progress bar, the last state was visible.
    shown = line.rstrip("\r").rpartition("\r")[2]
    return _CONTROL_SEQUENCES.sub("", shown).rstrip()
