"""Where journals are looked for, and which folders are taken for a run's."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.runs.places import note_place, project_of, root_of, runs_of
from pytest_ptc.runs.recorded import RecordedRun, open_run, open_runs
from pytest_ptc.runs.state import RefusedRun, RunState
from pytest_ptc.runs.trust import link_on_the_way, place_problem
from pytest_ptc.system.scratch import MARK, make_scratch, not_our_scratch, remove_scratch
from tests.support.documents import Item, events_of
from tests.support.journals import KEY, write_story

if TYPE_CHECKING:
    from collections.abc import Callable

INI = "[pytest]\n"


def files(top: Path, **content: str) -> None:
    """Write files, whose names have `__` for a separator and `_` for a dot."""
    for name, text in content.items():
        path = top / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def found(start: Path, home: Path, key: bytes | None = KEY) -> list[str]:
    """Return where the runs are, seen from a directory, as paths from the home directory."""
    environ = {"HOME": str(home)}
    project = project_of(start, environ)
    return [os.path.relpath(path, home) for path in runs_of(project, environ, key)]


def has_runs(cache: Path) -> Path:
    """Make the folder of all runs in a cache directory."""
    runs = cache / "d/ptc/runs"
    runs.mkdir(parents=True)
    return runs


def test_runs_are_looked_for_up_to_the_root_directory_and_no_further(tmp_path: Path) -> None:
    """An ini file of pytest's, or the top of a repository, is as far as a project goes."""
    (tmp_path / "p/sub/deep").mkdir(parents=True)
    has_runs(tmp_path / "p/.pytest_cache")
    assert found(tmp_path / "p/sub/deep", tmp_path) == ["p/.pytest_cache/d/ptc/runs"]
    files(tmp_path, p__sub__pyproject_toml="[tool.other]\n")
    assert found(tmp_path / "p/sub/deep", tmp_path) == ["p/.pytest_cache/d/ptc/runs"]
    (tmp_path / "p/sub/.git").mkdir()
    assert found(tmp_path / "p/sub/deep", tmp_path) == []
    (tmp_path / "p/sub/.git").rmdir()
    files(tmp_path, p__sub__pyproject_toml="[tool.pytest.ini_options]\n")
    assert found(tmp_path / "p/sub/deep", tmp_path) == []


def test_nothing_above_the_home_directory_is_looked_at(tmp_path: Path) -> None:
    """Nor in a directory that everybody can write to, as the temporary folder is one."""
    has_runs(tmp_path / ".pytest_cache")
    (tmp_path / "home/p").mkdir(parents=True)
    assert found(tmp_path / "home/p", tmp_path / "home") == []
    assert found(tmp_path / "home/p", tmp_path / "elsewhere") == ["../.pytest_cache/d/ptc/runs"]
    tmp_path.chmod(0o777)
    assert found(tmp_path / "home/p", tmp_path / "elsewhere") == []


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("pytest_ini", "[pytest]\ncache_dir = build/c\n"),
        ("tox_ini", "[tox]\n[pytest]\ncache_dir = build/c\n"),
        ("setup_cfg", "[tool:pytest]\ncache_dir = build/c\n"),
        ("pyproject_toml", '[tool.pytest.ini_options]\ncache_dir = "build/c"\n'),
        ("pytest_ini", "[pytest]\ncache_dir = $BUILD/c\n"),
    ],
)
def test_the_ini_file_says_where_the_cache_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    """In each of its forms, as pytest reads it, also where no run has left a note here."""
    monkeypatch.setenv("BUILD", "build")
    files(tmp_path, **{f"p__{name}": text})
    has_runs(tmp_path / "p/build/c")
    assert found(tmp_path / "p", tmp_path, None) == ["p/build/c/d/ptc/runs"]


@pytest.mark.parametrize("text", ["[pytest\ncache_dir = x", "cache_dir = x", ""])
def test_an_ini_file_that_is_broken_says_nothing(tmp_path: Path, text: str) -> None:
    """The runs in the usual place are found all the same."""
    files(tmp_path, p__pytest_ini=text)
    has_runs(tmp_path / "p/.pytest_cache")
    assert found(tmp_path / "p", tmp_path) == ["p/.pytest_cache/d/ptc/runs"]


