"""The edge to git: every call of ours goes through here, and runs nothing that a tree brings.

A repository may name programs: hooks, a file system monitor, filters, external diffs, text
conversions, a command for ssh. None of them has a part in what we ask git, so none is run, nothing
is fetched, and nobody is asked. What the user says for the user's own machine holds:
`safe.directory` in any configuration that git takes it from, and the variables `GIT_CONFIG_*`.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.repositories import brought_repository
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

#: Seconds that git may take; a checkout of a large repository from a slow disk.
GIT_TIMEOUT_S = 300.0
#: Characters of git's words that a message has; more is cut in its middle.
MAX_ERROR_CHARS = 1_000
#: Bytes that git may print where nobody says another limit.
MAX_OUTPUT_BYTES = 256 * 1024 * 1024

#: Variables of git's that say something of the user and the machine. Every other one says which
#: repository, index or program is meant, as for a hook, and must not choose ours.
_OF_THE_USER = (
    "GIT_CONFIG_COUNT",
    "GIT_CONFIG_KEY_",
    "GIT_CONFIG_VALUE_",
    "GIT_CONFIG_PARAMETERS",
    "GIT_CONFIG_GLOBAL",
    "GIT_CONFIG_SYSTEM",
    "GIT_CONFIG_NOSYSTEM",
    "GIT_CEILING_DIRECTORIES",
    "GIT_DISCOVERY_ACROSS_FILESYSTEM",
    "GIT_EXEC_PATH",
)
_OURS: Mapping[str, str] = {
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    # A blob that a partial clone lacks would be asked for with the remote's own commands.
    "GIT_NO_LAZY_FETCH": "1",
    # A replaced object is not what is reviewed.
    "GIT_NO_REPLACE_OBJECTS": "1",
    "GIT_PAGER": "cat",
    "LC_ALL": "C",
}
_HARDENED = (
    "core.hooksPath=/dev/null",
    "core.fsmonitor=false",
    # What the index remembers of untracked files may have been written by somebody else.
    "core.untrackedCache=false",
    # Files that make a bare repository are no repository (git 2.38 or newer; see below).
    "safe.bareRepository=explicit",
    "protocol.allow=never",
    "core.sshCommand=false",
    "core.askPass=",
    "credential.helper=",
    "core.editor=false",
    "log.showSignature=false",
    "gc.auto=0",
    "maintenance.auto=false",
    "submodule.recurse=false",
    # A worktree of ours is whole, whatever part of the tree the user has checked out.
    "core.sparseCheckout=false",
)
#: Commands that may run a program to show a difference, unless they are told not to.
_DIFFERS = frozenset({"diff", "diff-tree", "diff-index", "diff-files", "log", "show"})
#: Commands that neither read nor write files of the working tree, so that no filter has a part.
_WITHOUT_FILES = frozenset(
    {"rev-parse", "config", "merge-base", "ls-files", "ls-tree", "cat-file", "diff-tree"}
    | {"rev-list", "for-each-ref", "check-attr", "version"}
)


class TooMuchPrintedError(GitError):
    """Git prints more than its caller takes."""


def git(
    cwd: str | Path,
    *words: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    most: int = MAX_OUTPUT_BYTES,
    patience: float = GIT_TIMEOUT_S,
) -> str:
    """Run git in a directory and return what it prints; file names may hold any bytes.

    Args:
        cwd: The directory.
        words: The command and its arguments; no option of git's own before it.
        env: Variables for git; `GIT_DIR` in it says which repository is meant.
        stdin: What it reads.
        most: Bytes that it may print.
        patience: Seconds that it may take.

    Raises:
        GitError: It does not run, refuses, or prints more; the message has its words.
    """
    printed = git_bytes(cwd, *words, env=env, stdin=stdin, most=most, patience=patience)
    return printed.decode("utf-8", "surrogateescape")


def git_bytes(
    cwd: str | Path,
    *words: str,
    env: Mapping[str, str] | None = None,
    stdin: bytes = b"",
    most: int = MAX_OUTPUT_BYTES,
    patience: float = GIT_TIMEOUT_S,
) -> bytes:
    """Run git as `git` does, and return the bytes that it prints."""
    overrides = dict(env or {})
    if "GIT_DIR" not in overrides:
        brought = brought_repository(cwd)
        if brought is not None:
            # An older git would take its configuration, and the programs in that.
            raise GitError(
                f"{printable(str(brought))} is a bare repository made of files; use a directory "
                "outside of it"
            )
    environ = {**of_the_user(os.environ), **_OURS, **overrides}
    command, *arguments = words
    if command in _DIFFERS:
        arguments = ["--no-ext-diff", "--no-textconv", *arguments]
    if command not in _WITHOUT_FILES:
        environ |= _without_filters(cwd, environ)
    hardened = [word for setting in _HARDENED for word in ("-c", setting)]
    line = ["git", "-C", str(cwd), "--no-pager", *hardened, command, *arguments]
    status, printed, stderr = _run(line, environ, stdin, most, patience)
    if len(printed) > most:
        raise TooMuchPrintedError(f"git {command} prints more than {most} bytes")
    if status != 0:
        raise GitError(
            _shortened(printable(stderr.strip())) or f"git {command} ended with {status}"
        )
    return printed


def of_the_user(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without what tells git which repository, index or program it is at."""
    return {
        name: value
        for name, value in environ.items()
        if not name.startswith("GIT_") or name.startswith(_OF_THE_USER)
    }


