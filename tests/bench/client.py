"""The Claude Code that is measured: its command, and what it needs to speak to the stand-in."""

from __future__ import annotations

import os
import shlex
from importlib.util import find_spec
from pathlib import Path

#: Another Claude Code than claude-agent-sdk's own to measure all of this with.
OTHER_CLIENT = os.environ.get("TEST_CLAUDE_CODE", "")


def client_command() -> list[str]:
    """Return the command that our workers use."""
    if OTHER_CLIENT:
        return shlex.split(OTHER_CLIENT)
    sdk = find_spec("claude_agent_sdk")
    assert sdk is not None
    assert sdk.origin is not None
    return [str(Path(sdk.origin).parent / "_bundled" / "claude")]


def client_environment(folder: Path, url: str) -> dict[str, str]:
    """Return what the client needs to speak to the stand-in alone, with a home of its own."""
    home = folder / "home"
    home.mkdir(exist_ok=True)
    environ = {
        "HOME": str(home),
        "ANTHROPIC_BASE_URL": url,
        "ANTHROPIC_API_KEY": "sk-ant-dummy-key-of-the-benchmark-0123456789",
        "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
        "DISABLE_AUTOUPDATER": "1",
    }
    return environ | ({"CLAUDE_CODE": OTHER_CLIENT} if OTHER_CLIENT else {})
