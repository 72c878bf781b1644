"""The items of `ptc run`: from a prompt and its sources, or a sentence that says what is wrong."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.collection.inline_items import MAX_ITEMS, Rows, Sources, inline_suite
from pytest_ptc.model.errors import ListingError

if TYPE_CHECKING:
    from pathlib import Path


def items(
    folder: Path, prompt: str, keywords: dict[str, Any] | None = None, **sources: Any
) -> dict[str, dict[str, Any]]:
    """Return the parameters of each item by its id."""
    suite = inline_suite(prompt, Sources(**sources), keywords or {}, folder)
    return {item.name: dict(item.params) for item in suite.items}


def refusal(folder: Path, prompt: str, **sources: Any) -> str:
    """Return why a prompt and its sources are refused."""
    with pytest.raises(ListingError) as caught:
        items(folder, prompt, **sources)
    return str(caught.value)


@pytest.mark.parametrize(
    ("prompt", "field"), [("Do {each}.", "each"), ("Do {pr}.", "pr"), ("{each} of {each}", "each")]
)
def test_items_are_the_values_of_each_or_of_the_only_field(
    tmp_path: Path, prompt: str, field: str
) -> None:
    """Whatever the field is called."""
    assert items(tmp_path, prompt, items=["7", "8"]) == {"7": {field: "7"}, "8": {field: "8"}}


def test_a_prompt_without_a_field_is_one_item(tmp_path: Path) -> None:
    """Braces that name nothing are none."""
    assert items(tmp_path, 'Say {"a": 1} and {{b}}.') == {"prompt": {}}


def test_equal_items_have_ids_of_their_own(tmp_path: Path) -> None:
    """Told apart by a number."""
    assert list(items(tmp_path, "{each}", items=["a", "a"])) == ["a", "a-2"]


def test_each_further_assignment_is_a_product(tmp_path: Path) -> None:
    """The last changes fastest; items stand before assignments."""
    found = items(
        tmp_path, "{method} {each} {n}", items=["/u", "/o"], each=["method=GET,PUT", "n=1..2"]
    )
    assert list(found)[:3] == ["/u-GET-1", "/u-GET-2", "/u-PUT-1"]
    assert len(found) == 8
    assert found["/o-PUT-2"] == {"each": "/o", "method": "PUT", "n": "2"}


@pytest.mark.parametrize(
    ("assignment", "values"),
    [
        ("v=a,b", ["a", "b"]),
        ('v="a,b",c', ["a,b", "c"]),
        ("v=123..125", ["123", "124", "125"]),
        ("v=08..10,x", ["08", "09", "10", "x"]),
        ("v=a=b", ["a=b"]),
        ("v=1.5..2", ["1.5..2"]),
    ],
)
def test_values_of_an_assignment(tmp_path: Path, assignment: str, values: list[str]) -> None:
    """Quotes keep a comma, and a range is its numbers."""
    found = items(tmp_path, "{v}", each=[assignment])
    assert [params["v"] for params in found.values()] == values


def test_files_are_listed_as_path_or_as_the_only_field(tmp_path: Path) -> None:
    """By patterns, without what is excluded."""
    for name in ("a.txt", "b.txt", "c.md"):
        (tmp_path / name).touch()
    assert items(tmp_path, "Read {path}.", files=["*.txt"])["a.txt"] == {"path": "a.txt"}
    found = items(tmp_path, "Read {file}.", files=["*"], exclude=["b.*"])
    assert found == {"a.txt": {"file": "a.txt"}, "c.md": {"file": "c.md"}}


def test_rows_of_a_source_are_values_or_fields(tmp_path: Path) -> None:
    """A line is a value, an object has fields."""
    assert items(tmp_path, "{each}", rows=Rows("--from f", ["x y"])) == {"x y": {"each": "x y"}}
    rows = Rows("--from f", [{"name": "n", "size": 3}])
    assert items(tmp_path, "{name}", rows=rows) == {"n-3": {"name": "n", "size": 3}}


def test_the_path_of_an_operation_is_no_file(tmp_path: Path) -> None:
    """An item is named by method and path, as in a suite's front matter."""
    operation = {"method": "GET", "path": "/users/{id}", "operation": "get_user"}
    rows = Rows("--from api.json", [operation], are_operations=True)
    assert items(tmp_path, "{method} {path}", rows=rows) == {"GET-/users/{id}": operation}
    rows = Rows("--from f", [operation])
    assert "is no file" in refusal(tmp_path, "{method} {path}", rows=rows)


def test_a_field_of_a_keyword_takes_values_too(tmp_path: Path) -> None:
    """A branch is named by `ref`, and need not be by the prompt."""
    found = items(tmp_path, "Review it.", {"ref": "{branch}"}, items=["feature/login"])
    assert found == {"feature/login": {"branch": "feature/login"}}


