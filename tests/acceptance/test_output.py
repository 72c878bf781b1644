"""What a run prints: each failure once, and in brief form within a bound."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.suite import Suite

LONG = "See what is there: " + "word " * 200
ITEMS = f"""
@pytest.mark.ptc('fail Broken. {LONG}')
def test_bad(ptc): pass

@pytest.mark.ptc('pass')
def test_good(ptc): pass

@pytest.mark.ptc('pass')
def test_body(ptc): assert ptc.summary == 'else'

def test_plain(): assert 1 == 2
"""
MANY = """
@pytest.fixture
def noisy():
    yield
    print("printed by a teardown")

@pytest.mark.parametrize("n", range(5))
@pytest.mark.ptc("fail Broken")
def test_many(n, ptc): pass

def test_plain(noisy): assert 1 == 2
"""
LOGIN = """
@pytest.mark.parametrize("n", range(5))
@pytest.mark.ptc("say nothing\\nexit 3")
def test_alike(n, ptc): pass
"""


def test_in_full_each_failure_is_told_once(suite: Suite) -> None:
    """Pytest's section has it, its line begins with the reason, and our summary repeats nothing."""
    suite.write(test_a=ITEMS)
    result = suite.run("--ptc-output=full")
    result.assert_outcomes(failed=3, passed=1)
    text = result.stdout.str()
    assert text.count("\nptc verdict: fail - Broken") == 1
    assert "\nFAIL " not in text
    assert "3 items: 1 pass, 2 fail" in text
    assert "FAILED test_a.py::test_bad - Broken" in text
    assert "FAILED test_a.py::test_plain - assert 1 == 2" in text


@pytest.mark.slow
def test_many_errors_that_are_equal_are_told_once(suite: Suite) -> None:
    """Pytest's section shows the first, our summary the group; the exit status counts all."""
    suite.write(test_a=LOGIN)
    result = suite.run("--ptc-output=full")
    result.assert_outcomes(errors=5)
    text = result.stdout.str()
    assert text.count("ERROR at setup of test_alike") == 1
    assert "ERROR 5 items: agent failed" in text


@pytest.mark.slow
def test_of_very_many_failures_the_worst_are_shown(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pytest's section, in their order; each has a line of pytest's, and the rest is counted."""
    for module in ("session.terminal_output", "reporting.terminal.summary"):
        monkeypatch.setattr(f"pytest_ptc.{module}.MAX_ITEMS", 2)
    suite.write(test_a=MANY)
    result = suite.run("--ptc-output=full")
    result.assert_outcomes(failed=6)
    text = result.stdout.str()
    assert text.count("\nptc verdict: fail - ") == 2
    assert text.count("\nFAILED test_a.py::test_many") == 5
    assert "printed by a teardown" in text
    assert "\n+3 more did not pass; `ptc results --all` has a line for each" in text
    assert "\nFAIL " not in text
    assert suite.run("--ptc-output=full", "-v").stdout.str().count("\nptc verdict: fail - ") == 5


def test_in_brief_our_failures_are_a_line_each(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where Claude Code runs pytest that is the default; foreign failures are shown as ever."""
    suite.write(test_a=ITEMS)
    with monkeypatch.context() as inside:
        inside.setenv("CLAUDECODE", "1")
        result = suite.run()
    result.assert_outcomes(failed=3, passed=1)
    text = result.stdout.str()
    assert "ptc verdict" not in text
    assert "short test summary" not in text
    assert "E   assert 1 == 2" in text
    assert "\nFAIL test_a.py::test_bad  Broken\n" in text
    assert "\nptc: 3: 1 pass, 2 fail, " in text
    verbose = suite.run("--ptc-output=brief", "-v")
    assert "\npass test_good  so it is\n" in verbose.stdout.str()


@pytest.mark.slow
def test_without_tracebacks_each_failure_is_told_all_the_same(suite: Suite) -> None:
    """By our own lines in full output, by pytest's for foreign failures in brief output."""
    suite.write(test_a=ITEMS)
    full = suite.run("--tb=no", "--ptc-output=full")
    assert "\nFAIL test_a.py::test_bad " in full.stdout.str()
    brief = suite.run("--tb=no", "--ptc-output=brief")
    assert "FAILED test_a.py::test_plain" in brief.stdout.str()
