"""The file of known findings: YAML, a list of entries, each one finding or several of a rule. Pure.

`docs/guides/known-findings.md` has what an entry may say.
"""

from __future__ import annotations

import json
import re
from dataclasses import replace
from datetime import date
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.known import KnownEntry
from pytest_ptc.text.printable import printable
from pytest_ptc.verdicts.places import anchor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import yaml

#: Longest file that is read, in bytes, and most characters of a text of an entry.
MAX_BYTES = 4 * 1024 * 1024
_MAX_CHARS = 2000
#: Levels of lists and mappings within each other; a list and its entries are two.
_MAX_DEPTH = 10

FIELDS = ("fingerprint", "path", "rule", "quote", "reason", "until")
_FINGERPRINT = re.compile("[0-9a-f]{32}")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class KnownFileError(ConfigError):
    """A file of known findings that cannot be used; the message names file, line and entry."""


class _Wrong(Exception):  # noqa: N818 - what is wrong with a field
    def __init__(self, problem: str, key: yaml.Node | None = None) -> None:
        super().__init__(problem)
        self.problem = f"{key.value[:80]}: {problem}" if key is not None else problem
        self.line = _line(key) if key is not None else None


class Given(NamedTuple):
    """An entry that is to be written."""

    fingerprint: str | None
    path: str | None
    rule: str | None
    reason: str
    until: str | None

    @property
    def text(self) -> str:
        """Return the entry in YAML, as an element of a list that is not indented."""
        fields = {name: value for name, value in self._asdict().items() if value is not None}
        # A text of JSON's is one of YAML's, whatever is in it; a date stays one.
        lines = [
            f"{name}: {value if name == 'until' else json.dumps(value, ensure_ascii=False)}"
            for name, value in fields.items()
        ]
        return f"- {lines[0]}\n" + "".join(f"  {line}\n" for line in lines[1:])


def known_entries(file: str, text: str) -> tuple[KnownEntry, ...]:
    """Return the entries of a file.

    Args:
        file: Its name, for messages.
        text: Its text.

    Raises:
        KnownFileError: It is no such file; the message has the line, the entry, its field and the
            fix.
    """
    import yaml  # noqa: PLC0415 - only a run with such a file pays for it

    try:
        _refuse_more_than_values(file, yaml.parse(text, Loader=yaml.SafeLoader))
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = f":{mark.line + 1}" if mark is not None else ""
        problem = getattr(error, "problem", None) or str(error)
        raise KnownFileError(f"{file}{line}: is not YAML: {printable(problem)}") from None
    if node is None:
        return ()
    if not isinstance(node, yaml.SequenceNode):
        raise KnownFileError(
            f"{file}:{_line(node)}: must be a list of entries, each beginning with - such as: "
            "- rule: ..."
        )
    return tuple(_entry(file, number, entry) for number, entry in enumerate(node.value, 1))


def with_entry(file: str, text: str, given: Given) -> str:
    """Return the text of a file with an entry more at its end; comments and order stay.

    Raises:
        KnownFileError: The file cannot be used, or an entry cannot be added to how it is written.
    """
    import yaml  # noqa: PLC0415 - as above

    before = known_entries(file, text)
    indent = ""
    if before:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        assert isinstance(node, yaml.SequenceNode), "it has entries"
        indent = " " * (0 if node.start_mark is None else node.start_mark.column)
    start = text if text.endswith("\n") or not text else f"{text}\n"
    lines = given.text.splitlines(keepends=True)
    made = start + "".join(indent + line for line in lines)
    try:
        after = known_entries(file, made)
    except KnownFileError:
        after = ()
    if after[:-1] != before or len(after) != len(before) + 1:
        raise KnownFileError(
            f"{file}: an entry cannot be added to how it is written; write a list whose entries "
            f"begin with -, or add by hand:\n{given.text}"
        )
    return made


def _refuse_more_than_values(file: str, events: Any) -> None:
    """Refuse what could make a value that is not written there."""
    import yaml  # noqa: PLC0415 - as above

    depth = 0
    for event in events:
        depth += isinstance(event, yaml.CollectionStartEvent)
        depth -= isinstance(event, yaml.CollectionEndEvent)
        if depth > _MAX_DEPTH:
            line = event.start_mark.line + 1
            raise KnownFileError(f"{file}:{line}: must be a list of entries whose fields are texts")
        named = getattr(event, "anchor", None) or getattr(event, "tag", None)
        if named is not None:
            line = event.start_mark.line + 1
            raise KnownFileError(f"{file}:{line}: must not have anchors, aliases or tags: {named}")


def _line(node: yaml.Node) -> int:
    return 1 if node.start_mark is None else node.start_mark.line + 1


