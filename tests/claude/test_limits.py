"""Limits of the provider's and of the purse: the whole run minds them."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.text.printable import usd

if TYPE_CHECKING:
    from tests.support.claude_suite import ClaudeSuite


def test_the_whole_run_minds_a_limit_of_rate_and_the_purse(claude: ClaudeSuite) -> None:
    """The client waits as it was told, and meanwhile no other task is started.

    Tasks of one warm client cost what their own requests did, whatever came before. With a budget,
    they are started while the dearest so far still fits; the others say why they were not.
    """
    look = 'use Glob {"pattern": "*"}\n'
    claude.tasks(
        limited="status 429 1 retry-after=1\nrecord pass w",
        one="record pass x",
        three=f"{look}{look}record pass y",
        other="record pass z",
    )
    result = claude.run("--ptc-workers=1")
    result.assert_outcomes(passed=4)
    (held,) = claude.events("held")
    assert held["why"] == "rate limit"
    assert 0.5 < held["seconds"] < 4
    usages = {name: report["usage"] for name, report in claude.reports().items()}
    assert usages["one"]["input_tokens"] == usages["other"]["input_tokens"] == 1000
    assert usages["three"]["input_tokens"] == 3000
    assert usages["three"]["output_tokens"] == 300
    one = usages["one"]["cost_usd"]
    assert 0.001 < one < 0.1
    assert abs(usages["three"]["cost_usd"] - 3 * one) < 1e-9
    assert abs(usages["other"]["cost_usd"] - one) < 1e-9
    result.stdout.fnmatch_lines([f"cost {usd(6 * one)}, 6.0k tokens read (0 from cache), 600 *"])

    script = "record pass x"
    claude.tasks(a=script, b=script, c=script, d=script)
    result = claude.run("--ptc-workers=1", f"--ptc-budget-usd={2.5 * one}")
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(
        ["ptc: budget $0.*; 1 task may overshoot it*", "*budget spent*--ptc-budget-usd*"]
    )
    assert len(claude.events("assigned")) == 2


@pytest.mark.slow
def test_held_workers_begin_when_the_hold_is_over(claude: ClaudeSuite) -> None:
    """A task that was ready is assigned not before, and then is."""
    claude.tasks(
        limited="status 429 1 retry-after=4\nrecord pass x",
        quick='use Glob {"pattern": "*"}\nslow 1 record pass y',
        waits="record pass z",
    )
    claude.run("--ptc-workers=2").assert_outcomes(passed=3)
    (held,) = claude.events("held")
    late = claude.events("assigned")[-1]
    assert late["at"] >= held["at"] + held["seconds"] - 0.1


@pytest.mark.slow
def test_an_api_that_stays_overloaded_is_asked_again_in_the_same_attempt(
    claude: ClaudeSuite,
) -> None:
    """When the client has given up, the agent waits, and begins a fresh conversation."""
    claude.ini(retries=0)
    claude.tasks(it="status 529 1\nrecord pass at last")
    claude.run().assert_outcomes(passed=1)
    (held,) = claude.events("held")
    assert held["why"] == "overloaded"
    assert len(claude.events("assigned")) == 1


@pytest.mark.slow
def test_an_api_that_answers_nothing_until_the_time_is_over_is_the_cause(
    claude: ClaudeSuite,
) -> None:
    """The client asks again by itself; a timeout would blame the agent, which never began."""
    claude.ini(retries=50)
    claude.tasks(it="status 500 99\nrecord pass late")
    claude.run("-o", "ptc_timeout=8").assert_outcomes(errors=1)
    (ended,) = claude.events("ended")
    assert ended["trouble"]["cause"] == "API error"
    assert ended["trouble"]["message"].startswith("no verdict within 8 s: the API has answered no")


def limit(seconds: float) -> str:
    """Return the headers of a subscription's limit that resets after so many seconds."""
    prefix = "anthropic-ratelimit-unified"
    reset = int(time.time() + seconds)
    claim = f"{prefix}-representative-claim=five_hour"
    return f"{prefix}-status=rejected {prefix}-reset={reset} {claim}"


@pytest.mark.slow
def test_the_time_a_limit_resets_is_respected(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Within the task's timeout it is waited for; beyond it, the task ends at once, and says so."""
    monkeypatch.delenv("ANTHROPIC_API_KEY")
    monkeypatch.setenv("CLAUDE_CODE_OAUTH_TOKEN", "sk-ant-oat01-dummy-token-of-the-tests")
    claude.tasks(
        soon=f"status 429 1 {limit(6)}\nrecord pass x",
        late=f"status 429 1 {limit(9000)}\nrecord pass y",
    )
    result = claude.run("--ptc-workers=1")
    result.assert_outcomes(passed=1, errors=1)
    assert claude.ended() == {"soon": "pass", "late": "rate limit"}
    result.stdout.fnmatch_lines(["*would be past the task's timeout*"])
    (held,) = claude.events("held")
    assert held["why"] == "rate limit"
