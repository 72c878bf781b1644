"""The machines of the tests that need several: what the laboratory promises."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.machines import Cables, World
from tests.support.runs import until

if TYPE_CHECKING:
    from pathlib import Path

_SERVES = (sys.executable, "-m", "http.server", "8000")
_ASKS = """
import sys, time
from urllib.request import urlopen
began = time.monotonic()
print(urlopen("http://server:8000/word", timeout=1).read().decode(), time.monotonic() - began)
"""


def test_machines_share_nothing_but_the_software(tmp_path: Path) -> None:
    """Each has its own name, processes and disk, and hears of the others over its cable."""
    with World(tmp_path).there("client", "server") as world:
        client, server = world
        assert client.run("hostname").stdout == "client\n"
        (server.folder / "word").write_text("hello")
        server.start(*_SERVES, log="log")
        asks = (sys.executable, "-c", _ASKS)
        until(lambda: client.run(*asks).stdout.startswith("hello"), "the server")
        assert client.processes("http.server") == []
        assert len(server.processes("http.server")) == 1
        assert "word" not in client.run("ls", "/tmp").stdout.split()
        assert client.run("touch", sys.prefix).returncode
        client.pull()
        assert client.run(*asks).returncode
        client.plug()
        assert client.run(*asks).stdout.startswith("hello")
        server.kill()
        assert client.run(*asks).returncode
        server.boot()
        assert server.processes() == []
        server.start(*_SERVES, log="log")
        until(lambda: client.run(*asks).stdout.startswith("hello"), "the server")


@pytest.mark.slow
def test_a_cable_may_be_long_and_bad(tmp_path: Path) -> None:
    """What goes over it takes its time, and TCP makes up for what is lost."""
    with World(tmp_path, Cables(delay=0.05, loss=0.02)).there("client", "server") as world:
        client, server = world
        (server.folder / "word").write_text("hello" * 20_000)
        server.start(*_SERVES, log="log")
        asks = (sys.executable, "-c", _ASKS)
        until(lambda: client.run(*asks).stdout.startswith("hello"), "the server")
        said, seconds = client.run(*asks).stdout.split()
        assert said == "hello" * 20_000
        assert float(seconds) > 0.2
