"""Agent `claude` in interactive mode: Claude Code's terminal interface in the worker's pane.

A person may watch, and step in by typing. The prompt is a command-line argument, so we never type.
Updates of the task come through hooks of a settings file, whose command calls this worker. Every
task has its own session.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.claude import dialogs
from pytest_ptc.agents.claude.client import CLIENT_COOKIE
from pytest_ptc.agents.claude.hook_server import HOOK_KEY, HookServer, hook_settings
from pytest_ptc.agents.claude.setup import surroundings_of
from pytest_ptc.agents.claude.transcript import events_of
from pytest_ptc.agents.claude.turn import Turn
from pytest_ptc.agents.instructions import claude_prompt
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.journal.attempt_files import OUTPUT, PROMPT, TRANSCRIPT
from pytest_ptc.model.errors import AgentError
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.system import own_files
from pytest_ptc.system.processes import ProcessIdentity, end_marked, end_tree
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.system.strays import end_strays
from pytest_ptc.system.threads import in_thread

if TYPE_CHECKING:
    from collections.abc import Mapping, MutableMapping

    from pytest_ptc.agents.claude.profile import Profile, Surroundings
    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict

#: Seconds between two looks at the screen before the session starts; a dialog counts when seen
#: twice.
POLL_INTERVAL_S = 1.0
#: Seconds in which a session must start, measured with four at once on a busy machine.
START_TIMEOUT_S = 60.0
#: The longest transcript of a client that is read.
MAX_TRANSCRIPT_BYTES = 256 * 1024 * 1024
#: Seconds that the screen stays after a task, and between SIGTERM and SIGKILL for the client.
LINGER_S, TERM_GRACE_S = 0.5, 3.0


class InteractiveAgent:
    """Does each task in an interactive session of Claude Code.

    Args:
        surroundings: What all its sessions have in common; the program is named.
        socket: The path for the hooks' socket; at most about 100 bytes.
        pane: The tmux pane that the worker is in, and the variables that lead to it.
    """

    name = "claude (interactive)"

    def __init__(
        self, surroundings: Surroundings, *, socket: Path, pane: Mapping[str, str]
    ) -> None:
        self._surroundings = surroundings
        self._socket = socket
        self._pane = dict(pane)
        #: The pids of all sessions that were started.
        self._clients: set[int] = set()

    async def prepare(self, spec: TaskSpec) -> None:
        """Do nothing: a session starts with its task."""

    async def run(self, job: Job) -> Verdict | Trouble:
        """Do the job and return what the model recorded, or why that does not count."""
        surroundings = self._surroundings
        profile = surroundings.profile(job.spec)
        cookie, key = secrets.token_hex(16), secrets.token_hex(16)
        environ = {
            **surroundings.environment(profile, {CLIENT_COOKIE: cookie, HOOK_KEY: key}),
            # The conversation stays readable in the pane when the session is over.
            "CLAUDE_CODE_DISABLE_ALTERNATE_SCREEN": "1",
            # The folder's own settings are not read, so the trust dialog is not needed.
            **({} if profile.setting_sources else {"CLAUDE_CODE_SANDBOXED": "1"}),
        }
        trouble = surroundings.problem(profile, environ) or _expected_dialog(
            environ, surroundings.claude_config
        )
        if trouble is not None:
            return trouble
        turn = Turn(job.attempt.task_id, job.spec.schema, job.journal, job.checked)
        hooks = HookServer(turn, key)
        server = await asyncio.start_unix_server(hooks.hear, self._socket, limit=2**26)
        try:
            trouble, screen = await self._attend(job, hooks, profile, environ)
        finally:
            end_marked(CLIENT_COOKIE, cookie, grace=0.0)
            end_strays(but=frozenset(self._clients))
            server.close()
            self._socket.unlink(missing_ok=True)
            # Before the verdict: only the transcript tells which recordings are in one answer.
            _read_transcript(job, turn, hooks)
        await job.journal.settled()
        return await in_thread(
            lambda: turn.ended(trouble, listed=job.listed, evidence=lambda: screen)
        )

    async def close(self) -> None:
        """Do nothing: a session lives as long as its task."""

    async def _attend(
        self, job: Job, hooks: HookServer, profile: Profile, environ: Mapping[str, str]
    ) -> tuple[Trouble | None, str]:
        """Run a session; return its error, if any, and its last screen."""
        argv = self._argv(job, profile)
        with _terminal() as tty:
            process = await asyncio.create_subprocess_exec(
                *argv, stdin=tty, stdout=tty, stderr=tty, cwd=profile.cwd, env=dict(environ)
            )
            self._clients.add(process.pid)
            identity = ProcessIdentity.of(process.pid)
            exited = asyncio.ensure_future(process.wait())
            try:
                trouble = await self._wait_for_start(hooks, exited)
                if trouble is None:
                    over = asyncio.ensure_future(hooks.over.wait())
                    await asyncio.wait({over, exited}, return_when=asyncio.FIRST_COMPLETED)
                    over.cancel()
                    if not hooks.over.is_set():
                        trouble = self._screen_closed(process.returncode)
                    await asyncio.sleep(LINGER_S)
            except asyncio.CancelledError:
                # The attempt's time is over: keep what the screen shows now.
                job.journal.keep(OUTPUT, self._screen())
                raise
            finally:
                if identity is not None:
                    await _end(identity, exited)
        screen = self._screen()
        job.journal.keep(OUTPUT, screen)
        return trouble, screen

    def _argv(self, job: Job, profile: Profile) -> list[str]:
        settings = job.folder / "settings.json"
        own_files.write_new(settings, json.dumps(hook_settings(self._socket)).encode())
        options = [
            "--settings",
            str(settings),
            f"--setting-sources={','.join(profile.setting_sources)}",
            "--tools",
            ",".join(profile.tools),
            "--allowedTools",
            ",".join(profile.allowed),
            "--disallowedTools",
            ",".join(profile.denied),
            "--permission-mode",
            profile.permission_mode,
        ]
        if not profile.setting_sources:
            options.append("--strict-mcp-config")
        if profile.model:
            options += ["--model", profile.model]
        prompt = claude_prompt(
            job.attempt.task_id,
            job.spec.prompt,
            job.spec.schema,
            require_checked=job.spec.require_checked,
        )
        job.journal.keep(PROMPT, prompt)
        job.about(settings=profile.facts())
        return [str(self._surroundings.client), *options, "--", prompt]

    async def _wait_for_start(
        self, hooks: HookServer, exited: asyncio.Future[Any]
    ) -> Trouble | None:
        """Wait until the session starts; return why it does not, or None."""
        began: asyncio.Future[Any] = asyncio.ensure_future(hooks.began.wait())
        seen: dialogs.Dialog | None = None
        deadline = time.monotonic() + START_TIMEOUT_S
        try:
            while time.monotonic() < deadline:
                await asyncio.wait(
                    {began, exited}, timeout=POLL_INTERVAL_S, return_when=asyncio.FIRST_COMPLETED
                )
                if began.done():
                    return None
                screen = self._screen()
                if exited.done():
                    return self._screen_closed(exited.result())
                before, seen = seen, dialogs.on_screen(screen)
                if seen is not None and seen == before:
                    return dialogs.dialog_open(seen, screen)
        finally:
            began.cancel()
        message = f"interactive Claude Code did not start within {START_TIMEOUT_S:g} s"
        return Trouble(cause=Cause.DIALOG, message=message, evidence=self._screen())

    def _screen_closed(self, status: int | None) -> Trouble:
        message = f"interactive Claude Code ended (status {status}) before a verdict was recorded"
        return Trouble(cause=Cause.AGENT_FAILED, message=message, evidence=self._screen())

    def _screen(self) -> str:
        """Return what the pane shows; empty if tmux cannot be asked."""
        pane = self._pane.get("TMUX_PANE")
        tmux = shutil.which("tmux")
        if not pane or tmux is None:
            return ""
        try:
            shown = subprocess.run(
                [tmux, "capture-pane", "-p", "-t", pane],
                env={**self._surroundings.environ, **self._pane},
                capture_output=True,
                text=True,
                check=False,
                timeout=5,
            )
        except (OSError, subprocess.SubprocessError):
            return ""
        return "\n".join(line.rstrip() for line in shown.stdout.splitlines() if line.strip())


def _read_transcript(job: Job, turn: Turn, hooks: HookServer) -> None:
    """Keep the client's own transcript, and pass its events to the turn."""
    if hooks.transcript is None:
        return
    job.about(session=hooks.session_id)
    with contextlib.suppress(OSError):
        text = read_regular(hooks.transcript, MAX_TRANSCRIPT_BYTES).decode("utf-8", "replace")
        job.journal.keep(TRANSCRIPT, text)
        for event in events_of(text.splitlines()):
            turn.take_event(event)
        job.spent(turn.usage())
        job.tool_calls(turn.tool_calls or 0)
        job.about(transcript=TRANSCRIPT, **turn.facts)


