"""How a worker loads its agent; a worker needs no more of the agents than this and its own."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, cast

from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, MutableMapping, Sequence

    from pytest_ptc.interfaces.agent import Agent
    from pytest_ptc.interfaces.launch import LaunchFile


def load_maker(
    place: str, search_path: Sequence[str] = ()
) -> Callable[[LaunchFile, MutableMapping[str, str]], Agent]:
    """Return the function that makes an agent from a worker's launch file and environment.

    The environment is the worker's own, `os.environ`: what an agent takes out of it is gone for all
    that the worker starts.

    Args:
        place: `package.module:function`.
        search_path: Directories that the module may come from, besides those of this process.

    Raises:
        ConfigError: There is no such module or function.
    """
    # Behind our own: no module of the suite may stand in for one that the worker needs.
    sys.path += [entry for entry in search_path if entry not in sys.path]
    module, _, function = place.partition(":")
    try:
        return cast("Callable[..., Agent]", getattr(import_module(module), function))
    except (ImportError, AttributeError) as error:
        raise ConfigError(f"ptc_agent: {place!r} cannot be used: {error}") from error
