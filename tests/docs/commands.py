"""Checks of commands that are not run: their syntax, and that what they name is there."""

from __future__ import annotations

import configparser
import re
import shlex
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.options import all_options, report_option
from pytest_ptc.model.reports import REPORTS
from tests.docs.blocks import PageError

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
_FLAGS = {option.cli for option in (*all_options(), *map(report_option, REPORTS)) if option.flag}
#: What a pipeline's own language puts into a command before a shell sees it.
_EXPRESSION = re.compile(r"\$\{\{.*?\}\}")


def check_commands(text: str) -> None:
    """Check commands without running them.

    Raises:
        PageError: A shell would not understand them, or they name an option, a module, a tox
            environment or a file of this repository that is not there.
    """
    plain = _EXPRESSION.sub("x", text)
    done = subprocess.run(
        ["bash", "-n"], input=plain, text=True, capture_output=True, check=False, timeout=10
    )
    if done.returncode:
        raise PageError(done.stderr)
    for line in plain.replace("\\\n", " ").splitlines():
        _check_words(shlex.split(line, comments=True) if _is_whole(line) else line.split())


def _is_whole(line: str) -> bool:
    return line.count("'") % 2 == 0 and line.count('"') % 2 == 0


def _check_words(words: list[str]) -> None:
    for before, word in zip(["", *words], words, strict=False):
        flag = word.partition("=")[0]
        if flag.startswith("--ptc-") and flag not in _FLAGS:
            raise PageError(f"there is no option {flag}")
        if before == "-m" and word.startswith("tests.") and not _module(word):
            raise PageError(f"there is no module {word}")
        if before == "-e" and words[:2] == ["tox", "run"] and not _environment(word):
            raise PageError(f"there is no tox environment {word}")
        top = word.partition("/")[0]
        if "/" in word and top in ("tests", "docs", "example_suites", ".ci", "changelog.d"):
            place = ROOT / word
            if not place.exists() and ".added." not in word:
                raise PageError(f"there is no file {word}")


def _module(name: str) -> bool:
    place = ROOT.joinpath(*name.split("."))
    return place.with_suffix(".py").exists() or (place / "__main__.py").exists()


def _environment(names: str) -> bool:
    tox = configparser.ConfigParser(interpolation=None)
    tox.read(ROOT / "tox.ini")
    named = {section.removeprefix("testenv:") for section in tox.sections()}
    return all(
        name in named or re.fullmatch(r"py31[0-3]-(oldest|pinned|newest)", name)
        for name in names.split(",")
    )


def commands_of(value: Any) -> Iterator[str]:
    """Give the commands that a pipeline's file has."""
    if isinstance(value, list):
        for entry in value:
            yield from commands_of(entry)
    elif isinstance(value, dict):
        for key, entry in value.items():
            if key in ("run", "script", "before_script"):
                yield from [entry] if isinstance(entry, str) else entry
            else:
                yield from commands_of(entry)
