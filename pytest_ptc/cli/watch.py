"""`ptc watch`: a run as it goes on, one of its workers, or its page. Ctrl-C leaves it."""

from __future__ import annotations

import re
import sys
import time
from functools import partial
from typing import TYPE_CHECKING

from pytest_ptc.cli.glances import runs_at_a_glance, terminal_columns
from pytest_ptc.cli.printing import print_lines
from pytest_ptc.cli.status import lines_of
from pytest_ptc.journal.lines import STORY
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.runs.state import RunState
from pytest_ptc.runs.worker_output import WorkerOutput, terminal_size

if TYPE_CHECKING:
    import argparse
    from collections.abc import Sequence

    from pytest_ptc.cli.glances import RunsHere
    from pytest_ptc.journal.outline import WorkerOutline
    from pytest_ptc.runs.glance import GlancedRun

#: Seconds between two looks at a run.
_LOOK_EVERY_S = 1.0
_WORKER = re.compile(r"w\d+")
#: What a terminal obeys: to the first place; clear the rest of the line; clear the rest.
_HOME, _REST_OF_LINE, _REST = "\x1b[H", "\x1b[K", "\x1b[J"


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc watch`."""
    parser.add_argument(
        "run",
        nargs="?",
        help="the run's id, or the end of it (default: the active one, else the last)",
    )
    parser.add_argument(
        "worker", nargs="?", help="a worker, such as w3, to see what it shows (default: all)"
    )
    parser.add_argument(
        "--html",
        action="store_true",
        help="serve the run as a page that renews itself, on this machine alone, and print its "
        "address",
    )
    parser.add_argument(
        "--port", type=int, default=0, metavar="N", help="with --html: the port (default: any)"
    )


def run(arguments: argparse.Namespace) -> int:
    """Show a run until it has ended, or until Ctrl-C; the run goes on.

    Raises:
        ConfigError: There is not one such run, or no such worker.
        RunRefusedError: Its journal is not believed.
    """
    if arguments.worker is None and _WORKER.fullmatch(arguments.run or ""):
        arguments.run, arguments.worker = None, arguments.run
    here = runs_at_a_glance()
    found = here.one(arguments.run)
    try:
        if arguments.html:
            return _serve(here, found, arguments.port)
        if arguments.worker is not None:
            return _follow(here, found, arguments.worker)
        return _watch(here, found)
    except KeyboardInterrupt:
        print()
        return 0


def _watch(here: RunsHere, found: GlancedRun) -> int:
    """Show a run's status again and again; without a terminal, its totals when they change."""
    width = terminal_columns()
    drawn = width is not None and found.state is RunState.RUNNING
    if drawn:
        sys.stdout.write("\x1b[2J")
    said = ""
    while found.state is RunState.RUNNING:
        if drawn:
            columns, rows = terminal_size()
            _draw(lines_of(found, here, columns - 1, workers=max(rows - 6, 1)), rows)
        else:
            totals = lines_of(found, here, None, workers=0)[1]
            if totals != said and not print_lines([totals]):
                return 1
            said = totals
        time.sleep(_LOOK_EVERY_S)
        found = here.one(found.run_id)
    if drawn:
        sys.stdout.write(_HOME + _REST)
    return 0 if print_lines(lines_of(found, here, width)) else 1


def _draw(lines: Sequence[str], rows: int) -> None:
    shown = lines[: max(rows - 1, 1)]
    text = "".join(f"{line}{_REST_OF_LINE}\r\n" for line in shown)
    sys.stdout.write(f"{_HOME}{text}{_REST}")
    sys.stdout.flush()


def _follow(here: RunsHere, found: GlancedRun, name: str) -> int:
    """Show what a worker shows, until the run or the worker has ended."""
    output = WorkerOutput(found.folder, name)
    if name in found.outline.without_place:
        raise ConfigError(f"worker {name} of run {found.run_id} waits for a place")
    if name not in found.outline.workers:
        known = ", ".join(found.outline.workers) or "none"
        raise ConfigError(f"run {found.run_id} has no worker {name}; its workers: {known}")
    worker = found.outline.workers[name]
    if (
        found.state is RunState.RUNNING
        and worker.lost is None
        and not print_lines(_where(found, worker))
    ):
        return 1
    while True:
        worker = found.outline.workers[name]
        task = found.outline.task(worker.task or "")
        attempt = f"{worker.task}.{task.number}" if task is not None else None
        if not print_lines(output.new_lines(attempt)):
            return 1
        if found.state is not RunState.RUNNING or worker.lost is not None:
            how = worker.lost or f"the run is {found.state.value}"
            return 0 if print_lines([f"{name}: {how}"]) else 1
        time.sleep(_LOOK_EVERY_S)
        found = here.one(found.run_id)


def _where(found: GlancedRun, worker: WorkerOutline) -> list[str]:
    """Return where a worker is that is on a node, and what shows its pane there."""
    node = found.outline.nodes.get(worker.node or "")
    if node is None:
        return []
    pane = f"; its pane: ptc attach {worker.name}" if node.tmux_socket is not None else ""
    return [f"{worker.name} is on node {node.title}{pane}"]


def _serve(here: RunsHere, found: GlancedRun, port: int) -> int:
    from pytest_ptc.cli.live_page import PageServer  # noqa: PLC0415 - only there
    from pytest_ptc.cli.named_runs import named_run  # noqa: PLC0415
    from pytest_ptc.reporting.page.page import page  # noqa: PLC0415
    from pytest_ptc.reporting.story import run_report  # noqa: PLC0415

    story = found.folder / STORY

    def version() -> str:
        return str(story.stat().st_size)

    def make(version: str) -> str:
        return page(run_report(named_run(found.run_id).events), live=version)

    try:
        server = PageServer(version, make, port)
    except (OSError, OverflowError) as error:
        raise ConfigError(f"--port {port}: {error}") from None
    with server:
        serve = partial(server.serve_forever, poll_interval=0.2)
        from threading import Thread  # noqa: PLC0415

        Thread(target=serve, daemon=True).start()
        short = here.short_id(found.run_id)
        try:
            print_lines([f"run {short}: {server.address}", "Ctrl-C ends the page, not the run"])
            while found.state is RunState.RUNNING:
                time.sleep(_LOOK_EVERY_S)
                found = here.one(found.run_id)
            print_lines([f"run {short} has {found.state.value}: {found.outline.standing}"])
            while True:
                time.sleep(3600)
        finally:
            server.shutdown()
