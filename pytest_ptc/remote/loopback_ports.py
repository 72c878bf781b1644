"""Ports of servers on the loopback interface: those that texts name, and those that are served.

Pure.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

#: A server that listens everywhere is named by `0.0.0.0` now and then, and reached by that.
_SERVER = re.compile(
    r"(?<![\w.-])(?:127\.\d{1,3}\.\d{1,3}\.\d{1,3}|0\.0\.0\.0|(?:[\w-]+\.)*localhost|\[::1?\])"
    r":(\d{1,5})(?!\w)",
    re.IGNORECASE,
)
_MAX_PORT = 65_535
#: A line of the kernel's table whose state is that of a server; most are of connections that ended.
_LISTENING = re.compile(r"^ *\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F:]+ 0A ", re.MULTILINE)


def ports_named(texts: Iterable[str]) -> frozenset[int]:
    """Return the ports of all loopback servers in texts, as in `http://127.0.0.1:8000/x`."""
    found = {int(match[1]) for text in texts for match in _SERVER.finditer(text)}
    return frozenset(port for port in found if 0 < port <= _MAX_PORT)


def ports_listened_at(table: str, *, six: bool) -> frozenset[int]:
    """Return the ports at which a connection to the loopback interface is taken.

    Args:
        table: The content of `/proc/net/tcp`, or of `tcp6`.
        six: Whether it is `tcp6`.
    """
    return frozenset(
        int(port, 16)
        for address, port in _LISTENING.findall(table)
        if _is_loopback(address, six=six)
    )


def _is_loopback(address: str, *, six: bool) -> bool:
    """Tell whether a server at this address is reached by loopback: each word is turned round."""
    if not six:
        return address == "00000000" or address.endswith("7F")
    mapped = address.startswith("0000000000000000FFFF0000") and address.endswith("7F")
    return mapped or address in ("0" * 32, "0" * 24 + "01000000")
