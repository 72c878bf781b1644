"""The real screen of Claude Code in each pane."""

from __future__ import annotations

import json
import re
import subprocess
import time
from typing import TYPE_CHECKING

import pytest

from tests.support.claude_helpers import meanwhile, shell, until, wait_for, wait_until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.claude_suite import ClaudeSuite

pytestmark = pytest.mark.parametrize("claude", ["tmux"], indirect=True)


def tmux(claude: ClaudeSuite, *args: str) -> str:
    """Run a command of tmux on the server of the only run, and return what it says."""
    (run,) = claude.runs
    line = ["tmux", "-L", f"ptc-{run.name}", *args]
    return subprocess.run(line, capture_output=True, text=True, check=True).stdout


def inputs(claude: ClaudeSuite) -> list[str]:
    """Return what stands behind the prompt's sign on the screen of worker w1, the input last."""
    screen = tmux(claude, "capture-pane", "-p", "-t", ":w1")
    return re.findall(r"^\u276f\s*(.*?)\s*$", screen, re.MULTILINE)


def test_verdicts_come_from_the_screen(claude: ClaudeSuite) -> None:
    """Each task has a session of its own; refusals, reminders and the end are as without it."""
    bad = '{"taskId": "$ID", "status": "completed", "metadata": {"ptc": "fine"}}'
    claude.tasks(
        passes="record pass All is well.",
        fixes=f"update {bad}\nrecord fail Not good.",
        reminded="say Done.\nrecord pass told",
    )
    result = claude.run("--ptc-interactive")
    result.assert_outcomes(passed=2, failed=1)
    assert claude.ended() == {"passes": "pass", "fixes": "fail", "reminded": "pass"}
    passes = [request for request in claude.api.requests if "All is well." in request.prompt]
    assert len(passes) == 1
    report = claude.reports()["passes"]
    assert report["usage"]["input_tokens"] == 1000
    assert report["about"]["client"].startswith("Claude Code 2.")
    (transcript,) = (claude.runs[-1] / "attempts").glob("2.1/transcript.jsonl")
    assert "Task ID: 2" in transcript.read_text()


@pytest.mark.slow
def test_the_client_gives_up_on_the_api_with_a_named_cause(claude: ClaudeSuite) -> None:
    """What the screen shows of an API that fails is the trouble's cause here too."""
    claude.ini(retries=0)
    claude.tasks(key="status 401 9", broken="status 500 9")
    claude.run("--ptc-interactive").assert_outcomes(errors=2)
    assert claude.ended() == {"key": "login", "broken": "API error"}


@pytest.mark.slow
def test_a_person_may_attach_watch_and_type(claude: ClaudeSuite) -> None:
    """The pane holds Claude Code's own screen with the shared list; what is typed reaches it."""
    stay = shell(f"touch ready; {until('[ -e typed ]')}")
    screens: list[str] = []

    def attend() -> None:
        wait_for(claude.path / "ready")
        screens.append(tmux(claude, "capture-pane", "-p", "-t", ":w1"))
        tmux(claude, "send-keys", "-t", ":w1", "-l", "Mind the plums.")
        wait_until(lambda: inputs(claude)[-1:] == ["Mind the plums."])
        tmux(claude, "send-keys", "-t", ":w1", "Enter")
        # Taken: it stands above, in the queue, and the input has something else.
        wait_until(lambda: inputs(claude)[-1:] != ["Mind the plums."])
        (claude.path / "typed").touch()

    claude.tasks(it=(f"{stay}\nrecord pass x", {"tools": ["Bash"]}))
    with meanwhile(attend):
        claude.run("--ptc-interactive").assert_outcomes(passed=1)
    assert "Task ID: " in screens[0]
    assert "Claude Code v" in screens[0]
    assert "Mind the plums." in json.dumps([request.body for request in claude.api.requests])


@pytest.mark.slow
def test_no_key_ends_the_worker_of_a_screen(claude: ClaudeSuite) -> None:
    """Keys of signals do nothing to it; who ends the session ends an attempt, which is repeated."""
    first = shell(f"touch ready; {until('[ -e typed ]')}")

    def attend() -> None:
        wait_for(claude.path / "ready")
        for key in ("C-\\", "C-d"):
            tmux(claude, "send-keys", "-t", ":w1", key)
        wait_until(lambda: "again to exit" in tmux(claude, "capture-pane", "-p", "-t", ":w1"))
        tmux(claude, "send-keys", "-t", ":w1", "C-d")
        wait_for(claude.path / "other")
        tmux(claude, "send-keys", "-t", ":w1", "C-z")
        wait_until(lambda: "suspended" in tmux(claude, "capture-pane", "-p", "-t", ":w1"))
        (claude.path / "typed").touch()

    claude.tasks(
        it=(f"{first}\nrecord pass x", {"tools": ["Bash"], "retries": 1}),
        other=(f"{first.replace('ready', 'other')}\nrecord pass y", {"tools": ["Bash"]}),
    )
    with meanwhile(attend):
        claude.run("--ptc-interactive", "--ptc-workers=1").assert_outcomes(passed=2)
    assert claude.events("worker lost") == []
    assert len(claude.events("worker started")) == 1
    ends = [event["trouble"] and event["trouble"]["cause"] for event in claude.events("ended")]
    assert ends == ["agent failed", None, None]


