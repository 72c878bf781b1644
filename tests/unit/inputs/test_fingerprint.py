"""What a task's verdict depends on besides files."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pytest_ptc.inputs.fingerprint import changed_parts, fingerprint, model_variables
from pytest_ptc.model.self_test import SelfTest
from pytest_ptc.model.task import TaskSpec

AGENT: dict[str, Any] = {"program": ["python", "tool.py"], "model variables": {}}
SPEC = TaskSpec(
    nodeid="t.py::test_x", source="t.py", prompt="Look at src/a.py.", timeout=3, cwd="/repo/app"
)


def changed(change: dict[str, Any], agent: dict[str, Any] = AGENT) -> list[str]:
    """Return which parts differ when this of the task, or the agent, is another."""
    now = fingerprint(replace(SPEC, **change), agent, "/repo")
    return changed_parts(fingerprint(SPEC, AGENT, "/repo"), now)


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        pytest.param({"timeout": 9}, [], id="timeout"),
        pytest.param({"retries": 9}, [], id="retries"),
        pytest.param({"needs": ("x",)}, [], id="needs"),
        pytest.param({"group": "x"}, [], id="group"),
        pytest.param({"gate": False}, [], id="gate"),
        pytest.param({"fail_on": "high"}, [], id="fail_on"),
        pytest.param({"self_test": SelfTest(kind="control")}, [], id="self_test"),
        pytest.param({"alias": "item 1"}, [], id="alias"),
        pytest.param({"source": "u.py"}, ["identity"], id="source"),
        pytest.param({"prompt": "Look at src/a.py!"}, ["prompt"], id="prompt"),
        pytest.param({"params": {"x": 1}}, ["parameters"], id="params"),
        pytest.param({"cwd": "/repo"}, ["settings"], id="cwd"),
        pytest.param({"cwd": "/repository/app"}, ["settings"], id="cwd-outside"),
        pytest.param({"env": {"A": "1"}}, ["settings"], id="env"),
        pytest.param({"model": "m"}, ["settings"], id="model"),
        pytest.param({"tools": ("Bash",)}, ["settings"], id="tools"),
        pytest.param({"schema": {}}, ["settings"], id="schema"),
        pytest.param({"ref": "f" * 40}, ["commit under review"], id="ref"),
        pytest.param({"base": "f" * 40}, ["commit under review"], id="base"),
        pytest.param({"require_evidence": True}, ["settings"], id="require_evidence"),
        pytest.param({"model": "m", "prompt": "x"}, ["prompt", "settings"], id="two"),
    ],
)
def test_each_part_is_told_apart(change: dict[str, Any], parts: list[str]) -> None:
    """How long and how often it may try, and what its test makes of it, is in none of them."""
    assert sorted(changed(change)) == sorted(parts)


def test_another_agent_is_another_judge() -> None:
    """By what it is, or by what chooses its model; a part that is gone or new counts, too."""
    assert changed({}, {**AGENT, "program": ["other"]}) == ["agent: program"]
    assert changed({}, {**AGENT, "model variables": {"X_MODEL": "m"}}) == ["agent: model variables"]
    assert changed({}, {"program": AGENT["program"]}) == ["agent: model variables"]
    assert changed({}, {**AGENT, "more": 1}) == ["agent: more"]


def test_another_place_of_the_same_checkout_is_the_same() -> None:
    """A job may take over from another one whose checkout lies elsewhere."""
    there = replace(SPEC, cwd="/elsewhere/app")
    assert fingerprint(there, AGENT, "/elsewhere") == fingerprint(SPEC, AGENT, "/repo")


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3", "[::1]"])
def test_the_port_of_a_server_on_this_machine_does_not_count(host: str) -> None:
    """A suite's own server gets another one in each session; anything else of an address counts."""

    def at(address: str) -> dict[str, str]:
        url = f"http://{address}/api"
        told = replace(SPEC, prompt=f"Test {url}", params={"url": url})
        return fingerprint(told, AGENT, "/repo")

    assert at(f"{host}:4001") == at(f"{host}:4002")
    assert at(f"{host}:4001") != at(f"other-{host}:4001")
    assert at("example.org:4001") != at("example.org:4002")


def test_variables_that_choose_the_model() -> None:
    """Theirs is a part of the verdict; keys are no part of it, and stand nowhere."""
    environ = {
        "ANTHROPIC_MODEL": "m",
        "ANTHROPIC_BASE_URL": "http://x",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "OPENAI_MODEL": "n",
        "ANTHROPIC_API_KEY": "sk-secret",
        "HOME": "/home/n",
        "SOME_TOKEN": "t",
    }
    assert model_variables(environ) == {
        "ANTHROPIC_API_KEY": "set",
        "ANTHROPIC_BASE_URL": "http://x",
        "ANTHROPIC_MODEL": "m",
        "CLAUDE_CODE_USE_BEDROCK": "1",
        "OPENAI_MODEL": "n",
    }
