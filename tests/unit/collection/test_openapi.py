"""Which operations a document has, and which documents are refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pytest_ptc.collection.openapi import is_openapi, operations_in
from pytest_ptc.model.errors import ListingError

YAML = """\
openapi: 3.0.3
paths:
  /users:
    get: {operationId: list_users, responses: {200: {description: ok}}}
    post: {responses: {201: {description: ok}}}
  /users/{id}:
    $ref: '#/x-items/~1users~1{id}'
x-items:
  /users/{id}:
    parameters: []
    delete: {operationId: 'no'}
"""


def document(paths: Any, **more: Any) -> str:
    return json.dumps({"openapi": "3.1.0", "paths": paths, **more})


def test_operations_of_yaml_in_its_order() -> None:
    """A referred path item counts, and an operation without an id is called by its path."""
    assert operations_in(YAML) == [
        ("GET", "/users", "list_users"),
        ("POST", "/users", "POST /users"),
        ("DELETE", "/users/{id}", "no"),
    ]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("-", YAML, True),
        ("-", f"# ours\n---\n\n{YAML}", True),
        ("-", '{"openapi": "3.1.0", "paths": }', True),
        ("api.json", document({}, info={}), True),
        ("api.json", '{"info": {}, "swagger": "2.0"}', True),
        ("api.yaml", "- a", True),
        ("rows.json", '[{"openapi": "3.1.0"}]', False),
        ("rows.json", '{"path": "a"}', False),
        ("rows.json", '{"a": ' * 99_999, False),
        ("rows.jsonl", '{"openapi": "3.1.0"}', False),
        ("rows.csv", "openapi: a,b", False),
        ("-", "a.txt\nopenapi: a", False),
        ("-", "openapi.yaml", False),
        ("-", "", False),
    ],
)
def test_a_document_is_known_by_its_ending_or_its_beginning(
    name: str, text: str, expected: bool
) -> None:
    """One with an error, too: then the error is told, and its lines are no items."""
    assert is_openapi(name, text) is expected


def test_operations_of_swagger_2() -> None:
    """The older version, in JSON."""
    text = json.dumps({"swagger": "2.0", "paths": {"/a": {"put": {}}, "x-note": 1}})
    assert operations_in(text) == [("PUT", "/a", "PUT /a")]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "is empty"),
        ("[1]", "the document: must be a mapping"),
        ("{", "line 1: is not JSON"),
        ("a: [", "line 1: is not YAML"),
        ("openapi: 3.0.0\npaths:\n  /a: {}\n  /a: {}\n", "line 4: '/a' is given twice"),
        ('{"a": 1, "a": 2}', "'a' is given twice"),
        ('{"openapi": "4.0.0"}', "openapi: must be the text of a version"),
        ('{"openapi": 3.1}', "not 3.1"),
        ('{"swagger": "1.2"}', "swagger: must be"),
        ('{"openapi": "3.0.0", "swagger": "2.0"}', "both"),
        ('{"openapi": "3.0.0"}', "paths: is missing"),
        (document([]), "paths: must be a mapping"),
        (document({}), "paths: has no operations"),
        (document({"/a": {}}), "paths: has no operations"),
        (document({"a": {"get": {}}}), "paths['a']: a path must begin with /"),
        (document({"/{a": {"get": {}}}), "paths['/{a']: its braces"),
        (document({"/{a}": {"get": {}}, "/{b}": {"get": {}}}), "is the same path as '/{a}'"),
        (document({"/a": {"gett": {}}}), "paths['/a']: 'gett' is no method"),
        (document({"/a": {"get": []}}), "paths['/a'].get: must be a mapping"),
        (document({"/a": {"get": {"operationId": 1}}}), "paths['/a'].get.operationId"),
        (
            document({"/a": {"get": {"operationId": "x"}, "put": {"operationId": "x"}}}),
            "paths['/a'].put: operationId 'x' is also that of GET /a",
        ),
        (document({"/a": {"$ref": "b.yaml"}}), "is not in this document"),
        (document({"/a": {"$ref": "#/x/b"}}), "names nothing"),
        (document({"/a": {"$ref": "#/x-a"}}, **{"x-a": {"$ref": "#/x-a"}}), "refers to itself"),
        (document({"/a": {"$ref": "#/x-a", "get": {}}}, **{"x-a": {"get": {}}}), "'get' is also"),
        ("[" * 100_000, "is nested too deeply"),
    ],
)
def test_errors_name_the_place(text: str, words: str) -> None:
    """One sentence, before any agent starts."""
    with pytest.raises(ListingError) as caught:
        operations_in(text)
    assert words in str(caught.value)
