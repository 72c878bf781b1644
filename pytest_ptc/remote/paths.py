"""Paths of pytest's machine and those that stand for them on a node. Pure.

A directory that is sent lies in another place on each node. What a task says of it (prompt,
parameters, variables) is said with the node's paths there, and what comes back (records, reports)
with pytest's:

    paths = PathMap([("/home/u/app", "/tmp/ptc-1a/code/app")])
    paths.to_node("look at /home/u/app/src/a.py:12, not at /home/u/app2")
    paths.from_node_json(report)  # all texts in it, the names in its objects too
    paths.place("/home/u/app/src")  # one path, exactly; None where nothing stands for it

A path is found in a text by whole components, at a place where a path can begin: `/home/u/app` is
neither in `/home/u/app2` nor in `old/home/u/app`.
"""

from __future__ import annotations

import json
import posixpath
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from pytest_ptc.text.printable import utf8

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

#: What a path cannot begin behind, as it is another one's middle there. An option of one letter,
#: as in `-I/usr/include`, is no name.
_BEFORE = r"(?:(?<![\w.~+$%#?/\\)\]}-])|(?<=file://)|(?<=file://localhost)|(?<=(?<!\S)-[A-Za-z]))"
#: What a name goes on with. A dot, a blank that a shell would not see, or `%20` may be of it.
_AFTER = r"(?![\w~+$@%-]|\.+[\w~+$@%-]|\\ )"


class PathMap:
    """Which place on a node stands for which directory of pytest's machine.

    Args:
        pairs: Absolute paths without `..`: a directory of pytest's machine, and its place on the
            node. A directory may be there by several names, and so may a place: what comes from the
            node gets the first name.

    Raises:
        ValueError: A path is not absolute, not in its shortest form, or the root of all.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self.pairs = tuple(pairs)
        for path in (path for pair in self.pairs for path in pair):
            if path[:1] != "/" or path[1:2] in ("", "/") or posixpath.normpath(path) != path:
                raise ValueError(f"{path!r} cannot stand for a directory")
        self._there = _Words(self.pairs)
        self._back = _Words((place, top) for top, place in self.pairs)

    def __repr__(self) -> str:
        return f"PathMap({list(self.pairs)!r})"

    def to_node(self, text: str) -> str:
        """Return a text with the node's paths in place of those of pytest's machine."""
        return self._there.replaced(text)

    def from_node(self, text: str) -> str:
        """Return a text with the paths of pytest's machine in place of the node's."""
        return self._back.replaced(text)

    def to_node_json(self, value: Any) -> Any:
        """Return a JSON value, of any depth, whose texts are as `to_node` has them."""
        return _each_text(value, self.to_node)

    def from_node_json(self, value: Any) -> Any:
        """Return a JSON value, of any depth, whose texts are as `from_node` has them."""
        return _each_text(value, self.from_node)

    def place(self, path: str) -> str | None:
        """Return the path that stands for one on the node; None where none does."""
        return self._there.path(path)

    def origin(self, path: str) -> str | None:
        """Return the path of pytest's machine that one on the node stands for."""
        return self._back.path(path)


class _Words:
    """Paths to be replaced, in every form in which a text may have them; the longest comes first.

    Args:
        pairs: Paths, and what is put in their place; of equal ones the first counts.
    """

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._paths: dict[str, str] = {}
        for old, new in pairs:
            self._paths.setdefault(old, new)
        self._forms = dict(self._paths)
        for old, new in self._paths.items():
            for form in (_in_a_uri, _in_json):
                self._forms.setdefault(form(old), form(new))
        longest = sorted(self._forms, key=lambda path: (-len(path), path))
        names = "|".join(map(re.escape, longest))
        self._pattern = re.compile(f"{_BEFORE}(?:{names}){_AFTER}") if names else None

    def replaced(self, text: str) -> str:
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: self._forms[found[0]], text)

    def path(self, path: str) -> str | None:
        if not path.startswith("/"):
            return None
        within = posixpath.normpath(path)
        if within.startswith("//"):  # POSIX leaves two slashes alone
            within = within[1:]
        rest = ""
        while within != "/":
            if within in self._paths:
                return self._paths[within] + rest
            within, _, name = within.rpartition("/")
            within, rest = within or "/", f"/{name}{rest}"
        return None


def _in_a_uri(path: str) -> str:
    return quote(utf8(path))


def _in_json(path: str) -> str:
    return json.dumps(path)[1:-1]


def _each_text(value: Any, change: Callable[[str], str]) -> Any:
    """Return a copy of a JSON value with each text changed; of a depth that nobody has bounded."""
    result: list[Any] = [value]
    waiting: list[tuple[Any, Any]] = [(result, 0)]
    while waiting:
        holder, place = waiting.pop()
        held = holder[place]
        if isinstance(held, str):
            holder[place] = change(held)
        elif isinstance(held, list | tuple):
            copy = holder[place] = list(held)
            waiting += [(copy, index) for index in range(len(copy))]
        elif isinstance(held, dict):
            entries = _renamed(held, change)
            holder[place] = entries
            waiting += [(entries, name) for name in entries]
    return result[0]


def _renamed(value: Mapping[Any, Any], change: Callable[[str], str]) -> dict[Any, Any]:
    return {change(key) if isinstance(key, str) else key: entry for key, entry in value.items()}
