"""`python -m pytest_ptc.worker LAUNCH_FILE`: the process that a host starts."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.registry import agent_maker
from pytest_ptc.interfaces.environment import anchored
from pytest_ptc.model.errors import TaskListError
from pytest_ptc.system.processes import ProcessIdentity, wait_gone
from pytest_ptc.system.scratch import remove_scratch
from pytest_ptc.system.strays import adopt_orphans
from pytest_ptc.tasklist.store import TaskListStore
from pytest_ptc.text.redaction import Redactor
from pytest_ptc.worker.worker import Worker

if TYPE_CHECKING:
    from collections.abc import Sequence


#: Seconds that a process which was killed may take to be gone, once its files are closed.
DEATH = 5.0


def main(argv: Sequence[str] | None = None) -> int:
    """Be the worker that the launch file named by the only argument describes."""
    (launch_file,) = sys.argv[1:] if argv is None else argv
    config = json.loads(Path(launch_file).read_bytes())
    task_list = TaskListStore(
        Path(config["claude_config"]),
        config["task_list_id"],
        run_id=config["run_id"],
        own=config["own_list"],
    )
    # A worker has no directory of the project's, and its agents have many.
    environ = anchored(os.environ, config["start"])
    os.environ.clear()
    os.environ.update(environ)
    redactor = Redactor(os.environ)
    redactor.learn(config["secrets"])
    adopt_orphans()
    agent = agent_maker(config["agent"])(config, os.environ)
    worker = Worker(config, task_list=task_list, agent=agent, redactor=redactor)
    orphan = asyncio.run(worker.live())
    # The end of the line comes a moment before that of pytest. While that lives, it tidies itself.
    if orphan and not wait_gone([ProcessIdentity(*config["pytest"])], DEATH):
        _tidy(config, task_list)
    return 0


def _tidy(config: dict[str, Any], task_list: TaskListStore) -> None:
    """Remove what a killed pytest would have removed at the end of its run."""
    remove_scratch(Path(config["address"]).parent, config["run_id"])
    with contextlib.suppress(TaskListError):
        task_list.withdraw_run()
    if config["farewell"]:
        os.execv(config["farewell"][0], config["farewell"])


if __name__ == "__main__":
    sys.exit(main())
