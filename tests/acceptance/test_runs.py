"""Runs seen from outside: `ptc list`, `ptc stop`, `ptc attach` and `ptc clean`."""

from __future__ import annotations

import json
import os
import pty
import re
import shutil
import subprocess
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.cli.main import main
from pytest_ptc.journal.keys import KEY_FILE, state_folder
from tests.support.journals import KEY, read_events, write_story
from tests.support.programs import ptc
from tests.support.runs import HANGS, start, until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.support.suite import Suite


def test_a_run_is_listed_and_stopped_in_order(suite: Suite) -> None:
    """It is listed as running with what is done of it; stopped, it ends as by any signal.

    Without a screen, it cannot be attached to.
    """
    assert ptc(suite, "list").stdout == "no runs here\n"
    suite.write(test_a=HANGS + "@pytest.mark.ptc('pass')\ndef test_done(): pass\n")
    run = start(suite)
    until(lambda: "1 of 2 judged: 1 pass" in ptc(suite, "list").stdout, "the first verdict")
    (line,) = ptc(suite, "list").stdout.splitlines()
    run_id = suite.runs[0].name
    assert re.fullmatch(
        rf"{run_id}  active for 0:\d\d  1 of 2 judged: 1 pass  pytest .*--ptc-workers=2", line
    )
    refused = ptc(suite, "attach")
    assert refused.returncode == 2
    assert "no screens to watch" in refused.stderr
    stopped = ptc(suite, "stop")
    assert stopped.stdout == f"{suite.runs[0].name}: ended\n"
    output, _ = run.communicate(timeout=30)
    assert "stopped by SIGTERM" in output
    (line,) = ptc(suite, "list").stdout.splitlines()
    assert re.match(rf"{run_id}  ended \d+ s ago  stopped, 1 of 2 judged: 1 pass  pytest ", line)
    refused = ptc(suite, "stop")
    assert refused.returncode == 2
    assert "no run is active; see `ptc list`" in refused.stderr


