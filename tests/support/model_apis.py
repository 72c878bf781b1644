"""A stand-in of three more model APIs, whose model plays the scripts of `messages_api`.

It speaks OpenAI's Responses and Chat Completions and Google's generateContent, as the clients of
agent `acp` do. A conversation is translated into the form of the Messages API, and the answer back.

    > record pass All is well.         the tool `record_verdict`, by whatever name it is offered
    > update {...}                     the same tool with these arguments
    > use {"read": "x"} or use NAME {} any other tool, by its name or the end of it

A request that offers no tools, for a title or a summary, gets a polite text.
"""

from __future__ import annotations

import gzip
import json
import time
from itertools import count
from typing import TYPE_CHECKING, Any, TextIO

from tests.support.messages_api import Answer, MessagesApi, Request, _Handler, _script, main

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    Body = Mapping[str, Any]

RECORD = "record_verdict"
_numbers = count(1)


class ModelApis(MessagesApi):
    """The server of all of them."""

    def __init__(self, *, keep: bool = True, log: TextIO | None = None) -> None:
        super().__init__(keep=keep, log=log)
        self._server.RequestHandlerClass = _Apis

    def of_tasks(self) -> list[Request]:
        """Return the requests that carried out a script, and offered tools for it."""
        return [request for request in self.requests if request.prompt and request.tools]


class _Apis(_Handler):
    def do_GET(self) -> None:  # noqa: N802 - the base's name
        if "models" in self.path:
            model = {"id": "stand-in", "object": "model", "created": 0, "owned_by": "tests"}
            self._send(200, {"object": "list", "data": [model], "models": []})
        else:
            super().do_GET()

    def do_POST(self) -> None:  # noqa: N802 - the base's name
        data = self._body()
        path = self.path.partition("?")[0]
        for part, speak in _SPEAKERS.items():
            if part in path:
                body = json.loads(data)
                dialect = speak(path, body)
                request = Request(
                    path=self.path,
                    headers=dict(self.headers),
                    size=len(data),
                    body={"messages": dialect.messages, "tools": dialect.tools, "as sent": body},
                )
                api = self.server.api
                answer = api.take(request) if dialect.tools else _polite(dialect, api, request)
                self._answer(answer, dialect)
                return
        self.server.api.unexpected.append(f"POST {self.path}")
        self._send(404, {"error": {"message": "no such place", "code": 404}})

    def _body(self) -> bytes:
        if self.headers.get("Transfer-Encoding") == "chunked":
            data = b""
            while size := int(self.rfile.readline().strip() or b"0", 16):
                data += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
        else:
            data = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        return gzip.decompress(data) if self.headers.get("Content-Encoding") == "gzip" else data

    def _answer(self, answer: Answer, dialect: Dialect) -> None:
        api = self.server.api
        if answer.hang:
            api.wait(600)
            self.close_connection = True
            return
        if answer.delay:
            api.wait(answer.delay)
        if answer.status != 200:
            problem = {"message": f"status {answer.status}", "code": answer.status}
            self._send(answer.status, {"error": problem}, answer.headers)
            return
        blocks = [dialect.named(block) for block in answer.blocks]
        if not dialect.stream:
            self._send(200, dialect.whole(blocks))
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Connection", "close")
        self.end_headers()
        self.close_connection = True
        events = list(dialect.events(blocks))
        try:
            self.wfile.write("".join(events[: 1 if answer.cut else None]).encode())
        except OSError:
            return  # a client that was killed


def _polite(dialect: Dialect, api: MessagesApi, request: Request) -> Answer:
    """Answer a request that is no task's: with an object if it has a schema for one."""
    with api._lock:
        api._note(request)
    text = "A title" if dialect.schema is None else json.dumps(_example(dialect.schema))
    return Answer(({"type": "text", "text": text},))


def _example(schema: Body) -> Any:
    """Return a value that a simple schema allows."""
    if schema.get("enum"):
        return schema["enum"][0]
    match str(schema.get("type", "string")).lower():
        case "object":
            return {name: _example(of) for name, of in schema.get("properties", {}).items()}
        case "array":
            return []
        case "boolean":
            return False
        case "number" | "integer":
            return 1
        case _:
            return "x"


