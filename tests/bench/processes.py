"""Processes of a benchmark: the stand-in of the API, and a tree with its CPU. Linux only."""

from __future__ import annotations

import contextlib
import ctypes
import json
import os
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import psutil

from tests.bench.suite import ROOT, BenchError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from pathlib import Path

    from typing_extensions import Self

#: Seconds that a run may take, and its processes after its root has ended.
RUN_TIMEOUT_S, LINGER_TIMEOUT_S = 300.0, 10.0
MEGABYTE = 2**20


@dataclass(kw_only=True)
class Server:
    """The stand-in of the API.

    Args:
        url: Its address.
        pid: Its process.
        log: What it has been requested, see `MessagesApi`.
        sizes: The bytes of every request, once it has ended.
    """

    url: str
    pid: int
    log: Path
    sizes: list[int] = field(default_factory=list)


@contextlib.contextmanager
def stand_in(log: Path, module: str = "messages_api") -> Iterator[Server]:
    """Serve in a process of its own while the context is open.

    Args:
        log: Where it says what it has been requested.
        module: Which stand-in, of `tests.support`.
    """
    process = subprocess.Popen(
        [sys.executable, "-m", f"tests.support.{module}", "--log", log],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    server = Server(url=process.stdout.readline().strip(), pid=process.pid, log=log)
    try:
        yield server
    finally:
        account, _ = process.communicate()
    server.sizes += json.loads(account)["sizes"]


@contextlib.contextmanager
def adopting() -> Iterator[None]:
    """Be the parent of every descendant whose own parent leaves.

    Raises:
        BenchError: This system has nothing of the kind.
    """
    if sys.platform != "linux":
        raise BenchError("the CPU of a whole run can be told on Linux alone")
    set_child_subreaper = 36
    prctl = ctypes.CDLL(None, use_errno=True).prctl
    if prctl(set_child_subreaper, 1, 0, 0, 0):
        raise BenchError(f"prctl: {os.strerror(ctypes.get_errno())}")
    try:
        yield
    finally:
        prctl(set_child_subreaper, 0, 0, 0, 0)


class ProcessTree:
    """A process and all that comes of it; a context manager that leaves nothing of it behind.

    Args:
        root: The process.
        beside: The pid of the only other child that we have; None where there is none.
    """

    def __init__(self, root: subprocess.Popen[bytes], *, beside: int | None = None) -> None:
        self._root = root
        self._beside = beside
        ours = psutil.Process().children()
        #: Who was there before, such as another test's browser; not the run's, nor what it starts.
        self._before = [one for one in ours if one.pid not in (root.pid, beside)]
        #: Seconds of those that have ended.
        self.cpu = 0.0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        while left := self._left():
            for process in left:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
            self._reap()

    def wait_for_root(self) -> None:
        """Wait for the end of the process itself."""
        self._wait(lambda: self._root.returncode is not None, RUN_TIMEOUT_S)

    def wait_for_rest(self) -> None:
        """Wait for the end of all that it has left behind."""
        self._wait(lambda: not self._left(), LINGER_TIMEOUT_S)

    def wait_until(self, done: Callable[[], bool]) -> None:
        """Wait for anything else that comes of the run."""
        self._wait(lambda: done() or self._root.returncode is not None, RUN_TIMEOUT_S)

    def processes(self) -> list[psutil.Process]:
        """Return those that live now."""
        return self._left()

    def _wait(self, done: Callable[[], bool], limit: float) -> None:
        deadline = time.monotonic() + limit
        while not done():
            if time.monotonic() > deadline:
                names = ", ".join(str(process) for process in self._left())
                raise BenchError(f"not ended after {limit:g} s: {names}")
            self._reap()
            time.sleep(0.005)

    def _reap(self) -> None:
        """Count every process that has ended, with those that it has waited for itself."""
        while True:
            try:
                pid, status, usage = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:  # there is none at all
                return
            if not pid:
                return
            if pid == self._beside:
                raise BenchError("the stand-in has ended")
            self.cpu += usage.ru_utime + usage.ru_stime
            if pid == self._root.pid:
                self._root.returncode = os.waitstatus_to_exitcode(status)

    def _left(self) -> list[psutil.Process]:
        below = psutil.Process().children(recursive=True)
        others = {self._beside, *(one.pid for one in self._before)}
        for one in self._before:
            with contextlib.suppress(psutil.NoSuchProcess):
                others |= {child.pid for child in one.children(recursive=True)}
        return [process for process in below if process.pid not in others]


class Sampler:
    """Takes samples in a thread while it is open.

    Args:
        take: Returns the samples of one moment.
        every_s: Seconds between two moments.
    """

    def __init__(self, take: Callable[[], Iterable[float]], every_s: float) -> None:
        self._take = take
        self._every_s = every_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self.samples: list[float] = []

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._closing.wait(self._every_s):
            self.samples += self._take()


def shared_memory_mb(processes: Iterable[psutil.Process]) -> float:
    """Return the MB of these processes together: of what some share, each has its part (PSS).

    Raises:
        psutil.Error: One has ended meanwhile.
    """
    return sum(process.memory_full_info().pss for process in processes) / MEGABYTE
