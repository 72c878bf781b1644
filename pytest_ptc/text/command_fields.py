"""Fields in the arguments of a command: which there are, and how they are filled.

`{name}` is a field, and its value is an argument or a part of one, whatever it has in it.
`{{name}}` is a literal `{name}`. All other braces are literal, and so is `${name}`. Code that an
interpreter gets (`sh -c`, `awk`) has no fields but `{cwd}`: a value in it would be run.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: The fields that are not a task's: the first three are filled where pytest runs.
_OWN = frozenset({"python", "rootpath", "claude_code", "cwd"})
_FIELD = re.compile(r"(?<!\$)(?:\{\{(?P<literal>[^\W\d]\w*)\}\}|\{(?P<field>[^\W\d]\w*)\})")
_SHELL = re.compile(r"bash|sh|dash|zsh|ksh|fish")
_INTERPRETER = re.compile(
    r"(python|pypy|node|nodejs|deno|bun|ruby|perl|php|lua|luajit|Rscript|\{python\})[\d.]*"
    rf"|{_SHELL.pattern}"
)
#: Options of those that take code: `-c`, `-ec`, `-e`, `-pe`, `--eval`, PHP's `-r`.
CODE_OPTION = re.compile(r"-\w*[ceEr]|-p|--eval|--print")
_PYTHON = re.compile(r"((python|pypy)|\{python\})[\d.]*")
_MODULE_OPTION = re.compile(r"-\w*m.*")
#: Other options of interpreters that take the next word.
_WITH_VALUE = frozenset(
    {"-o", "+o", "-O", "+O", "--rcfile", "--init-file", "-W", "-X", "--check-hash-based-pycs"}
    | {"-I", "-M", "--require", "--import", "-d"}
)
_AWK = {"-F": 1, "-v": 1}
_JQ = {"--arg": 2, "--argjson": 2, "--indent": 1}
#: Programs whose first argument is code, with those of their options that take a value.
_FIRST_IS_CODE: Mapping[str, Mapping[str, int]] = {
    "awk": _AWK,
    "gawk": _AWK,
    "mawk": _AWK,
    "nawk": _AWK,
    "jq": _JQ,
    "yq": _JQ,
    "sed": {"-l": 1},
    "gsed": {"-l": 1},
}
#: Options of those by which the code is elsewhere.
_CODE_ELSEWHERE = re.compile(r"-\w*[ef]|--(file|expression|from-file)(=.*)?")


class FieldProblem(ValueError):  # noqa: N818 - its text is the rest of a message
    """A field that cannot be filled; the text names it, and says the fix."""


def command_fields(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the fields that a task must fill, each once."""
    code = _code(argv)
    return _names(word for at, word in enumerate(argv) if at not in code)


def shell_fields(argv: Sequence[str]) -> tuple[str, ...]:
    """Return the names that code for a shell has in braces as if they were fields."""
    code = _code(argv)
    return _names(word for at, word in enumerate(argv) if code.get(at) == "shell")


def has_task_field(word: str) -> bool:
    """Tell whether a word has a field that a task must fill."""
    return bool(_names([word]))


def filled_command(argv: Sequence[str], params: Mapping[str, object], cwd: str) -> list[str]:
    """Return the arguments with their fields filled.

    Args:
        argv: The command's words.
        params: The task's parameters.
        cwd: The task's directory.

    Raises:
        FieldProblem: A field has no value, or a value would be taken for an option.
    """
    code = _code(argv)
    return [
        word.replace("{cwd}", cwd) if at in code else _filled(word, params, cwd)
        for at, word in enumerate(argv)
    ]


def _filled(word: str, params: Mapping[str, object], cwd: str) -> str:
    def value(match: re.Match[str]) -> str:
        name = match["field"]
        if name is None:
            return f"{{{match['literal']}}}"
        if name == "cwd":
            return cwd
        if name in _OWN:
            return match[0]
        if name not in params:
            raise FieldProblem(f"{{{name}}} has no value; write {{{{{name}}}}} for literal braces")
        return str(params[name])

    filled = _FIELD.sub(value, word)
    if filled.startswith("-") and not word.startswith("-"):
        raise FieldProblem(
            f"{word} becomes {filled!r}, which the program would take for an option; write it "
            f"behind an equals sign (--option={word}) or a directory ({{cwd}}/{word})"
        )
    if "\0" in filled:
        raise FieldProblem(f"{word} becomes {filled!r}, and no argument can have a zero byte")
    return filled


def _names(words: Sequence[str] | Iterator[str]) -> tuple[str, ...]:
    found = (match["field"] for word in words for match in _FIELD.finditer(word))
    return tuple(dict.fromkeys(name for name in found if name and name not in _OWN))


def _code(argv: Sequence[str]) -> dict[int, str]:
    """Return the positions of words that are code, with `shell` or `other`."""
    found: dict[int, str] = {}
    for at, word in enumerate(argv):
        name = word.rpartition("/")[2]
        if at in found:
            continue
        if _INTERPRETER.fullmatch(name):
            found |= _code_in_options(argv, at + 1, name)
        elif name in _FIRST_IS_CODE:
            first = _first_argument(argv, at + 1, _FIRST_IS_CODE[name])
            found |= {} if first is None else {first: "other"}
    return found


def _code_in_options(argv: Sequence[str], begin: int, name: str) -> dict[int, str]:
    """Return the code among the options of an interpreter: they end at its script."""
    language = "shell" if _SHELL.fullmatch(name) else "other"
    found: dict[int, str] = {}
    at = begin
    while at < len(argv) and argv[at].startswith(("-", "+")):
        # The word itself, too: `-ecode`.
        found[at] = language
        if CODE_OPTION.fullmatch(argv[at]):
            at += 1
            found[at] = language
            if language == "shell" or _PYTHON.fullmatch(name):
                break
        elif _MODULE_OPTION.fullmatch(argv[at]) and _PYTHON.fullmatch(name):
            break
        elif argv[at] in _WITH_VALUE:
            at += 1
        at += 1
    return found


def _first_argument(argv: Sequence[str], begin: int, valued: Mapping[str, int]) -> int | None:
    at = begin
    while at < len(argv) and argv[at].startswith("-") and argv[at] != "--":
        if _CODE_ELSEWHERE.fullmatch(argv[at]):
            return None
        at += 1 + valued.get(argv[at], 0)
    at += at < len(argv) and argv[at] == "--"
    return at if at < len(argv) else None
