"""The workers of a run on one node: an ordinary crew, and what goes between it and pytest."""

from __future__ import annotations

import asyncio
import contextlib
import time
from itertools import islice
from typing import TYPE_CHECKING, Any, Protocol

from msgspec.structs import replace

from pytest_ptc.coordinator.crew import CrewCalls
from pytest_ptc.coordinator.local_crew import LocalCrew
from pytest_ptc.interfaces import messages
from pytest_ptc.model.errors import PtcError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote.carried import CarriedFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_ptc.coordinator.crew import Listening
    from pytest_ptc.remote.lease import NodeLease
    from pytest_ptc.remote.node_agents import NodeAgents
    from pytest_ptc.remote.node_directories import NodeDirectories
    from pytest_ptc.remote.node_place import NodePlace
    from pytest_ptc.remote.tunnels import NodeTunnels

#: Parts of an attempt's files that are carried at once.
MAX_PARTS = 4
#: The part of a lease after which workers are told again how long it goes on.
_TELL_PART = 0.1


class SendFrame(Protocol):
    """Sends a frame to pytest's machine."""

    def __call__(self, frame: frames.FromNode, *, urgent: bool = True) -> None:
        """Send it; one that is not urgent waits a moment for another one: calls are dear."""


class NodeWorkers:
    """Has a node's workers started and ended, and carries their words and files.

    Args:
        place: What the run has on this node.
        agents: The agents that tasks name.
        directories: What pytest's machine has sent.
        tunnels: The way to its servers.
        lease: The node's lease.
        clock: The clock of the lease.
        send: Sends a frame to pytest's machine; one that is not urgent, when there is another one.
        errand: Runs a coroutine beside the loop.
    """

    def __init__(
        self,
        *,
        place: NodePlace,
        agents: NodeAgents,
        directories: NodeDirectories,
        tunnels: NodeTunnels,
        lease: NodeLease,
        clock: Callable[[], float],
        send: SendFrame,
        errand: Callable[[Coroutine[Any, Any, None]], asyncio.Task[None]],
    ) -> None:
        self._place = place
        self._agents = agents
        self._directories = directories
        self._tunnels = tunnels
        #: The ports that attempts reach on pytest's machine, until they have begun.
        self._ports: dict[str, list[int]] = {}
        self._lease = lease
        self._clock = clock
        self._send = send
        self._errand = errand
        self._crew = LocalCrew(
            CrewCalls(heard=self._heard, gone=self._gone),
            host=place.host,
            journal=place.journal,
            scratch=place.scratch,
            argv=(agents.own.python.program, "-m", "pytest_ptc.worker"),
            launch_file=place.launch_files(
                directories.paths, agents, lambda: lease.until - clock()
            ),
        )
        #: What pytest's machine has to say to each worker, in order.
        self._lines: dict[str, asyncio.Queue[messages.Message]] = {}
        self._attempts: dict[str, CarriedFiles] = {}
        self._told_until = lease.until
        self._server: Listening | None = None

    def __repr__(self) -> str:
        return f"<NodeWorkers {sorted(self._lines)}>"

    async def listen(self) -> None:
        """Begin to take workers' calls."""
        self._server = await self._crew.listen()

    def start(self, worker: str) -> None:
        """Start a worker."""
        self._lines[worker] = asyncio.Queue()
        self._errand(self._crew.launch(worker))
        self._errand(self._pass_on(worker, self._lines[worker]))

    def take(self, frame: frames.Line | frames.Forward) -> None:
        """Take what a worker is told, or what its next attempt reaches on pytest's machine.

        What is said to a gone worker is dropped.
        """
        if isinstance(frame, frames.Forward):
            self._ports[frame.attempt] = frame.ports
        elif (queue := self._lines.get(frame.worker)) is not None:
            queue.put_nowait(messages.decode(frame.text))

    async def bury(self, worker: str, why: str, cookie: str | None) -> tuple[str, str]:
        """Kill a worker and what its attempt has started; return how it ended, and its tail."""
        self._lines.pop(worker, None)
        remains = await self._crew.bury(worker, why, cookie)
        for attempt, files in list(self._attempts.items()):
            if files.worker == worker:
                self._let_go(attempt)
        return remains.ended, remains.tail

    def tell_lease(self) -> None:
        """Tell workers how long the lease goes on, where that is much longer than they know."""
        if self._lease.until - self._told_until < self._lease.seconds * _TELL_PART:
            return
        self._told_until = self._lease.until
        for worker in self._lines:
            self._say_lease(worker)

    def glance(self) -> None:
        """Carry what attempts at work have written."""
        for files in self._attempts.values():
            # As much of each at once as takes no time; the rest next time, or when it ends.
            for part in islice(files.new_parts(), MAX_PARTS):
                self._send(part, urgent=False)

    async def end(self) -> None:
        """End all workers and what they have started."""
        self._lines.clear()
        if self._server is not None:
            self._server.close()
        # In a thread: it waits for what it ends.
        await asyncio.to_thread(self._crew.close)
        await self._crew.hang_up()
        # Where the node is closed in order, these are heard.
        for attempt in list(self._attempts):
            self._let_go(attempt)

    # From workers.

    def _heard(self, worker: str, message: messages.Message) -> None:
        match message:
            case messages.Hello():
                self._say_lease(worker)
            case messages.Recorded(attempt, number, entry):
                entry = self._directories.paths.from_node_json(entry)
                message = messages.Recorded(attempt, number, entry)
            case messages.Ended(attempt, report, problem) if attempt in self._attempts:
                # All that its report is about goes first.
                self._let_go(attempt)
                if report is not None:
                    report = self._directories.paths.from_node_json(report)
                message = messages.Ended(attempt, report, problem)
        urgent = not isinstance(message, messages.Begun)
        self._send(frames.Line(worker, messages.encode(message)), urgent=urgent)

    def _gone(self, worker: str, why: str) -> None:
        self._send(frames.Gone(worker, why))

    def _let_go(self, attempt: str) -> None:
        """Carry the last of an attempt's files, and take its task off the list."""
        for part in self._attempts.pop(attempt).new_parts():
            self._send(part)
        with contextlib.suppress(OSError):
            self._place.unlist_task(attempt)

    # To workers.

    async def _pass_on(self, worker: str, queue: asyncio.Queue[messages.Message]) -> None:
        while self._lines.get(worker) is queue:
            message: messages.Message | None = await queue.get()
            if isinstance(message, messages.Assigned | messages.Prepare):
                message = await self._localized(worker, message)
            if message is not None:
                self._crew.say(worker, message)

    async def _localized(
        self, worker: str, message: messages.Assigned | messages.Prepare
    ) -> messages.Message | None:
        """Return a message in words of this machine; None where its attempt cannot begin here."""
        try:
            task = message.spec if isinstance(message, messages.Assigned) else message.like
            if task is not None:
                await self._directories.arrived(task["cwd"])
            if isinstance(message, messages.Assigned):
                await self._tunnels.open(self._ports.pop(message.attempt, ()))
            # In a thread: to choose an agent, programs may be run.
            agent = await asyncio.to_thread(self._agents.launch, message.agent)
            if isinstance(message, messages.Assigned):
                return self._prepared(worker, replace(message, agent=agent))
            if message.like is None:
                return message
            return messages.Prepare(self._task(message.like), agent)
        except Exception as error:  # noqa: BLE001 - the worker waits for what comes behind it
            if isinstance(message, messages.Prepare):
                return messages.Prepare(None)
            problem = str(error) if isinstance(error, PtcError | OSError) else repr(error)
            problem = problem[: messages.MAX_TEXT_CHARS]
            ended = messages.Ended(message.attempt, problem=problem)
            self._send(frames.Line(worker, messages.encode(ended)))
            return None

    def _prepared(self, worker: str, assigned: messages.Assigned) -> messages.Assigned:
        """Make what an attempt's worker finds, and return what it is told."""
        spec = self._task(assigned.spec)
        folder = self._place.journal.attempt_folder(assigned.attempt)
        self._attempts[assigned.attempt] = CarriedFiles(assigned.attempt, folder, worker)
        with contextlib.suppress(OSError):  # the list is a view
            self._place.list_task(assigned.attempt, worker, TaskSpec.from_json(spec))
        return replace(assigned, spec=spec)

    def _task(self, spec: dict[str, Any]) -> dict[str, Any]:
        """Return a task with this machine's paths."""
        cwd = self._place.here(self._directories.paths, spec["cwd"])
        return {**self._directories.paths.to_node_json(spec), "cwd": cwd}

    def _say_lease(self, worker: str) -> None:
        left = self._lease.until - self._clock()
        self._crew.say(worker, messages.Live(time.monotonic() + left))
