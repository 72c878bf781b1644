"""Prompts: which fields they name, and how they are filled.

`{name}` is a field. `{{` and its `}}` stand for literal braces. All other braces, of JSON or code,
are left as they are, so most prompts need no escaping at all.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


_TOKEN = re.compile(r"\{\{|\}\}|\{(?P<field>[^\W\d]\w*)\}")


def fields_of(prompt: str) -> tuple[str, ...]:
    """Return the names of the prompt's fields, each once, in the order they appear."""
    found = (match["field"] for match in _TOKEN.finditer(prompt))
    return tuple(dict.fromkeys(name for name in found if name))


def fill(prompt: str, values: Mapping[str, object]) -> str:
    """Return the prompt with every field that has a value filled; other fields stay as they are.

    A value is put in as it is: braces in it are not fields.
    """
    opened = 0

    def replace(match: re.Match[str]) -> str:
        nonlocal opened
        found = match[0]
        if found == "{{":
            opened += 1
            return "{"
        if found == "}}":
            # Only the partner of a `{{` is an escape: JSON ends in `}}` all the time.
            if not opened:
                return found
            opened -= 1
            return "}"
        name = match["field"]
        return str(values[name]) if name in values else found

    return _TOKEN.sub(replace, prompt)


def with_diff(prompt: str, changes: str) -> str:
    """Return the prompt with a diff appended, in a fence longer than any in the diff."""
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", changes)), default=0))
    return f"{prompt}\n\nWhat has changed:\n{fence}diff\n{changes.rstrip()}\n{fence}"


def with_notes(prompt: str, notes: Sequence[str]) -> str:
    """Return the prompt with notes about the agent's directory appended."""
    return "\n".join([prompt, "", *notes]) if notes else prompt
