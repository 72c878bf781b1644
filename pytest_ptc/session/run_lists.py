"""The lists by which findings of a run are excused: read before anything is paid for."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.collection.known_file import MAX_BYTES, known_entries
from pytest_ptc.journal.events import BaselineRead, KnownListRead
from pytest_ptc.model.choices import asks_for_new
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.excuses import Excuses
from pytest_ptc.model.known import KnownFindings
from pytest_ptc.model.sightings import Roots
from pytest_ptc.runs.recorded import open_runs
from pytest_ptc.session.baselines import Project, read_baseline, report_file
from pytest_ptc.session.journal_setup import key_to_read
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.baseline import Baseline
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.weighing import ExcuseOf
    from pytest_ptc.runs.recorded import RecordedRun
    from pytest_ptc.runs.state import RefusedRun
    from pytest_ptc.session.place import RunPlace


class RunLists(NamedTuple):
    """The lists of a run.

    Args:
        known: The known findings; None where no file of them is named.
        baseline: What the run is compared with; None where no baseline is named.
        files: The files that they are from.
    """

    known: KnownFindings | None = None
    baseline: Baseline | None = None
    files: tuple[Path, ...] = ()

    @property
    def events(self) -> list[Event]:
        """Return what the journal is told of them."""
        return [
            *([] if self.known is None else [KnownListRead(known=self.known)]),
            *([] if self.baseline is None else [BaselineRead(baseline=self.baseline)]),
        ]

    def excuse_of(self, root: Path) -> ExcuseOf:
        """Return what excuses findings of a run in this root directory."""
        top = repository_top(root)
        roots = Roots(str(root), None if top is None else str(top))
        return Excuses(roots, self.known, self.baseline)

    def refuse_new_without_baseline(self, specs: Sequence[TaskSpec]) -> None:
        """Refuse a task that fails by what is new, where nothing says what is old.

        Raises:
            ConfigError: There is such a task.
        """
        spec = next((one for one in specs if asks_for_new(one.fail_on)), None)
        if spec is not None and self.baseline is None:
            raise ConfigError(
                f"{spec.nodeid}: fail_on: {spec.fail_on} asks for what is new, and there is no "
                "baseline: name one with --ptc-baseline=RUN (ptc run: --baseline RUN), or leave "
                "new: out"
            )


#: Those of a run that names none.
NO_LISTS = RunLists()


def read_lists(place: RunPlace, settings: Settings) -> RunLists:
    """Return the lists that the settings name.

    Raises:
        ConfigError: One cannot be read, or says what cannot be meant.
    """
    known = baseline = None
    if settings.known:
        file = _known_file(settings, place.root)
        known = read_known(file, str(place.shown(file)))
    if settings.baseline:
        try:
            baseline = read_baseline(settings.baseline, Project(place.root, _runs_of(place)))
        except ConfigError as error:
            raise ConfigError(f"--ptc-baseline: {error}") from None
    return RunLists(known=known, baseline=baseline, files=list_files(settings, place.root))


def list_files(settings: Settings, root: Path) -> tuple[Path, ...]:
    """Return the files that the settings name lists in; they need not be there."""
    known = [_known_file(settings, root)] if settings.known else []
    report = report_file(settings.baseline, root)
    return (*known, *([] if report is None else [report]))


def _known_file(settings: Settings, root: Path) -> Path:
    return root / os.path.expanduser(settings.known)  # noqa: PTH111 - a home that is none raises there


def _runs_of(place: RunPlace) -> list[RecordedRun | RefusedRun]:
    there = place.runs.is_dir() and any(place.runs.iterdir())
    return open_runs(place.runs, place.root, key_to_read(place.root)) if there else []


def read_known(path: Path, shown: str) -> KnownFindings:
    """Return the known findings of a file, as of today.

    Args:
        path: The file.
        shown: Its name for messages.

    Raises:
        ConfigError: It cannot be read, or says what cannot be meant.
    """
    return KnownFindings(file=shown, today=today(), entries=known_entries(shown, text_of(path)))


def text_of(path: Path) -> str:
    """Return the text of a file of known findings.

    Raises:
        ConfigError: It cannot be read.
    """
    try:
        return read_regular(path, MAX_BYTES).decode()
    except FileNotFoundError:
        raise ConfigError(
            f"ptc_known: there is no file {path}; make it with `ptc known add`, or correct its name"
        ) from None
    except OSError as error:
        raise ConfigError(f"ptc_known: {path}: {error.strerror or error}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"ptc_known: {path}: is not UTF-8: {error}") from None


def today() -> str:
    """Return the day by which dates are judged: the same on every machine, so that of UTC."""
    return datetime.now(timezone.utc).date().isoformat()
