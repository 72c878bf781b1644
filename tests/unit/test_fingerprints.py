"""What a task's verdict depends on."""

from __future__ import annotations

import os
import subprocess
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pytest_ptc import fingerprints
from pytest_ptc.fingerprints import fingerprint
from pytest_ptc.model import TaskSpec

AGENT: dict[str, Any] = {"agent": "command", "argv": ["python", "tool.py"]}


@pytest.fixture
def spec(tmp_path: Path) -> TaskSpec:
    """A task in a folder with some files."""
    names = ("tool.py", "src/a.py", "src/deep/b.py", "src/node_modules/c.js", "pr\u00fcf.md")
    for name in names:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("1")
    return TaskSpec(nodeid="t.py::test_x", prompt="Look at src/a.py.", timeout=3, cwd=str(tmp_path))


def changes(spec: TaskSpec, path: Path, agent: dict[str, Any] = AGENT) -> bool:
    """Tell whether the fingerprint changes with the content of this file."""
    before = fingerprint(spec, agent)
    assert before is not None
    path.write_text(f"{path.read_text()}2")
    after = fingerprint(spec, agent)
    return after != before


@pytest.mark.parametrize(
    ("words", "name"),
    [
        pytest.param("Look at src/a.py.", "src/a.py", id="end-of-sentence"),
        pytest.param("(src/a.py:12:3) is bad", "src/a.py", id="place"),
        pytest.param("`src/a.py`, please", "src/a.py", id="quoted"),
        pytest.param('{"path": "src/a.py"}', "src/a.py", id="json"),
        pytest.param("./src/../src/a.py", "src/a.py", id="roundabout"),
        pytest.param("all of src", "src/deep/b.py", id="folder"),
        pytest.param("all of src/", "src/a.py", id="folder-with-slash"),
        pytest.param("all of src/**/*.py", "src/deep/b.py", id="pattern"),
        pytest.param("pr\u00fcf.md!", "pr\u00fcf.md", id="not-ascii"),
        pytest.param("nothing", "tool.py", id="file-of-the-agents-command"),
    ],
)
def test_the_content_of_a_named_file_counts(spec: TaskSpec, words: str, name: str) -> None:
    """However a text names it."""
    assert changes(replace(spec, prompt=words), Path(spec.cwd, name))


@pytest.mark.parametrize(
    ("words", "name"),
    [
        pytest.param("src/a.py", "src/deep/b.py", id="another-file"),
        pytest.param("all of src", "src/node_modules/c.js", id="made-by-tools"),
        pytest.param(". and / and ..", "src/a.py", id="everything-is-no-name"),
    ],
)
def test_what_is_not_named_does_not_count(spec: TaskSpec, words: str, name: str) -> None:
    """A task that is about one file is not done again for another."""
    assert not changes(replace(spec, prompt=words), Path(spec.cwd, name))


def test_a_parameter_names_files_too(spec: TaskSpec) -> None:
    """As a suite over files has it."""
    named = replace(spec, prompt="Look.", params={"path": ["src/a.py", 1, None]})
    assert changes(named, Path(spec.cwd, "src/a.py"))


@pytest.mark.parametrize(
    ("change", "same"),
    [
        pytest.param({"timeout": 9}, True, id="timeout"),
        pytest.param({"retries": 9}, True, id="retries"),
        pytest.param({"needs": ("x",)}, True, id="needs"),
        pytest.param({"gate": False}, True, id="gate"),
        pytest.param({"prompt": "Look at src/a.py!"}, False, id="prompt"),
        pytest.param({"params": {"x": 1}}, False, id="params"),
        pytest.param({"env": {"A": "1"}}, False, id="env"),
        pytest.param({"model": "m"}, False, id="model"),
        pytest.param({"tools": ("Bash",)}, False, id="tools"),
        pytest.param({"schema": {}}, False, id="schema"),
        pytest.param({"require_evidence": True}, False, id="require_evidence"),
    ],
)
def test_what_the_agent_is_told_and_allowed_counts(
    spec: TaskSpec, change: dict[str, Any], *, same: bool
) -> None:
    """How long and how often it may try, and what its test makes of it, does not."""
    assert (fingerprint(replace(spec, **change), AGENT) == fingerprint(spec, AGENT)) is same


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "127.1.2.3", "[::1]"])
def test_the_port_of_a_server_on_this_machine_does_not_count(spec: TaskSpec, host: str) -> None:
    """A suite's own server gets another one in each session; anything else of an address counts."""

    def at(address: str) -> str | None:
        url = f"http://{address}/api"
        return fingerprint(replace(spec, prompt=f"Test {url}", params={"url": url}), AGENT)

    assert at(f"{host}:4001") == at(f"{host}:4002")
    assert at(f"{host}:4001") != at(f"other-{host}:4001")
    assert at("example.org:4001") != at("example.org:4002")


def test_another_agent_is_another_judge(spec: TaskSpec) -> None:
    """A verdict of one does not stand for the other."""
    assert fingerprint(spec, AGENT) != fingerprint(spec, {**AGENT, "agent": "claude"})


@pytest.mark.parametrize(
    ("limit", "value"), [("MOST_FILES", 1), ("MOST_BYTES", 1), ("MOST_WORDS", 2)]
)
def test_a_task_that_names_too_much_has_none(
    spec: TaskSpec, monkeypatch: pytest.MonkeyPatch, limit: str, value: int
) -> None:
    """What cannot be compared is done again."""
    monkeypatch.setattr(fingerprints, limit, value)
    assert fingerprint(replace(spec, prompt="all of src, and more"), AGENT) is None


def test_a_file_that_cannot_be_read_is_not_one_that_can(spec: TaskSpec) -> None:
    """A pipe, or a file that is gone while it is looked at, breaks nothing."""
    os.mkfifo(f"{spec.cwd}/pipe")
    assert fingerprint(replace(spec, prompt="read pipe"), AGENT) is not None
    Path(spec.cwd, "link").symlink_to("link")
    assert fingerprint(replace(spec, prompt="read link \0 ~ *** [x"), AGENT) is not None


def test_without_a_named_file_the_working_tree_counts(tmp_path: Path) -> None:
    """As git has it; outside of git there is nothing to compare."""
    spec = TaskSpec(nodeid="t", prompt="Review it.", timeout=1, cwd=str(tmp_path))
    fingerprints._tree.cache_clear()
    before = fingerprint(spec, {})
    subprocess.run(["git", "init", "-q", str(tmp_path)], check=True)
    (tmp_path / "new.txt").touch()
    fingerprints._tree.cache_clear()
    assert fingerprint(spec, {}) != before
