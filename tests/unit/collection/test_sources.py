"""What each source gives, and which are refused."""

from __future__ import annotations

import shlex
import sys
from typing import TYPE_CHECKING, Any

import pytest

import pytest_ptc
from pytest_ptc.collection import sources
from pytest_ptc.collection.markdown import fanned_out
from pytest_ptc.collection.root_dir import ROOT
from pytest_ptc.model.errors import ListingError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(name="root")
def root_directory(tmp_path: Path) -> Iterator[Path]:
    """A root directory of this session."""
    token = ROOT.set(tmp_path)
    yield tmp_path
    ROOT.reset(token)


def python(code: str) -> str:
    return shlex.join([sys.executable, "-c", code])


FILES = {
    "a.csv": '\ufeffname,age\nno,007\n"x, y",1.10\n',
    "a.json": '{"data": {"items": [{"n": 1.10, "ok": true}, {"n": 1e3, "ok": null}]}}',
    "list.json": '["a", 007x]'.replace("007x", "1.10"),
    "a.jsonl": '{"n": "no"}\n',
    "api.yaml": "openapi: 3.0.0\npaths: {'/a': {get: {operationId: list}}}\n",
}


@pytest.mark.parametrize(
    ("each", "items"),
    [
        (
            {"command": python(r"print('a b\n\nno\r\n1.10')")},
            [("a b", {"each": "a b"}), ("no", {"each": "no"}), ("1.10", {"each": "1.10"})],
        ),
        ({"command": "ls a.csv"}, [("a.csv", {"each": "a.csv"})]),
        (
            {"csv": "a.csv"},
            [
                ("no-007", {"name": "no", "age": "007"}),
                ("x, y-1.10", {"name": "x, y", "age": "1.10"}),
            ],
        ),
        (
            {"json": "a.json", "pick": "data.items"},
            [("1.10-true", {"n": "1.10", "ok": "true"}), ("1e3-null", {"n": "1e3", "ok": "null"})],
        ),
        ({"json": "list.json"}, [("a", {"each": "a"}), ("1.10", {"each": "1.10"})]),
        ({"json": "a.jsonl"}, [("no", {"n": "no"})]),
        (
            {"openapi": "api.yaml"},
            [("GET-/a", {"method": "GET", "path": "/a", "operation": "list"})],
        ),
    ],
)
def test_items_of_each_source(root: Path, each: Any, items: list[Any]) -> None:
    """Scalars are what is written; ids are the values."""
    for name, text in FILES.items():
        (root / name).write_text(text)
    assert list(fanned_out(each, root).items) == items


def test_parameters_of_functions(root: Path) -> None:
    """What `parametrize` takes has the columns that are named, in their order."""
    for name, text in FILES.items():
        (root / name).write_text(text)
    given = [
        *pytest_ptc.csv_rows("a.csv", "age", "name"),
        *pytest_ptc.csv_rows("a.csv"),
        *pytest_ptc.json_items("a.json", "n", pick="data.items"),
        *pytest_ptc.json_items("list.json"),
        *pytest_ptc.openapi_operations("api.yaml"),
        *pytest_ptc.command_lines("echo one"),
    ]
    assert [(one.id, one.values) for one in given] == [
        ("no-007", ("007", "no")),
        ("x, y-1.10", ("1.10", "x, y")),
        ("no-007", ("no", "007")),
        ("x, y-1.10", ("x, y", "1.10")),
        ("1.10-true", ("1.10",)),
        ("1e3-null", ("1e3",)),
        ("a", ("a",)),
        ("1.10", ("1.10",)),
        ("GET-/a", ("GET", "/a", "list")),
        ("one", ("one",)),
    ]


@pytest.mark.parametrize(
    ("each", "content", "words"),
    [
        ({"command": "no-such-program x"}, b"", "'no-such-program' cannot be run in"),
        ({"command": "cat 'x"}, b"", "fix its quotes"),
        ({"command": " "}, b"", "command: must be a text"),
        ({"command": python("print('a'); raise SystemExit('sorry')")}, b"", "exit status 1: sorry"),
        ({"command": python("print('  ')")}, b"", "printed no lines"),
        ({"command": python("print('a\\nb\\0c')")}, b"", "line 2: has a NUL character"),
        ({"command": "cat f"}, b"a\n\xff\n", "line 2: is not UTF-8"),
        ({"csv": "missing.csv"}, b"", "csv 'missing.csv': cannot be read in"),
        ({"csv": "f"}, b"", "csv 'f': line 1: a column has no name"),
        ({"csv": "f"}, b"a,a\n1,2\n", "line 1: two columns are named 'a'"),
        ({"csv": "f"}, b"a,b\n1\n", "line 2: has 1 values"),
        ({"csv": "f"}, b"a\n", "has no rows"),
        ({"csv": "f"}, "a\n1\n".encode("utf-16"), "line 1: is not UTF-8"),
        ({"json": "f"}, b"{}", "the document must be a list"),
        ({"json": "f"}, b"[]", "is an empty list"),
        ({"json": "f"}, b"[\n1,,2]", "line 2: is no JSON"),
        ({"json": "f"}, b'[{"a": 1, "a": 2}]', "'a' is given twice"),
        ({"json": "f"}, b"[[1]]", "entry 1: must be an object or a value"),
        ({"json": "f", "pick": "a.c"}, b'{"a": {"b": []}}', "there is no 'c' of 'a.c', only b"),
        ({"json": "f", "pick": "a"}, b"[]", "is not looked up in a list"),
        ({"json": ["f"]}, b"", "json: must be a text"),
        ({"csv": "f", "pick": "a"}, b"", "`pick` beside json"),
        ({"openapi": "f"}, b"{}", "openapi 'f': openapi: must be"),
    ],
)
def test_errors_name_the_place(root: Path, each: Any, content: bytes, words: str) -> None:
    """One sentence, before any agent starts."""
    (root / "f").write_bytes(content)
    with pytest.raises(ListingError) as caught:
        fanned_out(each, root)
    assert words in str(caught.value)


def test_rows_of_unlike_fields_are_refused(root: Path) -> None:
    """A parameter that an item has not is no empty text."""
    (root / "f").write_text('[{"a": 1}, {"b": 2}]')
    with pytest.raises(ListingError, match="item 2: has no 'a'"):
        pytest_ptc.json_items("f")
    (root / "f").write_text('[{"a": 1}, {"a": 1, "b": 2}]')
    with pytest.raises(ListingError, match="item 2: has 'b', and item 1 has not"):
        pytest_ptc.json_items("f")
    (root / "f").write_text('[1, {"a": 1}]')
    with pytest.raises(ListingError, match="item 2: is an object, and others are not"):
        pytest_ptc.json_items("f")


def test_a_link_out_of_the_tree_is_refused(root: Path) -> None:
    """A tree under review does not choose what is read elsewhere."""
    (root / "in").mkdir()
    (root / "secret").write_text("a\n1\n")
    (root / "in" / "f").symlink_to(root / "secret")
    with pytest.raises(ListingError, match="leads out of"):
        sources.rows_of_csv("f", root / "in")


def test_a_command_that_does_not_end(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is ended, and named."""
    monkeypatch.setattr(sources, "COMMAND_TIMEOUT_S", 0.05)
    with pytest.raises(ListingError, match="did not end within"):
        sources.lines_of_command("sleep 60", root)
