"""The lines of files as they are in the working tree."""

from __future__ import annotations

import codecs
from typing import TYPE_CHECKING

from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from pathlib import Path

#: The longest file whose lines are read, in bytes: as for findings.
_MAX_BYTES = 8 * 1024 * 1024
_BOMS = ((codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"))


def lines_in_tree(path: Path) -> list[str] | None:
    """Return the lines of a file; None where they cannot be read.

    Raises:
        FileNotFoundError: There is no such file.
    """
    try:
        content = read_regular(path, _MAX_BYTES)
    except (FileNotFoundError, NotADirectoryError):
        raise FileNotFoundError(path) from None
    except OSError:
        return None
    encoding = next((name for bom, name in _BOMS if content.startswith(bom)), "utf-8-sig")
    return content.decode(encoding, "replace").split("\n")
