"""In a run that tests its judge, no agent reads in a name what is expected of it."""

from __future__ import annotations

from dataclasses import replace

from pytest_ptc.model.self_test import SelfTest
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.session.aliases import Aliases

ITEM = TaskSpec(nodeid="t.py::test_review", prompt="p", timeout=1, cwd="/")
CONTROL = replace(ITEM, nodeid="t.py::test_control", self_test=SelfTest(kind="control"))


def test_without_a_test_of_the_judge_names_are_node_ids() -> None:
    """That is what people look for on the shared list."""
    (spec,) = Aliases().given([ITEM])
    assert spec.for_agent == ITEM


def test_with_one_every_task_has_an_alias_of_its_own() -> None:
    """Also of what is submitted later; in all else, agents get the same."""
    aliases = Aliases()
    specs = [*aliases.given([ITEM, CONTROL]), *aliases.given([ITEM])]
    assert [spec.nodeid for spec in specs] == [ITEM.nodeid, CONTROL.nodeid, ITEM.nodeid]
    seen = [spec.for_agent for spec in specs]
    assert [spec.nodeid for spec in seen] == ["item 1", "item 2", "item 3"]
    assert [replace(spec, nodeid="") for spec in seen] == [replace(ITEM, nodeid="")] * 3
