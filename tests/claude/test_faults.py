"""Faults around the real client: no verdict is lost, none is made up, nothing is left behind."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.coordinator import deadlines
from tests.support.claude_helpers import (
    client,
    meanwhile,
    session_of_a_person,
    shell,
    wait_for,
    wait_until,
)
from tests.support.faults import (
    CLOCK,
    HITS,
    ODD_FOLDER,
    ODD_SUBFOLDER,
    RunClock,
    inject,
    move,
    run_on_own_disk,
    shell_namespace,
    tmux,
)
from tests.support.runs import start, until
from tests.support.suite import WITHOUT, marked_processes, nothing_left

if TYPE_CHECKING:
    from tests.support.claude_suite import ClaudeSuite

BASH = {"tools": ["Bash"]}
KINDS = {
    "process": ("process", ()),
    "tmux": ("tmux", ()),
    "screen": ("tmux", ("--ptc-interactive",)),
}


def on(*kinds: str) -> pytest.MarkDecorator:
    """Return the mark that has a test done with these kinds of workers: by default the first."""
    values = [
        pytest.param(*KINDS[kind], id=kind, marks=[pytest.mark.slow] if number else [])
        for number, kind in enumerate(kinds)
    ]
    return pytest.mark.parametrize(("claude", "screen"), values, indirect=["claude"])


#: Where a worker or its client is hit, what the model does, and what comes of it.
HIT: dict[str, tuple[Any, str]] = {
    "KILL_begun": ("record pass x", "worker lost"),
    "KILL_recorded": ("record fail bad", "fail"),
    "KILL_reported": ("record pass x", "pass"),
    "TERM_recorded": ("record fail bad", "fail"),
    "STOP_recorded": (("record fail bad", {"timeout": 6}), "fail"),
    "CLIENT_recorded": ("record fail bad", "fail"),
}


@pytest.mark.fault("worker-hit")
@pytest.mark.parametrize(
    ("claude", "screen", "names"),
    [
        pytest.param("process", (), ("KILL_recorded", "CLIENT_recorded"), id="process"),
        pytest.param(
            "process",
            (),
            ("KILL_begun", "KILL_reported", "TERM_recorded", "STOP_recorded"),
            id="process-more",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *KINDS["screen"],
            ("KILL_begun", "KILL_recorded", "CLIENT_recorded"),
            id="screen",
            marks=pytest.mark.slow,
        ),
    ],
    indirect=["claude"],
)
def test_a_worker_or_client_that_is_hit_loses_no_verdict_and_makes_none_up(
    claude: ClaudeSuite,
    monkeypatch: pytest.MonkeyPatch,
    screen: tuple[str, ...],
    names: tuple[str, ...],
) -> None:
    """Hit before the model recorded, right after, and with the report filed but not told."""
    monkeypatch.setattr(deadlines, "STUCK_AFTER_S", 0.5)
    inject(claude, monkeypatch, HITS)
    claude.tasks(**{name: HIT[name][0] for name in names})
    claude.run(*screen, "--ptc-max-worker-restart=20")
    assert claude.ended() == {name: HIT[name][1] for name in names}


def once(name: str) -> str:
    """Return a script's line that hangs the first time it comes to be."""
    return shell(f"[ -e began-{name} ] || {{ touch began-{name}; sleep 600; }}")


@pytest.mark.fault("terminal-gone")
@pytest.mark.slow
@pytest.mark.parametrize("claude", ["tmux"], indirect=True)
def test_a_terminal_that_is_taken_away_costs_its_tasks_another_attempt(
    claude: ClaudeSuite,
) -> None:
    """Worker and screen in it are ended, and others do the task."""
    claude.tasks(it=(f"{once('it')}\nrecord pass x", {"retries": 1, **BASH}))

    def take_away() -> None:
        wait_for(claude.path / "began-it")
        tmux(claude, "kill-session", "-t", "ptc")

    with meanwhile(take_away):
        claude.run("--ptc-interactive", "--ptc-workers=1").assert_outcomes(passed=1)
    assert claude.events("worker lost")[0]["ended"].endswith("its tmux window was closed")


