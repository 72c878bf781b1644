"""A client of the Agent Client Protocol that does what its prompt says: a program for agent `acp`.

Each line of the prompt that begins with `> ` is done in order:

    record pass fine      the tool is called as an MCP client does, and the turn goes on
    call {...}            the same with these arguments
    show ID {...}         an update of a call of the tool, which is not carried out
    say WORDS             a piece of text
    flood N               so many updates of 1000 bytes
    ask KIND TITLE        permission is asked for
    end REASON            the turn ends so
    fail CODE MESSAGE     the turn ends with this error
    garbage, die, hang    a line that is no JSON; an end of the process; no end of the turn
    long 1000             a line of so many bytes

Its arguments change how it begins: `no-mcp`, `version-9`, `no-session`, `login`, `no-id`,
`unconnected`, `mute`; `stubborn` ends neither on closed input nor on SIGTERM.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time
import urllib.request
from typing import Any

HOW = set(sys.argv[1:])
_out = threading.Lock()
_answers: dict[int, Any] = {}
_cancelled: set[str] = set()


def send(message: dict[str, Any]) -> None:
    """Send one message."""
    with _out:
        sys.stdout.write(json.dumps({"jsonrpc": "2.0", **message}) + "\n")
        sys.stdout.flush()


def update(session: str, **fields: Any) -> None:
    """Send an update of a session."""
    send({"method": "session/update", "params": {"sessionId": session, "update": fields}})


def mcp(url: str, method: str, **params: Any) -> Any:
    """Send one request to the server of tools, and return its result."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310
    with urllib.request.urlopen(request) as response:  # noqa: S310 - of the worker, on loopback
        return json.loads(response.read())["result"]


def turn(number: int, session: str, url: str, text: str) -> None:  # noqa: C901, PLR0912 - one a word
    """Do what a prompt says, and end its turn."""
    if "unconnected" not in HOW:
        mcp(url, "tools/list")
    reason = "end_turn"
    for line in [line[2:] for line in text.splitlines() if line.startswith("> ")]:
        word, _, rest = line.partition(" ")
        first, _, more = rest.partition(" ")
        if word in ("record", "call"):
            given = {"verdict": first, "summary": more} if word == "record" else json.loads(rest)
            mcp(url, "tools/call", name="record_verdict", arguments=given)
        elif word == "show":
            shown = {"title": "record_verdict", "rawInput": json.loads(more)}
            update(session, sessionUpdate="tool_call", toolCallId=first, **shown)
        elif word == "say":
            content = {"type": "text", "text": rest}
            update(session, sessionUpdate="agent_message_chunk", content=content)
        elif word == "flood":
            for number_of_call in range(int(rest)):
                fields = {"toolCallId": str(number_of_call), "title": "x" * 1000}
                update(session, sessionUpdate="tool_call", status="completed", **fields)
        elif word == "ask":
            ask(session, first, more)
        elif word == "end":
            reason = rest
        elif word == "fail":
            send({"id": number, "error": {"code": int(first), "message": more}})
            return
        elif word == "garbage":
            with _out:
                sys.stdout.write("this is [no message\n")
        elif word == "long":
            with _out:
                sys.stdout.write("x" * int(rest) + "\n")
                sys.stdout.flush()
        elif word == "die":
            os._exit(7)
        elif word == "hang":
            time.sleep(600)
    if session in _cancelled:
        reason = "cancelled"
    send({"id": number, "result": {"stopReason": reason}})


def ask(session: str, kind: str, title: str) -> None:
    """Ask for permission, and say what came of it."""
    call = {"toolCallId": title, "title": title, "kind": kind, "rawInput": {"command": title}}
    options = [
        {"optionId": kind, "name": kind, "kind": kind} for kind in ("allow_once", "reject_once")
    ]
    params = {"sessionId": session, "toolCall": call, "options": options}
    send({"id": 77, "method": "session/request_permission", "params": params})
    while 77 not in _answers:
        time.sleep(0.005)
    said = json.dumps(_answers.pop(77)["outcome"])
    update(session, sessionUpdate="agent_message_chunk", content={"type": "text", "text": said})


def new_session(number: int, params: dict[str, Any], urls: dict[str, str]) -> None:
    """Begin a session."""
    if "no-session" in HOW:
        send({"id": number, "error": {"code": -32603, "message": "no more sessions today"}})
    elif "login" in HOW:
        send({"id": number, "error": {"code": -32000, "message": "Authentication required"}})
    elif "no-id" in HOW:
        send({"id": number, "result": {}})
    else:
        session = f"s{len(urls)}"
        urls[session] = params["mcpServers"][0]["url"]
        send({"id": number, "result": {"sessionId": session}})


def main() -> None:
    """Serve until standard input ends."""
    urls: dict[str, str] = {}
    if "stubborn" in HOW:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    for line in sys.stdin:
        message = json.loads(line)
        method, params = message.get("method"), message.get("params", {})
        number = message.get("id")
        if method == "initialize" and "mute" not in HOW:
            version = 9 if "version-9" in HOW else 1
            offered = {"mcpCapabilities": {"http": "no-mcp" not in HOW}}
            send(
                {"id": number, "result": {"protocolVersion": version, "agentCapabilities": offered}}
            )
        elif method == "session/new":
            new_session(number, params, urls)
        elif method == "session/prompt":
            session, text = params["sessionId"], params["prompt"][0]["text"]
            args = (number, session, urls[session], text)
            threading.Thread(target=turn, args=args, daemon=True).start()
        elif method == "session/cancel":
            _cancelled.add(params["sessionId"])
        elif method is None:
            _answers[number] = message["result"]
    while "stubborn" in HOW:
        time.sleep(600)


if __name__ == "__main__":
    main()
