"""Texts of unknown length and origin, cut to what a page has room for. Pure."""

from __future__ import annotations

from typing import NamedTuple

from markupsafe import Markup

from pytest_ptc.reporting.document import json_text
from pytest_ptc.reporting.page.markup import lines
from pytest_ptc.reporting.wording import grouped

#: Most characters of one text in the page; of a longer one, its beginning and its end are there.
_MAX_TEXT_CHARS = 24_000
#: Most characters of a finding's message, a summary or a line; they may be megabytes.
MAX_MESSAGE_CHARS = 8_000
#: Most characters of what a row says while it is folded.
MAX_LINE_CHARS = 300


class Cut(NamedTuple):
    """A text with its line breaks, and how much of it is not there."""

    text: Markup
    missing: str = ""


class Long(NamedTuple):
    """A long text, or its beginning and its end, with a note on what is not there."""

    head: Markup = Markup()
    missing: str = ""
    tail: Markup = Markup()
    left_out: str = ""


class Room:
    """How many more characters of texts the page takes.

    The items come worst first, so that it is those whose texts are there in full.

    Args:
        long: For prompts, transcripts, data and last lines, which are left out beyond it.
        messages: For the messages of findings, which are cut short beyond it.
        items: How many items are shown with all that is known of them.
    """

    def __init__(self, long: int, messages: int, items: int) -> None:
        self._long, self._message_room, self._items = long, messages, items

    def takes_item(self) -> bool:
        """Tell whether there is room for all that is known of one more item, and take it."""
        self._items -= 1
        return self._items >= 0

    def long(self, value: str) -> Long:
        """Return a text, or its beginning and its end."""
        if len(value) > _MAX_TEXT_CHARS:
            head = value[: _MAX_TEXT_CHARS // 4]
            tail = value[-(_MAX_TEXT_CHARS - len(head)) :]
            missing = f"{grouped(len(value) - _MAX_TEXT_CHARS)} characters are left out here"
        else:
            head, tail, missing = value, "", ""
        if len(head) + len(tail) > self._long:
            left_out = f"Left out to keep the page small: {grouped(len(value))} characters"
            return Long(left_out=left_out)
        self._long -= len(head) + len(tail)
        return Long(lines(head), missing, lines(tail))

    def message(self, value: str) -> Cut:
        most = MAX_MESSAGE_CHARS if self._message_room > 0 else MAX_LINE_CHARS
        self._message_room -= min(len(value), most)
        return cut_text(value, most)


def cut_text(value: str, most: int = MAX_MESSAGE_CHARS) -> Cut:
    """Return a text with its line breaks; the end of one that is very long is left out."""
    if len(value) <= most:
        return Cut(lines(value))
    return Cut(lines(value[:most]), f"... {grouped(len(value) - most)} more characters")


def json_lines(value: object, indent: int | None = None) -> str:
    return json_text(value, ensure_ascii=False, default=str, indent=indent)
