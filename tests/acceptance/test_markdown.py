"""Suites without Python, and the helper that lists files."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from tests.support.suite import WITHOUT

if TYPE_CHECKING:
    from tests.support.suite import Suite


def write(suite: Suite, text: str, name: str = "review.ptc.md") -> None:
    """Write a file of items."""
    path = suite.path / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def tasks(suite: Suite) -> dict[str, dict[str, object]]:
    """Return the tasks of the last run, by what stands behind the file's name."""
    specs = [event["spec"] for event in suite.events("submitted")]
    return {spec["nodeid"].partition("::")[2]: spec for spec in specs}


def test_a_file_without_front_matter_is_one_item(suite: Suite) -> None:
    """Its whole text is the prompt; braces that name nothing are left alone."""
    write(suite, '\nsay {"a": 1}\npass\n', "docs/all.ptc.md")
    suite.run("docs").assert_outcomes(passed=1)
    (spec,) = tasks(suite).values()
    assert spec["nodeid"] == "docs/all.ptc.md::prompt"
    assert spec["prompt"] == 'say {"a": 1}\npass'


def test_each_outcome_is_that_of_any_item(suite: Suite) -> None:
    """Pass, fail, skip, trouble, a canary that is caught and one that is waved through."""
    for name in ("pass", "fail no", "skip not here", "exit 0"):
        write(suite, name, f"{name.split()[0]}.ptc.md")
    write(suite, "---\nxfail: a known defect\n---\nfail yes", "canary.ptc.md")
    write(suite, "---\nxfail: a known defect\n---\npass", "blind.ptc.md")
    write(suite, "---\nskip: not today\n---\npass", "later.ptc.md")
    result = suite.run("--junitxml=report.xml")
    result.assert_outcomes(passed=1, failed=2, skipped=2, errors=1, xfailed=1)
    # Newer versions of pytest say why in the line at the end, too.
    lines = [
        "* blind.ptc.md::prompt *",
        "[[]XPASS(strict)] a known defect",
        "FAILED blind.ptc.md::*",
    ]
    result.stdout.fnmatch_lines(lines)
    assert 'name="prompt"' in (suite.path / "report.xml").read_text()


def test_a_file_fans_out_over_a_list(suite: Suite) -> None:
    """Of values, which the prompt has as `each`, or of mappings with names of their own."""
    write(suite, "---\neach: [a, b, 3]\ntimeout: 20\nretries: 1\n---\nsay {each}\npass\n")
    write(
        suite,
        "---\neach:\n- {page: home, depth: 1}\n- {page: about, depth: 2}\n"
        "- {page: home, depth: 1}\n---\nsay {page} {depth}\npass",
        "pages.ptc.md",
    )
    suite.run().assert_outcomes(passed=6)
    found = tasks(suite)
    assert set(found) == {"a", "b", "3", "home-1", "about-2", "home-1-2"}
    assert found["3"]["prompt"] == "say 3\npass"
    assert found["3"]["timeout"] == 20
    assert found["about-2"]["params"] == {"page": "about", "depth": "2"}


@pytest.mark.slow
def test_a_file_fans_out_over_what_others_list(suite: Suite) -> None:
    """A command in the root directory, CSV and OpenAPI; values are as they are written."""
    (suite.path / "people.csv").write_text("name,age\nno,007\n")
    (suite.path / "api.yaml").write_text("swagger: '2.0'\npaths: {/users: {get: {}}}\n")
    write(suite, "---\neach: {command: ls people.csv}\n---\nsay {each}\npass", "ls.ptc.md")
    write(suite, "---\neach: {csv: people.csv}\n---\nsay {name} {age}\npass", "csv.ptc.md")
    write(suite, "---\neach: {openapi: api.yaml}\n---\nsay {operation}\npass", "api.ptc.md")
    suite.run().assert_outcomes(passed=3)
    assert {name: spec["prompt"] for name, spec in tasks(suite).items()} == {
        "people.csv": "say people.csv\npass",
        "no-007": "say no 007\npass",
        "GET-/users": "say GET /users\npass",
    }


@pytest.mark.slow
def test_a_file_fans_out_over_files_and_pull_requests(suite: Suite) -> None:
    """Files by patterns, from the root directory; numbers as `pr`."""
    for name in ("src/a.py", "src/deep/b.py", "src/deep/c.txt", "src/node_modules/d.py"):
        (suite.path / name).parent.mkdir(parents=True, exist_ok=True)
        (suite.path / name).touch()
    write(
        suite,
        "---\neach:\n  files: ['src/**/*.py', 'src/**/*.txt']\n  exclude: '**/c.*'\n---\n"
        "say {path}\npass\n",
        "deep/files.ptc.md",
    )
    write(suite, "---\neach: {pull_requests: [7, 8]}\n---\nsay {pr}\npass\n", "prs.ptc.md")
    suite.run().assert_outcomes(passed=4)
    assert set(tasks(suite)) == {"src/a.py", "src/deep/b.py", "7", "8"}


