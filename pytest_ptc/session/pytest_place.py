"""Pytest's configuration as a run sees it: the only place where one becomes the other."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.stash import EMPTY_SHARD, INLINE_SUITE
from pytest_ptc.journal.events import SessionEnded
from pytest_ptc.model.errors import PtcError
from pytest_ptc.session.place import RunPlace

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from pytest_ptc.model.settings import Settings

#: What pytest puts into its cache directory; anything else in there is not pytest's.
_OF_CACHE = ("d", "v", "README.md", ".gitignore", "CACHEDIR.TAG")


def place_of(config: pytest.Config, settings: Settings) -> RunPlace:
    """Return where the run of a pytest session takes place; nothing is made."""
    start = config.invocation_params.dir
    cache = _cache_directory(config)
    reports: list[str | None] = list(settings.reports.values())
    reports += [getattr(config.option, name, None) for name in ("xmlpath", "log_file")]

    def make_cache() -> None:
        if getattr(config, "cache", None) is not None:
            config.cache.mkdir("ptc")

    return RunPlace(
        root=config.rootpath,
        cache=cache,
        start=start,
        arguments=tuple(map(str, config.invocation_params.args)),
        config_file=config.inipath,
        written=(
            *(cache / name for name in _OF_CACHE),
            *(start / str(name) for name in reports if name),
        ),
        inline=config.stash.get(INLINE_SUITE, None),
        make_cache=make_cache,
    )


def _cache_directory(config: pytest.Config) -> Path:
    # Without the cache's plugin there is no such ini key, and journals are in this place.
    name = config.getini("cache_dir") if config.pluginmanager.hasplugin("cacheprovider") else None
    place = os.path.expandvars(os.path.expanduser(str(name or ".pytest_cache")))  # noqa: PTH111
    return config.rootpath / place


@contextlib.contextmanager
def usage_errors() -> Generator[None, None, None]:
    """Turn a run's errors within the block into pytest's usage errors."""
    try:
        yield
    except PtcError as error:
        raise pytest.UsageError(f"ptc: {error}") from error


def session_end(session: pytest.Session) -> SessionEnded:
    """Return the event of the end of pytest's session."""
    # What has rightly nothing to judge is no task, and judged all the same.
    empty = (getattr(item, "ptc_nothing_to_judge", None) for item in session.items)
    return SessionEnded(
        exit_status=int(session.exitstatus),
        nothing_to_judge=sum(why is not None for why in empty)
        + session.config.stash.get(EMPTY_SHARD, False),
    )
