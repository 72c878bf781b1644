"""The import of all that a run with workers needs: on the way to its first task, a large part."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.system.garbage import no_collections

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pytest

    from pytest_ptc.model.reports import ReportKind
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.session.hooks import SessionHooks


def load_session(
    config: pytest.Config, settings: Settings, reports_there_are: Iterable[ReportKind]
) -> SessionHooks:
    """Import it, and make the run; as `register_session`.

    Raises:
        ConfigError: Something that the settings name is missing, or cannot be met.
    """
    with no_collections():
        from pytest_ptc.session.wiring import register_session  # noqa: PLC0415 - see above

        return register_session(config, settings, reports_there_are)
