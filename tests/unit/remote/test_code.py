"""Directories packed here and laid down there, with real repositories: what is the same of them."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import socket
import stat
import tarfile
import zlib
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pytest_ptc.model.errors import ConfigError, GitError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.remote import packed_history
from pytest_ptc.remote.code import Code, Sent, all_words
from pytest_ptc.remote.code_format import CodeError, PackedDirectory
from pytest_ptc.remote.packed_files import TooLargeError, pack_files
from pytest_ptc.remote.sent_code import unpack
from pytest_ptc.system.git import worktrees
from tests.support.repository import Repository


@pytest.fixture(autouse=True)
def _own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have git of a user who has configured nothing."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def repo(tmp_path: Path) -> Repository:
    """A repository that ignores `*.log` and `built/`."""
    made = Repository(tmp_path / "app")
    made.commit("ignores", **{".gitignore": "*.log\nbuilt/\n"})
    return made


def spec_of(cwd: Path | str, **more: Any) -> TaskSpec:
    """Return a task."""
    return TaskSpec(
        **{"nodeid": "t.py::t", "prompt": "Review it.", "timeout": 1, **more}, cwd=str(cwd)
    )


def sent(top: Path, *specs: TaskSpec, max_mb: int = 20) -> Sent:
    """Return what is sent of a directory for these tasks."""
    code = Code(top, max_mb=max_mb)
    code.take(specs)
    return code.at_root()


def laid(found: Sent, tmp_path: Path) -> Path:
    """Lay a directory down as a node does."""
    return Path(unpack(found.blob, tmp_path / "node" / found.key))


def there(top: Path, *words: str) -> str:
    """Run git of a user in a directory on the node."""
    at = Repository.__new__(Repository)
    at.top = top
    return at.git(*words)


def clone(repo: Repository, place: Path, *words: str) -> None:
    """Clone a repository."""
    repo.git("clone", "--quiet", *words, f"file://{repo.top}", str(place))


def files_of(top: Path) -> dict[str, tuple[str, bytes | str]]:
    """Return all below a directory but git's own: kind, and content or target."""
    found: dict[str, tuple[str, bytes | str]] = {}
    for path in sorted(top.rglob("*")):
        name = str(path.relative_to(top))
        if ".git" in name.split("/"):
            continue
        if path.is_symlink():
            found[name] = ("link", str(path.readlink()))
        elif path.is_dir():
            found[name] = ("directory", "")
        else:
            program = path.stat().st_mode & stat.S_IXUSR
            found[name] = ("program" if program else "file", path.read_bytes())
    return found


STATUS = ("status", "--porcelain=v2", "--untracked-files=all")


def test_a_tree_is_there_as_git_would_take_it(repo: Repository, tmp_path: Path) -> None:
    """Tracked, changed, staged, deleted, renamed and new files; no ignored one."""
    repo.commit("more", **{"a/b.py": "1", "gone.py": "2", "moved.py": "a\n" * 20, "staged.py": "3"})
    repo.write("a/b.py", "changed")
    repo.write("staged.py", "staged")
    repo.git("add", "staged.py")
    repo.write("staged.py", "and changed")
    (repo.top / "gone.py").unlink()
    repo.git("mv", "moved.py", "a/moved.py")
    repo.write("new file é.py", "x")
    repo.write("meant.py", "y")
    repo.git("add", "--intent-to-add", "meant.py")
    (repo.write("run.sh", "#!/bin/sh\n")).chmod(0o700)
    repo.write("x.log", "secret")
    repo.write("built/x.py", "built")
    (repo.top / "to-b").symlink_to("a/b.py")
    place = laid(sent(repo.top), tmp_path)
    want = files_of(repo.top)
    for name in ("x.log", "built", "built/x.py"):
        del want[name]
    assert files_of(place) == want
    assert there(place, *STATUS) == repo.git(*STATUS)
    assert there(place, "diff", "--cached") == repo.git("diff", "--cached")
    assert there(place, "diff") == repo.git("diff")
    assert there(place, "fsck", "--strict") == ""
    assert place.name == "app"
    assert stat.S_IMODE(place.parent.stat().st_mode) == 0o700


