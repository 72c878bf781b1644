"""Tasks of one group take turns, and others do not wait for them, with workers that are real."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.programs import ptc
from tests.support.runs import start, until
from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Each agent writes down that it begins and that it ends. The first of a group ends only when one
#: of no group has begun, so that they are at work together; that one ends at the test's word.
MEMBERS = """
@pytest.mark.ptc(
    "sh echo begin {name} >> log\\nwait other-began\\nwait go\\n"
    "sh echo end {name} >> log\\npass", group="{tenant}", timeout=60,
)
@pytest.mark.parametrize("tenant,name", [("users", "a"), ("users", "b"), ("users", "c")])
def test_member(tenant, name): pass
@pytest.mark.ptc(
    "sh echo begin other >> log\\ntouch other-began\\nwait go\\n"
    "sh echo end other >> log\\npass", timeout=60,
)
def test_other(): pass
"""


def test_members_of_a_group_take_turns_while_others_are_at_work(suite: Suite) -> None:
    """Three workers could be at work; the status says why two tasks are not."""
    suite.write(test_a=MEMBERS)
    run = start(suite, "--ptc-workers=4")
    log = suite.path / "log"
    until(lambda: log.exists() and len(log.read_text().splitlines()) >= 2, "two agents")
    status = ptc(suite, "status").stdout
    (suite.path / "go").touch()
    output, _ = run.communicate(timeout=60)
    assert "4 passed" in output, output
    assert "2 running, 2 queued (2 wait for group users)" in status
    assert len(suite.events("worker started")) == 2
    lines = log.read_text().splitlines()
    assert {*lines[:2]} == {"begin a", "begin other"}
    members = [line for line in lines if "other" not in line]
    assert members == ["begin a", "end a", "begin b", "end b", "begin c", "end c"]
    specs = [event["spec"] for event in suite.events("submitted")]
    assert sorted(str(spec["group"]) for spec in specs) == ["None", "users", "users", "users"]


@pytest.mark.slow
def test_a_task_that_is_tried_again_and_one_whose_worker_is_lost_leave_their_group(
    suite: Suite,
) -> None:
    """The other member has its turn, and a group of one is no obstacle to itself."""
    suite.write(
        test_a="""
@pytest.mark.ptc("first lost kill-worker\\npass", group="users", retries=1, timeout=60)
def test_lost(): pass
@pytest.mark.ptc("first tried exit 3\\npass", group="users", retries=1, timeout=60)
def test_tried_again(): pass
"""
    )
    suite.run("--ptc-workers=2").assert_outcomes(passed=2)
    # Each begins when the one before it has ended.
    at_work = 0
    for event in suite.events():
        at_work += (event["event"] == "assigned") - (event["event"] == "ended")
        assert at_work in (0, 1)


def test_a_group_without_a_name_is_refused_before_any_agent_starts(suite: Suite) -> None:
    """Also where a parameter fills it with nothing; it names the test, the field and the fix."""
    suite.write(
        test_a="""
@pytest.mark.ptc("pass", group="{tenant}")
@pytest.mark.parametrize("tenant", ["", "a"])
def test_it(tenant): pass
"""
    )
    result = suite.run()
    assert result.ret == 4
    problem = "test_a.py::test_it[[]]: group: must be a text that names the group, such as users"
    result.stderr.fnmatch_lines([f"*{problem}*"])
    assert suite.runs == []


def test_a_group_in_front_matter_and_of_submitted_work_is_one(suite: Suite) -> None:
    """Each gives its task the field, filled."""
    (suite.path / "review.ptc.md").write_text(
        "---\neach: [a, b]\ngroup: db-{each}\n---\npass {each}\n"
    )
    suite.write(
        test_a="def test_submits(ptc_coordinator):\n"
        "    ptc_coordinator.submit('pass', {'tenant': 'a'}, group='db-{tenant}').result()\n"
    )
    suite.run().assert_outcomes(passed=3)
    groups = [event["spec"]["group"] for event in suite.events("submitted")]
    assert sorted(groups) == ["db-a", "db-a", "db-b"]


@pytest.mark.slow
def test_a_group_of_a_command_line(suite: Suite) -> None:
    """It may hold the fields of its items; one that is blank is refused with its option."""
    several = ptc(suite, "run", "pass {each}", "a", "b", "--group", "db", "--", *WITHOUT)
    assert several.returncode == 0, several.stderr
    # One worker is all that two tasks of one group need.
    assert [event["worker"] for event in suite.events("worker started")] == ["w1"]
    ptc(suite, "run", "pass {each}", "a", "b", "--group", "db-{each}", "--", *WITHOUT)
    groups = [event["spec"]["group"] for event in suite.events("submitted")]
    assert sorted(groups) == ["db-a", "db-b"]
    blank = ptc(suite, "run", "pass {each}", "a", "--group", " ", "--", *WITHOUT)
    assert blank.returncode == 2
    assert "--group: must be a text that names the group" in blank.stderr
