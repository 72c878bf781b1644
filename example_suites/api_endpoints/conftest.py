"""The live API that the agents of this suite exercise."""

import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

SERVER = Path(__file__).parent / "httpbin_probe" / "server.py"
START_LIMIT = 30.0


@pytest.fixture(scope="session")
def base_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Serve httpbin on a free port of this machine; the value is where."""
    log = tmp_path_factory.mktemp("httpbin") / "server.log"
    with (
        log.open("w") as stderr,
        subprocess.Popen(
            [sys.executable, SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=stderr,
            text=True,
            start_new_session=True,  # Ctrl-C is for pytest, which then ends the server in order
        ) as server,
    ):
        # Reading the port waits for just as long as the start takes; the timer ends a start that
        # hangs, and then there is no port to read.
        limit = threading.Timer(START_LIMIT, server.kill)
        limit.start()
        try:
            port = server.stdout.readline().strip() if server.stdout else ""
            limit.cancel()
            if not port:
                pytest.fail(f"httpbin did not start:\n{log.read_text()}", pytrace=False)
            yield f"http://127.0.0.1:{port}"
        finally:
            limit.cancel()
            server.kill()
