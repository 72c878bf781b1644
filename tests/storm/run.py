"""One storm from its first task to the look at what is left."""

from __future__ import annotations

import random
import subprocess
import tempfile
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from tests.storm.faults import Scene, Storm
from tests.storm.items import Seen
from tests.storm.law import violations
from tests.storm.scripts import MIX, make_scripts
from tests.storm.story import Story
from tests.storm.suite import LocalSuite

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from tests.storm.faults import Strike
    from tests.storm.items import Item
    from tests.storm.scripts import Script
    from tests.storm.suite import Suite

#: Seconds that killed processes have to be gone.
_PATIENCE = 5.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Plan:
    """How large a storm is, in numbers and seconds.

    Args:
        tasks: How many tasks.
        workers: How many workers.
        every: Seconds between two faults.
        seed: What scripts and faults are drawn by. The same seed gives the same scripts and the
            same row of kinds; whom a fault finds depends on the machine too.
        longest: The longest that an agent works before it records.
        timeout: How long an attempt may take.
        retries: How many attempts trouble may cost.
        patience: How long the run may take.
        mix: The kinds of scripts, and their shares.
    """

    tasks: int
    workers: int
    every: float
    seed: int
    longest: float = 2.0
    timeout: float = 6.0
    retries: int = 3
    patience: float = 1800.0
    mix: Mapping[str, int] = field(default_factory=lambda: MIX)

    def chance(self) -> random.Random:
        """Return what its faults are drawn by."""
        return random.Random(self.seed)  # noqa: S311 - a storm that can be had again

    def scripts(self) -> list[Script]:
        """Return what its agents are to do."""
        return make_scripts(self.tasks, self.longest, self.chance(), self.mix)


@dataclass(frozen=True, kw_only=True, slots=True)
class Aftermath:
    """What a storm came to.

    Args:
        plan: How large it was.
        seconds: How long the run took.
        strikes: The faults that were done.
        items: The items as they were seen.
        story: What the journal told.
        violations: Every breach of the law.
    """

    plan: Plan
    seconds: float
    strikes: Sequence[Strike]
    items: Sequence[Item]
    story: Story
    violations: Sequence[str]

    @property
    def as_scripted(self) -> int:
        """Return how many items ended exactly as their scripts say."""
        return sum(item.ended == item.expected for item in self.items)

    def report(self) -> str:
        """Return the storm's figures, for a person."""
        plan, story = self.plan, self.story
        odd = [item for item in self.items if item.ended != item.expected]
        outcomes = Counter(item.ended.outcome if item.ended else "none" for item in self.items)
        causes = Counter(item.ended.cause or item.ended.outcome for item in odd if item.ended)
        begun = sum(len(item.begun) for item in self.items)
        longest = max((told.seconds for told in story.attempts.values()), default=0.0)
        acknowledged = sum(bool(item.acknowledged) for item in self.items)
        lines = [
            f"{plan.tasks} tasks, {plan.workers} workers, a fault every {plan.every:g} s",
            f"seed {plan.seed}, {self.seconds:.0f} s",
            f"faults: {len(self.strikes)}",
            *_counted(Counter(strike.kind for strike in self.strikes)),
            f"outcomes: {_listed(outcomes)}",
            f"as scripted: {self.as_scripted}; others, by cause: {len(odd)}",
            *_counted(causes),
            f"others that no fault had hit: {sum(not item.hits for item in odd)}",
            f"attempts: {len(story.attempts)} assigned, {begun} begun by agents",
            f"longest attempt: {longest:.0f} s, of its own {plan.timeout:g} s",
            f"acknowledged by `ptc record`: {acknowledged} items, each begun once and kept",
            f"workers: {story.started} started, {story.lost} lost",
        ]
        broken = [f"BROKEN: {violation}" for violation in self.violations]
        return "\n".join([*lines, *(broken or ["the law held, and nothing is left"])])


def _counted(counts: Counter[str]) -> list[str]:
    return [f"  {number:>4}  {what}" for what, number in counts.most_common()]


def _listed(counts: Counter[str]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.most_common())


def run_storm(plan: Plan, folder: Path) -> Aftermath:
    """Run a suite in this folder through a storm, and judge what came of it."""
    # In the system's own folder, as the paths of sockets are short.
    with tempfile.TemporaryDirectory(prefix="storm-") as short:
        suite = LocalSuite(folder, Path(short), plan.scripts())
        scene = Scene(suite=suite, story=Story(), chance=plan.chance())
        return weather(plan, Storm(scene), strike_on, "--ptc-host=tmux")


def weather(
    plan: Plan,
    storm: Storm,
    rage: Callable[[subprocess.Popen[bytes], Storm, Plan], None],
    *args: str,
) -> Aftermath:
    """Run the suite of a storm, and judge what came of it.

    Args:
        plan: How large it is.
        storm: The storm.
        rage: Does its faults until the run has ended, or its time is up.
        args: Further arguments of pytest.
    """
    suite = storm.scene.suite
    began = time.monotonic()
    run = suite.start(
        f"--ptc-workers={plan.workers}",
        f"--ptc-timeout={plan.timeout}",
        f"--ptc-retries={plan.retries}",
        # More than there are faults to lose them by.
        f"--ptc-max-worker-restart={plan.tasks * plan.workers}",
        *args,
    )
    try:
        rage(run, storm, plan)
        return _judged(plan, storm, time.monotonic() - began, run.poll())
    finally:
        _clear(run, suite)


def strike_on(run: subprocess.Popen[bytes], storm: Storm, plan: Plan) -> None:
    """Do one fault after the other until the run has ended, or its time is up."""
    turn = began = time.monotonic()
    while turn < began + plan.patience:
        turn += plan.every
        with suppress(subprocess.TimeoutExpired):
            run.wait(max(0.0, turn - time.monotonic()))
            return
        if storm.scene.look():
            storm.look()
            storm.strike()


def _judged(plan: Plan, storm: Storm, seconds: float, status: int | None) -> Aftermath:
    suite, story = storm.scene.suite, storm.scene.story
    storm.scene.look()
    seen = Seen(
        scripts=suite.scripts,
        allowed=plan.retries + 1,
        phases=suite.phases(),
        notes=suite.notes(),
        story=story,
        strikes=storm.strikes,
        outlived=sorted(storm.outlived),
    )
    items = seen.items()
    broken = violations(items, seen.phases, plan.timeout)
    broken += [f"the run: {breach}" for breach in _end_of_run(plan, story, items, status)]
    broken += [f"left behind: {thing}" for thing in suite.left()]
    return Aftermath(
        plan=plan,
        seconds=seconds,
        strikes=storm.strikes,
        items=items,
        story=story,
        violations=broken,
    )


def _end_of_run(
    plan: Plan, story: Story, items: Sequence[Item], status: int | None
) -> Iterator[str]:
    if status is None:
        yield f"it did not end within {plan.patience:g} s"
        return
    failed = any(not item.ended or item.ended.outcome in ("failed", "error") for item in items)
    if status != failed:
        yield f"pytest ended with exit status {status}"
    if not story.ended:
        yield "the journal does not have its end"


def _clear(run: subprocess.Popen[bytes], suite: Suite) -> None:
    """End what a run has left that broke the law, or that was interrupted."""
    if run.poll() is None:
        suite.abort(run)
        with suppress(subprocess.TimeoutExpired):
            run.wait(_PATIENCE)
    while left := suite.processes():
        for process in left:
            with suppress(psutil.Error):
                process.kill()
        psutil.wait_procs(left, timeout=_PATIENCE)
    run.wait()
