"""What attempts have printed, as the page of a run gets it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.session.report_hooks import MAX_OUTPUT_BYTES, Outputs

if TYPE_CHECKING:
    from pathlib import Path


def test_an_output_is_read_when_it_is_asked_for(tmp_path: Path) -> None:
    """Its end, of the page's own run and of others; nothing else of the disk can be named."""
    for run, text in (("own", "x" * MAX_OUTPUT_BYTES + "end"), ("other", "so\udcff")):
        folder = tmp_path / run / "attempts" / "1.1"
        folder.mkdir(parents=True)
        (folder / "output.log").write_bytes(text.encode("utf-8", "surrogateescape"))
    (tmp_path / "own/output.log").write_text("the run's")
    (tmp_path / "own/attempts/2.1").symlink_to(tmp_path / "other/attempts/1.1")
    outputs = Outputs({"": tmp_path / "own", "r2": tmp_path / "other"})
    own = outputs.get("1.1")
    assert own is not None
    assert own.endswith("end")
    assert len(own) == MAX_OUTPUT_BYTES
    assert outputs.get("r2/1.1") == "so\N{REPLACEMENT CHARACTER}"
    for name in ("2.1", "3.1", "..", "../own", "r3/1.1", "r2/../1.1", "nul\0", ""):
        assert outputs.get(name) is None
    (tmp_path / "own/attempts/3.1").mkdir()
    (tmp_path / "own/attempts/3.1/output.log").write_text("later")
    assert outputs.get("3.1") == "later"
