"""The keywords of the marker `ptc`, each declared once.

From this table come the text of the marker in `pytest --markers`, the checks of what markers, front
matter and `ptc_coordinator.submit` say, the options that set a keyword for all tests of a run, and
the table of the documentation. A task has a field of each keyword's name.

Every pytest run on the machine imports this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.keyword_types import DefaultOption, Keyword
from pytest_ptc.collection.sandbox_keywords import SANDBOX_KEYWORDS
from pytest_ptc.collection.value_types import (
    ASSIGNMENTS,
    COMMIT,
    DIRECTORY,
    DOLLARS,
    ENVIRONMENT,
    FINDINGS,
    FLAG,
    GROUP,
    QUORUM,
    SCHEMA,
    SECONDS,
    TEST_NAMES,
    TEXT,
    TEXTS,
    VOTERS,
    one_of,
    whole_from,
)
from pytest_ptc.model.choices import FailOn, GateOn, Isolation, PermissionMode, PlaceCheck, Unplaced
from pytest_ptc.model.errors import MarkerError, PtcError, ValueRefused

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def _directory(value: str, rootpath: Path) -> str:
    # Only for marked tests, as all that is imported within a function here.
    from pytest_ptc.collection.task_directory import task_directory  # noqa: PLC0415
    from pytest_ptc.text.template import fields_of  # noqa: PLC0415

    # What is filled in later is checked then.
    return value if fields_of(value) else task_directory(value, rootpath)


def _json_schema(value: dict[str, Any], _: Path) -> dict[str, Any]:
    from pytest_ptc.verdicts.schemas import schema_problem  # noqa: PLC0415

    problem = schema_problem(value)
    if problem is not None:
        raise ValueRefused(problem)
    return value


_DECLARED = (
    Keyword(
        "timeout",
        SECONDS,
        "seconds that one attempt may take; else those of pytest-timeout's marker, "
        "`--ptc-timeout`, pytest-timeout's `--timeout`, 600",
        DefaultOption(
            "seconds one attempt may take (default: pytest-timeout's limit, else 600)", flag=True
        ),
    ),
    Keyword(
        "retries",
        whole_from(0),
        "extra attempts after an infrastructure error (crash, timeout, rate limit); never "
        "after a fail",
        DefaultOption(
            "extra attempts after an infrastructure error (crash, timeout, rate limit)",
            value=0,
            flag=True,
        ),
    ),
    Keyword(
        "model",
        TEXT,
        "the model; agent `command` ignores it",
        DefaultOption("the model, as the agent names it", flag=True),
    ),
    Keyword(
        "tools",
        TEXTS,
        "what Claude Code may do, see [permissions](../guides/permissions.md)",
        DefaultOption(
            "the tools Claude Code may use, or rules like Bash(git show HEAD) "
            "(default: Read Grep Glob)"
        ),
    ),
    Keyword(
        "permission_mode",
        one_of(PermissionMode),
        "Claude Code's permission mode, see [permissions](../guides/permissions.md)",
        DefaultOption(
            "Claude Code's permission mode (default: dontAsk, which denies what `tools` does not "
            "name)"
        ),
    ),
    Keyword(
        "cwd",
        DIRECTORY,
        "the agent's directory, from the root directory; may hold fields",
        DefaultOption("the agents' directory (default: rootdir)"),
        check=_directory,
        has_fields=True,
    ),
    Keyword(
        "env",
        ENVIRONMENT,
        "variables added to the agent's environment",
        DefaultOption(
            "environment variables for agents, one NAME=value per line", value=(), type=ASSIGNMENTS
        ),
    ),
    Keyword(
        "max_turns",
        whole_from(1),
        "maximum turns of one attempt; refused with an agent that cannot limit them: all but "
        "`claude`, and agents of plugins that say so",
        DefaultOption("maximum turns of one attempt"),
    ),
    Keyword(
        "budget_usd",
        DOLLARS,
        "maximum US dollars of one attempt; refused as `max_turns` is",
        DefaultOption(
            "maximum US dollars of one attempt: the default of the marker's budget_usd",
            name="task_budget_usd",
            metavar="USD",
        ),
    ),
    Keyword(
        "schema",
        SCHEMA,
        "the JSON Schema of the verdict's `data`; self-contained, because nothing is fetched",
        check=_json_schema,
    ),
    Keyword(
        "needs",
        TEST_NAMES,
        "tests whose tasks must pass first: names in the same file, or node ids; one that is "
        "not selected (`-k`, `--lf`, a node id) is run as a task, without its test",
        in_submit=False,
    ),
    Keyword(
        "group",
        GROUP,
        "of the tests of a group never two are at work at the same time, see "
        "[groups](../guides/marking.md#groups); may hold fields",
        has_fields=True,
    ),
    Keyword(
        "gate",
        FLAG,
        "`False`: only the test's body decides, even after a verdict of fail",
        DefaultOption("whether a verdict of fail fails its test", value=True),
        # A Markdown suite has no body; a test that submits work decides itself.
        in_front_matter=False,
        in_submit=False,
    ),
    Keyword(
        "require_evidence",
        FLAG,
        "`True`: a pass or a skip of an agent that used no tool is an error; refused with one that "
        "does not report its tool calls, such as `command`",
        DefaultOption(
            "make a pass or skip an error if the agent used no tool before recording it",
            value=False,
            flag=True,
        ),
    ),
    Keyword(
        "require_checked",
        FLAG,
        "`True`: a pass must have `checked`, what it is based on; see "
        "[what a pass looked at](../guides/findings.md#what-a-pass-looked-at)",
        DefaultOption(
            "refuse a pass that does not say what it checked",
            value=False,
            flag=True,
        ),
    ),
    Keyword(
        "fail_on",
        one_of(FailOn),
        "a finding of this severity or worse fails the test though its verdict is a pass or a "
        "skip; `verdict`: none does; `new:high`: one that the run of `--ptc-baseline` does not "
        "have, see [known findings](../guides/known-findings.md)",
        DefaultOption(
            "lowest finding severity that fails a test: critical, high, medium, low, info; "
            "verdict: only a verdict of fail does; new:high: one that is not in --ptc-baseline",
            value="verdict",
            flag=True,
        ),
    ),
    Keyword(
        "places",
        one_of(PlaceCheck),
        "`check`: a verdict with a finding that does not stand where it says is refused, for the "
        "agent to correct; `note`: the finding gets a note; see "
        "[places](../guides/findings.md#places)",
        DefaultOption(
            "what becomes of a finding that does not stand where it says: check refuses the "
            "verdict, for the agent to correct; note marks the finding",
            value="check",
            flag=True,
            metavar="WHAT",
        ),
    ),
    Keyword(
        "unplaced",
        one_of(Unplaced),
        "`advisory`: a finding without a place in a file does not fail a test by `fail_on`; "
        "`block`: it does",
        DefaultOption(
            "whether a finding without a place in a file fails a test by --ptc-fail-on: block or "
            "advisory",
            value="block",
            flag=True,
            metavar="WHAT",
        ),
    ),
    Keyword(
        "gate_on",
        one_of(GateOn),
        "with `base`: only findings on lines that the change adds block (`added`), on those or up "
        "to 3 lines around (`context`), or in a changed file (`file`); see "
        "[what a change touches](../guides/findings.md#what-a-change-touches)",
        DefaultOption(
            "which findings may fail a test, by the change from `base`: all, file (in a changed "
            "file), context (within 3 lines of a change), added (on lines that it adds)",
            value="all",
            flag=True,
            metavar="WHAT",
        ),
    ),
    Keyword(
        "agent",
        TEXT,
        "the agent, where it is not that of `--ptc-agent`; see [votes](../guides/votes.md#voters)",
    ),
    Keyword(
        "votes",
        whole_from(1),
        "how many conversations judge the item, see [votes](../guides/votes.md); else as many as "
        "there are `voters`, or 1",
        DefaultOption("how many conversations judge an item (default: 1)", flag=True),
    ),
    Keyword(
        "quorum",
        QUORUM,
        "how many of all votes must pass: `majority`, `all`, or a number",
        DefaultOption(
            "how many of all votes must pass: majority, all, or a number (default: majority)",
            value="majority",
            flag=True,
        ),
    ),
    Keyword(
        "voters",
        VOTERS,
        "who casts the votes, in turns: `AGENT`, `AGENT:MODEL` or `:MODEL`",
        DefaultOption("who casts the votes, in turns: AGENT, AGENT:MODEL or :MODEL", value=()),
    ),
    Keyword(
        "verify",
        FLAG,
        "`True`: each finding that blocks goes to a fresh conversation that tries to refute it, "
        "see [verification](../guides/votes.md#verification)",
        DefaultOption(
            "have each finding that blocks verified by a fresh conversation",
            value=False,
            flag=True,
        ),
    ),
    Keyword(
        "verify_limit",
        whole_from(1),
        "how many findings of an item are verified at most, the worst first; the others stand",
        DefaultOption(
            "how many findings of an item are verified at most (default: 20)",
            value=20,
        ),
    ),
    Keyword(
        "findings",
        FINDINGS,
        "`sarif:FILE`: agent `command` writes its findings into this file of its directory; see "
        "[other programs](../guides/other-programs.md#findings-of-a-linter)",
        DefaultOption("sarif:FILE: agent 'command' writes its findings into this SARIF file"),
        has_fields=True,
    ),
    *SANDBOX_KEYWORDS,
    Keyword(
        "isolation",
        one_of(Isolation),
        "each attempt has a git worktree of its own, removed afterwards, even after a crash",
        DefaultOption(
            "worktree: give each attempt a git worktree of its own (default: the directory itself)"
        ),
    ),
    Keyword(
        "ref",
        COMMIT,
        "with `isolation`: the commit or branch of the worktree (default `HEAD`)",
        has_fields=True,
    ),
    Keyword(
        "base",
        COMMIT,
        "the commit or branch that the change under review is against: with `isolation`, its diff "
        "to `ref` is appended to the prompt; without, `gate_on` looks at what differs in the "
        "working tree",
        DefaultOption(
            "the commit or branch that the change under review is against, for tests with "
            "`isolation` or `gate_on`",
            flag=True,
        ),
        has_fields=True,
    ),
)

#: By their names, in the order in which they are shown.
KEYWORDS: dict[str, Keyword] = {keyword.name: keyword for keyword in _DECLARED}


def marker_text() -> str:
    """Return the marker's line for `pytest --markers`."""
    return (
        f"ptc(prompt=<docstring>, *, {', '.join(KEYWORDS)}): have an agent do this test and judge "
        "it by the verdict that the agent records"
    )