def _entry(file: str, number: int, node: yaml.Node) -> KnownEntry:
    line = _line(node)
    try:
        values, lines = _values(node)
    except _Wrong as wrong:
        at = wrong.line or line
        raise KnownFileError(f"{file}:{at}: entry {number}: {wrong.problem}") from None
    for name, value in values.items():
        try:
            values[name] = _CHECKS[name](value)
        except _Wrong as wrong:
            raise KnownFileError(
                f"{file}:{lines[name]}: entry {number}: {name}: {wrong.problem}"
            ) from None
    quote = values.pop("quote", None)
    entry = KnownEntry(number=number, line=line, **{"reason": "", **values})
    if quote is not None:
        if (problem := _quote_problem(entry, quote)) is not None:
            raise KnownFileError(f"{file}:{lines['quote']}: entry {number}: quote: {problem}")
        entry = replace(entry, fingerprint=anchor(entry.path or "", quote))
    if (problem := _shortfall(entry)) is not None:
        raise KnownFileError(f"{file}:{line}: entry {number}: {problem}")
    return entry


def _values(node: yaml.Node) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the fields of an entry as they are written, and their lines."""
    import yaml  # noqa: PLC0415 - as above

    if not isinstance(node, yaml.MappingNode):
        raise _Wrong("must have fields, such as rule: and path:")
    values: dict[str, Any] = {}
    lines: dict[str, int] = {}
    for key, value in node.value:
        if not isinstance(key, yaml.ScalarNode):
            raise _Wrong("a field must have a name")
        name = key.value
        if name not in FIELDS:
            raise _Wrong(f"unknown; known are {', '.join(FIELDS)}{_meant(name)}", key)
        if name in values:
            raise _Wrong("is given twice", key)
        if not isinstance(value, yaml.ScalarNode):
            raise _Wrong("must be a text", key)
        values[name], lines[name] = value.value, _line(key)
    return values, lines


def _quote_problem(entry: KnownEntry, quote: str) -> str | None:
    """Return why the text of a line cannot stand for its fingerprint."""
    if entry.path is None or {"*", "?"} & {*entry.path}:
        return "needs the path of one file, whose line it is"
    if entry.fingerprint not in (None, anchor(entry.path, quote)):
        return "is not the line of the fingerprint; leave one of them out"
    return None


def _meant(name: str) -> str:
    near = get_close_matches(name.lower(), FIELDS, n=1)
    return f"; did you mean {near[0]}?" if near else ""


def _shortfall(entry: KnownEntry) -> str | None:
    """Return what an entry lacks."""
    if not entry.reason:
        return "reason: is missing; say why the finding may stay"
    if entry.fingerprint is None:
        missing = [name for name in ("rule", "path") if getattr(entry, name) is None]
        if missing:
            return (
                f"{missing[0]}: is missing; an entry has a fingerprint, as `ptc known add` writes "
                "it, path and quote, or path and rule"
            )
        if entry.until is None:
            return (
                "until: is missing; an entry without a fingerprint is about every such finding to "
                "come, so it needs a last day, such as until: 2027-01-31"
            )
    return None


def _text(value: str) -> str:
    text = value.strip()
    if not text:
        raise _Wrong("is empty; write a text, or leave the field out")
    if len(text) > _MAX_CHARS:
        raise _Wrong(f"has {len(text)} characters; at most {_MAX_CHARS} are read")
    return printable(text)


def _fingerprint(value: str) -> str:
    if not _FINGERPRINT.fullmatch(value):
        raise _Wrong(
            f"must be 32 digits of 0-9 and a-f, as `ptc show` prints it, not {value!r:.80}"
        )
    return value


def _path(value: str) -> str:
    path = _text(value)
    while path.startswith("./"):
        path = path[2:].lstrip("/")
    if path.startswith("/") or ".." in path.split("/"):
        raise _Wrong(f"must begin at the top of the repository, such as src/*.py, not {path!r:.80}")
    return path


def _until(value: str) -> str:
    problem = f"must be a date, such as 2027-01-31, not {value!r:.80}"
    if not _DATE.fullmatch(value):
        raise _Wrong(problem)
    try:
        return date.fromisoformat(value).isoformat()
    except ValueError:
        raise _Wrong(problem) from None


def day_of(text: str) -> str:
    """Return a date as it is written in a file.

    Raises:
        ConfigError: It is none.
    """
    try:
        return _until(text)
    except _Wrong as wrong:
        raise ConfigError(wrong.problem) from None


_CHECKS: Mapping[str, Callable[[str], str]] = {
    "fingerprint": _fingerprint,
    "path": _path,
    "rule": _text,
    "quote": _text,
    "reason": _text,
    "until": _until,
}
