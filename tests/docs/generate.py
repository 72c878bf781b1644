"""The parts of the documentation that come from the code's own tables.

`python -m tests.docs.generate` writes them anew, each between `<!-- generated: NAME -->` and
`<!-- end -->`. `tests/unit/project/test_generated_docs.py` fails where a page does not
have what this would write.
"""

from __future__ import annotations

import argparse
import ast
import inspect
import json
import re
import sys
import textwrap
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest_ptc
from pytest_ptc import hookspecs
from pytest_ptc.agents.acp.clients import CLIENTS
from pytest_ptc.cli.main import COMMANDS, command_parser
from pytest_ptc.collection.keywords import keywords_table
from pytest_ptc.collection.options_table import options_table
from pytest_ptc.interfaces import agent, agent_kind, host
from pytest_ptc.journal.events import Event
from pytest_ptc.model import reports, result, trouble
from pytest_ptc.model.trouble import RETRYABLE, Cause
from pytest_ptc.text.markdown import markdown_table
from pytest_ptc.text.secret_names import described
from tests.docs.causes import WHAT_TO_DO
from tests.docs.faults import fault_rows
from tests.unit.project.test_architecture import PACKAGE, ROOMS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_ptc.agents.acp.clients import Client

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
_REGION = re.compile(
    r"(?P<begin><!-- generated: (?P<name>[\w-]+) -->\n)(?P<text>.*?)(?P<end><!-- end -->)",
    re.DOTALL,
)


def code(text: object) -> str:
    """Return a text as code, and nothing for an empty one."""
    return f"`{text}`" if text not in ("", None) else ""


def causes() -> str:
    """Return the table of causes, with what to do about each."""
    return markdown_table(
        ("cause", "another attempt with `retries`", "what to do"),
        (
            (code(cause), "yes" if cause in RETRYABLE else "no", WHAT_TO_DO[cause])
            for cause in Cause
        ),
    )


def _package(client: Client) -> str:
    """Return a client's package with the version that the tests have."""
    pins = json.loads((ROOT / "tests/data/acp" / client.name / "package.json").read_text())
    ((package, version),) = pins["dependencies"].items()
    return f"{package}@{version}"


def acp_clients() -> str:
    """Return the table of the known clients of agent `acp`."""
    return markdown_table(
        ("`--ptc-agent`", "package, as it was tried", "login"),
        (
            (
                f"[`acp:{client.name}`](agents/{client.name}.md)",
                code(_package(client)),
                ", ".join(map(code, [*client.login, *(f"~/{one}" for one in client.login_files)])),
            )
            for client in CLIENTS
        ),
    )


def acp_client(client: Client) -> str:
    """Return what the table has of a known client."""
    places = [
        f"{name}={value.replace('{home}', '~')}"
        for name, value in {"HOME": "{home}", **client.environ}.items()
        if "{home}" in value
    ]
    model = client.model or " in ".join(code(word) for word in (client.model_json or ())[::-1])
    return markdown_table(
        ("", ""),
        (
            ("tried", code(_package(client))),
            ("install", code(client.install)),
            ("Node", f"{client.node} or newer" if client.node else "its package names no version"),
            ("command", code(" ".join(client.argv))),
            ("login by variables", ", ".join(map(code, client.login))),
            ("login by files", ", ".join(code(f"~/{one}") for one in client.login_files) or "none"),
            ("keyword `model`", code(model) if client.model else model),
            ("in its own home (`~`)", ", ".join(map(code, places))),
            ("refused in the text under review", ", ".join(map(code, client.project_files))),
        ),
    )


def secrets() -> str:
    """Return which names of variables are those of secrets."""
    return f"{described()}.\n"


def _signature(function: ast.FunctionDef | ast.AsyncFunctionDef) -> str:
    returns = ast.unparse(function.returns) if function.returns else "None"
    word = "def" if isinstance(function, ast.FunctionDef) else "async def"
    return f"{word} {function.name}({ast.unparse(function.args)}) -> {returns}: ..."


def _documented(name: str, signature: str, doc: str) -> str:
    head, *rest = inspect.cleandoc(doc).split("\n\n")
    parts = [f"### `{name}`\n", f"```python\n{signature}\n```\n", head + "\n"]
    for part in rest:
        title, _, lines = part.partition("\n")
        if title in ("Args:", "Raises:", "Returns:"):
            entries = re.split(r"\n(?=\S)", textwrap.dedent(lines))
            parts.append(f"{title}\n")
            parts += ["".join(f"- {_entry(entry)}\n" for entry in entries)]
        else:
            parts.append(part + "\n")
    return "\n".join(parts)


