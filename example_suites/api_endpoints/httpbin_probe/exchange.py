"""One HTTP exchange: what was sent, what came back, and how long it took."""

import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import urlsplit

EXCERPT = 100


class UnreachableError(Exception):
    """Nothing listens at the base URL, so the API cannot be judged."""


class NoAnswerError(Exception):
    """The API took the request and did not give back a complete, well-formed answer."""


class LateAnswerError(NoAnswerError):
    """The API did not finish its answer in time."""


class Response(NamedTuple):
    """An answer, with the request that led to it."""

    request: str
    url: str
    status: int
    headers: http.client.HTTPMessage
    body: bytes
    client_host: str
    waited: float  # seconds until the status line and the headers were there
    took: float  # seconds until the last byte was there

    def header(self, name: str) -> str:
        """Return a header's value; repeated headers are joined, an absent one is empty."""
        return ", ".join(self.headers.get_all(name, []))

    @property
    def media_type(self) -> str:
        """The content type without its parameters."""
        return self.header("Content-Type").partition(";")[0].strip().lower()

    @property
    def text(self) -> str:
        """The body as UTF-8, with a mark where it is not."""
        return self.body.decode(errors="replace")

    def __str__(self) -> str:
        location = self.header("Location")
        leads = f"to {location}" if location else ""
        answer = [str(self.status), leads, self.media_type, _excerpt(self.body)]
        return f"{self.request} -> {' '.join(filter(None, answer))}"


def exchange(
    base_url: str,
    method: str,
    target: str,
    *,
    headers: Mapping[str, str],
    body: bytes | None,
    timeout: float,
) -> Response:
    """Send one request on a connection of its own and read the whole answer; follow nothing."""
    server = urlsplit(base_url)
    request = _describe(method, target, headers, body)
    started = time.monotonic()
    connection = http.client.HTTPConnection(server.hostname or "", server.port, timeout=timeout)
    with contextlib.closing(connection):
        try:
            connection.connect()
        except OSError as error:
            raise UnreachableError(f"cannot connect to {base_url}: {error}") from error
        # A socket's timeout starts anew with each byte, so a server that trickles could hold us
        # for ever; hanging up at the deadline bounds the exchange as a whole.
        watchdog = threading.Timer(timeout, _hang_up, [connection.sock])
        watchdog.daemon = True
        watchdog.start()
        failure: Exception | None = None
        try:
            client_host = str(connection.sock.getsockname()[0])
            connection.request(method, target, body, {"Connection": "close", **headers})
            answer = connection.getresponse()
            waited = time.monotonic() - started
            with answer:
                content = answer.read()
        except (OSError, http.client.HTTPException) as error:
            failure = error
        finally:
            watchdog.cancel()
    took = time.monotonic() - started
    # Checked on success too: an answer without a length ends wherever the line was cut.
    if took >= timeout:
        raise LateAnswerError(f"{request} -> no complete answer within {timeout:g} s") from failure
    if failure is not None:
        reason = f"{type(failure).__name__}: {failure}".strip()
        raise NoAnswerError(f"{request} -> {reason}") from failure
    return Response(
        request=request,
        url=base_url + target,
        status=answer.status,
        headers=answer.headers,
        body=content,
        client_host=client_host,
        waited=waited,
        took=took,
    )


def _describe(method: str, target: str, headers: Mapping[str, str], body: bytes | None) -> str:
    sent = [f"{name}: {value}" for name, value in headers.items()]
    if body:
        sent.append(_excerpt(body))
    extras = "; ".join(sent)
    return f"{method} {target} [{extras:.{EXCERPT}}]" if extras else f"{method} {target}"


def _excerpt(body: bytes) -> str:
    """Return the beginning of a text on one line, or the length of what is no text."""
    try:
        text = " ".join(body.decode().split())
    except UnicodeDecodeError:
        return f"({len(body)} bytes)"
    return text if len(text) <= EXCERPT else f"{text[:EXCERPT]}..."


def _hang_up(connected: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it may have been closed a moment ago
        connected.shutdown(socket.SHUT_RDWR)
