"""Rows of a text: lines, CSV with a header, JSON lines, or one JSON list. Pure.

Scalars are what is written: `no`, `1.10` and `007` are texts. What is nested stays JSON.
"""

from __future__ import annotations

import csv
import io
import json
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import ListingError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping, Sequence

_CSV, _JSON = (".csv",), (".json", ".jsonl", ".ndjson")


def rows_in(
    name: str, text: str, fields: Collection[str] = ()
) -> Sequence[str | Mapping[str, str]]:
    """Return the rows of a text.

    Its kind is that of the file's ending. Where that says nothing, what begins with `{` or `[{` is
    JSON, what begins with a header that names a field is CSV, and all else is lines; empty lines
    are none.

    Args:
        name: The name of the file that it is from; `-` for standard input.
        text: The text.
        fields: The fields that rows are for.

    Raises:
        ListingError: It is not what it looks like; the message names the line.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix in _CSV or (suffix not in _JSON and _has_header(text, fields)):
        return list(_of_csv(text))
    start = "".join(text[:4096].split())
    if suffix in _JSON or start.startswith(("{", "[{")):
        return list(_of_json(text))
    return [line for line in text.splitlines() if line.strip()]


def _has_header(text: str, fields: Collection[str]) -> bool:
    """Tell whether a text begins with names of columns, one of which is a field.

    A name that stands alone is a line: an item may be called so.
    """
    names = [name.strip(' "\r') for name in text.partition("\n")[0].split(",")]
    return len(names) > 1 and any(name in fields for name in names)


def json_rows(text: str, pick: str = "") -> Sequence[str | Mapping[str, str]]:
    """Return the rows of a JSON list, or of the one in a document that names lead to.

    Args:
        text: One JSON value.
        pick: The names, with dots between; empty where the document is the list.

    Raises:
        ListingError: There is no such list; the message names the line, the name or the entry.
    """
    value = _parsed(text, 1)
    for name in pick.split(".") if pick else ():
        if not isinstance(value, dict):
            raise ListingError(f"pick: {name!r:.80} of {pick!r:.80} is not looked up in a list")
        if name not in value:
            names = ", ".join(value)
            raise ListingError(f"pick: there is no {name!r:.80} of {pick!r:.80}, only {names:.200}")
        value = value[name]
    if not isinstance(value, list):
        what = f"pick: {pick!r:.80}" if pick else "the document"
        raise ListingError(f"{what} must be a list; name one in it with `pick`")
    return [_row(entry, f"entry {at}") for at, entry in enumerate(value, start=1)]


def _of_csv(text: str) -> Iterator[Mapping[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True, skipinitialspace=True)
    try:
        header = [name.strip() for name in next(reader, [])]
        if not header or not all(header):
            raise ListingError("line 1: a column has no name; the first line names the columns")
        twice = next((name for name in header if header.count(name) > 1), None)
        if twice is not None:
            raise ListingError(f"line 1: two columns are named {twice!r:.80}; rename one")
        for row in reader:
            if not row:
                continue
            if len(row) != len(header):
                raise ListingError(
                    f"line {reader.line_num}: has {len(row)} values, and there are {len(header)} "
                    "columns; put a value that has a comma in quotes"
                )
            yield dict(zip(header, row, strict=True))
    except csv.Error as error:
        raise ListingError(f"line {reader.line_num}: {error}") from None


def _of_json(text: str) -> Iterator[str | Mapping[str, str]]:
    if text.lstrip().startswith("["):
        values = _parsed(text, 1)
        yield from (_row(value, f"entry {at}") for at, value in enumerate(values, start=1))
        return
    for number, line in enumerate(text.splitlines(), start=1):
        if line.strip():
            yield _row(_parsed(line, number), f"line {number}")


def _parsed(text: str, line: int) -> Any:
    try:
        # A number stays what is written.
        return json.loads(
            text,
            parse_float=_Number,
            parse_int=_Number,
            parse_constant=_Number,
            object_pairs_hook=once,
        )
    except ListingError as error:
        raise ListingError(f"line {line}: {error}") from None
    except (ValueError, RecursionError) as error:
        at = line - 1 + getattr(error, "lineno", 1)
        said = getattr(error, "msg", str(error))
        raise ListingError(
            f"line {at}: is no JSON: {said}; write one object a line, or one list"
        ) from None


def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """Return a JSON object's fields.

    Raises:
        ListingError: A name is given twice: readers differ in which value they take.
    """
    fields = dict(pairs)
    if len(fields) < len(pairs):
        names = [name for name, _ in pairs]
        twice = next(name for name in names if names.count(name) > 1)
        raise ListingError(f"the name {twice!r:.80} is given twice in one object; remove one")
    return fields


class _Number(str):
    """A number, as it is written."""

    __slots__ = ()


def _row(value: object, where: str) -> str | Mapping[str, str]:
    if isinstance(value, dict):
        if not value:
            raise ListingError(f"{where}: is an empty object; give it fields")
        return {name: _text(entry) for name, entry in value.items()}
    if isinstance(value, list) or value is None:
        raise ListingError(f"{where}: must be an object or a value, not {value!r:.40}")
    return _text(value)


def _text(value: object) -> str:
    return str(value) if isinstance(value, str) else _json(value)


def _json(value: object) -> str:
    match value:
        case _Number():
            return str(value)
        case list():
            return f"[{', '.join(map(_json, value))}]"
        case dict():
            entries = (f"{_json(name)}: {_json(entry)}" for name, entry in value.items())
            return f"{{{', '.join(entries)}}}"
    return json.dumps(value, ensure_ascii=False)
