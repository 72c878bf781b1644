"""The files that an agent is made of: its program, what stands beside a script, its settings.

Inside of a repository its whole content counts, so no module is missed there. Outside of one, the
files of code and configuration below a script's directory are taken for its modules.
"""

from __future__ import annotations

import os
import shutil
import sys
from dataclasses import dataclass
from importlib.machinery import PathFinder
from importlib.metadata import entry_points
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.inputs.disk import Seen, TooMuchError, UnreadableError, below
from pytest_ptc.inputs.named_files import MAX_WALKED
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.system.patterns import MADE_BY_TOOLS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pytest_ptc.inputs.disk import Disk
    from pytest_ptc.inputs.trees import Tree

#: Most files that are taken for the modules of one script.
MAX_MODULES = 2_000
#: A program of more bytes is known by its size and time.
MAX_PROGRAM_BYTES = 64 * 1024**2

#: Suffixes of code and configuration, as scripts load them from beside themselves.
SUFFIXES = frozenset(
    {
        *(".py", ".pyi", ".pyx", ".so", ".js", ".mjs", ".cjs", ".ts", ".mts", ".cts", ".jsx"),
        *(".tsx", ".sh", ".bash", ".zsh", ".fish", ".rb", ".pl", ".pm", ".php", ".lua", ".r"),
        *(".jl", ".go", ".rs", ".java", ".jar", ".kt", ".swift", ".c", ".h", ".cpp", ".sql"),
        *(".json", ".jsonc", ".json5", ".toml", ".yaml", ".yml", ".ini", ".cfg", ".conf"),
        *(".env", ".properties", ".xml", ".md", ".mdc", ".txt", ".rst", ".j2", ".jinja"),
        *(".jinja2", ".tmpl", ".template", ".tpl", ".prompt", ".mustache", ".hbs", ".wasm"),
        *(".dll", ".dylib", ".rules"),
    }
)
#: Where a module that stands alone has nothing to do with what stands beside it.
_INSTALLED = ("site-packages", "dist-packages")
_CODE = frozenset({".py", ".js", ".mjs", ".cjs", ".ts", ".sh", ".bash", ".rb", ".pl", ".php"})


@dataclass(frozen=True, kw_only=True, slots=True)
class AgentFiles:
    """Where an agent's files are; absolute, real paths.

    Args:
        files: Programs, and arguments that are files.
        scripts: Those of them that may load others from beside themselves.
        folders: Packages, and directories that modules are loaded from.
    """

    files: tuple[str, ...] = ()
    scripts: tuple[str, ...] = ()
    folders: tuple[str, ...] = ()

    def plus(self, other: AgentFiles) -> AgentFiles:
        """Return where the files of both agents are."""
        return AgentFiles(
            files=tuple(dict.fromkeys((*self.files, *other.files))),
            scripts=tuple(dict.fromkeys((*self.scripts, *other.scripts))),
            folders=tuple(dict.fromkeys((*self.folders, *other.folders))),
        )

    @property
    def tops(self) -> tuple[str, ...]:
        """Return the tops of the repositories that scripts and packages may lie in."""
        places = (repository_top(Path(path).parent) for path in (*self.scripts, *self.folders))
        return tuple(dict.fromkeys(os.path.realpath(top) for top in places if top is not None))

    def take(
        self, disk: Disk, trees: Mapping[str, Tree], ours: Callable[[str], bool], leave: str
    ) -> dict[str, Seen | None]:
        """Return what lies at all these places.

        Args:
            disk: What reads files.
            trees: Repositories whose content counts for every task by itself, by their tops.
            ours: Tells whether a path is one that this run writes itself.
            leave: The repository of the suite: what is in it is no module of a script above it.

        Raises:
            PtcError: Something cannot be read, or there is too much.
        """
        found: dict[str, Seen | None] = {path: _program(path, disk) for path in self.files}
        covered = [tree.covers for tree in trees.values()]
        folders = [os.path.dirname(path) for path in self.scripts if not _any(covered, path)]
        folders += [path for path in self.folders if not _any(covered, path)]
        for folder in dict.fromkeys(folders):
            for path in _modules(folder, disk, leave):
                if not ours(path):
                    found[path] = disk.look(path)
                if len(found) > MAX_MODULES:
                    raise TooMuchError(f"more than {MAX_MODULES} files below {folder!r}")
        return found


