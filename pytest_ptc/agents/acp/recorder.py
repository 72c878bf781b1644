"""The server of the tool `record_verdict`, on the loopback interface, for one worker's attempts.

Each attempt has an address that nobody can guess, which is good for as long as the attempt is: by
it a caller is known. It is in the memory of the worker and its client, and never on disk.
"""

from __future__ import annotations

import contextlib
import hmac
import json
import secrets
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.acp.mcp import respond
from pytest_ptc.verdicts.verdict_json import MAX_VERDICT_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.agents.acp.turn import Taken, Turn

#: Seconds that a caller has to send its whole request.
_REQUEST_TIMEOUT_S = 60.0
#: A verdict's text in JSON may be longer than the verdict.
_MAX_REQUEST_BYTES = 4 * MAX_VERDICT_BYTES
#: Seconds that the answer to an accepted recording is held back: the client's turn should be over
#: by then, and it does not ask its model again. OpenCode takes two of them on a busy machine. One
#: that waits for the answer first gets it.
HOLD_S = 4.0


class Desk:
    """Where one attempt is recorded.

    Args:
        turn: Takes the recordings.
        recorded: Called in a thread when one has been accepted.
    """

    def __init__(self, turn: Turn, recorded: Callable[[], None]) -> None:
        self.key = secrets.token_urlsafe(32)
        #: Whether the client has asked what tools there are.
        self.connected = False
        self._turn = turn
        self._recorded = recorded
        self._released = threading.Event()

    def respond(self, message: dict[str, Any]) -> dict[str, Any] | None:
        """Return the response to a message of the client's."""
        self.connected |= message.get("method") == "tools/list"
        return respond(message, self._take, version("pytest-ptc"))

    def release(self) -> None:
        """Hold no answer back from here on."""
        self._released.set()

    def _take(self, value: object) -> Taken:
        taken = self._turn.take(value)
        if taken.recorded:
            self._recorded()
            self._released.wait(HOLD_S)
        return taken


class RecorderServer:
    """The server; it serves in threads of its own until it is closed."""

    def __init__(self) -> None:
        self._desk: Desk | None = None
        self._http = _Server(("127.0.0.1", 0), _Handler)
        self._http.find = self._find
        threading.Thread(
            target=self._http.serve_forever, args=(0.05,), name="ptc-recorder", daemon=True
        ).start()

    def open(self, desk: Desk) -> str:
        """Take recordings at this desk alone from now on, and return its address."""
        self._desk = desk
        host, port = self._http.server_address[:2]
        return f"http://{host!s}:{port}/{desk.key}"

    def shut(self) -> None:
        """Take no recordings."""
        if self._desk is not None:
            self._desk.release()
        self._desk = None

    def close(self) -> None:
        """Stop serving."""
        self.shut()
        self._http.shutdown()
        self._http.server_close()

    def _find(self, path: str) -> Desk | None:
        desk = self._desk
        given = path.partition("?")[0].removeprefix("/").encode("utf-8", "replace")
        return desk if desk and hmac.compare_digest(given, desk.key.encode()) else None


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64
    find: Callable[[str], Desk | None]

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a client may end at any time, and the pane is not for this."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_GET(self) -> None:
        """Refuse a stream of messages from us: there are none."""
        self._send(405)

    def do_DELETE(self) -> None:
        """Refuse the end of a session: there are none."""
        self._send(405)

    def do_POST(self) -> None:
        """Answer one message."""
        desk = self.server.find(self.path)
        if desk is None:
            self.close_connection = True  # what was sent is not read
            self._send(404)
            return
        try:
            message = json.loads(self._body())
            if not isinstance(message, dict):
                raise ValueError("no object")  # noqa: TRY004, TRY301 - as wrong as no JSON
        except (ValueError, RecursionError):
            self.close_connection = True
            self._send(400)
            return
        response = desk.respond(message)
        if response is None:
            self._send(202)
        else:
            self._send(200, json.dumps(response).encode())

    def _body(self) -> bytes:
        """Return what was sent.

        Raises:
            ValueError: It is too long, or came too slowly, or in a form that no client uses.
        """
        size = int(self.headers.get("Content-Length") or -1)
        if not 0 <= size <= _MAX_REQUEST_BYTES:
            raise ValueError("no length, or too long")
        self.connection.settimeout(_REQUEST_TIMEOUT_S)
        try:
            return self.rfile.read(size)
        except TimeoutError as error:
            raise ValueError("not sent in time") from error
        finally:
            self.connection.settimeout(None)

    def _send(self, status: int, body: bytes = b"") -> None:
        with contextlib.suppress(OSError):
            self.send_response(status)
            if body:
                self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)
