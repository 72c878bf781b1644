"""Which nodes can have workers: a row for each thing that may be wrong with one."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from pytest_ptc.remote.fitness import NodeFacts, NodeNeeds, why_unfit
from pytest_ptc.remote.own_code import source_digest

NEEDS = NodeNeeds(python="3.11", version="1.2", source="a" * 64, programs={"git": "the code"})
FIT = NodeFacts(
    host="nb",
    pid=7,
    platform="linux",
    python="3.11",
    version="1.2",
    source="a" * 64,
    in_memory="a" * 64,
    programs=("tmux", "git"),
)


def test_a_node_that_has_what_pytest_has_is_fit() -> None:
    """And more than that does not matter."""
    assert why_unfit(FIT, NEEDS) is None


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"platform": "win32"}, "workers need Linux or macOS"),
        ({"logs_messages": True, "python": "3.12"}, "its Dask logs all messages"),
        ({"python": "3.12"}, "its Dask worker runs on Python 3.12, and pytest on 3.11: run both"),
        (
            {"problem": "it has no pytest-ptc (ImportError: gone)", "version": "", "source": ""},
            "(ImportError: gone): install there what pytest has, pytest-ptc 1.2",
        ),
        # The code of one Python is none to another: that comes first.
        ({"problem": "it has no pytest-ptc", "python": "3.10"}, "its Dask worker runs on Python"),
        ({"version": "1.3"}, "it has pytest-ptc 1.3, and pytest has 1.2: install that"),
        ({"source": "b" * 64, "in_memory": "b" * 64}, "not the same code as here (bbbbbbbb, not"),
        ({"in_memory": "b" * 64}, "changed since its Dask worker loaded it: restart"),
        ({"source": "b" * 64}, "changed since its Dask worker loaded it: restart"),
        ({"programs": ("tmux",)}, "it has no git, which is needed for the code: install it there"),
    ],
)
def test_an_unfit_node_is_named_with_what_to_do(other: dict[str, Any], words: str) -> None:
    """By its machine's name."""
    why = why_unfit(msgspec.structs.replace(FIT, **other), NEEDS)
    assert why is not None
    assert why.startswith("nb: ")
    assert words in why


def test_the_hash_of_our_code_is_the_same_each_time() -> None:
    """And it is a hash."""
    assert source_digest() == source_digest()
    assert len(source_digest()) == 64
