"""What every agent must do for its worker, whatever it is made of."""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import psutil
import pytest

from pytest_ptc.agents.acp.clients import CLIENTS as ACP_CLIENTS
from pytest_ptc.agents.maker import load_maker
from pytest_ptc.agents.registry import AGENT_KINDS
from pytest_ptc.interfaces.agent import Job
from pytest_ptc.interfaces.launch import AgentLaunch
from pytest_ptc.journal.attempt_files import OUTPUT
from pytest_ptc.journal.run_journal import Journal
from pytest_ptc.model.result import Attempt
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.variables import ATTEMPT_COOKIE, RUN_COOKIE
from pytest_ptc.model.verdict import Verdict, VerdictKind
from tests.support import acp
from tests.support.journals import KEY
from tests.support.launch import launch_file
from tests.support.ledgers import WritingLedger
from tests.support.messages_api import MessagesApi
from tests.support.model_apis import ModelApis

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from pytest_ptc.interfaces.agent import Agent

#: How each agent is brought to behave: the program of agent `command` is this.
PROGRAM = """
import json, os, subprocess, sys, time
what = sys.stdin.read().split()[0]
print("at work on", what, flush=True)
if what == "hang":
    sleeper = [sys.executable, "-c", "import time; time.sleep(600)"]
    subprocess.Popen(sleeper)
    open("hanging", "w").close()
    time.sleep(600)
if what == "die":
    os.kill(os.getpid(), 9)
if what != "nothing":
    print(json.dumps({"verdict": what, "summary": "as asked"}))
"""
#: Puts what the program says into events.
JSON_PROGRAM = """
import json, subprocess, sys
with subprocess.Popen(sys.argv[1:], stdin=sys.stdin, stdout=subprocess.PIPE, text=True) as program:
    for line in program.stdout:
        print(json.dumps({"type": "text", "text": line.rstrip()}), flush=True)
sys.exit(program.returncode != 0)
"""
COOKIE = f"contract-cookie-{os.getpid()}"
#: Unique to this process: others may run these tests, too.
RUN = f"contract-{os.getpid()}"


class Bench:
    """An agent, and jobs for it.

    Args:
        agent: The agent.
        journal: Where its attempts are.
        cwd: Where its jobs are done.
        told: The prompt that brings it to do what a word says.
    """

    def __init__(
        self, agent: Agent, journal: Journal, cwd: Path, told: Callable[[str], str]
    ) -> None:
        self.agent = agent
        self.cwd = cwd
        self.told = told
        # One for all its jobs, as a worker has it.
        self.loop = asyncio.new_event_loop()
        self.lines: list[str] = []
        self._journal = journal
        self._count = 0

    def job(self, prompt: str, **options: Any) -> Job:
        """Return a job with a folder of its own."""
        self._count += 1
        attempt = Attempt(task_id=str(self._count), number=1, worker="w1")
        spec = TaskSpec(
            nodeid="t.py::test_x",
            prompt=self.told(prompt),
            timeout=20,
            cwd=str(self.cwd),
            tools=("Bash",),
            **options,
        )
        return Job(
            attempt=attempt,
            spec=spec,
            journal=WritingLedger(self._journal.open_attempt(attempt, spec)),
            deadline=time.monotonic() + 20,
            cookie=COOKIE,
            show=self.lines.append,
            listed=lambda: False,
        )

    def run(self, prompt: str, **options: Any) -> Verdict | Trouble:
        """Have the agent do one job and return how it ended."""

        async def work() -> Verdict | Trouble:
            return await asyncio.wait_for(self.agent.run(self.job(prompt, **options)), 30)

        return self.loop.run_until_complete(work())


def started_by_jobs() -> list[list[str]]:
    """Return the processes alive that carry a mark of these tests' jobs."""
    found = []
    for process in psutil.process_iter():
        try:
            environ = process.environ()
            if environ.get(ATTEMPT_COOKIE) == COOKIE or environ.get(RUN_COOKIE) == RUN:
                found.append(process.cmdline())
        except psutil.Error:
            continue
    return found


def command_config(tmp_path: Path) -> dict[str, Any]:
    """Return how a worker is told to make agent `command`."""
    program = tmp_path / "program.py"
    program.write_text(PROGRAM)
    return {
        "argv": (sys.executable, str(program)),
        "options": {"verdict_from_exit": False},
    }


