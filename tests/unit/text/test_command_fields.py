"""The fields of a command: each value stays one argument, and never becomes an option or code."""

from __future__ import annotations

import shlex

import pytest

from pytest_ptc.text.command_fields import (
    FieldProblem,
    command_fields,
    filled_command,
    shell_fields,
)

PARAMS = {"path": "a b; rm {cwd} $x.py", "n": 3, "base_url": "http://127.0.0.1:1/{path}"}


def test_a_value_is_one_argument_or_a_part_of_one() -> None:
    """It is not split, and fields in it are not filled."""
    argv = shlex.split("lint --file={path} {path} {base_url}/x '{n} {n}' {cwd}/{n}")
    path, url = PARAMS["path"], PARAMS["base_url"]
    expected = ["lint", f"--file={path}", path, f"{url}/x", "3 3", "/w/3"]
    assert filled_command(argv, PARAMS, "/w") == expected
    assert command_fields(argv) == ("path", "base_url", "n")


@pytest.mark.parametrize(
    "command",
    [
        "python3 -c 'print(f\"{path} {other}\")' x",
        "{python} -Bc 'd = {other}'",
        "/usr/bin/python3 -X utf8 -c '{other}'",
        "perl -ne 'print $h{other}' -e '{path}'",
        "bash -o pipefail -ec 'echo ${path}' bash",
        "awk -F : '{print}'",
        "jq --arg x {{}} '{other}'",
        "env A=1 awk '{print $1}'",
        "lint ${path} {} {1} {a-b} {{.State}} {a:b} [{'x': {}}]",
        "find . -exec grep -E 'x{2}' {} ;",
    ],
)
def test_other_braces_are_literal(command: str) -> None:
    """Code and braces that are no field stay as they are."""
    argv = shlex.split(command)
    assert command_fields(argv) == ()
    assert filled_command(argv, PARAMS, "/w") == argv


@pytest.mark.parametrize(
    ("command", "fields"),
    [
        ("python3 lint.py -e {path} --force {n}", ("path", "n")),
        ("python3 -m lint -c {path}", ("path",)),
        ("python3 -c 'code' -e {path}", ("path",)),
        ("sh -c 'lint \"$1\"' sh {path}", ("path",)),
        ("awk -f x.awk {path}", ("path",)),
        ("awk '{print}' {path}", ("path",)),
        ("sed -n -e s/a/b/p {path}", ("path",)),
        ("bash lint.sh -c {path}", ("path",)),
        ("lint {pth}", ("pth",)),
        ("lint {python} {rootpath} {cwd} {claude_code}", ()),
    ],
)
def test_arguments_behind_code_and_scripts_have_fields(
    command: str, fields: tuple[str, ...]
) -> None:
    """Only code itself has none."""
    assert command_fields(shlex.split(command)) == fields


def test_doubled_braces_are_literal_braces() -> None:
    """They are how a name in braces is written that is no field."""
    argv = ["lint", "{{path}}", "{{other}}-{path}"]
    assert command_fields(argv) == ("path",)
    assert filled_command(argv, {"path": "x"}, "/w") == ["lint", "{path}", "{other}-x"]


@pytest.mark.parametrize(
    ("word", "params"),
    [
        ("{path}", {"path": "-rf"}),
        ("{path}", {"path": "--output=/etc/x"}),
        ("{a}{path}", {"a": "", "path": "-x"}),
        ("x{path}", {"path": "\0"}),
        ("{path}", {}),
    ],
)
def test_a_value_that_is_no_plain_argument_is_refused(word: str, params: dict[str, str]) -> None:
    """It would be an option, or there is none."""
    with pytest.raises(FieldProblem):
        filled_command(["lint", word], params, "/w")


@pytest.mark.parametrize("word", ["--file={path}", "-I{path}", "{cwd}/{path}", "x{path}"])
def test_a_dash_within_an_argument_is_no_option(word: str) -> None:
    """What begins the argument is the user's own."""
    filled = filled_command(["lint", word], {"path": "-x"}, "/w")
    assert filled == ["lint", word.replace("{path}", "-x").replace("{cwd}", "/w")]


def test_code_for_a_shell_names_what_it_has_in_braces() -> None:
    """A value there would be run: the caller refuses it."""
    assert shell_fields(["timeout", "9", "bash", "-c", "grep x {path} ${n}"]) == ("path",)
    assert shell_fields(["python3", "-c", "{path}"]) == ()
