"""The arrows between modules point down, as the README's map of the package has it."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

import pytest

import pytest_ptc

PACKAGE = Path(pytest_ptc.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.glob("**/*.py"))
}
#: Modules that only decide: no file, no process, no clock, no other library.
PURE = {
    "model": set(),
    "states": {"errors", "model"},
    "seals": set(),
    "redaction": {"secret_names"},
    "secret_names": set(),
    "errors": {"text"},
    "ids": {"text"},
    "patterns": {"errors"},
    "front_matter": set(),
    "prompts": set(),
    "wire": set(),
    "text": set(),
    "interfaces": {"model"},
    # Not pure in one thing: data that may take too long to check is checked by another process.
    "verdicts": {"errors", "model", "schemas", "text", "untrusted"},
    "fail_signs": set(),
    "endings": {"model", "verdicts"},
    "environment": {"model"},
    "coordinator.board": {"errors", "model", "states"},
    "coordinator.schedule": {"coordinator.board", "model", "states", "text"},
    "tasklist.record": {"errors"},
    "gate": {"model"},
    "identity": set(),
    "needs": {"errors"},
    "promises": {"errors", "model"},
    "item_states": {"model"},
    "reporting.wording": {"item_states", "model", "text"},
    "reporting.status": {"model", "reporting.wording", "states", "text"},
    "reporting.items": {"model", "reporting.wording", "text"},
    "reporting.summary": {"item_states", "model", "reporting.wording", "text"},
    "reporting.document": {"item_states", "model"},
    "reporting.issues": {"item_states", "model", "reporting.document", "reporting.wording", "text"},
    "reporting.gitlab": {"errors", "model", "reporting.issues"},
    "reporting.github": {
        "item_states",
        "model",
        "reporting.document",
        "reporting.issues",
        "reporting.wording",
        "text",
    },
    "reporting.sarif": {"errors", "model", "reporting.issues", "reporting.wording"},
    "reporting.figures": set(),
    "reporting.markup": {"text"},
    "reporting.standing": {"item_states", "model", "reporting.document"},
    "reporting.page_timeline": {
        "item_states",
        "reporting.figures",
        "reporting.markup",
        "reporting.standing",
    },
    "reporting.page_items": {
        "reporting.document",
        "reporting.figures",
        "reporting.markup",
        "reporting.standing",
        "text",
    },
    "reporting.html": {
        "reporting.figures",
        "reporting.markup",
        "reporting.page_items",
        "reporting.page_timeline",
        "reporting.standing",
        "text",
    },
    "agents.claude.recorder": {"errors", "fail_signs", "model", "verdicts"},
    "agents.claude.events": {"model"},
    "agents.claude.diagnosis": {"model"},
    "agents.claude.narrative": {"agents.claude.events"},
    "agents.claude.profile": {"agents.claude.diagnosis", "environment", "model"},
}
NO_INPUT_OR_OUTPUT = {"os", "subprocess", "socket", "asyncio", "threading", "time", "shutil"}


def imports_of(path: Path, *, typing_too: bool = True) -> set[str]:
    """Return the full names of all modules that a file imports, at any depth."""
    tree = ast.parse(path.read_text())
    skipped: set[ast.AST] = set()
    if not typing_too:
        for node in ast.walk(tree):
            if isinstance(node, ast.If) and getattr(node.test, "id", "") == "TYPE_CHECKING":
                skipped.update(inner for entry in node.body for inner in ast.walk(entry))
    found: set[str] = set()
    for node in ast.walk(tree):
        if node in skipped:
            continue
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
            if node.module == "pytest_ptc":
                found.update(f"pytest_ptc.{alias.name}" for alias in node.names)
    return found


def own(names: set[str]) -> set[str]:
    """Return which of our modules are among these names."""
    return {
        name.removeprefix("pytest_ptc.") for name in names if name.startswith("pytest_ptc.")
    } & set(MODULES)


@pytest.mark.parametrize("name", PURE)
def test_pure_modules_import_the_standard_library_and_what_is_below(name: str) -> None:
    """A module that decides imports no effects, no other library, and only what is named here."""
    names = imports_of(MODULES[name], typing_too=False)
    assert own(names) <= PURE[name]
    foreign = {entry.split(".")[0] for entry in names} - {"pytest_ptc"}
    # jsonschema checks data against a schema: a decision, and a library's.
    # Wcmatch matches names, and yaml reads a text.
    assert foreign <= set(sys.stdlib_module_names) | {"jsonschema", "wcmatch", "yaml"}
    assert not foreign & NO_INPUT_OR_OUTPUT


def test_the_coordinator_knows_no_concrete_host_agent_or_pytest() -> None:
    """The coordinator is given its host, list and journal; it never chooses them."""
    for name, path in MODULES.items():
        if name.startswith("coordinator."):
            names = imports_of(path)
            assert not {entry for entry in own(names) if entry.startswith(("hosts", "agents"))}
            assert not {entry for entry in names if entry.split(".")[0] in ("pytest", "_pytest")}
            assert "tasklist.store" not in own(names)


@pytest.mark.parametrize("kind", ["hosts", "agents"])
def test_hosts_and_agents_do_not_know_each_other(kind: str) -> None:
    """What can be replaced depends on the seams, not on its siblings or on who uses it."""
    users = {"plugin", "runner", "live", "assembly", "worker", "submission", "outcomes"}
    for name, path in MODULES.items():
        if name.startswith(f"{kind}."):
            used = own(imports_of(path))
            assert not used & users
            assert not {u for u in used if u.startswith(("coordinator", "reporting", "tasklist"))}
            other = "agents" if kind == "hosts" else "hosts"
            assert not {u for u in used if u.startswith(f"{other}.")}


def test_only_one_module_touches_what_pytest_does_not_document() -> None:
    """`_pytest` is imported in `internals.py` and nowhere else."""
    users = {
        name for name, path in MODULES.items() if any("_pytest" in i for i in imports_of(path))
    }
    assert users == {"internals"}


def test_no_module_imports_in_a_circle() -> None:
    """Following imports at run time never leads back."""
    graph = {name: own(imports_of(path, typing_too=False)) for name, path in MODULES.items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, f"{' -> '.join((*path, name))}"
        if name not in done:
            for below in graph[name]:
                visit(below, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())
