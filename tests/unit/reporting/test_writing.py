"""Reports are written where they were asked for, and nowhere that a checkout leads to."""

from __future__ import annotations

import os
import threading
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.model.errors import ReportError
from pytest_ptc.model.reports import ReportTarget
from pytest_ptc.reporting import writing
from pytest_ptc.reporting.writing import real_place, remove_stale, write_report
from pytest_ptc.session.report_hooks import MAX_OUTPUT_BYTES, add_summary, make_page
from tests.support.documents import Item, run_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project beside a folder of the user's."""
    (tmp_path / "home").mkdir()
    (tmp_path / "home/precious.txt").write_text("precious")
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def test_a_file_is_written_with_its_folders(project: Path) -> None:
    """And nothing else is left beside it; a text may be any, a lone surrogate too."""
    write_report(project / "a/b/r.json", "x\udcff", base=project)
    assert (project / "a/b/r.json").read_text() == "x\\udcff"
    assert [path.name for path in (project / "a/b").iterdir()] == ["r.json"]


@pytest.mark.parametrize("target", ["../home/precious.txt", "../home/new.txt", "loop"])
def test_a_link_is_replaced(project: Path, target: str) -> None:
    """Whether or not there is something at its end."""
    (project / "loop").symlink_to(target)
    write_report(project / "loop", "report", base=project)
    assert not (project / "loop").is_symlink()
    assert (project / "loop").read_text() == "report"
    assert [path.read_text() for path in (project / "../home").iterdir()] == ["precious"]


@pytest.mark.parametrize("asked", ["out/r.json", "sub/../out/r.json", "sub/out/deep/r.json"])
def test_a_folder_that_leads_out_is_refused(project: Path, asked: str) -> None:
    """By a link anywhere on the way; the user's own folder gets nothing."""
    (project / "sub").mkdir()
    for link in (project / "out", project / "sub/out"):
        link.symlink_to(project.parent / "home")
    with pytest.raises(ReportError, match="a link on the way leads out of"):
        write_report(project / asked, "report", base=project)
    remove_stale(project / "out/precious.txt", base=project)
    with pytest.raises(ReportError, match="leads out"):
        add_summary(project / "out/precious.txt", run_of(), base=project)
    assert [path.read_text() for path in (project / "../home").iterdir()] == ["precious"]


def test_a_project_has_several_names(project: Path) -> None:
    """A link to the project is the user's; a link in it is not, by whichever name."""
    (project.parent / "alias").symlink_to(project)
    write_report(project.parent / "alias/r.json", "report", base=project)
    assert (project / "r.json").read_text() == "report"
    (project / "out").symlink_to("../home")
    with pytest.raises(ReportError, match="leads out"):
        write_report(project.parent / "alias/out/r.json", "report", base=project)
    (project / "in").symlink_to("sub")
    write_report(project / "in/r.json", "report", base=project)
    assert (project / "sub/r.json").read_text() == "report"
    assert real_place(project / "in/r.json") == real_place(project / "sub/../sub/r.json")


def test_links_of_the_users_own_are_followed(project: Path) -> None:
    """Outside of the project, nothing is brought by a checkout."""
    (project.parent / "mine").symlink_to("home")
    write_report(project.parent / "mine/r.json", "report", base=project)
    assert (project.parent / "home/r.json").read_text() == "report"


def test_a_fifo_that_nobody_reads_is_an_error(project: Path) -> None:
    """Nothing waits for a reader that never comes."""
    os.mkfifo(project / "fifo")
    with pytest.raises(ReportError, match="nobody reads it"):
        write_report(project / "fifo", "report", base=project)
    with pytest.raises((ReportError, OSError)):
        add_summary(project / "fifo", run_of(), base=project)
    remove_stale(project / "fifo", base=project)
    assert (project / "fifo").is_fifo()


def test_a_fifo_that_is_read_gets_all_of_it(project: Path) -> None:
    """More than fits into it at once."""
    os.mkfifo(project / "fifo")
    reader = os.open(project / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    os.set_blocking(reader, True)
    # Else the reader may find the end before there is a writer.
    holder = os.open(project / "fifo", os.O_WRONLY)
    content: list[bytes] = []

    def read() -> None:
        with os.fdopen(reader, "rb") as file:
            content.append(file.read())

    thread = threading.Thread(target=read)
    thread.start()
    write_report(project / "fifo", "x" * 300_000, base=project)
    os.close(holder)
    thread.join(timeout=30)
    assert content == [b"x" * 300_000]


def test_a_fifo_whose_reader_sleeps_is_an_error(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """After a while in which nothing was taken."""
    monkeypatch.setattr(writing, "PIPE_TIMEOUT_S", 0.05)
    os.mkfifo(project / "fifo")
    reader = os.open(project / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(ReportError, match="its reader has read nothing"):
        write_report(project / "fifo", "x" * 300_000, base=project)
    os.close(reader)


def test_a_device_is_written_to(project: Path) -> None:
    """As `/dev/stdout` is, which is a link to whatever that is; it is never removed."""
    reader, writer = os.pipe()
    write_report(project.__class__(f"/dev/fd/{writer}"), "report", base=project)
    remove_stale(project.__class__(f"/dev/fd/{writer}"), base=project)
    os.close(writer)
    with os.fdopen(reader) as file:
        assert file.read() == "report"


def test_a_folder_is_no_file(project: Path) -> None:
    """It stays, with what is in it."""
    with pytest.raises(IsADirectoryError):
        write_report(project, "report", base=project)
    remove_stale(project, base=project)
    assert project.is_dir()


def test_a_step_summary_is_added_to_and_never_through_a_link(project: Path) -> None:
    """What is there stays; a link is refused."""
    (project / "step.md").write_text("# Before\n")
    add_summary(project / "step.md", run_of(Item()), base=project)
    assert (project / "step.md").read_text().startswith("# Before\n## pytest-ptc: 1 passed\n")
    (project / "link.md").symlink_to("../home/precious.txt")
    with pytest.raises(ReportError, match="is a link"):
        add_summary(project / "link.md", run_of(Item()), base=project)
    assert (project / "../home/precious.txt").read_text() == "precious"


def test_the_page_waits_for_no_output_that_an_agent_has_replaced(project: Path) -> None:
    """By a FIFO, a link or a folder; of a long one the end is there."""
    for number, task in enumerate("1234"):
        (project / f"attempts/{task}.1").mkdir(parents=True)
        output = project / f"attempts/{task}.1/output.log"
        match number:
            case 0:
                os.mkfifo(output)
            case 1:
                output.symlink_to(project.parent / "home/precious.txt")
            case 2:
                output.mkdir()
            case _:
                output.write_text("long " * MAX_OUTPUT_BYTES + "its end")
    (project / "attempts/5.1").symlink_to(project / "attempts/4.1")
    items = [Item(f"t.py::test_{number}") for number in range(5)]
    page = make_page(run_of(*items), ReportTarget(project, project / "r.html"))
    assert "precious" not in page
    assert page.count("its end") == 1


def test_stale_reports_go(project: Path) -> None:
    """Files and links; what is not there is no matter."""
    (project / "old.json").write_text("old")
    (project / "link.json").symlink_to("../home/precious.txt")
    for name in ("old.json", "link.json", "none.json", "no/folder.json"):
        remove_stale(project / name, base=project)
    assert [path.name for path in project.iterdir() if path.is_file() or path.is_symlink()] == []
    assert (project / "../home/precious.txt").read_text() == "precious"
