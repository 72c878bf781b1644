"""What `ptc attach` shows: the panes of this machine, or those on a node."""

from __future__ import annotations

import pytest

from pytest_ptc.journal import events
from pytest_ptc.journal.events import Event, event_to_json
from pytest_ptc.journal.outline import RunOutline
from pytest_ptc.model.errors import ConfigError
from pytest_ptc.runs.screens import screens_of
from tests.support.journals import began

SOCKET = "/tmp/tmux-0/ptc-x"


def outline(*told: Event, **more: object) -> RunOutline:
    """Return a run in outline."""
    run = RunOutline(event_to_json(began(**more)))
    for event in told:
        run.take(event_to_json(event))
    return run


def started(worker: str, node: str | None = None) -> Event:
    """Return that a worker was started."""
    return events.WorkerStarted(worker=worker, pid=None, created=None, node=node)


def joined(node: str, socket: str | None = SOCKET, host: str | None = None) -> Event:
    """Return that a node has joined."""
    return events.NodeJoined(
        node=node,
        host=host or node.partition("-")[0],
        python="3.11.7",
        version="0.1.0",
        tmux_socket=socket,
    )


LOST = events.WorkerLost(worker="w3", why="gone", ended="killed by SIGKILL")
ON_NODES = (
    joined("na-1"),
    joined("nb-2", "/tmp/a b/ptc-x"),
    joined("nc-3", None),
    joined("nd-4"),
    *(started("w1", "na-1"), started("w2", "nb-2"), started("w3", "na-1"), LOST),
    *(started("w4", "nc-3"), events.WorkerWaits(worker="w5")),
    events.NodeLost(node="nd-4", why="not heard"),
)


@pytest.mark.parametrize(
    ("asked", "command"),
    [
        pytest.param({}, f"tmux -S {SOCKET} attach -r", id="any"),
        pytest.param({"worker": "w2"}, f"tmux -S {SOCKET} attach -r -t :=w2", id="worker"),
        pytest.param({"interactive": True}, f"tmux -S {SOCKET} attach", id="interactive"),
    ],
)
def test_a_run_on_this_machine_has_one_tmux_server(asked: dict[str, object], command: str) -> None:
    """Its windows have the names of the workers."""
    run = outline(started("w1"), started("w2"), tmux_socket=SOCKET)
    (found,) = screens_of(run, **asked)  # type: ignore[arg-type]
    assert found.command == command
    assert found.place == ""


def test_the_pane_of_a_worker_on_a_node_is_shown_by_ssh() -> None:
    """What a shell on that machine gets is one line, whatever is in the path."""
    (found,) = screens_of(outline(*ON_NODES), worker="w2", is_here=lambda *_: False)
    assert found.place == "nb-2 (nb)"
    assert found.argv == ("ssh", "-t", "nb", "tmux -S '/tmp/a b/ptc-x' attach -r -t :=w2")


def test_a_node_on_this_very_machine_needs_no_ssh() -> None:
    """As of a cluster that pytest has made for itself."""
    seen = []

    def is_here(host: str, socket: str) -> bool:
        seen.append((host, socket))
        return True

    (found,) = screens_of(outline(*ON_NODES), worker="w1", is_here=is_here)
    assert found.argv == ("tmux", "-S", SOCKET, "attach", "-r", "-t", ":=w1")
    assert seen == [("na", SOCKET)]


def test_without_a_worker_each_node_that_has_panes_is_named() -> None:
    """With the workers that are there now; one that is lost is left out."""
    found = screens_of(outline(*ON_NODES), is_here=lambda *_: False)
    assert [(one.place, one.workers) for one in found] == [
        ("na-1 (na)", ("w1",)),
        ("nb-2 (nb)", ("w2",)),
    ]


@pytest.mark.parametrize(
    ("run", "worker", "why"),
    [
        pytest.param(outline(), None, "its host is not tmux; `ptc watch`", id="no-tmux"),
        pytest.param(outline(*ON_NODES), "w9", "has no worker w9; its workers: w1, w2", id="none"),
        pytest.param(outline(*ON_NODES), "w5", "worker w5 of run .* waits for a place", id="waits"),
        pytest.param(outline(*ON_NODES), "w3", "is gone: killed by SIGKILL; `ptc watch", id="gone"),
        pytest.param(outline(*ON_NODES), "w4", r"node nc-3 \(nc\) has no tmux", id="processes"),
        pytest.param(
            outline(events.WorkerWaits(worker="w1")), None, "has no node yet", id="no-node-yet"
        ),
        pytest.param(outline(joined("na-1", None)), None, "no node of it has tmux", id="none-has"),
        pytest.param(
            outline(joined("na-1", host="-oProxyCommand=x"), started("w1", "na-1")),
            "w1",
            "none that ssh can have",
            id="no-option",
        ),
    ],
)
def test_where_there_is_no_pane_the_message_says_what_there_is(
    run: RunOutline, worker: str | None, why: str
) -> None:
    """And nothing that a node calls itself is an option of ssh."""
    with pytest.raises(ConfigError, match=why):
        screens_of(run, worker=worker, is_here=lambda *_: False)
