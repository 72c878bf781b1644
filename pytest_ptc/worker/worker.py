"""The worker: the process in the pane.

It connects to the coordinator, gets one attempt at a time, runs its agent on it, and sends back the
records and the report. What it prints is for the person who watches. It ends on a quit message, on
a signal, when its coordinator has ended, or, on a node, when its lease is over.
"""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
import time
from typing import TYPE_CHECKING, Any

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.model.errors import PtcError
from pytest_ptc.model.result import Attempt, AttemptReport
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.variables import ATTEMPT_TOKEN
from pytest_ptc.worker.attempt_run import AttemptRun
from pytest_ptc.worker.desk import RecordDesk
from pytest_ptc.worker.lease import Lease, end_all
from pytest_ptc.worker.ledger import AttemptLedger
from pytest_ptc.worker.line import CALL_TIMEOUT_S, call
from pytest_ptc.worker.look import Look
from pytest_ptc.worker.pane import Screen

if TYPE_CHECKING:
    from pytest_ptc.interfaces.launch import AgentLaunch, LaunchFile
    from pytest_ptc.interfaces.line import Line
    from pytest_ptc.text.redaction import Redactor
    from pytest_ptc.worker.agents import WorkerAgents


class Worker:
    """One worker's life, from its launch file to its end: its conversation with the coordinator."""

    def __init__(self, launch: LaunchFile, *, agents: WorkerAgents, redactor: Redactor) -> None:
        self._launch = launch
        self._name = launch.worker
        self._agents = agents
        self._redactor = redactor
        self._screen = Screen(sys.stdout.fileno(), redactor.text)
        self._desk = RecordDesk(ScratchPlaces(launch.scratch).record_socket(launch.worker))
        self._line: Line | None = None
        self._ledger: AttemptLedger | None = None
        self._look: Look | None = None
        self._run: AttemptRun | None = None
        self._lease: Lease | None = None
        self._started = time.monotonic()
        #: Whether the coordinator has answered.
        self._known = False

    async def live(self) -> bool:
        """Work until told to quit, until a signal comes, or until the coordinator is gone.

        Returns:
            Whether the worker is an orphan: its coordinator ended without a quit message.
        """
        working = asyncio.create_task(self._converse())
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP):
            loop.add_signal_handler(number, working.cancel)

        def end_work() -> None:
            working.cancel()
            self._screen.line("its lease is over: nothing is heard from the node's supervisor")

        def over() -> None:
            loop.call_soon_threadsafe(end_work)

        self._lease = lease = Lease(over=over, end=self._end_all)
        if self._launch.lease is not None:
            lease.renew(self._started + self._launch.lease)
        orphan = False
        with contextlib.suppress(asyncio.CancelledError):
            orphan = await working
        await self._agents.close()
        lease.close()
        self._desk.close()
        # Last: the coordinator kills a worker whose connection has ended.
        if self._line is not None:
            self._line.close()
        return orphan

    async def _converse(self) -> bool:
        await self._desk.open()
        give_up = time.monotonic() + CALL_TIMEOUT_S
        while True:
            self._line = line = await call(self._launch.address)
            orphan = await self._work(line)
            # Closed before the coordinator answered: a flood of other callers may have caused that.
            if self._known or not orphan or time.monotonic() > give_up:
                return orphan
            line.close()
            await asyncio.sleep(0.1)

    async def _work(self, line: Line) -> bool:
        """Do assigned attempts while reading messages; a quit or the end of the line cancels."""
        job: asyncio.Task[None] | None = None
        line.say(messages.Hello(self._name, self._launch.key))
        try:
            while (message := await line.hear()) is not None:
                self._known = True
                match message:
                    case messages.Prepare(like, named):
                        job = asyncio.create_task(self._prepare(like, named, line))
                    case messages.Assigned() as assigned:
                        job = self._begin(assigned, line, after=job)
                    case _ if not self._takes(message):
                        return False
        finally:
            if self._ledger is not None:
                self._ledger.close("not recorded: pytest has ended, or is ending the run")
            if job is not None:
                job.cancel()
                await asyncio.gather(job, return_exceptions=True)
        return True

    def _takes(self, message: messages.Message) -> bool:
        """Take what is said while an attempt is on; tell whether it is something of that kind."""
        match message:
            case messages.Looked(attempt, listed):
                if self._look is not None:
                    self._look.answer(attempt, listed=listed)
            case messages.Abandon(name, why):
                self._abandon(name, why)
            case messages.Acknowledged():
                self._acknowledge(message)
            case messages.Live(until):
                if self._lease is not None:
                    self._lease.renew(until)
            case _:
                return False
        return True

    def _begin(
        self, assigned: messages.Assigned, line: Line, after: asyncio.Task[None] | None
    ) -> asyncio.Task[None] | None:
        """Begin an attempt; one whose agent cannot be made ends at once."""
        run = self._run = self._attempt_run(assigned, line)
        if run is None:
            return after
        return asyncio.create_task(self._attempt(run, assigned, line, after))

    def _abandon(self, name: str, why: str) -> None:
        if self._run is not None and self._run.attempt.name == name:
            self._run.abandon(why)

    async def _prepare(
        self, like: dict[str, Any] | None, named: AgentLaunch | None, line: Line
    ) -> None:
        name = named.name if named is not None else self._agents.own.name
        if like is not None:
            spec = TaskSpec.from_json(like)
            self._screen.redact = self._redactor.plus(spec.env).text
            self._screen.line(f"{self._name} starts agent {name}")
            try:
                await self._agents.agent(named).prepare(spec)
            except Exception as error:  # noqa: BLE001 - a worker that is never ready holds up the run
                self._screen.line(f"agent {name} could not be prepared: {error!r}")
        line.say(messages.Ready())
        self._screen.line(f"{self._name} is ready, agent {name}")

    async def _attempt(
        self,
        run: AttemptRun,
        assigned: messages.Assigned,
        line: Line,
        after: asyncio.Task[None] | None,
    ) -> None:
        """Do an attempt after the job `after`, which a cancellation ends, too."""
        if after is not None:
            await after
        self._ledger = run.ledger
        self._screen.redact = run.ledger.redactor.text
        self._screen.task(run.attempt, run.spec)
        self._desk.begin(run.attempt, run.ledger, run.spec.schema, run.checked)
        report: AttemptReport | None = None
        try:
            report = await run.report()
        except Exception as error:  # noqa: BLE001 - whatever it was, the coordinator waits for an end
            problem = str(error) if isinstance(error, PtcError | OSError) else repr(error)
            self._screen.line(f"error: {problem}")
            ended = messages.Ended(assigned.attempt, problem=problem[: messages.MAX_TEXT_CHARS])
        else:
            self._screen.verdict(report)
            ended = messages.Ended(assigned.attempt, report.to_json())
        finally:
            self._desk.end()
            run.ledger.close("the attempt is over")
        _say_end(line, ended)

    def _attempt_run(self, assigned: messages.Assigned, line: Line) -> AttemptRun | None:
        """Return the run of an attempt whose time begins now; None if its agent cannot be made."""
        try:
            agent = self._agents.agent(assigned.agent)
        except Exception as error:  # noqa: BLE001 - an agent of others: its attempt ends, and no more
            problem = f"its agent could not be made: {error!r}"[: messages.MAX_TEXT_CHARS]
            line.say(messages.Ended(assigned.attempt, problem=problem))
            return None
        spec = TaskSpec.from_json(assigned.spec)
        redactor = self._redactor.plus({**spec.env, ATTEMPT_TOKEN: assigned.token})
        attempt = Attempt.parse(assigned.attempt, worker=self._name)
        deadline = time.monotonic() + assigned.seconds
        ledger = AttemptLedger(
            attempt,
            folder=self._launch.journal / "attempts" / attempt.name,
            token=assigned.token,
            address=self._desk.path,
            redactor=redactor,
            deadline=deadline,
            say=line.say,
        )
        self._look = look = Look(attempt.name, line, asyncio.get_running_loop())
        return AttemptRun(
            attempt=attempt,
            spec=spec,
            cookie=assigned.cookie,
            deadline=deadline,
            agent=agent,
            ledger=ledger,
            scratch=self._launch.scratch,
            show=self._screen.line,
            say=line.say,
            listed=look.listed,
        )

    def _end_all(self) -> None:
        """Kill all that this worker has started; called in a thread."""
        run = self._run
        end_all(run.cookie if run is not None else None)

    def _acknowledge(self, message: messages.Acknowledged) -> None:
        if self._ledger is not None and self._ledger.name == message.attempt:
            self._ledger.acknowledged(message)


def _say_end(line: Line, ended: messages.Ended) -> None:
    """Send how an attempt ended; an agent may have put anything into its report."""
    try:
        line.say(ended)
    except TypeError as error:
        problem = f"its report cannot be sent as JSON: {error}"[: messages.MAX_TEXT_CHARS]
        line.say(messages.Ended(ended.attempt, problem=problem))
