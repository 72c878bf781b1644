"""Text from outside: secrets are nowhere, and nothing drives the terminal or a CI system."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.support.suite import Suite

LONG = "q7Vd0pXw2nLk5sRt8uYb1eZc4aHj6mGf9iOq3xSv7Wdk"
#: Words of our own files, as somebody's password may be.
WORDS = ["verdict", "summary", "findings", "severity", "critical", "medium", "command", "process"]
WORDS += ["worker", "python", "passed", "failed", "object", "string", "no verdict", "123456"]
WORDS += ["report", "attempt", "submitted", "seconds", "message", "evidence", "timeout"]

#: What an agent may say to drive whoever prints it.
EVIL = "not here\n::add-mask::e\n  ::error::x\n##vso[task.setvariable]x\n\x1b]0;t\x07\u202e\udcff"
COMMANDS = re.compile(r"^\s*::|##\w*\[|[\x1b\x07\u202e]", re.MULTILINE)


@pytest.mark.slow
def test_a_password_may_be_a_word_of_ours(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """No outcome, report or resumed verdict is another by that."""
    for number, word in enumerate(WORDS):
        monkeypatch.setenv(f"APP_{number}_PASSWORD", word)
    good = json.dumps({"verdict": "pass", "summary": "ok", "data": {"summary": "object"}})
    bad = {"severity": "critical", "message": "a medium one"}
    bad_one = json.dumps({"verdict": "fail", "summary": "failed", "findings": [bad]})
    schema: dict[str, object] = {"type": "object", "required": ["summary"]}
    schema["properties"] = {"summary": {"type": "string", "enum": ["object"]}}
    suite.write(
        test_a=f"@pytest.mark.ptc({'say ' + good!r}, schema={schema!r})\n"
        "def test_pass(ptc): assert ptc.passed\n"
        f"@pytest.mark.ptc({'record ' + good!r}, schema={schema!r})\n"
        "def test_recorded(ptc): assert ptc.passed\n"
        f"@pytest.mark.ptc({'say ' + bad_one!r})\n"
        "def test_fail(): pass\n"
        "@pytest.mark.ptc('exit 0')\n"
        "def test_nothing(): pass\n"
        "@pytest.mark.ptc('skip medium')\n"
        "def test_skip(): pass\n"
    )
    for more in ((), ("--ptc-resume",)):
        result = suite.spawn("--ptc-json=run.json", "--ptc-sarif=run.sarif", *more)
        result.assert_outcomes(passed=2, failed=1, errors=1, skipped=1)
    made = json.loads((suite.path / "run.json").read_bytes())
    outcomes = sorted(task["outcome"] for task in made["tasks"])
    assert outcomes == ["error", "failed", "passed", "passed", "skipped"]
    audit = [sys.executable, "-m", "pytest_ptc.cli", "audit"]
    assert subprocess.run(audit, cwd=suite.path, check=False, capture_output=True).returncode == 0


@pytest.mark.parametrize("suite", ["process", "tmux"], indirect=True)
@pytest.mark.slow
def test_not_a_piece_of_a_secret_is_written(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever texts are cut, and of what the agent's command has among its arguments."""
    monkeypatch.setenv("MY_SECRETS", LONG)
    argument = "zK4tQ9wLm2Xc7Vb1Np8R"
    sizes = [190, 270, 290, 390, 470, 970, 1970, 1990, 3970, 7990, 8162]
    program = suite.path / "prints.py"
    program.write_text(
        "import json, os, sys\n"
        "secret, size = os.environ['MY_SECRETS'], int(sys.stdin.readline())\n"
        "text = 'x' * size + secret + sys.argv[2]\n"
        "print(text)\n"
        "print(text, file=sys.stderr)\n"
        "if size % 20 == 10:\n"
        "    finding = {'severity': 'low', 'message': text, 'rule': text[-80:]}\n"
        "    print(json.dumps({'verdict': 'pass', 'summary': text, 'findings': [finding]}))\n"
    )
    suite.write(
        test_a=f"@pytest.mark.parametrize('size', {sizes})\n"
        "@pytest.mark.ptc('{size}')\n"
        "def test_it(size): pass\n"
    )
    command = f"ptc_command={sys.executable} {program} --api-key {argument}"
    result = suite.spawn(
        "-o", command, "-v", "--ptc-html=run.html", "--ptc-json=run.json", "--junitxml=run.xml"
    )
    outcomes = result.parseoutcomes()
    assert outcomes["passed"] + outcomes["errors"] == len(sizes)
    written = [path for path in suite.runs[-1].rglob("*") if path.is_file()]
    written += [suite.path / name for name in ("run.html", "run.json", "run.xml")]
    texts = {path: path.read_text(errors="replace") for path in written}
    texts[suite.path] = "\n".join([*result.outlines, *result.errlines])
    for path, text in texts.items():
        assert LONG[:12] not in text, path
        assert argument[:12] not in text, path


