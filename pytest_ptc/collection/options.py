"""All options of a run, and how pytest learns of them.

The tables of what can be said about one thing are in `agent_options`, `cluster_options` and
`outcome_options`; an option of a keyword is declared with it, in `keywords`. `run_settings` reads
the values. Every pytest run on the machine imports this, so it imports nothing that pytest has not
imported already.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.agent_options import AGENT_OPTIONS
from pytest_ptc.collection.cluster_options import CLUSTER_OPTIONS
from pytest_ptc.collection.keywords import KEYWORDS
from pytest_ptc.collection.option import Option
from pytest_ptc.collection.outcome_options import OUTCOME_OPTIONS
from pytest_ptc.collection.value_types import TEXT
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.reports import REPORTS, with_added

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pytest_ptc.model.reports import ReportKind


def all_options() -> tuple[Option, ...]:
    """Return the options of a run, those that set a keyword for all tests among them."""
    of_keywords = [
        Option(
            keyword.setting or keyword.name,
            keyword.option.type or keyword.type,
            keyword.option.value,
            keyword.option.help,
            flag=keyword.option.flag,
            metavar=keyword.option.metavar,
        )
        for keyword in KEYWORDS.values()
        if keyword.option is not None
    ]
    return (*AGENT_OPTIONS, *CLUSTER_OPTIONS, *of_keywords, *OUTCOME_OPTIONS)


def report_option(kind: ReportKind) -> Option:
    """Return the option that names a report's file."""
    return Option(kind.name, TEXT, "", f"write {kind.help} to this file", metavar="PATH")


def add_options(parser: pytest.Parser) -> None:
    for option in all_options():
        add_option(parser, option)


def add_option(parser: pytest.Parser, option: Option) -> None:
    """Declare an option to pytest."""
    parser.addini(option.ini, option.help, type=option.type.ini, default=None)
    if not option.flag:
        return
    group = parser.getgroup("ptc", "parallel task coordination (pytest-ptc)")
    dest = f"ptc_{option.name}"
    # The default is None so that `run_settings` can tell "not set" from any value.
    if option.type.ini == "bool":
        group.addoption(option.cli, dest=dest, action="store_true", default=None, help=option.help)
        return
    types: dict[str, Callable[[str], Any]] = {"int": int, "float": float}
    group.addoption(
        option.cli,
        dest=dest,
        type=option.cli_type or types.get(option.type.ini, str),
        metavar=option.metavar
        or {"int": "N", "float": "SECONDS"}.get(option.type.ini, option.name.upper()),
        default=None,
        **({} if option.alone is None else {"nargs": "?", "const": option.alone}),
        help=option.help,
    )


class ReportOptions:
    """The known reports, each with an option; plugins add theirs when they are registered.

    Args:
        parser: Pytest's.
    """

    #: The name of this plugin.
    NAME = "ptc-report-options"

    def __init__(self, parser: pytest.Parser) -> None:
        self.kinds: tuple[ReportKind, ...] = REPORTS
        self._parser = parser
        for kind in REPORTS:
            add_option(parser, report_option(kind))

    def add(self, more: Iterable[ReportKind] | None) -> None:
        """Declare the options of reports that a plugin brings.

        Raises:
            pytest.UsageError: A name cannot be an option's, or is taken.
        """
        for kind in more or ():
            try:
                self.kinds = with_added(self.kinds, kind)
            except ConfigError as error:
                raise pytest.UsageError(f"ptc: {error}") from None
            add_option(self._parser, report_option(kind))


def give_values(args: list[str]) -> bool:
    """Add the value of each option that is given without one, in place.

    Otherwise argparse would take the path of a test that follows it for its value.

    Args:
        args: The words of the command line, those of `addopts` among them.

    Returns:
        Whether there was one.
    """
    alone = {option.cli: option.alone for option in all_options() if option.alone is not None}
    end = args.index("--") if "--" in args else len(args)
    completed = [f"{word}={alone[word]}" if word in alone else word for word in args[:end]]
    changed = completed != args[:end]
    args[:end] = completed
    return changed
