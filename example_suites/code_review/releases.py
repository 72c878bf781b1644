"""A repository with ten pull requests, made of two published releases of joblib.

joblib 1.1.1 fixed CVE-2022-21797: in 1.1.0 an argument, `pre_dispatch`, went through `eval`. The
wheels come from the package index, with their hashes checked; nothing of them is kept here. What
differs between the two is split into branches, and one branch brings the defect back. Five more
branches test the reviewer: each is a small edit, which plants a defect or is clean.
"""

import hashlib
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

#: SHA-256 of the wheels, as the index lists them.
WHEELS = {
    "1.1.0": "f21f109b3c7ff9d95f8387f752d0d9c34a02aa2f7060c2135f465da0e5160ff6",
    "1.1.1": "f9d6c3cdf2a7778e9058e10e9dba028e47771a1a355e5768f46704bf05342eba",
}

#: What each pull request brings, and from which release.
BRANCHES = {
    101: ("1.1.1", ["joblib/_cloudpickle_wrapper.py"]),
    102: ("1.1.1", ["joblib/test/test_utils.py", "joblib/test/test_cloudpickle_wrapper.py"]),
    103: ("1.1.1", ["joblib/test/test_missing_multiprocessing.py"]),
    104: ("1.1.1", ["joblib/__init__.py"]),
    105: ("1.1.0", ["joblib/parallel.py"]),
}

#: What other pull requests edit: a file, a text of it, and what becomes of that. `ptc canary make`
#: proposed the first two, in which a default is shared, and a text of a file is run.
EDITS = {
    106: (
        "joblib/memory.py",
        "                 backend_options=None):\n        # XXX",
        "                 backend_options={}):\n        # XXX",
    ),
    107: (
        "joblib/_store_backends.py",
        "return json.loads(f.read().decode('utf-8'))",
        "return eval(f.read().decode('utf-8'))",
    ),
    108: (
        "joblib/disk.py",
        "units = dict(K=kilo, M=kilo ** 2, G=kilo ** 3)",
        "units = {'K': kilo, 'M': kilo ** 2, 'G': kilo ** 3}",
    ),
    109: ("joblib/disk.py", "Sucessfully deleted", "Successfully deleted"),
    110: (
        "joblib/logger.py",
        "return max(0, t - .1)\n    else:\n        return t",
        "return max(0, t - .1)\n    return t",
    ),
}

#: Who and when: the same commits each time, so that a verdict of an earlier run can stand.
WHO = {
    f"GIT_{role}_{what}": value
    for role in ("AUTHOR", "COMMITTER")
    for what, value in (
        ("NAME", "example"),
        ("EMAIL", "example@example.org"),
        ("DATE", "2022-09-26T12:00:00Z"),
    )
}


def make_repository(cache: Path) -> Path:
    """Return the repository, made below a directory where it is not there yet.

    Raises:
        subprocess.CalledProcessError: A wheel cannot be had, or git does not do what it should.
    """
    repository = cache / "joblib"
    mark = repository / ".git" / "made"
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()
    if not mark.exists() or mark.read_text() != recipe:
        shutil.rmtree(repository, ignore_errors=True)
        releases = {version: _unpacked(version, cache) for version in WHEELS}
        _build(repository, releases)
        mark.write_text(recipe)
    return repository


def _unpacked(version: str, cache: Path) -> Path:
    folder = cache / version
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    requirement = folder / "requirement.txt"
    requirement.write_text(f"joblib=={version} --hash=sha256:{WHEELS[version]}\n")
    options = ["--quiet", "--no-deps", "--only-binary=:all:", "--require-hashes"]
    subprocess.run(
        [sys.executable, "-m", "pip", "download", *options, "-d", folder, "-r", requirement],
        check=True,
    )
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "source")
    return folder / "source"


def _build(repository: Path, releases: dict[str, Path]) -> None:
    """Make `main`, which is the fixed release without what good pull requests bring."""
    shutil.copytree(releases["1.1.1"] / "joblib", repository / "joblib")
    for version, names in BRANCHES.values():
        for name in names if version == "1.1.1" else []:
            before = releases["1.1.0"] / name
            if before.exists():
                shutil.copyfile(before, repository / name)
            else:
                (repository / name).unlink()
    _git(repository, "init", "--quiet", "--initial-branch=main")
    _commit(repository, "joblib 1.1.1, in parts")
    for number, (version, names) in BRANCHES.items():
        _git(repository, "checkout", "--quiet", "-b", f"pr-{number}", "main")
        for name in names:
            shutil.copyfile(releases[version] / name, repository / name)
        _commit(repository, f"pull request {number}")
    for number, (name, old, new) in EDITS.items():
        _git(repository, "checkout", "--quiet", "-b", f"pr-{number}", "main")
        text = (repository / name).read_text(encoding="utf-8")
        if text.count(old) != 1:
            raise ValueError(f"{name}: has {old!r} {text.count(old)} times")
        (repository / name).write_text(text.replace(old, new), encoding="utf-8")
        _commit(repository, f"pull request {number}")
    _git(repository, "checkout", "--quiet", "main")


def _commit(repository: Path, message: str) -> None:
    _git(repository, "add", "--all")
    _git(repository, "commit", "--quiet", "--message", message)


def _git(repository: Path, *words: str) -> None:
    subprocess.run(
        ["git", "-C", repository, "-c", "commit.gpgsign=false", *words],
        env={"PATH": _path(), "HOME": str(repository), **WHO},
        check=True,
    )


def _path() -> str:
    return str(Path(shutil.which("git") or "git").parent)
