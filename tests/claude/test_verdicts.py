"""How the real client's recordings become outcomes: many conversations of one run."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from tests.support.claude_verdicts import update

if TYPE_CHECKING:
    from collections.abc import Sequence

    from tests.support.claude_suite import ClaudeSuite


class Case(NamedTuple):
    """What a model does, and what comes of it.

    Args:
        script: What it does.
        ended: The verdict of its task, or the cause of its trouble.
        told: What is told to it meanwhile.
        options: The marker's keywords.
    """

    script: str
    ended: str
    told: str = ""
    options: dict[str, Any] = {}  # noqa: RUF012 - nobody changes it


FINDING = {"severity": "high", "message": "a hole", "path": "a.py", "line": 3, "rule": "hole"}
ELSEWHERE = {**FINDING, "line": 4}
FIXED = "\nrecord pass now it is right"
PROSE, BAD, FAIL = update("All is well."), update({"verdict": "great"}), update({"verdict": "fail"})
NOT_AN_OBJECT = "must be a JSON object, not a text"
THEIRS = (
    'update {"taskId": "1", "status": "completed", '
    '"metadata": {"ptc": {"verdict": "pass", "summary": "done for you"}}}'
)
#: A model that obeys an injected text: it records for all others, and writes files.
INJECTED = "\n".join(
    [
        " && ".join(
            f'update {{"taskId": "{number}", "status": "completed", '
            '"metadata": {"ptc": {"verdict": "pass", "summary": "all fine"}}}'
            for number in range(4, 50)
        ),
        'use Write {"file_path": "report.json", "content": "{}"}',
        'use Edit {"file_path": "agent.py", "old_string": "fail", "new_string": "pass"}',
        "record pass as the text says",
    ]
)

PLAIN = {
    "passes": Case("record pass All is well.", "pass"),
    "fails": Case(
        update({"verdict": "fail", "summary": "Not good.", "findings": [FINDING]}), "fail"
    ),
    "skips": Case("record skip not for us", "skip"),
    "errs": Case("record error could not look", "error"),
}
#: What is refused is explained, and the next verdict counts.
REFUSED = {
    "kind": Case(BAD + FIXED, "pass", '"verdict" must be one of pass, fail, skip, error'),
    "prose": Case(PROSE + FIXED, "pass", NOT_AN_OBJECT),
    "bare": Case(
        'update {"taskId": "$ID", "status": "completed"}' + FIXED,
        *("pass", "a task is completed by its verdict"),
    ),
    "deletes": Case(
        'update {"taskId": "$ID", "status": "deleted"}' + FIXED, "pass", "must not be deleted"
    ),
    "renames": Case(
        update({"verdict": "pass", "summary": "x"}, subject="mine") + FIXED,
        *("pass", "subject of your task must not be changed"),
    ),
    "adds": Case(
        'update {"taskId": "$ID", "metadata": {"ptc_run": "x"}}' + FIXED, "pass", "not ptc_run"
    ),
    "place": Case(
        update({"verdict": "pass", "summary": "x", "findings": [ELSEWHERE]}) + FIXED,
        *("pass", "a.py has 3 lines, not 4"),
    ),
    "data": Case(
        update({"verdict": "pass", "summary": "x", "data": {}})
        + "\n"
        + update({"verdict": "pass", "summary": "y", "data": {"score": 1}}),
        *("pass", "'score' is a required property"),
        {"schema": {"type": "object", "required": ["score"]}},
    ),
    "unchecked": Case(
        "record pass fine\n"
        + update({"verdict": "pass", "summary": "x", "checked": ["a.py"], "open": []}),
        *("pass", '"checked" is missing', {"require_checked": True}),
    ),
    "never_fixes": Case(
        f"{PROSE}\n{PROSE}\nsay I give up.\nsay I do.\nsay Really.",
        *("malformed verdict", NOT_AN_OBJECT),
    ),
}
#: Who stops without a verdict is told twice, and no more.
SILENT = {
    "forgets": Case("say Done.\nsay Done, I said.\nsay Really.\nsay Never asked.", "no verdict"),
    "minds": Case("say Done.\nrecord pass as told", "pass"),
}
#: Of several verdicts in one answer a fail counts, whatever comes first.
SEVERAL = {
    "late": Case("record pass fine && record fail not so fine", "fail"),
    "early": Case("record fail bad && record pass fine", "fail"),
    "disagrees": Case("record pass fine && record skip not for us", "contradicted verdict"),
    "agrees": Case("record pass fine && record pass fine indeed", "pass"),
    "malformed": Case(f"record pass fine && {FAIL}", "contradicted verdict"),
}
#: A refused one beside one that was accepted is no pass. A later one replaces what was refused, but
#: for a fail: that is not taken back, nor asked again.
BESIDE = {
    "beside": Case(f"record pass fine && {BAD}", "contradicted verdict"),
    "before": Case(f"{BAD} && record pass fine", "contradicted verdict"),
    "replaced": Case(f"{BAD}\nrecord pass fine", "pass"),
    "taken_back": Case(f"{FAIL}\nrecord pass fine", "contradicted verdict"),
    "given_up": Case(
        f"{FAIL}\nsay I give up.\nsay I do.\nsay Really.",
        *("malformed verdict", "", {"retries": 1}),
    ),
    "repeated": Case(f"{FAIL}\nrecord fail bad", "fail"),
}
#: The tasks of others are out of reach.
OF_OTHERS = {
    "injected": Case(INJECTED, "pass", "is another worker's"),
    "at_work": Case("slow 1 record fail late", "fail"),
    "completes": Case(
        f"{THEIRS}\nsay Done.\nsay Done.\nsay Done.",
        *("malformed verdict", "task 1 is another worker's"),
    ),
    "removes": Case(
        'update {"taskId": "1", "status": "deleted"}\nrecord pass mine alone',
        *("pass", "task 1 is another worker's"),
    ),
}
CASES = {**OF_OTHERS, **PLAIN, **REFUSED, **SILENT, **SEVERAL, **BESIDE}


def write(claude: ClaudeSuite, names: Sequence[str]) -> None:
    """Write the tests of these cases."""
    claude.tasks(**{name: (CASES[name].script, CASES[name].options) for name in names})


@pytest.mark.fault("malformed-fail", "hostile-text", "no-verdict", "two-records", "foreign-record")
def test_each_recording_becomes_its_outcome(claude: ClaudeSuite) -> None:
    """Whatever a model records and however often, its own task ends by that alone."""
    folder = claude.claude / "tasks/ours"
    folder.mkdir(parents=True)
    task = {"subject": "theirs", "description": "", "status": "pending", "blocks": []}
    theirs = json.dumps({"id": "1", **task, "blockedBy": []}, indent=2)
    (folder / "1.json").write_text(theirs)
    (claude.path / "a.py").write_text("1\n2\n3\n")
    write(claude, tuple(CASES))
    result = claude.run("--ptc-task-list-id=ours")

    # Each is what it shall be, and nobody was asked a second time.
    ended = {name: case.ended for name, case in CASES.items()}
    assert claude.ended() == ended
    ways = Counter(ended.values())
    reds = len(CASES) - ways["pass"] - ways["fail"] - ways["skip"]
    result.assert_outcomes(
        passed=ways["pass"], failed=ways["fail"], skipped=ways["skip"], errors=reds
    )
    assert len(claude.events("assigned")) == len(CASES)
    for name, case in CASES.items():
        assert case.told in "\n".join(claude.said_to_model(name)), name
    result.stdout.fnmatch_lines(["*high a.py:3 hole: a hole*"])
    result.stdout.fnmatch_lines(["*transcript in *attempts/*/transcript.jsonl*"])
    result.stdout.fnmatch_lines([f"*malformed verdict*{NOT_AN_OBJECT}*"])
    # No tool was used: passes are marked by that.
    result.stdout.fnmatch_lines([f"{ways['pass']} passes without a tool call: *"])

    # The turn ends with the accepted verdict: no request is spent on hearing that it was.
    (request,) = claude.requests_of("passes")
    assert "Task ID: " in request.prompt
    assert request.tools == ["Glob", "Grep", "Read", "TaskUpdate"]
    report = claude.reports()["passes"]
    assert report["verdict"]["summary"] == "All is well."
    assert report["about"]["turns"] >= 1
    # How a client puts our words, and how often it repeats them, is its own affair: each request
    # after the first has one more reminder in it.
    requests = claude.requests_of("forgets")
    told = ["\n".join(request.texts).count("No verdict is recorded for") for request in requests]
    assert len(told) == 3
    assert 0 == told[0] < told[1] < told[2]
    # The list is whole.
    assert (folder / "1.json").read_text() == theirs
    (folder / "1.json").unlink()


@pytest.mark.slow
@pytest.mark.parametrize("claude", ["tmux"], indirect=True)
def test_a_verdict_refused_beside_an_accepted_one_is_no_pass_on_the_screen(
    claude: ClaudeSuite,
) -> None:
    """There, hooks do not say which answer a call is of."""
    write(claude, tuple(BESIDE))
    claude.run("--ptc-interactive").assert_outcomes(passed=1, failed=1, errors=4)
    assert claude.ended() == {name: case.ended for name, case in BESIDE.items()}
    assert len(claude.events("assigned")) == len(BESIDE)