def _entry(text: str) -> str:
    name, _, meaning = " ".join(text.split()).partition(": ")
    return f"`{name}`: {meaning}" if meaning else name


def hooks() -> str:
    """Return every hook: its signature and what it is for."""
    tree = ast.parse(inspect.getsource(hookspecs))
    return "\n".join(
        _documented(
            node.name,
            _signature(node),
            ast.get_docstring(node) or "",
        )
        for node in tree.body
        if isinstance(node, ast.FunctionDef) and node.name.startswith("pytest_")
    )


#: The modules whose classes an agent, a host or a report of somebody else's is made of.
_EXTENSION_MODULES = (agent, agent_kind, host, reports, result, trouble)


def public_api() -> str:
    """Return every public name: its signature and what it is for."""
    return "\n".join(_public(name, getattr(pytest_ptc, name)) for name in pytest_ptc.__all__)


def extension_api() -> str:
    """Return every class that extensions use, by its module."""
    parts = []
    for module in _EXTENSION_MODULES:
        parts.append(f"## `{module.__name__}`\n")
        tree = ast.parse(inspect.getsource(module))
        names = [node.name for node in tree.body if isinstance(node, ast.ClassDef)]
        parts += [
            _public(name, getattr(module, name)) for name in names if not name.startswith("_")
        ]
    return "\n".join(parts)


def _public(name: str, found: Any) -> str:
    (node,) = ast.parse(inspect.getsource(found)).body
    if isinstance(node, ast.FunctionDef):
        return _documented(f"{name}()", _signature(node), found.__doc__ or "")
    assert isinstance(node, ast.ClassDef), name
    lines = [f"class {name}({', '.join(map(ast.unparse, node.bases))}):".replace("()", "")]
    for entry in node.body:
        if isinstance(entry, ast.AnnAssign | ast.Assign):
            lines.append(f"    {ast.unparse(entry)}")
        elif isinstance(
            entry, ast.FunctionDef | ast.AsyncFunctionDef
        ) and not entry.name.startswith("_"):
            doc = (ast.get_docstring(entry) or "").split("\n\n")[0]
            lines += ["", f"    # {' '.join(doc.split())}"] if doc else [""]
            lines += [f"    @{ast.unparse(mark)}" for mark in entry.decorator_list]
            lines.append(f"    {_signature(entry)}")
    if len(lines) == 1:
        lines.append("    ...")
    return _documented(name, "\n".join(lines), found.__doc__ or "")


def report_schema() -> str:
    """Return a table of the fields for each object of the run document."""
    text = (PACKAGE / "reporting/run-report.schema.json").read_text(encoding="utf-8")
    schema = json.loads(text)
    objects = {"": schema, **{f"{name}": entry for name, entry in schema["$defs"].items()}}
    for name in ("run", "totals"):
        objects[name] = schema["properties"][name]
    parts = []
    for name, entry in objects.items():
        if "properties" not in entry:
            continue
        title = f"`{name}`" if name else "The document"
        rows = (
            (code(field), _kind(value), value.get("description", ""))
            for field, value in entry["properties"].items()
        )
        parts.append(f"### {title}\n\n" + markdown_table(("field", "type", "meaning"), rows))
    return "\n".join(parts)


def _kind(value: Mapping[str, Any]) -> str:
    if "$ref" in value:
        return code(value["$ref"].rpartition("/")[2])
    if "const" in value:
        return code(json.dumps(value["const"]))
    if "enum" in value:
        return ", ".join(code(json.dumps(entry)) for entry in value["enum"])
    if "anyOf" in value:
        return " or ".join(_kind(entry) for entry in value["anyOf"])
    kind = value.get("type", "any")
    if kind == "array":
        return f"list of {_kind(value.get('items', {}))}"
    return " or ".join(kind) if isinstance(kind, list) else str(kind)


def events() -> str:
    """Return a table of the events of a run's story, with the fields of each."""
    rows = []
    for kind in _subclasses(Event):
        tag = kind.__struct_config__.tag
        if isinstance(tag, str) and tag != kind.__name__:
            own = [name for name in kind.__struct_fields__ if name not in Event.__struct_fields__]
            doc = inspect.cleandoc(kind.__doc__ or "").split("\n\nArgs:")[0]
            rows.append((code(tag), " ".join(doc.split()), ", ".join(map(code, own))))
    return markdown_table(("event", "when it is written, and what follows", "fields"), rows)


