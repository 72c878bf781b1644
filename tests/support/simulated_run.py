"""A whole run in one thread and in its own time, for tests that decide who moves next.

Real are the coordinator's loop with its board and schedule, the workers' own code, a store of the
shared list for every process, and the journal. Simulated are processes and the lines between them,
the host, the agents, the sessions of other people, and time.

Every simulated process has an event loop of its own that moves only when it is told to, and what
one says to another is heard only when that is asked for. So whoever drives the run decides who
moves next, and who dies between which two steps; the same decisions lead to the same run.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import contextlib
import json
import os
import shutil
from collections import deque
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, TypeVar, cast

from pytest_ptc.coordinator import running
from pytest_ptc.coordinator.coordinator import Coordinator
from pytest_ptc.coordinator.crew import Remains
from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.names import RunNames
from pytest_ptc.journal import closing
from pytest_ptc.journal.attempt_reader import AttemptReader
from pytest_ptc.journal.attempt_writer import AttemptWriter, Filed
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system.threads import InTurn
from pytest_ptc.tasklist import TaskListStore
from pytest_ptc.tasklist.locks import Clock
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.worker.agents import WorkerAgents
from pytest_ptc.worker.worker import Worker
from tests.support.journals import KEY
from tests.support.launch import launch_file
from tests.support.lines import FakeLine

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from concurrent.futures import Future
    from contextvars import Context

    import pytest

    from pytest_ptc.coordinator.board import Board
    from pytest_ptc.coordinator.schedule import Limits
    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.journal.closing import Closed
    from pytest_ptc.model.result import Attempt, AttemptReport, Result
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.verdicts.entries import Entry

T = TypeVar("T")

RUN_ID = "r1"

_CALLS = count(1)

#: Rounds of a loop that are more than enough for whatever it can do without another process.
ALL = 50


# --- the journal: whatever its form is, it is known here


def record(job: Job, verdict: Verdict) -> None:
    """Record a verdict for a job, as its worker does for `ptc record`; a dead one does not."""
    call = f"record-{next(_CALLS)}"
    with contextlib.suppress(Killed):
        job.journal.record(Record(call=call, verdict=verdict, answer=call))


def recorded(job: Job) -> list[Record]:
    """Return what is known to be recorded for a job, as its agent's end finds it."""
    return job.journal.story()[0]


def filed(journal: Journal, attempt: Attempt) -> AttemptReport | None:
    """Return how an attempt ended by the journal, None if it does not say."""
    folder = journal.folder / "attempts" / attempt.name
    return AttemptReader(folder, journal.key.seal(attempt.name)).filed()[0]


# --- time and loops


class Time:
    """Seconds that pass only when they are told to, or when somebody waits for a lock."""

    #: The time of the run that was made last, for code that reads the machine's clock.
    current: ClassVar[Time]

    def __init__(self) -> None:
        Time.current = self
        self.now = 1000.0
        #: What happens while somebody waits for a lock.
        self.meanwhile: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        return self.now

    def epoch(self) -> float:
        """Return the wall clock."""
        return 1.7e9 + self.now

    def sleep(self, seconds: float) -> None:
        """Let this much time pass, and others act."""
        self.now += seconds
        self.meanwhile()

    @property
    def clock(self) -> Clock:
        """Return the time as locks need it."""
        return Clock(wall=self.epoch, monotonic=self, sleep=self.sleep)


