"""Our answers as a server of the Model Context Protocol, with one tool. Pure.

By hand: the package `mcp` takes 0.5 s of CPU and 65 MB to import, for four methods. Tests hold this
against that package's client.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.acp.permissions import RECORDING_TOOL, SERVER

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pytest_ptc.agents.acp.turn import Taken

#: The versions of the protocol that this is an answer to; the last one is offered to others.
VERSIONS = ("2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25")

TOOL = {
    "name": RECORDING_TOOL,
    "title": "Record the verdict",
    "description": "Record your verdict on the task, when you have done it. If it is refused, the "
    "answer says why: fix that and call it again.",
    # With nothing that must be so: some clients refuse a call by themselves that does not meet it,
    # and then a fail in a wrong form would never be heard.
    "inputSchema": {
        "type": "object",
        "properties": {
            "verdict": {"type": "string", "description": "pass, fail, skip or error; needed"},
            "summary": {"type": "string", "description": "one or two sentences; needed"},
            "findings": {
                "type": "array",
                "items": {"type": "object"},
                "description": 'each {"severity": "info|low|medium|high|critical", "message": '
                '"...", "path": "src/x.py", "line": 12, "quote": "text of that line", "rule": '
                '"short-slug"}; may be left out',
            },
            "checked": {
                "type": "array",
                "items": {"type": "string"},
                "description": "what you looked at; may be left out, unless the task asks for it",
            },
            "open": {
                "type": "array",
                "items": {"type": "string"},
                "description": "what you could not look at; may be left out",
            },
            "data": {"description": "what the task asks for besides; may be left out"},
        },
    },
    # It changes nothing of the user's: clients need not ask for it.
    "annotations": {"readOnlyHint": True, "destructiveHint": False, "openWorldHint": False},
}

_NO_METHOD, _WRONG_PARAMETERS = -32601, -32602


def respond(
    message: Mapping[str, Any], take: Callable[[object], Taken], version: str
) -> dict[str, Any] | None:
    """Return the response to a message; None for a notification.

    Args:
        message: A JSON-RPC message.
        take: Takes the arguments of a recording, and returns what became of it.
        version: Our own version.
    """
    if "id" not in message or "method" not in message:
        return None
    given = message.get("params")
    params = given if isinstance(given, dict) else {}
    match message["method"]:
        case "initialize":
            asked = params.get("protocolVersion")
            return _result(
                message,
                {
                    "protocolVersion": asked if asked in VERSIONS else VERSIONS[-1],
                    "capabilities": {"tools": {}},
                    "serverInfo": {"name": SERVER, "version": version},
                },
            )
        case "tools/list":
            return _result(message, {"tools": [TOOL]})
        case "tools/call" if params.get("name") == RECORDING_TOOL:
            taken = take(params.get("arguments"))
            content = [{"type": "text", "text": taken.message}]
            return _result(message, {"content": content, "isError": not taken.recorded})
        case "tools/call":
            return _error(message, _WRONG_PARAMETERS, "there is no such tool")
        case "ping":
            return _result(message, {})
        case _:
            return _error(message, _NO_METHOD, "there is no such method")


def _result(message: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "result": result}


def _error(message: Mapping[str, Any], code: int, text: str) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": message["id"], "error": {"code": code, "message": text}}
