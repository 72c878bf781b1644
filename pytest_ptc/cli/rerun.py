"""`ptc rerun`: one item of a run again, as a new run with the same arguments."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.cli.items import add_run_and_item, item_of
from pytest_ptc.cli.named_runs import named_run
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.variables import RUN_COOKIE

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_ptc.runs.recorded import RecordedRun

#: How what was secret in an argument reads in the journal.
_REDACTED = "[redacted "
#: What a test appends to its own node id for work that it submits.
_SUBMITTED = "::submit["
#: Options by which an earlier verdict would be kept in place of a new one.
_RESUME = ("--ptc-resume", "--resume")

#: A warning of pytest's, which has not imported this package itself.
_IMPORTED = (
    "ignore:Module already imported so cannot be rewritten; pytest_ptc"
    ":pytest.PytestAssertRewriteWarning"
)


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc rerun`."""
    add_run_and_item(parser)


def run(arguments: argparse.Namespace) -> int:
    """Run an item again, and return the exit status of that run.

    Raises:
        PtcError: There is not one such run or item, or it cannot be run again.
    """
    if os.environ.get(RUN_COOKIE):
        raise ConfigError(
            f"inside a task of run {os.environ[RUN_COOKIE]}: agents do not start agents"
        )
    found = named_run(arguments.run)
    _, task, name = item_of(found, arguments.item)
    _enter(found)
    if found.began.inline is not None:
        from pytest_ptc.cli.run import run_again  # noqa: PLC0415 - not for every run

        suite = found.began.inline
        return run_again(suite, [task.nodeid], as_json="--json" in suite.words)
    words = arguments_again(found.began.arguments)
    nodeid = task.nodeid.partition(_SUBMITTED)[0]
    if os.getcwd() not in sys.path:  # noqa: PTH109 - as `python -m pytest` has it
        sys.path.append(os.getcwd())  # noqa: PTH109
    from pytest_ptc.session.one_item import run_one  # noqa: PLC0415 - all of pytest

    # Of one item, no shard is a part.
    words_of_one = ["--ptc-shard=", "-o", "ptc_resume=", "-W", _IMPORTED]
    status, collected = run_one(nodeid, [*words, *words_of_one])
    if not collected and status in (0, 5):
        raise ConfigError(f"{name} is not collected any more by: pytest {' '.join(words)}")
    return status


def arguments_again(words: Sequence[str]) -> list[str]:
    """Return the arguments of a run for a new one: its verdicts are not those of an earlier run.

    Raises:
        ConfigError: One of them was secret, and is not on record.
    """
    secret = next((word for word in words if _REDACTED in word), None)
    if secret is not None:
        raise ConfigError(f"an argument is not on record, as it was secret: {secret}")
    return [word for word in words if word.partition("=")[0] not in _RESUME]


def _enter(found: RecordedRun) -> None:
    start = Path(found.began.start or found.began.rootdir)
    try:
        os.chdir(start)
    except OSError as error:
        raise ConfigError(f"{start}, where it was started: {error.strerror or error}") from None
