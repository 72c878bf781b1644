"""Which files a run writes itself: what changes in them is no change of what agents look at."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    import pytest

    from pytest_ptc.model.settings import Settings

#: What pytest puts into its cache directory; anything else in there is not pytest's.
_OF_CACHE = ("d", "v", "README.md", ".gitignore", "CACHEDIR.TAG")
_REPORTS = ("json", "sarif", "gitlab", "html")


def our_places(
    config: pytest.Config, settings: Settings, more: Iterable[Path]
) -> Callable[[str], bool]:
    """Return what tells whether a real path is one that this run writes itself.

    Args:
        config: Pytest's.
        settings: What the user asked.
        more: Directories of the run: its journals, its scratch folder, its task list.
    """
    start = config.invocation_params.dir
    cache = resolved_cache_dir(config)
    reports = [getattr(settings, name) for name in _REPORTS]
    reports += [getattr(config.option, name, None) for name in ("xmlpath", "log_file")]
    files = {os.path.realpath(start / str(name)) for name in reports if name}
    folders = [os.path.realpath(place) for place in (*(cache / name for name in _OF_CACHE), *more)]

    def ours(path: str) -> bool:
        return path in files or any(
            path == folder or path.startswith(f"{folder}/") for folder in folders
        )

    return ours


def resolved_cache_dir(config: pytest.Config) -> Path:
    """Return pytest's cache directory, which need not be there; nothing is made."""
    # Without the cache's plugin there is no such ini key, and journals are in this place.
    name = config.getini("cache_dir") if config.pluginmanager.hasplugin("cacheprovider") else None
    place = os.path.expandvars(os.path.expanduser(str(name or ".pytest_cache")))  # noqa: PTH111
    return config.rootpath / place
