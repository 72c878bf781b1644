"""A supervised child process: a program that does a job, and all that it starts.

It starts in the task's directory with the attempt's environment, gets its prompt on standard input,
and its output is read line by line. When it ends, or its time is over, all processes that it
started are ended. The agent says what to start, and reads records from the lines.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.agents.output import Output
from pytest_ptc.agents.sandbox.sandbox import Sandboxes, readable, sandboxed_environment
from pytest_ptc.agents.sandbox.status import StatusPipe
from pytest_ptc.interfaces.environment import agent_environment
from pytest_ptc.journal.attempt_files import OUTPUT, PROMPT
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.variables import ATTEMPT_COOKIE
from pytest_ptc.system.commands import make_commands, remove_commands
from pytest_ptc.system.processes import ProcessIdentity, end_marked, end_tree_and_marked, running
from pytest_ptc.system.strays import end_strays
from pytest_ptc.text.command_fields import filled_command
from pytest_ptc.text.printable import utf8

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence
    from pathlib import Path

    from pytest_ptc.agents.output import LineReader
    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.interfaces.launch import LaunchFile

#: Seconds to read output after the program has ended: a process that it left behind, and that we
#: cannot find, may hold the pipe open for ever.
DRAIN_TIMEOUT_S = 0.5
#: Seconds between SIGTERM and SIGKILL for a program that must end.
TERM_GRACE_S = 0.5


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramEnd:
    """How a program ended by itself.

    Args:
        status: Its exit status, negative for the signal that ended it.
        tail: The last lines that it printed.
    """

    status: int
    tail: str


class Programs:
    """What starts programs for the jobs of one worker.

    Args:
        launch: The worker's launch file.
        environ: The environment that programs inherit from.
    """

    def __init__(self, launch: LaunchFile, environ: Mapping[str, str]) -> None:
        self._run_id = launch.run_id
        self._task_list_id = launch.task_list_id
        self._scratch = launch.scratch
        self._command = tuple(launch.agent.argv)
        self._commands = launch.commands
        self._environ = dict(environ)
        self._sandboxes = Sandboxes(launch, environ)

    async def run(
        self,
        job: Job,
        argv: Sequence[str],
        text: str,
        reader: LineReader,
        *,
        show: Callable[[str], None] | None = None,
        exited: Callable[[int], None] = lambda _: None,
    ) -> ProgramEnd:
        """Run a program on a job until it, and all that it started, has ended.

        Cancelled, it ends all of that: SIGTERM, then SIGKILL after `TERM_GRACE_S` seconds.

        Args:
            job: The job; its prompt, as the program gets it, and output are kept in its folder.
            argv: The program and its arguments; `{cwd}` in them is the task's directory. If it
                begins with the launch file's command, the fields of that are filled.
            text: What the program gets on standard input.
            reader: Takes what it prints, line by line.
            show: Shows a line of its output to whoever watches; None for the job's own.
            exited: Takes the exit status before what is left of the output is read.

        Raises:
            AgentError: It cannot be started, or `reader` broke.
        """
        job.journal.keep(PROMPT, text)
        async with self._params_file(job) as params, self._own_commands(job) as commands:
            output = Output(job.folder / OUTPUT, show or job.show, job.journal.redactor, reader)
            others = running()
            try:
                program = self._start(job, argv, params, commands, others)
                try:
                    status = await program.attend(text, output, exited)
                finally:
                    program.end_group()
            finally:
                output.close()
        if program.never_began:
            message = (
                "the program was not started: its sandbox could not be made, or does not show the "
                "program (name it with sandbox_read)"
            )
            raise AgentError(
                Trouble(cause=Cause.MACHINERY, message=message, evidence=output.tail())
            )
        if output.error is not None:
            message = f"reading the program's output failed: {output.error!r}"
            raise AgentError(
                Trouble(cause=Cause.MACHINERY, message=message, evidence=output.tail())
            ) from output.error
        return ProgramEnd(status=status, tail=output.tail())

    @contextlib.asynccontextmanager
    async def _params_file(self, job: Job) -> AsyncIterator[Path]:
        """Write the task's parameters, outside of the journal: they may hold secrets."""
        path = self._scratch / f"params-{job.attempt.name}.json"
        try:
            path.write_text(json.dumps(dict(job.spec.params)), encoding="ascii")
        except OSError as error:
            message = f"the task's parameters cannot be written: {path}: {error.strerror}"
            raise AgentError(Trouble(cause=Cause.MACHINERY, message=message)) from error
        try:
            yield path
        finally:
            path.unlink(missing_ok=True)

    @contextlib.asynccontextmanager
    async def _own_commands(self, job: Job) -> AsyncIterator[Path]:
        """Make a folder with the attempt's own `ptc`: nobody has had time to replace it."""
        folder = self._commands / job.attempt.name
        try:
            make_commands(folder, sys.executable)
        except OSError as error:
            message = f"the command ptc cannot be made: {folder}: {error.strerror}"
            raise AgentError(Trouble(cause=Cause.MACHINERY, message=message)) from error
        try:
            yield folder
        finally:
            remove_commands(folder)

    def _filled(self, job: Job, argv: Sequence[str]) -> list[str]:
        # Braces in what an agent adds are its own matter: it may be a prompt.
        size = len(self._command) if tuple(argv[: len(self._command)]) == self._command else 0
        spec = job.spec
        own = [word.replace("{cwd}", spec.cwd) for word in argv[size:]]
        return [*filled_command(argv[:size], spec.params, spec.cwd), *own]

    def _start(
        self,
        job: Job,
        argv: Sequence[str],
        params: Path,
        commands: Path,
        others: frozenset[int],
    ) -> _Program:
        path = f"{commands}{os.pathsep}{self._environ.get('PATH', os.defpath)}"
        environ = agent_environment(
            {**self._environ, "PATH": path},
            attempt=job.attempt,
            spec=job.spec,
            folder=job.folder,
            params_file=params,
            cookie=job.cookie,
            token=job.journal.token,
            address=job.journal.address,
            run_id=self._run_id,
            task_list_id=self._task_list_id,
        )
        words = self._sandboxes.words(job.spec, readable(commands, params, job.journal.address))
        status: StatusPipe | None = None
        if words:
            environ, status = sandboxed_environment(environ), StatusPipe()
            words = status.added_to(words)
        try:
            process = subprocess.Popen(
                [*words, *self._filled(job, argv)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                cwd=job.spec.cwd,
                env=environ,
                # A group of its own, so that all of it can be ended at once.
                start_new_session=True,
                pass_fds=() if status is None else (status.writer,),
            )
        except OSError as error:
            if status is not None:
                status.close()
            raise AgentError(_start_failure(error, job, argv[0])) from error
        return _Program(process, job.cookie, others, status)


def _start_failure(error: OSError, job: Job, program: str) -> Trouble:
    if isinstance(error, FileNotFoundError) and not os.path.isdir(job.spec.cwd):  # noqa: PTH112
        problem = f"its directory {job.spec.cwd} no longer exists"
    elif isinstance(error, FileNotFoundError):
        problem = "no such program; fix ptc_command or PATH"
    else:
        problem = error.strerror or str(error)
    return Trouble(cause=Cause.AGENT_MISSING, message=f"{program}: {problem}")


class _Program:
    """A running program, with all processes that it starts.

    Args:
        process: The program, which leads a group of its own.
        cookie: The mark of it and of all that it starts.
        others: The pids of all processes that were there before it.
        status: Where its sandbox says how it ended; None for one without a sandbox.
    """

    def __init__(
        self,
        process: subprocess.Popen[bytes],
        cookie: str,
        others: frozenset[int],
        status: StatusPipe | None,
    ) -> None:
        self.process = process
        #: Whether it ended before it was started: its sandbox could not be made.
        self.never_began = False
        self._status = status
        if status is not None:
            status.close_writer()
        # Not waited for yet, so its pid cannot belong to another process.
        self._identity = ProcessIdentity.of(process.pid)
        self._cookie = cookie
        self._others = others

    async def attend(self, text: str, output: Output, exited: Callable[[int], None]) -> int:
        """Feed the program, read it, and return its exit status when it has ended."""
        loop = asyncio.get_running_loop()
        process = self.process
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        feeder = _Feeder(utf8(text))
        await loop.connect_write_pipe(lambda: feeder, process.stdin)
        feeder.feed()
        readers = [
            _Reader(lambda data: output.take("stdout", data)),
            _Reader(lambda data: output.take("stderr", data)),
        ]
        transports = [
            (await loop.connect_read_pipe(lambda reader=reader: reader, pipe))[0]  # type: ignore[misc]
            for reader, pipe in zip(readers, (process.stdout, process.stderr), strict=True)
        ]
        ended = loop.run_in_executor(None, process.wait)
        try:
            status = await asyncio.shield(ended)
            self.never_began = self._status is not None and not self._status.has_exit_code()
            if not self.never_began:
                exited(status)
            # Before the verdict is decided: a process that runs on could record what nobody reads.
            self.end_rest()
            await asyncio.wait([reader.closed for reader in readers], timeout=DRAIN_TIMEOUT_S)
            output.finish()
        except asyncio.CancelledError:
            # In a thread: what it prints after SIGTERM is still read.
            await loop.run_in_executor(None, self.end)
            await ended
            # Not in a thread: a child process of ours may be checking a verdict meanwhile.
            self.end_rest()
            raise
        finally:
            feeder.stop()
            if self._status is not None:
                self._status.close()
            for transport in transports:
                transport.close()
        return status

    def end(self) -> None:
        """End all of it: SIGTERM, then SIGKILL."""
        if self._identity is not None:
            end_tree_and_marked(
                self._identity,
                ATTEMPT_COOKIE,
                self._cookie,
                TERM_GRACE_S,
                # With its sandbox, a program would end at once.
                root_last=self._status is not None,
            )
        self.process.kill()

    def end_rest(self) -> None:
        """Kill what it left running, in its process group or in other sessions."""
        self.end_group()
        end_marked(ATTEMPT_COOKIE, self._cookie, grace=0.0, but=self._others)
        end_strays(but=frozenset([self.process.pid]))

    def end_group(self) -> None:
        """Kill its process group."""
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)


class _Reader(asyncio.Protocol):
    """Passes on what a pipe yields; `closed` is done when it is closed."""

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
