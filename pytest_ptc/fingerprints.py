"""What a task's verdict depends on, as a hash; while it is equal, an earlier verdict stands.

That is all the agent was told and allowed, what it was, and the content of the files that the task
names: in its prompt, its parameters, and the command of the agent. A task that names no file is
taken to be about the whole working tree, as git has it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import re
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.errors import GitError
from pytest_ptc.git import git
from pytest_ptc.patterns import MADE_BY_TOOLS

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from pytest_ptc.model import TaskSpec

#: What of a task has no part in its verdict: how long and how often it may be tried, what must come
#: first, and what its test makes of the verdict.
_WITHOUT = frozenset({"timeout", "retries", "needs", "gate", "fail_on", "on_skip"})

#: Most files, bytes and words that are looked at for one task; one that names more is run again.
MOST_FILES = 2_000
MOST_BYTES = 256 * 1024 * 1024
MOST_WORDS = 20_000

_WORD = re.compile(r"[^\s\"'`<>|,;(){}]+")
#: What follows a path without being of it: `x.py:12:`, `x.py.`, `(x.py)!`
_AFTER = re.compile(r"(:\d+)*[.:!?\])]*$")
#: A server that a suite starts for itself has another port each time.
_PORT = re.compile(r"(?<![\w.-])((?:127\.\d+\.\d+\.\d+|localhost|\[::1\])):\d+\b")


class TooMuchError(Exception):
    """The task names more than can be looked at."""


def fingerprint(spec: TaskSpec, agent: Mapping[str, Any]) -> str | None:
    """Return the hash of what the task's verdict depends on; None if that is too much to look at.

    Args:
        spec: The task.
        agent: What the agent is: plain JSON. Its `argv` may name files.
    """
    asked = {name: value for name, value in spec.to_json().items() if name not in _WITHOUT}
    told = json.dumps([asked, agent], sort_keys=True, default=str)
    sha256 = hashlib.sha256(_PORT.sub(r"\1", told).encode())
    try:
        named = _named(spec, asked)
        files = [*named, *_named(spec, agent.get("argv", []))]
        for path, content in _contents(dict.fromkeys(files)):
            sha256.update(f"\n{path}\0{content}".encode("utf-8", "surrogateescape"))
    except TooMuchError:
        return None
    if not named:
        sha256.update(_tree(spec.cwd).encode())
    return sha256.hexdigest()


def _named(spec: TaskSpec, value: object) -> list[Path]:
    """Return the files that the texts of a JSON value name, from the task's directory."""
    found: dict[Path, None] = {}
    words: dict[str, None] = {}
    for text in _texts(value):
        for match in _WORD.finditer(text):
            words[match[0]] = None
            if len(words) > MOST_WORDS:
                raise TooMuchError
    for word in words:
        for path in _meant(word, Path(spec.cwd)):
            found[path] = None
            if len(found) > MOST_FILES:
                raise TooMuchError
    return list(found)


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, entry in value.items():
            # The directory itself is where names begin, and the node id names the test.
            if name not in ("cwd", "nodeid"):
                yield from _texts(entry)
    elif isinstance(value, list | tuple):
        for entry in value:
            yield from _texts(entry)


def _meant(word: str, cwd: Path) -> Iterator[Path]:
    """Yield the files that a word names: a file, those of a directory, those of a pattern."""
    name = _AFTER.sub("", word)
    if not any(letter.isalnum() for letter in name) or "\0" in name:
        return
    with contextlib.suppress(OSError, ValueError, NotImplementedError):
        if any(sign in name for sign in "*?[") and not name.startswith("/"):
            yield from (path for path in sorted(cwd.glob(name)) if path.is_file())
        path = Path(os.path.normpath(cwd / name))
        if path.is_file():
            yield path
        elif path.is_dir() and path != cwd and path.is_relative_to(cwd):
            yield from _below(path)


def _below(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder):
        folders[:] = sorted(set(folders) - MADE_BY_TOOLS)
        yield from (Path(place, name) for name in sorted(files))


def _contents(paths: Iterable[Path]) -> Iterator[tuple[Path, str]]:
    left = MOST_BYTES
    for path in paths:
        try:
            seen = path.stat()
            left -= seen.st_size
            if left < 0:
                raise TooMuchError
            yield path, _digest(path, seen.st_ino, seen.st_size, seen.st_mtime_ns)
        except OSError as error:
            yield path, f"unreadable: {error.errno}"


@lru_cache(MOST_FILES * 10)
def _digest(path: Path, *_version: int) -> str:
    """Return the hash of a file, which many tasks may name."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


@cache
def _tree(cwd: str) -> str:
    """Return the state of the working tree: its commit and what differs; empty outside of git."""
    asked = (
        ("rev-parse", "--verify", "--quiet", "HEAD"),
        ("diff", "HEAD"),
        ("status", "--porcelain"),
    )
    said = "\0".join(_said(cwd, words) for words in asked)
    return hashlib.sha256(said.encode("utf-8", "surrogateescape")).hexdigest()


def _said(cwd: str, words: Iterable[str]) -> str:
    try:
        return git(cwd, *words)
    except GitError:
        return ""  # no repository, or none with a commit
