"""The command of an agent, with its program, script or module looked up where pytest runs.

A task's directory may be a worktree of a branch under review. A program, script or module that is
looked up there would be the branch's own: the branch could replace its reviewer.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.text.command_fields import CODE_OPTION, has_task_field

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PYTHON = re.compile(r"(python|pypy)[\d.]*")
_INTERPRETER = re.compile(
    r"(python|pypy|node|nodejs|deno|bun|ruby|perl|php|lua|luajit|Rscript|bash|sh|dash|zsh|ksh|fish)"
    r"[\d.]*"
)
#: Programs that run the command that follows their own options.
_WRAPPERS = frozenset(
    {"env", "timeout", "nice", "ionice", "stdbuf", "setsid", "nohup", "time", "sudo", "uv"}
    | {"poetry", "pipenv", "pdm", "hatch", "rye", "pixi", "conda", "xvfb-run"}
)
#: Python's options that take the next word, and its short flags before `m` or `c`.
_WITH_VALUE = frozenset({"-W", "-X", "--check-hash-based-pycs"})
_FLAGS = re.compile(r"-(?P<flags>[bBdEiIOPqRsStuvVx]*)(?P<kind>[mc])(?P<value>.*)", re.DOTALL)
#: The start of a path in the task's directory.
_TASK_DIRECTORY = "{cwd}"
#: The start of code that makes Python import from the root directory.
_BEGIN = "import sys; sys.path[0] = "
_RUNS_MODULE = re.compile(
    rf"{re.escape(_BEGIN)}'(?P<root>.+)'\nimport runpy; runpy\.run_module\('(?P<module>[\w.]+)'"
)
#: What separates names in a word: `--config=x`, `a,b`, and a shell's own signs.
_BETWEEN = re.compile(r"[\s;|&()<>\"'=,]+")


def split_command(place: str, command: str) -> tuple[str, ...]:
    """Return the words of a command, split as a shell splits them.

    Args:
        place: Where it was set, for errors.
        command: The command.

    Raises:
        ConfigError: Its quotes are open.
    """
    try:
        return tuple(shlex.split(command))
    except ValueError as error:
        raise ConfigError(f"{place}: {command!r}: {error}") from None


def anchored_command(argv: Sequence[str], root: Path, place: str) -> tuple[str, ...]:
    """Return a command whose program, script or module is found below `root`, or on PATH.

    Args:
        argv: The command.
        root: The base of relative paths.
        place: Where it was set, for errors.

    Raises:
        ConfigError: There is no such program, or a task would choose it.
    """
    if not argv:
        raise ConfigError(f"{place}: is blank; name a program, or unset it")
    _refuse_chosen(argv[0], place)
    program = _program(argv[0], root, place)
    return (program, *_arguments(Path(program).name, list(argv[1:]), root, place))


def _refuse_chosen(word: str, place: str) -> None:
    """Refuse a program, script or module that a task's parameter chooses."""
    if has_task_field(word) and not word.startswith(_TASK_DIRECTORY):
        raise ConfigError(
            f"{place}: {word!r} has a parameter choose what is run; name the program, or write "
            f"{_TASK_DIRECTORY}/{word} to run a file of the task's directory"
        )


def _arguments(name: str, rest: list[str], root: Path, place: str) -> list[str]:
    """Return a program's arguments with the script or module in them found below `root`."""
    if name in _WRAPPERS:
        inner = (at for at, word in enumerate(rest) if _INTERPRETER.fullmatch(Path(word).name))
        at = next(inner, None)
        if at is not None:
            inner_name = Path(rest[at]).name
            return [*rest[: at + 1], *_arguments(inner_name, rest[at + 1 :], root, place)]
    if _PYTHON.fullmatch(name):
        return _python(rest, root, place)
    if _INTERPRETER.fullmatch(name):
        position = next((at for at, word in enumerate(rest) if not word.startswith("-")), None)
        if position is not None:
            if not CODE_OPTION.fullmatch(rest[position - 1] if position else ""):
                _refuse_chosen(rest[position], place)
            if (root / rest[position]).is_file():
                rest[position] = _absolute(rest[position], root)
    return rest


