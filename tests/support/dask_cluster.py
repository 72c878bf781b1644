"""A Dask cluster as a user has it: a scheduler, and workers that are started one by one."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

ROOT = Path(__file__).parents[2]
#: Seconds for a process of Dask's to begin, on a busy machine.
PATIENCE_S = 60.0


class DaskCluster:
    """A scheduler and its workers, each a program of Dask's with a log of its own.

    Args:
        folder: For their logs and files.
        environ: Variables that all of them have.
        protocol: `tcp` or `tls`.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str], protocol: str) -> None:
        self.folder = folder
        self._environ = {**os.environ, **environ}
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        address = folder / "address"
        self.start(
            "scheduler",
            *("--host", f"{protocol}://127.0.0.1", "--port", "0", "--scheduler-file", str(address)),
        )
        wait_until(lambda: address.exists() and address.stat().st_size > 0, "there is a scheduler")
        wait_until(lambda: bool(self._told(address)), "the scheduler's file is whole")
        self.address = str(self._told(address)["address"])

    @staticmethod
    def _told(address: Path) -> dict[str, Any]:
        import json  # noqa: PLC0415

        try:
            return dict(json.loads(address.read_text()))
        except ValueError:
            return {}

    def start(self, name: str, *arguments: str, environ: Mapping[str, str] | None = None) -> None:
        """Start the scheduler, or a worker of this name."""
        program = "dask_scheduler" if name == "scheduler" else "dask_worker"
        if name != "scheduler":
            arguments = (
                *(self.address, "--name", name, "--nthreads", "2", "--nworkers", "1"),
                *("--host", "127.0.0.1", "--memory-limit", "0"),
                *("--local-directory", str(self.folder), *arguments),
            )
        with self.log(name).open("wb") as log:
            self._processes[name] = subprocess.Popen(
                (sys.executable, "-m", f"distributed.cli.{program}", "--no-dashboard", *arguments),
                env={**self._environ, **(environ or {})},
                cwd=self.folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def log(self, name: str) -> Path:
        """Return the file of what a process has logged."""
        return self.folder / f"{name}.log"

    def logged(self) -> str:
        """Return all that was logged."""
        return "".join(path.read_text(errors="replace") for path in self.folder.glob("*.log"))

    def runs(self, name: str) -> bool:
        """Tell whether a process that was started is there."""
        return self._processes[name].poll() is None

    def stop(self, name: str) -> None:
        """Have a process do nothing any more, though it is there."""
        self._processes[name].send_signal(signal.SIGSTOP)

    def kill(self, *names: str) -> None:
        """Kill processes that were started, with those that they have started."""
        ended = [self._processes.pop(name) for name in names]
        tops = [psutil.Process(process.pid) for process in ended if process.poll() is None]
        below = [child for top in tops for child in top.children(recursive=True)]
        all_of_them = [*tops, *below]
        for each in all_of_them:
            with contextlib.suppress(psutil.NoSuchProcess):
                each.kill()
        psutil.wait_procs(all_of_them)
        for process in ended:
            process.wait()

    def close(self) -> None:
        """Kill all that is left."""
        self.kill(*self._processes)


@contextmanager
def dask_cluster(
    folder: Path, environ: Mapping[str, str] | None = None, protocol: str = "tcp"
) -> Iterator[DaskCluster]:
    """Yield a scheduler without workers; at the end nothing of it is left."""
    folder.mkdir(exist_ok=True)
    ours = {"PYTHONPATH": str(ROOT), "DASK_DISTRIBUTED__WORKER__PRELOAD": "tests.support.seats"}
    cluster = None
    try:
        cluster = DaskCluster(folder, {**ours, **(environ or {})}, protocol)
        yield cluster
    finally:
        if cluster is not None:
            cluster.close()


def wait_until(holds: Any, what: str) -> None:
    """Wait until something holds."""
    until = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < until, f"still not: {what}"
        time.sleep(0.05)
