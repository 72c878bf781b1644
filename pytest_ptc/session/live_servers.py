"""pytest-django's `live_server`, for agents that use it while no test is running.

It answers from the test database, which pytest-django makes for the first test that wants it, and
opens for one test at a time: no test is running while an agent works, so every request would be a
500. For items whose prompt needs the server, the database is made before it, and both are open
until the agents have ended.
"""

from __future__ import annotations

import contextlib
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pytest_ptc.system import pytest_internals

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pytest


class LiveServers:
    """Keeps the server open, from `open_for` to `close`."""

    NAME = "live_server"

    def __init__(self) -> None:
        self._open = contextlib.ExitStack()

    def __repr__(self) -> str:
        return f"<LiveServers of {self.NAME}>"

    def open_for(self, prompts: Mapping[pytest.Item, Collection[str]]) -> list[pytest.Item]:
        """Open the server if a prompt needs it; return the items whose prompt does.

        Raises whatever its fixtures raise, with nothing left open.

        Args:
            prompts: The items, each with the fixtures that fill its prompt.
        """
        using = [item for item, names in prompts.items() if _is_used(item, names)]
        if using:
            # pytest-django makes the databases of those tests that ask for them.
            with contextlib.ExitStack() as asking:
                for item in using:
                    asking.enter_context(pytest_internals.asking_for(item, self.NAME))
                # Before the server, which takes its connections as it is made.
                pytest_internals.session_fixtures(using[0], ("django_db_setup",), alone=True)
            names = (self.NAME, "django_db_blocker")
            values = pytest_internals.session_fixtures(using[0], names, alone=True)
            utils: Any = import_module("django.test.utils")
            self._open.enter_context(values["django_db_blocker"].unblock())
            # During a test pytest-django does this itself.
            host = values[self.NAME].thread.host
            self._open.enter_context(utils.modify_settings(ALLOWED_HOSTS={"append": host}))
        return using

    def close(self) -> None:
        """Leave the server as its plugin has it; may be called again."""
        self._open.close()


def _is_used(item: pytest.Item, names: Collection[str]) -> bool:
    needed = pytest_internals.fixtures_needed(item, names)
    return needed.get(LiveServers.NAME, "").startswith("pytest_django.")
