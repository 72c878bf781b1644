"""The reports of a run that are one file each: what there is to choose from.

Every pytest run and every command's help names them, so what makes them is named by its place, and
is imported when a report is made.
"""

from __future__ import annotations

from importlib import import_module
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path


class ReportTarget(NamedTuple):
    """Where a report is going to be.

    Args:
        journal: The run's folder, where there is one.
        path: The file that it will be; None for standard output.
        journals: The folders of the runs that are merged, by their ids; empty for one run.
        gone: The ids of those whose folders are gone when the report is read.
    """

    journal: Path | None = None
    path: Path | None = None
    journals: Mapping[str, Path] = MappingProxyType({})
    gone: frozenset[str] = frozenset()


class ReportKind(NamedTuple):
    """A report that is one file.

    Args:
        name: Its name: `--ptc-<name>`, ini `ptc_<name>`, and `ptc report --<name>`.
        help: What is in it, behind "write" and before "to this file".
        make: What makes it: `make(run, target)` of the `RunReport` of a run and the `ReportTarget`
            returns its text. A function, or its place, `package.module:function`.
    """

    name: str
    help: str
    make: Callable[..., str] | str

    def text(self, run: Any, target: ReportTarget) -> str:
        """Return the report of a run."""
        make = self.make
        if isinstance(make, str):
            module, _, function = make.partition(":")
            make = getattr(import_module(module), function)
        return make(run, target)


#: What `ptc report` makes besides.
_OTHERS = ("github",)

#: The reports that come with the package.
REPORTS = (
    ReportKind("json", "the whole run, as JSON,", "pytest_ptc.reporting.document:make"),
    ReportKind(
        "sarif",
        "the findings, as SARIF for code scanning,",
        "pytest_ptc.reporting.formats.sarif:make",
    ),
    ReportKind(
        "gitlab",
        "the findings, as GitLab's Code Quality report,",
        "pytest_ptc.reporting.formats.gitlab:make",
    ),
    ReportKind("html", "the whole run, as a page,", "pytest_ptc.session.report_hooks:make_page"),
    ReportKind(
        "summary",
        "the run in Markdown, as GitHub shows it below a job,",
        "pytest_ptc.session.report_hooks:make_summary",
    ),
    ReportKind(
        "comment",
        "the run in Markdown, as a comment for a pull request,",
        "pytest_ptc.session.report_hooks:make_comment",
    ),
)


def with_added(kinds: tuple[ReportKind, ...], more: ReportKind) -> tuple[ReportKind, ...]:
    """Return reports with one more.

    Raises:
        ConfigError: Its name is another's, or is none for an option.
    """
    if not (more.name.isidentifier() and more.name.isascii()):
        raise ConfigError(f"report {more.name!r}: use letters, digits and _ in its name")
    if more.name in (*_OTHERS, *(kind.name for kind in kinds)):
        raise ConfigError(f"report {more.name!r}: there is another one of this name; rename it")
    return (*kinds, more)
