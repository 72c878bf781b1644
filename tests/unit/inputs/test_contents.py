"""What an attempt could see on disk: real repositories, random trees, and every kind of change."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
import sys
import tempfile
import threading
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, note, settings
from hypothesis import strategies as st

from pytest_ptc.inputs import contents as contents_module
from pytest_ptc.inputs import disk, trees
from pytest_ptc.inputs.agent_files import AgentFiles, agent_files
from pytest_ptc.inputs.contents import Contents, read_list
from pytest_ptc.inputs.trees import Trees, changes
from pytest_ptc.model.task import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.model.content import Content

#: Seconds until a test that waits for a thread gives up.
SOON = 20.0


def git(place: str | Path, *words: str) -> str:
    """Run git in a directory, as somebody."""
    who = [
        "-c",
        "user.name=n",
        "-c",
        "user.email=n@example.org",
        "-c",
        "protocol.file.allow=always",
    ]
    done = subprocess.run(
        ["git", *who, *words], cwd=place, check=True, capture_output=True, stdin=subprocess.DEVNULL
    )
    return done.stdout.decode("utf-8", "surrogateescape")


def repository(place: Path) -> Path:
    """Make a repository whose git ignores `*.log` and `built/`."""
    place.mkdir(parents=True, exist_ok=True)
    (place / ".gitignore").write_text("*.log\nbuilt/\n")
    (place / "a.py").write_text("1")
    git(place, "init", "--quiet")
    git(place, "add", "--all")
    git(place, "commit", "--quiet", "--message=1")
    return place


@pytest.fixture
def repo(tmp_path: Path) -> Path:
    """A repository with one file."""
    return repository(tmp_path / "repo")


def spec_of(place: Path, prompt: str = "Review it.", **more: Any) -> TaskSpec:
    """Return a task about a directory."""
    return TaskSpec(nodeid="t", prompt=prompt, timeout=1, cwd=str(place), **more)


def contents_of(place: Path, **more: Any) -> Contents:
    """Return what looks at contents, which knows of nothing yet."""
    return Contents(**{"agent": AgentFiles(), "rootpath": str(place), **more})


def look(place: Path, prompt: str = "Review it.", **more: Any) -> Content:
    """Return what an agent in this directory could see now."""
    return contents_of(place).take([spec_of(place, prompt, **more)])["t"]


# Random trees.

NAMES = (
    "b.txt",
    "dir/c.txt",
    "dir/deep/d.txt",
    "with blank.txt",
    "new\nline",
    os.fsdecode(b"\xff\xfe.bin"),
    "-option",
    '"quoted"',
    "\u00fc.md",
    "tab\there",
)
IGNORED = ("x.log", "dir/y.log", "built/z")
CONTENT = st.sampled_from([b"", b"1", b"2", b"\0\xff", b"*.py -diff\n"])


def put(top: Path, name: str, content: bytes) -> None:
    """Write a file, whatever was there."""
    path = Path(os.path.join(top, name))  # noqa: PTH118 - names of any bytes
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.is_symlink():
        path.unlink()
    elif path.is_dir():
        shutil.rmtree(path)
    path.write_bytes(content)


def visible(top: Path, named: set[str]) -> dict[str, object]:
    """Return what an agent in a directory can see there, but for what the documentation leaves out.

    That are ignored files that its task does not name, directories without files, and `.git`.
    """
    found: dict[str, object] = {}
    for folder, folders, files in os.walk(top):
        # A link to a directory is a file here.
        links = [name for name in folders if Path(folder, name).is_symlink()]
        folders[:] = [name for name in folders if name not in links and name != ".git"]
        for name in (*files, *links):
            path = Path(folder, name)
            inside = os.path.relpath(path, top)
            ignored = name.endswith(".log") or inside.startswith("built/")
            if name == ".git" or (ignored and inside not in named):
                continue
            if path.is_symlink():
                behind = path.read_bytes() if path.is_file() else path.exists()
                found[inside] = ("link", str(path.readlink()), behind)
            else:
                executable = bool(path.stat().st_mode & stat.S_IXUSR)
                found[inside] = ("file", path.read_bytes(), executable)
    return found


@st.composite
def steps(draw: st.DrawFn) -> list[tuple[str, str, bytes]]:
    """Return what is done to a tree, a few steps."""
    kinds = (
        *("write", "write", "write", "remove", "executable", "link", "stage", "touch", "gc"),
        *("hide", "skip", "ignored", "inner", "outside", "folder", "same-time", "excluded"),
    )
    one = st.tuples(st.sampled_from(kinds), st.sampled_from(NAMES), CONTENT)
    return draw(st.lists(one, min_size=1, max_size=6))


def step(top: Path, kind: str, name: str, content: bytes) -> None:  # noqa: C901, PLR0912 - a table
    """Do one step; one that is not possible does nothing."""
    if kind in ("remove", "executable", "touch", "hide", "skip", "same-time"):
        listed = git(top, "ls-files", "-z", "--cached", "--others").split("\0")
        files = [entry for entry in listed if entry and not entry.endswith("/")]
        name = files[NAMES.index(name) % len(files)]
    path = Path(os.path.join(top, name))  # noqa: PTH118 - names of any bytes
    there = path.is_file() and not path.is_symlink()
    tracked = name in git(top, "ls-files", "-z").split("\0")
    match kind:
        case "write":
            put(top, name, content)
        case "remove":
            path.unlink(missing_ok=True) if not path.is_dir() else None
        case "executable" if there:
            path.chmod(path.stat().st_mode ^ 0o111)
        case "link":
            put(top, name, b"")
            path.unlink()
            path.symlink_to(os.path.relpath(top.parent / "outside.txt", path.parent))
        case "stage":
            git(top, "add", "--all")
        case "touch" if there:
            os.utime(path, ns=(1, 1))
        case "gc":
            git(top, "gc", "--quiet")
        case "hide" if tracked:
            git(top, "update-index", "--assume-unchanged", "--", name)
        case "skip" if tracked:
            git(top, "update-index", "--skip-worktree", "--", name)
        case "ignored":
            put(top, IGNORED[len(name) % len(IGNORED)], content)
        case "inner":
            put(top / "inner", name, content)
        case "outside":
            (top.parent / "outside.txt").write_bytes(content)
        case "folder":
            (top / "empty").mkdir(exist_ok=True)
        case "same-time" if there:
            times = path.stat()
            path.write_bytes(bytes(255 - byte for byte in path.read_bytes()))
            os.utime(path, ns=(times.st_atime_ns, times.st_mtime_ns))
        case "excluded":
            (top / ".git/info/exclude").write_bytes(b"" if content else b"# nothing\n")


@pytest.mark.parametrize("examples", [12, pytest.param(30, marks=pytest.mark.slow)])
def test_any_change_that_an_agent_could_see_is_one(examples: int) -> None:
    """And what it could not see is none: neither for one who looks again, nor for a fresh look."""
    setup = settings(max_examples=examples, suppress_health_check=list(HealthCheck))
    setup(any_change)()


@given(before=steps(), after=steps(), inner=st.sampled_from(["none", "submodule", "nested"]))
def any_change(
    before: list[tuple[str, str, bytes]], after: list[tuple[str, str, bytes]], inner: str
) -> None:
    """Change a repository twice; contents differ if and only if what is visible does."""
    with tempfile.TemporaryDirectory() as folder:
        top = repository(Path(os.path.realpath(folder)) / "repo")
        (top.parent / "outside.txt").write_text("1")
        if inner != "none":
            other = repository(top.parent / "other")
            words = ["submodule", "add"] if inner == "submodule" else ["clone"]
            git(top, *words, "--quiet", str(other), "inner")
        for one in before:
            step(top, *one)
        prompt = f"Review all, x.log too, and {IGNORED[2]}."
        named = {IGNORED[0], IGNORED[2]}
        contents = contents_of(top)
        spec = spec_of(top, prompt)
        then = contents.take([spec])["t"]
        seen, index = visible(top, named), _index(top)
        for one in after:
            step(top, *one)
        now = contents.take([spec])["t"]
        fresh = look(top, prompt)
        note(f"{then} {now}")
        assert fresh == now
        assert then.problem is None
        assert now.problem is None
        same = seen == visible(top, named) and index == _index(top)
        assert (_parts(then) == _parts(now)) is same


def _parts(content: Content) -> Content:
    return replace(content, stat="")


def _index(top: Path) -> list[str]:
    folders = [top, *([top / "inner"] if (top / "inner/.git").exists() else [])]
    return [git(place, "ls-files", "--stage", "-z") for place in folders]


# One kind of change each.


def _stage(top: Path) -> None:
    (top / "a.py").write_text("2")
    git(top, "add", "a.py")
    (top / "a.py").write_text("1")


def _commit(top: Path) -> None:
    git(top, "commit", "--quiet", "--allow-empty", "--message=2")


def _hidden(flag: str) -> Callable[[Path], None]:
    def change(top: Path) -> None:
        git(top, "update-index", flag, "a.py")
        (top / "a.py").write_text("2")

    return change


def _filtered(top: Path) -> None:
    (top / ".git/info/attributes").write_text("a.py filter=f\n")
    git(top, "config", "filter.f.clean", f"touch {top}.ran; echo 1")
    (top / "a.py").write_text("2")


def _monitored(top: Path) -> None:
    program = top.parent / "monitor"
    program.write_text(f"#!/bin/sh\ntouch {top}.ran\n")
    program.chmod(0o755)
    git(top, "config", "core.fsmonitor", str(program))
    (top / "a.py").write_text("2")


def _folder_for_file(top: Path) -> None:
    (top / "a.py").unlink()
    (top / "a.py").mkdir()
    (top / "a.py/b.py").write_text("1")


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda top: (top / "a.py").write_text("2"), id="content"),
        pytest.param(lambda top: (top / "new.py").write_text("2"), id="untracked"),
        pytest.param(lambda top: (top / "a.py").unlink(), id="deleted"),
        pytest.param(lambda top: (top / "a.py").chmod(0o755), id="executable"),
        pytest.param(lambda top: (top / ".gitignore").write_text(""), id="ignored-no-more"),
        pytest.param(_stage, id="staged-alone"),
        pytest.param(_commit, id="commit-of-nothing"),
        pytest.param(_hidden("--assume-unchanged"), id="assume-unchanged"),
        pytest.param(_hidden("--skip-worktree"), id="skip-worktree"),
        pytest.param(_filtered, id="clean-filter"),
        pytest.param(_monitored, id="fsmonitor"),
        pytest.param(_folder_for_file, id="folder-for-file"),
    ],
)
def test_a_change(repo: Path, change: Callable[[Path], object]) -> None:
    """Whatever git is told to think of it, and without running anything that it is told to run."""
    before = look(repo)
    assert before.problem is None
    change(repo)
    after = look(repo)
    assert after.problem is None
    assert after.tree != before.tree
    assert not Path(f"{repo}.ran").exists()


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda top: os.utime(top / "a.py"), id="touch"),
        pytest.param(lambda top: git(top, "gc", "--quiet"), id="gc"),
        pytest.param(lambda top: git(top, "add", "--all"), id="add-of-nothing"),
        pytest.param(lambda top: (top / "x.log").write_text("1"), id="ignored"),
        pytest.param(lambda top: (top / "empty").mkdir(), id="empty-directory"),
        pytest.param(lambda top: git(top, "branch", "other"), id="branch-that-nobody-names"),
        pytest.param(lambda top: (top / "a.py").chmod(0o664), id="umask"),
        pytest.param(lambda top: os.mkfifo(top / "pipe"), id="fifo"),
        pytest.param(lambda top: (top / "a.py").replace(top / "a.py"), id="nothing"),
    ],
)
def test_no_change(repo: Path, change: Callable[[Path], object]) -> None:
    """What git would not take, and what leaves the content as it is."""
    before = look(repo)
    change(repo)
    assert _parts(look(repo)) == _parts(before)


def test_a_file_that_is_put_back_was_written(repo: Path) -> None:
    """The content is the same, and yet an agent may have seen another."""
    contents = contents_of(repo)
    before = contents.take([spec_of(repo)])["t"]
    (repo / "a.py").write_text("2")
    (repo / "a.py").write_text("1")
    after = contents.take([spec_of(repo)])["t"]
    assert _parts(after) == _parts(before)
    assert after.stat != before.stat


@pytest.mark.parametrize(
    ("prompt", "name"),
    [
        pytest.param("Read x.log.", "x.log", id="ignored-file"),
        pytest.param("Read built/", "built/deep/y", id="ignored-folder"),
        pytest.param("Read **/*.log", "built/z.log", id="pattern"),
        pytest.param("Read ../data.csv", "../data.csv", id="outside"),
        pytest.param("Read {outside}/set", "../set/one", id="folder-outside"),
    ],
)
def test_words_add_to_the_tree(repo: Path, prompt: str, name: str) -> None:
    """They never replace it."""
    prompt = prompt.replace("{outside}", str(repo.parent))
    (repo / name).parent.mkdir(parents=True, exist_ok=True)
    (repo / name).write_text("1")
    before = look(repo, prompt)
    assert before.problem is None
    (repo / name).write_text("2")
    after = look(repo, prompt)
    assert (after.tree, after.named != before.named) == (before.tree, True)
    (repo / "a.py").write_text("2")
    assert look(repo, prompt).tree != before.tree


def test_a_parameter_names_files_too(repo: Path) -> None:
    """As a suite over files has it."""
    (repo / "x.log").write_text("1")
    before = look(repo, params={"path": ["x.log", 1, None]})
    (repo / "x.log").write_text("2")
    assert look(repo, params={"path": ["x.log", 1, None]}).named != before.named


def test_a_branch_that_is_named_and_moves(repo: Path) -> None:
    """What an agent is to compare with is a part of what it sees."""
    git(repo, "branch", "release")
    before = look(repo, "Compare with release...HEAD")
    tree = git(repo, "commit-tree", "-m", "x", "HEAD^{tree}").strip()
    git(repo, "update-ref", "refs/heads/release", tree)
    after = look(repo, "Compare with release...HEAD")
    assert (after.tree, after.named != before.named) == (before.tree, True)
    assert look(repo).named == look(repo, "Compare.").named


def test_an_ignored_directory_that_is_the_agents_own(repo: Path) -> None:
    """The task has named it by `cwd`."""
    (repo / "built").mkdir()
    (repo / "built/z").write_text("1")
    before = look(repo / "built")
    (repo / "built/z").write_text("2")
    assert look(repo / "built").named != before.named


def test_a_worktree_of_its_own_is_at_its_commit(repo: Path) -> None:
    """The checkout does not count; files that are named elsewhere do."""
    outside = repo.parent / "data.csv"
    outside.write_text("1")
    more: dict[str, Any] = {"isolation": "worktree", "ref": git(repo, "rev-parse", "HEAD").strip()}
    prompt = f"Review a.py and {outside}"
    before = look(repo, prompt, **more)
    (repo / "a.py").write_text("2")
    assert _parts(look(repo, prompt, **more)) == _parts(before)
    assert look(repo, prompt, **{**more, "ref": "f" * 40}).tree != before.tree
    outside.write_text("2")
    assert look(repo, prompt, **more).named != before.named


def test_links_out_of_the_tree(repo: Path) -> None:
    """What they lead to is seen through them; one into the tree is only named."""
    outside = repo.parent / "elsewhere"
    outside.mkdir()
    (outside / "x").write_text("1")
    (repo / "file").symlink_to(outside / "x")
    (repo / "folder").symlink_to(outside)
    (repo / "inside").symlink_to("a.py")
    (repo / "self").symlink_to(".")
    (repo / "loop").symlink_to("loop")
    before = look(repo)
    assert before.problem is None
    (outside / "y").write_text("1")
    folder = look(repo)
    (outside / "x").write_text("2")
    assert len({before.tree, folder.tree, look(repo).tree}) == 3


# What is refused.


def test_where_there_is_no_repository(tmp_path: Path) -> None:
    """Nobody can tell what belongs to it."""
    content = look(tmp_path)
    assert content.problem == f"there is no git repository around {tmp_path}"
    assert look(tmp_path, isolation="worktree").problem is not None


def test_where_git_refuses(repo: Path) -> None:
    """Its words are the reason; so are those about a broken index."""
    (repo / ".git/index").write_bytes(b"nonsense")
    broken = look(repo).problem
    assert broken is not None
    (repo / ".git/config").write_text("[")
    refused = look(repo).problem
    assert refused is not None
    assert refused.startswith("git refuses: ")


def test_a_repository_of_somebody_else(repo: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container whose checkout belongs to another account."""
    real = shutil.which("git")
    script = repo.parent / "bin/git"
    script.parent.mkdir()
    script.write_text(f'#!/bin/sh\nGIT_TEST_ASSUME_DIFFERENT_OWNER=1 exec {real} "$@"\n')
    script.chmod(0o755)
    monkeypatch.setenv("PATH", f"{script.parent}:{os.environ['PATH']}")
    problem = look(repo).problem
    assert problem is not None
    assert problem.startswith("git refuses: ")


