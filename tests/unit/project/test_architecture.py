"""The rooms of the package, which of them may import which, and which modules only decide."""

from __future__ import annotations

import ast
import sys
from functools import cache
from pathlib import Path

import pytest

import pytest_ptc

PACKAGE = Path(pytest_ptc.__file__).parent
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.glob("**/*.py"))
}

#: Each room and the rooms that it may import, from the ground floor up.
ROOMS = {
    "text": set(),
    "model": {"text"},
    "verdicts": {"model", "text"},
    "planting": {"model", "text"},
    "system": {"model", "text"},
    "interfaces": {"model", "system", "text", "verdicts"},
    "journal": {"interfaces", "model", "system", "text", "verdicts"},
    "tasklist": {"interfaces", "model", "system"},
    "collection": {"model", "system", "text", "verdicts"},
    "inputs": {"interfaces", "model", "system", "tasklist", "text"},
    "hosts": {"interfaces", "model", "system"},
    "agents": {"interfaces", "journal", "model", "system", "text", "verdicts"},
    "coordinator": {"interfaces", "journal", "model", "system", "text", "verdicts"},
    "remote": {
        # A node runs an ordinary crew on an ordinary host.
        *("agents", "coordinator", "hosts", "inputs", "interfaces", "journal", "model", "system"),
        *("tasklist", "text"),
    },
    "runs": {"journal", "model", "system", "text"},
    "reporting": {"journal", "model", "text"},
    "hookspecs": {"interfaces", "model"},
    "worker": {
        *("agents", "interfaces", "journal", "model", "system", "text", "verdicts"),
    },
    "session": {
        *("agents", "collection", "coordinator", "hosts", "inputs", "interfaces", "journal"),
        *("model", "remote", "reporting", "runs", "system", "tasklist", "text"),
    },
    "cli": {
        # The items of `ptc run` are those that a suite would have.
        *("collection", "interfaces", "journal", "model", "planting", "reporting", "runs"),
        *("session", "text"),
        "verdicts",
    },
    "plugin": {"collection", "hookspecs", "interfaces", "model", "session", "text"},
}

#: Rooms and modules that only decide: no file, no process, no clock.
PURE = (
    "text",
    "model",
    "planting",
    "verdicts.endings",
    "verdicts.entries",
    "verdicts.fail_signs",
    "verdicts.places",
    "verdicts.recording",
    "verdicts.report_json",
    # Data that may take too long to check is checked by another process, in `schemas`.
    "verdicts.verdict_json",
    "system.git.hunks",
    "interfaces.messages",
    "interfaces.names",
    "interfaces.plain_json",
    "interfaces.recording",
    "interfaces.environment",
    "journal.event",
    "journal.events",
    "journal.run_events",
    "journal.seals",
    "journal.task_events",
    "journal.worker_events",
    "journal.judgements",
    "journal.outline",
    "tasklist.task_format",
    "inputs.fingerprint",
    "collection.cluster_options",
    "collection.front_matter",
    "collection.inline_tests",
    "collection.item_ids",
    "collection.known_file",
    "collection.needs",
    "collection.openapi",
    "collection.option",
    "collection.outcome_options",
    "collection.rows",
    "collection.self_test_keys",
    "collection.task_names",
    "coordinator.board",
    "coordinator.money",
    "coordinator.schedule",
    "coordinator.tasks",
    "coordinator.view",
    "coordinator.workers",
    "session.tickets",
    "remote.code_format",
    "remote.loopback_ports",
    "remote.paths",
    "reporting.document",
    "reporting.issues",
    "reporting.merged",
    "reporting.run_report",
    "reporting.shards",
    "reporting.statistics",
    "reporting.story",
    "reporting.wording",
    "reporting.formats",
    "reporting.page.axis",
    "reporting.page.drawing",
    "reporting.page.figures",
    "reporting.page.items",
    "reporting.page.markup",
    "reporting.page.plot",
    "reporting.page.spans",
    "reporting.page.timeline",
    "reporting.page.titles",
    "reporting.terminal.failure",
    "reporting.terminal.status",
    "reporting.terminal.summary",
    "agents.sandbox.arguments",
    "session.dask_choice",
    "session.sandboxing",
    "remote.fitness",
    "remote.transport",
    "agents.claude.diagnosis",
    "agents.claude.events",
    "agents.claude.narrative",
    "agents.claude.profile",
    "agents.claude.recorder",
    "agents.claude.sdk_messages",
    "agents.claude.transcript",
    "agents.claude.turn",
)
EFFECTS = {"os", "subprocess", "socket", "asyncio", "threading", "time", "shutil", "tempfile"}