def _expected_dialog(environ: Mapping[str, str], claude_config: str) -> Trouble | None:
    """Return the dialog that the client would show; write the state of a client never run."""
    config = Path(claude_config)
    chosen = environ.get("CLAUDE_CONFIG_DIR")
    state = config / ".claude.json" if chosen else config.parent / ".claude.json"
    legacy = config / ".config.json"
    try:
        if legacy.exists():
            return dialogs.expected(json.loads(legacy.read_bytes()), environ)
        with contextlib.suppress(FileExistsError), state.open("x", encoding="utf-8") as file:
            file.write(dialogs.first_state(environ))
        return dialogs.expected(json.loads(state.read_bytes()), environ)
    except (OSError, ValueError):
        # Unreadable, or being written just now: a dialog is found on the screen then.
        return None


@contextlib.contextmanager
def _terminal() -> Any:
    """Lend the worker's terminal to a client, and take it back as it was.

    It gets its own descriptor: the worker's is non-blocking, which a client takes for an error.
    """
    tty = os.open(os.ttyname(sys.stdin.fileno()), os.O_RDWR | os.O_NOCTTY)
    try:
        before = termios.tcgetattr(tty)
        # What was typed before is for nobody.
        termios.tcflush(tty, termios.TCIFLUSH)
        try:
            yield tty
        finally:
            # A killed client leaves the alternate screen, its modes and a hidden cursor.
            os.write(tty, b"\x1b[?1049l\x1b[?2004l\x1b[?1004l\x1b[?1000l\x1b[?25h\x1b[0m\r\n")
            termios.tcsetattr(tty, termios.TCSANOW, before)
    finally:
        os.close(tty)


async def _end(process: ProcessIdentity, exited: asyncio.Future[int]) -> None:
    """End a client in order, then by force, with all that it started."""
    if not exited.done():
        process.send(signal.SIGTERM)
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.wait([exited], timeout=TERM_GRACE_S)
    end_tree(process, grace=0.0)


def make(launch: LaunchFile, environ: MutableMapping[str, str]) -> InteractiveAgent:
    """Return the agent that a worker's launch file describes.

    Raises:
        AgentError: The worker has no terminal.
    """
    if not sys.stdin.isatty():
        message = "the worker has no terminal for interactive Claude Code"
        raise AgentError(Trouble(cause=Cause.DIALOG, message=message))
    return InteractiveAgent(
        surroundings_of(launch, environ),
        socket=ScratchPlaces(launch.scratch).hook_socket(launch.worker),
        pane={name: environ[name] for name in ("TMUX", "TMUX_PANE") if name in environ},
    )
