"""How the real client's recordings become outcomes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.support.claude_verdicts import update

if TYPE_CHECKING:
    from tests.support.claude_suite import ClaudeSuite


FINDING = {"severity": "high", "message": "a hole", "path": "a.py", "line": 3, "rule": "hole"}


def test_a_recorded_pass_is_green_after_one_request(claude: ClaudeSuite) -> None:
    """The turn ends with the accepted verdict: no request is spent on hearing that it was."""
    claude.tasks(it="record pass All is well.")
    result = claude.run()
    result.assert_outcomes(passed=1)
    (request,) = claude.api.requests
    assert "Task ID: " in request.prompt
    assert request.tools == ["Glob", "Grep", "Read", "TaskUpdate"]
    report = claude.reports()["it"]
    assert report["verdict"]["summary"] == "All is well."
    assert report["about"]["client"].startswith("Claude Code 2.")
    assert report["about"]["turns"] >= 1


def test_each_verdict_becomes_its_outcome(claude: ClaudeSuite) -> None:
    """Pass, fail with findings, skip and error, as recorded with the native tool."""
    claude.tasks(
        passes="record pass fine",
        fails=update({"verdict": "fail", "summary": "Not good.", "findings": [FINDING]}),
        skips="record skip not for us",
        errs="record error could not look",
    )
    result = claude.run()
    result.assert_outcomes(passed=1, failed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["*high a.py:3 hole: a hole*"])
    result.stdout.fnmatch_lines(["*transcript in *attempts/*/transcript.jsonl*"])


def test_what_is_refused_is_explained_and_can_be_fixed(claude: ClaudeSuite) -> None:
    """A malformed verdict is not recorded; the model hears why, and its next one counts."""
    schema = {"type": "object", "required": ["score"]}
    fixed = "\nrecord pass now it is right"
    claude.tasks(
        kind=update({"verdict": "great", "summary": "x"}) + fixed,
        prose=update("All is well.") + fixed,
        bare='update {"taskId": "$ID", "status": "completed"}' + fixed,
        deletes='update {"taskId": "$ID", "status": "deleted"}' + fixed,
        renames=update({"verdict": "pass", "summary": "x"}, subject="mine") + fixed,
        adds='update {"taskId": "$ID", "metadata": {"ptc_run": "x"}}' + fixed,
        data=(
            update({"verdict": "pass", "summary": "x", "data": {}})
            + "\n"
            + update({"verdict": "pass", "summary": "y", "data": {"score": 1}}),
            {"schema": schema},
        ),
    )
    result = claude.run()
    result.assert_outcomes(passed=7)
    for name, reason in {
        "kind": '"verdict" must be one of pass, fail, skip, error',
        "prose": "must be a JSON object, not a text",
        "bare": "a task is completed by its verdict",
        "deletes": "must not be deleted",
        "renames": "subject of your task must not be changed",
        "adds": "not ptc_run",
        "data": "'score' is a required property",
    }.items():
        assert reason in "\n".join(claude.said_to_model(name)), name


def test_a_model_that_never_fixes_its_verdict_ends_in_an_error(claude: ClaudeSuite) -> None:
    """What was refused is named; the item is not green and not failed."""
    line = update("All is well.")
    claude.tasks(it=f"{line}\n{line}\nsay I give up.\nsay I do.\nsay Really.")
    result = claude.run()
    result.assert_outcomes(errors=1)
    assert claude.ended() == {"it": "malformed verdict"}
    result.stdout.fnmatch_lines(["*malformed verdict*must be a JSON object, not a text*"])


@pytest.mark.fault("no-verdict")
def test_a_model_that_stops_without_a_verdict_is_told_twice(claude: ClaudeSuite) -> None:
    """Then its task ends as `no verdict`; one that minds the reminder ends as it records."""
    claude.tasks(
        forgets="say Done.\nsay Done, I said.\nsay Really.\nsay Never asked.",
        minds="say Done.\nrecord pass as told",
    )
    result = claude.run()
    result.assert_outcomes(passed=1, errors=1)
    assert claude.ended() == {"forgets": "no verdict", "minds": "pass"}
    # How a client puts our words, and how often it repeats them, is its own affair: each request
    # after the first has one more reminder in it.
    requests = claude.requests_of("forgets")
    told = ["\n".join(request.texts).count("No verdict is recorded for") for request in requests]
    assert len(told) == 3
    assert 0 == told[0] < told[1] < told[2]


@pytest.mark.fault("two-records")
def test_of_several_verdicts_in_one_answer_a_fail_counts(claude: ClaudeSuite) -> None:
    """Whatever comes first; other verdicts that disagree are an error."""
    claude.tasks(
        late="record pass fine && record fail not so fine",
        early="record fail bad && record pass fine",
        disagrees="record pass fine && record skip not for us",
        agrees="record pass fine && record pass fine indeed",
        malformed="record pass fine && " + update({"verdict": "fail"}),
    )
    claude.run().assert_outcomes(passed=1, failed=2, errors=2)
    assert claude.ended() == {
        "late": "fail",
        "early": "fail",
        "disagrees": "contradicted verdict",
        "agrees": "pass",
        "malformed": "contradicted verdict",
    }


@pytest.mark.fault("foreign-record")
def test_tasks_of_others_are_out_of_reach(claude: ClaudeSuite) -> None:
    """A model that completes or deletes another task on the list is refused; the list is whole."""
    folder = claude.claude / "tasks/ours"
    folder.mkdir(parents=True)
    task = {"subject": "theirs", "description": "", "status": "pending", "blocks": []}
    theirs = json.dumps({"id": "1", **task, "blockedBy": []}, indent=2)
    (folder / "1.json").write_text(theirs)
    passed = '{"verdict": "pass", "summary": "done for you"}'
    others = f'{{"taskId": "1", "status": "completed", "metadata": {{"ptc": {passed}}}}}'
    claude.tasks(
        completes=f"update {others}\nsay Done.\nsay Done.\nsay Done.",
        deletes='update {"taskId": "1", "status": "deleted"}\nrecord pass mine alone',
    )
    claude.run("--ptc-task-list-id=ours").assert_outcomes(passed=1, errors=1)
    assert (folder / "1.json").read_text() == theirs
    assert "task 1 is another worker's" in "\n".join(claude.said_to_model("completes"))
    (folder / "1.json").unlink()
