"""Which tasks a task needs, by the names that its marker says. Pure."""

from __future__ import annotations

import graphlib
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import MarkerError

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence


class Needs(NamedTuple):
    """What the tasks of a run need.

    Args:
        of: For each task, the node ids of the tasks it needs. A need that matches no test is kept
            as it was written: no task has that name, so the task ends as `needs unmet`.
        others: The node ids of tests that were not selected and are needed.
        unanswered: Pairs of a task and a need of it that matches no collected test.
    """

    of: Mapping[str, tuple[str, ...]]
    others: tuple[str, ...]
    unanswered: tuple[tuple[str, str], ...]


def match_needs(
    selected: Mapping[str, Sequence[str]],
    others: Collection[str] = (),
    needs_of: Callable[[str], Sequence[str]] = lambda _: (),
) -> Needs:
    """Return, for each task, the node ids of the tasks it needs.

    A need is a node id, or the name of a test in the same file; without the `[parameters]` it
    stands for every item of that test. A test that is needed and was not selected is a task, too.

    Args:
        selected: The needs of each selected test, by its node id.
        others: The node ids of marked tests that were collected and not selected.
        needs_of: Returns what one of the others needs.

    Raises:
        MarkerError: Needs form a cycle.
    """
    needs = dict(selected)
    of: dict[str, tuple[str, ...]] = {}
    unanswered = []
    waiting = list(needs)
    while waiting:
        nodeid = waiting.pop(0)
        found: dict[str, None] = {}
        for need in needs[nodeid]:
            answers = _answers(nodeid, need, (*selected, *others))
            if not answers:
                unanswered.append((nodeid, need))
            found.update(dict.fromkeys(answers or [need]))
        of[nodeid] = tuple(found)
        for other in found:
            if other not in needs and other in others:
                needs[other] = needs_of(other)
                waiting.append(other)
    try:
        graphlib.TopologicalSorter(of).prepare()
    except graphlib.CycleError as error:
        cycle = error.args[1]
        raise MarkerError(cycle[0], "needs", f"a cycle: {' needs '.join(cycle)}") from None
    return Needs(of, tuple(name for name in needs if name not in selected), tuple(unanswered))


def is_of_a_file(need: str, nodeid: str, files: Collection[str]) -> bool:
    """Tell whether a need is of a file that was collected: then no other file can answer it.

    Args:
        need: The need, as it was said.
        nodeid: The node id of the test that needs it.
        files: The paths with which the node ids of collected tests begin.
    """
    return "::" not in need or need.partition("::")[0] in {*files, nodeid.partition("::")[0]}


def _answers(nodeid: str, need: str, known: Collection[str]) -> list[str]:
    local = f"{nodeid.split('::', 1)[0]}::{need}"
    return [
        other
        for other in dict.fromkeys(known)
        if other in (need, local) or other.startswith((f"{need}[", f"{local}["))
    ]
