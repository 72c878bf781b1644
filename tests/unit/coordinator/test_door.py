"""The door asks for a worker's key, and for the process that was started as that worker."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.coordinator.door import Door
from pytest_ptc.interfaces import messages
from pytest_ptc.system.processes import ProcessIdentity
from pytest_ptc.worker.line import call

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux is asked")
def test_a_key_that_was_read_opens_nothing(tmp_path: Path) -> None:
    """Neither before the worker has called, nor after: and the worker itself is let in."""
    heard: list[str] = []
    notes: list[str] = []

    other = subprocess.Popen(["cat"], stdin=subprocess.PIPE)

    async def use() -> None:
        processes = {"w1": ProcessIdentity.of(other.pid), "w2": None}

        async def process_of(worker: str) -> ProcessIdentity | None:
            return processes[worker]

        door = Door(
            heard=lambda worker, _: heard.append(worker),
            gone=lambda *_: None,
            note=lambda _, why: notes.append(why),
            process_of=process_of,
        )
        server = await door.open(tmp_path / "s")

        async def says(worker: str, key: str) -> bool:
            """Tell whether whoever says this is let in."""
            before = len(heard), len(notes)
            line = await call(tmp_path / "s")
            line.say(messages.Hello(worker, key))
            while (len(heard), len(notes)) == before:  # noqa: ASYNC110 - lists have no event
                await asyncio.sleep(0.001)
            line.close()
            return len(heard) > before[0]

        key = door.key_for("w1")
        assert not await says("w1", "x" * 32)
        assert not await says("w1", key)
        processes["w1"] = ProcessIdentity.of(os.getpid())
        assert await says("w1", key)
        assert not await says("w1", key)
        # A worker that nobody can see from here, such as one on another machine.
        assert await says("w2", door.key_for("w2"))
        await door.close()
        server.close()

    try:
        asyncio.run(asyncio.wait_for(use(), 30))
    finally:
        other.kill()
        other.communicate()
    assert heard == ["w1", "w2"]
    assert [note for note in notes if "is not that worker" in note]
