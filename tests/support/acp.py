"""The real clients of agent `acp`, against a stand-in of their APIs.

They come from npm, as `tests/data/acp` pins them.
"""

from __future__ import annotations

import json
import shlex
from functools import cache
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.acp.clients import client_named
from tests.support.npm import installed
from tests.support.suite import Suite

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import pytest

    from tests.support.model_apis import ModelApis


@cache
def command_of(name: str) -> tuple[str, ...]:
    """Return the command of a client, installed if it was not yet."""
    program, *words = client_named(name).argv
    return (str(installed(f"acp/{name}") / ".bin" / program), *words)


def shell(name: str, command: str) -> str:
    """Return a script's line in which a client's model runs a command."""
    tool, key = _SHELLS[name]
    # Codex runs it in a sandbox where no test would see it; it asks for this.
    outside = {"sandbox_permissions": "require_escalated", "justification": "a test"}
    more = outside if name == "codex" else {"description": "a command of a test"}
    return f"use {tool} {json.dumps({key: command, **more})}"


def read(name: str, path: Path) -> str:
    """Return a script's line in which a client's model reads a file."""
    tool, key = _READERS[name]
    return f"use {tool} {json.dumps({key: f'cat {path}' if name == 'codex' else str(path)})}"


def write(name: str, path: Path) -> str:
    """Return a script's line in which a client's model writes a file."""
    tool, key, content = _WRITERS[name]
    return f"use {tool} {json.dumps({key: str(path), content: 'written'})}"


def delegate(name: str, prompt: str) -> str:
    """Return a script's line in which a client's model has another agent do something."""
    tool, key, more = _DELEGATES[name]
    return f"use {tool} {json.dumps({key: prompt, **more})}"


def environment_of(name: str, url: str) -> Mapping[str, str]:
    """Return the variables by which a user would point a client at the stand-in."""
    return _ENVIRONMENTS[name](url)


def with_model(environ: Mapping[str, str], model: str) -> Mapping[str, str]:
    """Return the variables of codex with one of its own models."""
    config = {**json.loads(environ["CODEX_CONFIG"]), "model": model}
    return {**environ, "CODEX_CONFIG": json.dumps(config)}


def _codex(url: str) -> Mapping[str, str]:
    provider = {
        "name": "stand-in",
        "base_url": f"{url}/v1",
        "env_key": "OPENAI_API_KEY",
        "wire_api": "responses",
        "request_max_retries": 0,
        "stream_max_retries": 0,
    }
    config = {"model": "stand-in", "model_providers": {"standin": provider}}
    return {
        "OPENAI_API_KEY": "sk-dummy",
        "CODEX_CONFIG": json.dumps({**config, "model_provider": "standin"}),
        "MODEL_PROVIDER": "standin",
    }


def _gemini(url: str) -> Mapping[str, str]:
    # With a model of its own choice, it asks another one which to choose.
    return {
        "GEMINI_API_KEY": "dummy",
        "GOOGLE_GEMINI_BASE_URL": url,
        "GEMINI_MODEL": "gemini-2.5-pro",
    }


def _copilot(url: str) -> Mapping[str, str]:
    return {
        "COPILOT_PROVIDER_BASE_URL": f"{url}/v1",
        "COPILOT_PROVIDER_API_KEY": "dummy",
        "COPILOT_PROVIDER_TYPE": "openai",
        "COPILOT_MODEL": "stand-in",
        "COPILOT_OFFLINE": "true",
    }


def _qwen(url: str) -> Mapping[str, str]:
    return {
        "OPENAI_API_KEY": "sk-dummy",
        "OPENAI_BASE_URL": f"{url}/v1",
        "OPENAI_MODEL": "stand-in",
    }


def _opencode(url: str) -> Mapping[str, str]:
    provider = {
        "npm": "@ai-sdk/openai-compatible",
        "name": "stand-in",
        "options": {"baseURL": f"{url}/v1", "apiKey": "dummy"},
        "models": {"stand-in": {"name": "stand-in"}},
    }
    model = "standin/stand-in"
    config = {"provider": {"standin": provider}, "model": model, "small_model": model}
    return {"OPENCODE_CONFIG_CONTENT": json.dumps(config)}


_SHELLS = {
    "codex": ("exec_command", "cmd"),
    "gemini": ("run_shell_command", "command"),
    "copilot": ("bash", "command"),
    "qwen": ("run_shell_command", "command"),
    "opencode": ("bash", "command"),
}
_READERS = {
    "codex": ("exec_command", "cmd"),
    "gemini": ("read_file", "file_path"),
    "copilot": ("view", "path"),
    "qwen": ("read_file", "file_path"),
    "opencode": ("read", "filePath"),
}
_WRITERS = {
    "gemini": ("write_file", "file_path", "content"),
    "copilot": ("create", "path", "file_text"),
    "qwen": ("write_file", "file_path", "content"),
    "opencode": ("write", "filePath", "content"),
}
_DELEGATES: Mapping[str, tuple[str, str, Mapping[str, str]]] = {
    "codex": ("spawn_agent", "message", {}),
    "gemini": ("invoke_agent", "prompt", {"agent_name": "generalist"}),
    "copilot": (
        "task",
        "prompt",
        {"agent_type": "general-purpose", "description": "do it", "name": "helper", "mode": "sync"},
    ),
    "qwen": ("agent", "prompt", {"subagent_type": "general-purpose", "description": "do it now"}),
    "opencode": ("task", "prompt", {"subagent_type": "general", "description": "do it"}),
}
_ENVIRONMENTS = {
    "codex": _codex,
    "gemini": _gemini,
    "copilot": _copilot,
    "qwen": _qwen,
    "opencode": _opencode,
}


class AcpSuite(Suite):
    """A project whose marked tests are prompts with a script for the model of a known client.

    Args:
        pytester: Pytest's own.
        api: The stand-in of the client's API.
        name: The client.
    """

    def __init__(self, pytester: pytest.Pytester, api: ModelApis, name: str = "codex") -> None:
        super().__init__(pytester)
        self.api = api
        self.name = name
        pytester.makeini(
            f"[pytest]\nptc_agent = acp:{name}\nptc_host = process\nptc_timeout = 60\n"
            f"ptc_acp_command = {shlex.join(command_of(name))}\n"
        )

    def tasks(self, **scripts: str | tuple[str, dict[str, Any]]) -> None:
        """Write a test for each script; with marker keywords where it is a pair."""
        lines = []
        for name, given in scripts.items():
            script, options = given if isinstance(given, tuple) else (given, {})
            text = "Look at it.\n" + "\n".join(f"> {line}" for line in script.splitlines())
            said = "".join(f", {key}={value!r}" for key, value in options.items())
            lines.append(f"@pytest.mark.ptc({text!r}{said})\ndef test_{name}(): pass\n")
        self.write(test_it="\n".join(lines))

    def reports(self) -> dict[str, list[dict[str, Any]]]:
        """Return the reports of all attempts of the last run, by test."""
        found: dict[str, list[dict[str, Any]]] = {}
        for folder in sorted((self.runs[-1] / "attempts").iterdir()):
            nodeid = json.loads((folder / "task.json").read_bytes())["spec"]["nodeid"]
            report = json.loads((folder / "report.json").read_bytes())
            found.setdefault(nodeid.rpartition("::test_")[2], []).append(report)
        return found

    def ended(self) -> dict[str, list[str]]:
        """Return the verdict or the cause of every attempt, by test."""
        return {
            name: [(one["verdict"] or {}).get("verdict") or one["trouble"]["cause"] for one in all_]
            for name, all_ in self.reports().items()
        }