def test_a_working_tree_that_git_puts_elsewhere(repo: Path) -> None:
    """What it lists there is not what the agent sees."""
    (repo.parent / "elsewhere").mkdir()
    git(repo, "config", "core.worktree", str(repo.parent / "elsewhere"))
    assert look(repo).problem is not None


def test_a_file_that_cannot_be_read_or_that_git_would_wait_for(repo: Path) -> None:
    """Neither is taken for one that has not changed."""
    contents = contents_of(repo)
    spec = spec_of(repo)
    assert contents.take([spec])["t"].problem is None
    (repo / ".gitignore").unlink()
    os.mkfifo(repo / ".gitignore")
    problem = contents.take([spec])["t"].problem
    assert problem is not None
    assert "FIFO" in problem


def test_a_fifo_in_place_of_a_tracked_file(repo: Path) -> None:
    """It is named, and not opened."""
    before = look(repo)
    (repo / "a.py").unlink()
    os.mkfifo(repo / "a.py")
    after = look(repo)
    assert after.problem is None
    assert after.tree != before.tree


@pytest.mark.parametrize(
    ("module", "limit"), [(trees, "MAX_FILES"), (disk, "MAX_BYTES"), (trees, "MAX_DEPTH")]
)
def test_there_is_an_end(
    repo: Path, monkeypatch: pytest.MonkeyPatch, module: Any, limit: str
) -> None:
    """What is too large to look at is refused."""
    repository(repo / "inner")
    monkeypatch.setattr(module, limit, 0)
    assert look(repo).problem is not None


