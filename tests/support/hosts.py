"""A host for tests whose workers are nothing but their names."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import HostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.interfaces.host import LaunchPlan
    from pytest_ptc.system.processes import ProcessIdentity


class FakeWorker:
    """A worker that ends when it is told to.

    Args:
        plan: What it was started with.
        before_kill: Called in the thread that kills it, first of all.
    """

    def __init__(self, plan: LaunchPlan, before_kill: Callable[[], object]) -> None:
        self.plan = plan
        self.identity: ProcessIdentity | None = None
        self.kills = 0
        self._how: str | None = None
        self._ended = asyncio.Event()
        self._before_kill = before_kill

    def end(self, how: str) -> None:
        """Let it end so; to be called in the loop that waits for it."""
        self._how = self._how or how
        self._ended.set()

    async def ended(self) -> None:
        """Return when it was told to end."""
        await self._ended.wait()

    def kill(self) -> str:
        """End it, if it has not ended."""
        self._before_kill()
        self.kills += 1
        self._how = self._how or "killed by SIGKILL"
        return self._how

    def lines(self) -> str:
        """Return one line."""
        return f"the last line of {self.plan.worker}"


class FakeHost:
    """Starts workers that are nothing but their names.

    Args:
        before_start: Called in the thread that starts a worker, first of all.
        before_kill: Called in the thread that kills one, first of all.
    """

    name = "fake"
    attach = None
    tmux_socket = None
    farewell: tuple[str, ...] = ()

    def __init__(
        self,
        *,
        before_start: Callable[[], object] = lambda: None,
        before_kill: Callable[[], object] = lambda: None,
    ) -> None:
        self.workers: dict[str, FakeWorker] = {}
        self.closed = False
        self._before_start = before_start
        self._before_kill = before_kill

    def start(self, plan: LaunchPlan) -> FakeWorker:
        """Start a worker, unless it is closed."""
        self._before_start()
        if self.closed:
            raise HostError("the host is closed", host=self.name, worker=plan.worker)
        worker = self.workers[plan.worker] = FakeWorker(plan, self._before_kill)
        return worker

    def close(self) -> None:
        """Start no further worker."""
        self.closed = True
