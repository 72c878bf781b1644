"""What all tests need: that none of them writes into the state directory of whoever runs them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session", autouse=True)
def state_of_tests(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Have the key of the tests' journals out of every tree that they test."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))
        patch.delenv("PTC_JOURNAL_KEY", raising=False)
        # With tox's variable, pytest has its cache, and our journals in it, in tox's directory.
        patch.delenv("TOX_ENV_DIR", raising=False)
        yield
