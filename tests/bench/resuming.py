"""What it costs to know, for `--ptc-resume`, what every attempt could see: 5,000 files.

A look lists the repository and reads again what was written since the last one. It is taken when
the tasks are submitted, and once for all attempts that have ended since the look before: the most
that a task can cost is a look of its own, and the first of all besides.
"""

from __future__ import annotations

import os
import subprocess
import time
from typing import TYPE_CHECKING

from pytest_ptc.inputs.agent_files import agent_files
from pytest_ptc.inputs.contents import Contents
from pytest_ptc.inputs.disk import RACY_NS
from pytest_ptc.model.task import TaskSpec
from tests.bench.figures import Figure, Row, Target

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pytest_ptc.model.content import Content

FILES, FILES_IN_FOLDER = 5_000, 20
ROUNDS = 40
#: Tasks that begin and end together.
TASKS = 100
TARGET = Target(of="median", most=50.0)


def measure(folder: Path) -> Iterator[Row]:
    """Yield what looks cost, where nobody has written since the last one and where somebody has."""
    top = folder / "repository"
    for number in range(FILES):
        place = top / f"package_{number // FILES_IN_FOLDER}"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"module_{number}.py").write_text(f"NUMBER = {number}\n" * 100)
    for words in (("init", "--quiet"), ("add", "--all")):
        subprocess.run(["git", *words], cwd=top, check=True, stdin=subprocess.DEVNULL)
    # A file that was written just now is read again each time: not what is measured here.
    last = (top / f"package_{(FILES - 1) // FILES_IN_FOLDER}/module_{FILES - 1}.py").stat()
    while last.st_ctime_ns > time.time_ns() - RACY_NS:
        time.sleep(0.1)
    specs = [
        TaskSpec(nodeid=f"t[{number}]", prompt="Review it.", timeout=1, cwd=str(top))
        for number in range(TASKS)
    ]
    first = [_timed(_contents(top), specs[:1]) for _ in range(5)]
    yield Figure(what=f"first look at {FILES:,} files, wall clock", unit="ms", values=first)
    contents = _contents(top)
    contents.take(specs)
    alone = [_timed(contents, specs[:1]) for _ in range(ROUNDS)]
    what = "a further look, for one task, wall clock"
    yield Figure(what=what, unit="ms", values=alone, target=TARGET)
    written = []
    for number in range(ROUNDS):
        (top / f"package_0/module_{number % 20}.py").write_text(f"{number}")
        written.append(_timed(contents, specs[:1]))
    yield Figure(what="- after a file was written", unit="ms", values=written, target=TARGET)
    shared = [_timed(contents, specs) / TASKS for _ in range(ROUNDS)]
    yield Figure(what=f"- shared by {TASKS} tasks, for each", unit="ms", values=shared)


def _contents(top: Path) -> Contents:
    agent = agent_files((), rootpath=top, environ=os.environ)
    return Contents(agent=agent, rootpath=str(top))


def _timed(contents: Contents, specs: list[TaskSpec]) -> float:
    """Return how many milliseconds a look takes."""
    before = time.monotonic()
    found: Mapping[str, Content] = contents.take(specs)
    spent = 1e3 * (time.monotonic() - before)
    assert not any(content.problem for content in found.values())
    return spent
