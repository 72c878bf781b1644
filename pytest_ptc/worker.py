"""The worker: the process in the pane.

It calls the coordinator, takes one task at a time from it, claims the task on the shared list, has
its agent do it, files how that ended in the journal, and says so. What it prints is for the person
who watches. It ends when it is told to, or when the coordinator is gone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import shutil
import signal
import sys
import time
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc import wire
from pytest_ptc.agents import agent_maker
from pytest_ptc.environment import ATTEMPT_COOKIE, owner_name
from pytest_ptc.errors import JournalError, PtcError, TaskListError, VerdictError
from pytest_ptc.interfaces import Job
from pytest_ptc.journal import OUTPUT, open_task, read_records, write_report
from pytest_ptc.model import AttemptReport, Cause, TaskSpec, Trouble, Usage, Verdict
from pytest_ptc.processes import end_marked
from pytest_ptc.screen import Screen
from pytest_ptc.tasklist.store import TaskListStore
from pytest_ptc.verdicts import settle

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.interfaces import Agent, TaskList


class Worker:
    """One worker's life, from its launch file to its end."""

    def __init__(self, config: dict[str, Any], *, task_list: TaskList, agent: Agent) -> None:
        self._config = config
        self._name: str = config["worker"]
        self._owner = owner_name(config["run_id"], config["worker"])
        self._journal = Path(config["journal"])
        self._list = task_list
        self._agent = agent
        self._screen = Screen(sys.stdout.fileno())

    async def live(self) -> bool:
        """Work until told to quit, until a signal comes, or until the coordinator is gone.

        Returns:
            Whether the worker is an orphan: nobody told it to end, and nobody is left to tidy.
        """
        reader, writer = await asyncio.open_unix_connection(self._config["address"])
        working = asyncio.create_task(self._work(reader, writer))
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            loop.add_signal_handler(number, working.cancel)
        orphan = False
        with contextlib.suppress(asyncio.CancelledError):
            orphan = await working
        await self._agent.close()
        writer.close()
        return orphan

    async def _work(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Do what is assigned, while listening: a quit or the end of the line stops a task too."""
        # Getting ready is a job like any other: nothing is assigned before the hello that ends it.
        job: asyncio.Task[None] | None = asyncio.create_task(self._get_ready(writer))
        try:
            while line := await reader.readline():
                match wire.decode(line):
                    case wire.Assigned(name, last):
                        if job is not None:
                            await job
                        job = asyncio.create_task(self._attempt(name, writer, last=last))
                    case _:
                        return False
        except ConnectionError:
            pass  # the coordinator is gone, as at the end of the line
        finally:
            if job is not None:
                job.cancel()
                await asyncio.gather(job, return_exceptions=True)
        return True

    async def _get_ready(self, writer: asyncio.StreamWriter) -> None:
        like = self._config["like"]
        if like is not None:
            self._screen.line(f"{self._name} starts agent {self._agent.name}")
            try:
                await self._agent.prepare(TaskSpec.from_json(like))
            except Exception as error:  # noqa: BLE001 - a worker that never calls in holds up the run
                self._screen.line(f"agent {self._agent.name} did not get ready: {error!r}")
        self._say(writer, wire.Hello(self._name, self._config["key"]))
        self._screen.line(f"{self._name} is ready, agent {self._agent.name}")

    async def _attempt(self, name: str, writer: asyncio.StreamWriter, *, last: bool) -> None:
        folder = self._journal / "attempts" / name
        try:
            report = await self._do(folder, writer)
            write_report(folder, report)
        except (PtcError, OSError) as error:
            self._screen.line(f"trouble: {error}")
            self._say(writer, wire.Ended(name, problem=str(error)))
            return
        self._screen.verdict(report)
        if report.trouble is not None and not last:
            # Before the coordinator hears of it, or the next worker could not claim it.
            self._on_list(lambda: self._list.release(report.attempt.task_id, self._owner))
            self._say(writer, wire.Ended(name))
            return
        # The journal has it: the view comes after the outcome.
        self._say(writer, wire.Ended(name))
        self._on_list(
            lambda: self._list.complete(
                report.attempt.task_id, self._owner, {"ptc": _for_list(report)}
            )
        )

    async def _do(self, folder: Path, writer: asyncio.StreamWriter) -> AttemptReport:
        attempt, spec, cookie = open_task(folder)
        started = time.monotonic()
        spent: list[Usage] = []
        about: dict[str, Any] = {}
        self._screen.task(attempt, spec)
        try:
            claimed = self._list.claim(attempt.task_id, self._owner)
        except TaskListError as error:
            claimed, problem = False, str(error)
        else:
            problem = "it was taken, completed or deleted on the shared list"
        if claimed:
            self._say(writer, wire.Claimed(attempt.name))
            job = Job(
                attempt=attempt,
                spec=spec,
                folder=folder,
                deadline=started + spec.timeout,
                cookie=cookie,
                show=self._screen.line,
                spent=spent.append,
                about=about.update,
                waits=lambda seconds, why: self._say(
                    writer, wire.Waits(attempt.name, seconds, why)
                ),
                listed=lambda: self._list.has(attempt.task_id),
            )
            ended = await self._bounded(job)
        else:
            ended = Trouble(cause=Cause.CLAIM_LOST, message=f"task {attempt.task_id}: {problem}")
        return AttemptReport(
            attempt=attempt,
            seconds=time.monotonic() - started,
            verdict=ended if isinstance(ended, Verdict) else None,
            trouble=ended if isinstance(ended, Trouble) else None,
            usage=sum(spent[1:], spent[0]) if spent else None,
            about=about,
        )

    async def _bounded(self, job: Job) -> Verdict | Trouble:
        """Have the agent do the job within its timeout, and leave nothing of it behind."""
        try:
            return await asyncio.wait_for(
                self._agent.run(job), max(0.0, job.deadline - time.monotonic())
            )
        except asyncio.TimeoutError:
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            message = f"no verdict within {job.spec.timeout:g} s"
            late = Trouble(cause=Cause.TIMEOUT, message=message, evidence=_evidence(job))
            return _recorded_or(late, job)
        except Exception as error:  # noqa: BLE001 - an agent's defect must not cost the worker
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            broken = Trouble(
                cause=Cause.MACHINERY,
                message=f"agent {self._agent.name} broke: {error!r}",
                evidence=traceback.format_exc(),
            )
            return _recorded_or(broken, job)
        except asyncio.CancelledError:
            end_marked(ATTEMPT_COOKIE, job.cookie, grace=0.0)
            raise

    def _say(self, writer: asyncio.StreamWriter, message: wire.Message) -> None:
        writer.write(wire.encode(message))

    def _on_list(self, act: Any) -> None:
        try:
            act()
        except TaskListError as error:
            self._screen.line(f"shared list: {error}")


def _recorded_or(trouble: Trouble, job: Job) -> Verdict | Trouble:
    """Return what an agent recorded before it broke or its time was up; else this trouble."""
    try:
        records = read_records(job.folder, job.spec.schema)
    except (JournalError, VerdictError) as error:
        return Trouble(cause=Cause.MALFORMED, message=str(error), evidence=_evidence(job))
    return settle(records) if records else trouble


def _evidence(job: Job) -> str:
    with contextlib.suppress(OSError), (job.folder / OUTPUT).open("rb") as output:
        size = output.seek(0, os.SEEK_END)
        output.seek(max(0, size - 16_384))
        return "\n".join(output.read().decode("utf-8", "replace").splitlines()[-40:])
    return ""


def _for_list(report: AttemptReport) -> dict[str, Any]:
    if report.verdict is not None:
        return report.verdict.to_json()
    assert report.trouble is not None
    return {"verdict": "error", "summary": str(report.trouble), "findings": [], "data": None}


def main(argv: Sequence[str] | None = None) -> int:
    """Be the worker that the launch file named by the only argument describes."""
    (launch_file,) = sys.argv[1:] if argv is None else argv
    config = json.loads(Path(launch_file).read_bytes())
    task_list = TaskListStore(
        Path(config["claude_config"]), config["task_list_id"], run_id=config["run_id"]
    )
    agent = agent_maker(config["agent"])(config, os.environ)
    orphan = asyncio.run(Worker(config, task_list=task_list, agent=agent).live())
    if orphan:
        _tidy(config, task_list)
    return 0


def _tidy(config: dict[str, Any], task_list: TaskListStore) -> None:
    """Remove what a killed pytest would have removed at the end of its run."""
    shutil.rmtree(Path(config["address"]).parent, ignore_errors=True)
    if config["own_list"]:
        # Nobody else knows of this list: it was made for the run, and named after it.
        shutil.rmtree(task_list.path, ignore_errors=True)
    if config["farewell"]:
        os.execv(config["farewell"][0], config["farewell"])


if __name__ == "__main__":
    sys.exit(main())