def test_history_and_names_are_there(repo: Repository, tmp_path: Path) -> None:
    """Branches, tags, the commit that is checked out, and what git says of them."""
    repo.git("tag", "-a", "v1", "-m", "one")
    repo.git("branch", "feature/é")
    repo.git("update-ref", "refs/remotes/origin/main", "HEAD")
    repo.git("symbolic-ref", "refs/remotes/origin/HEAD", "refs/remotes/origin/main")
    repo.commit("later", **{"b.py": "x"})
    place = laid(sent(repo.top), tmp_path)
    for words in (
        ("for-each-ref", "--format=%(refname) %(objectname) %(symref)"),
        ("log", "--all", "--format=%H %an %s"),
        ("symbolic-ref", "HEAD"),
        STATUS,
    ):
        assert there(place, *words) == repo.git(*words)


@pytest.mark.parametrize("state", ["detached", "unborn", "staged before the first", "conflict"])
def test_every_state_of_head_is_there(state: str, repo: Repository, tmp_path: Path) -> None:
    """Also before the first commit, and in the middle of a merge."""
    if state == "detached":
        repo.git("checkout", "-q", "--detach", repo.base)
    elif state == "conflict":
        repo.commit("ours", **{"x.py": "ours"})
        repo.git("checkout", "-q", "-b", "theirs", "HEAD~1")
        repo.commit("theirs", **{"x.py": "theirs"})
        with pytest.raises(Exception, match="returned non-zero"):
            repo.git("merge", "main")
    else:
        shutil.rmtree(repo.top / ".git")
        repo.git("init", "-q", "--initial-branch=first")
        if "staged" in state:
            repo.git("add", "--all")
    place = laid(sent(repo.top), tmp_path)
    assert there(place, *STATUS) == repo.git(*STATUS)
    assert (place / ".git" / "HEAD").read_text() == (repo.top / ".git" / "HEAD").read_text()


def test_nobody_and_nothing_that_runs_goes_along(repo: Repository, tmp_path: Path) -> None:
    """No hook, remote, name, address, filter or log of who has moved a branch."""
    repo.git("remote", "add", "origin", "https://user:token@example.org/x.git")
    repo.git("config", "user.email", "somebody@example.org")
    repo.git("config", "filter.x.clean", "touch /tmp/never")
    hook = repo.top / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text("#!/bin/sh\n")
    place = laid(sent(repo.top), tmp_path)
    assert set((place / ".git" / "config").read_text().split()) <= {
        *("[core]", "=", "repositoryformatversion", "0", "filemode", "true", "bare", "false"),
        *("logallrefupdates", "true"),
    }
    assert not (place / ".git" / "hooks").exists()
    assert not (place / ".git" / "logs").exists()