def _texts_of(content: object) -> list[str]:
    """Return the texts of a message, in any API's form."""
    if isinstance(content, str):
        return [content]
    parts = content if isinstance(content, list) else []
    return [part["text"] for part in parts if isinstance(part, dict) and "text" in part]


def _merged(messages: Iterable[tuple[str, dict[str, Any]]]) -> list[dict[str, Any]]:
    """Return blocks with their roles as messages: those of one role that follow are one.

    They begin with the script, if there is one: some clients put an exchange of their own first.
    """
    merged: list[dict[str, Any]] = []
    for role, block in messages:
        if not merged or merged[-1]["role"] != role:
            merged.append({"role": role, "content": []})
        merged[-1]["content"].append(block)
    scripts = [
        place
        for place, one in enumerate(merged)
        if one["role"] == "user" and any(_script(text) for text in _texts_of(one["content"]))
    ]
    return merged[scripts[0] if scripts else 0 :]


class Dialect:
    """One request in one API's form, and how it is answered."""

    #: The conversation and the tools, as the Messages API has them.
    messages: list[dict[str, Any]]
    tools: list[dict[str, Any]]
    stream: bool
    #: The schema that the answer must meet, if any.
    schema: Body | None = None

    def __init__(self, path: str, body: Body) -> None:
        self.path = path
        self.body = body

    @property
    def usage(self) -> tuple[int, int]:
        """Return the tokens that the answer is billed as: input and output."""
        return 1000, 100

    def named(self, block: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a block whose tool has the name by which this request offers it."""
        if block["type"] != "tool_use":
            return block
        name, value = self.meant(block)
        names = [tool["name"] for tool in self.tools]
        found = [one for one in names if one == name] or [one for one in names if name in one]
        if not found:
            return {"type": "text", "text": f"There is no tool {name} among {names}."}
        return {**block, "name": found[0], "input": value}

    def meant(self, block: Mapping[str, Any]) -> tuple[str, Any]:
        """Return the tool that a block of a script means, and its input."""
        name, value = block["name"], block["input"]
        if name == "TaskUpdate":
            return RECORD, value.get("metadata", {}).get("ptc", value)
        return name, value

    def whole(self, blocks: list[Mapping[str, Any]]) -> Body:
        raise NotImplementedError

    def events(self, blocks: list[Mapping[str, Any]]) -> Iterator[str]:
        raise NotImplementedError


class Responses(Dialect):
    """OpenAI's Responses API."""

    def __init__(self, path: str, body: Body) -> None:
        super().__init__(path, body)
        self.stream = bool(body.get("stream"))
        self.spaces: dict[str, str] = {}
        self.customs: set[str] = set()
        more = [item for item in body.get("input", ()) if item.get("type") == "additional_tools"]
        self.tools = [
            tool for holder in (body, *more) for tool in self._tools(holder.get("tools", ()))
        ]
        self.messages = _merged(self._blocks())

    def _tools(self, tools: Iterable[Body], space: str | None = None) -> Iterator[dict[str, Any]]:
        for tool in tools:
            if tool.get("type") == "namespace":
                yield from self._tools(tool.get("tools", ()), tool["name"])
                continue
            name = tool.get("name") or tool["type"]
            if tool.get("type") == "custom":
                self.customs.add(name)
            if space is not None:
                self.spaces[name] = space
            yield {"name": name}

    def _blocks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for item in self.body.get("input", ()):
            match item.get("type", "message"):
                case "message":
                    role = "assistant" if item["role"] == "assistant" else "user"
                    for text in _texts_of(item["content"]):
                        yield role, {"type": "text", "text": text}
                case "function_call" | "custom_tool_call":
                    yield "assistant", {"type": "tool_use", "input": item.get("arguments")}
                case "function_call_output" | "custom_tool_call_output":
                    text = json.dumps(item.get("output"))
                    yield "user", {"type": "tool_result", "content": text}

    def _items(self, blocks: list[Mapping[str, Any]]) -> list[dict[str, Any]]:
        return [self._item(block) for block in blocks]

    def named(self, block: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return a block whose tool is called as this request wants it.

        Newer models of OpenAI call tools in code, by one tool that runs JavaScript.
        """
        found = super().named(block)
        if block["type"] != "tool_use" or found["type"] == "tool_use" or "exec" not in self.customs:
            return found
        name, value = self.meant(block)
        tool = f"mcp__ptc__{name}" if name == RECORD else name
        code = f"text(JSON.stringify(await tools.{tool}({json.dumps(value)})));"
        return {"type": "tool_use", "name": "exec", "input": code}

    def _item(self, block: Mapping[str, Any]) -> dict[str, Any]:
        number = next(_numbers)
        if block["type"] == "text":
            part = {"type": "output_text", "text": block["text"], "annotations": []}
            return {
                "type": "message",
                "id": f"msg_{number}",
                "role": "assistant",
                "status": "completed",
                "content": [part],
            }
        name = block["name"]
        space = {"namespace": self.spaces[name]} if name in self.spaces else {}
        if name in self.customs:
            return {
                "type": "custom_tool_call",
                "id": f"ctc_{number}",
                "call_id": f"call_{number}",
                "name": name,
                "input": block["input"],
                **space,
            }
        return {
            "type": "function_call",
            "id": f"fc_{number}",
            "call_id": f"call_{number}",
            "name": name,
            "arguments": json.dumps(block["input"]),
            **space,
        }

    def _full(self, items: list[dict[str, Any]]) -> dict[str, Any]:
        given, written = self.usage
        return {
            "id": f"resp_{next(_numbers)}",
            "object": "response",
            "created_at": int(time.time()),
            "status": "completed",
            "model": self.body.get("model"),
            "output": items,
            "usage": {
                "input_tokens": given,
                "input_tokens_details": {"cached_tokens": 0},
                "output_tokens": written,
                "output_tokens_details": {"reasoning_tokens": 0},
                "total_tokens": given + written,
            },
        }

    def whole(self, blocks: list[Mapping[str, Any]]) -> Body:
        return self._full(self._items(blocks))

    def events(self, blocks: list[Mapping[str, Any]]) -> Iterator[str]:
        items = self._items(blocks)
        full = self._full(items)
        begun = {**full, "status": "in_progress", "output": [], "usage": None}
        yield _event({"type": "response.created", "response": begun})
        for index, item in enumerate(items):
            place = {"output_index": index}
            yield _event({"type": "response.output_item.added", **place, "item": item})
            if item["type"] == "message":
                text = item["content"][0]["text"]
                delta = {"item_id": item["id"], "content_index": 0, "delta": text}
                yield _event({"type": "response.output_text.delta", **place, **delta})
            yield _event({"type": "response.output_item.done", **place, "item": item})
        yield _event({"type": "response.completed", "response": full})


class Chat(Dialect):
    """OpenAI's Chat Completions."""

    def __init__(self, path: str, body: Body) -> None:
        super().__init__(path, body)
        self.stream = bool(body.get("stream"))
        self.tools = [{"name": tool["function"]["name"]} for tool in body.get("tools", ())]
        self.messages = _merged(self._blocks())

    def _blocks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for message in self.body["messages"]:
            texts = [{"type": "text", "text": text} for text in _texts_of(message.get("content"))]
            match message["role"]:
                case "user":
                    yield from (("user", text) for text in texts)
                case "assistant":
                    yield from (("assistant", text) for text in texts)
                    for call in message.get("tool_calls") or ():
                        yield "assistant", {"type": "tool_use", "input": call["function"]}
                case "tool":
                    result = "\n".join(text["text"] for text in texts)
                    yield "user", {"type": "tool_result", "content": result}

    def _message(self, blocks: list[Mapping[str, Any]]) -> dict[str, Any]:
        texts = [block["text"] for block in blocks if block["type"] == "text"]
        calls = [
            {
                "index": index,
                "id": f"call_{next(_numbers)}",
                "type": "function",
                "function": {"name": block["name"], "arguments": json.dumps(block["input"])},
            }
            for index, block in enumerate(one for one in blocks if one["type"] == "tool_use")
        ]
        message = {"role": "assistant", "content": "\n".join(texts) or None}
        return {**message, "tool_calls": calls} if calls else message

    def _about(self, kind: str) -> dict[str, Any]:
        return {
            "id": f"chatcmpl-{next(_numbers)}",
            "object": kind,
            "created": int(time.time()),
            "model": self.body.get("model"),
        }

    def _bill(self) -> dict[str, int]:
        given, written = self.usage
        return {
            "prompt_tokens": given,
            "completion_tokens": written,
            "total_tokens": given + written,
        }

    def whole(self, blocks: list[Mapping[str, Any]]) -> Body:
        message = self._message(blocks)
        reason = "tool_calls" if "tool_calls" in message else "stop"
        choice = {"index": 0, "message": message, "finish_reason": reason}
        return {**self._about("chat.completion"), "choices": [choice], "usage": self._bill()}

    def events(self, blocks: list[Mapping[str, Any]]) -> Iterator[str]:
        message = self._message(blocks)
        reason = "tool_calls" if "tool_calls" in message else "stop"
        about = self._about("chat.completion.chunk")
        first = {"index": 0, "delta": message, "finish_reason": None}
        last = {"index": 0, "delta": {}, "finish_reason": reason}
        yield _event({**about, "choices": [first]})
        yield _event({**about, "choices": [last], "usage": self._bill()})
        yield "data: [DONE]\n\n"


class Gemini(Dialect):
    """Google's generateContent and streamGenerateContent."""

    def __init__(self, path: str, body: Body) -> None:
        super().__init__(path, body)
        self.stream = "stream" in path
        self.tools = [
            {"name": one["name"]}
            for tool in body.get("tools", ())
            for one in tool.get("functionDeclarations", ())
        ]
        options = body.get("generationConfig", {})
        self.schema = options.get("responseJsonSchema") or options.get("responseSchema")
        self.messages = _merged(self._blocks())

    def _blocks(self) -> Iterator[tuple[str, dict[str, Any]]]:
        for content in self.body.get("contents", ()):
            role = "assistant" if content.get("role") == "model" else "user"
            for part in content.get("parts", ()):
                if "text" in part:
                    yield role, {"type": "text", "text": part["text"]}
                elif "functionCall" in part:
                    yield role, {"type": "tool_use", "input": part["functionCall"].get("args")}
                elif "functionResponse" in part:
                    text = json.dumps(part["functionResponse"].get("response"))
                    yield role, {"type": "tool_result", "content": text}

    def whole(self, blocks: list[Mapping[str, Any]]) -> Body:
        parts = [
            {"text": block["text"]}
            if block["type"] == "text"
            else {"functionCall": {"name": block["name"], "args": block["input"]}}
            for block in blocks
        ]
        given, written = self.usage
        bill = {
            "promptTokenCount": given,
            "candidatesTokenCount": written,
            "totalTokenCount": given + written,
        }
        content = {"role": "model", "parts": parts}
        candidate = {"content": content, "finishReason": "STOP", "index": 0}
        return {"candidates": [candidate], "usageMetadata": bill, "modelVersion": "stand-in"}

    def events(self, blocks: list[Mapping[str, Any]]) -> Iterator[str]:
        yield f"data: {json.dumps(self.whole(blocks))}\n\n"


def _event(value: Body) -> str:
    name = f"event: {value['type']}\n" if "type" in value else ""
    return f"{name}data: {json.dumps(value)}\n\n"


#: What each API's paths have in them.
_SPEAKERS: dict[str, Callable[[str, Body], Dialect]] = {
    "/responses": Responses,
    "/chat/completions": Chat,
    "enerateContent": Gemini,
}


if __name__ == "__main__":
    main(ModelApis)
