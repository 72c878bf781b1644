"""From collected items to tasks: their names, their needs, and what is wrong with them."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.marker import read_marker
from pytest_ptc.collection.needs import is_of_a_file, match_needs
from pytest_ptc.collection.task_names import task_names
from pytest_ptc.model.errors import MarkerError
from pytest_ptc.system import pytest_internals

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from pytest_ptc.collection.marker import MarkedTask
    from pytest_ptc.model.settings import Settings


@dataclass(frozen=True, kw_only=True, slots=True)
class CollectedTasks:
    """The tasks of a session's items.

    Args:
        selected: The tasks of the selected items; their node ids are unique.
        needed: Likewise, items that were not selected and that selected ones need.
        needs: For each task, by its node id, the node ids of those it needs.
        problems: What is wrong with markers, a sentence each.
    """

    selected: Mapping[pytest.Item, MarkedTask]
    needed: Mapping[pytest.Item, MarkedTask]
    needs: Mapping[str, tuple[str, ...]]
    problems: Sequence[str]


def collected_tasks(
    items: Sequence[pytest.Item],
    seen: Collection[pytest.Item],
    settings: Settings,
    *,
    narrowed: bool,
) -> CollectedTasks:
    """Return the tasks of items.

    Args:
        items: The selected items.
        seen: All items that were collected, among which needs are looked for.
        settings: What the user asked of the run.
        narrowed: Whether there may be tests that are neither in `items` nor in `seen`.
    """
    problems = []
    marked: dict[pytest.Item, MarkedTask] = {}
    for item in items:
        try:
            task = read_marker(item, settings, item.config.rootpath)
            if task is not None and pytest_internals.runs(item):
                _check_fixtures(item, task)
                marked[item] = task
        except MarkerError as error:
            problems.append(str(error))
    selected = _named(marked)
    if problems:
        return CollectedTasks(selected=selected, needed={}, needs={}, problems=problems)
    needed: dict[pytest.Item, MarkedTask] = {}
    others = _others(selected, seen)

    def needs_of(nodeid: str) -> Sequence[str]:
        item = others[nodeid]
        task = read_marker(item, settings, item.config.rootpath)
        assert task is not None, "it is marked"
        _check_fixtures(item, task)
        needed[item] = task
        needs: Sequence[str] = task.keywords.get("needs", ())
        return needs

    names = {task.nodeid: task.keywords.get("needs", ()) for task in selected.values()}
    try:
        found = match_needs(names, others, needs_of)
    except MarkerError as error:
        return CollectedTasks(selected=selected, needed={}, needs={}, problems=[str(error)])
    unknown = [] if narrowed else _unknown(found.unanswered, seen)
    return CollectedTasks(selected=selected, needed=needed, needs=found.of, problems=unknown)


def _named(marked: Mapping[pytest.Item, MarkedTask]) -> dict[pytest.Item, MarkedTask]:
    """Return the tasks, each by a node id of its own."""
    places = [
        (item.nodeid, os.path.relpath(item.path, item.config.rootpath).replace(os.sep, "/"))
        for item in marked
    ]
    return {
        item: replace(task, nodeid=name)
        for (item, task), name in zip(marked.items(), task_names(places), strict=True)
    }


def _others(
    selected: Mapping[pytest.Item, MarkedTask], seen: Collection[pytest.Item]
) -> dict[str, pytest.Item]:
    """Return the marked items that were not selected, and that an agent may be given."""
    taken = {item.nodeid for item in selected}
    return {
        item.nodeid: item
        for item in seen
        if item.nodeid not in taken and is_marked(item) and pytest_internals.runs(item)
    }


def _unknown(unanswered: Sequence[tuple[str, str]], seen: Collection[pytest.Item]) -> list[str]:
    """Return a problem for each need that names no marked test; a skipped test counts as one."""
    files = {item.nodeid.partition("::")[0] for item in seen}
    marked = [item.nodeid for item in seen if is_marked(item)]
    return [
        str(MarkerError(nodeid, "needs", f"no marked test {need!r}; name it as in its node id"))
        for nodeid, need in unanswered
        if is_of_a_file(need, nodeid, files) and match_needs({nodeid: [need]}, marked).unanswered
    ]


def is_marked(item: pytest.Item) -> bool:
    """Tell whether an item has the marker `ptc`."""
    return item.get_closest_marker("ptc") is not None


def _check_fixtures(item: pytest.Item, marked: MarkedTask) -> None:
    """Refuse a prompt's field that neither a parameter nor a session fixture can fill."""
    for name in marked.fixtures:
        # Only a function can ask for fixtures.
        scope = (
            pytest_internals.fixture_scope(item, name)
            if isinstance(item, pytest.Function)
            else None
        )
        in_command = name in marked.command_fields
        field = f"{'ptc_command' if in_command else 'prompt'} field {{{name}}}"
        if scope is None:
            raise MarkerError(
                item.nodeid,
                field,
                "no parameter or session fixture has this name; write "
                + (
                    f"{{{{{name}}}}} for literal braces" if in_command else "{{ for a literal brace"
                ),
            )
        if scope != "session":
            raise MarkerError(
                item.nodeid,
                field,
                f"the fixture has {scope} scope; only session fixtures are available before "
                "tests are set up",
            )
