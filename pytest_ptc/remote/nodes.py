"""One node as pytest's machine has it: its frames, its lease, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import json
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple

import msgspec

from pytest_ptc.interfaces.plain_json import to_json
from pytest_ptc.remote import frame_kinds as frames
from pytest_ptc.remote.engine import EngineError, EngineGoneError, asked_of_engine
from pytest_ptc.remote.frames import FrameError, Inbox, Outbox
from pytest_ptc.remote.lease import ENDING_S, PytestLease
from pytest_ptc.system.timeouts import within

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_ptc.remote.engine import Engine, Op, SeatFacts

#: Bytes of a directory in one frame.
PIECE_BYTES = 1024 * 1024
#: Seconds between two calls where one has failed.
PAUSE_S = 0.25
#: So many leases a node may be heard and not be told anything; then it is given up.
MUTE_LEASES = 4
#: Seconds that the acknowledgement of a node's last word may take.
_FAREWELL_S = 2.0
#: Seconds for which more frames are gathered, once there is one: calls are dear.
_GATHER_S = 0.002


class SentDirectory(NamedTuple):
    """A directory to be sent.

    Args:
        key: The same for the same content.
        data: Its content, packed.
        names: Its path on this machine, and other paths that lead to it or below, each with the
            place in it that is meant.
    """

    key: str
    data: bytes
    names: Sequence[tuple[str, str]]


class NodeState(Enum):
    """The life of a node; it goes through these in order, and may leave any of them out."""

    #: What the run is has been said; it is not known whether the node is fit.
    OPENING = "opening"
    READY = "ready"
    #: It cannot have workers of this run.
    UNFIT = "unfit"
    #: Nothing of the run lives there any more.
    OVER = "over"


class Node:
    """One node's supervisor, at the other end of the engine's calls.

    Args:
        engine: The engine.
        run_id: The run's id.
        facts: Where it is.
        lease: Seconds of its lease.
        clock: The clock of the lease.
        take: Takes each of its frames, in order.
        over: Called once when nothing of the run lives there any more, with why.
    """

    def __init__(
        self,
        *,
        engine: Engine,
        run_id: str,
        facts: SeatFacts,
        lease: float,
        clock: Callable[[], float],
        take: Callable[[Node, frames.FromNode], None],
        over: Callable[[Node, str], None],
    ) -> None:
        self.facts = facts
        #: How it is named in messages.
        self.title = f"{facts.supervisor} ({facts.host})"
        self.state = NodeState.OPENING
        #: Why it is unfit or over.
        self.why = ""
        #: Whether its end is the run's own.
        self.was_told_to_close = False
        #: Whether it was refused: nothing of the run has ever lived there.
        self.was_unfit = False
        #: Set when nothing of the run lives there any more.
        self.is_over = asyncio.Event()
        self._engine = engine
        self._run_id = run_id
        self._clock = clock
        self._take = take
        self._over = over
        self._lease = PytestLease(lease, clock())
        self._inbox = Inbox()
        self._has_news = asyncio.Event()
        self._outbox = Outbox(self._has_news.set)
        #: Since when it cannot be told anything, if so.
        self._mute_since: float | None = None
        #: What it was sent last of each directory: the key, and the names.
        self._sent: dict[str, tuple[str, list[tuple[str, str]]]] = {}
        self._questions = 0
        self._answers: dict[int, asyncio.Future[frames.Buried]] = {}

    def __repr__(self) -> str:
        return f"<Node {self.title} {self.state.value}>"

    def say(self, frame: frames.ToNode) -> None:
        """Send a frame, in time; one to a node that is over is dropped."""
        self.was_told_to_close |= isinstance(frame, frames.Close)
        if self.state is not NodeState.OVER:
            self._outbox.put(frames.encode(frame))

    def open(
        self, setup: frames.RunSetup, directories: Sequence[SentDirectory]
    ) -> list[SentDirectory]:
        """Say what the run is, and send what every node needs; return what is sent."""
        keys = tuple(directory.key for directory in directories)
        self.say(frames.Setup(to_json(msgspec.structs.replace(setup, directories=keys))))
        return self.send(directories)

    def send(self, directories: Iterable[SentDirectory]) -> list[SentDirectory]:
        """Send directories that it does not have as they are now, and return those.

        What was sent last of a directory counts there: an earlier content that is back is sent
        again.
        """
        new = []
        for directory in directories:
            top, now = directory.names[0][0], (directory.key, list(directory.names))
            if self._sent.get(top) == now:
                continue
            new.append(directory)
            self._sent[top] = now
            for at in range(0, len(directory.data), PIECE_BYTES):
                piece = directory.data[at : at + PIECE_BYTES]
                self.say(frames.Piece(directory.key, piece))
            names = json.dumps([list(name) for name in directory.names]).encode("ascii")
            self.say(frames.Directory(directory.key, names))
        return new

    async def bury(self, worker: str, why: str, cookie: str | None) -> frames.Buried | None:
        """Have a worker ended; return how, or None where its node is over before that is known."""
        if self.state is NodeState.OVER:
            return None
        self._questions += 1
        number = self._questions
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        self.say(frames.Bury(number, worker, why[:2000], cookie))
        over = asyncio.ensure_future(self.is_over.wait())
        try:
            await asyncio.wait([answer, over], return_when=asyncio.FIRST_COMPLETED)
            return answer.result() if answer.done() else None
        finally:
            over.cancel()
            del self._answers[number]

    def _buried(self, frame: frames.Buried) -> None:
        answer = self._answers.get(frame.number)
        if answer is not None and not answer.done():
            answer.set_result(frame)

    def end(self, why: str) -> None:
        """Take that nothing of the run lives there any more."""
        if self.state is not NodeState.OVER:
            self.state, self.why = NodeState.OVER, why
            self._outbox = Outbox(self._has_news.set)
            self.is_over.set()
            self._has_news.set()
            self._over(self, why)

    # Two conversations, one each way; they may be cancelled and begun again.

    async def listen(self, *, wait_out: bool = True) -> None:
        """Hear the node out until it is over.

        Args:
            wait_out: Wait for the end of its lease where it cannot be heard any more.
        """
        why = await self._hear_out()
        if self.state is NodeState.OVER:
            await self._acknowledge()
        elif wait_out:
            await self._wait_out(why)

    async def _hear_out(self) -> str:
        """Hear the node for as long as it can be heard; return why that is over."""
        why = "it does not answer"
        while (left := self._lease.until - self._clock()) > 0 and self.state is not NodeState.OVER:
            if self._is_mute:
                return "it cannot be told anything"
            call = frames.Hear(
                self._run_id, self.facts.supervisor, self._lease.beat, self._inbox.last
            )
            try:
                answer = await within(self._call("hear", call), left)
                if not isinstance(answer, frames.Refused):
                    self._hear(answer)
                    continue
            except asyncio.TimeoutError:
                break
            except EngineGoneError as error:
                return str(error)
            except EngineError as error:
                why = str(error)
            except Exception as error:  # noqa: BLE001 - one node's trouble is its own
                return f"it is not understood: {error!r:.500}"
            else:
                why = answer.why
                if answer.ended:
                    self.end(why)
            # The same beat again: the next one would say that this was answered.
            await asyncio.sleep(PAUSE_S)
        return why

    @property
    def _is_mute(self) -> bool:
        since = self._mute_since
        return since is not None and self._clock() - since > MUTE_LEASES * self._lease.seconds

    def _hear(self, answer: frames.Answer) -> None:
        if not isinstance(answer, frames.Heard):
            raise FrameError(f"not the answer to a call: {type(answer).__name__}")
        self._lease.answered(self._clock())
        for text in self._inbox.take(answer.first, answer.frames):
            if self.state is NodeState.OVER:
                return
            frame = frames.decode_from_node(text)
            if isinstance(frame, frames.Buried):
                self._buried(frame)
            else:
                self._take(self, frame)

    async def _acknowledge(self) -> None:
        """Tell the node that its last word has come: it waits for that."""
        call = frames.Hear(self._run_id, self.facts.supervisor, self._lease.beat, self._inbox.last)
        with contextlib.suppress(EngineError, FrameError, asyncio.TimeoutError):
            await within(self._call("hear", call), _FAREWELL_S)

    async def _wait_out(self, why: str) -> None:
        """Wait until the lease of a silent node is over, and it has ended what it had."""
        while self.state is not NodeState.OVER:
            left = self._lease.lost_at - self._clock()
            if left <= 0:
                self.end(why)
                return
            await asyncio.sleep(min(left, ENDING_S))

    async def talk(self) -> None:
        """Send what there is to send until the node is over."""
        while self.state is not NodeState.OVER:
            if not len(self._outbox):
                self._has_news.clear()
                await self._has_news.wait()
                await asyncio.sleep(_GATHER_S)
                continue
            first, load = self._outbox.load()
            call = frames.Say(self._run_id, self.facts.supervisor, first, load)
            try:
                answer = await within(self._call("say", call), self._lease.seconds)
                if isinstance(answer, frames.Said) and answer.last >= first:
                    self._outbox.arrived(answer.last)
                    self._mute_since = None
                    continue
            except (EngineError, FrameError, asyncio.TimeoutError):
                pass
            # `listen` decides when it is lost.
            if self._mute_since is None:
                self._mute_since = self._clock()
            await asyncio.sleep(PAUSE_S)

    async def _call(self, op: Op, call: frames.Call) -> frames.Answer:
        payload = frames.encode(call)
        work = self._engine.call(self.facts.node, op, payload)
        return frames.decode_answer(await asked_of_engine(work))
