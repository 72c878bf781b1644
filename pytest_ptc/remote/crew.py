"""A run's workers on other machines, as the coordinator has them: the crew at pytest's end.

It asks the engine for seats, and talks with the supervisor of each node that one was found on. A
record is on this machine's disk before its agent hears that it was recorded: the acknowledgement is
a message like any other. The files of an attempt are in the journal before its end is heard.

A node that is not heard is over when its lease is, and not before: then nothing of the run lives
there any more, and its tasks may be given to others.
"""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from pytest_ptc.coordinator.crew import Remains
from pytest_ptc.coordinator.door import Door
from pytest_ptc.inputs.named_files import texts_of
from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.journal import events
from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote.carried import write_part
from pytest_ptc.remote.engine import EngineError, EngineGoneError, asked_of_engine
from pytest_ptc.remote.frames import FrameError
from pytest_ptc.remote.loopback_ports import ports_named
from pytest_ptc.remote.node import Ticket
from pytest_ptc.remote.nodes import Node, NodeState
from pytest_ptc.remote.tunnels import HomeTunnels, served
from pytest_ptc.system.machine import lease_clock

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Sequence
    from pathlib import Path

    from pytest_ptc.coordinator.crew import CrewCalls, CrewJournal, Listening
    from pytest_ptc.remote.engine import Engine, SeatFacts
    from pytest_ptc.remote.nodes import SentDirectory
    from pytest_ptc.remote.pipes import Send

#: Seconds that nodes have at the end of a run to end what they have; then their leases end it.
CLOSE_TIMEOUT_S = 10.0


@dataclass(kw_only=True, eq=False)
class Place:
    """A worker that was asked for, and the node that it has come to be on.

    Args:
        worker: Its name.
        node: The node; None while it waits for a place.
    """

    worker: str
    node: Node | None = None


