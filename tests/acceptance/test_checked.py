"""What a pass looked at, in a whole run."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from tests.support.suite import Suite

TESTS = r"""
@pytest.mark.ptc("record pass|fine|--checked|a.py|--checked|b.py|--open|c.py: too long")
def test_says(): pass
@pytest.mark.ptc("sh ptc record pass fine || ptc record pass fine --checked all")
def test_corrects(): pass
@pytest.mark.ptc('say {"verdict": "pass", "summary": "fine", "checked": ["d.py"]}')
def test_prints(): pass
@pytest.mark.ptc("pass fine")
def test_silent(): pass
@pytest.mark.ptc("skip not for us")
def test_skips(): pass
@pytest.mark.ptc("fail bad")
def test_fails(): pass
@pytest.mark.ptc("pass fine", require_checked=False)
def test_free(): pass
"""


def test_a_pass_says_what_it_is_based_on_where_that_is_asked_for(suite: Suite) -> None:
    """Else it is refused; what is said is in the document and, with -v, on the terminal."""
    suite.write(test_a=TESTS)
    result = suite.run("--ptc-require-checked", "--ptc-json=out.json", "-v")
    result.assert_outcomes(passed=4, failed=1, skipped=1, errors=1)
    result.stdout.fnmatch_lines(["*checked: a.py; b.py", "*open: c.py: too long"])
    document = json.loads((suite.path / "out.json").read_text())
    tasks: dict[str, Any] = {
        one["nodeid"].partition("::test_")[2]: one for one in document["tasks"]
    }
    said = {name: one["verdict"] and one["verdict"]["checked"] for name, one in tasks.items()}
    assert said == {
        "says": ["a.py", "b.py"],
        "corrects": ["all"],
        "prints": ["d.py"],
        "silent": None,
        "skips": [],
        "fails": [],
        "free": [],
    }
    trouble = tasks["silent"]["trouble"]
    assert trouble["cause"] == "malformed verdict"
    assert trouble["message"] == "the agent recorded a pass without saying what it checked: fine"
