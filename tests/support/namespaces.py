"""Processes in namespaces of their own, which end with the test that has started them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import psutil
import pytest

from tests.support.runs import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from typing_extensions import Self

#: How root makes namespaces, and how everybody does where users may have some of their own.
_ROOT = ("unshare",)
USER = ("unshare", "--user", "--map-root-user")
OWN = ("--net", "--mount", "--pid", "--uts", "--fork", "--kill-child")
#: Seconds that anything may take that is done at once on an idle system.
_PATIENCE = 20.0

#: Ends when this test does, whatever ends that: it reads what nobody writes. It is the parent of
#: whatever loses its own, and whoever ignores SIGCHLD leaves no zombies.
WAITS = """
trap '' CHLD
echo ready
exec cat >/dev/null
"""


@contextmanager
def first_of(*words: str) -> Iterator[psutil.Process]:
    """Have a process run, with whatever it becomes the first of, until this is left."""
    starter = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        # Heard where it does not begin: of how its child ends, `unshare` has to say that it failed.
        stderr=subprocess.PIPE,
        start_new_session=True,
    )
    with ExitStack() as stack:
        stack.enter_context(starter)
        assert starter.stdout is not None
        if starter.stdout.readline() != b"ready\n":
            _, error = starter.communicate(timeout=_PATIENCE)
            pytest.fail(f"{' '.join(words)[:200]} ended with {starter.returncode}: {error!r}")
        first = _youngest(psutil.Process(starter.pid))
        stack.callback(_kill, first)
        yield first


def _kill(process: psutil.Process) -> None:
    with suppress(psutil.NoSuchProcess):
        process.kill()


def _youngest(process: psutil.Process) -> psutil.Process:
    """Return the end of the row of children: what `nsenter` and `unshare` have started."""
    while children := process.children():
        (process,) = children
    return process


def way() -> tuple[str, ...]:
    """Return how namespaces are made here; where they cannot be, only CI does not skip the test."""
    if not sys.platform.startswith("linux"):
        pytest.skip("namespaces are Linux's")
    if shutil.which("ip") is None:
        _skip_or_fail("no `ip`, which Debian's package iproute2 has")
    for words in (_ROOT, USER):
        made = subprocess.run(
            [*words, *OWN, "--mount-proc", "ip", "link", "add", "x", "type", "bridge"],
            capture_output=True,
            check=False,
        )
        if made.returncode == 0:
            return words
    return _skip_or_fail(f"this system allows no namespaces: {made.stderr.decode()}")


def _skip_or_fail(reason: str) -> NoReturn:
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def space_of(pid: int, kind: str) -> str | None:
    with suppress(OSError):
        return str(Path(f"/proc/{pid}/ns/{kind}").readlink())
    return None


class Spaces:
    """Spaces of processes that were made here; a context manager that at its end finds them empty.

    They are held open: the number of one that is gone is given to the next one of anybody. Whatever
    spaces are made in one of them end with it.
    """

    def __init__(self) -> None:
        self._numbers: set[str | None] = set()
        self._held = ExitStack()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._held:
            until(
                lambda: not [pid for pid in psutil.pids() if space_of(pid, "pid") in self._numbers],
                "the machines' end",
            )

    def add(self, pid: int) -> None:
        """Take that of a process that lives."""
        self._held.callback(os.close, os.open(f"/proc/{pid}/ns/pid", os.O_RDONLY | os.O_CLOEXEC))
        self._numbers.add(space_of(pid, "pid"))
