"""The key of the journals: made once, for one user alone, and out of the tree under test."""

from __future__ import annotations

import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.interfaces.environment import inherited, worker_environment
from pytest_ptc.journal.keys import KEY_BYTES, KEY_FILE, existing_key, journal_key, state_folder
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

LONG = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    ("environ", "folder"),
    [
        ({"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/pytest-ptc"),
        ({"HOME": "/h"}, "/h/.local/state/pytest-ptc"),
        ({"XDG_STATE_HOME": "", "HOME": "/h"}, "/h/.local/state/pytest-ptc"),
        ({"XDG_STATE_HOME": "state", "HOME": "/h"}, "/h/.local/state/pytest-ptc"),
    ],
)
def test_the_state_directory_is_where_the_xdg_specification_has_it(
    environ: dict[str, str], folder: str
) -> None:
    """A variable that is empty or no absolute path does not count."""
    assert state_folder(environ) == Path(folder)


@pytest.mark.parametrize("environ", [{}, {"HOME": ""}, {"HOME": "relative"}])
def test_without_a_home_the_fix_is_said(environ: dict[str, str]) -> None:
    """What can be done: a home, or the variable."""
    with pytest.raises(ConfigError, match="set HOME, or set PTC_JOURNAL_KEY"):
        journal_key(environ)
    assert len(journal_key({**environ, "PTC_JOURNAL_KEY": LONG})) == KEY_BYTES


def test_a_key_is_made_once_and_for_the_user_alone(tmp_path: Path) -> None:
    """Whatever the umask is; and who only reads makes none."""
    environ = {"HOME": str(tmp_path)}
    assert existing_key(environ) is None
    assert list(tmp_path.iterdir()) == []
    before = os.umask(0)
    try:
        key = journal_key(environ)
    finally:
        os.umask(before)
    file = state_folder(environ) / KEY_FILE
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert len(key) == KEY_BYTES
    assert journal_key(environ) == existing_key(environ) == key
    assert [path.name for path in file.parent.iterdir()] == [KEY_FILE]


def test_runs_that_begin_at_once_have_one_key(tmp_path: Path) -> None:
    """Of two that make it, both take the first."""
    keys: list[bytes] = []
    gate = threading.Barrier(8)

    def make() -> None:
        gate.wait()
        keys.append(journal_key({"HOME": str(tmp_path)}))

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def _link(file: Path) -> None:
    file.rename(file.with_name("there"))
    file.symlink_to("there")


def _fifo(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


@pytest.mark.parametrize(
    ("done", "said"),
    [
        pytest.param(lambda file: file.chmod(0o640), "can be read by others", id="group"),
        pytest.param(lambda file: file.chmod(0o604), "can be read by others", id="world"),
        pytest.param(lambda file: file.parent.chmod(0o777), "written by others", id="folder"),
        pytest.param(lambda file: file.write_bytes(b"x"), "has 1 bytes, not 32", id="short"),
        pytest.param(lambda file: file.write_bytes(b""), "has 0 bytes, not 32", id="empty"),
        pytest.param(lambda file: file.write_bytes(b"x" * 33), "longer than 32", id="long"),
        pytest.param(_link, "is a link", id="link"),
        pytest.param(_fifo, "not a regular file", id="fifo"),
    ],
)
def test_a_key_that_is_not_to_be_trusted_is_refused(
    tmp_path: Path, done: Callable[[Path], Any], said: str
) -> None:
    """To read and to write with, with the path and what to do."""
    environ = {"HOME": str(tmp_path)}
    journal_key(environ)
    file = state_folder(environ) / KEY_FILE
    done(file)
    for use in (journal_key, existing_key):
        with pytest.raises(ConfigError) as refused:
            use(environ)
        assert said in str(refused.value)
        assert str(file) in str(refused.value)
        assert "PTC_JOURNAL_KEY" in str(refused.value)


def test_a_key_of_another_user_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else has it, too."""
    environ = {"HOME": str(tmp_path)}
    journal_key(environ)
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    with pytest.raises(ConfigError, match="belongs to another user"):
        existing_key(environ)


def test_no_key_is_made_or_taken_in_the_tree_under_test(tmp_path: Path) -> None:
    """By its own path, or through a link."""
    tree = tmp_path / "tree"
    tree.mkdir()
    (tmp_path / "home").symlink_to(tree)
    for home in (tree, tree / "sub", tmp_path / "home"):
        with pytest.raises(ConfigError, match="in the tree under test"):
            journal_key({"HOME": str(home)}, [tmp_path / "elsewhere", tree])
    assert list(tree.iterdir()) == []
    journal_key({"HOME": str(tree)})
    with pytest.raises(ConfigError, match="in the tree under test"):
        existing_key({"HOME": str(tree)}, [tree])


def test_where_it_cannot_be_made_the_reason_is_said(tmp_path: Path) -> None:
    """A file where a directory belongs, as any other trouble with the place."""
    (tmp_path / ".local").write_text("in the way")
    with pytest.raises(ConfigError, match=r"Not a directory.*or set PTC_JOURNAL_KEY"):
        journal_key({"HOME": str(tmp_path)})


@pytest.mark.parametrize(("value", "length"), [("", 0), ("x" * 31, 31), (" " * 40, 0)])
def test_a_variable_that_is_too_short_is_refused(value: str, length: int) -> None:
    """What can be guessed is no key; an empty one is a pipeline's secret that is not there."""
    with pytest.raises(ConfigError, match=f"PTC_JOURNAL_KEY: has {length} characters"):
        journal_key({"HOME": "/h", "PTC_JOURNAL_KEY": value})


def test_the_variable_goes_before_the_file(tmp_path: Path) -> None:
    """And a line's end, as secrets of pipelines have it, is no part of it."""
    environ = {"HOME": str(tmp_path), "PTC_JOURNAL_KEY": LONG}
    key = journal_key(environ)
    assert key == existing_key({**environ, "PTC_JOURNAL_KEY": f"{LONG}\n"})
    assert key != journal_key({**environ, "PTC_JOURNAL_KEY": f"{LONG}x"})
    assert list(tmp_path.iterdir()) == []


def test_neither_workers_nor_agents_get_it() -> None:
    """It is for pytest and for `ptc`."""
    environ = {"PTC_JOURNAL_KEY": LONG, "PTC_OTHER": "1", "PATH": "/bin"}
    assert worker_environment(environ) == {"PTC_OTHER": "1", "PATH": "/bin"}
    assert inherited(environ) == {"PATH": "/bin"}
