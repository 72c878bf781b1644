"""What a commit has changed, as text for a prompt, in which nothing can hide.

Attributes, configuration and drivers have no part in it: the trees are compared in a private
repository that has nothing but the objects of the real one. What has no shape on a screen is
escaped, what is no text is named with its sizes, and what is too long is an error: nobody judges
what was cut off.
"""

from __future__ import annotations

import os
import re
import tempfile
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import GitError
from pytest_ptc.system.git.command import TooMuchPrintedError, git, git_bytes
from pytest_ptc.system.git.repositories import partial_clone_hint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

#: Characters of a difference that are put into a prompt; every request pays for them.
MAX_DIFF_CHARS = 200_000
#: Bytes of a file beyond which nobody looks whether it is text with NUL bytes in it.
_MAX_TEXT_BYTES = 16 * 1024 * 1024
#: How much of a file without its NUL bytes must be text, so that it is shown as text.
_MOSTLY = 0.85

_FORM = ("-r", "-M", "-l1000", "--ignore-submodules=none", "--no-color", "--no-relative")
_PATCH = (
    *("-p", "--full-index", "--submodule=short", "--src-prefix=a/", "--dst-prefix=b/"),
    *("-U3", "--inter-hunk-context=0", "--diff-algorithm=myers"),
)
_NO_TEXT = re.compile(rb"[\x01-\x08\x0b\x0e-\x1a\x1c-\x1f\x7f]")
_UNUSUAL = re.compile(r"[^\n -~]+")


def diff(cwd: str | Path, base: str, commit: str) -> str:
    """Return what a commit has changed since it left `base`; empty where that is nothing.

    Args:
        cwd: A directory of the repository.
        base: The full name of a commit.
        commit: The full name of another.

    Raises:
        GitError: Git cannot tell, or it is longer than `MAX_DIFF_CHARS`.
    """
    return _diff(os.path.realpath(cwd), base, commit)


@lru_cache(maxsize=8)
def _diff(cwd: str, base: str, commit: str) -> str:
    left = fork(cwd, base, commit)
    objects = Path(cwd, git(cwd, "rev-parse", "--git-path", "objects").removesuffix("\n"))
    with private_repository(objects.absolute(), sha256=len(commit) > 40) as (folder, env):  # noqa: PLR2004
        text = _patch(folder, env, (left, commit), ())
        moved, odd = _without_text(folder, env, left, commit)
        sizes = _sizes(folder, env, [oid for change in odd for oid in change.oids])
        notes = []
        for change in odd:
            if _is_text(folder, env, change, sizes):
                # Git takes what has a NUL byte in it for binary.
                text += f"\n{_patch(folder, env, (left, commit), ('--text', *change.names))}"
            else:
                before, after = (sizes.get(oid, 0) for oid in change.oids)
                notes.append(f"{change.names[-1]!r}: {before} bytes before, {after} after")
            _refuse_long(text)
    if moved:
        names = ", ".join(map(repr, moved))
        text += f"\nSubmodules that are at another commit, whose changes are not shown: {names}\n"
    if notes:
        text += "\nNot shown, because they are no text; open them:\n" + "\n".join(notes)
    _refuse_long(text)
    return text