def test_a_file_fans_out_over_what_has_changed(suite: Suite) -> None:
    """Since the branch was left: committed, not committed, new and deleted; or that nothing has."""

    def git(*words: str) -> None:
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        subprocess.run(["git", *who, *words], cwd=suite.path, check=True, capture_output=True)

    for name in ("same.py", "gone.py", "edited.py", "committed.py"):
        (suite.path / name).write_text("1")
    (suite.path / ".gitignore").write_text("*\n!*.py\n")
    git("init", "-qb", "main")
    git("add", "-A")
    git("commit", "-qm", "first")
    git("checkout", "-qb", "work")
    (suite.path / "committed.py").write_text("2")
    git("commit", "-qam", "second")
    (suite.path / "edited.py").write_text("2")
    (suite.path / "n\u00ebw one.py").write_text("2")
    (suite.path / "gone.py").unlink()
    write(
        suite,
        "---\neach: {changed: main, files: '*.py', exclude: agent.py}\n---\n"
        "say {path} {status}\npass",
    )
    result = suite.run()
    result.assert_outcomes(passed=4)
    found = tasks(suite)
    assert set(found) == {"committed.py", "edited.py", "gone.py", "n\u00ebw one.py"}
    assert found["gone.py"]["prompt"] == "say gone.py deleted\npass"
    git("checkout", "-q", "--", ".")
    (suite.path / "n\u00ebw one.py").unlink()
    git("checkout", "-q", "main")
    result = suite.run("--junitxml=report.xml")
    result.assert_outcomes(passed=1)
    result.stdout.fnmatch_lines(["ptc: review.ptc.md::nothing-changed: nothing changed since main"])
    assert "nothing changed since main" in (suite.path / "report.xml").read_text()


#: Files, and what is said of each.
WRONG = (
    ("---\ntimeout: 3\n", "*{name}:1: the front matter does not end*"),
    ("---\ntimeout: 3\n---\n\n", "*{name}:4: the prompt is missing*"),
    ("", "*{name}:1: the prompt is missing*"),
    ("---\na: [\n---\nx", "*{name}:*: the front matter is not YAML*"),
    ("---\n- a\n---\nx", "*{name}:2: the front matter must be keys and values*"),
    ("---\nretries: 1\n\ntimeout: -3\n---\nx", "*{name}:4: timeout: must be a number*"),
    ("---\ntimout: 3\n---\nx", "*{name}:2: timout: unknown keyword*each, xfail, skip*"),
    ("---\nretries: 1\nretries: 2\n---\nx", "*{name}:3: retries: is given twice*"),
    ("---\ngate: false\n---\nx", "*{name}:2: gate: needs a test with a body*"),
    ("\n---\nfail_on: high\n---\nx", "*{name}:2: this looks like front matter*line 1*"),
    ("---\nxfail:\n---\nx", "*{name}:2: xfail: must be a text, the reason*"),
    ("---\neach: 7\n---\nx", "*{name}:2: each: must be a list, or one of changed, *"),
    ("---\neach: []\n---\nx", "*{name}:2: each: is an empty list*"),
    ("---\neach: {files: 'x/*.py'}\n---\nx", "*{name}:2: each: no file below*x/[*].py*"),
    (
        "---\neach: {files: '*.md', exclude: '*'}\n---\nx",
        "*{name}:2: each: everything that matches*is excluded*",
    ),
    (
        "---\neach: {files: '../*'}\n---\nx",
        "*{name}:2: each: files: '../[*]' leads out of*",
    ),
    ("---\neach: {files: {}}\n---\nx", "*{name}:2: each: files: must be a pattern*"),
    (
        "---\neach: {changed: --help}\n---\nx",
        "*{name}:2: each: changed: '--help' is not the*",
    ),
    ("---\neach: {changed: main}\n---\nx", "*{name}:2: each: what has changed since*"),
    (
        "---\neach: {pull_requests: [a]}\n---\nx",
        "*{name}:2: each: pull_requests: must be a list of*",
    ),
    (
        "---\neach: [1]\n---\nx\ny {pat}",
        "*{name}:5: {pat} has no value: `each` gives e*",
    ),
)


def test_what_is_wrong_with_a_file_is_told_with_its_line(suite: Suite) -> None:
    """It is an error of collection, before anything is started."""
    wanted = []
    for number, (text, said) in enumerate(WRONG):
        name = f"wrong-{number}.ptc.md"
        write(suite, text, name)
        wanted.append(said.replace("{name}", name))
    result = suite.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.assert_outcomes(errors=len(WRONG))
    result.stdout.fnmatch_lines_random(wanted)
    assert suite.runs == []


