"""Schemas are whole in themselves; data that could be checked for ever is checked for a while."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_ptc.verdicts import schemas
from pytest_ptc.verdicts.schemas import TOO_SLOW, data_problem, is_quick, schema_problem

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2020 = "https://json-schema.org/draft/2020-12/schema"


def nested(levels: int) -> dict[str, Any]:
    """Return a schema of so many levels."""
    schema: dict[str, Any] = {}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "object", "required": ["a"]},
        {"$schema": DRAFT_2020, "type": "string"},
        {"$ref": "#/$defs/a", "$defs": {"a": {"type": "string", "pattern": "^(a+)+$"}}},
        {"$schema": DRAFT_7, "definitions": {"a": {}}, "items": {"$ref": "#/definitions/a"}},
        {
            "$id": "http://e.org/",
            "$defs": {"i": {"$id": "i", "type": "null"}},
            "not": {"$ref": "i"},
        },
        {"$defs": {"a": {"$anchor": "here"}}, "items": {"$ref": "#here"}},
        {"properties": {"child": {"$ref": "#"}}},
        {"$ref": DRAFT_2020},
        {"properties": {"$ref": {"type": "string"}, "pattern": {"const": "("}}},
        {"enum": [{"$ref": "http://e.org/"}]},
        nested(30),
    ],
)
def test_a_schema_that_is_whole_in_itself_can_be_used(schema: dict[str, Any]) -> None:
    """References within it, and to the drafts, which are here; names and values are no keywords."""
    assert schema_problem(schema) is None


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"type": "nope"}, "is not a JSON Schema: "),
        ({"type": {1}}, "is not a JSON Schema: "),
        ({"maximum": float("inf")}, "is not a JSON Schema: "),
        ({"$schema": ["x"]}, '"$schema" must be a text'),
        ({"$schema": "http://e.org/mine"}, "an unknown"),
        ({"$ref": "http://e.org/s"}, "nothing is fetched"),
        ({"$ref": "file:///etc/passwd"}, "nothing is fetched"),
        ({"$ref": "other.json"}, "nothing is fetched"),
        ({"$ref": "#/$defs/b", "$defs": {"a": {}}}, "cannot be resolved"),
        ({"$defs": {"unused": {"not": {"$ref": "http://e.org/"}}}}, "cannot be resolved"),
        ({"$dynamicRef": "#nowhere"}, "cannot be resolved"),
        ({"$schema": DRAFT_7, "items": {"$ref": "#/definitions/a"}}, "cannot be resolved"),
        ({"items": {"$ref": "#/type"}, "type": "array"}, "does not lead to a schema"),
        ({"pattern": "("}, "("),
        ({"properties": {"a": {"patternProperties": {"*": {}}}}}, "*"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"allOf": [{"$ref": "#"}, {"$ref": "#"}]}, "refers to itself without end"),
        (nested(70), "is not a JSON Schema: has more than"),
        (nested(5000), "is not a JSON Schema: "),
    ],
)
def test_what_cannot_be_used_is_told(schema: dict[str, Any], problem: str) -> None:
    """Before an agent starts, in words that say what to do."""
    assert problem in (schema_problem(schema) or "")


def test_nothing_is_fetched_for_a_schema(monkeypatch: pytest.MonkeyPatch) -> None:
    """Neither when it is looked at nor when data is held to it."""

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("the network was asked")

    monkeypatch.setattr("socket.socket.connect", refuse)
    schema = {"$ref": "http://127.0.0.1:9/s"}
    assert schema_problem(schema)
    assert "cannot be checked" in (schemas.problem_of({}, schema) or "")


def test_data_is_held_to_the_schema_by_whoever_checks_it() -> None:
    """At once where that is surely short, else by a process of its own: the words are the same."""
    quick = {"properties": {"a": {"type": "string"}}}
    aside = {**quick, "patternProperties": {"^b+$": {"type": "null"}}}
    data = {"a": 1, "bb": None}
    assert is_quick(quick, 10, 10)
    assert not is_quick(aside, 10, 10)
    assert data_problem(data, quick) == data_problem(data, aside)
    assert "data.a: 1 is not of type 'string'" in (data_problem(data, quick) or "")
    assert data_problem({"a": "", "bb": None}, aside) is None


@pytest.mark.fault("endless-schema")
@pytest.mark.parametrize(
    ("schema", "data"),
    [
        pytest.param({"pattern": "^(a+)+$"}, "a" * 60 + "!", id="pattern"),
        pytest.param(
            *({"patternProperties": {"^(a|aa)+$": {}}}, {"a" * 90 + "!": 1}),
            id="names",
            marks=pytest.mark.slow,
        ),
        pytest.param(
            *({"uniqueItems": True}, [{"n": n} for n in range(40_000)]),
            id="unique",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_data_that_could_be_checked_for_ever_is_refused(
    schema: dict[str, Any], data: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its check is ended by force, wherever it is."""
    monkeypatch.setattr(schemas, "CHECK_WALL_S", 1.5)
    assert (data_problem(data, schema) or "").startswith(TOO_SLOW)
