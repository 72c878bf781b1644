"""`ptc run`: a prompt, and the items that it is for, on agents in parallel.

The words become an `InlineSuite`, which pytest runs in this process: see `session.inline_run`. The
suite is in the first event of the run's journal (`RunBegan.inline`), with its options. So a command
that runs items again needs no words: `run_again(run.began.inline, names)`.
"""

from __future__ import annotations

import json
import os
import sys
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

from pytest_ptc.cli.printing import print_lines
from pytest_ptc.cli.run_arguments import parse, suite_of
from pytest_ptc.cli.run_options import add_arguments
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.variables import RUN_COOKIE
from pytest_ptc.text.printable import clip, printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Collection
    from pathlib import Path

    from pytest_ptc.model.inline_suite import InlineSuite
    from pytest_ptc.session.inline_run import InlineRun

__all__ = ["add_arguments", "parse", "run", "run_again", "run_suite"]

#: Exit statuses: of a call that is refused, and pytest's own for that.
_REFUSED, _USAGE = 2, 4
#: Most columns of what is wrong besides items, and most lines of it.
_LONGEST_PROBLEM, _MOST_PROBLEMS = 600, 3
#: What stands in a journal in place of a secret.
_REDACTED = "[redacted "


def run(arguments: argparse.Namespace) -> int:
    """Run the items, print their results, and return pytest's exit status.

    Raises:
        PtcError: The call is refused.
    """
    inside = os.environ.get(RUN_COOKIE)
    if inside:
        raise ConfigError(f"inside a task of ptc run {inside}: agents do not start agents")
    run_it = partial(
        run_suite, suite_of(arguments), as_json=arguments.json, verbose=arguments.verbose
    )
    if not arguments.background:
        return run_it()
    from pytest_ptc.session.background import in_background  # noqa: PLC0415 - only there

    start = in_background(lambda begun: run_it(when_begun=begun))
    if start.run_id:
        print(start.run_id)
    else:
        print(start.output, end="", file=sys.stderr if start.status else sys.stdout)
    return start.status


def run_suite(
    suite: InlineSuite,
    *,
    as_json: bool = False,
    verbose: bool = False,
    when_begun: Callable[[str, Path], object] = lambda _run_id, _folder: None,
) -> int:
    """Run a suite here, print the results of its items, and return pytest's exit status.

    Args:
        suite: The suite.
        as_json: Whether to print JSON lines.
        verbose: Whether to print whole summaries, and all findings.
        when_begun: Called with the run's id and its folder when it has begun.

    Raises:
        ConfigError: It is refused.
    """
    from pytest_ptc.session.inline_run import run_inline  # noqa: PLC0415 - all of pytest

    done = run_inline(suite, when_begun)
    if done.refused is not None:
        refusal = clip(printable(done.refused), _LONGEST_PROBLEM)
        if done.status not in (_USAGE, _REFUSED):
            print(f"ptc run: {refusal}", file=sys.stderr)
            return done.status
        raise ConfigError(refusal)
    print_lines(lines_of(done, suite, as_json=as_json, verbose=verbose))
    for problem in done.problems[:_MOST_PROBLEMS]:
        print(clip(printable(f"ptc run: {problem}"), _LONGEST_PROBLEM), file=sys.stderr)
    return done.status


def run_again(
    suite: InlineSuite, names: Collection[str], *, as_json: bool = False, verbose: bool = False
) -> int:
    """Run items of an earlier `ptc run` again, as `run_suite` does, whatever they came to.

    Args:
        suite: The suite of that run, as `RunBegan.inline` has it.
        names: The items, by their names or node ids.
        as_json: As for `run_suite`.
        verbose: Likewise.

    Raises:
        ConfigError: There is no such item, or the journal does not have all of its task.
    """
    chosen = suite.only(names)
    if not chosen.items:
        raise ConfigError(f"no item is named {', '.join(names)}; `ptc results` names them")
    hidden = [name for name, value in suite.keywords.get("env", {}).items() if _REDACTED in value]
    if hidden:
        raise ConfigError(
            f"--env {hidden[0]} was a secret, which no journal has: call `ptc run` again"
        )
    options = tuple(one for one in suite.options if not one.startswith("--ptc-resume"))
    options += ("--ptc-shard=",)
    os.chdir(suite.folder)
    return run_suite(replace(chosen, options=options), as_json=as_json, verbose=verbose)


def lines_of(
    done: InlineRun, suite: InlineSuite, *, as_json: bool = False, verbose: bool = False
) -> list[str]:
    """Return what is printed of a run that has ended."""
    from pytest_ptc.cli.results import MAX_BYTES  # noqa: PLC0415 - as above
    from pytest_ptc.reporting.result_lines import (  # noqa: PLC0415 - as above
        AGENT_MAX_BYTES,
        result_json_lines,
        result_lines,
    )

    if done.report is None and suite.nothing is None:
        # An option such as `--collect-only` shows something, and runs nothing.
        return done.output.splitlines()
    if done.report is None:
        if as_json:
            return [json.dumps({"run": None, "items": 0, "nothing": suite.nothing})]
        return [printable(f"0 items: {suite.nothing}")]
    if as_json:
        return result_json_lines(done.report)
    return result_lines(
        done.report, max_bytes=MAX_BYTES if verbose else AGENT_MAX_BYTES, verbose=verbose
    )