class SimulatedLoop(asyncio.SelectorEventLoop):
    """The event loop of one process; its timers are of simulated time."""

    def __init__(self, time: Callable[[], float]) -> None:
        self._simulated = time
        self._busy = False
        self.problems: list[str] = []
        super().__init__()
        self.set_exception_handler(lambda _, context: self.problems.append(repr(context)))

    def time(self) -> float:
        """Return the time that timers go by."""
        return self._simulated()

    def call_soon(  # type: ignore[override]  # typeshed says it with what Python 3.11 has
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Take something to do, and note that there is something."""
        self._busy = True
        return super().call_soon(callback, *args, context=context)

    def call_soon_threadsafe(  # type: ignore[override]  # as above
        self, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """Take something to do from a thread, of which there is one."""
        return self.call_soon(callback, *args, context=context)

    def run_in_executor(  # type: ignore[override]  # typeshed is stricter than it need be here
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        """Do at once what would be done in a thread: nothing happens that was not decided."""
        del executor
        done = self.create_future()
        try:
            done.set_result(func(*args))
        except Exception as error:  # noqa: BLE001 - raised again by whoever waits for it
            done.set_exception(error)
        return done

    def turn(self, rounds: int = ALL) -> None:
        """Go round so often, or until there is nothing to do; nothing is ever waited for."""
        for _ in range(rounds):
            self._busy = False
            super().call_soon(self.stop)
            self.run_forever()
            if not self._busy:
                return

    def end(self) -> None:
        """End all that still runs in it."""
        if not self.is_closed():
            while tasks := asyncio.all_tasks(self):
                for task in tasks:
                    task.cancel()
                self.turn()
            self.close()


# --- workers


class Killed(BaseException):
    """Raised where a simulated process dies: nothing after it happens."""


#: What a worker's process does to the world outside of it, in the order of an attempt.
STEPS = ("say begun", "say recorded", "say ended")

#: When a worker can be told to die.
MOMENTS = tuple(f"{side} {step}" for step in STEPS for side in ("before", "after"))

#: What else can be told to happen to a worker: the disk is full when its next report is filed.
NO_ROOM = "no room"


class Observer(Protocol):
    """Who watches a simulated run."""

    def assigned(self, attempt: Attempt) -> None:
        """See that the coordinator begins an attempt."""

    def claimed(self, task_id: str) -> None:
        """See that the coordinator's claim has succeeded."""

    def started(self, job: Job) -> None:
        """See that an agent begins."""

    def put_down(self, attempt: str, entry: Entry) -> None:
        """See that the coordinator has something on disk that an agent recorded."""

    def reported(self, report: AttemptReport) -> None:
        """See that the coordinator has heard from a worker how its attempt ended."""

    def unfiled(self, attempt: Attempt) -> None:
        """See that there is no room for the report of an attempt."""


class Nobody:
    """An observer who does not look."""

    def assigned(self, attempt: Attempt) -> None:
        """See nothing."""

    def claimed(self, task_id: str) -> None:
        """See nothing."""

    def started(self, job: Job) -> None:
        """See nothing."""

    def put_down(self, attempt: str, entry: Entry) -> None:
        """See nothing."""

    def reported(self, report: AttemptReport) -> None:
        """See nothing."""

    def unfiled(self, attempt: Attempt) -> None:
        """See nothing."""


class ScriptedAgent:
    """An agent that does what the driver of the run says."""

    name = "scripted"

    def __init__(self, process: WorkerProcess) -> None:
        self._process = process
        self.job: Job | None = None
        self.outcome: asyncio.Future[Any] | None = None

    async def prepare(self, spec: TaskSpec) -> None:
        """Be ready at once."""

    async def run(self, job: Job) -> Verdict | Trouble:
        """Wait for what the driver says."""
        self.job, self.outcome = job, asyncio.get_running_loop().create_future()
        self._process.tell(lambda watching: watching.started(job))
        try:
            outcome = await self.outcome
            # As agent `command`: it is judged when all that was recorded is acknowledged.
            await job.journal.settled()
            said: Verdict | Trouble = outcome() if callable(outcome) else outcome
            return said
        finally:
            self.job = self.outcome = None

    def end(self, outcome: Verdict | Trouble | Exception | Callable[[], Verdict | Trouble]) -> None:
        """End its work so; the worker notices when it moves."""
        assert self.outcome is not None
        if self.outcome.done():
            return  # it has ended, and waits for what it recorded to be acknowledged
        if isinstance(outcome, Exception):
            self.outcome.set_exception(outcome)
        else:
            self.outcome.set_result(outcome)

    async def close(self) -> None:
        """Keep nothing between tasks."""


class WatchedList:
    """The coordinator's store of the shared list, and who watches it.

    Args:
        store: The list.
        observer: Who watches.
    """

    def __init__(self, store: TaskListStore, observer: Observer) -> None:
        self._store = store
        self._observer = observer
        #: What an observer has found: of the list, errors are only noted.
        self.failure: AssertionError | None = None

    def claim(self, task_id: str, owner: str) -> bool:
        """Take a task."""
        claimed = self._store.claim(task_id, owner)
        if claimed:
            try:
                self._observer.claimed(task_id)
            except AssertionError as error:
                self.failure = error
        return claimed

    def __getattr__(self, name: str) -> Any:
        return getattr(self._store, name)


class CallsWhenDecided(InTurn):
    """Calls that are carried out at once, or, while the list is slow, when that is decided."""

    def submit(self, key: str, call: Callable[[], T]) -> concurrent.futures.Future[T]:
        """Take a call."""
        future: concurrent.futures.Future[T] = concurrent.futures.Future()
        future.set_running_or_notify_cancel()
        waiting = SimulatedRun.current.waiting_calls
        waiting.setdefault(key, deque()).append(lambda: future.set_result(call()))
        if not SimulatedRun.current.list_is_slow:
            SimulatedRun.current.answer(key)
        return future


class WorkerProcess:
    """One worker: the real code in a loop of its own, and a line to the coordinator."""

    def __init__(self, name: str, run: SimulatedRun) -> None:
        self.name = name
        self.owner = RunNames(RUN_ID).owner(name)
        self.time = run.time
        self._observer = run.observer
        self._failure: AssertionError | None = None
        self.loop = SimulatedLoop(run.time)
        self.agent = ScriptedAgent(self)
        self.alive = True
        #: What waits for it: one of `MOMENTS`, `NO_ROOM` or nothing.
        self.fate: str | None = None
        #: What the coordinator has not heard yet.
        self.line: deque[messages.Message] = deque()
        #: What a killed worker's agent was on: it lives on until the coordinator ends it.
        self.orphan: Job | None = None
        self._line = FakeLine(self._say)
        self._task = self._begin(run)

    def __repr__(self) -> str:
        return f"<WorkerProcess {self.name} {'alive' if self.alive else 'dead'}>"

    @property
    def job(self) -> Job | None:
        """Return what its agent is on, if it is on something; the worker itself may be dead."""
        return self.agent.job if self.alive else self.orphan

    def hear(self, message: messages.Message) -> None:
        """Send it a message."""
        self._line.put(message)

    def move(self) -> None:
        """Let it do all it can do now."""
        if self.alive:
            self.loop.turn()
            self.alive = self.alive and not self._task.done()
            assert not self.loop.problems, self.loop.problems
            if self._failure is not None:
                raise self._failure

    def kill(self) -> None:
        """End it at once: it does not move any more."""
        if self.alive:
            self.alive = False
            self.orphan = self.agent.job

    def bury(self) -> None:
        """End it with whatever it has left."""
        self.alive = False
        self.orphan = None

    def close(self) -> None:
        """Forget it."""
        self.bury()
        # Whatever its code would still do on its way out is refused by `at`.
        self._task.cancel()
        self.loop.turn()
        self.loop.end()

    # What the worker's code calls.

    def _say(self, message: messages.Message | None) -> None:
        """Say something to the coordinator."""
        assert message is not None, "a worker's end is seen by other means"
        with self.at(f"say {messages.kind_of(message)}"):
            self.line.append(message)

    def tell(self, what: Callable[[Observer], None]) -> None:
        """Tell who watches; what fails there must not be taken for a defect of the agent's."""
        try:
            what(self._observer)
        except AssertionError as error:
            self._failure = error
            raise

    @contextlib.contextmanager
    def at(self, step: str) -> Iterator[None]:
        """Do a step, unless the process dies before it; then die after it, if that is its fate."""
        self._die_at(f"before {step}")
        yield
        self._die_at(f"after {step}")

    def _die_at(self, moment: str) -> None:
        if self.fate == moment:
            self.kill()
        if not self.alive:
            raise Killed

    def _begin(self, run: SimulatedRun) -> asyncio.Task[bool]:
        launch = launch_file(run_id=RUN_ID, worker=self.name, journal=run.journal.folder)
        with contextlib.redirect_stdout(run.screen):
            redactor = Redactor()
            agents = WorkerAgents(launch, own=self.agent, environ={}, redactor=redactor)
            worker = Worker(launch, agents=agents, redactor=redactor)
        return self.loop.create_task(worker._work(self._line))


def simulate_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the worker's code act on the simulated processes instead of the machine's."""
    # Leftovers of an agent are searched for among all processes of the machine.
    monkeypatch.setattr("pytest_ptc.worker.attempt_run.end_marked", lambda *_, **__: None)
    clock = SimpleNamespace(monotonic=lambda: Time.current.now)
    for module in ("worker", "attempt_run", "ledger"):
        monkeypatch.setattr(f"pytest_ptc.worker.{module}.time", clock)
    # Who waits for the coordinator may wait for as long as a step may be.
    monkeypatch.setattr("pytest_ptc.worker.ledger.ACKNOWLEDGEMENT_TIMEOUT_S", 1e9)
    monkeypatch.setattr("pytest_ptc.coordinator.shared_list.InTurn", CallsWhenDecided)
    put, file, close = AttemptWriter.put, AttemptWriter.file, closing.closed_by_worker
    open_attempt = Journal.open_attempt

    def watched_open(journal: Journal, attempt: Attempt, spec: TaskSpec) -> AttemptWriter:
        SimulatedRun.current.observer.assigned(attempt)
        return open_attempt(journal, attempt, spec)

    def watched_put(writer: AttemptWriter, entry: Entry) -> None:
        put(writer, entry)
        SimulatedRun.current.observer.put_down(writer.folder.name, entry)

    def watched_file(writer: AttemptWriter, report: AttemptReport) -> Filed:
        run = SimulatedRun.current
        process = run.crew.processes.get(report.attempt.worker)
        if process is not None and process.fate == NO_ROOM:
            process.fate = None
            run.observer.unfiled(report.attempt)
            raise JournalError(f"journal {writer.folder}: No space left on device")
        return file(writer, report)

    def watched_close(writer: AttemptWriter, report: AttemptReport) -> Closed:
        SimulatedRun.current.observer.reported(report)
        return close(writer, report)

    monkeypatch.setattr(Journal, "open_attempt", watched_open)
    monkeypatch.setattr(AttemptWriter, "put", watched_put)
    monkeypatch.setattr(AttemptWriter, "file", watched_file)
    monkeypatch.setattr(running, "closed_by_worker", watched_close)


class SimulatedCrew:
    """What the coordinator takes for its `Crew`: the host's part, and the lines to the workers."""

    def __init__(self, run: SimulatedRun) -> None:
        self._run = run
        self.processes: dict[str, WorkerProcess] = {}
        #: Whether the host cannot start the next worker.
        self.refuses = False
        #: Whether a place has to be waited for, and who waits: it is told whether it has one.
        self.full = False
        self.queue: dict[str, asyncio.Future[bool]] = {}
        #: Workers that the host was told to kill, and has not killed yet.
        self.graves: dict[str, asyncio.Future[None]] = {}
        #: Those of them, killed ones too: a place that is found for one is not taken.
        self.given_up: set[str] = set()
        self._connected: set[str] = set()
        self._ended: dict[str, asyncio.Event] = {}

    # What the coordinator asks for.

    async def listen(self) -> asyncio.AbstractServer:
        """Begin to take calls."""
        return cast("asyncio.AbstractServer", SimpleNamespace(close=lambda: None))

    async def launch(self, worker: str) -> None:
        """Start a worker, once it has a place, and wait until its end is seen."""
        if self.full:
            place = self.queue[worker] = asyncio.get_running_loop().create_future()
            placed = await place
            if not placed or worker in self.given_up:
                self._run.supervisor._lose(worker, "its node refuses it")
                return
        self._run.supervisor._placed(worker, "n1")
        if self.refuses:
            self.refuses = False
            self._run.supervisor._lose(worker, "there is no room")
            return
        self.processes[worker] = WorkerProcess(worker, self._run)
        self._ended[worker] = asyncio.Event()
        await self._ended[worker].wait()
        self._run.supervisor._lose(worker, "its process ended")

    def say(self, worker: str, message: messages.Message) -> None:
        """Send a message; one to a worker that is gone goes nowhere."""
        if isinstance(message, messages.Assigned):
            attempt = self._run.board.workers[worker].attempt
            assert attempt is not None
            assert attempt.name == message.attempt
        if worker in self._connected and self.processes[worker].alive:
            self.processes[worker].hear(message)

    async def bury(self, worker: str, why: str, _cookie: str | None) -> Remains:
        """Have the host kill a worker with all it has started, and wait for that."""
        self.given_up.add(worker)
        self.graves[worker] = asyncio.get_running_loop().create_future()
        await self.graves[worker]
        self._connected.discard(worker)
        return Remains(ended=why)

    def close(self) -> None:
        """Nothing of it outlives the test."""

    async def end(self) -> None:
        """End all workers by force."""
        for process in self.processes.values():
            process.bury()

    async def hang_up(self) -> None:
        """Close the lines."""
        self._connected.clear()

    # What the driver asks for.

    @property
    def talking(self) -> list[str]:
        """Return the workers of which there is something to hear, be it the end of their line."""
        return [
            name
            for name, process in self.processes.items()
            if process.line or (not process.alive and name in self._connected)
        ]

    @property
    def unseen(self) -> list[str]:
        """Return the workers that have ended without the coordinator having seen that."""
        return [
            name
            for name, process in self.processes.items()
            if not process.alive and not self._ended[name].is_set()
        ]

    def hear(self, worker: str) -> None:
        """Let the coordinator hear the next message of a worker, or the end of its line.

        What comes after the coordinator's end is heard by nobody.
        """
        supervisor, process = self._run.supervisor, self.processes[worker]
        if process.line:
            message = process.line.popleft()
            if isinstance(message, messages.Hello):
                self._connected.add(worker)
            self._run.call(supervisor._heard, worker, message)
        else:
            self._connected.discard(worker)
            self._run.call(supervisor._lose, worker, "its connection ended")

    def seat(self, worker: str, *, placed: bool) -> None:
        """Give a place to a worker that waits for one, or let a node refuse it."""
        place = self.queue.pop(worker)

        def answer() -> None:
            if not place.done():
                place.set_result(placed)

        self._run.call(answer)

    def see(self, worker: str) -> None:
        """Let the coordinator see that a worker's process has ended."""
        self._ended[worker].set()

    def dig(self, worker: str) -> None:
        """Let the host kill a worker that it was told to."""
        if worker in self.queue:
            self.seat(worker, placed=False)
        if worker in self.processes:
            self.processes[worker].bury()
        # What it said before it died is heard.
        while worker in self._connected and self.processes[worker].line:
            self.hear(worker)
        grave = self.graves.pop(worker)

        def buried() -> None:
            if not grave.done():  # the coordinator may have ended meanwhile
                grave.set_result(None)

        self._run.call(buried)


# --- sessions of other people


#: What others do to the list.
WAYS = (
    "create",
    "claim",
    "complete",
    "begin a claim",
    "end a claim",
    "die with a lock",
    "delete",
    "truncate",
    "overwrite",
    "purge",
)


class Session:
    """A Claude session of somebody else on the same list, and what can happen to the files.

    It follows the protocol of Claude Code, as `tasklist/locks.py` and `task_format.py` have it.
    """

    def __init__(self, path: Path, time: Time) -> None:
        self._path = path
        self._time = time
        #: Its own tasks, as they are on disk.
        self.own: dict[Path, bytes] = {}
        #: Tasks of the run that are not, or may not be, as the run left them.
        self.touched: set[str] = set()
        #: Those of them that the session has claimed or completed.
        self.taken: set[str] = set()
        self._largest = 0
        self._claiming: tuple[Path, dict[str, Any]] | None = None

    def act(self, task_id: str, way: str) -> None:
        """Do what is one of `WAYS`, to this task of the run if it is done to one."""
        match way:
            case "create":
                self._create()
            case "claim" | "complete":
                self._change(task_id, "in_progress" if way == "claim" else "completed")
            case "begin a claim":
                self._begin_claim(task_id)
            case "end a claim":
                self.finish_claim()
            case "die with a lock":
                self._lock(task_id)
            case "purge":
                self._purge()
            case _:
                self._harm(task_id, way)

    def finish_claim(self) -> None:
        """Write the claim that was begun, and unlock."""
        if self._claiming is not None:
            file, task = self._claiming
            self._claiming = None
            with contextlib.suppress(FileNotFoundError):
                self._lock_of(file).rmdir()
                if file.exists():
                    self._take(file.stem, task)

    def is_claiming(self, task_id: str) -> bool:
        """Tell whether it is in the middle of a claim of this task."""
        return self._claiming is not None and self._claiming[0] == self._file(task_id)

    def _create(self) -> None:
        """Put a task of its own on the list.

        Its number is one that was never there, which Claude Code's `.highwatermark` is for. Where
        somebody removed that, a session would take the id of a task of ours for its own, and a
        store, which goes by ids alone, would take the session's task for ours: not tried here.
        """
        self._path.mkdir(parents=True, exist_ok=True)
        task_id = str(self._largest_number() + 1)
        required = {"id": task_id, "subject": "theirs", "description": "", "status": "pending"}
        file = self._file(task_id)
        file.write_text(json.dumps({**required, "blocks": [], "blockedBy": []}, indent=2))
        self.own[file] = file.read_bytes()

    def _change(self, task_id: str, status: str) -> None:
        """Claim or complete a task, if it is pending."""
        task = self._pending(task_id)
        if task is not None:
            self._take(task_id, {**task, "status": status, "owner": "theirs"})

    def _begin_claim(self, task_id: str) -> None:
        """Lock a task and read it; the claim is finished when somebody waits for the lock."""
        self.finish_claim()
        task = self._pending(task_id)
        if task is not None and self._lock(task_id):
            self.touched.add(task_id)
            claimed = {**task, "status": "in_progress", "owner": "theirs"}
            self._claiming = self._file(task_id), claimed

    def _lock(self, task_id: str) -> bool:
        """Lock a task; without more, it is the lock of a session that then died."""
        lock = self._lock_of(self._file(task_id))
        try:
            lock.mkdir()
        except OSError:
            return False
        os.utime(lock, (self._time.epoch(), self._time.epoch()))
        return True

    def _harm(self, task_id: str, how: str) -> None:
        """Delete a task's file, cut it off, or write something else into it."""
        file = self._file(task_id)
        if file.exists():
            self.touched.add(task_id)
            self._largest = self._largest_number()
            if how == "delete":
                file.unlink()
            elif how == "truncate":
                file.write_bytes(file.read_bytes()[: file.stat().st_size // 2])
            else:
                file.write_bytes(b'{"id": 7}\xff')

    def _purge(self) -> None:
        """Remove the list, with everybody's tasks."""
        self._largest = self._largest_number()
        self.touched.update(file.stem for file in self._path.glob("*.json"))
        shutil.rmtree(self._path, ignore_errors=True)
        self.own.clear()

    def _largest_number(self) -> int:
        mark = self._path / ".highwatermark"
        marked = int(mark.read_text()) if mark.exists() else 0
        there = (int(file.stem) for file in self._path.glob("*.json"))
        return max(self._largest, marked, *there, 0)

    def _pending(self, task_id: str) -> dict[str, Any] | None:
        try:
            task: dict[str, Any] = json.loads(self._file(task_id).read_bytes())
        except (OSError, ValueError):
            return None
        return task if task.get("status") == "pending" else None

    def _take(self, task_id: str, task: dict[str, Any]) -> None:
        self.touched.add(task_id)
        self.taken.add(task_id)
        self._file(task_id).write_text(json.dumps(task, indent=2))

    def _file(self, task_id: str) -> Path:
        return self._path / f"{task_id}.json"

    @staticmethod
    def _lock_of(file: Path) -> Path:
        return file.with_name(f"{file.name}.lock")


# --- the run


class SimulatedRun:
    """A run that goes as its driver says.

    Args:
        folder: An empty folder.
        limits: What the run may use.
        observer: Who watches, if anybody does.
    """

    #: The run that was made last, for code that does not know of it.
    current: ClassVar[SimulatedRun]

    def __init__(self, folder: Path, limits: Limits, observer: Observer | None = None) -> None:
        SimulatedRun.current = self
        self.observer = observer or Nobody()
        self.time = Time()
        self.config = folder / "config"
        #: Whether calls on the shared list wait until `answer`, and those that do, by their task.
        self.list_is_slow = False
        self.waiting_calls: dict[str, deque[Callable[[], None]]] = {}
        self.screen = Path(os.devnull).open("w")  # noqa: SIM115 - `close` closes it
        self.list = TaskListStore(self.config, "shared", run_id=RUN_ID, clock=self.time.clock)
        self.list.open()
        self.session = Session(self.list.path, self.time)
        self.time.meanwhile = self.session.finish_claim
        self.journal = Journal(folder / "runs", RUN_ID, key=KEY, clock=self.time)
        self.watched = WatchedList(self.list, self.observer)
        self.coordinator = Coordinator(
            limits=limits,
            crew=lambda _: SimulatedCrew(self),
            task_list=cast("TaskListStore", self.watched),
            journal=self.journal,
            clock=self.time,
        )
        self.supervisor = self.coordinator._supervisor
        self.crew = cast("SimulatedCrew", self.supervisor._crew)
        self.supervisor._loop.close()
        #: The coordinator's loop.
        self.office = SimulatedLoop(self.time)
        self.supervisor._loop = self.office
        self._serving = self.office.create_task(self.supervisor.serve())
        self.turn()

    @property
    def board(self) -> Board:
        """Return the coordinator's board."""
        return self.supervisor._board

    @property
    def is_over(self) -> bool:
        """Tell whether the coordinator has come to its end."""
        return self.office.is_closed()

    def submit(self, specs: Sequence[TaskSpec]) -> list[tuple[str, Future[Result]]]:
        """Submit tasks, as pytest's thread does; return their ids by the journal too."""
        before = self._story.stat().st_size
        futures = self.coordinator.submit(specs)
        ids = [event["task"] for event in self.events("submitted", before)]
        return list(zip(ids, futures, strict=True))

    def answer(self, task_id: str) -> None:
        """Carry out the calls on a task of the shared list that wait."""
        for call in self.waiting_calls.pop(task_id, ()):
            call()

    def stop(self) -> None:
        """End the run, as pytest's thread does."""
        self.call(self.supervisor.stop, Trouble(cause=Cause.STOPPED, message="enough"))

    def call(self, what: Callable[..., None], *args: Any) -> None:
        """Have the coordinator's loop call this, if it has not ended."""
        if not self.is_over:
            self.office.call_soon(what, *args)

    def turn(self, rounds: int = ALL) -> None:
        """Let the coordinator do all it can do now, or as much as fits into so many rounds."""
        if not self.is_over:
            self.office.turn(rounds)
            assert not self.office.problems, self.office.problems
            if self.watched.failure is not None:
                raise self.watched.failure
            if self._serving.done():
                self._serving.result()
                # As the thread does when it has served.
                self.office.end()
                self.coordinator._abandon()

    def go_on(self, end: Callable[[WorkerProcess], None]) -> None:
        """Let everybody do what there is to do; `end` may end the agents that are at work."""
        for process in self.processes:
            process.move()
            if process.alive and process.job is not None:
                end(process)
        for worker in self.crew.talking:
            while worker in self.crew.talking:
                self.crew.hear(worker)
                self.turn(1)
        for worker in list(self.crew.queue):
            self.crew.seat(worker, placed=True)
        for worker in self.crew.unseen:
            self.crew.see(worker)
        for worker in list(self.crew.graves):
            self.crew.dig(worker)
        self.turn()
        for process in self.processes:
            process.move()

    @property
    def processes(self) -> list[WorkerProcess]:
        """Return the workers' processes, ended ones too."""
        return list(self.crew.processes.values())

    def events(self, name: str, start: int = 0) -> list[dict[str, Any]]:
        """Return the journal's events of this name, from this place in the file on."""
        lines = self._story.read_bytes()[start:].splitlines()
        return [event for event in map(json.loads, lines) if event["event"] == name]

    @property
    def _story(self) -> Path:
        return self.journal.folder / "journal.jsonl"

    def close(self) -> None:
        """End all that is simulated."""
        self.office.end()
        for process in self.processes:
            process.close()
        self.journal.close()
        self.screen.close()
