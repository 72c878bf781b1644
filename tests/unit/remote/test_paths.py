"""Which places of a text name a directory that is sent, and what stands there for whom."""

from __future__ import annotations

import json
import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.remote.paths import PathMap

APP = PathMap([("/a/b", "/n/0"), ("/a/b/inner", "/n/1"), ("/home/u/my app é", "/n/2")])


@pytest.mark.parametrize(
    ("text", "there"),
    [
        ("/a/b", "/n/0"),
        ("/a/b/", "/n/0/"),
        ("look at /a/b/x.py:3, and at '/a/b'.", "look at /n/0/x.py:3, and at '/n/0'."),
        ("/a/b/inner/x and /a/b/innermost", "/n/1/x and /n/0/innermost"),
        ("PATH=/a/b/bin:/usr/bin:/a/b", "PATH=/n/0/bin:/usr/bin:/n/0"),
        ("file:///a/b/x", "file:///n/0/x"),
        ("-I/a/b/include --at=/a/b", "-I/n/0/include --at=/n/0"),
        ("**/a/b/x.py** (/a/b) [x](/a/b#L3)", "**/n/0/x.py** (/n/0) [x](/n/0#L3)"),
        ("see /a/b... /a/b?", "see /n/0... /n/0?"),
        ("/home/u/my app é/x", "/n/2/x"),
        ("file:///home/u/my%20app%20%C3%A9/x", "file:///n/2/x"),
        (json.dumps({"at": "/home/u/my app é/x"}), '{"at": "/n/2/x"}'),
    ],
)
def test_a_directory_is_found_where_a_text_names_it(text: str, there: str) -> None:
    """As a path, with what may stand around one."""
    assert APP.to_node(text) == there
    if "%" not in text and "\\" not in text:
        assert APP.from_node(there) == text


@pytest.mark.parametrize(
    "text",
    [
        *("/a/bc", "/a/b-old", "/a/b.txt", "/a/b_", "/a/b~", "/a/bé", r"/a/b\ c", "/a/b%20c"),
        *("x/a/b", "./a/b", "../a/b", "~/a/b", "$HOME/a/b", "${ROOT}/a/b", "$(pwd)/a/b", "é/a/b"),
        *("http://host/a/b", "https:///a/b", "//a/b", "/x/a/b", "old-/a/b", "/a//b", "/A/b", "/a"),
    ],
)
def test_another_path_that_holds_its_name_is_left_alone(text: str) -> None:
    """Whole components alone, and only where a path begins."""
    assert APP.to_node(text) == text


def test_all_texts_of_a_json_value_are_looked_at() -> None:
    """The names in objects too; what is no text stays as it is."""
    value = {"/a/b/x": ["/a/b", 1, None, {"f": ("/a/b", True)}], "n": 1.5}
    there = {"/n/0/x": ["/n/0", 1, None, {"f": ["/n/0", True]}], "n": 1.5}
    assert APP.to_node_json(value) == there
    assert APP.from_node_json(there) == json.loads(json.dumps(value))
    assert value["n"] == 1.5
    assert "/a/b/x" in value, "a copy is changed"


def test_a_value_of_any_depth_is_looked_at() -> None:
    """A record is as deep as an agent has made it."""
    value: Any = "/n/0"
    for _ in range(100_000):
        value = [value]
    found = APP.from_node_json(value)
    while isinstance(found, list):
        found = found[0]
    assert found == "/a/b"


def test_one_path_has_one_place() -> None:
    """A path that climbs counts where it leads."""
    assert APP.place("/a/b/x/../inner/y") == "/n/1/y"
    assert APP.place("/a/b/../c") is None
    assert APP.place("/a/bc") is None
    assert APP.place("b") is None
    assert APP.place("//a/b") == "/n/0"
    assert APP.origin("/n/0/x") == "/a/b/x"
    assert APP.origin("/") is None


def test_what_comes_back_has_the_first_of_several_names() -> None:
    """A directory may be named by a link to it."""
    found = PathMap([("/real/b", "/n/0"), ("/link", "/n/0")])
    assert found.to_node("/link/x /real/b/x") == "/n/0/x /n/0/x"
    assert found.from_node("/n/0/x") == "/real/b/x"


@pytest.mark.parametrize("path", ["a", "", "/", "//", "/a/", "/a/../b", "//a"])
def test_only_a_whole_absolute_path_stands_for_a_directory(path: str) -> None:
    """Anything else would be found where nobody means it."""
    with pytest.raises(ValueError, match="cannot stand"):
        PathMap([(path, "/n")])
    with pytest.raises(ValueError, match="cannot stand"):
        PathMap([("/n", path)])


def test_without_directories_nothing_changes() -> None:
    """As where they are shared."""
    assert PathMap([]).to_node("/a/b") == "/a/b"
    assert PathMap([]).place("/a/b") is None


NAMES = st.text(
    st.characters(blacklist_characters="/\0", blacklist_categories=["Cc"]), min_size=1, max_size=4
).filter(lambda name: name not in (".", ".."))
PLACES = st.lists(NAMES, min_size=1, max_size=3).map(lambda names: "/" + "/".join(names))


@st.composite
def maps(draw: st.DrawFn) -> PathMap:
    """Draw some directories, which may lie in each other, each with a place of its own."""
    tops = draw(st.lists(PLACES, min_size=1, max_size=4, unique=True))
    return PathMap((top, f"/node-place/{number}") for number, top in enumerate(tops))


@given(
    found=maps(),
    around=st.lists(st.text(string.ascii_letters + " :,'\"().=%\\-éx", max_size=3), min_size=9),
    data=st.data(),
)
def test_a_text_comes_back_as_it_was(
    found: PathMap, around: list[str], data: st.DataObject
) -> None:
    """Whatever stands around the paths in it, and whatever their names are."""
    tops = st.sampled_from([top for top, _ in found.pairs])
    tails = st.sampled_from(["", "/x"])
    text = " ".join(part + data.draw(tops) + data.draw(tails) for part in around)
    assert found.from_node(found.to_node(text)) == text
    assert found.from_node_json(found.to_node_json({text: [text]})) == {text: [text]}


@given(found=maps(), data=st.data())
def test_a_path_alone_has_the_place_of_its_longest_directory(
    found: PathMap, data: st.DataObject
) -> None:
    """By text as by path."""
    top = data.draw(st.sampled_from([top for top, _ in found.pairs]))
    path = top + data.draw(st.sampled_from(["", "/x", "/x/y.py"]))
    longest = max(
        (pair for pair in found.pairs if f"{path}/".startswith(f"{pair[0]}/")),
        key=lambda pair: len(pair[0]),
    )
    there = longest[1] + path[len(longest[0]) :]
    assert found.place(path) == there
    assert found.to_node(path) == there
    assert found.origin(there) == path
