"""Takes this job's shard of the selected marked items, and deselects the others."""

from __future__ import annotations

import graphlib
from collections import defaultdict
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.collection.collected import collected_tasks, is_marked
from pytest_ptc.collection.stash import EMPTY_SHARD
from pytest_ptc.journal.events import ShardTaken
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.greenness import ALL
from pytest_ptc.model.shards import EVERY, DealtItem, deal
from pytest_ptc.text.template import fields_of, fill

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping, Sequence

    from pytest_ptc.collection.collected import CollectedTasks
    from pytest_ptc.collection.marker import MarkedTask
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.shards import Shard

#: Pytest's options that choose items by what earlier runs of this machine came to.
_BY_EARLIER_RUNS = {
    "lf": "--lf",
    "stepwise": "--stepwise",
    "stepwise_skip": "--stepwise-skip",
    "stepwise_reset": "--stepwise-reset",
}
#: Settings that neither a verdict nor the exit status depends on, or that are a machine's own. The
#: variables of agents may be secrets.
_OF_NO_MATTER = frozenset(
    {
        *("workers", "host", "claude_code", "worker_python", "interactive", "task_list_id"),
        *("max_worker_restart", "run_timeout", "budget_usd", "env", "resume", "shard", "output"),
        *("keep_runs", "github", "properties", "reports"),
    }
)


class Sharding:
    """The shard of a session.

    Args:
        config: Pytest's.
        settings: What the user asked for.
        shard: The shard that the session judges.

    Raises:
        ConfigError: Another option cannot be used with it.
    """

    def __init__(self, config: pytest.Config, settings: Settings, shard: Shard) -> None:
        _refuse_others(config, settings)
        self._config = config
        self._settings = settings
        self._shard = shard
        #: All items that collectors made, chosen or not.
        self._seen: dict[pytest.Item, None] = {}
        #: The marked items of other shards.
        self.elsewhere: frozenset[pytest.Item] = frozenset()
        #: The shards of all tasks, by their names, in the order of collection.
        self._shards: dict[str, int] = {}
        self._line = ""

    def __repr__(self) -> str:
        return f"<Sharding {self._shard} of {len(self._shards)}>"

    @property
    def is_empty(self) -> bool:
        """Tell whether the shard has no item, as other shards have them all."""
        ours = (EVERY, self._shard.number)
        return bool(self._shards) and not any(one in ours for one in self._shards.values())

    @property
    def taken(self) -> ShardTaken:
        """Return the event that tells of the shard."""
        return ShardTaken(
            number=self._shard.number,
            of=self._shard.of,
            nodeids=tuple(self._shards),
            shards=tuple(self._shards.values()),
            settings=compared_settings(self._settings),
        )

    @pytest.hookimpl(wrapper=True, trylast=True)
    def pytest_make_collect_report(
        self,
    ) -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
        """Record all items: what is not selected may be needed."""
        report = yield
        self._seen.update(
            (node, None) for node in report.result or () if isinstance(node, pytest.Item)
        )
        return report

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_collection_modifyitems(
        self, items: list[pytest.Item]
    ) -> Generator[None, object, object]:
        """Deselect the marked items of other shards, after everybody else has selected."""
        result = yield
        marked = [item for item in items if is_marked(item)]
        gate = self._config.pluginmanager.getplugin("ptc-gate")
        narrowed = gate is None or gate.narrowed(items)
        tasks = collected_tasks(marked, self._seen, self._settings, narrowed=narrowed)
        if tasks.problems:
            # Before items are left out, one of which might be the one that a need means.
            raise pytest.UsageError("\n".join(tasks.problems))
        shards = dict(zip(marked, self._dealt(marked, tasks), strict=True))
        self._shards = {task.nodeid: shards[item] for item, task in tasks.selected.items()}
        ours = (EVERY, self._shard.number)
        self.elsewhere = frozenset(item for item, shard in shards.items() if shard not in ours)
        self._config.stash[EMPTY_SHARD] = self.is_empty
        self._line = self._told(shards.values())
        if self.elsewhere:
            self._config.hook.pytest_deselected(
                items=[item for item in items if item in self.elsewhere]
            )
            items[:] = [item for item in items if item not in self.elsewhere]
        return result

    def _dealt(self, marked: Sequence[pytest.Item], tasks: CollectedTasks) -> list[int]:
        ties = ties_of([*tasks.selected.values(), *tasks.needed.values()], tasks.needs)
        dealt = []
        for item in marked:
            task = tasks.selected.get(item)
            # A test that its marks skip is no task; it is somebody's all the same.
            mine = ties[task.nodeid] if task is not None else frozenset()
            tests_judge = task is not None and task.self_test is not None
            dealt.append(DealtItem(item.nodeid, mine, tests_judge))
        return deal(dealt, self._shard.of)

    def _told(self, shards: Iterable[int]) -> str:
        every = [*shards]
        mine, tests = every.count(self._shard.number), every.count(EVERY)
        line = f"ptc: shard {self._shard}: {mine} of {len(every) - tests} marked tests"
        if not tests:
            return line
        return f"{line}, and {tests} test{'s' * (tests != 1)} of the judge, in every shard"

    def pytest_report_collectionfinish(self) -> list[str]:
        """Say how much of all that is."""
        return [self._line] if self._line else []


def ties_of(
    tasks: Iterable[MarkedTask], needs: Mapping[str, tuple[str, ...]]
) -> dict[str, frozenset[str]]:
    """Return for each task, by its name, what it shares with tasks that must be in its shard.

    Args:
        tasks: The tasks, those included that are no item and that others need.
        needs: For each of them, the names of the tasks that it needs.
    """
    own: dict[str, set[str]] = defaultdict(set)
    for needed in needs.values():
        for nodeid in needed:
            own[nodeid].add(f"need {nodeid}")
    grouped = [task for task in tasks if task.keywords.get("group")]
    # A group that a fixture names may be any of them.
    unknown = any({*fields_of(task.keywords["group"])} & {*task.fixtures} for task in grouped)
    for task in grouped:
        name = "" if unknown else fill(task.keywords["group"], task.params).strip()
        own[task.nodeid].add(f"group {name}")
    ties: dict[str, frozenset[str]] = {}
    for nodeid in graphlib.TopologicalSorter(needs).static_order():
        below = (ties[needed] for needed in needs.get(nodeid, ()))
        ties[nodeid] = frozenset(own[nodeid]).union(*below)
    return ties


def compared_settings(settings: Settings) -> dict[str, str]:
    """Return the settings that are the same for all shards of one selection, as texts."""
    values = settings._asdict()
    return {name: str(value) for name, value in values.items() if name not in _OF_NO_MATTER}


def _refuse_others(config: pytest.Config, settings: Settings) -> None:
    for name, option in _BY_EARLIER_RUNS.items():
        if config.getoption(name, default=False):
            raise ConfigError(
                f"--ptc-shard cannot be used with {option}, which selects tests by earlier runs of "
                "this machine, so that the jobs would not deal the same tests; use --ptc-resume, "
                "which keeps verdicts and selects nothing"
            )
    if settings.require not in ("", ALL):
        raise ConfigError(
            f"--ptc-require={settings.require} cannot be used with --ptc-shard: no job knows what "
            "the others judge; use --ptc-require=all, which holds for the tests of the shard"
        )