def test_what_git_says_of_files_depends_on_the_same(
    repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Line ends, what the user ignores everywhere, files git is told not to look at, filters."""
    ignored = tmp_path / "home" / "ignored"
    ignored.write_text("*.mine")
    (tmp_path / "home" / ".gitconfig").write_text(
        f'[core]\nautocrlf = input\nexcludesFile = {ignored}\n[filter "lfs"]\nclean = cat\n'
    )
    info = repo.top / ".git" / "info"
    info.mkdir(exist_ok=True)
    (info / "exclude").write_text("*.here\n")
    repo.commit(
        "all",
        **{
            "one.py": "1\n",
            "two.py": "2\n",
            "b.bin": "pointer",
            ".gitattributes": "*.bin filter=lfs\n",
        },
    )
    repo.write("one.py", "1\r\n")
    repo.write("two.py", "2 changed\n")
    repo.write("b.bin", "the content itself")
    repo.write("x.mine", "x")
    repo.write("x.here", "x")
    repo.git("update-index", "--assume-unchanged", "two.py")
    place = laid(sent(repo.top), tmp_path)
    assert not (place / "x.mine").exists()
    assert (place / "b.bin").read_text() == "the content itself"
    (place / "y.mine").write_text("y")
    (place / "y.here").write_text("y")
    monkeypatch.setenv("HOME", str(tmp_path))  # another user there
    assert there(place, *STATUS) == ""


def test_a_file_that_is_left_away_by_intention_is_no_change(
    repo: Repository, tmp_path: Path
) -> None:
    """As in a sparse checkout."""
    repo.commit("more", **{"a.py": "1"})
    repo.git("update-index", "--skip-worktree", "a.py")
    (repo.top / "a.py").unlink()
    place = laid(sent(repo.top), tmp_path)
    assert not (place / "a.py").exists()
    assert there(place, *STATUS) == ""


def test_worktrees_and_ranges_work_there(repo: Repository, tmp_path: Path) -> None:
    """A commit that no branch is at, and the base that it is compared with."""
    base = repo.commit("base", **{"pkg/a.py": "1\n"})
    ref = repo.commit("ref", **{"pkg/a.py": "2\n"})
    repo.git("reset", "--hard", "-q", repo.base)
    task = spec_of(repo.top, isolation="worktree", ref=ref, base=base)
    place = laid(sent(repo.top, task), tmp_path)
    assert there(place, "diff", f"{base}...{ref}") == repo.git("diff", f"{base}...{ref}")
    worktree = worktrees.add(str(place), ref, tmp_path / "worktree")
    assert Path(worktree.cwd, "pkg/a.py").read_text() == "2\n"


@pytest.mark.parametrize("size", ["fits but for a branch", "fits cut"])
def test_of_a_long_history_a_part_is_sent(
    size: str, repo: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the tasks need of it, which the summary says; git works with that there."""
    if size == "fits but for a branch":
        repo.git("checkout", "-q", "-b", "big")
    for _ in range(2):
        repo.commit("big", noise=os.urandom(700_000))
    if size == "fits but for a branch":
        repo.git("checkout", "-q", "main")
    else:
        repo.git("rm", "-q", "noise")
        repo.commit("small")
    base = repo.commit("base", **{"a.py": "1\n"})
    repo.git("branch", "named")
    for number in range(4):
        repo.commit(f"step {number}", **{"a.py": f"{number}\n"})
    monkeypatch.setattr(packed_history, "LATEST", (3, 1))
    found = sent(repo.top, spec_of(repo.top, prompt="See named.", base=base), max_mb=1)
    place = laid(found, tmp_path)
    assert there(place, *STATUS) == ""
    assert there(place, "rev-parse", "HEAD", "named") == repo.git("rev-parse", "HEAD", "named")
    assert there(place, "diff", "named...HEAD") == repo.git("diff", "named...HEAD")
    assert there(place, "rev-list", "--count", "named..HEAD") == "4"
    assert there(place, "fsck", "--strict") == ""
    if size == "fits but for a branch":
        assert "without 1 branches" in found.summary
        assert there(place, "rev-list", "HEAD") == repo.git("rev-list", "HEAD")
    else:
        assert "the latest" in found.summary


def test_of_a_partial_clone_the_latest_commit_is_sent(repo: Repository, tmp_path: Path) -> None:
    """It has no more; a task that needs more is refused with the fix."""
    repo.commit("later", **{"base.txt": "changed"})
    repo.git("config", "uploadpack.allowFilter", "true")
    clone(repo, tmp_path / "partial", "--no-local", "--filter=blob:none")
    found = sent(tmp_path / "partial")
    place = laid(found, tmp_path)
    assert there(place, *STATUS) == ""
    assert there(place, "rev-parse", "HEAD") == repo.git("rev-parse", "HEAD")
    assert "the latest commit" in found.summary
    with pytest.raises(GitError, match="--refetch --no-filter"):
        sent(tmp_path / "partial", spec_of(tmp_path / "partial", base=repo.base))


def test_a_shallow_clone_is_one_there(repo: Repository, tmp_path: Path) -> None:
    """As of a pipeline that fetches one commit."""
    repo.commit("later", **{"b.py": "x"})
    clone(repo, tmp_path / "shallow", "--depth=1")
    found = sent(tmp_path / "shallow")
    place = laid(found, tmp_path)
    assert there(place, "rev-list", "--count", "HEAD") == "1"
    assert there(place, *STATUS) == ""
    assert there(place, "fsck") == ""
    assert "the latest commit" in found.summary


@pytest.mark.parametrize("staged", [False, True])
def test_objects_may_be_named_by_another_hash(staged: bool, tmp_path: Path) -> None:
    """Also before the first commit."""
    top = tmp_path / "new"
    top.mkdir()
    there(top, "init", "--quiet", "--object-format=sha256", "--initial-branch=main")
    (top / "a.py").write_text("1")
    there(top, "add", "--all")
    if not staged:
        there(top, "commit", "--quiet", "-m", "1")
    place = laid(sent(top), tmp_path)
    assert there(place, *STATUS) == there(top, *STATUS)
    assert there(place, "rev-parse", "--show-object-format") == "sha256"


def test_a_text_of_any_length_is_taken_apart() -> None:
    """Every path in it is found, wherever it is cut."""
    paths = [f"src/some/folder/file_{number}.py" for number in range(30_000)]
    assert set(paths) <= set(all_words("\n".join(paths)))
    assert set(paths) <= set(all_words(" ".join(paths)))
    assert list(all_words("")) == []
    long = "x" * 40_000
    assert "end.py" in set(all_words(f"{long} end.py"))


def test_submodules_and_other_repositories_are_there(repo: Repository, tmp_path: Path) -> None:
    """Each with its own history, at the commit that the outer one names, and in a worktree too."""
    library = Repository(tmp_path / "library")
    old = library.commit("old", **{"lib.py": "old"})
    library.commit("new", **{"lib.py": "new"})
    repo.git("submodule", "--quiet", "add", f"file://{library.top}", "lib/sub")
    repo.commit("with the library")
    repo.git("-C", "lib/sub", "checkout", "-q", old)
    at_old = repo.commit("with the old one")
    repo.git("-C", "lib/sub", "checkout", "-q", "main")
    repo.commit("with the new one")
    inner = Repository(repo.top / "inner clone")
    inner.write("untracked.py", "1")
    repo.git("submodule", "--quiet", "add", f"file://{library.top}", "not here")
    repo.commit("all", **{"a.py": "1"})
    repo.git("submodule", "--quiet", "deinit", "--force", "not here")
    repo.git("rm", "-q", "--cached", "inner clone")
    task = spec_of(repo.top, isolation="worktree", ref=at_old)
    found = sent(repo.top, task)
    place = laid(found, tmp_path)
    assert there(place, *STATUS) == repo.git(*STATUS)
    assert there(place / "lib/sub", *STATUS) == ""
    assert there(place / "inner clone", *STATUS) == inner.git(*STATUS)
    assert there(place / "lib/sub", "log", "--format=%s") == library.git("log", "--format=%s")
    assert (place / "not here").is_dir()
    worktree = worktrees.add(str(place), at_old, tmp_path / "worktree")
    assert Path(worktree.cwd, "lib/sub/lib.py").read_text() == "old"
    assert found.covers(f"{repo.top}/lib/sub/lib.py")
    assert "2 repositories in it" in found.summary


def test_without_git_all_but_what_tools_have_made_is_there(tmp_path: Path) -> None:
    """Empty directories too, and repositories below."""
    top = tmp_path / "plain"
    for name in ("a/b.py", "node_modules/x.js", ".venv/bin/python", "c/__pycache__/x.pyc"):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_text(name)
    (top / "empty").mkdir()
    (top / "to-a").symlink_to("a")
    inner = Repository(top / "clones" / "one")
    found = sent(top)
    place = laid(found, tmp_path)
    assert files_of(place) == {
        **dict.fromkeys(("a", "c", "clones", "clones/one", "empty"), ("directory", "")),
        "a/b.py": ("file", b"a/b.py"),
        "to-a": ("link", "a"),
        "clones/one/base.txt": ("file", b"base\n"),
    }
    assert there(place / "clones/one", "log", "--format=%H") == inner.base
    assert found.summary.startswith("sent 3 files, ")


def test_links_stay_in_the_directory(repo: Repository, tmp_path: Path) -> None:
    """One that leads out is left out, and named; an absolute one leads to the same file there."""
    (tmp_path / "outside").write_text("secret")
    (repo.top / "folder").mkdir()
    repo.write("folder/a.py", "1")
    links = {
        "out": "../outside",
        "out-absolute": str(tmp_path / "outside"),
        "folder/round": "../../app/folder/a.py",
        "absolute": str(repo.top / "folder" / "a.py"),
        "over": "out",
        "gits": ".git/config",
        "dangling": "nothing",
        "loop": "loop",
        "here": ".",
    }
    for name, target in links.items():
        (repo.top / name).symlink_to(target)
    (repo.top / "behind").symlink_to(tmp_path)
    found = sent(repo.top)
    place = laid(found, tmp_path)
    kept = {path.name for path in place.rglob("*") if path.is_symlink()}
    assert kept == {"round", "absolute", "dangling", "loop", "here"}
    assert (place / "absolute").resolve() == place / "folder" / "a.py"
    assert {note.split("'")[1] for note in found.notes} == {
        *("out", "out-absolute", "over", "gits", "behind"),
    }
    assert "5 left out" in found.lines[0]
    assert len(found.lines) == 6
    assert all(line.startswith("not sent: ") for line in found.lines[1:])
    assert not found.covers(str(repo.top / "out"))


def test_a_folder_that_a_link_has_replaced_is_not_looked_into(
    repo: Repository, tmp_path: Path
) -> None:
    """Git takes its files for deleted, and so do we."""
    repo.commit("more", **{"pkg/a.py": "ours"})
    shutil.rmtree(repo.top / "pkg")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "a.py").write_text("secret")
    (repo.top / "pkg").symlink_to(tmp_path / "elsewhere")
    found = sent(repo.top)
    assert b"secret" not in zlib.decompress(PackedDirectory.from_bytes(found.blob).files, wbits=31)


