"""Files and JSON that somebody else may have written, read so that they cannot do harm.

An agent, a checkout or another account may put anything where a file of ours belongs: a FIFO that
blocks whoever opens it, a link, a device, two hundred megabytes, a hundred thousand brackets. What
is read through here is a regular file of bounded size, or an error that says why not.
"""

from __future__ import annotations

import json
import math
import os
import stat
from typing import TYPE_CHECKING, Any, BinaryIO

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

#: Levels of arrays and objects within each other; deeper values exhaust the stack of whoever walks
#: them, and no verdict, event or report of ours comes near.
MAX_JSON_DEPTH = 64


def read_regular(path: Path, max_bytes: int) -> bytes:
    """Return the content of a regular file.

    Never blocks on a FIFO or a device, and follows no link in the last part of the path.

    Raises:
        OSError: There is no such file (FileNotFoundError), or it is no regular file, is longer
            than `max_bytes`, or cannot be read; `strerror` says which.
    """
    with open_regular(path, max_bytes) as file:
        content = file.read(max_bytes + 1)
    if len(content) > max_bytes:
        raise OSError(None, f"is longer than {max_bytes} bytes", str(path))
    return content


def open_regular(path: Path, max_bytes: int) -> BinaryIO:
    """Open a regular file to be read piece by piece; the caller closes it.

    Never blocks on a FIFO or a device, and follows no link in the last part of the path.

    Raises:
        OSError: As `read_regular`; that the file is too long is said by its size as it is now.
    """
    # O_NONBLOCK: opening a FIFO for reading waits for a writer otherwise.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    if (problem := _unfit(os.fstat(descriptor), max_bytes)) is not None:
        os.close(descriptor)
        raise OSError(None, problem, str(path))
    return os.fdopen(descriptor, "rb")


def _unfit(seen: os.stat_result, max_bytes: int) -> str | None:
    if not stat.S_ISREG(seen.st_mode):
        return "is not a regular file"
    return f"is longer than {max_bytes} bytes" if seen.st_size > max_bytes else None


def strict_json(text: str | bytes) -> Any:
    """Return the value of a JSON text that says one thing.

    Python's reader takes more than JSON has, and the last of two equal keys; a text that says two
    things is refused here, for nobody knows which one was meant.

    Raises:
        ValueError: It is not JSON, has a key twice, a number that is not finite, or too many
            levels.
    """
    try:
        value = json.loads(
            text,
            object_pairs_hook=_object,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise ValueError(f"has more than {MAX_JSON_DEPTH} levels") from None
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [entry for holder in level for entry in _entries(holder)]
        if not level:
            return value
    raise ValueError(f"has more than {MAX_JSON_DEPTH} levels")


def _entries(value: object) -> Iterable[object]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        seen: set[str] = set()
        for name, _ in pairs:
            if name in seen:
                raise ValueError(f"has the key {json.dumps(name)[:80]} twice")
            seen.add(name)
    return value


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"{text:.40} is too large a number")
    return number


def _refuse_constant(name: str) -> None:
    # Python reads NaN and Infinity, JSON has neither, and no report format can carry them on.
    raise ValueError(f"{name} is not JSON")
