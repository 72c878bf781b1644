"""The settings of a run, as its options say them.

A value is taken from the command line, else the environment, else the ini file, else the default.
Every pytest run on the machine imports this.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.options import all_options, report_option
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.reports import REPORTS
from pytest_ptc.model.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_ptc.collection.option import Option
    from pytest_ptc.model.reports import ReportKind


def resolve(
    config: pytest.Config,
    environ: Mapping[str, str] | None = None,
    reports: Iterable[ReportKind] = REPORTS,
) -> Settings:
    """Return the settings of this pytest run.

    Args:
        config: Pytest's.
        environ: The environment; pytest's own if not given.
        reports: The reports that there are, whose options have been declared.

    Raises:
        ConfigError: A value that cannot be used; the message names where it was set.
    """
    environ = os.environ if environ is None else environ
    paths = {kind.name: _value(report_option(kind), config, environ) for kind in reports}
    return Settings(
        **{option.name: _value(option, config, environ) for option in all_options()},
        reports={name: path for name, path in paths.items() if path},
    )


def _value(option: Option, config: pytest.Config, environ: Mapping[str, str]) -> Any:
    place, value = _place_and_value(option, config, environ)
    # An empty value is how people write "the default"; a default that is a word must be written.
    if value is None or (value in ("", [], ()) and not option.default):
        return option.default
    if isinstance(value, str) and "\0" in value:
        raise ConfigError(f"{place}: {value!r} holds a NUL byte")
    if isinstance(value, list):
        value = tuple(value)
    problem = option.type.problem(value)
    if problem:
        raise ConfigError(f"{place}: {problem}")
    return option.type.converted(value)


def _place_and_value(
    option: Option, config: pytest.Config, environ: Mapping[str, str]
) -> tuple[str, Any]:
    if option.flag:
        value = config.getoption(f"ptc_{option.name}", None)
        if value is not None:
            return option.cli, value
    if option.env and environ.get(option.env):
        return option.env, environ[option.env]
    try:
        value = config.getini(option.ini)
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise ConfigError(f"{option.ini}: {error}") from None
    return option.ini, None if value == "" else value