def test_what_an_agent_says_is_text(suite: Suite) -> None:
    """In skip reasons, assertions, properties, warnings and reports, whatever the verdict is."""
    kinds = ("pass", "fail", "skip", "error")
    finding = {"severity": "high", "message": EVIL, "path": EVIL, "rule": EVIL}
    for kind in kinds:
        said = json.dumps({"verdict": kind, "summary": EVIL, "findings": [finding]})
        (suite.path / f"said-{kind}").write_text(said)
    tests = {
        # Pytest shows the source of a failing test as it is: the words are not in it.
        f"test_{kind}": f"said = 'say ' + open('said-{kind}').read()\n"
        "@pytest.mark.ptc(said)\n"
        "def test_gate(): pass\n"
        "@pytest.mark.ptc(said, gate=False)\n"
        "def test_body(ptc, record_property):\n"
        "    import warnings\n"
        "    record_property('summary', ptc.summary)\n"
        "    warnings.warn(UserWarning(ptc.summary))\n"
        "    assert ptc.data, ptc.summary\n"
        "@pytest.mark.ptc(said, gate=False)\n"
        "def test_bare(ptc): pytest.fail(ptc.summary + ptc.findings[0].message, pytrace=False)\n"
        for kind in kinds
    }
    tests["test_none"] = (
        "@pytest.mark.ptc('say ' + chr(27) + ']0;t' + chr(7))\ndef test_none(): pass\n"
    )
    suite.write(**tests)
    result = suite.spawn("-rA", "-vv", "--junitxml=run.xml", "-W", "default")
    text = result.stdout.str() + result.stderr.str()
    assert not COMMANDS.search(text), COMMANDS.search(text)
    assert "not here" in text
    for kind in kinds:
        line = rf"^(FAILED|ERROR) test_{kind}\.py::test_\w+ - .*not here"
        assert re.search(line, text, re.MULTILINE), kind
    subprocess.run(
        [sys.executable, "-c", "import sys, xml.dom.minidom as m; m.parse(sys.argv[1])", "run.xml"],
        cwd=suite.path,
        check=True,
    )


@pytest.mark.slow
def test_names_of_files_and_reasons_are_text(suite: Suite) -> None:
    """Of a suite itself, in ids, in reasons of its front matter, in errors of collection."""
    evil = "a\n::add-mask::e\x1b[1m.txt"
    (suite.path / evil).touch()
    (suite.path / "b\udcff##vso[x].txt").touch()
    texts = {
        "r.ptc.md": "---\neach: {files: '*.txt'}\n---\n#{path}\n",
        "s\n::error::x.ptc.md": "pass",
        "x.ptc.md": f"---\nxfail: {json.dumps(EVIL[:-1])}\n---\nfail {{{{",
        "y.ptc.md": f"---\nskip: {json.dumps(EVIL[:-1])}\n---\npass",
    }
    for name, text in texts.items():
        (suite.path / name).write_text(text)
    suite.write(
        test_a="import pytest_ptc\n"
        "@pytest.mark.ptc('#{path}')\n"
        "@pytest.mark.parametrize('path', pytest_ptc.files('*.txt'))\n"
        "def test_it(path): pass\n"
    )
    result = suite.spawn("-rA", "-v", "--junitxml=run.xml")
    result.assert_outcomes(passed=1, errors=4, skipped=1, xfailed=1)
    text = result.stdout.str() + result.stderr.str()
    assert not COMMANDS.search(text), COMMANDS.search(text)
    (suite.path / "z\n::error::x.ptc.md").write_text("---\n\x1b[1m: [\n")
    (suite.path / "test_b.py").write_text(
        "import pytest_ptc\npytest_ptc.files('#' + '#vso[x]\\n::error::', exclude='x')\n"
    )
    text = suite.spawn("-v").stdout.str()
    assert not COMMANDS.search(text), COMMANDS.search(text)