def json_lines_config(tmp_path: Path) -> dict[str, Any]:
    """Return how a worker is told to make the documentation's agent for JSON lines."""
    words = command_config(tmp_path)["argv"]
    program = tmp_path / "json_program.py"
    program.write_text(JSON_PROGRAM)
    place = Path(__file__).parents[2] / "docs" / "examples" / "json_lines"
    return {"argv": (sys.executable, str(program), *words), "search_path": (str(place),)}


def claude_config(_: Path) -> dict[str, Any]:
    """Return how a worker is told to make agent `claude`."""
    client = os.environ.get("TEST_CLAUDE_CODE")
    return {
        "argv": (client,) if client else (),
        "options": {"setting_sources": []},
    }


def claude_told(word: str) -> str:
    """Return the script of a model that does what the word says."""
    what, _, more = word.partition(" ")
    command = {
        "hang": "touch hanging; (setsid sleep 600 >/dev/null 2>&1 &); sleep 600",
        "die": "kill -9 $PPID; sleep 5",
    }.get(what)
    if command is not None:
        then = f"use Bash {json.dumps({'command': command})}"
    elif what == "nothing":
        then = "say Done.\n> say Done.\n> say Done."
    else:
        then = f"record {what} as asked"
    return f"{more}\n> say at work on {what} && {then}"


def claude_environ(url: str) -> Mapping[str, str]:
    """Return the variables by which Claude Code uses the stand-in."""
    return {"ANTHROPIC_BASE_URL": url, "ANTHROPIC_API_KEY": "sk-ant-dummy"}


class Kit(NamedTuple):
    """How an agent is made, how it is brought to behave, and its API's stand-in."""

    make: str
    config: Callable[[Path], dict[str, Any]]
    told: Callable[[str], str]
    api: type[MessagesApi] = MessagesApi
    environ: Callable[[str], Mapping[str, str]] = claude_environ


MAKE = {kind.name: kind.make for kind in AGENT_KINDS}


#: What clients run as commands. Some refuse one with a substitution in it.
ACP_SCRIPTS = {
    "hang": "touch hanging; (setsid sleep 600 >/dev/null 2>&1 &); sleep 600",
    # All of its parents that the agent has started.
    "die": """
p=$PPID
while grep -q PTC_CLIENT= /proc/$p/environ; do
    all="$p $all"
    p=$(cut -d' ' -f4 /proc/$p/stat)
done
kill -9 $all
sleep 5
""",
}


def acp_kit(name: str) -> Kit:
    """Return the kit of agent `acp` with one of its clients."""

    def config(tmp_path: Path) -> dict[str, Any]:
        for what, commands in ACP_SCRIPTS.items():
            (tmp_path / f"{what}.sh").write_text(commands)
        options = {"client": name, "setting_sources": []}
        return {"argv": acp.command_of(name), "options": options}

    def told(word: str) -> str:
        what, _, more = word.partition(" ")
        if what in ACP_SCRIPTS:
            then = acp.shell(name, f"sh {what}.sh")
        elif what == "nothing":
            then = "say Done.\n> say Done.\n> say Done."
        else:
            then = f"record {what} as asked"
        return f"{more}\n> say at work on {what} && {then}"

    environ = partial(acp.environment_of, name)
    return Kit(MAKE[f"acp:{name}"], config, told, ModelApis, environ)


AGENTS = {
    "command": Kit(MAKE["command"], command_config, str),
    "json-lines": Kit("json_lines:make", json_lines_config, str),
    "claude": Kit(MAKE["claude"], claude_config, claude_told),
}
#: Those whose start takes seconds: one agent of each keeps all promises, one after the other.
CLIENTS = {f"acp:{client.name}": acp_kit(client.name) for client in ACP_CLIENTS}
QUICK = "acp:codex"


