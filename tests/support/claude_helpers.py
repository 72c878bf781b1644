"""What tests with the real client need beside it."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


def client() -> str:
    """Return the Claude Code that these tests run with."""
    sdk = find_spec("claude_agent_sdk")
    assert sdk is not None
    assert sdk.origin is not None
    return os.environ.get("CLAUDE_CODE") or str(Path(sdk.origin).parent / "_bundled" / "claude")


def session_of_a_person(
    cwd: Path, prompt: str, script: Sequence[str], *, tools: Sequence[str], **env: str
) -> None:
    """Have a session that is none of ours do what a script says, and wait for its end.

    Args:
        cwd: Where it is started.
        prompt: What it is asked.
        script: What its model does, line by line.
        tools: What it may use.
        env: Variables of its environment, beside those of the tests.
    """
    quiet = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1", "DISABLE_AUTOUPDATER": "1"}
    lines = "\n".join([prompt, *(f"> {line}" for line in script)])
    subprocess.run(
        [client(), "-p", lines, "--allowedTools", *tools],
        env={**os.environ, **quiet, **env},
        cwd=cwd,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        check=True,
        timeout=60,
    )


def shell(command: str) -> str:
    """Return a script's line that runs a command."""
    return f"use Bash {json.dumps({'command': command})}"


def until(condition: str) -> str:
    """Return the command that waits for a condition of the shell's."""
    return f"until {condition}; do sleep 0.05; done"


@contextlib.contextmanager
def meanwhile(act: Callable[[], None]) -> Iterator[None]:
    """Act in a thread while pytest runs in this one."""
    problems: list[BaseException] = []

    def acting() -> None:
        try:
            act()
        except BaseException as error:  # noqa: BLE001 - raised again below
            problems.append(error)

    thread = threading.Thread(target=acting, daemon=True)
    thread.start()
    yield
    thread.join(60)
    assert not thread.is_alive()
    if problems:
        raise problems[0]


def wait_for(path: Path) -> None:
    """Wait for a file that a scripted agent makes."""
    wait_until(path.exists)


def wait_until(condition: Callable[[], object]) -> None:
    """Wait for something that nobody tells of."""
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
