"""Which finding of a run a word means, and when it can be made a known one."""

from __future__ import annotations

import pytest

from pytest_ptc.cli.known import given_entry
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.reporting.finding_names import finding_of, named_findings
from tests.support.found import found, judged, run_with

ANCHOR = "0123456789abcdef" * 2
RUN = run_with(
    judged("a", found("naming", 9, severity="low"), found(anchor=ANCHOR)),
    judged("b", found(anchor=ANCHOR), found(None, None, path=None), found("xss", 9)),
)


def test_findings_are_numbered_as_they_are_shown() -> None:
    """By their items, and the worst of each first."""
    rules = [[(one.name, one.finding.rule) for one in named] for named in named_findings(RUN)]
    assert rules == [
        [("f1", "sql-injection"), ("f2", "naming")],
        [("f3", "sql-injection"), ("f4", None), ("f5", "xss")],
    ]


@pytest.mark.parametrize(
    ("wanted", "name"),
    [
        ("f2", "f2"),
        ("f5", "f5"),
        # The same finding of two items is one.
        (ANCHOR, "f1"),
        (ANCHOR[:6], "f1"),
        ("src/a.py:3", "f1"),
        ("../src/a.py:3", "f1"),
    ],
)
def test_a_word_means_a_finding(wanted: str, name: str) -> None:
    assert finding_of(RUN, wanted).name == name


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ("f6", "run r1 has no finding 'f6'; `ptc results r1 -v` names them"),
        (ANCHOR[:5], "has no finding"),
        ("src/a.py", "has no finding"),
        ("src/a.py:9", "'src/a.py:9' means 2 findings: f2, f5; name one"),
    ],
)
def test_a_word_that_does_not_mean_one_is_refused(wanted: str, said: str) -> None:
    with pytest.raises(ConfigError) as raised:
        finding_of(RUN, wanted)
    assert said in str(raised.value)


@pytest.mark.parametrize(
    ("name", "reason", "until", "said"),
    [
        ("f1", " ", None, "--reason: say why"),
        ("f1", "r", "tomorrow", "--until: must be a date, such as 2027-01-31"),
        ("f1", "r", "2020-01-31", "--until: 2020-01-31 is over"),
        ("f2", "r", None, "--until: is missing; f2 has no fingerprint"),
        ("f4", "r", "2999-01-31", "f4 has no fingerprint, as nobody has read its line, and no fi"),
    ],
)
def test_what_cannot_be_recognised_or_has_no_reason_is_no_known_finding(
    name: str, reason: str, until: str | None, said: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        given_entry(finding_of(RUN, name), reason, until)
    assert said in str(raised.value)


def test_an_entry_has_what_its_finding_is_recognised_by() -> None:
    given = given_entry(finding_of(RUN, "f1"), " ours ", None)
    assert given == (ANCHOR, "src/a.py", "sql-injection", "ours", None)
    given = given_entry(finding_of(RUN, "f2"), "ours", "2999-01-31")
    assert given == (None, "src/a.py", "naming", "ours", "2999-01-31")