def _subclasses(parent: type[Event]) -> Iterator[type[Event]]:
    for child in parent.__subclasses__():
        yield child
        yield from _subclasses(child)


def commands() -> str:
    """Return each command of the program `ptc`, with its arguments."""
    parts = []
    for command in COMMANDS:
        name, parser = command.name, command_parser(command)
        parts.append(f"### `ptc {name}`\n\n{parser.description}\n")
        parts += _arguments(parser)
        for action in parser._actions:
            if isinstance(action, argparse._SubParsersAction):
                helps = {choice.dest: choice.help for choice in action._choices_actions}
                for word, below in action.choices.items():
                    text = helps[word] or ""
                    parts.append(f"#### `ptc {name} {word}`\n\n{text[:1].upper()}{text[1:]}.\n")
                    parts += _arguments(below)
    return "\n".join(parts)


def _arguments(parser: argparse.ArgumentParser) -> list[str]:
    rows = [
        (code(_argument(action)), (action.help or "") % {"default": action.default})
        for action in parser._actions
        if not isinstance(action, argparse._HelpAction | argparse._SubParsersAction)
    ]
    return [markdown_table(("argument", "meaning"), rows)] if rows else []


def _argument(action: argparse.Action) -> str:
    if not action.option_strings:
        shown = action.metavar if isinstance(action.metavar, str) else action.dest
        return {"?": f"[{shown}]", "*": f"[{shown} ...]"}.get(str(action.nargs), shown)
    value = action.metavar or action.dest.upper()
    return action.option_strings[-1] + ("" if action.nargs == 0 else f" {value}")


def rooms() -> str:
    """Return the table of rooms, from the top down, with what each may import."""
    rows = []
    for room in reversed(ROOMS):
        place = PACKAGE / room
        source = place / "__init__.py" if place.is_dir() else place.with_suffix(".py")
        doc = ast.get_docstring(ast.parse(source.read_text(encoding="utf-8"))) or ""
        role = doc.split("\n\n")[0].replace("\n", " ")
        name = f"{room}/" if place.is_dir() else f"{room}.py"
        rows.append((code(name), role, ", ".join(sorted(ROOMS[room]))))
    return markdown_table(("room", "its role", "may import"), rows)


def floors() -> str:
    """Return the rooms as a picture: each stands above all that it imports."""
    floor: dict[str, int] = {}
    for room, below in ROOMS.items():
        floor[room] = max((floor[other] + 1 for other in below), default=0)
    lines = [
        f"{number:>2} | {'   '.join(room for room in ROOMS if floor[room] == number)}"
        for number in sorted(set(floor.values()), reverse=True)
    ]
    return "```text\n" + "\n".join(lines) + "\n```\n"


def faults() -> str:
    """Return the table of faults, each with the tests that are marked with it."""
    return markdown_table(
        ("fault", "what the user sees", "tests"),
        ((row.fault, row.seen, " ".join(code(test) for test in row.tests)) for row in fault_rows()),
    )


PARTS: Mapping[str, Callable[[], str]] = {
    "options": options_table,
    "keywords": keywords_table,
    "causes": causes,
    "acp": acp_clients,
    **{f"acp-{client.name}": partial(acp_client, client) for client in CLIENTS},
    "secrets": secrets,
    "hooks": hooks,
    "public-api": public_api,
    "extension-api": extension_api,
    "report-schema": report_schema,
    "events": events,
    "commands": commands,
    "rooms": rooms,
    "floors": floors,
    "faults": faults,
}


def pages() -> Iterator[Path]:
    """Give every page of the site."""
    yield from sorted(DOCS.rglob("*.md"))


def generated_in(text: str) -> list[str]:
    """Return the names of the parts in a page."""
    return [match["name"] for match in _REGION.finditer(text)]


def renewed(text: str) -> str:
    """Return a page with every generated part as it is now."""
    return _REGION.sub(
        lambda match: f"{match['begin']}\n{PARTS[match['name']]()}\n{match['end']}", text
    )


def main() -> None:
    """Write every page anew that has a generated part."""
    for page in pages():
        text = page.read_text(encoding="utf-8")
        new = renewed(text)
        if new != text:
            page.write_text(new, encoding="utf-8")
            sys.stdout.write(f"{page.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
