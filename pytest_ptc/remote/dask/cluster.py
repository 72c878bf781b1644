"""The process that makes a cluster of Dask's on this machine for one run."""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import subprocess
import sys
import time
from typing import Any

from pytest_ptc.remote.engine import EngineError

#: Seconds for it to begin, and to end.
_BEGIN_S = 30.0
_END_S = 8.0


class LocalDask:
    """A cluster on this machine; see `local_cluster.py`, which is the process.

    Args:
        threads: How many seats each of its nodes has.
    """

    def __init__(self, threads: int) -> None:
        # A session of its own: Ctrl-C ends the run in order, and that ends the cluster.
        self._process = subprocess.Popen(
            (sys.executable, "-m", "pytest_ptc.remote.dask.local_cluster", str(threads)),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )

    def told(self) -> dict[str, Any]:
        """Return its address, and what `Security` needs to talk to it.

        Raises:
            EngineError: It does not begin.
        """
        try:
            told = json.loads(self._line())
        except ValueError:
            self.close()
            raise EngineError(
                "the local Dask cluster did not begin: try `python -m "
                "pytest_ptc.remote.dask.local_cluster 1`"
            ) from None
        return dict(told)

    def _line(self) -> bytes:
        assert self._process.stdout is not None
        line, until = b"", time.monotonic() + _BEGIN_S
        with selectors.DefaultSelector() as selector:
            selector.register(self._process.stdout, selectors.EVENT_READ)
            while not line.endswith(b"\n"):
                if not selector.select(max(0.0, until - time.monotonic())):
                    break
                piece = os.read(self._process.stdout.fileno(), 65536)
                if not piece:
                    break
                line += piece
        return line

    def close(self) -> None:
        """End it with all its processes; it may be called again."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                with contextlib.suppress(OSError):
                    pipe.close()
        if self._process.returncode is None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_END_S)
        if self._process.poll() is None:
            # It leads its group: nobody else's process is in that.
            with contextlib.suppress(OSError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()