def relative_names(argv: Sequence[str], root: Path) -> tuple[str, ...]:
    """Return the relative names in a command that are files or modules in `root`.

    In another directory such a name is ambiguous: it may mean a file of that directory.
    """
    found: dict[str, None] = {}
    words = (word for word in argv[1:] if not word.startswith(_BEGIN))
    for name in (name for word in words for name in _BETWEEN.split(word)):
        if name and not name.startswith((os.sep, _TASK_DIRECTORY)) and _exists_in(name, root):
            found[name] = None
    return tuple(found)


def files_of(argv: Sequence[str]) -> tuple[Path, ...]:
    """Return the files and directories that an anchored command names, its module among them."""
    found: list[Path] = []
    for word in argv:
        module = _RUNS_MODULE.match(word)
        if module is not None:
            path = Path(module["root"], module["module"].replace(".", os.sep))
            found += [path.with_name(f"{path.name}.py"), path / "__main__.py"]
        elif word.startswith(os.sep):
            found.append(Path(word))
    return tuple(path for path in found if path.exists())


def _exists_in(name: str, root: Path) -> bool:
    path = root / name
    try:
        if path.is_file():
            return True
        if os.sep in name.rstrip(os.sep):
            return path.is_dir()
        module = root / name.replace(".", os.sep)
        return "." in name.strip(".") and module.with_name(f"{module.name}.py").is_file()
    except OSError:  # a text that is too long for a name
        return False


def _program(word: str, root: Path, place: str) -> str:
    if os.sep not in word:
        found = shutil.which(word)
        if found is None:
            raise ConfigError(f"{place}: {word!r} is not a program on PATH; fix {place}")
        # An entry of PATH may be relative.
        return word if os.path.isabs(found) else str(Path(found).absolute())  # noqa: PTH117
    path = _absolute(word, root)
    if path.startswith(_TASK_DIRECTORY):
        return path
    if shutil.which(path) is None:
        where = "on PATH" if path == word else f"in {root}"
        raise ConfigError(f"{place}: {word!r} is not a program {where}; fix {place}")
    return path


def _python(words: list[str], root: Path, place: str) -> list[str]:
    """Return Python's arguments so that no module is found in the current directory.

    `python -m` and `-c` put that first on the path.
    """
    kept = iter(words)
    done: list[str] = []
    for word in kept:
        matched = _FLAGS.fullmatch(word)
        if matched is not None:
            return [*done, *_code_from_root(matched, list(kept), root, place)]
        if not word.startswith("-"):
            _refuse_chosen(word, place)
            return [*done, _absolute(word, root), *kept]
        done.append(word)
        if word in _WITH_VALUE:
            done += [value for value in (next(kept, None),) if value is not None]
    return done


def _code_from_root(
    matched: re.Match[str], rest: list[str], root: Path, place: str
) -> Iterator[str]:
    flags, kind, value = matched["flags"], matched["kind"], matched["value"]
    rest = [value, *rest] if value else rest
    if rest and kind == "m":
        _refuse_chosen(rest[0], place)
    if not rest or {"I", "P"} & set(flags):
        yield from [f"-{flags}{kind}", *rest]
        return
    what, *arguments = rest
    begin = f"{_BEGIN}{str(root)!r}\n"
    if flags:
        yield f"-{flags}"
    yield "-c"
    if kind == "c":
        yield begin + what
    else:
        yield f"{begin}import runpy; runpy.run_module({what!r}, None, '__main__', True)"
    yield from arguments


def _absolute(word: str, root: Path) -> str:
    return word if word.startswith(_TASK_DIRECTORY) else os.path.normpath(root / word)
