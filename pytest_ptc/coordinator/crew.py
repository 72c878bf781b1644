"""The crew: a run's workers as processes and connections. It knows nothing of tasks.

Its methods are the loop's to call, but for `close`, which is for pytest's thread.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from pytest_ptc.coordinator.door import Door
from pytest_ptc.interfaces.host import LaunchPlan, Remains
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.journal.events import WorkerLineBroken, WorkerStarted
from pytest_ptc.model.errors import HostError, JournalError
from pytest_ptc.model.variables import ATTEMPT_COOKIE, RUN_COOKIE
from pytest_ptc.system import own_files
from pytest_ptc.system.processes import ProcessIdentity, end_marked, end_tree

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_ptc.interfaces import messages
    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.journal.run_journal import Journal


class Crew:
    """Starts workers, talks with them, notices their end, and ends what they leave.

    Args:
        host: Where they live.
        journal: The run's journal.
        scratch: The run's scratch folder, for the socket and the launch files.
        argv: The program that is a worker; the path of its launch file is appended.
        launch_file: Returns what a worker is told, from its name and the key that it has to show.
        heard: Takes each worker's messages, its hello first.
        gone: Takes a worker's name and what told of its end; called at least once for each.
    """

    def __init__(
        self,
        *,
        host: Host,
        journal: Journal,
        scratch: Path,
        argv: Sequence[str],
        launch_file: Callable[[str, str], LaunchFile],
        heard: Callable[[str, messages.Message], None],
        gone: Callable[[str, str], None],
    ) -> None:
        self._host = host
        self._journal = journal
        self._places = ScratchPlaces(scratch)
        self._argv = tuple(argv)
        self._launch_file = launch_file
        self._gone = gone
        self._door = Door(heard=heard, gone=gone, note=self._broken)
        self._processes: dict[str, ProcessIdentity] = {}
        # Hosts talk to slow outside programs: their calls have a thread of their own, one at a
        # time, so that a verdict never waits for a window to open.
        self._host_calls = ThreadPoolExecutor(1, thread_name_prefix="ptc-host")

    def __repr__(self) -> str:
        return f"<Crew {sorted(self._processes)} in {self._host.name}>"

    async def listen(self) -> asyncio.AbstractServer:
        """Begin to take workers' calls."""
        return await self._door.open(self._places.coordinator_socket)

    async def launch(self, worker: str) -> None:
        """Start a worker and wait for its end; that it cannot be started is an end too."""
        try:
            pid = await self._on_host(self._host.launch, self._launch_plan(worker))
        except (HostError, JournalError) as error:
            self._gone(worker, str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever a host raises, this one has no worker
            self._gone(worker, f"it cannot be started: {error!r}")
            return
        if (process := ProcessIdentity.of(pid)) is not None:
            self._processes[worker] = process
        created = process.created if process is not None else None
        self._journal.append(WorkerStarted(worker=worker, pid=pid, created=created))
        if await _ended(pid):
            self._gone(worker, "its process ended")

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message; one to a worker that is gone goes nowhere, and its end is told apart."""
        self._door.say(worker, message)

    async def bury(self, worker: str, why: str, cookie: str | None) -> Remains:
        """Kill a worker, whatever of it still lives, and return what is left to look at.

        Args:
            worker: Its name.
            why: What told of its end.
            cookie: The cookie of the attempt that it was on.
        """
        remains: Remains = await self._on_host(self._kill, worker, why, cookie)
        # Not before the worker is dead: it would take the end of the line for the end of pytest.
        self._door.hang_up(worker)
        return remains

    async def hang_up(self) -> None:
        """Close every connection."""
        await self._door.close()

    async def end(self) -> None:
        """End all workers by force."""
        await self._on_host(self._host.close)

    def close(self) -> None:
        """End all that the run has started, of workers and of agents; may be called again."""
        # A second Ctrl-C in here does not keep what lives from being killed.
        try:
            self._host_calls.shutdown(cancel_futures=True)
        finally:
            self._host.close()
            end_marked(RUN_COOKIE, self._journal.run_id, grace=0.5)

    def _launch_plan(self, worker: str) -> LaunchPlan:
        """Write a worker's launch file, and return how it is started."""
        folder = self._journal.worker_folder(worker)
        launch_file = self._places.launch_file(worker)
        launch_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        content = self._launch_file(worker, self._door.key_for(worker)).encode()
        own_files.write_new(launch_file, content)
        return LaunchPlan(
            worker=worker,
            argv=(*self._argv, str(launch_file)),
            cwd=folder,
            log=folder / "output.log",
        )

    def _broken(self, worker: str | None, why: str) -> None:
        self._journal.append(WorkerLineBroken(worker=worker, error=why))

    def _kill(self, worker: str, why: str, cookie: str | None) -> Remains:
        if (process := self._processes.pop(worker, None)) is not None:
            end_tree(process, grace=0.0)
        if cookie is not None:
            end_marked(ATTEMPT_COOKIE, cookie, grace=0.0)
        try:
            remains = self._host.remains(worker)
        except HostError as error:
            return Remains(ended=f"{why}; {error}")
        return Remains(ended=f"{why}: {remains.ended}", tail=remains.tail)

    async def _on_host(self, call: Callable[..., Any], *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(self._host_calls, call, *args)


async def _ended(pid: int) -> bool:
    """Wait for the end of a process; False where the system has no event for that.

    Then the end of the worker's connection, or of its time to call in, has to tell.
    """
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    except (AttributeError, OSError):
        return False
    loop = asyncio.get_running_loop()
    ended = asyncio.Event()
    loop.add_reader(descriptor, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(descriptor)
        os.close(descriptor)
    return True
