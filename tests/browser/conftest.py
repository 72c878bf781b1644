"""A browser for the tests of what is made for one."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from tests.support.chromium import Chromium, program

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Chromium]:
    """One Chromium for all tests; a system without one is no place to run these, but for CI."""
    if program() is None and not os.environ.get("CI"):
        pytest.skip("Chromium is not installed")
    with Chromium(tmp_path_factory.mktemp("chromium")) as browser:
        yield browser
