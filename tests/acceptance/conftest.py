"""A suite of marked tests with a scripted agent, run by pytest as a user would."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.suite import Suite, clean_environment, nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def suite(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Suite]:
    """A suite whose runs may leave nothing behind."""
    clean_environment(pytester, monkeypatch)
    suite = Suite(pytester, getattr(request, "param", "process"))
    yield suite
    nothing_left(suite)
