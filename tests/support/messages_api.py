"""A stand-in of the Messages API on the loopback interface, whose model plays a script.

The script is in the prompt: each line that begins with `> ` is one answer of the model, in order.

    > say It is fine.                  a text, and the end of the turn
    > use Read {"file_path": "x"}      a tool call
    > record pass All is well.         TaskUpdate on the task that the prompt names, as told
    > update {"taskId": "$ID", ...}    TaskUpdate with this input
    > record pass a && record fail b   several tool calls in one answer
    > slow 1.5 record pass             the same after 1.5 seconds
    > status 429 3                     three requests refused with this status; then the next line
    > status 429 1 retry-after=2       with a header
    > hang                             no answer at all
    > cut                              a stream that ends in its middle; then the next line
    > refuse, limit                    an answer that stops for a refusal, for its length
    > until 5 20 ready use Look {}     this call until its results hold "ready" 5 times, at most 20

What the conversation holds so far says which line is next, so the model needs no memory but for the
requests that it refused. A conversation without a script gets a polite text.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import re
import sys
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, TextIO

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from typing_extensions import Self

#: What every answer is billed as; the client makes dollars of it.
USAGE = {"input_tokens": 1000, "output_tokens": 100}
OTHER_USAGE = {"cache_creation_input_tokens": 0, "cache_read_input_tokens": 0}
TASK_ID = re.compile(r"Task ID: (\S+)")


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """One request as it came in."""

    path: str
    headers: Mapping[str, str]
    size: int
    body: Mapping[str, Any]

    @property
    def texts(self) -> list[str]:
        """Return every text of the conversation, the model's own ones too."""
        return [text for message in self.body.get("messages", ()) for text in _texts(message)]

    @property
    def tools(self) -> list[str]:
        """Return the names of the tools that the model is offered."""
        return [tool["name"] for tool in self.body.get("tools", ())]

    @property
    def prompt(self) -> str:
        """Return the text of the user's that has the script, or the empty string."""
        for message in self.body.get("messages", ()):
            if message["role"] == "user":
                for text in _texts(message):
                    if _script(text):
                        return text
        return ""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the model says to one request."""

    blocks: tuple[Mapping[str, Any], ...] = ()
    stop_reason: str = "end_turn"
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    delay: float = 0.0
    cut: bool = False
    hang: bool = False


class MessagesApi:
    """The server; a context manager that serves while it is open.

    Args:
        keep: Whether requests are kept to be looked at; a benchmark wants their sizes alone.
        log: Gets a line of JSON for each request as it comes in: its size in bytes, its prompt.
    """

    def __init__(self, *, keep: bool = True, log: TextIO | None = None) -> None:
        self.requests: list[Request] = []
        self.sizes: list[int] = []
        self.unexpected: list[str] = []
        self._keep = keep
        self._log = log
        self._refused: Counter[tuple[str, int]] = Counter()
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.api = self
        # How long closing it takes at most: by default, half a second of every test.
        serve = functools.partial(self._server.serve_forever, poll_interval=0.02)
        self._thread = threading.Thread(target=serve, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()

    @property
    def url(self) -> str:
        """Return what `ANTHROPIC_BASE_URL` must be."""
        host, port = self._server.server_address[:2]
        return f"http://{host!s}:{port}"

    def conversations(self) -> list[Request]:
        """Return the requests that a script answered, in order."""
        return [request for request in self.requests if request.prompt]

    def take(self, request: Request) -> Answer:
        """Keep a request and return what is answered to it."""
        with self._lock:
            self._note(request)
            return self._next(request)

    def wait(self, seconds: float) -> None:
        """Wait, unless the server is being closed."""
        self._closing.wait(seconds)

    def _note(self, request: Request) -> None:
        self.sizes.append(request.size)
        if self._keep:
            self.requests.append(request)
        if self._log is not None:
            line = json.dumps({"size": request.size, "prompt": request.prompt})
            self._log.write(line + "\n")
            self._log.flush()

    def _next(self, request: Request) -> Answer:
        prompt = request.prompt
        script = _script(prompt)
        step = sum(message["role"] == "assistant" for message in request.body["messages"])
        found = TASK_ID.search(prompt)
        # Lines that refused their requests left nothing in the conversation.
        for line in script:
            words = line.split()
            if words[0] in ("status", "cut"):
                key = (prompt, script.index(line))
                times = int(words[2]) if len(words) > 2 else 1
                if self._refused[key] < times and step <= 0:
                    self._refused[key] += 1
                    return _refusal(words)
                continue
            if words[0] == "until":
                calls = _calls_until(line, request.body["messages"], step)
                if calls is None:
                    return _answer(line.split(" ", 4)[4], "")
                step -= calls
                continue
            if step <= 0:
                return _answer(line, found[1] if found else "")
            step -= 1
        return _answer("say There is nothing left to do.", "")


def _calls_until(line: str, messages: Sequence[Mapping[str, Any]], left: int) -> int | None:
    """Return how many answers a line with `until` has had; None if it needs one more.

    Args:
        line: The line.
        messages: The conversation.
        left: How many of the model's last answers are those of this line and of later ones.
    """
    _, count, most, word, _ = line.split(" ", 4)
    answers = [place for place, one in enumerate(messages) if one["role"] == "assistant"]
    for calls, place in enumerate(answers[len(answers) - max(left, 0) :], start=1):
        results = "\n".join(_texts(messages[place + 1]))
        if results.count(word) >= int(count) or calls >= int(most):
            return calls
    return None


def _script(text: str) -> list[str]:
    # `Workflow` indents what it hands to an agent.
    lines = (line.strip() for line in text.splitlines())
    return [line[2:].strip() for line in lines if line.startswith("> ")]


def _texts(message: Mapping[str, Any]) -> list[str]:
    content = message["content"]
    if isinstance(content, str):
        return [content]
    texts = []
    for block in content:
        match block:
            case {"type": "text", "text": text}:
                texts.append(text)
            case {"type": "tool_result", "content": str(text)}:
                texts.append(text)
            case {"type": "tool_result", "content": list(parts)}:
                texts += [part.get("text", "") for part in parts]
            case {"type": "tool_use", "input": value}:
                texts.append(json.dumps(value))
    return texts


def _refusal(words: Sequence[str]) -> Answer:
    if words[0] == "cut":
        return Answer(({"type": "text", "text": "This is never heard to its e"},), cut=True)
    headers = dict(word.split("=", 1) for word in words[3:])
    return Answer(status=int(words[1]), headers=headers)


def _answer(line: str, task_id: str) -> Answer:
    word, _, rest = line.partition(" ")
    if word == "slow":
        seconds, _, rest = rest.partition(" ")
        then = _answer(rest, task_id)
        return Answer(then.blocks, then.stop_reason, delay=float(seconds))
    if word == "hang":
        return Answer(hang=True)
    if word == "refuse":
        return Answer((_text("I cannot help with that."),), "refusal")
    if word == "limit":
        return Answer((_text("This goes on and on and"),), "max_tokens")
    blocks = [_block(part.strip(), task_id) for part in line.split(" && ")]
    tools = any(block["type"] == "tool_use" for block in blocks)
    return Answer(tuple(blocks), "tool_use" if tools else "end_turn")


def _block(call: str, task_id: str) -> Mapping[str, Any]:
    word, _, rest = call.partition(" ")
    match word:
        case "say":
            return _text(rest)
        case "use":
            tool, _, value = rest.partition(" ")
            return _tool(tool, json.loads(value or "{}"))
        case "record":
            kind, _, summary = rest.partition(" ")
            verdict = {"verdict": kind, "summary": summary or "so it is"}
            update = {"taskId": task_id, "status": "completed", "metadata": {"ptc": verdict}}
            return _tool("TaskUpdate", update)
        case "update":
            return _tool("TaskUpdate", json.loads(rest.replace("$ID", task_id)))
    raise ValueError(f"the stand-in does not know {call!r}")


def _text(text: str) -> Mapping[str, Any]:
    return {"type": "text", "text": text}


_numbers = iter(range(1, sys.maxsize))


def _tool(name: str, value: Mapping[str, Any]) -> Mapping[str, Any]:
    return {
        "type": "tool_use",
        "id": f"toolu_{next(_numbers):024}",
        "name": name,
        "input": value,
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    # Clients that start all at once must not be refused.
    request_queue_size = 128
    api: MessagesApi

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing of a client that was killed; tests do that."""
        if not isinstance(sys.exc_info()[1], OSError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: _Server

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base's name
        """Say nothing."""

    def do_HEAD(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def do_GET(self) -> None:
        self.server.api.unexpected.append(f"GET {self.path}")
        self._send(404, {"type": "error", "error": {"type": "not_found_error", "message": "no"}})

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        path = self.path.partition("?")[0]
        if path == "/v1/messages/count_tokens":
            self._send(200, {"input_tokens": 1000})
        elif path != "/v1/messages":
            self.server.api.unexpected.append(f"POST {self.path}")
            self._send(404, _problem(404))
        else:
            body = json.loads(data)
            request = Request(path=self.path, headers=dict(self.headers), size=len(data), body=body)
            self._play(self.server.api.take(request), body)

    def _play(self, answer: Answer, body: Mapping[str, Any]) -> None:
        if answer.hang:
            self.server.api.wait(600)
            self.close_connection = True
            return
        if answer.delay:
            self.server.api.wait(answer.delay)
        if answer.status != 200:
            self._send(answer.status, _problem(answer.status), answer.headers)
        elif body.get("stream"):
            self._stream(answer, body["model"])
        else:
            message = _message(body["model"], answer.blocks, answer.stop_reason)
            self._send(200, message)

    def _send(
        self, status: int, value: Mapping[str, Any], headers: Mapping[str, str] | None = None
    ) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.send_header("request-id", f"req_{next(_numbers):012}")
        for name, text in (headers or {}).items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def _stream(self, answer: Answer, model: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.send_header("request-id", f"req_{next(_numbers):012}")
        self.end_headers()
        events = list(_events(answer, model))
        if answer.cut:
            events = events[:3]
        text = "".join(
            f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events
        ).encode()
        with contextlib.suppress(ConnectionError):
            self.wfile.write(f"{len(text):x}\r\n".encode() + text + b"\r\n")
            if answer.cut:
                self.close_connection = True
            else:
                self.wfile.write(b"0\r\n\r\n")


def _events(answer: Answer, model: str) -> Iterator[Mapping[str, Any]]:
    yield {"type": "message_start", "message": _message(model, (), None)}
    for index, block in enumerate(answer.blocks):
        if block["type"] == "text":
            start: Mapping[str, Any] = {"type": "text", "text": ""}
            delta = {"type": "text_delta", "text": block["text"]}
        else:
            start = {**block, "input": {}}
            delta = {"type": "input_json_delta", "partial_json": json.dumps(block["input"])}
        yield {"type": "content_block_start", "index": index, "content_block": start}
        yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": answer.stop_reason, "stop_sequence": None},
        "usage": {"output_tokens": USAGE["output_tokens"]},
    }
    yield {"type": "message_stop"}


def _message(
    model: str, blocks: Sequence[Mapping[str, Any]], stop_reason: str | None
) -> Mapping[str, Any]:
    return {
        "id": f"msg_{next(_numbers):024}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": list(blocks),
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {**USAGE, **OTHER_USAGE},
    }


#: The API's own words for its statuses.
_PROBLEMS = {
    400: ("invalid_request_error", "prompt is too long: 250000 tokens > 200000 maximum"),
    401: ("authentication_error", "invalid x-api-key"),
    403: ("permission_error", "Your credit balance is too low to access the Anthropic API."),
    404: ("not_found_error", "model: no-such-model"),
    429: ("rate_limit_error", "This request would exceed your rate limit."),
    500: ("api_error", "Internal server error"),
    529: ("overloaded_error", "Overloaded"),
}


def _problem(status: int) -> Mapping[str, Any]:
    kind, message = _PROBLEMS.get(status, ("api_error", f"status {status}"))
    return {"type": "error", "error": {"type": kind, "message": message}}


def main(make: type[MessagesApi] = MessagesApi) -> None:
    """Serve until standard input ends; print the address, and at the end the requests' sizes."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--log", type=argparse.FileType("w"), help="see `MessagesApi`")
    with make(keep=False, log=parser.parse_args().log) as api:
        print(api.url, flush=True)  # noqa: T201 - said to whoever started it
        sys.stdin.read()
        account = {"sizes": api.sizes, "cpu": time.process_time()}
        print(json.dumps(account), flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    main()