@pytest.mark.fault("pytest-killed")
@on("process", "screen")
def test_a_killed_pytest_takes_workers_and_clients_with_it(
    claude: ClaudeSuite, screen: tuple[str, ...]
) -> None:
    """Within seconds nothing of the run goes on; taken over, what nothing proves is done again."""
    # No repository: that the files are the same cannot be shown.
    claude.tasks(recorded="record fail bad", hangs=(f"{once('hangs')}\nrecord pass x", BASH))
    options = (*screen, "--ptc-workers=1", "--ptc-task-list-id=ours")
    run = start(claude, *options)
    until((claude.path / "began-hangs").exists, "the client that hangs")
    until(lambda: claude.events("ended"), "the verdict")
    run.kill()
    run.communicate(timeout=30)
    until(lambda: not marked_processes(claude), "the end of all clients", 20)
    until(lambda: not claude.tmux_servers(), "the end of the tmux server", 10)
    result = claude.run(*options, "--ptc-resume")
    result.assert_outcomes(passed=1, failed=1)
    assert len(claude.events("assigned")) == 2


@pytest.mark.slow
def test_what_a_killed_client_leaves_goes_with_the_run(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its socket for other sessions, and its tools' output, are in the run's own folder."""
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    look = 'ls -R "$CLAUDE_CODE_TMPDIR" > there; echo "$CLAUDE_CODE_TMPDIR" > place'
    claude.tasks(it=(shell(f"{look}; kill -9 $PPID"), BASH))
    claude.run()
    assert claude.ended() == {"it": "agent failed"}
    there = (claude.path / "there").read_text()
    assert ".sock" in there
    assert f"claude-{os.getuid()}" in there
    place = Path((claude.path / "place").read_text().strip())
    assert place.name.startswith("ptc-")
    assert not place.exists()


@pytest.mark.slow
@pytest.mark.fault("agent-floods", "late-record")
def test_a_tool_that_floods_or_never_ends_ends_with_its_task(claude: ClaudeSuite) -> None:
    """Endless output and a verdict that comes too late are ended; 20 MB are not the journal's."""
    claude.tasks(
        endless=(shell("yes"), {"timeout": 3, **BASH}),
        late=("slow 6 record pass x", {"timeout": 3}),
        flood=(shell("head -c 20000000 /dev/zero | tr '\\0' x") + "\nrecord pass x", BASH),
        lines=(shell("seq 100000; (setsid sleep 600 &)") + "\nrecord fail bad", BASH),
    )
    claude.run()
    ends = {"endless": "timeout", "late": "timeout", "flood": "pass", "lines": "fail"}
    assert claude.ended() == ends
    sizes = [path.stat().st_size for path in claude.runs[-1].rglob("*") if path.is_file()]
    assert max(sizes) < 1_000_000


@pytest.mark.fault("run-timeout")
@pytest.mark.parametrize("claude", ["tmux"], indirect=True)
@pytest.mark.slow
def test_a_run_that_is_out_of_time_ends_all_of_it_and_counts_what_is_recorded(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A screen at work and its tools may end in order, and its last words are shown."""
    clock = RunClock(monkeypatch)
    stay = "trap 'touch asked; exit' TERM; touch at-work; while :; do sleep 0.05; done"
    claude.tasks(
        recorded="record fail bad",
        runs=(f"say I look at the {'plum' * 2}. && {shell(stay)}", BASH),
        waits=("record pass x", {"needs": "test_runs"}),
    )

    def pass_time() -> None:
        wait_for(claude.path / "at-work")
        wait_until(lambda: claude.events("ended"))
        clock.put_forward(claude, 100)

    with meanwhile(pass_time):
        result = claude.run("--ptc-interactive", "--ptc-run-timeout=100")
    result.assert_outcomes(failed=1, errors=2)
    lines = result.outlines
    assert sum(line.startswith("ptc error: run timeout") for line in lines) == 2
    assert "no attempt was made" in lines
    result.stdout.fnmatch_lines_random(["  | *I look at the plumplum.", "  | *touch at-work*"])
    assert (claude.path / "asked").exists()


@pytest.mark.slow
@pytest.mark.fault("journal-full")
def test_a_full_journal_keeps_what_it_has(claude: ClaudeSuite) -> None:
    """What cannot be put on disk is refused to the model, and an error that names the place."""
    place = claude.path / ".pytest_cache/d/ptc"
    claude.tasks(
        before="record fail bad",
        # Long, for what is left of a block that is begun is room enough for a short one.
        fills=(shell(f"cat /dev/zero > {place}/filler") + "\nrecord pass " + "x" * 9000, BASH),
        later="record pass " + "x" * 9000,
    )
    result = run_on_own_disk(claude, place, "--ptc-workers=1")
    result.assert_outcomes(failed=1, errors=2)
    errors = [line for line in result.outlines if line.startswith("ptc error: ")]
    for line, attempt in zip(errors, ("3.1", "4.1"), strict=True):
        where = f"journal {claude.runs[-1]}/attempts/{attempt}"
        assert line.startswith(f"ptc error: machinery - {where}")
        assert line.endswith(": No space left on device")
    told = "\n".join(text for request in claude.api.requests for text in request.texts)
    assert "Refused, and nothing was changed: journal " in told


#: What becomes of the list while the model is at work on its task there. In words that Claude Code
#: does not take for what it denies: to delete, or to write to, files of its own folder.
SPOILT = {
    "deleted": "find {0} -name {1}.json -delete",
    "cut": "truncate -s 60 {0}/{1}.json",
    "broken": "echo broken | dd of={0}/{1}.json",
    "purged": "find {0} -name '*.json' -delete",
    "gone": "find {0} -delete",
}


@pytest.mark.fault("list-broken")
@pytest.mark.parametrize(
    ("claude", "screen", "names"),
    [
        pytest.param("process", (), tuple(SPOILT), id="process", marks=pytest.mark.slow),
        pytest.param(*KINDS["screen"], ("cut", "gone"), id="screen", marks=pytest.mark.slow),
    ],
    indirect=["claude"],
)
def test_a_list_that_is_broken_or_gone_costs_no_verdict(
    claude: ClaudeSuite, screen: tuple[str, ...], names: tuple[str, ...]
) -> None:
    """The own task deleted, cut or nonsense, all tasks purged, the directory removed."""
    claude.tasks(
        **{
            name: (
                shell(SPOILT[name].format(".claude/tasks/ours", number)) + "\nrecord fail bad",
                BASH,
            )
            for number, name in enumerate(names, 2)
        }
    )
    result = claude.run(*screen, "--ptc-workers=1", "--ptc-task-list-id=ours")
    result.assert_outcomes(failed=len(names))
    assert all(report["about"]["tool_calls"] == 1 for report in claude.reports().values())


@pytest.mark.fault("list-full")
@pytest.mark.slow
def test_a_list_on_a_full_disk_costs_no_verdict(claude: ClaudeSuite) -> None:
    """The client cannot complete its task on the list; the journal has the verdict."""
    place = claude.path / ".claude/tasks/ours"
    claude.tasks(it=(shell(f"dd if=/dev/zero of={place}/filler; true") + "\nrecord fail bad", BASH))
    result = run_on_own_disk(claude, place, "--ptc-task-list-id=ours", options="size=64k")
    result.assert_outcomes(failed=1)
    (place / "filler").unlink()


@pytest.mark.slow
@pytest.mark.fault("clock-jumps")
def test_a_clock_that_jumps_changes_nothing(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Hours forward and back while clients work and while they are refused for a moment."""
    inject(claude, monkeypatch, CLOCK.format(str(claude.path / "shift")))
    claude.tasks(
        forward=(shell("echo 7200 > shift") + "\nrecord pass x", BASH),
        limited="status 429 1 retry-after=1\nrecord fail bad",
        back=(shell("echo -7200 > shift") + "\nrecord pass x", BASH),
        then="record fail bad",
    )
    claude.run().assert_outcomes(passed=2, failed=2)
    assert all(0 <= event["seconds"] < 60 for event in claude.events("ended"))


@pytest.mark.slow
@pytest.mark.fault("many-runs")
def test_two_runs_on_one_list_do_not_touch_each_other(claude: ClaudeSuite) -> None:
    """Two at once in one checkout, each with clients of its own, do each task once."""
    there = shell("touch run-$PTC_RUN; until [ $(ls | grep -c ^run-) = 2 ]; do sleep 0.05; done")
    claude.tasks(both=(f"{there}\nrecord pass x", BASH), other="record pass y")
    runs = [start(claude, "--ptc-task-list-id=both", "--ptc-workers=1", "-q") for _ in range(2)]
    for run in runs:
        output, _ = run.communicate(timeout=120)
        assert "2 passed" in output
    for folder in claude.runs:
        assert len(list((folder / "attempts").iterdir())) == 2


@pytest.mark.slow
@pytest.mark.fault("inside-a-session")
def test_a_run_inside_a_session_is_no_part_of_it(claude: ClaudeSuite) -> None:
    """What Claude Code tells its tools of itself does not reach the clients of such a run."""
    wrapper = claude.path / "client"
    wrapper.write_text(f'#!/bin/sh\nenv > "$PWD/client.env"\nexec {client()} "$@"\n')
    wrapper.chmod(0o755)
    claude.tasks(it="record pass x")
    pytest_line = f"CLAUDE_CODE={wrapper} {sys.executable} -m pytest --ptc-workers=1 -q > told 2>&1"
    script = (shell(f"env > session.env; {pytest_line}"), "say Done.")
    session_of_a_person(claude.path, "Run the tests.", script, tools=("Bash",))
    assert "1 passed" in (claude.path / "told").read_text()
    session, ours = (variables(claude.path / name) for name in ("session.env", "client.env"))
    assert session["CLAUDECODE"] == "1"
    known = {"CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "CLAUDE_CODE"}
    of_session = {name for name in session if name.startswith("CLAUDE")} - known
    assert len(of_session) > 3
    assert not [name for name in of_session if ours.get(name) == session[name]]


def variables(file: Path) -> dict[str, str]:
    """Return what `env` has written."""
    lines = file.read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line)


@pytest.mark.slow
@pytest.mark.fault("odd-paths")
@on("process", "screen")
def test_a_project_may_lie_anywhere(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch, screen: tuple[str, ...]
) -> None:
    """Spaces, quotes, other scripts and signs of tmux in every path, the task's directory too."""
    with tempfile.TemporaryDirectory(prefix="ptc é ", dir="/tmp") as place:
        move(claude, monkeypatch, Path(place) / ODD_FOLDER)
        claude.ini()
        (claude.path / ODD_SUBFOLDER).mkdir()
        plum = claude.path / ODD_SUBFOLDER / "pflaume ü.txt"
        plum.write_text("sweet\n")
        read = f"use Read {json.dumps({'file_path': str(plum)})}"
        claude.tasks(
            reads=(f"{read}\nrecord pass x", {"cwd": ODD_SUBFOLDER}),
            starts=(shell("touch here") + "\nrecord fail bad", {"cwd": ODD_SUBFOLDER, **BASH}),
        )
        claude.run(*screen).assert_outcomes(passed=1, failed=1)
        assert "sweet" in json.dumps([request.body for request in claude.api.requests])
        assert (plum.parent / "here").exists()
        nothing_left(claude)


@pytest.mark.fault("root")
@pytest.mark.slow
def test_root_has_no_other_rules(claude: ClaudeSuite) -> None:
    """As root of a namespace, whoever runs these tests: in the default mode all is as elsewhere."""
    claude.tasks(
        root=(shell('test "$(id -u)" = 0') + "\nrecord pass x", BASH), fails="record fail bad"
    )
    line = (sys.executable, "-m", "pytest", *WITHOUT, "--ptc-workers=2")
    claude.pytester.run(*shell_namespace(), *line).assert_outcomes(passed=1, failed=1)


@pytest.mark.fault("no-home")
@pytest.mark.slow
def test_without_a_home_a_configuration_directory_is_enough(
    claude: ClaudeSuite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The client finds the list where pytest does, though nobody has a home."""
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(claude.claude))
    claude.tasks(passes='use Glob {"pattern": "*"}\nrecord pass x', fails="record fail bad")
    claude.run().assert_outcomes(passed=1, failed=1)