def test_what_is_no_file_is_left_out_and_named(tmp_path: Path) -> None:
    """Nothing is opened that waits for somebody."""
    (tmp_path / "plain").mkdir()
    os.mkfifo(tmp_path / "plain" / "fifo")
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "plain" / "socket"))
        found = sent(tmp_path / "plain")
    assert found.notes == ("'fifo': a FIFO", "'socket': a socket")


def test_the_same_content_has_the_same_key(repo: Repository, tmp_path: Path) -> None:
    """Wherever it is, and however often it is packed; another content has another one."""
    copy = tmp_path / "copies" / "app"
    shutil.copytree(repo.top, copy, symlinks=True)
    os.utime(copy / "base.txt", (1, 1))
    first = sent(repo.top)
    assert sent(copy).key == sent(repo.top).key == first.key
    keys = {first.key}
    for change in (
        lambda: repo.write("new.py", "x"),
        lambda: (repo.top / "new.py").chmod(0o755),
        lambda: repo.git("add", "new.py"),
        lambda: repo.git("branch", "more"),
        lambda: repo.git("checkout", "-q", "more"),
        lambda: repo.git("config", "core.autocrlf", "input"),
    ):
        change()
        keys.add(sent(repo.top).key)
    assert len(keys) == 7


def test_what_does_not_fit_is_refused_with_its_largest_files(repo: Repository) -> None:
    """And the three ways out."""
    for number in range(8):
        repo.write(f"data/{number}.bin", os.urandom(200_000 + 1000 * number))
    with pytest.raises(ConfigError) as caught:
        sent(repo.top, max_mb=1)
    said = str(caught.value)
    assert "largest files: data/7.bin (207 kB), data/6.bin (206 kB)" in said
    for fix in ("ptc_dask_max_code", "git ignore", "ptc_dask_code=shared", str(repo.top), "1 MB"):
        assert fix in said


