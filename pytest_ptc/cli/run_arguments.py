"""The arguments of `ptc run`, and what they come to: a suite, and options for pytest."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_ptc.cli.run_options import NAMES, NOT_HERE
from pytest_ptc.collection.inline_items import Rows, Sources, inline_suite
from pytest_ptc.collection.keywords import KEYWORDS, checked_keywords
from pytest_ptc.collection.openapi import is_openapi, operations_in
from pytest_ptc.collection.rows import rows_in
from pytest_ptc.model.errors import ConfigError, ListingError, MarkerError
from pytest_ptc.text.template import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.model.inline_suite import InlineSuite

#: Workers by default, where there are as many items.
_WORKERS = 5


class _OneSentence(argparse.ArgumentParser):
    """Refuses a call in one sentence, without a page of usage."""

    def error(self, message: str) -> NoReturn:
        if message.startswith("the following arguments are required"):
            # Of all that has no option's name, only the prompt must be there.
            message = (
                'PROMPT is missing: say what to do, as in ptc run "Process {each}." a.txt b.txt'
            )
        raise ConfigError(f"{message}; see `ptc run --help`")


def parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a call; options may stand between items.

    Raises:
        ConfigError: They are no call of this command.
    """
    end = words.index("--") if "--" in words else len(words)
    own = ["--resume=last" if word == "--resume" else word for word in words[:end]]
    strict = _OneSentence(
        prog=parser.prog,
        usage=parser.usage,
        description=parser.description,
        epilog=parser.epilog,
        formatter_class=parser.formatter_class,
        parents=[parser],
        add_help=False,
        allow_abbrev=False,
    )
    arguments = strict.parse_intermixed_args(own)
    arguments.pytest = list(words[end + 1 :])
    arguments.words = list(words)
    return arguments


def _pytest_options(arguments: argparse.Namespace, items: int) -> list[str]:
    """Return the options with which pytest runs so many items.

    Raises:
        ConfigError: A number is out of range.
    """
    workers = arguments.workers
    if workers is None:
        workers = max(1, min(items, _WORKERS))
    if workers < 1:
        raise ConfigError(f"-n: must be 1 or more, not {workers}")
    if any(word.startswith("--ptc-workers") for word in arguments.pytest):
        raise ConfigError("behind --: --ptc-workers is -n here; say -n N before --")
    words = [f"--ptc-workers={workers}", "--ptc-exit-codes"]
    if arguments.agent:
        words.append(f"--ptc-agent={arguments.agent}")
    if arguments.known:
        # Pytest's root directory may be another one.
        words.append(f"--ptc-known={Path.cwd() / arguments.known}")
    if arguments.baseline:
        words.append(f"--ptc-baseline={_baseline(arguments.baseline)}")
    if arguments.resume:
        words.append(f"--ptc-resume={arguments.resume}")
    if arguments.budget is not None and not arguments.budget > 0:
        raise ConfigError(
            f"--budget: must be a number of US dollars above 0, not {arguments.budget:g}"
        )
    if arguments.budget is not None:
        words.append(f"--ptc-budget-usd={arguments.budget}")
    return [*words, *arguments.pytest]


def _baseline(word: str) -> str:
    return str(Path.cwd() / word) if word.endswith(".json") else word


def suite_of(arguments: argparse.Namespace) -> InlineSuite:
    """Return the suite that the arguments describe.

    Raises:
        PtcError: They describe none.
    """
    folder = Path.cwd()
    if arguments.ref and not arguments.isolation:
        raise ConfigError("--ref: needs --isolation worktree")
    if arguments.base and not arguments.isolation and arguments.gate_on in (None, "all"):
        raise ConfigError("--base: needs --isolation worktree or --gate-on")
    suite = inline_suite(
        arguments.prompt,
        Sources(
            items=arguments.items,
            files=arguments.files,
            changed=arguments.changed,
            rows=_rows(arguments.source, fields_of(arguments.prompt)),
            exclude=arguments.exclude,
            each=arguments.each,
            canaries=arguments.canary,
            controls=arguments.control,
        ),
        _keywords(arguments, folder),
        folder,
        check_files=not arguments.no_files,
    )
    options = _pytest_options(arguments, len(suite.items))
    return replace(suite, options=tuple(options), words=tuple(arguments.words))


def _keywords(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    given: dict[str, Any] = {"cwd": str(folder)}
    for name in KEYWORDS:
        value = getattr(arguments, name, None)
        if value is not None and name not in NOT_HERE:
            given[name] = _value(name, value, folder)
    try:
        checked = checked_keywords("ptc run", given, folder)
    except MarkerError as error:
        option = NAMES.get(error.field, error.field).replace("_", "-")
        raise ConfigError(f"--{option}: {error.problem}") from None
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in checked.items()
    }


def _value(name: str, value: Any, folder: Path) -> Any:
    match name:
        case "cwd":
            # With fields it is looked at when they are filled, from pytest's root directory.
            return str(folder / value)
        case "sandbox_read" | "sandbox_write":
            return [str(folder / Path(path).expanduser()) for path in value]
        case "schema":
            return _schema(value)
        case "tools":
            tools = tools_in(value)
            if not tools:
                raise ConfigError("--tools: names no tool; write such as Read,Grep")
            return tools
        case "voters":
            return [voter for voter in re.split(r"[,\s]+", value) if voter]
        case "env":
            return _variables(value)
    return value


def tools_in(text: str) -> list[str]:
    """Return the tools of a list with commas or blanks; those within parentheses are a rule's."""
    tools, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth <= 0 and (char == "," or char.isspace()):
            tools.append("")
        else:
            tools[-1] += char
    return [tool for tool in tools if tool]


def _variables(given: Sequence[str]) -> Mapping[str, str]:
    for text in given:
        if "=" not in text[1:]:
            raise ConfigError(f"--env {text!r:.80}: write NAME=VALUE")
    return dict(text.split("=", 1) for text in given)


def _schema(name: str) -> Any:
    try:
        value = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--schema {name}: cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"--schema {name}: must be a JSON object, which a JSON Schema is")
    return value


def _rows(name: str | None, fields: Sequence[str]) -> Rows | None:
    if name is None:
        return None
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or error
        raise ConfigError(f"--from {name}: cannot be read: {problem}") from None
    try:
        if is_openapi(name, text):
            operations = [operation._asdict() for operation in operations_in(text)]
            return Rows(f"--from {name}", operations, are_operations=True)
        return Rows(f"--from {name}", rows_in(name, text, fields))
    except ListingError as error:
        raise ConfigError(f"--from {name}: {error}") from None
