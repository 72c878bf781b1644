"""Whom the system knows at the other end of a socket."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.system.peers import descends, is_ours, peer_pid
from pytest_ptc.system.strays import forbid_inspection

if TYPE_CHECKING:
    from pathlib import Path

#: Connects, and waits until it is hung up on; with a word more, as a process without a parent.
CALLER = """
import os, socket, sys
if sys.argv[2:] and (os.fork() or os.setsid() or os.fork()):
    os._exit(0)
line = socket.socket(socket.AF_UNIX)
line.connect(sys.argv[1])
line.recv(1)
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="only Linux is asked")
def test_a_callers_origin_is_known_whatever_it_says(tmp_path: Path) -> None:
    """We, a child, a child's child, and one that has left: that one is nobody's."""
    seen: list[tuple[int | None, bool]] = []

    async def use() -> None:
        heard: asyncio.Queue[None] = asyncio.Queue()

        async def hear(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            seen.append((peer_pid(writer), is_ours(writer)))
            writer.close()
            heard.put_nowait(None)

        path = str(tmp_path / "s")
        server = await asyncio.start_unix_server(hear, path)
        _, writer = await asyncio.open_unix_connection(path)
        await heard.get()
        writer.close()
        words = [sys.executable, "-c", CALLER, path]
        through_a_shell = ["sh", "-c", '"$@"; true', "sh", *words]
        for call in (words, through_a_shell, [*words, "alone"]):
            # The last one leaves when its caller is gone.
            process = await asyncio.create_subprocess_exec(*call)
            await process.wait() if call[-1] == "alone" else None
            await asyncio.wait_for(heard.get(), 30)
            await process.wait()
        server.close()

    asyncio.run(use())
    assert seen[0] == (os.getpid(), True)
    assert [ours for _, ours in seen] == [True, True, True, False]


def test_a_process_descends_from_itself_and_its_ancestors() -> None:
    """And not from one that is gone."""
    assert descends(os.getpid(), os.getpid())
    assert descends(os.getpid(), os.getppid())
    assert not descends(os.getppid(), os.getpid())
    assert not descends(0, os.getpid())
    gone = subprocess.Popen(["true"])
    gone.wait()
    assert not descends(gone.pid, os.getpid())


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="prctl(2)")
def test_a_worker_cannot_be_looked_into_and_what_it_starts_can() -> None:
    """PR_GET_DUMPABLE, of itself and of a program that it has started."""
    get = "import ctypes; print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0), flush=True)"
    worker = (
        "import subprocess, sys\n"
        f"from {forbid_inspection.__module__} import forbid_inspection\n"
        f"assert forbid_inspection()\n{get}\n"
        f"subprocess.run([sys.executable, '-c', {get!r}], check=True)\n"
    )
    done = subprocess.run([sys.executable, "-c", worker], capture_output=True, check=True)
    assert done.stdout.split() == [b"0", b"1"]