def _any(covered: Iterable[Callable[[str], bool]], path: str) -> bool:
    return any(covers(path) for covers in covered)


def _program(path: str, disk: Disk) -> Seen | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    if status.st_size > MAX_PROGRAM_BYTES:
        text = f"program of {status.st_size} bytes of {status.st_mtime_ns}"
        return Seen(text, text.encode())
    return disk.look(path)


def _modules(folder: str, disk: Disk, leave: str) -> Iterator[str]:
    for path in below(folder, MAX_WALKED, MADE_BY_TOOLS, leave=(leave,), hidden=False):
        suffix = os.path.splitext(path)[1].lower()
        if suffix in SUFFIXES:
            yield path
        elif not suffix:
            # A helper program has none; a file that an agent writes beside itself is no program.
            try:
                seen = disk.look(path)
            except UnreadableError:
                continue
            if seen is not None and seen.text.startswith("program "):
                yield path


def agent_files(
    argv: Sequence[str],
    *,
    module: str | None = None,
    module_path: Sequence[str] = (),
    more: Iterable[str] = (),
    rootpath: Path,
    environ: Mapping[str, str],
) -> AgentFiles:
    """Return where the files of an agent are.

    Args:
        argv: The agent's program and its arguments.
        module: The module of an agent that is Python code in the worker.
        module_path: Where workers look for it.
        more: Further files, such as settings; those that are not there count as such.
        rootpath: Pytest's root directory, which relative arguments may be named from.
        environ: The agent's environment.
    """
    files: dict[str, None] = dict.fromkeys(more)
    scripts: dict[str, None] = {}
    folders: dict[str, None] = {}
    packages: list[str] = []
    program = shutil.which(argv[0], path=environ.get("PATH")) if argv else None
    if program is not None:
        files[os.path.realpath(program)] = None
        packages += _entry_point(program)
    for word in [program, *_words(argv[1:])]:
        path = None if word is None else os.path.realpath(rootpath / word)
        if path is not None and os.path.isfile(path):
            files[path] = None
            if is_script(path):
                scripts[path] = None
    # What is imported from elsewhere: `python -m name`, and directories named for imports.
    search = [entry for entry in environ.get("PYTHONPATH", "").split(os.pathsep) if entry]
    folders |= {os.path.realpath(rootpath / entry): None for entry in search}
    names = [argv[at + 1] for at, word in enumerate(argv[:-1]) if word == "-m"]
    for name in names:
        packages += _package(name, [str(rootpath), *search, *sys.path])
    if module is not None:
        packages += _package(module, [str(rootpath), *search, *module_path])
    for place in packages:
        if os.path.isdir(place):
            folders[place] = None
        else:
            files[place] = None
            if os.path.basename(os.path.dirname(place)) not in _INSTALLED:
                scripts[place] = None
    return AgentFiles(files=tuple(files), scripts=tuple(scripts), folders=tuple(folders))


def _words(argv: Sequence[str]) -> Iterator[str]:
    """Yield arguments, what they set, and the words of lines for a shell."""
    for argument in argv:
        yield from (argument, *argument.split(), argument.partition("=")[2])


def is_script(path: str) -> bool:
    """Tell whether a file is a program in a language that loads more while it runs."""
    if os.path.splitext(path)[1].lower() in _CODE:
        return True
    try:
        with open(path, "rb") as file:
            return file.read(2) == b"#!"
    except OSError:
        return False


def _entry_point(program: str) -> Iterator[str]:
    """Yield the package of a command that is installed beside the Python that runs us."""
    if Path(program).parent != Path(sys.executable).parent:
        return
    for point in entry_points(group="console_scripts", name=os.path.basename(program)):
        yield from _package(point.value.partition(":")[0], sys.path)


def _package(name: str, search: Sequence[str]) -> Iterator[str]:
    """Yield the directory of a package, or of a module that stands alone."""
    try:
        spec = PathFinder.find_spec(name.partition(".")[0], list(search))
    except (ImportError, ValueError):
        return
    if spec is None:
        return
    if spec.submodule_search_locations is not None:
        yield from (os.path.realpath(place) for place in spec.submodule_search_locations)
    elif spec.origin is not None and os.path.isfile(spec.origin):
        yield os.path.realpath(spec.origin)