def self_test_texts() -> tuple[str, str]:
    """Return the lines of the markers that test the judge for `pytest --markers`."""
    canary = (
        "ptc_canary(expect): beside ptc: the test has a planted defect, which one finding of its "
        'agent must name: expect={"path": ..., "rule": ..., or "message": a pattern}'
    )
    return canary, "ptc_control: beside ptc: the test is clean, and its agent must pass it"


def checked_keywords(nodeid: str, given: Mapping[str, Any], rootpath: Path) -> dict[str, Any]:
    """Return a test's keywords, each checked and as a task has it.

    Raises:
        MarkerError: A keyword that is unknown, of the wrong type, or that cannot be used.
    """
    unknown = [name for name in given if name not in KEYWORDS]
    if unknown:
        raise MarkerError(nodeid, unknown[0], f"unknown keyword; known are {', '.join(KEYWORDS)}")
    values = {}
    for name, value in given.items():
        keyword = KEYWORDS[name]
        problem = keyword.type.problem(value)
        if problem is not None:
            raise MarkerError(nodeid, name, problem)
        values[name] = keyword.type.converted(value)
        if keyword.check is not None:
            try:
                values[name] = keyword.check(values[name], rootpath)
            except PtcError as error:
                raise MarkerError(nodeid, name, str(error)) from error
    return values


def fields_in(values: Mapping[str, Any]) -> list[str]:
    """Return the names of the fields in a test's keywords, in the order of the table."""
    from pytest_ptc.text.template import fields_of  # noqa: PLC0415

    texts = [
        values[name] for name, keyword in KEYWORDS.items() if keyword.has_fields and name in values
    ]
    return [field for text in texts for field in fields_of(text)]


def keywords_table() -> str:
    """Return the keywords as the Markdown table of `docs/reference/keywords.md`."""
    from pytest_ptc.text.markdown import markdown_table  # noqa: PLC0415 - for documentation alone

    return markdown_table(
        ("keyword", "value", "set for all tests by", "meaning"),
        (
            (f"`{keyword.name}`", keyword.type.words, _set_by(keyword), keyword.help)
            for keyword in KEYWORDS.values()
        ),
    )


def _set_by(keyword: Keyword) -> str:
    if keyword.option is None:
        return ""
    name = keyword.option.name or keyword.name
    flag = f"`--ptc-{name.replace('_', '-')}`, " if keyword.option.flag else ""
    return f"{flag}`ptc_{name}`"
