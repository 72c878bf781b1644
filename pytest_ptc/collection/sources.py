"""What a suite fans out over, from elsewhere: a command's lines, CSV, JSON, OpenAPI.

Everything is read when tests are collected. What cannot be read is an error before any agent
starts, and so is a source without items.
"""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.item_ids import unique_ids
from pytest_ptc.collection.root_dir import ROOT
from pytest_ptc.collection.rows import json_rows, rows_in
from pytest_ptc.model.errors import ListingError
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "command_lines",
    "csv_rows",
    "item_name",
    "json_items",
    "lines_of_command",
    "openapi_operations",
    "operations_of_openapi",
    "rows_of_csv",
    "rows_of_json",
]

#: Longest file or output that is read, in bytes.
MAX_SOURCE_BYTES = 16 * 1024 * 1024
#: Seconds that a command may take.
COMMAND_TIMEOUT_S = 60.0
#: Characters of a command's last line of errors that a message has.
_MAX_ERROR_CHARS = 300


def command_lines(command: str) -> list[Any]:
    """Return the lines that a command prints, for `pytest.mark.parametrize`.

    The command runs when tests are collected, in pytest's root directory, without a shell. Blank
    lines are no items.

    Args:
        command: The program and its arguments, split as a shell splits words.

    Raises:
        ListingError: It fails, takes longer than 60 seconds, prints no line, or prints what is no
            UTF-8.
    """
    lines = lines_of_command(command, _root())
    return _params(lines, [(line,) for line in lines])


def csv_rows(file: str, *columns: str) -> list[Any]:
    """Return the rows of a CSV file, for `pytest.mark.parametrize`.

    Args:
        file: The file, from pytest's root directory; its first line names the columns.
        columns: The columns whose values are the parameters, in this order; without any, all
            columns in the order of the file. Values are texts, as they are written.

    Raises:
        ListingError: The file cannot be read, has no rows, or has no such column.
    """
    return _chosen(f"{file!r}", rows_of_csv(file, _root()), columns)


def json_items(file: str, *fields: str, pick: str = "") -> list[Any]:
    """Return the items of a JSON list, for `pytest.mark.parametrize`.

    Args:
        file: The file, from pytest's root directory: JSON, or JSON lines by the ending `.jsonl` or
            `.ndjson`.
        fields: The fields whose values are the parameters, in this order; without any, all fields
            in the order of the first item. Values are texts, as they are written; what is nested
            stays JSON. An item that is a text or a number is one parameter.
        pick: The names that lead to the list, with dots between: `data.items`.

    Raises:
        ListingError: The file cannot be read, there is no such list, it is empty, or an item has
            not the fields of the others.
    """
    return _chosen(f"{file!r}", rows_of_json(file, _root(), pick), fields)


def openapi_operations(file: str) -> list[Any]:
    """Return the operations of an OpenAPI document, for `pytest.mark.parametrize`.

    Its names are `"method,path,operation"`. `method` is in capitals. `operation` is the
    `operationId`, or method and path where it is missing.

    Args:
        file: The document, from pytest's root directory: OpenAPI 3.0 or 3.1, or Swagger 2.0, in
            JSON or YAML.

    Raises:
        ListingError: The file cannot be read, has no operations, or has an error in its paths.
    """
    rows = operations_of_openapi(file, _root())
    return _params([item_name(row) for row in rows], [tuple(row.values()) for row in rows])


def item_name(row: str | Mapping[str, str]) -> str:
    """Return what an item is called by: its values; an operation's method and path."""
    if isinstance(row, str):
        return row
    if set(row) == {"method", "path", "operation"}:
        return f"{row['method']}-{row['path']}"
    return "-".join(row.values())


def lines_of_command(command: str, root: Path) -> list[str]:
    """Return the lines that a command prints in a directory, without blank ones.

    Raises:
        ListingError: As `command_lines`.
    """
    where = f"command {command!r:.200}"
    try:
        argv = shlex.split(command)
    except ValueError as error:
        raise ListingError(f"{where}: {error}; fix its quotes") from None
    if not argv or "\0" in command:
        raise ListingError(f"{where}: names no program; write one with its arguments")
    text = _decoded(_output(argv, root, where), where)
    lines = [line.removesuffix("\r") for line in text.split("\n")]
    found = [line for line in lines if line.strip()]
    if not found:
        raise ListingError(
            f"{where}: printed no lines, so the suite would have no items; fix the command"
        )
    return found


def rows_of_csv(file: str, root: Path) -> Sequence[Mapping[str, str]]:
    """Return the rows of a CSV file by the names of their columns.

    Raises:
        ListingError: As `csv_rows`.
    """
    where = f"csv {file!r:.200}"
    rows = _located(where, lambda text: rows_in("rows.csv", text), _text(where, file, root))
    if not rows:
        raise ListingError(f"{where}: has no rows below its first line, which names the columns")
    return [row for row in rows if not isinstance(row, str)]


