"""HTML that no text can break out of: whatever is not markup already is escaped. Pure.

A text of unknown origin is made printable first, as for a terminal: what has no shape of its own,
or turns the order of what is read around it, is shown as Python would escape it. So a page can
always be encoded, and shows what there is.
"""

from __future__ import annotations

import re
from functools import lru_cache

from markupsafe import Markup, escape

from pytest_ptc.text.printable import printable

_BREAK = re.compile(r"\r\n?|\n")

#: Elements that hold nothing; those of SVG may be closed like this in HTML, too.
_EMPTY = frozenset({"circle", "input", "line", "meta", "path", "rect", "use"})


def shown(value: object) -> object:
    """Return what a template puts out: a text made printable, and nothing for None.

    Whatever is no markup yet is escaped after that.
    """
    if value is None:
        return ""
    return _shown(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def text(value: str) -> Markup:
    """Return a text as one line."""
    return escape(_shown(value))


def lines(value: str) -> Markup:
    """Return a text with its line breaks, where a break in the page is one."""
    if "\n" not in value and "\r" not in value and "\t" not in value:
        return text(value)
    parts = _BREAK.split(value.expandtabs(4))
    return escape("\n".join(map(_shown, parts)))


def _shown(line: str) -> str:
    # Most texts are plain, and there are hundreds of thousands of them in a large page.
    plain = line.isascii() and line.isprintable() and "##" not in line
    return line if plain else printable(line)


def element(name: str, /, *children: str | None, **attributes: object) -> Markup:
    """Return an element.

    Args:
        name: Its name.
        children: Markup, texts of unknown origin, and None for nothing.
        attributes: Their values, of unknown origin; none for None and False, no value for True. In
            a name `_` stands for `-`, and the one at the end of `class_` for nothing.
    """
    opening = name
    for key, value in attributes.items():
        if value is not None and value is not False:
            opening += _attribute(key, value)
    if name in _EMPTY:
        return Markup(f"<{opening}/>")  # noqa: S704 - of what is escaped
    held = [
        child if isinstance(child, Markup) else text(child)
        for child in children
        if child is not None
    ]
    return Markup(f"<{opening}>{''.join(held)}</{name}>")  # noqa: S704 - as above


@lru_cache(maxsize=4096, typed=True)
def _attribute(key: str, value: object) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return f' {name}="{value if isinstance(value, Markup) else text(str(value))}"'
