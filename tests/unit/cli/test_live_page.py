"""The server of a run's page: who is answered, and with what."""

from __future__ import annotations

import http.client
import socket
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.cli.live_page import PageServer

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Seconds in which the server answers.
DEADLINE_S = 10


@pytest.fixture
def versions() -> list[str]:
    """The versions that the page has had, the last one last."""
    return ["1"]


@pytest.fixture
def server(versions: list[str]) -> Iterator[PageServer]:
    """A server whose page is its version."""
    with PageServer(lambda: versions[-1], lambda version: f"<p>{version}", 0) as made:
        thread = threading.Thread(target=made.serve_forever, args=(0.02,))
        thread.start()
        yield made
        made.shutdown()
        thread.join()


def get(
    server: PageServer, path: str, host: str | None = None, method: str = "GET"
) -> tuple[int, str, http.client.HTTPMessage]:
    """Return what a request is answered."""
    line = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=DEADLINE_S)
    headers = {} if host is None else {"Host": host}
    line.request(method, path, headers=headers)
    answer = line.getresponse()
    said = answer.read().decode()
    line.close()
    return answer.status, said, answer.headers


def test_who_has_the_address_gets_the_page_as_it_is(
    server: PageServer, versions: list[str]
) -> None:
    """And its version, by which the page knows that there is another one."""
    status, said, headers = get(server, f"/{server.token}/")
    assert (status, said) == (200, "<p>1")
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Frame-Options"] == "DENY"
    versions.append("2")
    assert get(server, f"/{server.token}/state")[1] == '{"version": "2"}'
    assert get(server, f"/{server.token}/")[1] == "<p>2"
    assert server.server_address[0] == "127.0.0.1"


@pytest.mark.parametrize(
    "path",
    [
        *("/", "/{token}", "/{short}/", "/{token}x/", "//", "/x/state", "/{token}/journal.jsonl"),
        *("/{token}/../{token}/", "/{token}/state/", "/{token}/%2e%2e/", "/{token}/?x", "/state"),
    ],
)
def test_nothing_else_is_there(server: PageServer, path: str) -> None:
    """Whatever the path: no file, and no hint how near the guess was."""
    told = path.format(token=server.token, short=server.token[:-1])
    status, said, _ = get(server, told)
    assert (status, said) == (404, "no such page\n")


@pytest.mark.parametrize("host", ["evil.example", "evil.example:{port}", "127.0.0.1", "", "[::1]"])
def test_a_name_of_somebody_elses_that_leads_here_is_refused(server: PageServer, host: str) -> None:
    """With the right token, too: DNS may have been rebound to this machine."""
    told = host.format(port=server.server_port)
    assert get(server, f"/{server.token}/", told)[0] == 403


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "HEAD", "OPTIONS"])
def test_it_is_read_only(server: PageServer, method: str) -> None:
    """No other method is one."""
    assert get(server, f"/{server.token}/", method=method)[0] == 501


def test_connections_are_bounded(server: PageServer) -> None:
    """Those too many are closed at once; when others have ended, there is room again."""
    lines = [
        socket.create_connection(("127.0.0.1", server.server_port), DEADLINE_S) for _ in range(17)
    ]
    assert lines[-1].recv(10) == b""
    for line in lines:
        line.close()
    for _ in range(500):
        try:
            assert get(server, f"/{server.token}/")[0] == 200
            break
        except (OSError, http.client.HTTPException):
            continue
    else:
        pytest.fail("there is no room again")


def test_tokens_are_unguessable(versions: list[str]) -> None:
    """Each server has its own, of 192 bits."""
    tokens = set()
    for _ in range(3):
        with PageServer(lambda: versions[-1], str, 0) as made:
            tokens.add(made.token)
    assert len(tokens) == 3
    assert all(len(token) == 32 for token in tokens)
