"""The words of `ptc record`: the verdict that they come to, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_ptc.cli.main import COMMANDS, command_parser, main
from pytest_ptc.cli.record import _verdict_input, parse
from pytest_ptc.interfaces.recording import Form
from pytest_ptc.model.variables import ATTEMPT_FOLDER

(RECORD,) = (command for command in COMMANDS if command.name == "record")


def given(*words: str) -> Any:
    """Return the fields of a call."""
    form, content = _verdict_input(parse(command_parser(RECORD), words))
    assert form is Form.FIELDS
    return json.loads(content)


@pytest.mark.parametrize(
    "words",
    [
        ("pass", "it works"),
        ("pass", "--summary", "it works"),
        ("--summary", "it works", "pass"),
        ("--finding=low:x", "pass", "it works"),
        ("pass", "--finding", "low:x", "it works"),
    ],
)
def test_the_second_word_is_the_summary(words: tuple[str, ...]) -> None:
    """Wherever options stand."""
    fields = given(*words)
    assert (fields["verdict"], fields["summary"]) == ("pass", "it works")


@pytest.mark.parametrize(
    ("text", "fields"),
    [
        ("high:broken", {"severity": "high", "message": "broken"}),
        ("high: src/a.py:12: broken", {"severity": "high", "message": "src/a.py:12: broken"}),
        ("high: localhost:80: down", {"severity": "high", "message": "localhost:80: down"}),
        (
            "high:src/a.py:12: broken: x",
            {"severity": "high", "message": "broken: x", "path": "src/a.py", "line": 12},
        ),
        (
            "low:a.py:1:S307: eval\nis used",
            {
                "severity": "low",
                "message": "eval\nis used",
                "path": "a.py",
                "line": 1,
                "rule": "S307",
            },
        ),
        ("high:a.py:0: x", {"severity": "high", "message": "a.py:0: x"}),
        ("high:a.py:12:x", {"severity": "high", "message": "a.py:12:x"}),
        ("high:see http://a:80: x", {"severity": "high", "message": "see http://a:80: x"}),
        ("high", {"severity": "high", "message": ""}),
    ],
)
def test_a_finding_may_have_a_place(text: str, fields: dict[str, Any]) -> None:
    """A blank behind the severity says that all else is the message."""
    assert given("fail", "x", "--finding", text)["findings"] == [fields]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("fail", "a", "--summary", "b"), "two summaries"),
        (('{"verdict": "fail"}', "a"), "a whole verdict has its own summary"),
        (("-", "a"), "a whole verdict has its own summary"),
        (("fail", "a", "b"), "unrecognized"),
    ],
)
def test_one_summary(
    words: tuple[str, ...],
    problem: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A call with two is refused, and its fail is not lost."""
    monkeypatch.delenv(ATTEMPT_FOLDER, raising=False)
    with pytest.raises(SystemExit) as ended:
        main(["record", *words])
    assert ended.value.code == 2
    shown = capsys.readouterr().err
    if problem != "unrecognized":
        assert problem in shown
    assert ("not recorded" in shown) == (words[0] != "-")
