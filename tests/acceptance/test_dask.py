"""Workers on the nodes of a Dask cluster, as a user asks for them."""

from __future__ import annotations

import shlex
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.programs import ptc
from tests.support.runs import HANGS, start, until

if TYPE_CHECKING:
    from tests.support.suite import Suite

SCHEDULER = "--ptc-dask-scheduler"
ON_LOCAL = ("--ptc-host=dask", f"{SCHEDULER}=local")
ITEM = '''
@pytest.mark.ptc
def test_one():
    """pass"""
'''


def test_a_run_on_a_cluster_of_this_machine_ends_as_one_without(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Printed verdicts and `ptc record` both count; Dask says nothing, and leaves nothing."""
    monkeypatch.setenv("MY_TOKEN", "canary-4711")
    suite.write(
        test_all='''
@pytest.mark.ptc(env={"OTHER_TOKEN": "canary-4712"})
@pytest.mark.parametrize("n", range(2))
def test_printed(n):
    """sh test "$MY_TOKEN$OTHER_TOKEN" = canary-4711canary-4712
    pass"""

@pytest.mark.ptc
def test_recorded():
    """record fail|--summary|not so"""

@pytest.mark.ptc
def test_dies():
    """exit 3"""
'''
    )
    suite.commit()
    result = suite.spawn(*ON_LOCAL, "-o", "ptc_dask_env=MY_TOKEN", "-rA")
    result.assert_outcomes(passed=2, failed=1, errors=1)
    result.stdout.fnmatch_lines(["ptc: 2 workers on dask*"])
    output = f"{result.stdout}{result.stderr}"
    assert "distributed" not in output
    assert "canary" not in output
    joined = suite.events("node joined")
    assert {event["host"] for event in joined} == {socket.gethostname()}
    started = suite.events("worker started")
    assert {event["node"] for event in started} <= {event["node"] for event in joined}


@pytest.mark.fault("scheduler-refused")
def test_a_cluster_that_cannot_be_used_is_a_usage_error(suite: Suite) -> None:
    """Before anything of a run is there, with what to do; other hosts know nothing of it."""
    suite.write(test_one=ITEM)
    with socket.create_server(("127.0.0.1", 0)) as closed:
        free = closed.getsockname()[1]
    for said, words in (
        (f"{SCHEDULER}=tcp://127.0.0.1:{free}", "nothing listens there"),
        (f"{SCHEDULER}=tcp://192.0.2.1:8786", "has no TLS"),
        ("-q", "--ptc-host=dask needs --ptc-dask-scheduler="),
    ):
        result = suite.run("--ptc-host=dask", said)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        assert words in f"{result.stdout}{result.stderr}"
    assert suite.runs == []
    suite.pytester.makeconftest('import sys\nsys.modules["distributed"] = None\n')
    result = suite.spawn(*ON_LOCAL)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["*needs Dask: pip install 'pytest-ptc[[]dask]'*"])
    suite.spawn().assert_outcomes(passed=1)


def test_a_worker_on_a_node_is_watched_and_its_run_stopped_from_outside(suite: Suite) -> None:
    """`ptc status`, `attach` and `watch` name its node and reach its pane; nothing is left."""
    suite.write(test_hangs=HANGS)
    suite.commit()
    run = start(suite, *ON_LOCAL)
    until(lambda: "w1@" in (told := ptc(suite, "status").stdout) and "hangs" in told, "w1", 60)
    (node,) = suite.events("node joined")
    title = f"{node['node']} ({socket.gethostname()})"
    assert f"1 node: {title}\nw1@{node['node']}  " in ptc(suite, "status").stdout
    told = ptc(suite, "attach", "--print", "w1").stdout
    tmux = shlex.split(told)
    assert tmux[:3] == ["tmux", "-S", node["tmux_socket"]]
    window = [*tmux[:3], "display-message", "-p", "-t", tmux[-1], "#{window_name}"]
    assert subprocess.run(window, capture_output=True, text=True, check=True).stdout == "w1\n"
    words = [sys.executable, "-m", "pytest_ptc.cli", "watch", "w1"]
    with subprocess.Popen(words, cwd=suite.path, stdout=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()
        watching.send_signal(signal.SIGINT)
    assert first == f"w1 is on node {title}; its pane: ptc attach w1\n"
    assert "ended" in ptc(suite, "stop").stdout
    output, _ = run.communicate(timeout=60)
    assert "ptc: on the nodes of a cluster on this machine, as they join" in output
    assert not Path(node["tmux_socket"]).exists()
    assert ptc(suite, "clean").stdout == "nothing to clean\n"