@pytest.fixture(params=AGENTS)
def bench(
    request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Bench]:
    """An agent of each kind, which may leave nothing running."""
    kit = {**AGENTS, **CLIENTS}[request.param]
    launch = launch_file(
        tmp_path,
        run_id=RUN,
        agent=AgentLaunch(make=kit.make, **kit.config(tmp_path)),
        journal=tmp_path / "runs" / RUN,
        task_list_id="contract",
        commands=tmp_path,
        scratch=tmp_path,
        claude_config=tmp_path / ".claude",
    )
    for name in [name for name in os.environ if name.startswith(("CLAUDE", "ANTHROPIC"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path))
    journal = Journal(tmp_path / "runs", "contract", key=KEY)
    with kit.api() as api:
        for name, value in kit.environ(api.url).items():
            monkeypatch.setenv(name, value)
        monkeypatch.setattr(sys, "path", list(sys.path))
        agent = load_maker(launch.agent.make, launch.agent.search_path)(launch, dict(os.environ))
        bench = Bench(agent, journal, tmp_path, kit.told)
        yield bench
        bench.loop.run_until_complete(agent.close())
        bench.loop.close()
    journal.close()
    assert started_by_jobs() == []


def test_each_of_many_jobs_ends_as_it_was_recorded(bench: Bench) -> None:
    """An agent lives as long as its worker and keeps nothing from one job to the next.

    The pane and the journal have what it printed, and data that does not meet the task's schema is
    a malformed verdict.
    """
    for kind in (*VerdictKind, VerdictKind.PASS):
        ended = bench.run(kind.value)
        assert isinstance(ended, Verdict)
        assert (ended.verdict, ended.summary) == (kind, "as asked")
    assert "at work on skip" in bench.lines
    logs = [path.read_text() for path in bench.cwd.glob(f"runs/contract/attempts/*/{OUTPUT}")]
    assert sum("at work on skip" in log for log in logs) == 1
    ended = bench.run("pass", schema={"type": "object"})
    assert isinstance(ended, Trouble)
    assert ended.cause is Cause.MALFORMED


def test_what_is_not_recorded_is_trouble_with_evidence(bench: Bench) -> None:
    """An end without a verdict is trouble that shows what was seen last."""
    for prompt, cause in (("nothing", Cause.NO_VERDICT), ("die", Cause.AGENT_FAILED)):
        ended = bench.run(prompt)
        assert isinstance(ended, Trouble)
        assert ended.cause is cause
        assert f"at work on {prompt}" in ended.evidence
    assert isinstance(bench.run("pass"), Verdict)


def test_a_long_prompt_after_short_ones_arrives(bench: Bench) -> None:
    """What a pipe cannot hold at once is fed as it is read, in the agent's tenth job too."""

    async def work() -> list[Verdict | Trouble]:
        prompts = ["pass"] * 4 + [f"pass {'x' * 200_000}"]
        return [await asyncio.wait_for(bench.agent.run(bench.job(p)), 30) for p in prompts * 2]

    ended = bench.loop.run_until_complete(work())
    assert [isinstance(end, Verdict) for end in ended] == [True] * 10


def test_a_cancelled_job_leaves_nothing_running(bench: Bench) -> None:
    """When the run stops, or time is up, all that the job started ends with it."""

    async def work() -> None:
        job = asyncio.create_task(bench.agent.run(bench.job("hang")))
        deadline = time.monotonic() + 20
        while not (bench.cwd / "hanging").exists():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.02)
        job.cancel()
        with pytest.raises(asyncio.CancelledError):
            await job

    bench.loop.run_until_complete(work())
    assert started_by_jobs() == []


def test_a_directory_that_is_gone_is_named(bench: Bench) -> None:
    """An agent that cannot start where it should says where that is."""
    gone = bench.cwd / "gone"
    gone.mkdir()
    bench.cwd = gone
    gone.rmdir()
    ended = bench.run("pass")
    assert isinstance(ended, Trouble)
    assert str(gone) in json.dumps(ended.to_json())


@pytest.mark.parametrize(
    "bench",
    [pytest.param(name, marks=[] if name == QUICK else pytest.mark.slow) for name in CLIENTS],
    indirect=True,
)
def test_a_client_of_agent_acp_keeps_all_of_these_promises(bench: Bench) -> None:
    """Each known client does, by the same agent."""
    test_each_of_many_jobs_ends_as_it_was_recorded(bench)
    test_a_long_prompt_after_short_ones_arrives(bench)
    test_what_is_not_recorded_is_trouble_with_evidence(bench)
    test_a_cancelled_job_leaves_nothing_running(bench)
    test_a_directory_that_is_gone_is_named(bench)
