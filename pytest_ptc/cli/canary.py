"""`ptc canary make`: planted defects for a suite that tests its judge, from the reviewed code.

The reviewed tree is read and never written: what is planted goes to a new folder, or is printed.
"""

from __future__ import annotations

import json
import os
import posixpath
import sys
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.cli.printing import print_lines
from pytest_ptc.collection.fan_out import matching
from pytest_ptc.model.errors import ConfigError, PlantingError
from pytest_ptc.planting.mutations import RULES, chosen, mutations
from pytest_ptc.planting.suite import MODULE, PROMPT, diff_lines, expectation, suite_files
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator, Mapping, Sequence

    from pytest_ptc.planting.mutations import Mutation

#: Defects by default: so many planted ones tell a good judge from a bad one at 0.8.
_COUNT = 12
#: Longest file that is read, in bytes, and most files that are copied beside a planted defect.
_MAX_BYTES, _MAX_COPIED = 1024 * 1024, 200


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc canary`."""
    rules = "; ".join(f"{name}: {rule.help}" for name, rule in RULES.items())
    parser.add_argument(
        "action", choices=("make",), help="make: propose small mutations of Python code"
    )
    parser.add_argument(
        "paths", metavar="PATH", nargs="+", help="files, or directories with all their *.py"
    )
    parser.add_argument(
        "--rule",
        action="append",
        metavar="RULE",
        help=f"a kind of defect, may be given again (default: all); {rules}",
    )
    parser.add_argument(
        "--count", type=int, default=_COUNT, metavar="N", help="how many (default: %(default)s)"
    )
    parser.add_argument(
        "--seed",
        type=int,
        default=1,
        metavar="N",
        help="chooses among all that can be planted; the same for the same number (default: 1)",
    )
    parser.add_argument(
        "--write",
        metavar="DIR",
        help=f"write the mutated files and a suite, {MODULE}, into this new directory",
    )
    parser.add_argument(
        "--prompt", default=PROMPT, help="what the suite asks; {path} is the file", metavar="TEXT"
    )


def run(arguments: argparse.Namespace) -> int:
    """Print proposals, and write them where that is asked for; return 0, or 1 if not all are read.

    Raises:
        ConfigError: An argument cannot be used, or nothing can be planted.
        ListingError: There is no such file.
        PlantingError: A file is no Python.
    """
    rules = arguments.rule or list(RULES)
    unknown = [name for name in rules if name not in RULES]
    if unknown:
        raise ConfigError(f"--rule {unknown[0]!r:.80}: unknown; known are {', '.join(RULES)}")
    if arguments.count < 1:
        raise ConfigError(f"--count: must be 1 or more, not {arguments.count}")
    if "{path}" not in arguments.prompt:
        raise ConfigError("--prompt: does not name {path}, so no agent would know the file")
    sources = _sources(arguments.paths, Path.cwd())
    found = list(chain(*_mutations(sources, arguments.paths, rules)))
    planted = chosen(found, arguments.count, arguments.seed)
    if not planted:
        raise ConfigError(f"nothing in {len(sources)} files can be mutated by {', '.join(rules)}")
    if arguments.write:
        written = _write(Path(arguments.write), arguments, planted, sources)
    lines = [line for number, one in enumerate(planted, 1) for line in _told(number, one, sources)]
    if len(planted) < arguments.count:
        lines.append(f"{len(planted)} of {arguments.count}: no more can be planted here")
    if arguments.write:
        lines.append(f"wrote {written}: run it with `pytest {written} --ptc-workers=N`")
    return 0 if print_lines(map(printable, lines)) else 1


def _mutations(
    sources: Mapping[str, bytes], named: Sequence[str], rules: Sequence[str]
) -> Iterator[list[Mutation]]:
    """Yield the mutations of each file; one that a directory brings need not be readable."""
    for name, text in sources.items():
        try:
            yield mutations(name, text, rules)
        except PlantingError as error:
            if name in map(posixpath.normpath, named):
                raise
            print(printable(f"ptc canary: left out: {error}"), file=sys.stderr)


def _told(number: int, mutation: Mutation, sources: Mapping[str, bytes]) -> Iterator[str]:
    place = f"{mutation.path}:{mutation.line}"
    yield f"{number}. {mutation.rule} in {place}: {mutation.words}"
    yield from diff_lines(mutation, sources[mutation.path])
    yield f"expect={json.dumps(expectation(mutation), ensure_ascii=False)}"
    yield ""


def _sources(paths: Sequence[str], folder: Path) -> dict[str, bytes]:
    """Return the files by their names from the current directory."""
    names: dict[str, None] = {}
    for path in paths:
        name = posixpath.normpath(os.path.relpath(folder / path, folder))
        if name.startswith("../"):
            raise ConfigError(f"{path}: is not below {folder}; call `ptc` in the directory of both")
        if (folder / name).is_dir():
            pattern = "**/*.py" if name == "." else f"{name}/**/*.py"
            names.update(dict.fromkeys(matching(folder, [pattern])))
        else:
            names[name] = None
    return {name: _read(folder / name, name) for name in names}


def _read(path: Path, name: str) -> bytes:
    if not path.is_file():
        raise ConfigError(f"{name}: is no file; name a Python file or a directory")
    if path.stat().st_size > _MAX_BYTES:
        raise PlantingError(f"{name}: is longer than {_MAX_BYTES} bytes; leave it out")
    return path.read_bytes()


def _write(
    folder: Path,
    arguments: argparse.Namespace,
    planted: Sequence[Mutation],
    sources: Mapping[str, bytes],
) -> Path:
    """Write a suite into a new folder, and return that."""
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise ConfigError(f"--write {folder}: is there already; name a new directory")
    inside = [name for name in arguments.paths if _is_below(folder, Path(name))]
    if inside:
        raise ConfigError(f"--write {folder}: is within {inside[0]}, which is reviewed")
    others = sources if len(sources) <= _MAX_COPIED else {}
    if not others:
        print("ptc canary: too many files: each defect is alone in its tree", file=sys.stderr)
    for name, text in suite_files(planted, others, arguments.seed, arguments.prompt).items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text)
    return folder


def _is_below(folder: Path, other: Path) -> bool:
    return other.is_dir() and folder.resolve().is_relative_to(other.resolve())
