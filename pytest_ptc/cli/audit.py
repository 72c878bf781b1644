"""`ptc audit`: checks that a journal is as it was written."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.cli.named_runs import add_run, named_run
from pytest_ptc.model.errors import JournalError
from pytest_ptc.runs.audit import audit_run
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    add_run(parser, "the last one")


def run(arguments: argparse.Namespace) -> int:
    """Print what an audit found.

    Raises:
        JournalError: Something was changed, lost or not sealed.
    """
    found = named_run(arguments.run)
    attempts, problems = audit_run(found)
    if problems:
        raise JournalError(f"run {found.run_id}:\n" + "\n".join(problems))
    plural = "s" * (attempts != 1)
    print(printable(f"{found.run_id}: {attempts} attempt{plural}, all unchanged"))
    return 0
