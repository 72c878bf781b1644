"""No pattern of ours takes more than linear time on a text that somebody else has written."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

import pytest_ptc

PACKAGE = Path(pytest_ptc.__file__).parent
#: Seconds in which a child has to be through: a quadratic pattern takes many minutes.
PATIENCE = 180.0

#: Tries patterns, each by the functions it is used with, and says which one it is at.
CHILD = r"""
import json, re, sys
size = 100_000
pieces = [
    ".", "a", "-", "#", "_", "0", " ", "\t", "\n", "\r", "\x1b", "\x1b]", "\x1b[", "\x1b[0", "*",
    "{", "{a", "}}", "`", "##a", "127.", "127.1.1.1:", "localhost:1", "[::1]:", ":1", "1.", ". ",
    "\x1bP", "MAX_", "_KEY", "--- ", "+", "\u3002", "External CLAUDE.md ", "::submit[1", "=", "?",
]
texts = [
    begin + piece * (size // len(piece)) + end for piece in pieces
    for begin, end in (("", ""), ("x", "["), ("", "\x00a!"))
]
for place, text, flags, functions in json.load(sys.stdin):
    print(place, text, flush=True)
    pattern = re.compile(text, flags)
    for text in texts:
        for function in functions:
            getattr(pattern, function)(*("", text) if function == "sub" else (text,))
print("through", flush=True)
"""
#: Functions that try a pattern at the beginning alone; all others try it at every place.
AT_THE_BEGINNING = ("match", "fullmatch")


def patterns() -> list[tuple[str, str, int, list[str]]]:
    """Return where each constant pattern of the package stands, it, its flags, and its functions.

    One that is compiled has the functions with which its module uses its name; another module may
    use it with any.
    """
    found = []
    for path in sorted(PACKAGE.glob("**/*.py")):
        text = path.read_text()
        tree = ast.parse(text)
        named = {
            node.value: node.targets[0].id
            for node in ast.walk(tree)
            if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name)
        }
        for node in ast.walk(tree):
            if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
                continue
            if not (isinstance(node.func.value, ast.Name) and node.func.value.id == "re"):
                continue
            first = node.args[0]
            if isinstance(first, ast.Constant) and isinstance(first.value, str):
                flags = [ast.unparse(entry) for entry in node.args[1:]]
                names = [flag.removeprefix("re.") for flag in flags if flag.startswith("re.")]
                number = sum(int(getattr(re, name)) for name in names)
                used = {node.func.attr}
                if node.func.attr == "compile":
                    used = set(re.findall(rf"\b{named.get(node)}\.(\w+)\(", text)) or {"sub"}
                functions = sorted({one if one in AT_THE_BEGINNING else "sub" for one in used})
                place = f"{path.relative_to(PACKAGE)}:{node.lineno}"
                found.append((place, first.value, number, functions))
    return found


@pytest.mark.slow
def test_hostile_texts_of_100_kb_are_no_matter() -> None:
    """Whatever piece they repeat, and whatever they end with."""
    found = patterns()
    assert len(found) > 20
    with subprocess.Popen(
        [sys.executable, "-c", CHILD], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as child:
        try:
            said, _ = child.communicate(json.dumps(found), PATIENCE)
        except subprocess.TimeoutExpired:
            child.kill()
            said, _ = child.communicate()
    assert said.splitlines()[-1] == "through"


HOSTILE = r"""
import sys
from pytest_ptc.inputs.fingerprint import fingerprint
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.inputs.named_files import candidates, fits, matches, texts_of
from pytest_ptc.text.template import fields_of, fill
from pytest_ptc.text.printable import printable
from pytest_ptc.hosts.last_lines import last_lines
from pytest_ptc.inputs.disk import TooMuchError
size = 100_000
pieces = [".", "a.", "*", "**/", "[", "'", '"', "`", "{", "##", "a b ", "x=", "://", "~", "\x1b]"]
for piece in [*pieces, "\n"]:
    text = piece * (size // len(piece)) + "a"
    spec = TaskSpec(nodeid="t", prompt=text, timeout=1, cwd="/", params={"p": [text]})
    fingerprint(spec, {}, None)
    try:
        candidates([text, *texts_of({"p": [text]})])
    except TooMuchError:
        pass
    fields_of(text)
    fill(text, {"a": text})
    printable(text)
    last_lines(text)
    matches(["a"] * 200, text.split("/")[:2000])
    fits("a" * 255, text[:4096])
"""


def test_a_hostile_prompt_is_no_matter() -> None:
    """All that is done with a prompt, and with what an agent prints."""
    done = subprocess.run([sys.executable, "-c", HOSTILE], timeout=PATIENCE, check=False)
    assert done.returncode == 0
