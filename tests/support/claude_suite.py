"""A suite whose workers are Claude Code, against a loopback stand-in of its API."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.instructions import claude_prompt
from tests.support.suite import Suite

if TYPE_CHECKING:
    import pytest

    from tests.support.messages_api import MessagesApi, Request


#: Another Claude Code than claude-agent-sdk's own to run all of this with.
OTHER_CLIENT = os.environ.get("TEST_CLAUDE_CODE", "")


class ClaudeSuite(Suite):
    """A project whose marked tests are prompts with a script for the model.

    Args:
        pytester: Pytest's own.
        api: The stand-in of the Messages API.
        host: The host that its runs use.
    """

    def __init__(self, pytester: pytest.Pytester, api: MessagesApi, host: str = "process") -> None:
        super().__init__(pytester, host)
        self.api = api
        self.ini()

    def ini(self, *lines: str, retries: int = 1) -> None:
        """Write the ini file: agent `claude`, its client trying a failed request once more."""
        self.pytester.makeini(
            f"[pytest]\nptc_agent = claude\nptc_host = {self.host}\nptc_timeout = 60\n"
            f"ptc_env = CLAUDE_CODE_MAX_RETRIES={retries}\n" + "\n".join(lines)
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

    def reports(self) -> dict[str, dict[str, Any]]:
        """Return the last attempt's report of every task of the last run, by test."""
        found = {}
        for folder in sorted((self.runs[-1] / "attempts").iterdir(), key=lambda path: path.name):
            nodeid = json.loads((folder / "task.json").read_bytes())["spec"]["nodeid"]
            found[nodeid.rpartition("::test_")[2]] = json.loads(
                (folder / "report.json").read_bytes()
            )
        return found

    def ended(self) -> dict[str, str]:
        """Return the verdict or the cause of the trouble of every task, by test."""
        return {
            name: (report["verdict"] or {}).get("verdict") or report["trouble"]["cause"]
            for name, report in self.reports().items()
        }

    def said_to_model(self, name: str) -> list[str]:
        """Return what the model was told in the task of this test, the prompt first."""
        requests = self.requests_of(name)
        return requests[-1].texts if requests else []

    def requests_of(self, name: str) -> list[Request]:
        """Return the requests that the task of this test has cost, in order."""
        script = self.prompt_of(name)
        return [request for request in self.api.requests if request.prompt == script]

    def prompt_of(self, name: str) -> str:
        """Return what Claude Code was sent for this test."""
        for folder in (self.runs[-1] / "attempts").iterdir():
            task = json.loads((folder / "task.json").read_bytes())
            if task["spec"]["nodeid"].endswith(f"::test_{name}"):
                spec = task["spec"]
                required = spec["require_checked"]
                asked = spec["prompt"], spec["schema"]
                return claude_prompt(task["task"], *asked, require_checked=required)
        raise AssertionError(f"there is no attempt at {name}")