def rows_of_json(file: str, root: Path, pick: str = "") -> Sequence[str | Mapping[str, str]]:
    """Return the items of a JSON list.

    Raises:
        ListingError: As `json_items`.
    """
    where = f"json {file!r:.200}"
    lines = Path(file).suffix.lower() in (".jsonl", ".ndjson")
    if lines and pick:
        raise ListingError(f"{where}: pick has no effect on JSON lines; remove it")
    text = _text(where, file, root)
    rows: Sequence[str | Mapping[str, str]]
    if lines:
        rows = _located(where, lambda text: rows_in("rows.jsonl", text), text)
    else:
        rows = _located(where, lambda text: json_rows(text, pick), text)
    if not rows:
        raise ListingError(f"{where}: is an empty list, so the suite would have no items")
    return rows


def operations_of_openapi(file: str, root: Path) -> Sequence[Mapping[str, str]]:
    """Return the operations of a document as `method`, `path` and `operation`.

    Raises:
        ListingError: As `openapi_operations`.
    """
    from pytest_ptc.collection.openapi import operations_in  # noqa: PLC0415 - rarely needed

    where = f"openapi {file!r:.200}"
    found = _located(where, operations_in, _text(where, file, root))
    return [operation._asdict() for operation in found]


def _located(where: str, read: Any, text: str) -> Any:
    try:
        return read(text)
    except ListingError as error:
        raise ListingError(f"{where}: {error}") from None


def _root() -> Path:
    return ROOT.get(None) or Path.cwd()


def _text(where: str, file: str, root: Path) -> str:
    path = Path(os.path.normpath(root / file))
    real = path.resolve()
    if path.is_relative_to(root) and not real.is_relative_to(root.resolve()):
        raise ListingError(f"{where}: is a link that leads out of {root}; name the file itself")
    try:
        content = read_regular(real, MAX_SOURCE_BYTES)
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
        raise ListingError(f"{where}: cannot be read in {root}: {problem}") from None
    return _decoded(content, where)


def _decoded(content: bytes, where: str) -> str:
    if b"\0" in content and not content.startswith((b"\xff\xfe", b"\xfe\xff")):
        line = content[: content.index(b"\0")].count(b"\n") + 1
        raise ListingError(f"{where}: line {line}: has a NUL character; use one line for each item")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        raise ListingError(f"{where}: line {line}: is not UTF-8; convert it to UTF-8") from None


def _output(argv: Sequence[str], root: Path, where: str) -> bytes:
    """Return what a program prints.

    Raises:
        ListingError: It cannot be started, fails, takes too long, or prints too much.
    """
    # Files and no pipes: a process that it leaves behind could keep a pipe open.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as errors:
        try:
            process = subprocess.Popen(
                argv,
                cwd=root,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
        except OSError as error:
            problem = error.strerror or error
            raise ListingError(
                f"{where}: {argv[0]!r:.80} cannot be run in {root}: {problem}; name a program on "
                "PATH (no shell runs it)"
            ) from None
        try:
            status = process.wait(COMMAND_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            raise ListingError(
                f"{where}: did not end within {COMMAND_TIMEOUT_S:g} s; make it faster, or write "
                "its output to a file"
            ) from None
        finally:
            _end(process)
        if status != 0:
            errors.seek(max(0, errors.seek(0, os.SEEK_END) - 4 * _MAX_ERROR_CHARS))
            lines = errors.read().decode("utf-8", "replace").split("\n")
            last = next((line.strip() for line in reversed(lines) if line.strip()), "")
            ended = f"exit status {status}" if status > 0 else f"signal {-status}"
            shown = f": {last[-_MAX_ERROR_CHARS:]}" if last else ""
            raise ListingError(f"{where}: ended with {ended}{shown}; fix the command")
        output.seek(0)
        content = output.read(MAX_SOURCE_BYTES + 1)
    if len(content) > MAX_SOURCE_BYTES:
        raise ListingError(f"{where}: printed more than {MAX_SOURCE_BYTES} bytes")
    return content


def _end(process: subprocess.Popen[bytes]) -> None:
    """End a program that runs, with its group; a caller that is interrupted leaves none behind."""
    if process.poll() is None:
        # The group lives: its leader has not been waited for.
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def _chosen(where: str, rows: Sequence[str | Mapping[str, str]], names: Sequence[str]) -> list[Any]:
    return _params([item_name(row) for row in rows], list(_values(where, rows, names)))


def _values(
    where: str, rows: Sequence[str | Mapping[str, str]], names: Sequence[str]
) -> Iterator[tuple[str, ...]]:
    first = rows[0]
    wanted = names or ([] if isinstance(first, str) else list(first))
    for at, row in enumerate(rows, start=1):
        if isinstance(row, str):
            if wanted:
                raise ListingError(f"{where}: item {at}: must be an object with {wanted[0]!r}")
            yield (row,)
            continue
        missing = [name for name in wanted if name not in row]
        if missing or not wanted:
            problem = f"has no {missing[0]!r}" if missing else "is an object, and others are not"
            raise ListingError(f"{where}: item {at}: {problem}; it has {', '.join(row)}")
        more = [name for name in row if name not in wanted]
        if more and not names:
            raise ListingError(
                f"{where}: item {at}: has {more[0]!r}, and item 1 has not; name the fields"
            )
        yield tuple(row[name] for name in wanted)


def _params(names: Sequence[str], values: Sequence[tuple[str, ...]]) -> list[Any]:
    return [pytest.param(*row, id=one) for one, row in zip(unique_ids(names), values, strict=True)]
