"""A cable between two interfaces that it makes: what goes over it arrives later, or never.

    slow_cable.py ONE OTHER DELAY LOSS

As `tc netem` would do it, which few kernels of containers have. It ends with its input.
"""

from __future__ import annotations

import fcntl
import os
import random
import selectors
import struct
import sys
import time
from collections import deque
from contextlib import suppress

_TUNSETIFF = 0x400454CA
_TAP_WITHOUT_HEADER = 0x0002 | 0x1000


def main() -> None:
    """Carry frames until nobody holds the cable any more."""
    one, other = (_interface(name) for name in sys.argv[1:3])
    delay, loss = (float(number) for number in sys.argv[3:5])
    print("ready", flush=True)  # noqa: T201 - who has started it waits for that
    ears = selectors.DefaultSelector()
    for ear in (one, other, sys.stdin.fileno()):
        ears.register(ear, selectors.EVENT_READ)
    under_way: deque[tuple[float, int, bytes]] = deque()
    chance = random.Random(1)  # noqa: S311 - a cable that can be had again
    while True:
        wait = max(0.0, under_way[0][0] - time.monotonic()) if under_way else None
        for key, _ in ears.select(wait):
            if key.fd not in (one, other):
                return
            frame = os.read(key.fd, 65536)
            if chance.random() >= loss:
                there = other if key.fd == one else one
                under_way.append((time.monotonic() + delay, there, frame))
        while under_way and under_way[0][0] <= time.monotonic():
            _, there, frame = under_way.popleft()
            # An interface that is down takes nothing.
            with suppress(OSError):
                os.write(there, frame)


def _interface(name: str) -> int:
    tap = os.open("/dev/net/tun", os.O_RDWR)
    fcntl.ioctl(tap, _TUNSETIFF, struct.pack("16sH22x", name.encode(), _TAP_WITHOUT_HEADER))
    return tap


if __name__ == "__main__":
    main()