@pytest.mark.fault("list-broken")
@pytest.mark.parametrize("purged", [False, True], ids=["kept", "purged"])
@pytest.mark.slow
def test_a_list_whose_tasks_are_all_completed_stays_while_the_run_is_on(
    claude: ClaudeSuite, purged: bool
) -> None:
    """The screen deletes such a list after five seconds; the run's pending task prevents that.

    Where somebody completes that one too the list goes, and no verdict with it.
    """
    wait = shell(f"touch waits; {until('[ -e on ]')}")
    claude.tasks(
        quick="record pass x",
        stays=(f"{wait}\nrecord pass y", {"tools": ["Bash"]}),
    )
    folder = claude.claude / "tasks/ours"
    lists: list[list[str]] = []

    def watch() -> None:
        wait_for(claude.path / "waits")
        # As if every task of the run were completed: only the sentinel is not.
        for file in folder.glob("*.json"):
            task = json.loads(file.read_bytes())
            if purged or "test_it.py" in task["subject"]:
                file.write_text(json.dumps({**task, "status": "completed"}))
        if purged:
            deadline = time.monotonic() + 30
            while list(folder.glob("*.json")):
                assert time.monotonic() < deadline, "the screen deletes no list any more"
                time.sleep(0.1)
        else:
            # There is no event for what does not happen: as long as the purge takes, and more.
            time.sleep(8)
        lists.append(sorted(path.name for path in folder.glob("*.json")))
        (claude.path / "on").touch()

    with meanwhile(watch):
        claude.run("--ptc-interactive", "--ptc-task-list-id=ours").assert_outcomes(passed=2)
    assert len(lists[0]) == (0 if purged else 3)


@pytest.fixture
def state(claude: ClaudeSuite) -> Iterator[dict[str, object]]:
    """What the client's own state holds where every dialog has been answered."""
    key = "sk-ant-dummy-key-of-the-tests-0123456789"
    yield {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": [key[-20:]], "rejected": []},
    }
    assert claude.api.requests == []


@pytest.mark.parametrize(
    ("missing", "name"),
    [("hasCompletedOnboarding", "onboarding"), ("customApiKeyResponses", "API key approval")],
)
def test_a_dialog_that_the_clients_state_foretells_is_named(
    claude: ClaudeSuite, state: dict[str, object], missing: str, name: str
) -> None:
    """Where a client was run before, nothing of it is changed: the user is told what to answer."""
    del state[missing]
    text = json.dumps(state)
    (claude.path / ".claude.json").write_text(text)
    claude.tasks(it="record pass x")
    result = claude.run("--ptc-interactive")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*dialog open*({name})*run `claude` once*"])
    assert (claude.path / ".claude.json").read_text() == text


@pytest.mark.slow
def test_a_dialog_on_the_screen_is_known_by_its_words(
    claude: ClaudeSuite, state: dict[str, object]
) -> None:
    """A folder whose settings shall be read must be trusted by a person; the screen is shown."""
    (claude.path / ".claude.json").write_text(json.dumps(state))
    claude.ini("ptc_setting_sources = project")
    claude.tasks(it="record pass x")
    result = claude.run("--ptc-interactive")
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*dialog open*(folder trust)*", "last lines:", "  | *"])


def test_what_the_screen_cannot_do_is_refused_before_it_opens(
    claude: ClaudeSuite, state: dict[str, object]
) -> None:
    """Limits that Claude Code's screen does not know, an agent or a host without a screen."""
    claude.tasks(turns=("record pass x", {"max_turns": 3}))
    refused = claude.run("--ptc-interactive")
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*test_turns: max_turns: agent 'claude' cannot limit *"])
    for option in ("--ptc-budget-usd=1", "--ptc-agent=command", "--ptc-host=process"):
        refused = claude.run("--ptc-interactive", option)
        assert refused.ret == pytest.ExitCode.USAGE_ERROR
        refused.stderr.fnmatch_lines(["*ptc_interactive: *"])
    assert state


@pytest.mark.fault("agent-hangs")
@pytest.mark.slow
def test_a_session_that_hangs_is_ended_with_its_task(claude: ClaudeSuite) -> None:
    """The task's timeout holds, the terminal is taken back, and the next task has its session."""
    claude.tasks(hangs=("hang", {"timeout": 6}), after="record pass x")
    claude.run("--ptc-interactive", "--ptc-workers=1").assert_outcomes(passed=1, errors=1)
    assert claude.ended() == {"hangs": "timeout", "after": "pass"}
