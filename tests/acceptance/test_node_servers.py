"""Servers of pytest's machine, and its repository, as agents on another machine have them."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from tests.support.dask_machines import DASK_FOLDER, DaskCluster
from tests.support.machines import World

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.machines import Machine

# One page, larger than the window of a tunnelled connection, on pytest's machine alone.
CONFTEST = """
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
import pytest

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(self.path.encode() * 200_000)

    def log_message(self, *words):
        pass

@pytest.fixture(scope="session")
def base_url():
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://localhost:{server.server_port}"
        server.shutdown()
"""
SUITE = '''
import pytest

@pytest.mark.ptc
@pytest.mark.parametrize("n", range(6))
def test_page(base_url, n):
    """page {base_url}/page-{n}"""

@pytest.mark.ptc(isolation="worktree", base="HEAD~1")
def test_change():
    """diff"""
'''
AGENT = """
import json, os, re, socket, subprocess, sys, time
from urllib.request import urlopen

prompt = sys.stdin.read()
assert socket.gethostname() == "node"
url = re.search("http://[^ ]*?/(page-[0-9])", prompt)
if url:
    path = url[1]
    with urlopen(url[0], timeout=20) as page:
        assert page.read() == f"/{path}".encode() * 200_000
else:
    words = ["git", "diff", "--name-only", "main~1...main"]
    found = subprocess.run(words, check=True, capture_output=True, text=True)
    assert found.stdout.split() == ["new.py"], found
print(json.dumps({"verdict": "pass", "summary": f"by {os.getppid()}"}))
"""


def project(pc: Machine) -> Path:
    """Make a suite with two commits on a machine."""
    folder = pc.folder / "suite"
    folder.mkdir()
    files = {
        "conftest.py": CONFTEST,
        "test_all.py": SUITE,
        "agent.py": AGENT,
        ".gitignore": "__pycache__\n.pytest_cache\n",
        "pytest.ini": "[pytest]\nptc_agent = command\nptc_command = {python} {rootpath}/agent.py\n",
    }
    for name, text in files.items():
        (folder / name).write_text(text)
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")

    def git(*words: str) -> None:
        subprocess.run(["git", *who, *words], cwd=folder, check=True)

    git("init", "--quiet", "--initial-branch=main")
    git("add", "--all")
    git("commit", "--quiet", "--message=1")
    (folder / "new.py").write_text("x = 1\n")
    git("add", "--all")
    git("commit", "--quiet", "--message=2")
    return folder


def start_nodes(cluster: DaskCluster, node: Machine, *names: str) -> None:
    """Start several nodes of a cluster on one machine."""
    for name in names:
        node.start(
            *(sys.executable, "-m", "dask", "worker", cluster.address, "--host", node.address),
            *("--name", name, "--nthreads", "1", "--memory-limit", "0", "--no-dashboard"),
            *("--local-directory", DASK_FOLDER),
            log="dask.log",
        )


def test_a_server_on_loopback_is_reached_from_two_nodes_of_another_machine(tmp_path: Path) -> None:
    """Both by one port there; and the history that was sent is what the agents see."""
    with World(tmp_path).there("pc", "node") as world:
        pc, node = world
        project(pc)
        cluster = DaskCluster(pc, (), threads=1)
        cluster.start()
        start_nodes(cluster, node, "one", "two")
        done = pc.run(
            *(sys.executable, "-m", "pytest", "-rA", "--ptc-workers=2", "--ptc-host=dask"),
            *(f"--ptc-dask-scheduler={cluster.address}", "--ptc-dask-insecure"),
            cwd="/tmp/suite",
            timeout=120,
        )
        assert done.returncode == pytest.ExitCode.OK, done.stdout
        assert "7 passed" in done.stdout
        (sent,) = [line for line in done.stdout.splitlines() if line.startswith("ptc: sent")]
        assert sent.startswith("ptc: sent 6 files, ")
        assert sent.endswith(" of /tmp/suite (2 commits)")