# The agent's own files.


def test_a_script_outside_of_a_repository_and_its_modules(repo: Path) -> None:
    """Code and configuration below its directory count; what it writes there does not."""
    tools = repo.parent / "tools"
    (tools / "rules").mkdir(parents=True)
    for name in ("agent.py", "rules/one.py", "rules.toml"):
        (tools / name).write_text("1")
    argv = ("python3", str(tools / "agent.py"))

    def agent() -> Content:
        files = agent_files(argv, rootpath=repo, environ=os.environ)
        return contents_of(repo, agent=files).take([spec_of(repo)])["t"]

    seen = [agent()]
    (tools / "log").write_text("x")
    assert _parts(agent()) == _parts(seen[0])
    for name in ("agent.py", "rules/one.py", "rules.toml", "new.py"):
        (tools / name).write_text("2")
        seen.append(agent())
    assert len({content.agent for content in seen}) == 5
    assert len({content.tree for content in seen}) == 1


def test_a_script_in_the_suites_repository(repo: Path) -> None:
    """For a task about that it is in the tree; for others its repository is a part of the agent."""
    (repo / "agent.py").write_text("1")
    (repo / "rules.dat").write_text("1")
    other = repository(repo.parent / "other")
    files = agent_files(("python3", "agent.py"), rootpath=repo, environ=os.environ)

    def both() -> tuple[Content, Content]:
        contents = contents_of(repo, agent=files)
        (here,) = contents.take([spec_of(repo)]).values()
        (there,) = contents.take([spec_of(other)]).values()
        return here, there

    before = both()
    (repo / "rules.dat").write_text("2")
    after = both()
    assert (before[0].agent, before[1].tree) == (after[0].agent, after[1].tree)
    assert before[0].tree != after[0].tree
    assert before[1].agent != after[1].agent


