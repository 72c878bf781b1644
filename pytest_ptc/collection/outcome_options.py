"""The options of what verdicts mean, which runs count, and what is reported. Pure.

Every pytest run on the machine imports this.
"""

from __future__ import annotations

from pytest_ptc.collection.option import Option
from pytest_ptc.collection.value_types import (
    ALL_OR_NUMBER,
    FLAG,
    RATE,
    RUN,
    SHARD,
    TEXT,
    one_of,
    whole_from,
)
from pytest_ptc.model.choices import GithubUse, OutputForm, SkipMeans

OUTCOME_OPTIONS = (
    Option(
        "known",
        TEXT,
        "",
        "the file of known findings, which block nothing, from rootdir; see the guide to known "
        "findings",
        metavar="PATH",
    ),
    Option(
        "baseline",
        TEXT,
        "",
        "the earlier run to compare findings with: the end of its id, last, a commit that it ran "
        "at, or its JSON report (*.json, from rootdir)",
        metavar="RUN|FILE|COMMIT",
    ),
    Option(
        "resume",
        RUN,
        "",
        "keep the verdicts that an earlier run has of unchanged tasks: the end of that run's id, "
        "or no value for the last run",
        alone="last",
        metavar="RUN",
    ),
    Option(
        "exit_codes",
        FLAG,
        False,
        "end with status 10 instead of 1 if nothing failed and there were only infrastructure "
        "errors",
    ),
    Option(
        "require",
        ALL_OR_NUMBER,
        "",
        "end with status 0 only if all marked tests, or at least N, were judged by an agent "
        "in this run, or in the one that it resumes",
        metavar="all|N",
    ),
    Option(
        "shard",
        SHARD,
        "",
        "judge the K-th of N parts of the selected marked tests, and deselect the others: for N "
        "jobs, whose journals `ptc report --merge` makes one report of",
        env="PTC_SHARD",
        metavar="K/N",
    ),
    Option(
        "min_catch",
        RATE,
        "",
        "the least part of the planted defects (ptc_canary) that the judge must find: below, the "
        "run is not green, and a single miss is no failure",
        metavar="0..1",
    ),
    Option(
        "max_false_alarm",
        RATE,
        "",
        "the largest part of the clean items (ptc_control) that the judge may refuse: above, the "
        "run is not green, and a single refusal is no failure",
        metavar="0..1",
    ),
    Option(
        "on_skip",
        one_of(SkipMeans),
        None,
        "the outcome of a test whose verdict is skip: skip or error (default: error with "
        "--ptc-exit-codes, else skip)",
        metavar="WHAT",
    ),
    Option(
        "output",
        one_of(OutputForm),
        None,
        "how much is printed of what did not pass: full, or brief, at most 20,000 characters with "
        "the worst items first (default: brief where Claude Code runs pytest, CLAUDECODE=1, else "
        "full)",
        metavar="FORM",
    ),
    Option(
        "keep_runs",
        whole_from(1),
        None,
        "how many journals of ended runs are kept: older ones are deleted at the end of a run "
        "(default: all)",
        flag=False,
    ),
    Option(
        "github",
        one_of(GithubUse),
        "auto",
        "annotate files and write a step summary on GitHub: yes, no, or auto (in GitHub Actions)",
        alone="yes",
        metavar="WHEN",
    ),
    Option(
        "properties",
        FLAG,
        False,
        "add verdict, worker, attempts, cost and resumed run to each item's properties, as in "
        "JUnit XML; strict readers of that refuse properties",
    ),
)