#: Foreign packages that one place alone may touch.
EDGES = {
    "_pytest": ("system.pytest_internals",),
    "pytest": (
        *("plugin", "hookspecs", "collection", "session", "system.pytest_internals"),
        "reporting.terminal.progress",  # draws on pytest's own terminal
    ),
    "dask": ("remote.dask",),
    "distributed": ("remote.dask",),
    "libtmux": ("hosts.tmux",),
    "filelock": ("tasklist.locks",),
    "psutil": ("system",),
    "jsonschema": ("verdicts.schemas",),
    "yaml": ("collection.front_matter", "collection.known_file", "collection.openapi"),
    "wcmatch": ("system.patterns",),
    "wcwidth": ("text.printable",),
    "jinja2": ("reporting.page.templates",),
    "markupsafe": ("reporting.page",),
}


@cache
def imports_of(path: Path, *, typing_too: bool = True) -> frozenset[str]:
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
            found.update(
                name
                for alias in node.names
                if (name := f"{node.module}.{alias.name}").removeprefix("pytest_ptc.") in MODULES
            )
    return frozenset(found)


def own(names: frozenset[str]) -> set[str]:
    """Return which of our modules are among these names."""
    return {
        name.removeprefix("pytest_ptc.") for name in names if name.startswith("pytest_ptc.")
    } & set(MODULES)


def is_in(module: str, place: str) -> bool:
    """Tell whether a module is this place, or inside of it."""
    return module == place or module.startswith(f"{place}.")


def test_the_package_itself_holds_the_plugin_its_hooks_and_rooms() -> None:
    """Whoever opens the folder sees two modules and the rooms, each with its role in one line."""
    here = {path.name for path in PACKAGE.iterdir() if path.name != "__pycache__"}
    here.remove("claude_plugin")  # not Python: what Claude Code reads
    packages = {name for name in here if (PACKAGE / name).is_dir()}
    assert here - packages == {"__init__.py", "hookspecs.py", "plugin.py", "py.typed"}
    assert packages | {"hookspecs", "plugin"} == set(ROOMS)
    for name in packages:
        text = (PACKAGE / name / "__init__.py").read_text()
        assert ast.get_docstring(ast.parse(text)), name


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_what_the_table_allows(room: str) -> None:
    """No arrow is drawn that the table does not have, for types neither."""
    used = {
        other.split(".")[0]
        for name, path in MODULES.items()
        if name.split(".")[0] == room
        for other in own(imports_of(path))
    } - {room}
    assert used <= ROOMS[room]


def test_the_table_has_no_circle() -> None:
    """Each room imports what is above it in the table, so nothing leads back."""
    above: set[str] = set()
    for room, allowed in ROOMS.items():
        assert allowed <= above, room
        above.add(room)


@pytest.mark.parametrize("place", PURE)
def test_what_only_decides_has_no_effects(place: str) -> None:
    """No file, process, socket, thread or clock is within reach of a decision."""
    modules = [path for name, path in MODULES.items() if is_in(name, place)]
    assert modules
    for path in modules:
        names = {name.split(".")[0] for name in imports_of(path, typing_too=False)}
        assert not names & EFFECTS, path
        # A parser of texts is no effect, nor is a table of widths.
        libraries = {"jinja2", "markupsafe", "msgspec", "wcwidth", "yaml"}
        assert names <= {*sys.stdlib_module_names, "pytest_ptc", *libraries}, path


@pytest.mark.parametrize("package", EDGES)
def test_a_foreign_package_is_touched_at_its_edge_alone(package: str) -> None:
    """What another project may change reaches one place of ours."""
    users = {
        name
        for name, path in MODULES.items()
        if any(entry.split(".")[0] == package for entry in imports_of(path))
    }
    assert users
    assert {
        user for user in users if not any(is_in(user, place) for place in EDGES[package])
    } == set()


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
