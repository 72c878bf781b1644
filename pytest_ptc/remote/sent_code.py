"""Directories that have come from pytest's machine, laid down on a node.

    place = unpack(blob, folder / key)  # blocks; raises CodeError, and leaves nothing then

What is laid down is private to its user. A file keeps its bytes, its right to be executed and its
place; nothing is written outside of the directory, and no link leads out of it. A repository has
the same HEAD, branches, tags and index, so that `git status` says what it says on pytest's machine;
it has no hook, no remote, and nobody's name.

For directories that nodes share with pytest's machine, see `shared_code`.
"""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import tarfile
import zlib
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import GitError
from pytest_ptc.remote.code_format import CodeError, PackedDirectory
from pytest_ptc.system.git.command import git

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.remote.code_format import Repository

#: What git takes of its user's configuration here: nothing, and it keeps no log of who moved a ref.
_BARE: Mapping[str, str] = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_NOSYSTEM": "1",
    "GIT_CONFIG_COUNT": "1",
    "GIT_CONFIG_KEY_0": "core.logAllRefUpdates",
    "GIT_CONFIG_VALUE_0": "false",
    # A name of a file means that file.
    "GIT_LITERAL_PATHSPECS": "1",
}


def unpack(blob: bytes, folder: Path) -> str:
    """Lay a directory down in a folder, which is made, and return its path there; a real one.

    Raises:
        CodeError: It cannot be laid down; the folder is not there then.
    """
    directory = PackedDirectory.from_bytes(blob)
    try:
        folder.mkdir(mode=0o700, parents=True)
    except OSError as error:
        raise CodeError(f"{folder} cannot be made: {error.strerror}") from error
    try:
        # Under its own name, which an agent may have been told.
        (name,) = _checked(directory.name)
        place = os.path.join(os.path.realpath(folder), name)
        os.mkdir(place, 0o700)
        _lay(directory, place)
        _check_links(place)
    except (OSError, GitError, tarfile.TarError, zlib.error, EOFError, ValueError) as error:
        shutil.rmtree(folder, ignore_errors=True)
        words = (error.strerror if isinstance(error, OSError) else None) or str(error)
        named = os.fsdecode(directory.name)
        raise CodeError(f"{named!r} cannot be laid down in {folder}: {words}") from error
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    return place


def _lay(directory: PackedDirectory, place: str) -> None:
    if directory.tar_hash != _lay_files(directory.files, place):
        raise CodeError("its files are not those that were sent")
    for name, inner in sorted(directory.inner.items()):
        within = os.path.join(place, *_checked(name))
        _real_folder(place, within)
        _lay(inner, within)
    if directory.repository is not None:
        _lay_repository(directory.repository, place)


def _checked(name: bytes) -> list[str]:
    """Return the parts of a path, none of which leads elsewhere or is git's own.

    Raises:
        CodeError: One does.
    """
    parts = os.fsdecode(name).split("/")
    for part in parts:
        if part in ("", ".", "..") or part.lower() == ".git" or "\0" in part:
            raise CodeError(f"{os.fsdecode(name)!r} is no path of a directory that is sent")
    return parts


def _real_folder(place: str, within: str) -> None:
    """Make a directory in a place, and those above it; none is a link."""
    os.makedirs(within, 0o755, exist_ok=True)
    if os.path.realpath(within) != within:
        raise CodeError(f"{within!r} is behind a link of {place!r}")


def _lay_files(packed: bytes, place: str) -> str:
    """Write the files of a tar, its links last, and return the tar's hash."""
    tar_bytes = zlib.decompress(packed, wbits=31)
    links: list[tuple[str, str]] = []
    made = {place}
    with tarfile.open(
        fileobj=io.BytesIO(tar_bytes), mode="r:", encoding="utf-8", errors="surrogateescape"
    ) as tar:
        for entry in tar:
            path = os.path.join(place, *_checked(os.fsencode(entry.name)))
            folder = path if entry.isdir() else os.path.dirname(path)
            if folder not in made:
                # No link is there yet by which this could lead elsewhere.
                os.makedirs(folder, 0o755, exist_ok=True)
                made.add(folder)
            if entry.issym():
                links.append((path, entry.linkname))
            elif entry.isreg():
                _write(path, tar, entry)
            elif not entry.isdir():
                raise CodeError(f"{entry.name!r} is neither a file, a directory nor a link")
    for path, target in links:
        if os.path.isabs(target):
            raise CodeError(f"{path!r} is a link to {target!r}")
        os.symlink(target, path)
    return hashlib.sha256(tar_bytes).hexdigest()


