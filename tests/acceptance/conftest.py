"""A suite of marked tests with a scripted agent, run by pytest as a user would."""

from __future__ import annotations

import pkgutil
from importlib import import_module
from typing import TYPE_CHECKING

import pytest

import pytest_ptc
from tests.support.suite import Suite, clean_environment, nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator

# Pytester forgets after each run in this process what that run has imported; what is imported
# here is not imported anew 300 times.
for module in pkgutil.walk_packages(pytest_ptc.__path__, "pytest_ptc."):
    if not module.name.endswith(("__main__", "hook_client")):
        import_module(module.name)


@pytest.fixture
def suite(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[Suite]:
    """A suite whose runs may leave nothing behind."""
    clean_environment(pytester, monkeypatch)
    suite = Suite(pytester, getattr(request, "param", "process"))
    yield suite
    nothing_left(suite)
