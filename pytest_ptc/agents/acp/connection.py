"""The edge to a client: JSON-RPC of the Agent Client Protocol, line by line over its pipes.

By hand: the package `agent-client-protocol` takes 0.4 s of CPU to import, for five methods. Tests
hold what is sent here against that package's schema.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

#: The longest line that is read: a tool's result may be a large file.
MAX_LINE_BYTES = 32 * 1024 * 1024
_NO_METHOD = -32601


class RpcError(Exception):
    """A client answered a request with an error.

    Args:
        error: The error as JSON-RPC has it.
    """

    def __init__(self, error: Mapping[str, Any]) -> None:
        super().__init__(str(error.get("message")))
        self.error = error


class BrokenConnectionError(Exception):
    """A client ended, or sent what cannot be read.

    Args:
        why: What happened.
        protocol: Whether what it sent cannot be read.
    """

    def __init__(self, why: str, *, protocol: bool = False) -> None:
        super().__init__(why)
        self.protocol = protocol


class Connection:
    """A conversation with one client.

    Args:
        reader: What the client says.
        writer: What it hears.
        note: Takes a notification: method and parameters.
        ask: Returns the result of a request of the client's, or None if we do not offer it.
        stray: Takes a line that is no message: some clients log there.
    """

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        *,
        note: Callable[[str, Mapping[str, Any]], None],
        ask: Callable[[str, Mapping[str, Any]], Mapping[str, Any] | None],
        stray: Callable[[str], None],
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._note = note
        self._ask = ask
        self._stray = stray
        self._count = 0
        self._waiting: dict[int, asyncio.Future[Any]] = {}
        self._broken: BrokenConnectionError | None = None
        self._pump = asyncio.create_task(self._read())

    @property
    def broken(self) -> bool:
        """Tell whether nothing can be asked any more."""
        return self._broken is not None

    async def call(self, method: str, params: Mapping[str, Any]) -> Any:
        """Send a request, and return its result.

        Raises:
            RpcError: The client answered with an error.
            BrokenConnectionError: There will be no answer.
        """
        if self._broken is not None:
            raise self._broken
        self._count += 1
        number = self._count
        future = self._waiting[number] = asyncio.get_running_loop().create_future()
        self._send({"id": number, "method": method, "params": params})
        try:
            return await future
        finally:
            self._waiting.pop(number, None)

    def tell(self, method: str, params: Mapping[str, Any]) -> None:
        """Send a notification."""
        self._send({"method": method, "params": params})

    def close(self) -> None:
        """End the conversation."""
        self._pump.cancel()
        self._writer.close()
        self._break("the connection is closed")

    def _send(self, message: Mapping[str, Any]) -> None:
        if not self._writer.is_closing():
            line = json.dumps({"jsonrpc": "2.0", **message})
            self._writer.write(line.encode("utf-8") + b"\n")

    async def _read(self) -> None:
        try:
            while line := await self._reader.readline():
                self._take(line)
            self._break("the client ended")
        except ValueError:
            self._break(f"a line of more than {MAX_LINE_BYTES} bytes", protocol=True)
        except OSError as error:
            self._break(f"the client's pipe broke: {error}")

    def _take(self, line: bytes) -> None:
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            message = None
        if not isinstance(message, dict):
            self._stray(line.decode("utf-8", "replace").rstrip())
            return
        method, given = message.get("method"), message.get("params")
        params = given if isinstance(given, dict) else {}
        if not isinstance(method, str):
            self._take_response(message)
        elif "id" not in message:
            self._note(method, params)
        else:
            result = self._ask(method, params)
            if result is not None:
                self._send({"id": message["id"], "result": result})
            else:
                error = {"code": _NO_METHOD, "message": f"{method} is not offered"}
                self._send({"id": message["id"], "error": error})

    def _take_response(self, message: Mapping[str, Any]) -> None:
        number = message.get("id")
        future = self._waiting.get(number) if isinstance(number, int) else None
        if future is None or future.done():
            return
        if "result" in message:
            future.set_result(message["result"])
        else:
            error = message.get("error")
            future.set_exception(RpcError(error if isinstance(error, dict) else {}))

    def _break(self, why: str, *, protocol: bool = False) -> None:
        if self._broken is None:
            self._broken = BrokenConnectionError(why, protocol=protocol)
        for future in self._waiting.values():
            if not future.done():
                future.set_exception(self._broken)
                future.exception()