def test_without_workers_such_items_are_skipped(suite: Suite) -> None:
    """As any marked test; their prompts are shown when they are only collected."""
    write(suite, "---\neach: [plum]\n---\nEat the {each}.")
    result = suite.pytester.runpytest_inprocess(*WITHOUT, "-rs")
    result.assert_outcomes(skipped=1)
    result.stdout.fnmatch_lines(["*run it with --ptc-workers=N*"])
    shown = suite.pytester.runpytest_inprocess(*WITHOUT, "--collect-only", "-v")
    shown.stdout.fnmatch_lines(["ptc: review.ptc.md::plum", "    Eat the plum."])


@pytest.mark.slow
def test_what_verbose_output_shows_can_be_given_back(suite: Suite) -> None:
    """Ids with dots, colons, brackets, blanks, controls and dashes; no two are the same."""
    values = ["v1.2", "a::b", "x[1::2].y", " b ", "-x", "a\x1b]0;t\x07::e", "a", "a-2", "a", ""]
    written = "".join(f"- {json.dumps(value)}\n" for value in values)
    write(suite, f"---\neach:\n{written}---\nsay it <{{each}}>\npass", "deep/r.v1.ptc.md")
    result = suite.run("-v")
    result.assert_outcomes(passed=len(values))
    assert not [line for line in result.outlines if line.strip().startswith("::")]
    shown = [line.split(" PASSED")[0].rstrip() for line in result.outlines if " PASSED" in line]
    assert len(set(shown)) == len(values)
    again = suite.run(*[one for one in shown if not one.endswith("::a")])
    again.assert_outcomes(passed=len(values) - 1)
    suite.run("--deselect", "deep/r.v1.ptc.md::v1.2").assert_outcomes(passed=len(values) - 1)


def test_the_judgement_of_a_file_is_not_left_to_a_body(suite: Suite) -> None:
    """Not even by the option for all tests: there is no body that would look."""
    write(suite, "fail no")
    suite.run("-o", "ptc_gate=false").assert_outcomes(failed=1)


@pytest.mark.slow
def test_such_items_are_chosen_and_reported_as_others(suite: Suite) -> None:
    """By `-k`, `-m`, `--lf` and node id; a failure says where the prompt stands."""
    write(suite, "---\neach: [pass, fail]\n---\n{each} so it is")
    suite.run("-k", "fail").assert_outcomes(failed=1)
    suite.run("--lf", "-m", "ptc").assert_outcomes(failed=1)
    suite.run("review.ptc.md::pass").assert_outcomes(passed=1)
    (item,) = suite.events("item")
    assert (item["path"], item["line"]) == ("review.ptc.md", 4)


@pytest.mark.slow
def test_such_items_need_each_other(suite: Suite) -> None:
    """By node id; what is needed and does not pass costs the item its turn."""
    write(suite, "fail no", "a.ptc.md")
    write(suite, "---\nneeds: a.ptc.md::prompt\n---\npass", "b.ptc.md")
    suite.run().assert_outcomes(failed=1, errors=1)


def test_files_gives_parametrize_ids_that_read_well(suite: Suite) -> None:
    """Names from the root directory, wherever the module and the caller are."""
    for name in ("src/a.py", "src/deep/b.py", "src/.venv/c.py"):
        (suite.path / name).parent.mkdir(parents=True, exist_ok=True)
        (suite.path / name).touch()
    (suite.path / "checks").mkdir()
    (suite.path / "checks/test_files.py").write_text(
        "import pytest, pytest_ptc\n"
        "@pytest.mark.ptc('say {path}\\npass')\n"
        "@pytest.mark.parametrize('path', pytest_ptc.files('src/**/*.py', exclude='src/a.*'))\n"
        "def test_it(path): pass\n"
    )
    suite.run("checks").assert_outcomes(passed=1)
    assert set(tasks(suite)) == {"test_it[src/deep/b.py]"}


def test_a_pattern_that_matches_nothing_is_an_error(suite: Suite) -> None:
    """An empty parametrization would be skipped, and the suite green though nobody looked."""
    suite.write(
        test_a="import pytest_ptc\n"
        "@pytest.mark.ptc('say {path}')\n"
        "@pytest.mark.parametrize('path', pytest_ptc.files('srcc/*.py'))\n"
        "def test_it(path): pass\n"
    )
    result = suite.run()
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*ListingError: no file below * matches 'srcc/[*].py'*"])


def test_the_tools_of_a_file_reach_the_agent(suite: Suite) -> None:
    """Lists and mappings of the front matter are the marker's."""
    write(suite, "---\ntools: [Read, 'Bash(git log:*)']\nenv: {A: b}\nschema: {}\n---\npass")
    suite.run().assert_outcomes(passed=1)
    (task,) = (suite.runs[-1] / "attempts").glob("*/task.json")
    spec = json.loads(task.read_bytes())["spec"]
    assert spec["tools"] == ["Read", "Bash(git log:*)"]
    assert (spec["env"], spec["schema"]) == ({"A": "b"}, {})
