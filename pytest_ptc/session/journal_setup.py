"""The journal of a run: where it is, with which key it is written, and its first event.

What stands in the way is found here, before any worker is started, and is a usage error.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from msgspec.structs import replace

from pytest_ptc.journal.attempt_files import journal_errors
from pytest_ptc.journal.keys import existing_key, journal_key
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.errors import JournalError
from pytest_ptc.runs.trust import link_on_the_way
from pytest_ptc.system.git.repositories import repository_top

if TYPE_CHECKING:
    from pathlib import Path

    from pytest_ptc.journal.events import RunBegan
    from pytest_ptc.session.place import RunPlace
    from pytest_ptc.text.redaction import Redactor


def key_to_write(root: Path) -> bytes:
    """Return the key of this user's journals, made if there is none.

    Raises:
        ConfigError: There is no place for it, or it is not to be trusted.
    """
    return journal_key(os.environ, _trees(root))


def key_to_read(root: Path) -> bytes | None:
    """Return the key of this user's journals; None if nothing was ever written with one.

    Raises:
        ConfigError: It is not to be trusted.
    """
    return existing_key(os.environ, _trees(root))


def _trees(root: Path) -> list[Path]:
    repository = repository_top(root)
    return [root, *([repository] if repository is not None else [])]


def make_journal(place: RunPlace, run_id: str, key: bytes, redactor: Redactor) -> Journal:
    """Make a run's journal.

    Raises:
        JournalError: Its folder cannot be made, or is reached through a link.
    """
    runs = place.runs
    if (step := link_on_the_way(runs, place.root)) is not None:
        # It may lead anywhere, and nobody could tell later whose journals are behind it.
        kind = "a link" if step.is_symlink() else "not a directory"
        raise JournalError(
            f"journal {runs}: {step} is {kind}; remove it, or choose another place with the ini "
            "key cache_dir"
        )
    with journal_errors(runs):
        place.make_cache()
    return Journal(runs, run_id, key=key, redactor=redactor)


def begin_story(journal: Journal, began: RunBegan) -> None:
    """Write the first event of a run's story.

    Args:
        journal: The run's journal, which is empty.
        began: The event, but for the name of the journal's key.

    Raises:
        JournalError: There is no room for it.
    """
    journal.append(replace(began, key=journal.key.name))
    if journal.problem is not None:
        raise JournalError(f"journal {journal.folder}: {journal.problem}")
