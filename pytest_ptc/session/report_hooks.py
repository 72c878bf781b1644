"""The reports of a run: made and written when it is over.

All are made from the same document. One that cannot be written changes no outcome: the problem is
reported, and pytest's exit status is no success then, because a pipeline may take a missing report
for one without findings.
"""

from __future__ import annotations

import contextlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

import pytest

from pytest_ptc.journal.attempt_files import OUTPUT
from pytest_ptc.model.errors import ConfigError, PtcError
from pytest_ptc.model.reports import REPORTS, ReportTarget
from pytest_ptc.reporting.formats.comment import comment, files_address
from pytest_ptc.reporting.formats.github import MAX_SUMMARY_BYTES, annotation_lines, step_summary
from pytest_ptc.reporting.story import run_report
from pytest_ptc.reporting.writing import opened_to_append, real_place, remove_stale, write_report
from pytest_ptc.session.pytest_place import place_of, session_end
from pytest_ptc.session.run_facts import run_began, story_without_tasks
from pytest_ptc.session.run_lists import list_files
from pytest_ptc.system import own_files
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterable, Mapping, Sequence

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.reports import ReportKind
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.reporting.run_report import RunReport

#: How much of the end of an attempt's output is read for the page.
MAX_OUTPUT_BYTES = 100_000


def make_page(run: RunReport, target: ReportTarget) -> str:
    """Return the run as a page, with the end of what each attempt printed."""
    # It needs a template engine, and few runs have a page.
    from pytest_ptc.reporting.page.page import page  # noqa: PLC0415

    folders = dict(target.journals)
    outputs = Outputs(folders | ({} if target.journal is None else {"": target.journal}))
    if target.journal is not None:
        folders[run.run_id] = target.journal
    links = {}
    if target.path is not None:
        start = target.path.absolute().parent
        links = {
            run_id: os.path.relpath(folder, start)
            for run_id, folder in folders.items()
            if run_id not in target.gone
        }
    return page(run, transcripts=outputs, links=links, files=_files(run, os.environ))


def _files(run: RunReport, environ: Mapping[str, str]) -> str | None:
    """Return the address of the root directory's files on GitHub, where that is known."""
    facts, address = run.facts, files_address(environ)
    if address is None or facts.commit is None or facts.repository is None:
        return None
    below = os.path.relpath(facts.rootdir, facts.repository)
    if below.startswith(".."):
        return None
    return f"{address}/{facts.commit}" + ("" if below == "." else f"/{quote(below)}")


class Outputs:
    """What attempts have printed, the end of each; it is read when it is asked for.

    A page has room for those of its worst items, and ten thousand may be a gigabyte.

    Args:
        folders: The folders of runs by their ids; that of the page's own run by the empty text.
    """

    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    def get(self, name: str, /) -> str | None:
        """Return the end of an attempt's output, by its name behind its run's id and `/`."""
        run_id, _, attempt = name.rpartition("/")
        if run_id not in self._folders or attempt.startswith("."):
            return None
        folder = self._folders[run_id] / "attempts" / attempt
        with contextlib.suppress(OSError, ValueError):
            if not folder.is_symlink():
                return own_files.read_end(folder / OUTPUT, MAX_OUTPUT_BYTES).decode(
                    "utf-8", "replace"
                )
        return None


def make_summary(run: RunReport, _: ReportTarget) -> str:
    """Return the run in Markdown."""
    return f"{step_summary(run)}\n"


def make_comment(run: RunReport, _: ReportTarget) -> str:
    """Return the run as a comment for a pull request, with links to lines on GitHub."""
    return f"{comment(run, os.environ)}\n"


#: The variable that names the file of a GitHub step's summary.
STEP_SUMMARY = "GITHUB_STEP_SUMMARY"


