"""The page of a run that goes on, served on loopback: read-only, and for who has its address.

The address holds a token that cannot be guessed. Another path is not found. A request whose `Host`
is not the server's own is refused: a page of somebody else's that has had its name lead to this
machine sends its own. Nothing but the page and its version is served.
"""

from __future__ import annotations

import hmac
import json
import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import BoundedSemaphore, Lock
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable

#: Only this machine: the address is never another one.
LOOPBACK = "127.0.0.1"
#: Seconds that a connection may take, and connections at once.
_PATIENCE_S = 10.0
_MAX_CONNECTIONS = 16
#: What every answer says: nothing is kept, framed, sniffed or told to others.
_HEADERS = (
    ("Cache-Control", "no-store"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Connection", "close"),
)


class Page(NamedTuple):
    """A page at one moment: what it is made from, as a short text, and the HTML."""

    version: str
    html: str


class PageServer(ThreadingHTTPServer):
    """Serves one page.

    Args:
        version: Returns the page's version; cheap.
        make: Makes the page; called when the version is another one.
        port: The port; 0 for any.

    Raises:
        OSError: The port is taken.
    """

    daemon_threads = True
    request_queue_size = 16

    def __init__(self, version: Callable[[], str], make: Callable[[str], str], port: int) -> None:
        super().__init__((LOOPBACK, port), _Handler)
        self.token = secrets.token_urlsafe(24)
        self.version = version
        self._make = make
        self._page: Page | None = None
        self._making = Lock()
        self._free = BoundedSemaphore(_MAX_CONNECTIONS)

    @property
    def address(self) -> str:
        """Return the page's address."""
        return f"http://{LOOPBACK}:{self.server_port}/{self.token}/"

    @property
    def hosts(self) -> frozenset[str]:
        """Return what a request may name as its host."""
        return frozenset(f"{name}:{self.server_port}" for name in (LOOPBACK, "localhost"))

    def page(self) -> Page:
        """Return the page as it is now."""
        with self._making:
            version = self.version()
            if self._page is None or self._page.version != version:
                self._page = Page(version, self._make(version))
            return self._page

    def process_request(self, request: Any, client_address: Any) -> None:
        """Answer a connection in a thread; one too many is closed."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(self, request: Any, client_address: Any) -> None:
        """Answer a connection, in its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: a caller that went away is no news."""


class _Handler(BaseHTTPRequestHandler):
    server: PageServer
    timeout = _PATIENCE_S
    server_version = "ptc"
    sys_version = ""

    def do_GET(self) -> None:
        """Answer with the page, or with its version."""
        if self.headers.get("Host", "") not in self.server.hosts:
            self._answer(HTTPStatus.FORBIDDEN, "text/plain", b"not the host of this page\n")
            return
        token, slash, rest = self.path.removeprefix("/").partition("/")
        known = hmac.compare_digest(token.encode(), self.server.token.encode())
        if not (known and slash and rest in ("", "state")):
            self._answer(HTTPStatus.NOT_FOUND, "text/plain", b"no such page\n")
        elif rest == "state":
            body = json.dumps({"version": self.server.version()}).encode()
            self._answer(HTTPStatus.OK, "application/json", body)
        else:
            html = self.server.page().html.encode("utf-8", "replace")
            self._answer(HTTPStatus.OK, "text/html", html)

    def _answer(self, status: HTTPStatus, kind: str, body: bytes) -> None:
        self.send_response(status)
        for name, value in (*_HEADERS, ("Content-Type", f"{kind}; charset=utf-8")):
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing of requests."""
