"""Files of pytest's machine that tasks name and nodes do not have: refused before anything starts.

    refuse_foreign_paths(specs, code, more={"ptc_env": values}, ours=lists.ours)

An agent that is told of a file which is not there may take that for the answer: "nothing found".
So a task that names an existing file that is not sent is an error of its suite. What a text may
name is found as in `inputs.named_files`; a text of its own (a parameter, a variable, a path of a
sandbox) is taken more strictly than a word of a prompt:

- An absolute path, and one that begins with `~`, is refused wherever it stands.
- A relative path is refused if it is a file, or a whole text, or a directory with a `/` within: of
  "leave `dist/` alone" nothing follows.
- A word of a prompt without `.` and `/` is a word: `TODO`, `build`.
- A pattern is refused if files here match it, and none that is sent.

Not refused is what a system has by itself, at the same place on each machine: programs, libraries,
devices and settings (`/usr`, `/etc`, `/dev`, ...), and the directories of the standard themselves
(`/tmp`, `/home`, `/var`, ...), not what is in them. That cannot be put into a project, and a
program that a node lacks is found out by starting it. `/usr/local` is taken for the system's,
`/opt` and `/srv` are not.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.inputs.disk import TooMuchError, UnreadableError, below
from pytest_ptc.inputs.named_files import MAX_PATTERNS, MAX_WALKED, matches
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.remote.code import all_words
from pytest_ptc.system.patterns import MADE_BY_TOOLS
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.remote.code import Code, Sent

#: What each machine has of its own, with all that is in it.
_SYSTEM = frozenset(
    {"bin", "sbin", "lib", "lib32", "lib64", "libx32", "usr", "etc", "dev", "proc", "sys"}
    | {"System", "Library"}
)
#: Directories that each machine has; what is in them is its own affair.
_STANDARD = frozenset(
    {"/", "/boot", "/home", "/media", "/mnt", "/opt", "/root", "/run", "/srv", "/tmp", "/var"}  # noqa: S108
    | {"/var/log", "/var/run", "/var/tmp", "/private", "/private/tmp", "/Users", "/Volumes"}  # noqa: S108
)
#: Problems that one error names.
_MAX_PROBLEMS = 10
#: Paths whose answers are kept, for all tasks.
_MAX_KEPT = 100_000
_SIGNS = re.compile(r"[*?\[]")


class _Text(NamedTuple):
    """A text of a task.

    Args:
        field: Where it stands, for messages.
        text: It.
        whole: Whether it may be a path as a whole, and is no prose.
    """

    field: str
    text: str
    whole: bool


def refuse_foreign_paths(
    specs: Sequence[TaskSpec],
    code: Code,
    *,
    more: Mapping[str, Iterable[str]] | None = None,
    ours: Callable[[str], bool] = lambda _: False,
) -> None:
    """Refuse tasks that name files which nodes do not have.

    Args:
        specs: The tasks, whose directories `code` has taken.
        code: What is sent.
        more: Texts that hold for all tasks, by what they are called in messages.
        ours: Tells whether a path is one that this run writes itself.

    Raises:
        ConfigError: Some do; it names each test, the field, the path and the fix.
        PtcError: There is more than can be looked at.
    """
    look = _Look(code, ours)
    problems: dict[str, None] = {}
    for spec in specs:
        bases = () if spec.isolation else (os.path.realpath(spec.cwd), code.root)
        for field, text, whole in _texts(spec):
            for problem in look.problems(text, bases, whole=whole, cwd=spec.cwd):
                problems[f"{spec.nodeid}: {field}: {problem}"] = None
    for field, texts in (more or {}).items():
        for text in texts:
            for problem in look.problems(text, (code.root,), whole=True, cwd=code.root):
                problems[f"{field}: {problem}"] = None
    if problems:
        lines = list(problems)
        if len(lines) > _MAX_PROBLEMS:
            lines[_MAX_PROBLEMS:] = [f"and {len(lines) - _MAX_PROBLEMS} more"]
        raise ConfigError("\n".join(lines))


def is_of_the_system(path: str) -> bool:
    """Tell whether a path, in its shortest form, is one that each machine has of its own."""
    return path in _STANDARD or path.split("/")[1] in _SYSTEM


def _texts(spec: TaskSpec) -> Iterator[_Text]:
    yield _Text("prompt", spec.prompt, whole=False)
    for name, value in spec.params.items():
        yield from _within(f"params[{name!r}]", value)
    for name, value in spec.env.items():
        yield _Text(f"env[{name!r}]", value, whole=True)
    for field in ("sandbox_read", "sandbox_write"):
        for path in getattr(spec, field):
            yield _Text(field, path, whole=True)
    # A file of findings is written by the agent: only where it is written matters.
    name = (spec.findings or "").partition(":")[2]
    if os.path.isabs(name):
        yield _Text("findings", name, whole=True)


def _within(field: str, value: object) -> Iterator[_Text]:
    """Yield all texts in a JSON value, the names in its objects too."""
    waiting = [(field, value)]
    while waiting:
        place, entry = waiting.pop()
        if isinstance(entry, str):
            yield _Text(place, entry, whole=True)
        elif isinstance(entry, dict):
            yield from (_Text(place, str(name), whole=True) for name in entry)
            waiting += [(f"{place}[{name!r}]", inner) for name, inner in entry.items()]
        elif isinstance(entry, list | tuple):
            waiting += [(f"{place}[{number}]", inner) for number, inner in enumerate(entry)]


class _Look:
    """One look at all that tasks name; each path is looked at once."""

    def __init__(self, code: Code, ours: Callable[[str], bool]) -> None:
        self._code, self._ours = code, ours
        self._sent = code.all
        self._found: dict[str, str | None] = {}
        self._walked: dict[str, list[str]] = {}

    def problems(self, text: str, bases: Sequence[str], *, whole: bool, cwd: str) -> Iterator[str]:
        known = {self._code.root_given, os.path.abspath(cwd), *(sent.top for sent in self._sent)}
        patterns = 0
        for word in all_words(text):
            prose = not (whole and word == text.strip())
            if prose and not any(sign in word for sign in "./~"):
                continue
            if _SIGNS.search(word):
                patterns += 1
                if patterns <= MAX_PATTERNS:
                    yield from self._of_a_pattern(word, bases)
            yield from self._of_a_word(word, bases, known, prose=prose)

    def _of_a_word(
        self, word: str, bases: Sequence[str], known: Iterable[str], *, prose: bool
    ) -> Iterator[str]:
        path = os.path.expanduser(word) if word.startswith("~") else word
        if os.path.isabs(path):
            absolute = _shortest(path)
            problem = None if is_of_the_system(absolute) else self._problem(absolute)
            if problem is None and os.path.lexists(absolute) and not is_of_the_system(absolute):
                problem = self._unmapped(absolute, known)
            if problem is not None:
                yield f"{printable(word)} {problem}"
            return
        for base in bases:
            absolute = _shortest(f"{base}/{path}")
            problem = self._problem(absolute)
            if problem is None:
                continue
            inside = "/" in path.strip("/").removeprefix("./")
            if os.path.isdir(absolute) and prose:
                by_tools = MADE_BY_TOOLS & set(path.split("/"))
                around = any(f"{sent.top}/".startswith(f"{absolute}/") for sent in self._sent)
                if by_tools or around or not inside:
                    continue
            yield f"{printable(word)} {problem}"
            return

    def _problem(self, path: str) -> str | None:
        """Return why nodes do not have what lies at a path; None where nothing does."""
        if path not in self._found:
            if len(self._found) >= _MAX_KEPT:
                self._found.clear()
            self._found[path] = self._looked(path)
        return self._found[path]

    def _looked(self, path: str) -> str | None:
        if len(path) > os.pathconf("/", "PC_PATH_MAX") or not os.path.lexists(path):
            return None
        real = os.path.realpath(path)
        if self._ours(real) or any(_is_sent(sent, real) for sent in self._sent):
            return None
        shared = "or say ptc_dask_code=shared where nodes see this disk"
        inside = [sent.top for sent in self._sent if sent.within(path) not in (None, ".")]
        if not inside:
            return (
                f"is outside of what is sent to nodes; put it below {self._code.root}, where git "
                f"takes it, {shared}"
            )
        if not any(sent.within(real) is not None for sent in self._sent):
            return (
                f"leads out of what is sent to nodes, to {real}; put the file itself below "
                f"{inside[0]}, {shared}"
            )
        return (
            "is not sent to nodes, as git ignores it, or as it is newer than what was sent; have "
            f"git take it from the start, {shared}"
        )

    def _unmapped(self, path: str, known: Iterable[str]) -> str | None:
        """Return why a path that is sent is not found there by this name."""
        real = os.path.realpath(path)
        if self._ours(real) or any(path == top or path.startswith(f"{top}/") for top in known):
            return None
        return f"is a link's name for {real}, which nodes do not know; name it by that"

    def _of_a_pattern(self, word: str, bases: Sequence[str]) -> Iterator[str]:
        """Refuse a pattern that files here match, and none that is sent."""
        for base in ("/",) if os.path.isabs(word) else bases:
            fixed: list[str] = []
            parts = [part for part in word.split("/") if part not in ("", ".")]
            while parts and not _SIGNS.search(parts[0]):
                fixed.append(parts.pop(0))
            folder = _shortest("/".join([base, *fixed]))
            if not fixed or not parts or is_of_the_system(folder) or not os.path.isdir(folder):
                continue
            problem = self._problem(folder)
            if problem is not None:
                yield f"{printable(word)} {problem}"
                return
            if self._matches_sent(os.path.realpath(folder), parts):
                return
            some = next(
                (path for path in self._walk(folder) if matches(_parts(path, folder), parts)), None
            )
            problem = None if some is None else self._problem(some)
            if problem is not None:
                shown = os.path.relpath(str(some), base) if base != "/" else str(some)
                yield f"{printable(word)}: {printable(shown)} {problem}"
                return

    def _matches_sent(self, folder: str, parts: Sequence[str]) -> bool:
        for sent in self._sent:
            for name in sent.names:
                path = f"{sent.top}/{name}"
                if path.startswith(f"{folder}/") and matches(_parts(path, folder), parts):
                    return True
        return False

    def _walk(self, folder: str) -> list[str]:
        if folder not in self._walked:
            leave = (MADE_BY_TOOLS - set(folder.split("/"))) | {".git"}
            try:
                self._walked[folder] = list(below(folder, MAX_WALKED, leave))
            except (TooMuchError, UnreadableError):
                # What is so large is no answer to a pattern either: the agent sees what is sent.
                self._walked[folder] = []
        return self._walked[folder]


def _is_sent(sent: Sent, real: str) -> bool:
    if sent.covers(real):
        return True
    # Git's own files are there, though not the same.
    name = sent.within(real)
    return name is not None and any(
        real == f"{top}/.git" or real.startswith(f"{top}/.git/") for top in sent.histories
    )


def _shortest(path: str) -> str:
    found = os.path.normpath(path)
    return found[1:] if found.startswith("//") else found


def _parts(path: str, folder: str) -> list[str]:
    return os.path.relpath(path, folder).split("/")
