"""The file of known findings: what it may say, and what its errors say."""

from __future__ import annotations

import textwrap

import pytest

from pytest_ptc.collection.known_file import (
    Given,
    KnownFileError,
    known_entries,
    with_entry,
)
from pytest_ptc.model.known import KnownEntry
from pytest_ptc.verdicts.places import anchor

FINGERPRINT = "0123456789abcdef" * 2
FILE = f"""\
# What we live with.
- fingerprint: {FINGERPRINT}
  path: ./src/a.py
  rule: sql-injection
  reason: the table is our own
- rule: naming
  path: "src/**/*.py"
  reason: 'the names are those of the protocol'
  until: 2027-01-31
"""


def test_entries_have_their_numbers_and_lines() -> None:
    assert known_entries("known.yaml", FILE) == (
        KnownEntry(
            number=1,
            line=2,
            reason="the table is our own",
            fingerprint=FINGERPRINT,
            rule="sql-injection",
            path="src/a.py",
        ),
        KnownEntry(
            number=2,
            line=6,
            reason="the names are those of the protocol",
            rule="naming",
            path="src/**/*.py",
            until="2027-01-31",
        ),
    )
    assert known_entries("known.yaml", "# nothing yet\n") == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("rule: x", "known.yaml:1: must be a list"),
        ("- just words", "known.yaml:1: entry 1: must have fields"),
        ("- rule: [x]", "known.yaml:1: entry 1: rule: must be a text"),
        ("- {rule: x}\n- *a", "known.yaml:2: must not have anchors"),
        ("- !!python/name:os.system x", "known.yaml:1: must not have anchors"),
        ("- rule: x\n rule", "known.yaml:2: is not YAML"),
        ("[" * 5000, "known.yaml:1: must be a list"),
        ("- rule: x\n  Reason: y", "known.yaml:2: entry 1: Reason: unknown; known are fingerprint"),
        ("- ? [x]\n  : y", "known.yaml:1: entry 1: a field must have a name"),
        ("- rule: x\n  rule: y", "known.yaml:2: entry 1: rule: is given twice"),
        ("- rule: x\n  reason: ''", "known.yaml:2: entry 1: reason: is empty"),
        ("- rule: x\n  path: a", "known.yaml:1: entry 1: reason: is missing"),
        ("- rule: x\n  reason: y", "known.yaml:1: entry 1: path: is missing"),
        ("- path: x\n  reason: y", "known.yaml:1: entry 1: rule: is missing"),
        ("- path: x\n  rule: a\n  reason: y", "known.yaml:1: entry 1: until: is missing"),
        ("- fingerprint: abc\n  reason: y", "known.yaml:1: entry 1: fingerprint: must be 32"),
        ("- path: /etc/x\n  reason: y", "known.yaml:1: entry 1: path: must begin at the top"),
        ("- path: a/../b\n  reason: y", "known.yaml:1: entry 1: path: must begin at the top"),
        ("\n- until: soon\n  reason: y", "known.yaml:2: entry 1: until: must be a date, such as"),
        ("- until: 2027-02-30\n  reason: y", "known.yaml:1: entry 1: until: must be a date"),
        ("- until: 2027-02-03 10:00:00\n  reason: y", "known.yaml:1: entry 1: until: must be a da"),
        ("- quote: x\n  reason: y", "known.yaml:1: entry 1: quote: needs the path of one file"),
        ("- path: a/*\n  quote: x\n  reason: y", "known.yaml:2: entry 1: quote: needs the path of"),
        (
            f"- path: a\n  quote: x\n  reason: y\n  fingerprint: {FINGERPRINT}",
            "known.yaml:2: entry 1: quote: is not the line of the fingerprint",
        ),
        (f"{FILE}- until: x", "known.yaml:10: entry 3: until: must be a date"),
    ],
)  # fmt: skip
def test_an_error_names_file_line_entry_field_and_fix(text: str, message: str) -> None:
    with pytest.raises(KnownFileError) as raised:
        known_entries("known.yaml", text)
    assert str(raised.value).startswith(message)


def test_the_text_of_a_line_is_as_good_as_its_fingerprint() -> None:
    """White space does not count."""
    text = "- path: src/a.py\n  quote: '  run( x )  # why'\n  reason: ours\n"
    (entry,) = known_entries("known.yaml", text)
    assert entry.fingerprint == anchor("src/a.py", "\trun( x )   # why")
    both = f"{text}  fingerprint: {entry.fingerprint}\n"
    assert known_entries("known.yaml", both) == (entry,)


GIVEN = Given(FINGERPRINT, "src/ö [1].py", 'it\'s: "#"', "no\nmore", "2027-01-31")
ADDED = KnownEntry(
    number=1,
    line=1,
    reason="no more",
    fingerprint=FINGERPRINT,
    rule='it\'s: "#"',
    path="src/ö [1].py",
    until="2027-01-31",
)


@pytest.mark.parametrize(
    "text",
    ["", "# only words", FILE, FILE.rstrip("\n"), textwrap.indent(FILE, "    ")],
    ids=["empty", "comment", "entries", "no line end", "indented"],
)
def test_an_added_entry_leaves_the_rest_as_it_is(text: str) -> None:
    made = with_entry("known.yaml", text, GIVEN)
    assert made.startswith(text)
    entries = known_entries("known.yaml", made)
    assert entries[:-1] == known_entries("known.yaml", text)
    added = entries[-1]
    expected = {name: getattr(ADDED, name) for name in ADDED.__slots__}
    expected |= {"number": len(entries), "line": added.line}
    assert added == KnownEntry(**expected)


def test_an_entry_is_not_added_where_that_would_change_others() -> None:
    with pytest.raises(KnownFileError, match="cannot be added to how it is written"):
        with_entry("known.yaml", "[{rule: x, path: y, reason: z, until: 2027-01-31}]", GIVEN)
