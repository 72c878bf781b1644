"""Suites whose agent is the real Claude Code, with a scripted model behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.support.claude_suite import OTHER_CLIENT, ClaudeSuite
from tests.support.messages_api import MessagesApi
from tests.support.suite import clean_environment, nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def api() -> Iterator[MessagesApi]:
    """The stand-in of the Messages API; nothing else may be asked of it."""
    with MessagesApi() as server:
        yield server
    assert server.unexpected == []


@pytest.fixture
def claude(
    pytester: pytest.Pytester,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
    api: MessagesApi,
) -> Iterator[ClaudeSuite]:
    """A suite with the real client, whose runs may leave nothing behind."""
    clean_environment(pytester, monkeypatch)
    monkeypatch.setenv("ANTHROPIC_BASE_URL", api.url)
    monkeypatch.setenv("ANTHROPIC_API_KEY", "sk-ant-dummy-key-of-the-tests-0123456789")
    if OTHER_CLIENT:
        monkeypatch.setenv("CLAUDE_CODE", OTHER_CLIENT)
    suite = ClaudeSuite(pytester, api, getattr(request, "param", "process"))
    yield suite
    nothing_left(suite)
