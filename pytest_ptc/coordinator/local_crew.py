"""The crew of workers on this machine, which a host starts."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from pytest_ptc.coordinator.crew import Remains
from pytest_ptc.coordinator.door import Door
from pytest_ptc.interfaces.host import KILL_PATIENCE_S, LaunchPlan
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.journal.events import WorkerLineBroken, WorkerStarted
from pytest_ptc.model.errors import HostError, JournalError
from pytest_ptc.model.variables import ATTEMPT_COOKIE, RUN_COOKIE
from pytest_ptc.system import own_files
from pytest_ptc.system.control_groups import end_group, make_group
from pytest_ptc.system.processes import end_marked

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from pytest_ptc.coordinator.crew import CrewCalls, CrewJournal
    from pytest_ptc.interfaces import messages
    from pytest_ptc.interfaces.host import Host, WorkerHandle
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.system.processes import ProcessIdentity


class LocalCrew:
    """Implements `Crew` on this machine.

    Args:
        calls: What is told of workers.
        host: Where they live.
        journal: The run's journal.
        scratch: The run's scratch folder, for the socket and the launch files.
        argv: The program that is a worker; the path of its launch file is appended.
        launch_file: Makes the launch file of a worker, from its name and its key.
        proof: What the run's user has to show to have a task stopped; empty where nobody may.
    """

    def __init__(
        self,
        calls: CrewCalls,
        *,
        host: Host,
        journal: CrewJournal,
        scratch: Path,
        argv: Sequence[str],
        launch_file: Callable[[str, str], LaunchFile],
        proof: str = "",
    ) -> None:
        self._host = host
        self._journal = journal
        self._places = ScratchPlaces(scratch)
        self._argv = tuple(argv)
        self._launch_file = launch_file
        self._gone = calls.gone
        self._placed = calls.placed
        self._door = Door(
            heard=calls.heard,
            gone=calls.gone,
            note=self._note_broken,
            proof=proof,
            stop_task=calls.stop_task,
            process_of=self._process_of,
        )
        #: The processes of workers that are, or are being, started; of the loop's thread alone.
        self._processes: dict[str, asyncio.Future[ProcessIdentity | None]] = {}
        #: The cgroups of workers that were started and not killed yet.
        self._groups: dict[str, Path] = {}
        #: Workers that were started and not killed yet; of the hosts' thread alone.
        self._handles: dict[str, WorkerHandle] = {}
        # Hosts talk to slow outside programs: their calls have a thread of their own, one at a
        # time, so that a verdict never waits for a window to open.
        self._host_calls = ThreadPoolExecutor(1, thread_name_prefix="ptc-host")

    def __repr__(self) -> str:
        return f"<LocalCrew {sorted(self._handles)} in {self._host.name}>"

    async def listen(self) -> asyncio.AbstractServer:
        """Begin to take workers' calls; see `Crew`."""
        return await self._door.open(self._places.coordinator_socket)

    async def launch(self, worker: str) -> None:
        """Start a worker and wait for its end; see `Crew`."""
        self._placed(worker, None)
        started = self._processes[worker] = asyncio.get_running_loop().create_future()
        try:
            handle = await self._on_host(self._start, self._launch_plan(worker))
        except (HostError, JournalError) as error:
            self._gone(worker, str(error))
            return
        except Exception as error:  # noqa: BLE001 - whatever a host raises, this one has no worker
            self._gone(worker, f"it cannot be started: {error!r}")
            return
        process = handle.identity
        started.set_result(process)
        pid, created = (None, None) if process is None else (process.pid, process.created)
        self._journal.append(WorkerStarted(worker=worker, pid=pid, created=created))
        await handle.ended()
        self._gone(worker, "its process ended")

    async def _process_of(self, worker: str) -> ProcessIdentity | None:
        """Return a worker's process once it is started; None where it cannot be seen."""
        # Shielded: several callers may wait for the same one.
        return await asyncio.shield(self._processes[worker])

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message; see `Crew`."""
        self._door.say(worker, message)

    async def bury(self, worker: str, why: str, cookie: str | None) -> Remains:
        """Kill a worker, and return what is left to look at; see `Crew`."""
        killing = self._on_host(self._kill, worker, why, cookie)
        # Not cancelled when it takes too long: the host ends the worker when it comes to that.
        await asyncio.wait([killing], timeout=KILL_PATIENCE_S)
        remains: Remains
        if killing.done():
            remains = killing.result()
            # What it handed over before it died is not lost.
            await self._door.hear_out(worker)
        else:
            unable = f"{self._host.name} has not ended it within {KILL_PATIENCE_S:g} s"
            remains = Remains(ended=f"{why}; {unable}")
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
            for worker in list(self._groups):
                end_group(self._groups.pop(worker))

    def _launch_plan(self, worker: str) -> LaunchPlan:
        """Write a worker's launch file, and return how it is started."""
        folder = self._journal.worker_folder(worker)
        launch_file = self._places.launch_file(worker)
        launch_file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        launch = self._launch_file(worker, self._door.key_for(worker))
        group = make_group(self._journal.run_id, worker)
        if group is not None:
            self._groups[worker] = group
            launch = replace(launch, group=group)
        own_files.write_new(launch_file, launch.encode())
        return LaunchPlan(
            worker=worker,
            argv=(*self._argv, str(launch_file)),
            cwd=folder,
            log=folder / "output.log",
        )

    def _note_broken(self, worker: str | None, why: str) -> None:
        self._journal.append(WorkerLineBroken(worker=worker, error=why))

    def _start(self, plan: LaunchPlan) -> WorkerHandle:
        # Stored in this thread, before the loop gets it: a kill may already be queued behind this
        # call.
        handle = self._handles[plan.worker] = self._host.start(plan)
        return handle

    def _kill(self, worker: str, why: str, cookie: str | None) -> Remains:
        handle = self._handles.pop(worker, None)
        try:
            if handle is None:
                return Remains(ended=why)
            return Remains(ended=f"{why}: {handle.kill()}", tail=handle.lines())
        except HostError as error:
            return Remains(ended=f"{why}; {error}")
        finally:
            if cookie is not None:
                end_marked(ATTEMPT_COOKIE, cookie, grace=0.0)
            # Last: it needs no mark, and leaves nothing.
            if (group := self._groups.pop(worker, None)) is not None:
                end_group(group)

    def _on_host(self, call: Callable[..., Any], *args: Any) -> asyncio.Future[Any]:
        return asyncio.get_running_loop().run_in_executor(self._host_calls, call, *args)
