"""What tests with the real client need beside it."""

from __future__ import annotations

import contextlib
import json
import os
import threading
import time
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


def client() -> str:
    """Return the Claude Code that these tests run with."""
    sdk = find_spec("claude_agent_sdk")
    assert sdk is not None
    assert sdk.origin is not None
    return os.environ.get("CLAUDE_CODE") or str(Path(sdk.origin).parent / "_bundled" / "claude")


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