@pytest.mark.parametrize(
    ("prompt", "sources", "words"),
    [
        ("  ", {"items": ["a"]}, "PROMPT is empty"),
        ("Do it.", {"items": ["a", "b"]}, "PROMPT has no field for what ITEM gives"),
        ("Do it.", {"items": ["a"]}, "write {each}"),
        ("Do {each}.", {}, "{each} has no value"),
        ("Do {each} {pr}.", {"items": ["a"]}, "--each pr=VALUE,..."),
        ("Do {a} {b}.", {"items": ["x"]}, "could be any of {a}, {b}"),
        ("Do {each}.", {"items": [""]}, "ITEM: an item is empty"),
        ("Do {pr}.", {"each": ["pr=1", "pr=2"]}, "--each pr: is given twice"),
        ("Do {pr}.", {"each": ["pr=1..2"], "items": ["a"]}, "PROMPT has no field"),
        ("Do {pr}.", {"each": ["pr=1", "x=2"]}, "--each x: PROMPT does not name {x}"),
        ("Do {pr}.", {"each": ["pr"]}, "--each 'pr': write NAME=VALUE"),
        ("Do {pr}.", {"each": ["1pr=2"]}, "write NAME=VALUE"),
        ("Do {pr}.", {"each": ["pr="]}, "--each pr: a value is empty"),
        ("Do {pr}.", {"each": ["pr=1,,2"]}, "--each pr: a value is empty"),
        ("Do {pr}.", {"each": ['pr="a']}, "in quotes"),
        ("Do {pr}.", {"each": ["pr=5..1"]}, "write 1..5"),
        ("Do {pr}.", {"each": ["pr=1..999999"]}, f"more than {MAX_ITEMS}"),
        ("{a} {b}", {"each": ["a=1..500", "b=1..500"]}, "250000 items"),
        ("Do {each}.", {"items": ["a"], "files": ["*"]}, "ITEM and --files: give one"),
        ("Do {each}.", {"items": ["a"], "exclude": ["*"]}, "--exclude: needs --files"),
        ("Do {path}.", {"files": ["*.nothing"]}, "--files: no file below"),
        ("Do {each}.", {"rows": Rows("--from f", [])}, "--from f: is empty"),
        ("Do {each}.", {"rows": Rows("--from f", ["a", {"b": 1}])}, "mixes values and objects"),
        ("{a} {b}", {"rows": Rows("--from f", [{"a": 1, "b": 2}, {"a": 1}])}, "row 2"),
        (
            "{a} {b}",
            {"rows": Rows("--from f", [{"a": 1, "b": 2}]), "each": ["a=1"]},
            "--from f and --each a: both give {a}",
        ),
    ],
)
def test_what_does_not_fit_is_refused(
    tmp_path: Path, prompt: str, sources: dict[str, Any], words: str
) -> None:
    """One sentence names the option or the field, and the fix."""
    said = refusal(tmp_path, prompt, **sources)
    assert words in said
    assert "\n" not in said


@pytest.mark.parametrize(
    ("prompt", "item"),
    [
        ("Do {each}.", "missing.txt"),
        ("Do {each}.", "src/missing"),
        ("Do {path}.", "missing"),
        ("Do {log_file}.", "missing"),
        ("Read the file {name}.", "missing.txt"),
        ("Do {each}.", "/etc/missing"),
    ],
)
def test_items_that_read_like_files_must_be_there(tmp_path: Path, prompt: str, item: str) -> None:
    """The refusal names the way out."""
    said = refusal(tmp_path, prompt, items=[item])
    assert said.startswith(f"ITEM: {item} is no file in {tmp_path}")
    assert "--no-files" in said
    suite = inline_suite(prompt, Sources(items=[item]), {}, tmp_path, check_files=False)
    assert len(suite.items) == 1


@pytest.mark.parametrize(
    ("prompt", "item"),
    [
        ("Do {each}.", "there.txt"),
        ("Do {each}.", "folder"),
        ("Do {path}.", "folder/inside"),
        ("Do {each}.", "123"),
        ("Do {each}.", "v1.10"),
        ("Test the endpoint {each}.", "/users"),
        ("Test the endpoint {each}.", "/api/users"),
        ("Test {endpoint}.", "api/users"),
        ("Read {url}.", "https://example.org/a.txt"),
        ("Read {each}.", "https://example.org/a.txt"),
        ("Do {each}.", "What is a.txt"),
        ("Review {branch}.", "feature/login"),
    ],
)
def test_items_that_are_there_or_read_like_something_else(
    tmp_path: Path, prompt: str, item: str
) -> None:
    """Nothing is looked for that need not be a file."""
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/inside").touch()
    (tmp_path / "there.txt").touch()
    assert list(items(tmp_path, prompt, items=[item])) == [item]


def test_few_of_many_missing_files_are_named(tmp_path: Path) -> None:
    """A sentence stays one."""
    said = refusal(tmp_path, "Do {each}.", items=[f"{name}.txt" for name in "abcde"])
    assert said.startswith("ITEM: a.txt, b.txt, c.txt and 2 more are no files in")


def test_one_item_of_a_suite_keeps_its_id(tmp_path: Path) -> None:
    """As a command needs that runs an item again: by its name, or by its node id."""
    suite = inline_suite("{each}", Sources(items=["a", "b", "a"]), {}, tmp_path)
    assert [item.name for item in suite.only(["a-2"]).items] == ["a-2"]
    assert [item.nodeid for item in suite.only(["run::b"]).items] == ["run::b"]
