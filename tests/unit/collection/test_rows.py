"""Rows of texts: what each kind gives, and what is refused with its line."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ptc.collection.rows import rows_in
from pytest_ptc.model.errors import ListingError


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("-", "a\n\n  \n b \r\n", ["a", " b "]),
        ("list.txt", "no\n1.10", ["no", "1.10"]),
        (
            "f.csv",
            'path,n\r\na b,007\r\n\r\n"c, d",\n',
            [
                {"path": "a b", "n": "007"},
                {"path": "c, d", "n": ""},
            ],
        ),
        ("F.CSV", "path\na\n", [{"path": "a"}]),
        (
            "-",
            '{"n": 1.10, "ok": true, "x": null, "l": [1.10, {"a": "b"}]}\n\n{"n": "s"}',
            [
                {"n": "1.10", "ok": "true", "x": "null", "l": '[1.10, {"a": "b"}]'},
                {"n": "s"},
            ],
        ),
        ("-", '[{"number": 7}]', [{"number": "7"}]),
        ("f.json", '["a", 1, false]', ["a", "1", "false"]),
        ("f.jsonl", '"a"\n1e3\n', ["a", "1e3"]),
        ("-", "[a] is a line", ["[a] is a line"]),
        ("-", "", []),
    ],
)
def test_rows_of_each_kind(name: str, text: str, rows: list[Any]) -> None:
    """Scalars are what is written."""
    assert list(rows_in(name, text)) == rows


@pytest.mark.parametrize(
    ("name", "text", "rows"),
    [
        ("-", 'path, "owner"\r\na,Ann\n', [{"path": "a", "owner": "Ann"}]),
        ("people", "name,age\nx,1\n", ["name,age", "x,1"]),
        # A name that stands alone may be an item's: none is left out in silence.
        ("-", "path\na\n", ["path", "a"]),
        ("-", "a,path.txt\n", ["a,path.txt"]),
        ("f.json", "[1]", ["1"]),
    ],
)
def test_a_header_that_names_a_field_makes_rows_of_a_table(
    name: str, text: str, rows: list[Any]
) -> None:
    """Where no ending says what a text is."""
    assert list(rows_in(name, text, ["path"])) == rows


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("f.csv", "", "line 1: a column has no name"),
        ("f.csv", "a,,b\n", "line 1: a column has no name"),
        ("f.csv", "a,a\n", "line 1: two columns are named 'a'"),
        ("f.csv", "a,b\n1,2\n3\n", "line 3: has 1 values, and there are 2 columns"),
        ("f.csv", 'a,b\n1,"2\n', "line 2: unexpected end of data"),
        ("-", '{"a": 1}\n{"a": }', "line 2: is no JSON"),
        ("f.json", "[1,\n2", "line 2: is no JSON"),
        ("f.jsonl", "{}", "line 1: is an empty object"),
        ("f.json", "[[1]]", "entry 1: must be an object or a value"),
        ("f.json", "null", "line 1: must be an object or a value"),
        ("f.json", "[" * 100000, "is no JSON"),
    ],
)
def test_what_is_no_row_is_refused_with_its_line(name: str, text: str, words: str) -> None:
    """And with what to write."""
    with pytest.raises(ListingError) as caught:
        rows_in(name, text)
    assert words in str(caught.value)