def test_a_file_that_cannot_be_read_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever the reason."""
    (tmp_path / "plain").mkdir()
    (tmp_path / "plain" / "a").write_text("x")
    real = os.open

    def refuse(path: Any, *words: Any, **more: Any) -> int:
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", path)
        return real(path, *words, **more)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(ConfigError, match=r"plain/a' cannot be read to be sent: Permission denied"):
        sent(tmp_path / "plain")


def test_each_directory_is_packed_once(repo: Repository, tmp_path: Path) -> None:
    """Those of tasks elsewhere too; more is sent when tasks name what was not."""
    other = Repository(tmp_path / "other")
    plain = tmp_path / "data"
    (plain / "deep").mkdir(parents=True)
    clone = Repository(repo.top / "built" / "clone")
    code = Code(repo.top, max_mb=20)
    specs = [spec_of(place) for place in (repo.top, other.top, plain / "deep", clone.top)]
    assert [one.top for one in code.take(specs)] == [
        str(place) for place in (repo.top, other.top, plain / "deep", clone.top)
    ]
    assert code.take(specs) == []
    assert code.of(specs[1].cwd).top == str(other.top)
    assert code.of(specs[3].cwd).top == str(clone.top)
    assert code.at_root().top == str(repo.top)
    repo.git("update-ref", "refs/pull/1/head", repo.base)
    more = spec_of(repo.top, prompt="Review pull/1/head.")
    (again,) = code.take([more])
    assert again.top == str(repo.top)
    assert code.of(more.cwd) is again
    assert "refs/pull/1/head" in there(laid(again, tmp_path), "for-each-ref")
    assert code.take([more]) == []


def test_what_has_changed_is_sent_with_the_tasks_that_come_later(
    repo: Repository, tmp_path: Path
) -> None:
    """Each kind of change; not for a worktree, and not where nothing has changed."""
    code = Code(repo.top, max_mb=20, ours=lambda path: path.endswith("ours.json"))
    task = spec_of(repo.top)
    code.take([task])
    for change in (
        lambda: repo.write("base.txt", "new\n"),
        lambda: repo.write("base.txt", "NEW\n"),
        lambda: repo.write("new.py", "x"),
        lambda: (repo.top / "new.py").chmod(0o755),
        lambda: repo.git("add", "new.py"),
        lambda: repo.git("checkout", "-q", "-b", "more"),
        (repo.top / "new.py").unlink,
        lambda: Repository(repo.top / "inner"),
        lambda: (repo.top / "inner" / "base.txt").write_text("x"),
    ):
        change()
        repo.write("x.log", str(change))
        repo.write("ours.json", str(change))
        assert code.take([spec_of(repo.top, isolation="worktree", ref=repo.base)]) == []
        (sent_again,) = code.take([task, task])
        assert code.of(task.cwd) is sent_again
        assert code.take([task]) == []
    assert len(code.all) == 1
    assert (laid(sent_again, tmp_path) / "inner" / "base.txt").read_text() == "x"


def test_a_directory_that_git_ignores_is_no_place_for_a_task(repo: Repository) -> None:
    """It would not be there."""
    (repo.top / "built").mkdir()
    (repo.top / "built" / "x.py").write_text("x")
    with pytest.raises(ConfigError, match=r"t\.py::t: cwd: .*/built is not sent"):
        sent(repo.top, spec_of(repo.top / "built"))


def test_paths_are_mapped_by_every_name_of_a_directory(repo: Repository, tmp_path: Path) -> None:
    """A root directory or a task's may be a link."""
    (tmp_path / "link").symlink_to(repo.top)
    repo.write("pkg/a.py", "1")
    (tmp_path / "to-pkg").symlink_to(repo.top / "pkg")
    code = Code(tmp_path / "link", max_mb=20)
    spec = spec_of(tmp_path / "to-pkg")
    code.take([spec])
    assert code.pairs({code.of(spec.cwd).key: "/node/app"}) == [
        (str(repo.top), "/node/app"),
        (str(tmp_path / "link"), "/node/app"),
        (str(tmp_path / "to-pkg"), "/node/app/pkg"),
    ]


