"""Where the panes of a run's workers are, and what shows them: tmux here, or on a node by ssh."""

from __future__ import annotations

import os
import re
import shlex
import socket
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest_ptc.journal.outline import NodeOutline, RunOutline, WorkerOutline

#: Names of machines that ssh does not take for an option, and a shell for nothing else.
_HOST = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True, kw_only=True, slots=True)
class Screens:
    """The panes on one machine.

    Args:
        place: The node, with the machine's name; empty for the machine of pytest.
        workers: The workers that are there now.
        argv: The program that shows them, with its arguments.
    """

    place: str
    workers: tuple[str, ...]
    argv: tuple[str, ...]

    @property
    def command(self) -> str:
        """Return what a person would type."""
        return shlex.join(self.argv)


def screens_of(
    outline: RunOutline,
    *,
    worker: str | None = None,
    interactive: bool = False,
    is_here: Callable[[str, str], bool] | None = None,
) -> list[Screens]:
    """Return where a run has panes, the machine of pytest or each of its nodes.

    Args:
        outline: The run.
        worker: The worker whose pane is wanted; None for all.
        interactive: Whether keys go to the workers' panes; they do in an interactive run.
        is_here: Tells whether a machine of this name with this socket is this one.

    Raises:
        ConfigError: There are none, or that worker has none; the message says what to do.
    """
    run_id = outline.began["run_id"]
    read_only = not (interactive or outline.began.get("interactive"))
    known = None if worker is None else _live(outline, run_id, worker)
    here = outline.began["tmux_socket"]
    if not outline.nodes:
        if here is None and outline.without_place:
            raise ConfigError(f"run {run_id} has no node yet: its workers wait for a place")
        if here is None:
            raise ConfigError(
                f"run {run_id} has no screens to watch: its host is not tmux; `ptc watch` shows "
                "what workers print"
            )
        words = ("tmux", *_attach(here, worker, read_only=read_only))
        return [Screens(place="", workers=_workers_on(outline, None), argv=words)]
    if known is not None:
        return [_on_node(outline, run_id, known, read_only=read_only, is_here=is_here or _is_here)]
    found = [
        Screens(
            place=node.title,
            workers=_workers_on(outline, node.name),
            argv=_words(node, node.tmux_socket, None, read_only, is_here or _is_here),
        )
        for node in outline.nodes.values()
        if node.ended is None and node.tmux_socket is not None
    ]
    if not found:
        raise ConfigError(
            f"run {run_id} has no screens to watch now: no node of it has tmux, or none is left; "
            "`ptc watch` shows what workers print"
        )
    return found


def _live(outline: RunOutline, run_id: str, name: str) -> WorkerOutline:
    if name in outline.without_place:
        raise ConfigError(f"worker {name} of run {run_id} waits for a place")
    worker = outline.workers.get(name)
    if worker is None:
        known = ", ".join(outline.workers) or "none"
        raise ConfigError(f"run {run_id} has no worker {name}; its workers: {known}")
    if worker.lost is not None:
        raise ConfigError(
            f"worker {name} of run {run_id} is gone: {worker.lost}; `ptc watch {run_id} {name}` "
            "shows what it printed"
        )
    return worker


def _on_node(
    outline: RunOutline,
    run_id: str,
    worker: WorkerOutline,
    *,
    read_only: bool,
    is_here: Callable[[str, str], bool],
) -> Screens:
    node = outline.nodes.get(worker.node or "")
    if node is None or node.tmux_socket is None:
        where = "its node" if node is None else f"node {node.title}"
        raise ConfigError(
            f"worker {worker.name} has no screen: {where} has no tmux; `ptc watch {run_id} "
            f"{worker.name}` shows what it prints"
        )
    words = _words(node, node.tmux_socket, worker.name, read_only, is_here)
    return Screens(place=node.title, workers=(worker.name,), argv=words)


def _workers_on(outline: RunOutline, node: str | None) -> tuple[str, ...]:
    workers = outline.workers.values()
    return tuple(one.name for one in workers if one.lost is None and one.node == node)


def _words(
    node: NodeOutline,
    place: str | None,
    worker: str | None,
    read_only: bool,
    is_here: Callable[[str, str], bool],
) -> tuple[str, ...]:
    assert place is not None, "without tmux there is nothing to attach to"
    words = ("tmux", *_attach(place, worker, read_only=read_only))
    if is_here(node.host, place):
        return words
    if not _HOST.fullmatch(node.host):
        raise ConfigError(f"node {node.title}: the name of its machine is none that ssh can have")
    # What ssh is given as several words, a shell there reads as one line.
    return ("ssh", "-t", node.host, shlex.join(words))


def _attach(place: str, worker: str | None, *, read_only: bool) -> tuple[str, ...]:
    window = ("-t", f":={worker}") if worker is not None else ()
    return ("-S", place, "attach", *(("-r",) if read_only else ()), *window)


def _is_here(host: str, place: str) -> bool:
    """Tell whether a node is on this machine, and its tmux server is ours to see."""
    if host != socket.gethostname():
        return False
    try:
        status = os.lstat(place)
    except OSError:
        return False
    return stat.S_ISSOCK(status.st_mode) and status.st_uid == os.geteuid()
