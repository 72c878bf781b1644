"""A command with parameters of the test in its arguments."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.suite import Suite

#: Says in its summary what its arguments are.
ECHO = """
import json, sys
print(json.dumps({"verdict": "pass", "summary": json.dumps(sys.argv[1:])}))
"""
TESTS = """
@pytest.fixture(scope="session")
def base_url():
    return "http://127.0.0.1:8/a b"

@pytest.mark.parametrize("path", ["one two.py; x", %r])
@pytest.mark.ptc("Look.")
def test_it(path, ptc):
    import json
    given = json.loads(ptc.summary)
    assert given == [path, "http://127.0.0.1:8/a b/x", f"--file={path}", "{path}"]
"""
COMMAND = "--ptc-command={python} echo.py {path} {base_url}/x --file={path} {{path}}"


def _write(suite: Suite, other: str) -> None:
    (suite.path / "echo.py").write_text(ECHO)
    suite.write(test_a=TESTS % other)


def test_each_value_is_one_argument(suite: Suite) -> None:
    """Parameters and a session fixture that only the command names."""
    _write(suite, "{cwd}.py")
    suite.run(COMMAND).assert_outcomes(passed=2)
    specs = [json.loads(f.read_bytes())["spec"] for f in suite.runs[-1].glob("*/*/task.json")]
    # A part of what a later run compares.
    assert {spec["params"]["base_url"] for spec in specs} == {"http://127.0.0.1:8/a b"}


def test_what_cannot_be_filled_is_an_error_before_anything_starts(suite: Suite) -> None:
    """No value, a value like an option, and a value in code for a shell."""
    _write(suite, "-x.py")
    for command, shown in {
        "{python} echo.py {pth}": "ptc_command field {pth}: no parameter or session fixture",
        "{python} echo.py {path}": "[-x.py]: ptc_command: {path} becomes '-x.py'",
        "sh -c 'echo {path}'": "ptc_command field {path}: is in code for a shell",
        "{python} {path}": "ptc_command: '{path}' has a parameter choose what is run",
    }.items():
        result = suite.run(f"--ptc-command={command}")
        assert result.ret == 4
        assert shown in result.stdout.str() + result.stderr.str()
    assert not suite.runs