def test_an_agent_in_python_and_one_that_is_a_module(repo: Path) -> None:
    """Their packages count, wherever they are imported from."""
    package = repo.parent / "lib/judge"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("1")
    environ = {**os.environ, "PYTHONPATH": str(repo.parent / "lib")}
    for argv, module in ((("python3", "-m", "judge"), None), ((), "judge.main")):
        files = agent_files(
            argv, module=module, module_path=sys.path, rootpath=repo, environ=environ
        )
        assert str(package) in files.folders


# The service.


def test_attempts_that_end_share_a_look(repo: Path) -> None:
    """Each is told once, with what was there after its end."""
    told: dict[str, Content] = {}
    all_told = threading.Event()

    def tell(attempt: str, content: Content) -> None:
        assert attempt not in told
        told[attempt] = content
        if len(told) == 3:
            all_told.set()

    contents = contents_of(repo, tell=tell)
    specs = [replace(spec_of(repo), nodeid=name) for name in "abc"]
    contents.take(specs)
    begun = {spec.nodeid: contents.began(f"{spec.nodeid}.1", spec) for spec in specs}
    (repo / "a.py").write_text("2")
    for spec in specs:
        contents.ended(f"{spec.nodeid}.1")
    assert all_told.wait(SOON)
    contents.close()
    assert len({content.tree for content in told.values()}) == 1
    for name, content in begun.items():
        assert content is not None
        assert content.tree != told[f"{name}.1"].tree
    # The next attempt begins with what the last look saw.
    assert contents.began("a.2", specs[0]) == told["a.1"]
    contents.ended("a.2")
    assert set(told) == {"a.1", "b.1", "c.1"}


