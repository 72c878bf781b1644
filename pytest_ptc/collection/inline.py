"""The suite of a command line, as pytest collects it: its items, and nothing of the project's."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.markdown import MarkdownItem, NothingItem, Suite, with_change
from pytest_ptc.collection.stash import INLINE_SUITE
from pytest_ptc.model.inline_suite import INLINE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pytest_ptc.model.inline_suite import InlineSuite


#: Extra attempts of an item, where neither an option nor the ini file says how many: who gave a
#: command wants results, and not to give it again for a worker that died.
_RETRIES = 1


class InlinePlugin:
    """Has a session collect the items of a suite that is in memory.

    Args:
        suite: The suite.
    """

    def __init__(self, suite: InlineSuite) -> None:
        self.suite = suite

    @pytest.hookimpl(tryfirst=True)
    def pytest_configure(self, config: pytest.Config) -> None:
        """Have the run know its suite, before it is planned."""
        config.stash[INLINE_SUITE] = self.suite
        if config.option.ptc_retries is None and _unset(config, "ptc_retries"):
            config.option.ptc_retries = _RETRIES

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection(self, session: pytest.Session) -> bool:
        """Collect the suite in place of what pytest would look for in the project."""
        config = session.config
        more = [word for word in config.args if word != self.suite.folder]
        if more:
            raise pytest.UsageError(
                f"behind --: {more[0]!r} is no option of pytest's; choose items with -k"
            )
        collector = InlineCollector.from_parent(session, suite=self.suite)
        report = config.hook.pytest_make_collect_report(collector=collector)
        config.hook.pytest_collectreport(report=report)
        session.items = list(report.result or ())
        config.hook.pytest_collection_modifyitems(
            session=session, config=config, items=session.items
        )
        config.hook.pytest_collection_finish(session=session)
        session.testscollected = len(session.items)
        return True


def _unset(config: pytest.Config, key: str) -> bool:
    try:
        return config.getini(key) in (None, "")
    except (TypeError, ValueError, pytest.UsageError):
        # Whoever reads the options says what is wrong.
        return False


class InlineCollector(pytest.Collector):
    """The collector of a suite's items."""

    def __init__(self, *, suite: InlineSuite, **kwargs: Any) -> None:
        super().__init__(name=INLINE, nodeid=INLINE, **kwargs)
        self._suite = suite

    def collect(self) -> Iterator[pytest.Item]:
        """Yield the items, in the order given."""
        given = self._suite
        if given.nothing is not None:
            yield NothingItem.from_parent(
                self, name="nothing-changed", reason=given.nothing, line=1
            )
        each = None if given.since is None else {"changed": given.since}
        suite = Suite(prompt=given.prompt, line=1, each=each, keywords=given.keywords)
        for item in given.items:
            yield InlineItemNode.from_parent(
                self,
                name=item.name,
                suite=replace(
                    with_change(suite, item.params), canary=item.canary, control=item.control
                ),
                params=dict(item.params),
                place=_place(Path(given.folder), item.params),
            )


class InlineItemNode(MarkdownItem):
    """One item; reports show it at the file that it is about, if it is about one."""

    def __init__(self, *, place: Path | None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._place = place

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the item is shown: at the beginning of its file."""
        return self._place or self.path, 0, self.nodeid


def _place(folder: Path, params: Mapping[str, Any]) -> Path | None:
    """Return the file that an item is about; None where it is about none."""
    for value in params.values():
        try:
            path = folder / str(value)
            if path.is_file():
                return path
        except (OSError, ValueError):
            continue
    return None
