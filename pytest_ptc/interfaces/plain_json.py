"""msgspec structs as JSON, checked when they are read.

The JSON is written and read by Python's `json`, not by msgspec: file names and test parameters may
hold lone surrogates, for bytes that are not UTF-8, which msgspec refuses. msgspec checks the types.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import msgspec

#: Seconds: neither infinite nor NaN.
Seconds: TypeAlias = Annotated[float, msgspec.Meta(ge=-sys.float_info.max, le=sys.float_info.max)]


def to_json(record: msgspec.Struct) -> bytes:
    """Return a record as JSON, in ASCII and on one line.

    Raises:
        TypeError: A value in it is neither plain JSON nor a path.
    """
    return json.dumps(record, default=_plain).encode()


def from_json(text: bytes, kind: Any) -> Any:
    """Return the record that a JSON text is.

    Args:
        text: The text.
        kind: The record's type, or a union of types with tags.

    Raises:
        ValueError: It is no JSON, or another record, with a missing, an extra or a wrong field.
    """
    try:
        return msgspec.convert(json.loads(text), kind, dec_hook=_to_path)
    except RecursionError:
        raise ValueError("nested too deeply") from None
    except msgspec.MsgspecError as error:  # before 0.20 it is no ValueError
        raise ValueError(str(error)) from error


def _plain(value: object) -> str | dict[str, Any]:
    if isinstance(value, Path):
        return str(value)
    if isinstance(value, msgspec.Struct):
        kind = value.__struct_config__
        tag = {} if kind.tag_field is None else {kind.tag_field: kind.tag}
        return {**tag, **msgspec.structs.asdict(value)}
    raise TypeError(f"not plain JSON: {value!r:.100}")


def _to_path(kind: type[Any], value: object) -> Path:
    if kind is Path and isinstance(value, str):
        return Path(value)
    raise ValueError(f"expected a path, got {type(value).__name__}")