def test_a_terminal_shows_the_shortest_id_and_a_script_gets_the_whole(suite: Suite) -> None:
    """The end of an id may name a second run tomorrow: what is kept is the whole."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    suite.run()
    whole = suite.runs[0].name
    assert ptc(suite, "list").stdout.startswith(f"{whole}  ended ")
    ours, terminal = pty.openpty()
    line = [sys.executable, "-m", "pytest_ptc.cli", "list"]
    subprocess.run(line, cwd=suite.path, stdout=terminal, check=True)
    os.close(terminal)
    shown = os.read(ours, 4096).decode()
    os.close(ours)
    assert shown.startswith(f"{whole.rpartition('-')[2]}  ended ")


@pytest.mark.fault("pytest-killed")
@pytest.mark.parametrize(
    ("suite", "list_id"),
    [("process", "ours"), pytest.param("tmux", "", marks=pytest.mark.slow)],
    indirect=["suite"],
)
def test_what_a_killed_run_has_left_is_removed(suite: Suite, list_id: str) -> None:
    """Its tasks, its socket and its tmux server go; tasks of others and the journal stay."""
    theirs = suite.claude / "tasks/ours/1.json"
    theirs.parent.mkdir(parents=True)
    task = {"id": "1", "subject": "theirs", "description": "", "status": "pending"}
    theirs.write_text(json.dumps({**task, "blocks": [], "blockedBy": []}))
    suite.write(test_a=HANGS)
    run = start(suite, *([f"--ptc-task-list-id={list_id}"] if list_id else []))
    until((suite.path / "began").exists, "the agent")
    run.kill()
    run.communicate(timeout=30)
    until(lambda: not suite.processes(), "the end of all processes", 10)
    assert "killed" in ptc(suite, "list").stdout
    cleaned = ptc(suite, "clean")
    assert cleaned.returncode == 0, cleaned.stderr
    assert cleaned.stdout.startswith(f"{suite.runs[0].name}: removed ")
    assert ptc(suite, "clean").stdout == "nothing to clean\n"
    assert f"{suite.runs[0].name}  ended" in ptc(suite, "list").stdout
    assert [path.name for path in theirs.parent.glob("*.json")] == ["1.json"]
    theirs.unlink()


@pytest.mark.slow
def test_of_several_runs_one_is_named_by_the_end_of_its_id(suite: Suite) -> None:
    """A run that is not named must be the only one."""
    suite.write(test_a=HANGS)
    runs = [start(suite), start(suite)]
    until(lambda: ptc(suite, "list").stdout.count("active for") == 2, "both runs")
    assert ptc(suite, "stop").returncode == 2
    for folder in suite.runs:
        assert ptc(suite, "stop", folder.name[-5:]).stdout == f"{folder.name}: ended\n"
    for run in runs:
        run.communicate(timeout=30)


def test_an_audit_finds_what_was_changed(suite: Suite) -> None:
    """A report, or a file beside it, that is not what it was when the attempt ended is named."""
    suite.write(
        test_a="@pytest.mark.ptc('say plum\\nrecord pass|--summary|x')\ndef test_it(): pass\n"
    )
    suite.run().assert_outcomes(passed=1)
    assert ptc(suite, "audit").stdout == f"{suite.runs[0].name}: 1 attempt, all unchanged\n"
    (folder,) = suite.runs[0].glob("attempts/*")
    (folder / "output.log").write_text("pear\n")
    (folder / "records.jsonl").unlink()
    found = ptc(suite, "audit", suite.runs[0].name[-5:])
    assert found.returncode == 2
    assert f"{folder.name}: output.log has changed" in found.stderr
    assert f"{folder.name}: records.jsonl is gone" in found.stderr
    (folder / "report.json").write_text("{}")
    assert "report.json is not what the coordinator read" in ptc(suite, "audit").stderr


def test_what_a_journal_names_is_removed_only_where_it_is_the_runs(suite: Suite) -> None:
    """A journal that verifies, and names what is not the run's: all of that stays, and is told."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    suite.run().assert_outcomes(passed=1)
    (folder,) = suite.runs
    precious = suite.path / "tmp" / "ptc-thesis"
    (precious / "tasks").mkdir(parents=True)
    precious.chmod(0o700)
    (precious / "socket").touch()
    events = read_events(folder)[:1]
    named = {
        "pid": 1,
        "created": 0.0,
        "scratch": str(precious),
        "tmux_socket": str(precious / "socket"),
        "task_list": str(precious / "tasks"),
        "own_list": True,
    }
    key = (state_folder(os.environ) / KEY_FILE).read_bytes()
    write_story(folder, [{**events[0], **named}], key)
    cleaned = ptc(suite, "clean")
    assert "removed nothing; left " in cleaned.stdout, cleaned.stderr
    for name in ("", "/socket", "/tasks"):
        assert f"{precious}{name}: " in cleaned.stdout
    assert sorted(path.name for path in precious.iterdir()) == ["socket", "tasks"]
    assert " ended " in ptc(suite, "list").stdout
    shutil.rmtree(precious)


def _commit(suite: Suite, folder: Path) -> None:
    for words in (["init", "-q"], ["add", "-f", str(folder)]):
        subprocess.run(["git", *words], cwd=suite.path, check=True, capture_output=True)


def _edit(suite: Suite, folder: Path) -> None:
    del suite
    story = folder / "journal.jsonl"
    story.write_text(story.read_text().replace('"verdict": "fail"', '"verdict": "pass"'))


def _from_a_link(suite: Suite, folder: Path) -> None:
    elsewhere = suite.path / "elsewhere"
    folder.rename(elsewhere)
    folder.symlink_to(elsewhere)


def _of_another_key(suite: Suite, folder: Path) -> None:
    del suite
    write_story(folder, read_events(folder), KEY)


def _of_an_older_version(suite: Suite, folder: Path) -> None:
    del suite
    lines = [f"{json.dumps(event)}\n" for event in read_events(folder)]
    (folder / "journal.jsonl").write_text("".join(lines))


def _renamed(suite: Suite, folder: Path) -> None:
    del suite
    folder.rename(folder.with_name("20991231-235959-000aa"))


def _writable(suite: Suite, folder: Path) -> None:
    del suite
    folder.chmod(0o777)


def _as_fifo(suite: Suite, folder: Path) -> None:
    del suite
    (folder / "journal.jsonl").unlink()
    os.mkfifo(folder / "journal.jsonl")