def _run(
    line: list[str],
    environ: Mapping[str, str],
    stdin: bytes = b"",
    most: int = MAX_OUTPUT_BYTES,
    patience: float = GIT_TIMEOUT_S,
) -> tuple[int, bytes, str]:
    """Run a command; return its status, what it printed (a byte too much at most), its words."""
    with tempfile.TemporaryFile() as asked, tempfile.TemporaryFile() as words:
        asked.write(stdin)
        asked.seek(0)
        try:
            with subprocess.Popen(
                line, env=environ, stdin=asked, stdout=subprocess.PIPE, stderr=words
            ) as process:
                printed = _read(process, most, patience)
        except subprocess.TimeoutExpired as error:
            raise GitError(f"git took longer than {patience:g} s") from error
        except (OSError, subprocess.SubprocessError, ValueError) as error:
            raise GitError(f"git does not run: {error}") from error
        words.seek(0)
        stderr = words.read(10 * MAX_ERROR_CHARS).decode("utf-8", "replace")
    return process.returncode, printed, stderr


def _read(process: subprocess.Popen[bytes], most: int, patience: float) -> bytes:
    if most >= MAX_OUTPUT_BYTES:
        try:
            return process.communicate(timeout=patience)[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise
    assert process.stdout is not None
    printed = process.stdout.read(most + 1)
    if len(printed) > most:
        process.kill()
    process.stdout.close()
    process.wait(patience)
    return printed


def _without_filters(cwd: str | Path, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that make every filter of the configuration hand through what it gets.

    The tree's own attributes say for which files a filter is run.
    """
    line = ["git", "-C", str(cwd), "-c", "safe.bareRepository=explicit"]
    line += ["config", "-z", "--name-only", "--get-regexp", r"^filter\."]
    _, printed, _ = _run(line, environ)
    names = {entry[len("filter.") :].rpartition(".")[0] for entry in _parts(printed)}
    settings = [
        (f"filter.{name}.{key}", value)
        for name in sorted(names)
        for key, value in (("process", ""), ("clean", ""), ("smudge", ""), ("required", "false"))
    ]
    try:
        count = int(environ.get("GIT_CONFIG_COUNT") or "0")
    except ValueError:
        return {}  # git itself refuses that, in its own words
    added = {"GIT_CONFIG_COUNT": str(count + len(settings))} if settings else {}
    for number, (key, value) in enumerate(settings, count):
        added[f"GIT_CONFIG_KEY_{number}"] = key
        added[f"GIT_CONFIG_VALUE_{number}"] = value
    return added


def _parts(printed: bytes) -> Iterator[str]:
    yield from (part for part in printed.decode("utf-8", "surrogateescape").split("\0") if part)


def _shortened(words: str) -> str:
    if len(words) <= MAX_ERROR_CHARS:
        return words
    half = MAX_ERROR_CHARS // 2
    return f"{words[:half]} [...] {words[-half:]}"