def test_a_run_leaves_a_note_of_its_place(tmp_path: Path) -> None:
    """It counts for who has the key, for that directory, and while it is as it was written."""
    environ = {"HOME": str(tmp_path)}
    for name in ("one", "two"):
        has_runs(tmp_path / name)
        note_place(tmp_path / "p", tmp_path / name, environ, KEY)
    files(tmp_path, p__pytest_ini=INI, q__pytest_ini=INI)
    assert found(tmp_path / "p", tmp_path) == ["two/d/ptc/runs", "one/d/ptc/runs"]
    assert found(tmp_path / "p", tmp_path, b"another") == []
    assert found(tmp_path / "q", tmp_path) == []
    (note,) = (tmp_path / ".local/state/pytest-ptc/projects").iterdir()
    note.write_text(note.read_text().replace("/one", "/p"))
    assert found(tmp_path / "p", tmp_path) == []
    for broken in ("{", "[1]", "[" * 100_000):
        note.write_text(broken)
        assert found(tmp_path / "p", tmp_path) == []
    note_place(tmp_path / "p", tmp_path / "one", {}, KEY)  # no place for a note: no error


# --- which folder is a run's

RUN = "20270115-080000-000aa"


def run_in(root: Path, *items: Item, over: bool = True) -> Path:
    """Write a run's journal below a root directory, and return its folder."""
    folder = root / ".pytest_cache/d/ptc/runs" / RUN
    write_story(folder, events_of(*items, over=over))
    (folder / "attempts/1.1").mkdir(parents=True, mode=0o700)
    (folder / "attempts/1.1/report.json").touch(0o644)
    return folder


def _open_to_all(run: Path) -> None:
    (run / "attempts/1.1/x").mkdir()
    (run / "attempts/1.1/x").chmod(0o777)
    (run / "attempts/1.1/link").symlink_to("/etc")
    os.mkfifo(run / "attempts/1.1/fifo", 0o666)


def _to_a_link(path: Path) -> None:
    path.rename(path.with_name("real"))
    path.symlink_to("real")


@pytest.mark.parametrize(
    ("done", "said"),
    [
        pytest.param(Path.exists, None, id="nothing"),
        pytest.param(lambda run: run.chmod(0o755), None, id="readable-as-from-an-archive"),
        pytest.param(lambda run: (run / "journal.jsonl").chmod(0o644), None, id="file-readable"),
        pytest.param(lambda run: run.parents[2].chmod(0o777), None, id="cache-is-pytests"),
        pytest.param(lambda run: run.chmod(0o775), "written by others", id="group"),
        pytest.param(lambda run: run.parent.chmod(0o777), "written by others", id="all-runs"),
        pytest.param(
            lambda run: (run / "attempts").chmod(0o757), "written by others", id="attempts"
        ),
        pytest.param(
            lambda run: (run / "attempts/1.1").chmod(0o777), "written by others", id="attempt"
        ),
        pytest.param(
            lambda run: (run / "journal.jsonl").chmod(0o666), "written by others", id="story"
        ),
        pytest.param(_open_to_all, None, id="what-an-agent-made"),
        pytest.param(_to_a_link, "is a link", id="run-is-a-link"),
        pytest.param(
            lambda run: _to_a_link(run.parent), "through runs, which is a link", id="runs"
        ),
        pytest.param(
            lambda run: _to_a_link(run.parents[3]), "through .pytest_cache, which", id="cache"
        ),
        pytest.param(
            lambda run: _to_a_link(run / "attempts"), "has a link in it", id="attempts-link"
        ),
        pytest.param(
            lambda run: _to_a_link(run / "journal.jsonl"), "has a link in it", id="story-link"
        ),
    ],
)
def test_a_run_is_taken_only_where_nobody_else_can_write(
    tmp_path: Path, done: Callable[[Path], Any], said: str | None
) -> None:
    """Readable for others is fine, as an archive leaves it; writable or through a link is not."""
    run = run_in(tmp_path, Item())
    done(run)
    problem = place_problem(run, tmp_path)
    assert (problem is None) if said is None else (said in (problem or ""))
    if said is None:
        assert open_run(run, tmp_path, KEY).run_id == RUN


