"""Runs whose agent is a real client of the Agent Client Protocol, against a stand-in of its API."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support import acp
from tests.support.acp import AcpSuite
from tests.support.model_apis import ModelApis
from tests.support.suite import clean_environment, nothing_left

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def suite(
    request: pytest.FixtureRequest, pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> Iterator[AcpSuite]:
    """A suite with a real client, whose runs may leave nothing behind."""
    name = getattr(request, "param", "codex")
    clean_environment(pytester, monkeypatch)
    with ModelApis() as api:
        for variable, value in acp.environment_of(name, api.url).items():
            monkeypatch.setenv(variable, value)
        suite = AcpSuite(pytester, api, name)
        yield suite
        nothing_left(suite)


def test_a_run_has_the_verdicts_that_were_recorded(suite: AcpSuite) -> None:
    """A pass, a fail with a finding, one that was corrected, and one that never came."""
    finding = {"severity": "high", "message": "a plum"}
    found = f'update {{"verdict": "fail", "summary": "bad", "findings": [{finding}]}}'
    suite.tasks(
        good="say I look. && record pass fine",
        bad=found.replace("'", '"'),
        mended='update {"verdict": "pass"}\nsay Oh.\nrecord skip none',
        silent="say I am done.",
    )
    result = suite.run("--ptc-exit-codes")
    result.assert_outcomes(passed=1, failed=1, errors=2)
    assert suite.ended() == {
        "good": ["pass"],
        "bad": ["fail"],
        "mended": ["skip"],
        "silent": ["no verdict"],
    }
    good = suite.reports()["good"][0]
    assert good["about"]["client"] == "Codex 2.6.0"
    assert good["usage"]["input_tokens"] == 1000
    result.stdout.fnmatch_lines(["*high*a plum*"])


#: What a model with a shell looks for: journals, what others have left, other processes.
LOOK = """
ls .pytest_cache/d/ptc/runs/*/attempts /tmp/mine 2>&1 > looked-$1
ls -d /proc/[0-9]* | wc -l > processes-$1
touch /tmp/mine
"""


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has sandboxes")
@pytest.mark.parametrize(
    "suite",
    [
        "codex",
        *(
            pytest.param(name, marks=pytest.mark.slow)
            for name in ("gemini", "copilot", "qwen", "opencode")
        ),
    ],
    indirect=True,
)
def test_a_client_in_a_sandbox_records_and_sees_nothing_of_others(suite: AcpSuite) -> None:
    """Its home and its login are there; who may run programs has a sandbox for each task."""
    (suite.path / "look.sh").write_text(LOOK)
    scripts = {
        name: (f"{acp.shell(suite.name, f'sh look.sh {name}')}\nrecord pass x", {"tools": ["Bash"]})
        for name in ("a", "b")
    }
    suite.tasks(reads="record pass fine", again="record fail no", **scripts)
    result = suite.run("--ptc-sandbox=bwrap", "--ptc-workers=1")
    result.assert_outcomes(passed=3, failed=1)
    for name in scripts:
        assert (suite.path / f"looked-{name}").read_text() == ""
        assert int((suite.path / f"processes-{name}").read_text()) < 30


#: The processes from a command of the model's up to the client, and the worker above that.
FAMILY = """
[ -e {name} ] && exit 0
touch {name}
p=$PPID
while grep -q PTC_CLIENT= /proc/$p/environ; do all="$p $all"; p=$(cut -d' ' -f4 /proc/$p/stat); done
kill -9 {victims}
sleep 5
"""


@pytest.mark.slow
@pytest.mark.fault("worker-hit", "agent-hit")
def test_what_is_killed_in_the_middle_of_a_turn_is_done_again(suite: AcpSuite) -> None:
    """The client, the worker, and a model that never answers: each attempt has its cause."""
    for name, victims in (("client", "$all"), ("worker", "$p")):
        text = FAMILY.format(name=name, victims=victims)
        (suite.path / f"{name}.sh").write_text(text)
    bash = {"tools": ["Bash"], "retries": 1}
    suite.tasks(
        client=(f"{acp.shell('codex', 'sh client.sh')}\nrecord pass a", bash),
        worker=(f"{acp.shell('codex', 'sh worker.sh')}\nrecord pass b", bash),
        hung=("hang", {"timeout": 5}),
    )
    suite.run().assert_outcomes(passed=2, errors=1)
    assert suite.ended() == {
        "client": ["agent failed", "pass"],
        "worker": ["worker lost", "pass"],
        "hung": ["timeout"],
    }


@pytest.mark.slow
def test_forty_tasks_on_four_workers_are_forty_requests(suite: AcpSuite) -> None:
    """Each records its own verdict, and one client does the tasks of one worker."""
    suite.tasks(**{f"t{n}": f"record pass number {n}" for n in range(40)})
    suite.run("--ptc-workers=4").assert_outcomes(passed=40)
    for name, (report,) in suite.reports().items():
        assert report["verdict"]["summary"] == f"number {name[1:]}"
    assert len(suite.api.of_tasks()) == 40


NAMESPACE = ("unshare", "--user", "--map-root-user", "--net")


@pytest.mark.slow
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="network namespaces are Linux's")
@pytest.mark.parametrize("suite", ["codex", "gemini", "opencode"], indirect=True)
def test_nothing_but_loopback_is_needed(suite: AcpSuite) -> None:
    """In a network namespace without a way out a whole run does as it does elsewhere."""
    allowed = subprocess.run([*NAMESPACE, "true"], check=False).returncode == 0
    if not allowed and not os.environ.get("CI"):
        pytest.skip("this system allows its users no namespaces")
    suite.tasks(a="record pass x", b="record fail y")
    program = f"""
import fcntl, os, socket, struct, subprocess, sys
with socket.socket() as any_socket:
    siocsifflags, iff_up = 0x8914, 1
    fcntl.ioctl(any_socket, siocsifflags, struct.pack("16sh", b"lo", iff_up))
sys.path.insert(0, {str(Path(__file__).parents[2])!r})
from tests.support import acp
from tests.support.model_apis import ModelApis
from tests.support.suite import WITHOUT
with ModelApis() as api:
    environ = {{**os.environ, **acp.environment_of({suite.name!r}, api.url)}}
    line = [sys.executable, "-m", "pytest", *WITHOUT, "--ptc-workers=2"]
    status = subprocess.run(line, env=environ).returncode
    assert len(api.of_tasks()) == 2, api.requests
    assert not api.unexpected
sys.exit(status)
"""
    ended = subprocess.run(
        [*NAMESPACE, sys.executable, "-c", program],
        cwd=suite.path,
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert "1 failed, 1 passed" in ended.stdout, ended.stdout + ended.stderr


def test_a_client_stays_while_its_worker_does_a_task_of_another_agent(suite: AcpSuite) -> None:
    """Each agent of a worker ends what tasks have left, and not the client of another agent."""
    client = Path(acp.__file__).with_name("acp_client.py")
    suite.pytester.makeini(
        "[pytest]\nptc_agent = acp\nptc_host = process\nptc_timeout = 60\n"
        f"ptc_acp_command = {sys.executable} {client}\n"
        f"ptc_command = {sys.executable} {suite.agent}\n"
    )
    suite.write(
        test_it="".join(
            f"@pytest.mark.ptc({prompt!r}, agent={agent!r})\ndef test_{name}(): pass\n"
            for name, prompt, agent in (
                ("a", "> record pass x", "acp"),
                ("b", "pass y", "command"),
                ("c", "> record pass z", "acp"),
            )
        )
    )
    suite.run("--ptc-workers=1").assert_outcomes(passed=3)
    reports = suite.reports()
    # The client numbers the sessions that it has begun.
    assert [reports[name][0]["about"]["session"] for name in "ac"] == ["s0", "s1"]