def _write(path: str, tar: tarfile.TarFile, entry: tarfile.TarInfo) -> None:
    content = tar.extractfile(entry)
    assert content is not None
    # On a disk that does not know case two names may be one, and must not be the last of them.
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(path, flags, 0o600), "wb") as file:
        shutil.copyfileobj(content, file)
        os.fchmod(file.fileno(), 0o755 if entry.mode & 0o100 else 0o644)


def _check_links(place: str) -> None:
    """Refuse a link that leads out of the directory, or into git's own files."""
    for folder, folders, files in os.walk(place):
        if ".git" in folders:
            folders.remove(".git")
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            if not os.path.islink(path):
                continue
            real = os.path.realpath(path)
            within = os.path.relpath(real, place).split("/")
            if within[0] == os.pardir or any(part.lower() == ".git" for part in within):
                raise CodeError(f"{path!r} is a link that leads to {real!r}")


def _lay_repository(repository: Repository, place: str) -> None:
    """Make the repository around files that are there.

    Raises:
        GitError: Git does not take it.
        CodeError: It names something that is no ref.
    """
    # An older git knows one kind of objects, and no name for it.
    kind = [] if repository.objects == "sha1" else [f"--object-format={repository.objects}"]
    _git(place, "init", "--quiet", "--template=", *kind)
    git_folder = Path(place, ".git")
    for name, text in (("exclude", repository.exclude), ("attributes", repository.attributes)):
        (git_folder / "info").mkdir(exist_ok=True)
        (git_folder / "info" / name).write_bytes(text)
    for key, value in repository.settings:
        _git(place, "config", key, value)
    if repository.pack:
        if repository.shallow:
            (git_folder / "shallow").write_text("".join(f"{one}\n" for one in repository.shallow))
        _git(place, "index-pack", "--stdin", stdin=repository.pack)
    refs = {ref: at for ref, at in repository.refs if _is_ref(ref)}
    orders = (b"create %s\0%s\0" % (ref, at.encode("ascii")) for ref, at in sorted(refs.items()))
    _git(place, "update-ref", "--stdin", "-z", stdin=b"".join(orders))
    for ref, to in repository.symrefs:
        if _is_ref(ref) and _is_ref(to):
            _git(place, "symbolic-ref", os.fsdecode(ref), os.fsdecode(to))
    head = os.fsdecode(repository.head)
    if repository.head.startswith(b"refs/"):
        _git(place, "symbolic-ref", "HEAD", head)
    else:
        _git(place, "update-ref", "--no-deref", "HEAD", head)
    _lay_index(repository, place)


def _lay_index(repository: Repository, place: str) -> None:
    intended = set(repository.intended)
    entries = [
        entry
        for entry in repository.index.split(b"\0")
        if entry and entry.partition(b"\t")[2] not in intended
    ]
    _git(place, "update-index", "-z", "--index-info", stdin=_ended(entries))
    if intended:
        listed = ["--pathspec-from-file=-", "--pathspec-file-nul"]
        _git(place, "add", "--intent-to-add", "--force", *listed, stdin=_ended(sorted(intended)))
    # What stands on disk is compared once, so that git need not read it each time.
    _git_quietly(place, "update-index", "-q", "--refresh")
    for word, names in (
        ("--skip-worktree", repository.skipped),
        ("--assume-unchanged", repository.assumed),
    ):
        if names:
            _git(place, "update-index", word, "-z", "--stdin", stdin=_ended(names))


def _is_ref(name: bytes) -> bool:
    if not name.startswith(b"refs/") or b"\0" in name or b".." in name:
        raise CodeError(f"{name!r} is no ref")
    return True


def _ended(entries: list[bytes]) -> bytes:
    return b"".join(entry + b"\0" for entry in entries)


def _git(place: str, *words: str, stdin: bytes = b"") -> str:
    return git(place, *words, env=_BARE, stdin=stdin)


def _git_quietly(place: str, *words: str) -> None:
    try:
        _git(place, *words)
    except GitError:
        return  # it says that files differ from the index, as they may