def visible(text: str) -> str:
    """Return a text of several lines in which every character without a shape is escaped."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    return _UNUSUAL.sub(lambda found: "".join(map(_shown, found[0])), text)


def looks_like_text(content: bytes) -> bool:
    """Tell whether a content that has NUL bytes is text all the same, or text with some in it."""
    rest = content.removeprefix(b"\xff\xfe").removeprefix(b"\xfe\xff").replace(b"\0", b"")
    if not rest:
        return False
    readable = rest.decode("utf-8", "replace")
    bad = readable.count("\N{REPLACEMENT CHARACTER}") + len(_NO_TEXT.findall(rest))
    return bad <= (1 - _MOSTLY) * len(readable)


class _Change(NamedTuple):
    """A changed file that git takes for binary: its object before and after, and its names."""

    oids: tuple[str, str]
    names: tuple[str, ...]


def fork(cwd: str, base: str, commit: str) -> str:
    try:
        return git(cwd, "merge-base", base, commit).strip()
    except GitError as error:
        raise GitError(
            f"{commit[:12]} and base {base[:12]} have no common commit here ({error}); a shallow "
            "clone lacks it: fetch the whole history (fetch-depth: 0)"
        ) from error


@contextmanager
def private_repository(objects: Path, *, sha256: bool) -> Iterator[tuple[Path, dict[str, str]]]:
    """Make a repository without attributes and configuration around the objects of another."""
    with tempfile.TemporaryDirectory(prefix="ptc-diff-") as name:
        folder = Path(name)
        for place in ("objects", "refs"):
            (folder / place).mkdir()
        (folder / "HEAD").write_text("ref: refs/heads/none\n")
        form = "1\n\tbare = true\n[extensions]\n\tobjectFormat = sha256" if sha256 else "0"
        (folder / "config").write_text(f"[core]\n\trepositoryFormatVersion = {form}\n")
        if not sha256:
            with (folder / "config").open("a") as config:
                config.write("\tbare = true\n")
        yield (
            folder,
            {
                "GIT_DIR": name,
                "GIT_OBJECT_DIRECTORY": str(objects),
                "GIT_CONFIG_NOSYSTEM": "1",
                "GIT_CONFIG_GLOBAL": os.devnull,
                # Names are read by an agent: what has no shape in them is escaped as all else is.
                "GIT_CONFIG_COUNT": "1",
                "GIT_CONFIG_KEY_0": "core.quotePath",
                "GIT_CONFIG_VALUE_0": "false",
                "GIT_CONFIG_PARAMETERS": "",
                "GIT_ATTR_NOSYSTEM": "1",
                "GIT_LITERAL_PATHSPECS": "1",
                # For a git that does not know of GIT_CONFIG_GLOBAL; attributes of the user's, too.
                "HOME": name,
                "XDG_CONFIG_HOME": name,
            },
        )


def _patch(
    folder: Path, env: Mapping[str, str], commits: tuple[str, str], more: Sequence[str]
) -> str:
    options, names = more[:1], more[1:]
    words = ("diff-tree", *_FORM, *_PATCH, *options, *commits, "--", *names)
    try:
        printed = git_bytes(folder, *words, env=env, most=4 * MAX_DIFF_CHARS)
    except TooMuchPrintedError:
        raise _too_long(f"more than {4 * MAX_DIFF_CHARS} bytes") from None
    except GitError as error:
        hint = partial_clone_hint(Path(env["GIT_OBJECT_DIRECTORY"]))
        raise GitError(f"{error}{hint}") from error
    return visible(printed.decode("utf-8", "backslashreplace"))


def _without_text(
    folder: Path, env: Mapping[str, str], left: str, commit: str
) -> tuple[list[str], list[_Change]]:
    """Return the submodules that have moved, and the changes whose content git takes for binary."""
    raw = git(folder, "diff-tree", *_FORM, "--no-abbrev", "--raw", "-z", left, commit, env=env)
    numbers = git(folder, "diff-tree", *_FORM, "--numstat", "-z", left, commit, env=env)
    found = {}
    moved = []
    fields = iter(raw.split("\0"))
    for head in fields:
        if not head:
            continue
        _, mode, before, after, status = head.split(" ")
        names = [next(fields) for _ in range(1 + (status[0] in "RC"))]
        if mode == "160000":
            moved.append(names[-1])
        found[names[-1]] = _Change((before, after), tuple(names))
    odd = []
    fields = iter(numbers.split("\0"))
    for head in fields:
        added, _, rest = head.partition("\t")
        _, _, name = rest.partition("\t")
        if added and not name:
            _, name = next(fields), next(fields)
        if added == "-":
            odd.append(found[name])
    return moved, odd


def _sizes(folder: Path, env: Mapping[str, str], oids: Sequence[str]) -> dict[str, int]:
    wanted = [oid for oid in dict.fromkeys(oids) if set(oid) != {"0"}]
    asked = "".join(f"{oid}\n" for oid in wanted).encode()
    form = "--batch-check=%(objectname) %(objectsize)"
    lines = git(folder, "cat-file", form, env=env, stdin=asked).splitlines()
    parts = (line.split(" ") for line in lines)
    return {oid: int(size) for oid, size in parts if size.isdigit()}


def _is_text(
    folder: Path, env: Mapping[str, str], change: _Change, sizes: Mapping[str, int]
) -> bool:
    before, after = change.oids
    oid = after if after in sizes else before
    if sizes.get(oid, 0) > _MAX_TEXT_BYTES:
        return False
    return looks_like_text(git_bytes(folder, "cat-file", "blob", oid, env=env))


def _refuse_long(text: str) -> None:
    if len(text) > MAX_DIFF_CHARS:
        raise _too_long(f"{len(text)} characters")


def _too_long(size: str) -> GitError:
    return GitError(
        f"the difference has {size}, a prompt takes {MAX_DIFF_CHARS}, and what is cut off is not "
        "reviewed; fan out over the changed files, or name a nearer base"
    )


def _shown(char: str) -> str:
    if char == "\t" or char.isprintable() or char == "\N{NO-BREAK SPACE}":
        return char
    return char.encode("unicode_escape").decode("ascii")
