"""What agent `acp` sends is what its protocols' own packages take."""

from __future__ import annotations

import asyncio
import json
import sys
import urllib.error
import urllib.request
from concurrent.futures import Future
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from jsonschema import Draft202012Validator
from mcp import Client

from pytest_ptc.agents.acp.permissions import answer
from pytest_ptc.agents.acp.process import ClientProcess
from pytest_ptc.agents.acp.recorder import Desk, RecorderServer
from pytest_ptc.agents.acp.surroundings import Profile
from pytest_ptc.agents.acp.turn import Turn
from tests.support import acp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_ptc.verdicts.recording import Record


class Put:
    """A ledger that takes all records."""

    def record(self, _: Record) -> Future[bool]:
        """Take one."""
        done: Future[bool] = Future()
        done.set_result(False)
        return done


@pytest.fixture
def server() -> Iterator[RecorderServer]:
    """The server of the tool."""
    server = RecorderServer()
    yield server
    server.close()


def desk(task: str) -> Desk:
    """Return where a task's attempt is recorded, whose answers are not held back."""
    desk = Desk(Turn(task, None, Put()), lambda: None)  # type: ignore[arg-type]
    desk.release()
    return desk


def test_the_protocols_own_client_records(server: RecorderServer) -> None:
    """It finds the tool, is told why a verdict is refused, and records one."""
    ours = desk("7")
    address = server.open(ours)

    async def talk() -> list[tuple[bool, str]]:
        async with Client(address) as client:
            tools = (await client.list_tools()).tools
            assert [tool.name for tool in tools] == ["record_verdict"]
            given: list[dict[str, Any]] = [
                {"verdict": "pass"},
                {"verdict": "pass", "summary": "fine"},
            ]
            results = [await client.call_tool("record_verdict", value) for value in given]
        return [(bool(one.is_error), one.content[0].text) for one in results]  # type: ignore[union-attr]

    refused, recorded = asyncio.run(talk())
    assert refused[0]
    assert "summary" in refused[1]
    assert recorded == (False, "recorded pass for task 7")
    assert ours.connected


def post(address: str, body: bytes) -> int:
    """Send bytes to an address, and return the status of the answer."""
    request = urllib.request.Request(address, body, {"Content-Type": "application/json"})  # noqa: S310
    try:
        with urllib.request.urlopen(request) as response:  # noqa: S310 - on loopback
            return int(response.status)
    except urllib.error.HTTPError as error:
        return error.code


RECORD = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "tools/call",
    "params": {"name": "record_verdict", "arguments": {"verdict": "pass", "summary": "x"}},
}


def test_an_address_is_good_for_one_attempt(server: RecorderServer) -> None:
    """Nobody records for another task, or for one that is over; a broken request harms nobody."""
    first, second = desk("1"), desk("2")
    before = server.open(first)
    after = server.open(second)
    body = json.dumps(RECORD).encode()
    root = after.rpartition("/")[0]
    assert [post(at, body) for at in (before, f"{root}/", f"{root}/mcp", after)] == [404] * 3 + [
        200
    ]
    assert before != after
    broken = [b"", b"{", b"[]", b"[" * 100_000, b"\xff"]
    assert [post(after, one) for one in broken] == [400] * len(broken)
    assert post(after, json.dumps({"method": "notifications/initialized"}).encode()) == 202
    server.shut()
    assert post(after, body) == 404


def test_what_we_send_to_a_client_meets_its_schema(tmp_path: Path) -> None:
    """The schema is that of the protocol's package, which a client brings."""
    package = Path(acp.command_of("codex")[0]).parents[1] / "@agentclientprotocol" / "sdk"
    schema = json.loads((package / "schema" / "v1" / "schema.json").read_bytes())
    log = tmp_path / "log"
    program = f"""
import json, sys
with open({str(log)!r}, "w") as log:
    for line in sys.stdin:
        log.write(line)
        log.flush()
        message = json.loads(line)
        able = {{"mcpCapabilities": {{"http": True}}, "sessionCapabilities": {{"close": {{}}}}}}
        hello = {{"protocolVersion": 1, "agentCapabilities": able}}
        results = {{"initialize": hello, "session/new": {{"sessionId": "s"}}}}
        result = results.get(message["method"], {{"stopReason": "end_turn"}})
        response = {{"jsonrpc": "2.0", "id": message.get("id"), "result": result}}
        if "id" in message:
            print(json.dumps(response), flush=True)
"""
    script = tmp_path / "client.py"
    script.write_text(program)

    async def talk() -> None:
        profile = Profile(argv=(sys.executable, str(script)), environ=(("PATH", "/bin"),))
        client = await ClientProcess.open("c", profile, tmp_path)
        session = await client.new_session(str(tmp_path), "http://127.0.0.1:1/x")
        await client.prompt(session, "hello")
        client.cancel(session)
        client.forget(session)
        await client.prompt(session, "again")
        await client.close()

    asyncio.run(talk())
    names = {
        "initialize": "InitializeRequest",
        "session/new": "NewSessionRequest",
        "session/prompt": "PromptRequest",
        "session/cancel": "CancelNotification",
        "session/close": "CloseSessionRequest",
    }
    sent = [json.loads(line) for line in log.read_text().splitlines()]
    assert {message["method"] for message in sent} == set(names)
    for message in sent:
        _check(schema, names[message["method"]], message["params"])
    options = [{"optionId": "a", "name": "a", "kind": "allow_once"}]
    for allowed in (True, False):
        _check(schema, "RequestPermissionResponse", answer(options, allowed=allowed))


def _check(schema: dict[str, Any], name: str, value: object) -> None:
    whole = {"$defs": schema["$defs"], "$ref": f"#/$defs/{name}"}
    assert [error.message for error in Draft202012Validator(whole).iter_errors(value)] == []