def test_git_that_refuses_says_so(repo: Repository) -> None:
    """A directory that is a repository is not sent as one that is none."""
    (repo.top / ".git" / "HEAD").write_text("nonsense")
    with pytest.raises(GitError):
        sent(repo.top)


# What is laid down.


def packed(*entries: tuple[str, bytes, str], name: bytes = b"app") -> bytes:
    """Return a directory with a tar of these entries: name, kind, and content or target."""
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as tar:
        for path, kind, text in entries:
            entry = tarfile.TarInfo(path)
            entry.type = kind
            if kind == tarfile.REGTYPE:
                entry.size = len(text)
            else:
                entry.linkname = text
            tar.addfile(entry, io.BytesIO(text.encode()))
    content = made.getvalue()
    files = gzip.compress(content)
    return PackedDirectory(name=name, files=files, tar_hash=sha256(content).hexdigest()).to_bytes()


FILE, LINK, DIRECTORY = tarfile.REGTYPE, tarfile.SYMTYPE, tarfile.DIRTYPE


@pytest.mark.parametrize(
    "entries",
    [
        [("/etc/x", FILE, "")],
        [("../x", FILE, "")],
        [("a/../../x", FILE, "")],
        [("./x", FILE, "")],
        [(".git/config", FILE, "")],
        [("a/.GIT/config", FILE, "")],
        [("x", LINK, "/etc/passwd")],
        [("x", LINK, "../x")],
        [("x", LINK, ".git/config")],
        [("a", LINK, ".."), ("a/x", FILE, "")],
        [("a", LINK, ".."), ("a/x", LINK, "y")],
        [("a", LINK, "b"), ("b", LINK, "../..")],
        [("d/a", LINK, "../e/b"), ("e/b", LINK, ".."), ("c", LINK, "d/a/../../x")],
        [("x", FILE, "1"), ("x", FILE, "2")],
        [("x", tarfile.CHRTYPE, "")],
        [("x", tarfile.FIFOTYPE, "")],
        [("a", FILE, ""), ("x", tarfile.LNKTYPE, "a")],
    ],
)
def test_nothing_is_written_elsewhere(
    entries: list[tuple[str, bytes, str]], tmp_path: Path
) -> None:
    """No absolute name, no way up, no link out, no device; and nothing stays."""
    with pytest.raises(CodeError):
        unpack(packed(*entries), tmp_path / "node")
    assert list(tmp_path.iterdir()) == [tmp_path / "home"]


