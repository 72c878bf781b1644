"""One suite judged in shards by several jobs, and one report of what they say."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.suite import Suite

TESTS = """
@pytest.mark.ptc("pass")
def test_pass(): pass
@pytest.mark.ptc("fail as it is")
def test_fail(): pass
def test_unmarked(): pass
"""


def test_each_job_judges_its_part(suite: Suite) -> None:
    """All of it, as far as it is required; a part without tests is green, and has a journal."""
    suite.write(test_a=TESTS)
    statuses = []
    for shard in ("1/3", "2/3", "3/3"):
        result = suite.run(f"--ptc-shard={shard}", "--ptc-require=all", "-k", "not unmarked")
        statuses.append(int(result.ret))
        (taken,) = suite.events("shard")
        assert taken["nodeids"] == ["test_a.py::test_pass", "test_a.py::test_fail"]
        assert taken["shards"] == [2, 1]
        result.stdout.fnmatch_lines([f"ptc: shard {shard}: ? of 2 marked tests"])
    assert statuses == [1, 0, 0]
    (end,) = suite.events("session ended")
    assert (end["exit_status"], end["nothing_to_judge"]) == (0, 1)
