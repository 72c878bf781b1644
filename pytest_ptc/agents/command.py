"""Agent `command`: any program as an agent.

It gets the prompt on standard input, its parameters as JSON in `PTC_PARAMS` (and in the file that
`PTC_PARAMS_FILE` names, whatever their size), and runs in the task's directory. It records its
verdict with `ptc record`, or as one JSON object on the last line of its output, or, where the user
asked for that, by its exit status. No shell is anywhere in between. What it says in its output and
by its status is on disk before anything else is done.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from pytest_ptc.agents.instructions import protocol_text
from pytest_ptc.agents.printed import Line, Printed
from pytest_ptc.interfaces.environment import agent_environment
from pytest_ptc.journal.attempt_journal import OUTPUT, PROMPT
from pytest_ptc.journal.closing import fail_or
from pytest_ptc.model.errors import JournalError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.variables import ATTEMPT_COOKIE
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.system import own_files
from pytest_ptc.system.processes import ProcessIdentity, end_marked, end_tree_and_marked, running
from pytest_ptc.system.strays import end_strays
from pytest_ptc.system.threads import in_thread
from pytest_ptc.text.printable import utf8
from pytest_ptc.text.redaction import RedactedStream, Redactor
from pytest_ptc.verdicts.endings import Ended, describe_status, judge, status_verdict

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec

#: Bytes of output kept at the start and at the end of `output.log`: an agent in a loop must not
#: fill the disk, and what it printed last is what explains its end.
HEAD = 4 * 1024 * 1024
TAIL = 256 * 1024
#: Characters of a line that are shown.
LONGEST_SHOWN = 2000
#: Seconds that output may still come after the program has ended: something that it left behind,
#: and that hides from us, may hold the pipe open for ever.
LINGER = 0.5
#: Bytes of a program's last line that are the reason of a fail by its exit status.
LONGEST_REASON = 300
#: Seconds between SIGTERM and SIGKILL for a program that must end.
GRACE = 0.5


class CommandAgent:
    """Runs one program a task.

    Args:
        argv: The program and its arguments.
        verdict_from_exit: Whether exit status 0 means pass and 1 means fail.
        run_id: The run's id.
        task_list_id: The shared list, for programs that are Claude Code themselves.
        path: Directories put before `PATH`, so that `ptc` is found there.
        scratch: A private folder that is gone after the run.
        environ: The environment that the program inherits from.
    """

    name = "command"

    def __init__(
        self,
        *,
        argv: Sequence[str],
        verdict_from_exit: bool,
        run_id: str,
        task_list_id: str,
        path: Path,
        scratch: Path,
        environ: Mapping[str, str],
    ) -> None:
        self._scratch = scratch
        self._argv = tuple(argv)
        self._verdict_from_exit = verdict_from_exit
        self._run_id = run_id
        self._task_list_id = task_list_id
        self._environ = {**environ, "PATH": f"{path}{os.pathsep}{environ.get('PATH', os.defpath)}"}

    async def prepare(self, spec: TaskSpec) -> None:
        """Do nothing: a program starts with its task."""

    async def run(self, job: Job) -> Verdict | Trouble:
        """Run the program on the job and return what it recorded, or why that does not count."""
        params = self._scratch / f"params-{job.attempt.name}.json"
        try:
            # Not in the journal: they may hold what must not stay.
            params.write_text(json.dumps(dict(job.spec.params)), encoding="ascii")
        except OSError as error:
            message = f"the task's parameters cannot be written: {params}: {error.strerror}"
            return Trouble(cause=Cause.MACHINERY, message=message)
        try:
            return await self._run(job, params)
        finally:
            params.unlink(missing_ok=True)

    async def close(self) -> None:
        """Do nothing: a program lives as long as its task."""

    async def _run(self, job: Job, params: Path) -> Verdict | Trouble:
        others = running()
        try:
            process = self._start(job, params)
        except OSError as error:
            return self._not_started(job, error)
        program = _Program(process, job.cookie, others)
        text = f"{job.spec.prompt}\n\n{protocol_text(job.attempt.task_id)}\n"
        job.journal.keep(PROMPT, text)
        printed = Printed(job.journal, job.spec.schema, text.encode("utf-8", "replace").decode())
        output = Output(job.folder / OUTPUT, job.show, job.journal.redactor, printed)
        try:
            status = await self._attend(program, job, output, text)
        except JournalError as error:
            return await in_thread(_not_kept, error, printed, job)
        finally:
            program.end_group()
            output.close()
        job.about(status=describe_status(status), settings={"command": list(self._argv)})
        # In a thread: held to a schema, data may take seconds, and a quit must be heard.
        return await in_thread(self._judge, job, status, output)

    def _start(self, job: Job, params: Path) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            [word.replace("{cwd}", job.spec.cwd) for word in self._argv],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=job.spec.cwd,
            env=agent_environment(
                self._environ,
                attempt=job.attempt,
                spec=job.spec,
                folder=job.folder,
                params_file=params,
                cookie=job.cookie,
                token=job.journal.token,
                deadline=job.deadline,
                run_id=self._run_id,
                task_list_id=self._task_list_id,
            ),
            # A group of its own, so that all of it can be ended at once.
            start_new_session=True,
        )

    async def _attend(self, program: _Program, job: Job, output: Output, text: str) -> int:
        """Feed the program, read it, and return its exit status when it has ended."""
        loop = asyncio.get_running_loop()
        process = program.process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        feeder = _Feeder(utf8(text))
        await loop.connect_write_pipe(lambda: feeder, process.stdin)
        feeder.feed()
        readers = [_Reader(output.from_stdout), _Reader(output.from_stderr)]
        transports = [
            (await loop.connect_read_pipe(lambda reader=reader: reader, pipe))[0]  # type: ignore[misc]
            for reader, pipe in zip(readers, (process.stdout, process.stderr), strict=True)
        ]
        exited = loop.run_in_executor(None, process.wait)
        try:
            status = await asyncio.shield(exited)
            if status != 0:
                # At once: from here on no pass that it recorded counts.
                with contextlib.suppress(JournalError):
                    self._put_status(job, status, output)
            # Before it is judged: what goes on could record something that nobody would read.
            program.end_rest()
            await asyncio.wait([reader.closed for reader in readers], timeout=LINGER)
            output.finish()
            # Only now: a fail among what was still to be read is on disk before.
            self._put_status(job, status, output)
        except asyncio.CancelledError:
            # In a thread: what it says when it is asked to end is still read.
            await loop.run_in_executor(None, program.end)
            await exited
            # Not in a thread: meanwhile this one may have a child of ours check what was said.
            program.end_rest()
            raise
        finally:
            feeder.stop()
            for transport in transports:
                transport.close()
        return status

    def _put_status(self, job: Job, status: int, output: Output) -> None:
        """Put on disk how the program ended, and what that says."""
        said = output.printed.last_line[:LONGEST_REASON].decode("utf-8", "replace")
        verdict = status_verdict(status, said) if self._verdict_from_exit else None
        job.journal.ended(Ended(status, output.printed.last), verdict)

    def _judge(self, job: Job, status: int, output: Output) -> Verdict | Trouble:
        printed = output.printed
        try:
            records, ended = job.journal.story(job.spec.schema)
        except JournalError as error:
            return _not_kept(error, printed, job)
        # What is not on disk is not believed, but for a fail.
        records += [record for record in printed.unwritten if record.says_fail]
        judged = judge(records, ended or Ended(status))
        if printed.problem is not None and (judged is None or isinstance(judged, Trouble)):
            return _not_kept(printed.problem, printed, job)
        assert judged is not None
        if isinstance(judged, Trouble):
            return replace(judged, evidence=output.tail())
        if self._verdict_from_exit and judged.verdict is VerdictKind.FAIL and status == 1:
            job.about(last_lines=output.tail())
        return judged

    def _not_started(self, job: Job, error: OSError) -> Trouble:
        if isinstance(error, FileNotFoundError) and not os.path.isdir(job.spec.cwd):  # noqa: PTH112
            problem = f"its directory {job.spec.cwd} is gone"
        elif isinstance(error, FileNotFoundError):
            problem = "there is no such program; mend ptc_command or PATH"
        else:
            problem = error.strerror or str(error)
        return Trouble(cause=Cause.AGENT_MISSING, message=f"{self._argv[0]}: {problem}")


def _not_kept(error: JournalError, printed: Printed, job: Job) -> Verdict | Trouble:
    """Return what a program came to whose records cannot be kept: a fail is one all the same."""
    fails = [record for record in printed.unwritten if record.says_fail]
    for record in reversed(fails):
        if record.verdict is not None:
            return record.verdict
    trouble = Trouble(cause=Cause.MACHINERY, message=str(error))
    return trouble.after_fail() if fails else fail_or(trouble, job.journal, job.spec)


class Output:
    """What a program prints: kept in a file of bounded size, shown, and searched for verdicts.

    Args:
        path: The file.
        show: Prints one line on the worker's screen.
        redactor: Keeps secrets out of the file.
        printed: Takes every complete line.
    """

    def __init__(
        self, path: Path, show: Callable[[str], None], redactor: Redactor, printed: Printed
    ) -> None:
        self.printed = printed
        self._file = os.fdopen(own_files.open_new(path), "wb", buffering=0)
        self._show = show
        self._redactor = redactor
        self._redacted = {name: RedactedStream(redactor) for name in ("stdout", "stderr")}
        self._head_left = HEAD
        self._cut = 0
        self._recent: deque[bytes] = deque()
        self._recent_size = 0
        self._unfinished = {"stdout": Line(), "stderr": Line()}
        self._finished = False

    def from_stdout(self, data: bytes) -> None:
        """Take what the program printed."""
        self._take("stdout", data)

    def from_stderr(self, data: bytes) -> None:
        """Take what the program printed as an error; a verdict does not count there."""
        self._take("stderr", data)

    def finish(self) -> None:
        """Take the end of the output: what is unfinished is a line, too."""
        if not self._finished:
            self._finished = True
            for stream in ("stderr", "stdout"):
                self._keep(self._redacted[stream].rest())
                self.printed.take(stream, [self._unfinished[stream].take()])
            self.printed.end()

    def tail(self) -> str:
        """Return the last lines printed, of both streams."""
        text = b"".join(self._recent).decode("utf-8", "replace")
        return "\n".join(text.splitlines()[-40:])

    def close(self) -> None:
        """Take the end, and write what was cut from the middle back to the end of the file."""
        self.finish()
        with contextlib.suppress(OSError):
            if self._cut > self._recent_size:
                self._file.write(b"\n[... %d bytes cut ...]\n" % (self._cut - self._recent_size))
            if self._cut:
                self._file.write(b"".join(self._recent)[-self._cut :])
        self._file.close()

    def _take(self, stream: str, data: bytes) -> None:
        # First of all: what is in the file outlives this process, whatever becomes of it.
        self._keep(self._redacted[stream].feed(data))
        first, *others = data.split(b"\n")
        unfinished = self._unfinished[stream]
        unfinished.feed(first)
        if others:
            lines = [unfinished.take(), *others[:-1]]
            unfinished.feed(others[-1])
            # On disk, too, the moment that it is read.
            self.printed.take(stream, lines)
            for line in lines[-200:]:
                self._show(self._redactor.head(line.decode("utf-8", "replace"), LONGEST_SHOWN))

    def _keep(self, data: bytes) -> None:
        written = data[: self._head_left]
        # The file is a help to the reader; a full disk must not end the task it is about.
        with contextlib.suppress(OSError):
            self._file.write(written)
        self._head_left -= len(written)
        self._cut += len(data) - len(written)
        self._recent.append(data)
        self._recent_size += len(data)
        while self._recent_size - len(self._recent[0]) >= TAIL:
            self._recent_size -= len(self._recent.popleft())


class _Reader(asyncio.Protocol):
    """Hands on what a pipe gives, and tells when it is closed."""

    def __init__(self, take: Callable[[bytes], None]) -> None:
        self._take = take
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        self._take(data)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        if not self.closed.done():
            self.closed.set_result(None)


class _Feeder(asyncio.BaseProtocol):
    """Writes a text into a pipe and closes it; a program that does not read it is not in error."""

    _transport: asyncio.WriteTransport

    def __init__(self, text: bytes) -> None:
        self._text = text
        self._open = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.WriteTransport)
        self._transport = transport
        self._open = True

    def feed(self) -> None:
        """Write the text and then the end.

        Not in `connection_made`: asyncio registers the pipe only after that, and a pipe that is
        closed by then stays registered, so that the next one of its number is never watched.
        """
        if self._open:
            self._transport.write(self._text)
            self._transport.write_eof()

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 - asyncio's signature
        self._open = False

    def stop(self) -> None:
        """Write no more, whatever is left."""
        if self._open:
            self._transport.abort()


class _Program:
    """A program that is at work on a job, with all that it starts.

    Args:
        process: The program, which leads a group of its own.
        cookie: What marks it and all that it starts.
        others: The pids of all processes that were there before it.
    """

    def __init__(
        self, process: subprocess.Popen[bytes], cookie: str, others: frozenset[int]
    ) -> None:
        self.process = process
        # Nobody has waited for it yet: its pid is its own.
        self._identity = ProcessIdentity.of(process.pid)
        self._cookie = cookie
        self._others = others

    def end(self) -> None:
        """Ask all of it to end, and kill what does not."""
        if self._identity is not None:
            end_tree_and_marked(self._identity, ATTEMPT_COOKIE, self._cookie, GRACE)
        self.process.kill()

    def end_rest(self) -> None:
        """Kill what it has left when it ended, in its group or in sessions of their own."""
        self.end_group()
        end_marked(ATTEMPT_COOKIE, self._cookie, grace=0.0, but=self._others)
        end_strays(but=frozenset([self.process.pid]))

    def end_group(self) -> None:
        """Kill what is in its group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


def make(launch: LaunchFile, environ: Mapping[str, str]) -> CommandAgent:
    """Return the agent that a worker's launch file describes."""
    return CommandAgent(
        argv=launch.agent.argv,
        verdict_from_exit=launch.agent.options["verdict_from_exit"],
        run_id=launch.run_id,
        task_list_id=launch.task_list_id,
        path=launch.commands,
        scratch=launch.scratch,
        environ=environ,
    )
