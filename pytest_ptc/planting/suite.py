"""The suite that has a judge look for planted defects. Pure: proposals in, texts out."""

from __future__ import annotations

import difflib
import json
from typing import TYPE_CHECKING, Any

from pytest_ptc.planting.mutations import RULES

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.planting.mutations import Mutation

#: What agents are asked, unless somebody says it better.
PROMPT = (
    "Review {path}: look for defects. Give each a finding with path and line. Fail on any that "
    "must be fixed before it is merged."
)
#: The names of files and folders: they tell an agent nothing.
MODULE, TREES = "test_judge.py", "trees"

_MODULE_TEXT = '''\
"""Tests of the judge: made by `ptc canary make --seed {seed}`. Keep this out of agents' sight."""

from pathlib import Path

import pytest

TREES = Path(__file__).resolve().parent / "{trees}"
PROMPT = {prompt}


@pytest.mark.ptc(PROMPT, cwd=f"{{TREES}}/{{{{tree}}}}")
@pytest.mark.parametrize(
    ("tree", "path"),
    [
{params}
    ],
)
def test_judge(tree, path):
    pass
'''


def expectation(mutation: Mutation) -> dict[str, Any]:
    """Return what the marker's `expect` says of a planted defect."""
    return {
        "path": mutation.path,
        "line": mutation.line,
        "rule": mutation.rule,
        "message": f"(?i){RULES[mutation.rule].named}",
    }


def diff_lines(mutation: Mutation, before: bytes) -> Iterator[str]:
    """Yield the difference that a mutation makes, in lines without their ends."""
    old, new = (text.decode("utf-8").splitlines() for text in (before, mutation.source))
    yield from difflib.unified_diff(old, new, mutation.path, mutation.path, lineterm="")


def suite_files(
    planted: Sequence[Mutation], others: Mapping[str, bytes], seed: int, prompt: str = PROMPT
) -> dict[str, bytes]:
    """Return the files of a suite, by their names in its folder.

    Args:
        planted: The defects, each for a tree of its own.
        others: The files beside which each is planted, by their names, unchanged.
        seed: What they were chosen by.
        prompt: What agents are asked.
    """
    params = []
    files: dict[str, bytes] = {}
    for number, mutation in enumerate(planted, 1):
        tree = f"{number:02}"
        files |= {f"{TREES}/{tree}/{name}": text for name, text in others.items()}
        files[f"{TREES}/{tree}/{mutation.path}"] = mutation.source
        mark = f"pytest.mark.ptc_canary(expect={_literal(expectation(mutation))})"
        given = f"{_literal(tree)}, {_literal(mutation.path)}, id={_literal(tree)}"
        params.append(f"        pytest.param({given}, marks={mark}),")
    text = _MODULE_TEXT.format(
        seed=seed, trees=TREES, prompt=_literal(prompt), params="\n".join(params)
    )
    # Tests among the reviewed files are no tests of this suite.
    ignored = f'collect_ignore = ["{TREES}"]\n'
    return {MODULE: text.encode("utf-8"), "conftest.py": ignored.encode(), **files}


def _literal(value: object) -> str:
    """Return plain data as Python writes it, with the quotes of most."""
    return json.dumps(value, ensure_ascii=False)
