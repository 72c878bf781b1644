"""`--ptc-resume` keeps a verdict only by proof, and says why one is asked for again."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest

from pytest_ptc.session.run_ids import new_run_id
from tests.support.journals import read_events

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.suite import Suite

ONE = "@pytest.mark.ptc('say Review all of it.\\npass')\ndef test_it(): pass\n"


def why(suite: Suite, *args: str) -> str:
    """Resume; return what is said of verdicts that do not stand, in one line."""
    result = suite.run("--ptc-resume", *args)
    told = [line for line in result.outlines if " kept" in line and "not run again" not in line]
    return "\n".join(told)


def test_the_whole_tree_counts_and_changes_are_named(suite: Suite) -> None:
    """Untracked files too, whatever the prompt names; what stands again stands in further runs."""
    for name in ("a.txt", "b.txt", "c.txt"):
        (suite.path / name).write_text("1")
    suite.write(test_a=ONE.replace("all of it", "a.txt"))
    suite.commit()
    suite.run().assert_outcomes(passed=1)
    first = suite.runs[0].name
    assert why(suite) == ""
    (suite.path / "b.txt").write_text("2")
    (suite.path / "c.txt").unlink()
    (suite.path / "notes.txt").write_text("1")
    (suite.path / "other.txt").write_text("1")
    said = why(suite, f"--ptc-resume={first[-7:]}")
    changed = "M b.txt, D c.txt, ?? notes.txt, +1 more"
    assert said == f"ptc: 0 of 1 verdict of run {first} kept: the tree changed ({changed})"
    assert suite.events("assigned")
    assert why(suite) == ""


@pytest.mark.slow
def test_different_reasons_are_told_apart(suite: Suite) -> None:
    """Each with how many verdicts it is that do not stand by it."""
    suite.write(
        test_a="@pytest.mark.ptc('say one\\npass')\ndef test_a(): pass\n"
        "@pytest.mark.ptc('say two\\npass')\ndef test_b(): pass\n"
        "@pytest.mark.ptc('pass', needs='test_b')\ndef test_c(): pass\n"
        "@pytest.mark.ptc('pass', model='m')\ndef test_d(): pass\n"
        "@pytest.mark.ptc('exit 0')\ndef test_e(): pass\n"
    )
    suite.commit("test_a.py")
    suite.run().assert_outcomes(passed=4, errors=1)
    text = (suite.path / "test_a.py").read_text()
    suite.write(
        test_a=text.replace("two", "three").replace("'m'", "'n'").removeprefix("import pytest")
    )
    result = suite.run("--ptc-resume")
    result.stdout.fnmatch_lines(
        [
            f"ptc: 1 of 4 verdicts of run {suite.runs[0].name} kept",
            "ptc:   1 not: a task that it needs is run again",
            "ptc:   1 not: the prompt changed",
            "ptc:   1 not: the settings changed",
        ]
    )
    assert len(suite.events("assigned")) == 4


@pytest.mark.parametrize("kind", ["put-back", pytest.param("changed", marks=pytest.mark.slow)])
def test_what_an_agent_changes_is_not_what_was_judged(suite: Suite, kind: str) -> None:
    """It passes what it has made of the text under review; then the text is as it was."""
    (suite.path / "a.txt").write_text("evil")
    back = "sh printf evil > a.txt\\n" if kind == "put-back" else ""
    suite.write(
        test_a=f"@pytest.mark.ptc('sh printf good > a.txt\\n{back}pass')\ndef test_it(): pass\n"
    )
    suite.commit()
    suite.run().assert_outcomes(passed=1)
    (suite.path / "a.txt").write_text("evil")
    expected = "put back" if kind == "put-back" else "the tree changed while it ran"
    assert expected in why(suite)
    assert suite.events("assigned")


@pytest.mark.slow
def test_a_module_of_the_agents_counts(
    suite: Suite, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """An agent outside of the repository is all that stands beside its script."""
    tools: Path = tmp_path_factory.mktemp("tools")
    (tools / "rules.py").write_text("KIND = 'pass'\n")
    script = tools / "agent.py"
    script.write_text(
        "import json, sys, rules\nsys.stdin.read()\n"
        "print(json.dumps({'verdict': rules.KIND, 'summary': 's'}))\n"
    )
    suite.write(test_a=ONE)
    suite.commit()
    command = f"--ptc-command={sys.executable} {script}"
    suite.run(command).assert_outcomes(passed=1)
    assert why(suite, command) == ""
    (tools / "rules.py").write_text("KIND = 'fail'\n")
    assert why(suite, command).endswith(f"the agent changed (M {tools}/rules.py)")


def test_where_there_is_no_repository_all_is_run_again(suite: Suite) -> None:
    """And it is said why."""
    suite.write(test_a=ONE)
    suite.run().assert_outcomes(passed=1)
    assert why(suite).endswith(f"kept: there is no git repository around {suite.path}")
    assert suite.events("assigned")


@pytest.mark.slow
def test_our_own_files_are_no_change(suite: Suite) -> None:
    """Caches and reports, also where git does not ignore them, and wherever they are."""
    suite.write(test_a=ONE)
    suite.commit()
    # Pytest has git ignore a directory that it makes, but not one that is there.
    (suite.path / "cache").mkdir()
    (suite.path / ".gitignore").write_text("__pycache__\n/tmp\n.claude/tasks\n")
    args = ("-o", "cache_dir=cache", "--ptc-json=r.json", "--ptc-html=r/r.html", "--junitxml=j.xml")
    suite.run(*args).assert_outcomes(passed=1)
    assert (suite.path / "r.json").exists()
    result = suite.run("--ptc-resume", *args)
    result.stdout.fnmatch_lines(["*1 verdict of run * kept, unchanged: not run again"])
    (suite.path / "cache/notes.txt").write_text("no file of pytest's")
    assert "?? cache/notes.txt" in why(suite, *args)


@pytest.mark.slow
def test_tests_of_one_node_id_do_not_stand_for_each_other(suite: Suite) -> None:
    """Outside of pytest's root directory two files have the same; whichever comes first."""
    suite.commit("reviews")
    reviews = suite.path / "reviews"
    for name, kind in (("security", "fail"), ("style", "pass")):
        folder = reviews / name
        folder.mkdir(parents=True)
        (folder / "test_r.py").write_text(
            f"import pytest\n@pytest.mark.ptc('{kind} so')\ndef test_review(): pass\n"
        )
    (suite.path / "root").mkdir()
    (suite.path / "tox.ini").rename(reviews / "pytest.ini")
    both = [str(reviews / name / "test_r.py") for name in ("security", "style")]
    args = (f"--rootdir={suite.path}/root", "-c", str(reviews / "pytest.ini"))
    import_mode = "--import-mode=importlib"
    for files in (both, both[::-1]):
        first = suite.run(*args, import_mode, *files)
        again = suite.run(*args, import_mode, *files, "--ptc-resume")
        assert first.ret != pytest.ExitCode.OK
        assert again.ret != pytest.ExitCode.OK


@pytest.mark.slow
def test_the_last_run_is_the_last_one_in_every_zone(
    suite: Suite, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A later run in a zone behind an earlier one's is not taken for the earlier."""
    suite.write(test_a=ONE)
    suite.commit()
    for zone in ("UTC0", "EST5", "XXX-14"):
        monkeypatch.setenv("TZ", zone)
        suite.spawn().assert_outcomes(passed=1)
    began = [read_events(run)[0]["at"] for run in suite.runs]
    assert began == sorted(began)


def test_run_ids_sort_by_time_when_the_clock_goes_back() -> None:
    """The new run is the last one, whatever a clock says; an id that is none is no matter."""
    now = 1_795_346_284.5
    last = new_run_id(now)
    assert last.startswith("20261122-")
    for clock in (now, now - 0.001, now - 3600, now - 10**9, now - 0.9995):
        after = new_run_id(clock, last)
        assert after > last
        last = after
    assert new_run_id(now, "99999999-strange").startswith("20261122-")
    assert new_run_id(now, "zzz").startswith("20261122-")
    assert new_run_id(now + 5, last) > last