def test_what_nobody_looked_at_is_not_looked_at_again(tmp_path: Path) -> None:
    """Without a repository, and for tasks that nobody knows, there is no thread."""
    contents = contents_of(tmp_path)
    spec = spec_of(tmp_path)
    assert contents.began("t.1", spec) is None
    contents.take([spec])
    begun = contents.began("t.1", spec)
    assert begun is not None
    assert begun.problem
    contents.ended("t.1")
    contents.ended("unknown")
    contents.close()
    assert contents._thread is None


def test_lists_of_files_are_kept_and_read_again(
    repo: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that the next run can name what has changed; nothing else is taken for one."""
    folder = tmp_path / "run"
    folder.mkdir()
    contents = contents_of(repo, folder=folder / "contents")
    tree = contents.take([spec_of(repo)])["t"].tree
    kept = read_list(folder, tree)
    assert kept == contents.entries(tree)
    assert kept is not None
    assert set(kept) == {"", ".gitignore", "a.py"}
    assert (folder / f"contents/{tree}.json").stat().st_mode & 0o777 == 0o600
    assert read_list(folder, "../contents/x") is None
    (folder / "contents/abc.json").write_text('{"a": 1}')
    assert read_list(folder, "abc") is None
    monkeypatch.setattr(contents_module, "MAX_LISTS", 0)
    assert contents_of(repo).entries(tree) is None


def test_what_has_changed_is_named_as_git_does(repo: Path) -> None:
    """The commit first, then the files in their order."""
    (repo / "gone").write_text("1")
    git(repo, "add", "gone")

    def entries() -> dict[str, str]:
        return Trees(disk.Disk()).take(str(repo)).entries()

    then = entries()
    (repo / "gone").unlink()
    (repo / "a.py").write_text("2")
    (repo / "new").write_text("1")
    _commit(repo)
    commit, *files = changes(then, entries())
    assert commit.startswith("commit ")
    assert files == ["M a.py", "D gone", "?? new"]


def test_agents_that_see_a_snapshot_are_not_said_to_have_seen_what_was_changed_since(
    repo: Path,
) -> None:
    """Its content is the one that its task was taken with, whoever has looked in between."""
    told: dict[str, Content] = {}
    contents = contents_of(repo, snapshot=True, tell=told.__setitem__)
    taken = contents.take([spec_of(repo)])["t"]
    assert contents.began("1.1", spec_of(repo)) == taken
    (repo / "a.py").write_text("2")
    contents.ended("1.1")
    assert contents.began("1.2", spec_of(repo)) == taken
    contents.close()
    assert told["1.1"].tree != taken.tree


def test_what_changed_while_it_was_sent_is_not_proven(repo: Path) -> None:
    """What was packed between two looks is neither of them for sure."""
    before = contents_of(repo).take([spec_of(repo)])
    contents = contents_of(repo, snapshot=True)
    contents.take([spec_of(repo)])
    contents.doubt(before)
    same = contents.began("1.1", spec_of(repo))
    assert same is not None
    assert same.problem is None
    (repo / "a.py").write_text("2")
    contents.take([spec_of(repo)])
    contents.doubt(before)
    changed = contents.began("1.2", spec_of(repo))
    assert changed is not None
    assert changed.problem == "it changed while it was sent to nodes"


def test_what_is_sent_to_nodes_again_is_not_proven_for_earlier_tasks(
    repo: Path, tmp_path: Path
) -> None:
    """They may find either state; those of another directory are not concerned."""
    other = repository(tmp_path / "other")
    made = contents_of(repo, snapshot=True)
    early, elsewhere = spec_of(repo), replace(spec_of(other), nodeid="elsewhere")
    made.take([early, elsewhere])
    (repo / "a.py").write_text("changed")
    late = replace(early, nodeid="late")
    seen = made.take([late])
    made.doubt(seen, [str(repo)])
    assert "sent to nodes again" in str(made.began("1.1", early).problem)  # type: ignore[union-attr]
    for spec in (elsewhere, late):
        content = made.began("2.1", spec)
        assert content is not None
        assert content.problem is None
    made.close()