class RemoteCrew:
    """Implements `Crew` on an engine's nodes.

    Args:
        calls: What is told of workers.
        engine: The engine, checked.
        journal: The run's journal.
        folder: The run's folder in the journal.
        setup: What every node is told of the run.
        directories: What a task needs of this machine, by the task's directory; what every node
            needs, for None.
        lease: Seconds that a node lives without being heard.
        scratch: The run's scratch folder, for the socket that `ptc stop` calls.
        proof: What the run's user has to show to have a task stopped.
        clock: The clock of leases.
    """

    def __init__(
        self,
        calls: CrewCalls,
        *,
        engine: Engine,
        journal: CrewJournal,
        folder: Path,
        setup: frames.RunSetup,
        directories: Callable[[str | None], Sequence[SentDirectory]],
        lease: float,
        scratch: Path,
        proof: str = "",
        clock: Callable[[], float] = lease_clock,
    ) -> None:
        self._calls = calls
        self._engine = engine
        self._journal = journal
        self._folder = folder
        self._setup = setup
        self._directories = directories
        self._lease = lease
        self._clock = clock
        self._socket = ScratchPlaces(scratch).coordinator_socket
        self._door = Door(
            heard=calls.heard,
            gone=calls.gone,
            note=self._note_broken,
            proof=proof,
            stop_task=calls.stop_task,
        )
        self._places: dict[str, Place] = {}
        self._nodes: dict[str, Node] = {}
        #: The workers that attempts were given to, until these are buried or have ended.
        self._attempts: dict[str, str] = {}
        #: The connections of nodes to servers of this machine, by their supervisors.
        self._tunnels: dict[str, HomeTunnels] = {}
        #: The ports that every task may need, as that of a proxy before a model.
        self._ports = ports_named(texts_of(_of_all_tasks(setup)))
        self._tasks: set[asyncio.Task[Any]] = set()

    def __repr__(self) -> str:
        return f"<RemoteCrew {sorted(self._places)} on {self._engine.name}>"

    async def listen(self) -> Listening:
        """Connect with the engine, and listen for `ptc stop`; see `Crew`."""
        listening = await self._door.open(self._socket)
        try:
            await self._engine.open(self._seated, self._refused)
        except BaseException:
            listening.close()
            raise
        return listening

    async def launch(self, worker: str) -> None:
        """Ask for a place, and wait for its end; see `Crew`."""
        place = self._places[worker] = Place(worker=worker)
        self._journal.append(events.WorkerWaits(worker=worker))
        ticket = Ticket(run=self._journal.run_id, worker=worker, lease=self._lease).encode()
        while self._places.get(worker) is place:
            try:
                ended = await asked_of_engine(self._engine.seat(worker, ticket))
            except EngineError as error:
                ended = str(error)
                if isinstance(error, EngineGoneError):
                    self._calls.shut(ended)
            if place.node is None or place.node.state is not NodeState.UNFIT:
                # Of a place that was found, its node tells the end: what the engine says may be of
                # another seat, which it has made by itself and was not wanted.
                if place.node is None and self._places.get(worker) is place:
                    self._calls.gone(worker, ended)
                return
            # Its node is unfit: there may be another one.
            place.node = None

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message; see `Crew`."""
        place = self._places.get(worker)
        if place is None or place.node is None:
            return
        text = messages.encode(message)
        if isinstance(message, messages.Assigned):
            self._attempts[message.attempt] = worker
            self._note_sent(place.node, place.node.send(self._directories(message.spec["cwd"])))
            self._forward(place.node, message)
        elif isinstance(message, messages.Prepare) and message.like is not None:
            self._note_sent(place.node, place.node.send(self._directories(message.like["cwd"])))
        place.node.say(frames.Line(worker, text))

    async def bury(self, worker: str, why: str, cookie: str | None) -> Remains:
        """Return when nothing of a worker can live any more; see `Crew`."""
        place = self._places.get(worker)
        node = place.node if place is not None else None
        buried = await node.bury(worker, why, cookie) if node is not None else None
        self._places.pop(worker, None)
        self._engine.give_up(worker)
        for attempt in [one for one, owner in self._attempts.items() if owner == worker]:
            del self._attempts[attempt]
        if buried is not None:
            return Remains(ended=buried.ended, tail=buried.tail)
        return Remains(ended=why)

    async def hang_up(self) -> None:
        """Have all nodes end what they have, and disconnect; see `Crew`."""
        for task in self._tasks:
            task.cancel()
        open_nodes = [node for node in self._nodes.values() if node.state is not NodeState.OVER]
        for node in open_nodes:
            node.say(frames.Close())
        # The conversations of before were cancelled with the loop's other tasks.
        talks = [asyncio.ensure_future(node.talk()) for node in open_nodes]
        ends = [asyncio.ensure_future(node.listen(wait_out=False)) for node in open_nodes]
        if ends:
            await asyncio.wait(ends, timeout=CLOSE_TIMEOUT_S)
        for task in (*talks, *ends):
            task.cancel()
        closing = [tunnels.close() for tunnels in self._tunnels.values()]
        await asyncio.gather(*talks, *ends, *closing, return_exceptions=True)
        await self._door.close()
        await self._engine.close()

    async def end(self) -> None:
        """End all workers by force; see `Crew`."""
        for node in self._nodes.values():
            node.say(frames.Close())

    def close(self) -> None:
        """Do nothing: nodes that are not heard end what they have by themselves; see `Crew`."""

    # The engine.

    def _seated(self, facts: SeatFacts) -> None:
        """Take a place that the engine has found; it may tell so more than once."""
        node = self._nodes.get(facts.supervisor)
        if node is None:
            node = self._joined(facts)
        place = self._places.get(facts.worker)
        if place is not None and place.node is node:
            return
        if place is None or place.node is not None or node.state is NodeState.OVER:
            # Nobody wants it any more, or the engine has made it a second time, as after the loss
            # of a node.
            node.say(frames.Dismiss(facts.worker))
            return
        place.node = node
        if node.state is NodeState.UNFIT:
            node.say(frames.Dismiss(facts.worker))
            return
        node.say(frames.Start(facts.worker))
        if node.state is NodeState.READY:
            self._started(place, node)

    def _refused(self, node: str, why: str) -> None:
        self._journal.append(events.NodeRefused(node=node, why=why))
        self._calls.note(f"node {node} gets no workers: {why}")

    def _joined(self, facts: SeatFacts) -> Node:
        node = self._nodes[facts.supervisor] = Node(
            engine=self._engine,
            run_id=self._journal.run_id,
            facts=facts,
            lease=self._lease,
            clock=self._clock,
            take=self._take,
            over=self._node_over,
        )
        self._run(node.listen())
        self._run(node.talk())
        try:
            self._note_sent(node, node.open(self._setup, self._directories(None)))
        except Exception as error:  # noqa: BLE001 - whatever it is, this node cannot have workers
            self._unfit(node, f"it cannot be told what the run is: {error!r:.500}")
        return node

    def _note_sent(self, node: Node, sent: Sequence[SentDirectory]) -> None:
        for directory in sent:
            self._journal.append(
                events.CodeSent(
                    node=node.facts.supervisor,
                    top=directory.names[0][0],
                    key=directory.key,
                    size=len(directory.data),
                )
            )

    def _forward(self, node: Node, assigned: messages.Assigned) -> None:
        """Have servers of this machine reached that a task names: they listen for it alone."""
        spec = assigned.spec
        named = ports_named(texts_of([spec["prompt"], spec["params"], spec["env"]]))
        ports = served(named | self._ports)
        if ports:
            self._tunnels_of(node).allow(ports)
            node.say(frames.Forward(assigned.attempt, sorted(ports)))

    def _tunnels_of(self, node: Node) -> HomeTunnels:
        name = node.facts.supervisor
        if name not in self._tunnels:
            self._tunnels[name] = HomeTunnels(cast("Send", node.say))
        return self._tunnels[name]

    # Nodes.

    def _take(self, node: Node, frame: frames.FromNode) -> None:
        if isinstance(frame, frames.Dial | frames.Data | frames.Eof | frames.Taken):
            self._tunnels_of(node).received(frame)
            return
        match frame:
            case frames.Line(worker, text):
                self._hear(node, worker, text)
            case frames.Opened() if node.state is NodeState.OPENING:
                self._opened(node, frame)
            case frames.Unfit(why) if node.state is NodeState.OPENING:
                self._unfit(node, why)
            case frames.File():
                self._write(node, frame)
            case frames.Gone(worker, why):
                if self._is_on(worker, node):
                    self._calls.gone(worker, f"{why} on node {node.title}")
            case frames.Broken(error):
                self._journal.append(
                    events.WorkerLineBroken(worker=None, error=f"node {node.title}: {error}")
                )
            case frames.Closed():
                node.end("it was closed, or its lease was over, and it has ended all that it had")
            case _:
                raise FrameError(f"not expected: {type(frame).__name__}")

    def _hear(self, node: Node, worker: str, text: bytes) -> None:
        """Take what a worker says; nonsense is the end of that worker, as on its own line."""
        if not self._is_on(worker, node):
            return
        try:
            message = messages.decode(text)
            self._calls.heard(worker, message)
        except Exception as error:  # noqa: BLE001 - one worker's trouble is its own
            self._note_broken(worker, f"{error!r:.500}")
            self._calls.gone(worker, "its connection ended")
        else:
            ended = message.attempt if isinstance(message, messages.Ended) else ""
            if self._attempts.get(ended) == worker:
                del self._attempts[ended]

    def _opened(self, node: Node, opened: frames.Opened) -> None:
        node.state = NodeState.READY
        facts = node.facts
        self._journal.append(
            events.NodeJoined(
                node=facts.supervisor,
                host=facts.host,
                python=facts.python,
                version=facts.version,
                attach=opened.attach,
                tmux_socket=opened.tmux_socket,
            )
        )
        for place in self._places.values():
            if place.node is node:
                self._started(place, node)

    def _started(self, place: Place, node: Node) -> None:
        self._calls.placed(place.worker, node.facts.supervisor)
        self._journal.append(
            events.WorkerStarted(
                worker=place.worker, pid=None, created=None, node=node.facts.supervisor
            )
        )

    def _unfit(self, node: Node, why: str) -> None:
        """Give its seats back; the engine offers it no more, and its workers look for others."""
        node.state, node.why, node.was_unfit = NodeState.UNFIT, why, True
        self._refused(node.title, why)
        self._engine.refuse(node.facts.node, why)
        for place in self._places.values():
            if place.node is node:
                node.say(frames.Dismiss(place.worker))

    def _node_over(self, node: Node, why: str) -> None:
        """Take its workers as gone: nothing of the run lives there."""
        name = node.facts.supervisor
        if node.was_told_to_close:
            self._journal.append(events.NodeLeft(node=name))
        elif not node.was_unfit:
            self._journal.append(events.NodeLost(node=name, why=why))
            self._calls.note(f"node {node.title} is lost: {why}")
        if (tunnels := self._tunnels.pop(name, None)) is not None:
            self._run(tunnels.close())
        for worker, place in list(self._places.items()):
            if place.node is node:
                self._calls.gone(worker, f"node {node.title} is lost: {why}")

    def _is_on(self, worker: str, node: Node) -> bool:
        place = self._places.get(worker)
        return place is not None and place.node is node

    def _write(self, node: Node, part: frames.File) -> None:
        """Write what an attempt of this node has written; no other name comes near a path."""
        worker = self._attempts.get(part.attempt)
        if worker is None or not self._is_on(worker, node):
            return
        # It helps people: a full disk ends no attempt.
        with contextlib.suppress(OSError, ValueError):
            write_part(self._folder / "attempts" / part.attempt, part)

    # Beside the loop.

    def _note_broken(self, worker: str | None, why: str) -> None:
        self._journal.append(events.WorkerLineBroken(worker=worker, error=why))

    def _run(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.ensure_future(work)
        self._tasks.add(task)
        task.add_done_callback(self._done)

    def _done(self, task: asyncio.Task[None]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and (error := task.exception()) is not None:
            self._note_broken(None, f"{error!r:.500}")


def _of_all_tasks(setup: frames.RunSetup) -> list[Any]:
    """Return what names servers for every task: variables, and the words of programs."""
    said = [setup.settings.get(name) for name in ("env", "command", "acp_command")]
    return [setup.environ, *said]
