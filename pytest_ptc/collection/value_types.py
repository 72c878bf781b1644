"""The types of what keywords and options take: in words, in code, and as pytest's ini types. Pure.

Every pytest run on the machine imports this.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, get_args

from pytest_ptc.model.voters import is_voter

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

IniType = Literal["int", "float", "string", "bool", "args", "linelist"]


class ValueType(NamedTuple):
    """What values a keyword or an option takes.

    Args:
        words: What a value must be, as in "must be a text".
        accepts: Tells whether a value is of the type.
        ini: The type tag of pytest's `addini`, for an option of the type.
        convert: Returns an accepted value as a task has it.
        choices: The values, where they are a few names.
        secret: Whether a message must not show the value that was given.
    """

    words: str
    accepts: Callable[[Any], bool]
    ini: IniType = "string"
    convert: Callable[[Any], Any] | None = None
    choices: tuple[str, ...] = ()
    secret: bool = False

    def problem(self, value: object) -> str | None:
        """Return what is wrong with a value, or None."""
        if self.accepts(value):
            return None
        return f"must be {self.words}" + ("" if self.secret else f", not {value!r:.80}")

    def converted(self, value: Any) -> Any:
        """Return an accepted value as a task has it."""
        return value if self.convert is None else self.convert(value)


def is_text(value: object) -> bool:
    """Tell whether a value is a text that says something and can be handed to a program."""
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_whole(value: object, floor: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= floor


def _is_positive(value: object) -> bool:
    # NaN is not above 0.
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_texts(value: object) -> bool:
    return is_text(value) or (
        isinstance(value, list | tuple) and all(is_text(entry) for entry in value)
    )


def _is_commit(value: object) -> bool:
    # A name that begins so would be an option of git's.
    return is_text(value) and not str(value).startswith("-")


def _is_environment(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        is_text(name) and "=" not in name and isinstance(entry, str) and "\0" not in entry
        for name, entry in value.items()
    )


def _are_assignments(value: Sequence[str]) -> bool:
    return all("=" in entry[1:] and "\0" not in entry for entry in value)


def _is_schema(value: object) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "model_json_schema")


def _schema(value: Any) -> dict[str, Any]:
    # Pydantic is recognised by its method, so that it need not be installed.
    return dict(value if isinstance(value, Mapping) else value.model_json_schema())


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _named(value: Any) -> Any:
    """Return `on` or `off` for a truth value, which YAML makes of these words."""
    return {True: "on", False: "off"}[value] if isinstance(value, bool) else value


def whole_from(floor: int) -> ValueType:
    """Return the type of the whole numbers from `floor`."""
    return ValueType(f"a whole number from {floor}", lambda value: _is_whole(value, floor), "int")


def one_of(choice: object) -> ValueType:
    """Return the type of a `Literal` of texts."""
    choices: tuple[str, ...] = get_args(choice)
    return ValueType(
        f"one of {', '.join(choices)}",
        lambda value: _named(value) in choices,
        convert=_named,
        choices=choices,
    )


def some_of(choice: object) -> ValueType:
    """Return the type of a list of a `Literal`'s texts."""
    choices: tuple[str, ...] = get_args(choice)
    return ValueType(
        f"names among {', '.join(choices)}", lambda value: {*value} <= {*choices}, "args"
    )


TEXT = ValueType("a text", is_text)
TEXTS = ValueType("a text or a list of texts", _is_texts, "args", _texts)
FLAG = ValueType("True or False", lambda value: isinstance(value, bool), "bool")
SECONDS = ValueType("a number of seconds above 0", _is_positive, "float", float)
DOLLARS = ValueType("a number of US dollars above 0", _is_positive, "float", float)
DIRECTORY = ValueType(
    "the path of a directory",
    lambda value: is_text(value) or isinstance(value, Path),
    convert=str,
)
GROUP = ValueType(
    "a text that names the group, such as users",
    lambda value: is_text(value) and bool(value.strip()),
    convert=str.strip,
)
FINDINGS = ValueType(
    "sarif: and the name of a file in the task's directory, as sarif:out.sarif",
    lambda value: is_text(value) and re.fullmatch(r"sarif:(?![/\s]).*[^/\s]", value) is not None,
)
COMMIT = ValueType("the name of a commit", _is_commit)
QUORUM = ValueType(
    "majority, all, or a whole number from 1",
    lambda value: (
        value in ("majority", "all")
        or _is_whole(value, 1)
        or (isinstance(value, str) and value.isascii() and value.isdigit() and int(value) > 0)
    ),
    convert=str,
)
VOTERS = ValueType(
    "one or several of AGENT, AGENT:MODEL or :MODEL, as claude:opus",
    lambda value: _is_texts(value) and bool(value) and all(map(is_voter, _texts(value))),
    "args",
    _texts,
)
TEST_NAMES = ValueType("the name of a test, or a list of names", _is_texts, "args", _texts)
ENVIRONMENT = ValueType("a mapping of names to texts", _is_environment, convert=dict, secret=True)
VARIABLE_NAMES = ValueType(
    "names of environment variables",
    lambda value: all(is_text(name) and not set("=, ") & set(name) for name in value),
    "args",
)
ASSIGNMENTS = ValueType("lines of the form NAME=value", _are_assignments, "linelist", secret=True)
SCHEMA = ValueType("a JSON Schema (a mapping) or a pydantic model", _is_schema, convert=_schema)
#: A run, by the end of its id, or the last one.
RUN = ValueType(
    "the end of a run's id, or last",
    lambda value: re.fullmatch(r"[\w-]+", value) is not None,
)
#: A part of something, exactly as it is written.
RATE = ValueType(
    "a number from 0 to 1, such as 0.8",
    lambda value: re.fullmatch(r"0?\.[0-9]{1,9}|0|1(\.0{1,9})?", value, re.ASCII) is not None,
)
#: How many tests must have been judged.
ALL_OR_NUMBER = ValueType(
    "all, or a number from 1",
    lambda value: value == "all" or (value.isascii() and value.isdigit() and int(value) > 0),
)


def _is_shard(value: object) -> bool:
    from pytest_ptc.model.shards import Shard  # noqa: PLC0415 - only where one is named

    return isinstance(value, str) and Shard.parse(value) is not None


#: A part of the marked tests.
SHARD = ValueType(
    "K/N, the part K of N parts, the first of which is 1, as 2/4",
    _is_shard,
    convert=str.strip,
)
