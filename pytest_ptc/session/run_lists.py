"""The lists by which findings of a run are excused: read before anything is paid for."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.collection.known_file import MAX_BYTES, known_entries
from pytest_ptc.journal.events import KnownListRead
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.excuses import excuse_of
from pytest_ptc.model.known import KnownFindings
from pytest_ptc.model.sightings import Roots
from pytest_ptc.system.git.repositories import repository_top
from pytest_ptc.system.regular_files import read_regular

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.journal.events import Event
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.weighing import ExcuseOf
    from pytest_ptc.session.place import RunPlace


class RunLists(NamedTuple):
    """The lists of a run.

    Args:
        known: The known findings; None where no file of them is named.
        files: The files that they are from.
    """

    known: KnownFindings | None = None
    files: tuple[Path, ...] = ()

    @property
    def events(self) -> list[Event]:
        """Return what the journal is told of them."""
        return [] if self.known is None else [KnownListRead(known=self.known)]

    def excuse_of(self, root: Path) -> ExcuseOf:
        """Return what excuses findings of a run in this root directory."""
        top = repository_top(root)
        roots = Roots(str(root), None if top is None else str(top))
        return excuse_of(self.known or KnownFindings(file="", today=""), roots)


#: Those of a run that names none.
NO_LISTS = RunLists()


def read_lists(place: RunPlace, settings: Settings) -> RunLists:
    """Return the lists that the settings name.

    Raises:
        ConfigError: One cannot be read, or says what cannot be meant.
    """
    if not settings.known:
        return NO_LISTS
    path = place.root / os.path.expanduser(settings.known)  # noqa: PTH111 - a home that is none raises there
    known = read_known(path, str(place.shown(path)))
    return RunLists(known=known, files=(path,))


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
