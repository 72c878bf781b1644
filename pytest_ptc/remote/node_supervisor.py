"""The supervisor of a run's workers on one node, in a process of the engine's. It knows no engine.

It has what pytest has on one machine: a crew with a host, folders, a list. It carries what its
workers say to pytest's machine, and what that says to them. It ends all that it has started when it
has not been heard for its lease: whoever waits that long may take it that nothing of the run lives
on the node.

It has a thread and a loop of its own: the engine's may be busy with the work of others.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from enum import Enum
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces.plain_json import from_json
from pytest_ptc.journal.events import WorkerLineBroken
from pytest_ptc.model.errors import PtcError
from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote.frames import FrameError, Inbox, Outbox
from pytest_ptc.remote.lease import NodeLease
from pytest_ptc.remote.loopback import Machine
from pytest_ptc.remote.node_agents import settings_from_json
from pytest_ptc.remote.node_directories import NodeDirectories
from pytest_ptc.remote.node_place import NodePlace
from pytest_ptc.remote.node_workers import NodeWorkers
from pytest_ptc.remote.shared_code import check_shared
from pytest_ptc.remote.stale import remove_stale
from pytest_ptc.remote.tunnels import NodeTunnels
from pytest_ptc.system.machine import lease_clock
from pytest_ptc.system.timeouts import within

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterable
    from concurrent.futures import Future
    from pathlib import Path

    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.journal.event import Event

#: Seconds between two looks at what the agents at work have printed.
GLANCE_S = 1.0
#: Bytes that wait to be heard, beyond which nothing is carried that can wait.
MAX_WAITING_BYTES = 16 * 1024 * 1024
#: Seconds between two looks at the lease: the loop's own clock may stand while the machine sleeps.
LEASE_LOOK_S = 0.5
#: Seconds that a call waits for more to tell, once there is something: calls are dear.
_GATHER_S = 0.004
#: The longest reason in a frame, in characters.
_MAX_TEXT_CHARS = 2000


class Phase(Enum):
    """The life of a supervisor; it goes through these once, in order."""

    OPEN = "open"
    ENDING = "ending"
    ENDED = "ended"


class NodeSupervisor:
    """One run's supervisor on one node, until the run or its lease is over.

    Args:
        name: Its name, another one for each supervisor.
        run_id: The run's id.
        lease: Seconds that it lives without being heard.
        make_host: Makes the host of its workers, given its choice and the run's id on this node.
        unpack: Unpacks a directory that was sent, as `NodeDirectories` needs it.
        environ: Changes that the engine itself asks of the workers' environment.
    """

    def __init__(
        self,
        *,
        name: str,
        run_id: str,
        lease: float,
        make_host: Callable[[str, str], Host],
        unpack: Callable[[bytes, Path], str],
        environ: dict[str, str | None] | None = None,
    ) -> None:
        self.name = name
        self.run_id = run_id
        #: The run's id on this node: two supervisors of one machine do not end each other's.
        self._node_run_id = f"{run_id}-{name}"
        self._make_host = make_host
        self._unpack = unpack
        self._environ = environ or {}
        self._lease = NodeLease(lease, lease_clock())
        self._inbox = Inbox()
        self._has_news = asyncio.Event()
        self._outbox = Outbox(self._has_news.set)
        self._phase = Phase.OPEN
        self._closing = asyncio.Event()
        #: Set when pytest's machine has heard the last word.
        self._all_heard = asyncio.Event()
        self._seats: dict[str, threading.Event] = {}
        self._errands: set[asyncio.Task[None]] = set()
        self._place: NodePlace | None = None
        self._directories: NodeDirectories | None = None
        self._tunnels: NodeTunnels | None = None
        self._workers: NodeWorkers | None = None
        #: Workers that are to be started as soon as the node is ready.
        self._to_start: dict[str, None] = {}
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name=f"ptc-{name}", daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<NodeSupervisor {self.name} of {self.run_id}, {self._phase.value}>"

    # What other threads call.

    @property
    def is_open(self) -> bool:
        """Tell whether it takes seats."""
        return self._phase is Phase.OPEN

    @property
    def is_over(self) -> bool:
        """Tell whether nothing of it is left, and nobody waits for its last word."""
        return self._loop.is_closed()

    def hold(self, worker: str) -> threading.Event:
        """Hold a place for a worker; the event is set when it is free."""
        seat = threading.Event()
        if not self._call_soon(self._take_seat, worker, seat):
            seat.set()
        return seat

    def close(self) -> None:
        """Have it end all that it has started."""
        self._call_soon(self._closing.set)

    def answer(self, call: frames.Call) -> Future[bytes]:
        """Return the answer to a call, in time.

        Raises:
            RuntimeError: It has ended.
        """
        answer = self._answer(call)
        try:
            return asyncio.run_coroutine_threadsafe(answer, self._loop)
        except RuntimeError:
            answer.close()
            raise

    def join(self, timeout: float) -> None:
        """Wait for its end, at most for so many seconds."""
        self._thread.join(timeout)

    def _call_soon(self, call: Callable[..., object], *args: object) -> bool:
        try:
            self._loop.call_soon_threadsafe(call, *args)
        except RuntimeError:
            return False
        return True

    # The thread.

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        try:
            self._loop.run_until_complete(self._serve())
        finally:
            self._phase = Phase.ENDED
            # Calls that wait for an answer get none.
            left = asyncio.all_tasks(self._loop)
            for task in left:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
            for seat in self._seats.values():
                seat.set()
            self._loop.close()

    async def _serve(self) -> None:
        watching = [asyncio.ensure_future(self._watch_lease()), asyncio.ensure_future(self._look())]
        await self._closing.wait()
        self._phase = Phase.ENDING
        for errand in (*watching, *self._errands):
            errand.cancel()
        await self._end()
        self._phase = Phase.ENDED
        self._send(frames.Closed())
        await self._be_heard()

    async def _watch_lease(self) -> None:
        while (left := self._lease.until - lease_clock()) > 0:  # noqa: ASYNC110 - it is put off
            await asyncio.sleep(min(left, LEASE_LOOK_S))
        self._closing.set()

    async def _look(self) -> None:
        """Carry what agents at work have printed: all that is left of them if the node is lost."""
        while True:
            await asyncio.sleep(GLANCE_S)
            # A machine that does not hear us must not cost this one its memory.
            if self._workers is not None and self._outbox.size < MAX_WAITING_BYTES:
                self._workers.glance()
            self._outbox.hurry()

    async def _end(self) -> None:
        """End all that was started here, and leave nothing."""
        for seat in self._seats.values():
            seat.set()
        # Whatever fails, the others are ended: agents first, the last one that is added.
        with contextlib.suppress(Exception):
            async with contextlib.AsyncExitStack() as ends:
                if self._place is not None:
                    ends.push_async_callback(asyncio.to_thread, self._place.remove)
                if self._directories is not None:
                    ends.push_async_callback(self._directories.close)
                if self._tunnels is not None:
                    ends.push_async_callback(self._tunnels.close)
                if self._workers is not None:
                    ends.push_async_callback(self._workers.end)
                elif self._place is not None:
                    ends.callback(self._place.host.close)

    async def _be_heard(self) -> None:
        """Wait until pytest's machine has heard the last word, or has given up."""
        with contextlib.suppress(asyncio.TimeoutError):
            await within(self._all_heard.wait(), self._lease.seconds)

    # Calls of pytest's machine.

    async def _answer(self, call: frames.Call) -> bytes:
        try:
            if isinstance(call, frames.Hear):
                return frames.encode(await self._hear(call))
            return frames.encode(self._say(call))
        except FrameError as error:
            return frames.encode(frames.Refused(str(error)[:_MAX_TEXT_CHARS]))

    async def _hear(self, call: frames.Hear) -> frames.Heard:
        self._lease.heard(call.beat)
        if self._workers is not None:
            self._workers.tell_lease()
        self._outbox.arrived(call.arrived)
        if self._phase is Phase.ENDED and not len(self._outbox):
            self._all_heard.set()
        elif not self._outbox.is_urgent:
            self._has_news.clear()
            with contextlib.suppress(asyncio.TimeoutError):
                await within(self._has_news.wait(), self._lease.patience)
                await asyncio.sleep(_GATHER_S)
        self._lease.answers(call.beat, lease_clock())
        return frames.Heard(*self._outbox.load())

    def _say(self, call: frames.Say) -> frames.Said:
        for frame in self._inbox.take(call.first, call.frames):
            if self._phase is not Phase.OPEN:
                continue
            try:
                self._take(frames.decode_to_node(frame))
            except Exception as error:  # noqa: BLE001 - the frames behind it are to be taken
                self._broken(repr(error))
        return frames.Said(self._inbox.last)

    def _take(self, frame: frames.ToNode) -> None:
        match frame:
            case frames.Setup(text):
                self._begin(from_json(text, frames.RunSetup))
            case frames.Start(worker):
                self._start(worker)
            case frames.Dismiss(worker):
                self._free(worker)
            case frames.Bury():
                self._bury(frame)
            case frames.Close():
                self._closing.set()
            case _:
                self._hand_on(frame)

    def _hand_on(self, frame: frames.HandedOn) -> None:
        """Give a frame to who takes it: not on an unfit node, for which more may be on its way."""
        if isinstance(frame, frames.Piece | frames.Directory):
            if self._directories is not None:
                self._directories.take(frame)
        elif isinstance(frame, frames.Line | frames.Forward):
            if self._workers is not None:
                self._workers.take(frame)
        elif self._tunnels is not None:
            self._tunnels.received(frame)

    # Workers.

    def _begin(self, setup: frames.RunSetup) -> None:
        """Make what the run has here, and have its agents chosen."""
        try:
            settings = settings_from_json(setup.settings)
            host = self._make_host(setup.host, self._node_run_id)
            setup = frames.with_environ(setup, self._environ)
            self._place = NodePlace.made(
                setup, settings, run_id=self._node_run_id, host=host, tell=self._told
            )
        except Exception as error:  # noqa: BLE001 - whatever it is, this node cannot have workers
            self._unfit(error)
            return
        unpack = self._unpack if setup.ships else lambda data, _: check_shared(data)
        self._directories = NodeDirectories(self._place.base / "code", unpack)
        tunnels = self._tunnels = NodeTunnels(
            self.run_id,
            self._send,
            Machine(*setup.home),
            name=f"{self.name}/",
            lost=lambda port, why: self._broken(f"port {port}: {why}"),
        )
        self._errand(self._open(self._place, self._directories, tunnels, setup.directories))

    async def _open(
        self,
        place: NodePlace,
        directories: NodeDirectories,
        tunnels: NodeTunnels,
        keys: Iterable[str],
    ) -> None:
        try:
            await asyncio.to_thread(remove_stale)
            await directories.wait_for(keys)
            agents = await asyncio.to_thread(place.agents, directories.paths)
            workers = NodeWorkers(
                place=place,
                agents=agents,
                directories=directories,
                tunnels=tunnels,
                lease=self._lease,
                clock=lease_clock,
                send=self._send,
                errand=self._errand,
            )
            await workers.listen()
        except Exception as error:  # noqa: BLE001 - as in `_begin`
            self._unfit(error)
            return
        self._workers = workers
        host = place.host
        self._send(frames.Opened(host.name, host.attach, host.tmux_socket))
        for worker in self._to_start:
            workers.start(worker)

    def _unfit(self, error: Exception) -> None:
        """Tell that no worker of this run can be here; what was made goes with the run."""
        why = str(error) if isinstance(error, PtcError) else repr(error)
        self._send(frames.Unfit(why[:_MAX_TEXT_CHARS]))

    def _start(self, worker: str) -> None:
        if self._workers is not None:
            self._workers.start(worker)
        else:
            self._to_start[worker] = None

    def _bury(self, frame: frames.Bury) -> None:
        if self._workers is not None:
            self._errand(self._end_worker(self._workers, frame))
            return
        # At once: the node may become ready next, and would start it.
        self._to_start.pop(frame.worker, None)
        self._free(frame.worker)
        self._send(frames.Buried(frame.number, frame.why, ""))

    async def _end_worker(self, workers: NodeWorkers, frame: frames.Bury) -> None:
        ended, tail = await workers.bury(frame.worker, frame.why, frame.cookie)
        self._free(frame.worker)
        self._send(frames.Buried(frame.number, ended, tail))

    def _take_seat(self, worker: str, seat: threading.Event) -> None:
        if self._phase is not Phase.OPEN:
            seat.set()
            return
        # The engine may have made it again, beside the first: one place is enough.
        self._free(worker)
        self._seats[worker] = seat

    def _free(self, worker: str) -> None:
        if (seat := self._seats.pop(worker, None)) is not None:
            seat.set()

    # Words to pytest's machine.

    def _send(self, frame: frames.FromNode, *, urgent: bool = True) -> None:
        self._outbox.put(frames.encode(frame), urgent=urgent)

    def _told(self, event: Event) -> None:
        if isinstance(event, WorkerLineBroken):
            self._broken(f"{event.worker or 'a stranger'}: {event.error}")

    def _broken(self, error: str) -> None:
        self._send(frames.Broken(error[:_MAX_TEXT_CHARS]))

    def _errand(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        errand = self._loop.create_task(work)
        self._errands.add(errand)
        errand.add_done_callback(self._errand_done)
        return errand

    def _errand_done(self, errand: asyncio.Task[None]) -> None:
        self._errands.discard(errand)
        if not errand.cancelled() and (error := errand.exception()) is not None:
            self._broken(repr(error))
