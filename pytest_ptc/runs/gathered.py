"""Runs that were brought together from several machines: in folders, or in archives of them.

An archive is unpacked into a folder of ours, as regular files and nothing else: a link or a path
out of it is refused. What is in it is believed as any journal is, by its seals.
"""

from __future__ import annotations

import os
import tarfile
import zipfile
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.journal.lines import STORY
from pytest_ptc.model.errors import JournalError
from pytest_ptc.runs.audit import audit_run
from pytest_ptc.runs.recorded import open_run
from pytest_ptc.runs.state import RunState

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import IO

    from pytest_ptc.runs.recorded import RecordedRun

#: The most files, and bytes of them, that are unpacked of one archive.
MAX_FILES, MAX_BYTES = 1_000_000, 8 << 30
_CHUNK_BYTES = 1 << 20


class GatheredRun(NamedTuple):
    """A run, and whether its folder is unpacked and gone when the caller has ended."""

    run: RecordedRun
    unpacked: bool


def gathered_runs(places: Sequence[Path], key: bytes | None, scratch: Path) -> list[GatheredRun]:
    """Return all runs in these places, each once and, if it has ended, verified to its last file.

    Args:
        places: Folders that are runs, or have some somewhere below them; and archives of such.
        key: The user's key; None where there is none.
        scratch: An empty folder of ours, where archives are unpacked.

    Raises:
        JournalError: A place has no run, or a run is not as it was written.
        RunRefusedError: A run is not proved to be one of this user's.
    """
    runs: dict[str, GatheredRun] = {}
    for number, place in enumerate(places):
        folder = place if place.is_dir() else _unpacked(place, scratch / str(number))
        found = [*_run_folders(folder)]
        if not found:
            raise JournalError(
                f"{place}: there is no journal of a run in it; name what has the jobs' folders "
                ".pytest_cache/d/ptc/runs"
            )
        for one in found:
            # The path that a person has named is their own matter.
            run = open_run(one, one.parent, key)
            before = runs.setdefault(run.run_id, GatheredRun(run, folder is not place))
            if before.run.story != run.story:
                raise JournalError(
                    f"run {run.run_id} is there twice, and not the same: {before.run.folder} and "
                    f"{one}; name the later copy alone"
                )
    for gathered in runs.values():
        if gathered.run.state is not RunState.ENDED:
            # It was killed while it wrote, and nobody takes it for whole.
            continue
        _, problems = audit_run(gathered.run)
        if problems:
            raise JournalError("\n".join((f"run {gathered.run.run_id}:", *problems)))
    return [runs[run_id] for run_id in sorted(runs)]


def _run_folders(folder: Path) -> Iterator[Path]:
    """Yield the folders of runs below a folder, which may be one itself."""
    for step, folders, files in os.walk(folder.absolute()):
        if STORY in files:
            folders.clear()
            yield Path(step)


def _unpacked(archive: Path, into: Path) -> Path:
    """Unpack an archive, and return where.

    Raises:
        JournalError: It is none, or has what does not belong into one.
    """
    into.mkdir(mode=0o700)
    try:
        if zipfile.is_zipfile(archive):
            with zipfile.ZipFile(archive) as packed:
                _unpack(((one.filename, packed.open(one)) for one in _files(packed)), into)
            return into
        if tarfile.is_tarfile(archive):
            with tarfile.open(archive) as tape:
                _unpack(_members(tape), into)
            return into
    except FileNotFoundError:
        raise JournalError(f"{archive}: is not there") from None
    except Exception as error:
        # Whatever a decoder has raised.
        raise JournalError(f"{archive}: cannot be unpacked: {error}") from error
    raise JournalError(f"{archive}: is neither a folder nor an archive (zip, tar) of one")


def _files(packed: zipfile.ZipFile) -> Iterator[zipfile.ZipInfo]:
    for one in packed.infolist():
        if not one.is_dir():
            yield one


def _members(tape: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for one in tape:
        if one.isdir():
            continue
        content = tape.extractfile(one) if one.isreg() else None
        if content is None:
            raise ValueError(f"{one.name} is not a regular file")
        yield one.name, content


def _unpack(files: Iterator[tuple[str, IO[bytes]]], into: Path) -> None:
    left = MAX_BYTES
    for number, (name, content) in enumerate(files):
        parts = PurePosixPath(name).parts
        if not parts or ".." in parts or parts[0] == "/" or "\\" in name or "\0" in name:
            raise ValueError(f"{name!r} leads out of it")
        if number == MAX_FILES:
            raise ValueError(f"it has more than {MAX_FILES} files")
        path = into.joinpath(*parts)
        for above in reversed(path.relative_to(into).parents):
            # One by one: with `parents`, all but the last would have the rights of the umask.
            (into / above).mkdir(mode=0o700, exist_ok=True)
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file, content:
            while chunk := content.read(_CHUNK_BYTES):
                left -= len(chunk)
                if left < 0:
                    raise ValueError(f"it holds more than {MAX_BYTES} bytes")
                file.write(chunk)