#: What may have become of a journal, and why it is refused then.
DOUBTS: dict[Callable[[Suite, Path], None], str] = {
    _edit: "has been changed",
    _from_a_link: "is a link",
    _of_another_key: "another key",
    _of_an_older_version: "has no seal",
    _renamed: "has been changed",
    _writable: "can be written by others",
    _as_fifo: "not a regular file",
    # The last: git has the folder from then on.
    _commit: "tracked by git",
}


def test_a_journal_that_is_not_proved_is_refused_by_all(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Nothing is kept, reported, ended or removed by it, and each command says why."""
    suite.write(test_a="@pytest.mark.ptc('fail no')\ndef test_it(): pass\n")
    suite.run().assert_outcomes(failed=1)
    (folder,) = suite.runs
    original = folder.rename(suite.path / "original")
    monkeypatch.chdir(suite.path)
    for done, said in DOUBTS.items():
        shutil.copytree(original, folder)
        done(suite, folder)
        (run,) = suite.runs
        for words in (["audit"], ["report", "--json=-"], ["stop", run.name], ["attach", run.name]):
            capsys.readouterr()
            assert main(words) == 2
            refused = capsys.readouterr().err
            assert f"run {run.name} is refused: it" in refused, (done, words)
            assert said in refused
            assert len(refused.splitlines()) == 1
        for words in (["list"], ["clean"], ["clean", "--keep=0"]):
            capsys.readouterr()
            assert main(words) == 0
            assert f"{run.name}  refused: it" in capsys.readouterr().out, (done, words)
        assert suite.runs == [run]
        named = suite.run(f"--ptc-resume={run.name[-5:]}")
        assert named.ret == pytest.ExitCode.USAGE_ERROR
        named.stderr.fnmatch_lines([f"*run {run.name} is refused: it*{said}*"])
        if done is _edit:
            again = suite.run("--ptc-resume", "-q")
            again.assert_outcomes(failed=1)
            told = f"ptc: resumes nothing: run {run.name} is refused: it*{said}*"
            again.stdout.fnmatch_lines([told])
            shutil.rmtree(suite.runs[-1])
        if run.is_symlink():
            shutil.rmtree(run.resolve())
            run.unlink()
        else:
            shutil.rmtree(run)
    shutil.rmtree(original)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.slow
def test_a_journal_of_another_user_is_refused(suite: Suite) -> None:
    """Whoever owns a file of it can change it after we have looked."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    suite.run().assert_outcomes(passed=1)
    (folder,) = suite.runs
    (report,) = folder.glob("attempts/*/report.json")
    for given in (folder, folder / "journal.jsonl", report):
        os.chown(given, 12345, 12345)
        assert "refused: it belongs to another user" in ptc(suite, "list").stdout, given
        os.chown(given, os.geteuid(), os.getegid())
    os.chown(report, 12345, 12345)
    suite.run("--ptc-resume").assert_outcomes(passed=1)
    assert suite.events("assigned")


@pytest.mark.slow
def test_a_journal_is_handed_from_job_to_job_with_its_key(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """An artifact loses modes and comes to another machine: with the key, its verdicts stand."""
    key = "0123456789abcdef" * 4
    monkeypatch.setenv("PTC_JOURNAL_KEY", key)
    seen = tmp_path / "seen"
    suite.write(
        test_a="@pytest.mark.ptc('fail no')\ndef test_it(): pass\n"
        f"@pytest.mark.ptc('sh env > {seen}')\ndef test_b(): pass\n"
    )
    suite.commit()
    suite.run()
    assert key not in seen.read_text()
    assert key.encode() not in b"".join(
        path.read_bytes() for path in suite.runs[0].rglob("*") if path.is_file()
    )
    archive = shutil.make_archive(str(tmp_path / "artifact"), "zip", suite.runs[0].parent)
    shutil.rmtree(suite.runs[0].parent)
    # As another machine, which has no state directory yet.
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    with zipfile.ZipFile(archive) as packed:
        packed.extractall(suite.path / ".pytest_cache/d/ptc/runs")
    suite.run("--ptc-resume")
    assert len(suite.events("kept")) == 1
    monkeypatch.setenv("PTC_JOURNAL_KEY", "another key, as long as it has to be, at least")
    assert ptc(suite, "list").stdout.count("written with another key") == 2
    monkeypatch.setenv("PTC_JOURNAL_KEY", "short")
    refused = ptc(suite, "list")
    assert refused.returncode == 2
    assert "PTC_JOURNAL_KEY: has 5 characters" in refused.stderr


def test_without_a_place_for_the_key_nothing_is_started(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A usage error with the fix; a run that gives nothing to agents needs no key."""
    monkeypatch.delenv("XDG_STATE_HOME")
    monkeypatch.delenv("HOME")
    monkeypatch.setenv("CLAUDE_CONFIG_DIR", str(suite.claude))
    suite.write(test_a="def test_plain(): pass\n")
    suite.run().assert_outcomes(passed=1)
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    refused = suite.run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*set HOME, or set PTC_JOURNAL_KEY*"])
    monkeypatch.setenv("XDG_STATE_HOME", str(suite.path / "state"))
    refused = suite.run()
    assert refused.ret == pytest.ExitCode.USAGE_ERROR
    refused.stderr.fnmatch_lines(["*in the tree under test*"])
    assert not (suite.path / "state").exists()


@pytest.mark.parametrize(
    "how",
    [
        "ini-without-note",
        *(pytest.param(how, marks=pytest.mark.slow) for how in ("option", "ini", "variable")),
    ],
)
def test_runs_are_found_where_the_cache_directory_is(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """However pytest was told of another cache directory, `ptc` finds the runs in it."""
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    args = []
    match how:
        case "option":
            args = ["-o", "cache_dir=build/cache"]
        case "variable":
            monkeypatch.setenv("PYTEST_ADDOPTS", "-o cache_dir=build/cache")
        case _:
            with (suite.path / "tox.ini").open("a") as ini:
                ini.write("\ncache_dir = build/cache\n")
    suite.run(*args).assert_outcomes(passed=1)
    (folder,) = (suite.path / "build/cache/d/ptc/runs").iterdir()
    if how == "ini-without-note":
        shutil.rmtree(state_folder(os.environ) / "projects")
    below = suite.path / "src/deep"
    below.mkdir(parents=True)
    line = [sys.executable, "-m", "pytest_ptc.cli", "list"]
    listed = subprocess.run(line, cwd=below, capture_output=True, text=True, check=True)
    assert re.match(rf"{folder.name}  ended \d+ s ago  1 item: 1 pass  pytest ", listed.stdout)


def test_a_journal_is_not_written_through_what_the_tree_puts_there(
    suite: Suite, tmp_path: Path
) -> None:
    """A link out of the tree, or a file where a folder belongs: a usage error that names it."""
    suite.write(test_a="@pytest.mark.ptc('touch began\\npass')\ndef test_it(): pass\n")
    outside = tmp_path / "outside"
    outside.mkdir()
    for way in (".pytest_cache", ".pytest_cache/d", ".pytest_cache/d/ptc/runs"):
        place = suite.path / way
        place.parent.mkdir(parents=True, exist_ok=True)
        for what in ("link", "file"):
            if what == "link":
                place.symlink_to(outside)
            else:
                place.write_text("in the way")
            refused = suite.run("-p", "no:cacheprovider")
            assert refused.ret == pytest.ExitCode.USAGE_ERROR, (way, what)
            refused.stderr.fnmatch_lines([f"*{place} is *; remove it, or choose another place*"])
            assert list(outside.iterdir()) == []
            place.unlink()
    assert not (suite.path / "began").exists()


def test_old_journals_go_when_they_are_told_to(suite: Suite) -> None:
    """Nothing recorded is removed unless somebody says how much of it is to be kept.

    `ptc clean` is told, or the end of a run, whose own journal is one of those that are kept.
    """
    suite.write(test_a="@pytest.mark.ptc('pass')\ndef test_it(): pass\n")
    for _ in range(2):
        suite.run().assert_outcomes(passed=1)
    first, second = (run.name for run in suite.runs)
    assert ptc(suite, "clean").stdout == "nothing to clean\n"
    assert ptc(suite, "clean", "--keep=1").stdout == f"{first}: removed its journal\n"
    assert [run.name for run in suite.runs] == [second]
    suite.run("-o", "ptc_keep_runs=1").assert_outcomes(passed=1)
    (last,) = suite.runs
    assert last.name != second
    assert suite.run("-o", "ptc_keep_runs=0").ret == pytest.ExitCode.USAGE_ERROR
