"""Whether this machine's Node runs a client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_ptc.agents.acp.clients import CLIENTS
from pytest_ptc.agents.acp.node import node_problem
from pytest_ptc.agents.registry import choose_agent
from pytest_ptc.model.errors import ConfigError
from tests.unit.agents.acp.test_setup import request_of

if TYPE_CHECKING:
    from pathlib import Path


def program(folder: Path, name: str, text: str) -> str:
    """Write a program."""
    file = folder / name
    file.write_text(text)
    file.chmod(0o755)
    return str(file)


def node_that_says(folder: Path, version: str) -> str:
    """Put a Node of this version on PATH, and return PATH."""
    program(folder, "node", f"#!/bin/sh\necho {version}\n")
    return str(folder)


@pytest.mark.parametrize(
    ("begins", "version", "minimum", "problem"),
    [
        ("#!/usr/bin/env node", "v20.0.0", 20, None),
        ("#!/usr/bin/env node", "v22.1.0", 20, None),
        ("#!/usr/bin/env node", "v18.20.8", 20, "needs Node 20 or newer, and "),
        ("#!/usr/bin/env -S node --no-warnings", "v18.20.8", 20, "says 'v18.20.8'"),
        ("#! /usr/bin/env node", "v9.1.0", 10, "v9.1.0"),
        ("#!/usr/bin/env node", "v18.20.8", 0, None),
        ("#!/usr/bin/env node", "not what it says", 20, "says 'not what it says'"),
        ("#!/usr/bin/env nodejs-like", "v1.0.0", 20, None),
        ("#!/usr/bin/env python3", "v1.0.0", 20, None),
        ("\x7fELF node", "v1.0.0", 20, None),
        ("", "v1.0.0", 20, None),
    ],
)
def test_a_script_for_node_needs_one_that_is_new_enough(
    begins: str, version: str, minimum: int, problem: str | None, tmp_path: Path
) -> None:
    """No other program is asked for one."""
    file = program(tmp_path, "client", f"{begins}\n")
    said = node_problem(file, minimum, {"PATH": node_that_says(tmp_path, version)})
    assert said is None if problem is None else problem in str(said)


@pytest.mark.parametrize("begins", ["#!/usr/bin/env node", "#!/no/such/node"])
def test_without_node_the_message_says_so(begins: str, tmp_path: Path) -> None:
    """Whatever the client needs of it."""
    file = program(tmp_path, "client", f"{begins}\n")
    assert "there is no " in str(node_problem(file, 0, {"PATH": str(tmp_path)}))


def test_node_itself_may_be_the_program(tmp_path: Path) -> None:
    """As where somebody has several: its script is one of its arguments."""
    environ = {"PATH": node_that_says(tmp_path, "v18.20.8")}
    for named in ("node", str(tmp_path / "node")):
        assert "v18.20.8" in str(node_problem(named, 20, environ))


@pytest.mark.parametrize("client", [one for one in CLIENTS if one.node], ids=lambda one: one.name)
def test_a_known_client_is_refused_before_anything_starts(
    client: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its package says what it needs; the message has the fix."""
    (known,) = [one for one in CLIENTS if one is client]
    program(tmp_path, known.argv[0], "#!/usr/bin/env node\n")
    path = node_that_says(tmp_path, "v18.20.8")
    monkeypatch.setenv("PATH", path)
    asked = request_of(tmp_path, {"PATH": path}, agent=f"acp:{known.name}")
    with pytest.raises(ConfigError, match=r"Node 20 or newer.*v18\.20\.8.*--ptc-acp-command"):
        choose_agent(asked)