@pytest.mark.parametrize("name", [b"", b"..", b"a/b", b".git", b"\0"])
def test_the_directory_itself_has_a_plain_name(name: bytes, tmp_path: Path) -> None:
    """It is one folder in the node's own."""
    with pytest.raises(CodeError):
        unpack(packed(name=name), tmp_path / "node")
    assert not (tmp_path / "app").exists()


def test_what_is_there_already_is_left_alone(tmp_path: Path) -> None:
    """It may be in use."""
    blob = packed(("x", FILE, "1"))
    place = Path(unpack(blob, tmp_path / "node"))
    with pytest.raises(CodeError, match="cannot be made"):
        unpack(blob, tmp_path / "node")
    assert (place / "x").read_text() == "1"


def test_other_bytes_are_no_directory(tmp_path: Path) -> None:
    """Cut short, changed, or something else."""
    blob = packed(("x", FILE, "1"))
    for other in (b"", blob[:-1], blob[1:], b"x" * 100):
        with pytest.raises(CodeError):
            unpack(other, tmp_path / "node")
    directory = PackedDirectory.from_bytes(blob)
    changed = PackedDirectory(name=b"app", files=directory.files, tar_hash="0" * 64)
    with pytest.raises(CodeError, match="not those that were sent"):
        unpack(changed.to_bytes(), tmp_path / "node")
    assert not (tmp_path / "node").exists()


NAMES = st.binary(min_size=1, max_size=120).filter(
    lambda name: (
        b"/" not in name and b"\0" not in name and name.lower() not in (b".", b"..", b".git")
    )
)


@given(
    files=st.dictionaries(
        st.lists(NAMES, min_size=1, max_size=3).map(b"/".join),
        st.tuples(st.binary(max_size=2_000), st.booleans()),
        max_size=6,
    )
)
@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_files_are_the_same_there(
    files: dict[bytes, tuple[bytes, bool]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Whatever bytes their names and contents have."""
    place = tmp_path_factory.mktemp("any")
    top = place / "app"
    top.mkdir()
    for name, (content, program) in files.items():
        path = top / os.fsdecode(name)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        except OSError:  # another one of them is in its place
            continue
        path.chmod(0o755 if program else 0o644)
    assert files_of(Path(unpack(sent(top).blob, place / "node"))) == files_of(top)
    shutil.rmtree(place)


def test_only_so_many_bytes_are_read(tmp_path: Path) -> None:
    """What is empty takes no room, and time all the same."""
    with (tmp_path / "sparse").open("wb") as file:
        file.truncate(3 * 1024**3)
    with pytest.raises(TooLargeError) as caught:
        pack_files(str(tmp_path), ["sparse"], 10**9)
    assert caught.value.sizes == {"sparse": 3 * 1024**3}