class Reports:
    """The reports of one pytest run, as pytest's hooks see them.

    Args:
        settings: What the user asked for.
        start: The directory in which pytest was started: paths begin there.
        environ: The environment, which tells whether this is GitHub Actions.
        story: Returns the run's journal when it is over.
        journal: Returns the journal's folder then, if there is one.
        kinds: The reports that there are.
        inputs: Files that the run reads: no report may take the place of one.

    Raises:
        ConfigError: Two reports would be one file.
    """

    def __init__(
        self,
        settings: Settings,
        start: Path,
        environ: Mapping[str, str],
        story: Callable[[pytest.Session], Iterable[Event]],
        journal: Callable[[], Path | None] = lambda: None,
        *,
        kinds: Iterable[ReportKind] = REPORTS,
        inputs: Iterable[Path] = (),
    ) -> None:
        self._requested = settings.reports
        self._kinds = {kind.name: kind for kind in kinds}
        self.paths = {
            name: start / os.path.expanduser(path)  # noqa: PTH111 - a home that is none raises there
            for name, path in self._requested.items()
        }
        self._base = project_top(start)
        places = {name: real_place(path) for name, path in self.paths.items()}
        for path in places.values():
            same = [f"--ptc-{name}" for name, other in places.items() if other == path]
            if len(same) > 1:
                raise ConfigError(
                    f"{' and '.join(same)}: name the same file, {path}; give each its own"
                )
        read = {real_place(path) for path in inputs}
        over = next((name for name, path in places.items() if path in read), None)
        if over is not None:
            raise ConfigError(
                f"--ptc-{over}: {places[over]} is a file that the run reads; name another one"
            )
        step = environ.get(STEP_SUMMARY)
        if step and real_place(Path(step)) == places.get("summary"):
            raise ConfigError(
                f"--ptc-summary: {step} is the summary of the step, which --ptc-github=yes adds to"
            )
        on_github = environ.get("GITHUB_ACTIONS") == "true"
        self._github_requested = settings.github == "yes"
        self.github = self._github_requested or (settings.github != "no" and on_github)
        self.problems: list[str] = []
        self._failed = False
        self._written: list[str] = []
        self._summary = environ.get(STEP_SUMMARY)
        self._story = story
        self._journal = journal
        self._annotations: list[str] = []
        self._shown: set[str] = set()
        #: The exit status that the reports tell of.
        self._reported_status: int | None = None

    def __repr__(self) -> str:
        return f"<Reports {sorted(self.paths)}{' and GitHub' * self.github}>"

    def remove_stale(self) -> None:
        """Remove files of earlier runs from the reports' paths."""
        for path in self.paths.values():
            remove_stale(path, base=self._base)

    @pytest.hookimpl(trylast=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> None:
        """Write the requested reports; one that cannot be written is no success."""
        if not (self.paths or self.github):
            return
        self._make(session, list(self.paths))
        if self.github:
            # Last, for it is added to, and cannot be made again.
            self._add_summary(session)
        self._follow(session)

    @pytest.hookimpl(specname="pytest_sessionfinish", wrapper=True, tryfirst=True)
    def pytest_look_at_ptc_reports_again(
        self, session: pytest.Session
    ) -> Generator[None, object, object]:
        """Make them again where a plugin has changed the exit status since; show what is not yet.

        Pytest closes no summary where a plugin or pytest itself broke.
        """
        result = yield
        if self._follow(session) and self.github:
            self._add_summary(session)
        reporter = session.config.pluginmanager.getplugin("terminalreporter")
        self._close(reporter.write_line if reporter is not None else print)
        return result

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_terminal_summary(
        self, terminalreporter: pytest.TerminalReporter
    ) -> Generator[None, object, object]:
        """Close the summary with what went wrong, and with the annotations."""
        result = yield
        if self._written and terminalreporter.verbosity >= 0:
            paths = ", ".join(self._requested[name] for name in self._written)
            terminalreporter.write_line(printable(f"ptc: wrote {paths}"))
        self._close(terminalreporter.write_line)
        return result

    def _close(self, write: Callable[[str], object]) -> None:
        """Write what went wrong and the annotations, as far as that has not been shown."""
        # As they are: a line is a command only if it begins as one, without a colour.
        problems = [f"ptc: not written: {printable(problem)}" for problem in self.problems]
        for line in (*problems, *self._annotations):
            if line not in self._shown:
                self._shown.add(line)
                write(line)

    def _make(self, session: pytest.Session, names: Sequence[str]) -> None:
        """Make files and annotations by what the exit status is now."""
        self._reported_status = int(session.exitstatus)
        with self._catching("reports", counts=bool(self.paths) or self._github_requested):
            report = run_report(self._story(session))
            for name in names:
                path = self.paths[name]
                with self._catching(f"--ptc-{name}"):
                    target = ReportTarget(self._journal(), path)
                    text = self._kinds[name].text(report, target)
                    write_report(path, text, base=self._base)
                    self._written.append(name)
            # Where nobody asked for it, it is for people, and no pipeline misses it.
            if self.github:
                with self._catching("annotations", counts=self._github_requested):
                    self._annotations = annotation_lines(report)
        if self._failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def _add_summary(self, session: pytest.Session) -> None:
        if self._summary:
            with self._catching(STEP_SUMMARY, counts=self._github_requested):
                report = run_report(self._story(session))
                add_summary(Path(self._summary), report, base=self._base)
        if self._failed and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.INTERNAL_ERROR

    def _follow(self, session: pytest.Session) -> bool:
        """Make again what tells of an exit status that is no longer the session's, if any does."""
        if self._reported_status is None or self._reported_status == int(session.exitstatus):
            return False
        written = [name for name in self.paths if name in self._written]
        self._written.clear()
        self._make(session, written)
        return True

    @contextlib.contextmanager
    def _catching(self, what: str, *, counts: bool = True) -> Generator[None, None, None]:
        """Keep whatever goes wrong with a report from hiding the run's outcome.

        Args:
            what: What is made.
            counts: Whether the run is no success without it.
        """
        try:
            yield
        except Exception as error:  # noqa: BLE001 - a defect of a report, too, hides no outcome
            reason = str(error) if isinstance(error, OSError | PtcError) else repr(error)
            self.problems.append(f"{what}: {reason}")
            self._failed |= counts


def reports_without_workers(
    config: pytest.Config,
    settings: Settings,
    environ: Mapping[str, str],
    kinds: Iterable[ReportKind],
) -> Reports:
    """Return the reports of a run without workers, which say that nothing was judged.

    Raises:
        ConfigError: Two reports would be one file.
    """

    def story(session: pytest.Session) -> list[Event]:
        place = place_of(config, settings)
        began = run_began(place, settings, run_id="without-workers", host="none", list_id="")
        why_not = "the run had no workers (--ptc-workers=N): no agent judged anything"
        return story_without_tasks(began, session_end(session), why_not)

    reports = Reports(
        settings,
        config.invocation_params.dir,
        environ,
        story,
        kinds=kinds,
        inputs=list_files(settings, config.rootpath),
    )
    reports.remove_stale()
    return reports


def add_summary(path: Path, run: RunReport, *, base: Path) -> None:
    """Put the run below what else the step has in its summary.

    Raises:
        ReportError: The file is a link or no regular file.
        OSError: The file cannot be written.
    """
    with opened_to_append(path, base=base) as descriptor:
        text = step_summary(run, room=max(0, MAX_SUMMARY_BYTES - os.fstat(descriptor).st_size))
        rest = memoryview(f"{text}\n".encode())
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def project_top(start: Path) -> Path:
    """Return the directory that reports in it must not leave: the repository, else `start`."""
    return repository_top(start) or start