def test_every_file_has_to_be_our_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whose it is not can change it after it was looked at."""
    run = run_in(tmp_path, Item())
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert "belongs to another user" in (place_problem(run, tmp_path) or "")


def test_the_way_to_a_cache_outside_of_the_project_is_the_users_own(tmp_path: Path) -> None:
    """What is below it is ours again."""
    run = run_in(tmp_path / "elsewhere", Item())
    (tmp_path / "cache").symlink_to(tmp_path / "elsewhere/.pytest_cache")
    named = tmp_path / "cache/d/ptc/runs" / RUN
    assert link_on_the_way(named, tmp_path / "project") is None
    _to_a_link(run.parents[1])
    assert link_on_the_way(named, tmp_path / "project") == tmp_path / "cache/d/ptc"


def test_what_lies_among_the_runs_is_refused_or_opened_each_by_itself(tmp_path: Path) -> None:
    """One that is broken does not hide the others, and a missing folder has none."""
    runs = run_in(tmp_path, Item()).parent
    (runs / "2020").mkdir(mode=0o700)
    (runs / "2021").write_text("a file")
    opened = open_runs(runs, tmp_path, KEY)
    assert [run.run_id for run in opened] == ["2020", "2021", RUN]
    assert [type(run) for run in opened] == [RefusedRun, RefusedRun, RecordedRun]
    assert open_runs(tmp_path / "none", tmp_path, KEY) == []
    assert all(isinstance(run, RefusedRun) for run in open_runs(runs, tmp_path, None))


def test_the_way_is_looked_at_from_the_top_of_the_project(tmp_path: Path) -> None:
    """The root directory is the topmost that the runs are below."""
    files(tmp_path, p__pytest_ini=INI)
    (tmp_path / "p/sub").mkdir()
    project = project_of(tmp_path / "p/sub", {})
    assert root_of(project, tmp_path / "p/.pytest_cache/d/ptc/runs") == tmp_path / "p"
    assert root_of(project, tmp_path / "x/d/ptc/runs") == tmp_path / "p/sub"


FAILED = Item("t.py::f", "failed", "fail")
PASSED = Item("t.py::p")
TROUBLE = Item("t.py::e", "error", None, trouble=("no verdict", "nothing"))
WAITING = Item("t.py::w", None, None)
STOPPED = Item("t.py::s", None, None, trouble=("run stopped", "enough"))
BLOCKED = Item("t.py::b", "failed", "pass")


@pytest.mark.parametrize(
    ("items", "over", "said"),
    [
        ((PASSED, FAILED, TROUBLE), True, "3 items: 1 pass, 1 fail, 1 error"),
        ((TROUBLE, TROUBLE), True, "2 items: 2 error"),
        ((PASSED,), True, "1 item: 1 pass"),
        ((BLOCKED,), True, "1 item: 1 fail"),
        ((PASSED, WAITING), True, "1 of 2 judged: 1 pass"),
        ((STOPPED, WAITING, TROUBLE), True, "0 of 3 judged: 1 error"),
        ((WAITING,), False, "0 of 1 judged"),
        ((Item(resumed="old"), FAILED), True, "2 items: 1 pass, 1 fail"),
        ((), True, "0 items"),
    ],
)
def test_a_run_is_said_to_be_as_good_as_it_was_and_no_better(
    tmp_path: Path, items: tuple[Item, ...], over: bool, said: str
) -> None:
    """Errors are not done, and what nobody began is not judged."""
    run = open_run(run_in(tmp_path, *items, over=over), tmp_path, KEY)
    assert str(run.standing) == said
    assert run.state is (RunState.ENDED if over else RunState.KILLED)


# --- the scratch folder


def test_a_scratch_folder_is_removed_by_its_mark(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where such folders are, ours alone, and with the run's id in it."""
    monkeypatch.setattr("tempfile.tempdir", "/tmp")
    made = make_scratch("run-1")
    try:
        assert not_our_scratch(made, "run-2") == "is of another run"
        made.chmod(0o755)
        assert not_our_scratch(made, "run-1") == "can be entered by others"
        made.chmod(0o700)
        link = tmp_path / "ptc-link"
        link.symlink_to(made)
        monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
        assert not_our_scratch(link, "run-1") == "is not a directory"
        (tmp_path / "ptc-thesis").mkdir(0o700)
        assert "does not have the run's mark" in (
            not_our_scratch(tmp_path / "ptc-thesis", "run-1") or ""
        )
        (tmp_path / "sub/ptc-thesis").mkdir(0o700, parents=True)
        (tmp_path / "sub/ptc-thesis" / MARK).write_text("run-1")
        said = "is not directly in a temporary folder"
        for path in ("sub/ptc-thesis", "sub/../sub/ptc-thesis", "sub"):
            assert remove_scratch(tmp_path / path, "run-1") == said
        assert remove_scratch(Path("ptc-relative"), "run-1") is None
    finally:
        assert remove_scratch(made, "run-1") is None
    assert not made.exists()
    assert remove_scratch(made, "run-1") is None
