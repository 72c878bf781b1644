"""What all tests need: a state directory of their own, and compiled code that is kept."""

from __future__ import annotations

import os
import sys
import tempfile
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


def pytest_configure(config: pytest.Config) -> None:
    """Have every Python of this session keep what it compiles, in a folder of the session.

    Without that, every pytest that a test starts compiles its plugins anew, which takes three times
    the CPU. Not beside the sources: a suite's tree stays as a test has made it. Workers of
    pytest-xdist inherit the folder.
    """
    if os.environ.pop("PYTHONDONTWRITEBYTECODE", None) is None:
        return
    sys.dont_write_bytecode = False
    if "PYTHONPYCACHEPREFIX" not in os.environ:
        folder = tempfile.TemporaryDirectory(prefix="pycache-", ignore_cleanup_errors=True)
        config.add_cleanup(folder.cleanup)
        os.environ["PYTHONPYCACHEPREFIX"] = sys.pycache_prefix = folder.name


@pytest.fixture(scope="session", autouse=True)
def state_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the key of the tests' journals out of every tree that they test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("PTC_JOURNAL_KEY", raising=False)
        # With tox's variable, pytest has its cache, and our journals in it, in tox's directory.
        patch.delenv("TOX_ENV_DIR", raising=False)
        yield
