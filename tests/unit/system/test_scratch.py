"""A run's scratch folder: removed only where its mark is, and the mark last."""

from __future__ import annotations

import shutil
import tempfile
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.system.scratch import MARK, make_scratch, remove_scratch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a scratch folder with a file, a folder and a link in it."""
    (tmp_path / "t").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "t"))
    monkeypatch.setattr(tempfile, "tempdir", None)
    folder = make_scratch("run-1")
    (folder / "bin").mkdir()
    (folder / "bin" / "ptc").write_text("x")
    (folder / "launch.json").write_text("{}")
    (folder / "out").symlink_to(tmp_path)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_all_of_it_goes_and_nothing_that_a_link_leads_to(made: Path, tmp_path: Path) -> None:
    """Files, folders and links are removed; what is behind a link stays."""
    (tmp_path / "kept").write_text("x")
    assert remove_scratch(made, "run-1") is None
    assert not made.exists()
    assert (tmp_path / "kept").exists()


def test_a_folder_that_is_still_written_to_keeps_its_mark(
    made: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Who removes it next, another worker or `ptc clean`, has to know that it may."""
    remove = shutil.rmtree

    def removed_while_a_client_writes(path: Path, **how: Any) -> None:
        remove(path, **how)
        if not (made / "bin").exists():
            (made / "bin").mkdir()

    with monkeypatch.context() as patch:
        patch.setattr(shutil, "rmtree", removed_while_a_client_writes)
        assert remove_scratch(made, "run-1") == "cannot be removed"
    assert (made / MARK).read_text() == "run-1"
    assert remove_scratch(made, "run-1") is None
    assert not made.exists()
