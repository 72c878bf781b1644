"""The operations of an OpenAPI document, version 3.0 or 3.1, or of a Swagger 2.0 document. Pure.

What an operation is found by is checked: paths, path items, methods, operation ids and references
to path items. Every error names the place in the document.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.collection.rows import once
from pytest_ptc.model.errors import ListingError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Operation", "is_openapi", "operations_in"]

_METHODS = ("get", "put", "post", "delete", "options", "head", "patch")
#: What a path item may have beside operations.
_BESIDE = ("$ref", "summary", "description", "servers", "parameters")
_VERSION_3 = re.compile(r"3\.[01]\.\d+(-.+)?")
_TEMPLATE = re.compile(r"\{[^{}/]+\}")


#: How a document begins, for which no ending speaks.
_BEGINS = re.compile(r"""\{\s*["'](openapi|swagger)["']\s*:|(openapi|swagger):\s""")
_BEFORE = re.compile(r"(?:\s*(?:#.*|---.*)?\n)*\s*")


class Operation(NamedTuple):
    """A method of a path; `operation` is its `operationId`, or else method and path."""

    method: str
    path: str
    operation: str


def is_openapi(name: str, text: str) -> bool:
    """Tell whether a text is meant as a document, and not as rows.

    Args:
        name: The name of the file that it is from; `-` for standard input.
        text: The text.
    """
    suffix = PurePath(name).suffix.lower()
    if suffix in (".yaml", ".yml"):
        return True
    if suffix not in (".json", "", ".txt"):
        return False
    start = _BEFORE.match(text)
    if _BEGINS.match(text, start.end() if start else 0):
        return True
    if not text.lstrip().startswith("{"):
        return False
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return False
    return "openapi" in value or "swagger" in value


def operations_in(text: str) -> list[Operation]:
    """Return the operations of a document, in its order.

    Args:
        text: The document, JSON or YAML.

    Raises:
        ListingError: It is no such document, has no operations, or has an error in what an
            operation is found by.
    """
    document = _mapping(_parsed(text), "the document")
    methods = _methods(document)
    paths = _mapping(document.get("paths"), "paths")
    found: list[Operation] = []
    ids: dict[str, str] = {}
    shapes: dict[str, str] = {}
    for path, item in paths.items():
        if isinstance(path, str) and path.startswith("x-"):
            continue
        place = f"paths[{path!r:.200}]"
        shape = _shape(path, place)
        if shape in shapes:
            raise ListingError(f"{place}: is the same path as {shapes[shape]!r:.200}; remove one")
        shapes[shape] = path
        for method, operation_id in _of_path(document, item, methods, place):
            if operation_id is not None:
                other = ids.setdefault(operation_id, f"{method.upper()} {path}")
                if other != f"{method.upper()} {path}":
                    raise ListingError(
                        f"{place}.{method}: operationId {operation_id!r:.80} is also that of "
                        f"{other}; rename one"
                    )
            name = f"{method.upper()} {path}" if operation_id is None else operation_id
            found.append(Operation(method.upper(), path, name))
    if not found:
        raise ListingError("paths: has no operations, so the suite would have no items")
    return found


def _methods(document: Mapping[Any, Any]) -> tuple[str, ...]:
    if "openapi" in document and "swagger" in document:
        raise ListingError("has both `openapi` and `swagger`; remove one")
    version = document.get("openapi")
    if isinstance(version, str) and _VERSION_3.fullmatch(version):
        return (*_METHODS, "trace")
    if document.get("swagger") == "2.0":
        return _METHODS
    key = "swagger" if "swagger" in document else "openapi"
    raise ListingError(
        f"{key}: must be the text of a version, 3.0.x or 3.1.x of OpenAPI or 2.0 of Swagger, "
        f"not {document.get(key)!r:.40}"
    )


def _shape(path: object, place: str) -> str:
    """Return a path without the names of its parameters: what two paths must not share."""
    if not isinstance(path, str) or not path.startswith("/"):
        raise ListingError(f"{place}: a path must begin with /")
    shape = _TEMPLATE.sub("\0", path)
    if "{" in shape or "}" in shape:
        raise ListingError(f"{place}: its braces are not pairs around a name")
    return shape


def _of_path(
    document: Mapping[Any, Any], item: object, methods: tuple[str, ...], place: str
) -> Iterator[tuple[str, str | None]]:
    """Yield the methods of a path item, each with its operation id."""
    for name, operation in _resolved(document, item, place).items():
        if name in methods:
            operation_id = _mapping(operation, f"{place}.{name}").get("operationId")
            if operation_id is not None and not (
                isinstance(operation_id, str) and operation_id.strip()
            ):
                raise ListingError(f"{place}.{name}.operationId: must be a text")
            yield name, operation_id
        elif name not in _BESIDE and not str(name).startswith("x-"):
            raise ListingError(f"{place}: {name!r:.80} is no method; use {', '.join(methods)}")


def _resolved(document: Mapping[Any, Any], item: object, place: str) -> Mapping[Any, Any]:
    """Return a path item with what it refers to."""
    merged: dict[Any, Any] = {}
    followed: set[str] = set()
    while True:
        current = _mapping(item, place)
        twice = [name for name in current if name in merged and name != "$ref"]
        if twice:
            raise ListingError(f"{place}: {twice[0]!r:.80} is also in what $ref names; remove one")
        merged |= current
        reference = current.get("$ref")
        if reference is None:
            return merged
        if not isinstance(reference, str) or not reference.startswith("#/"):
            raise ListingError(
                f"{place}.$ref: {reference!r:.200} is not in this document; bundle the document "
                "into one file"
            )
        if reference in followed:
            raise ListingError(f"{place}.$ref: {reference!r:.200} refers to itself")
        followed.add(reference)
        item = _pointed(document, reference, place)


def _pointed(document: Mapping[Any, Any], reference: str, place: str) -> object:
    from urllib.parse import unquote  # noqa: PLC0415 - few documents refer

    value: Any = document
    for part in unquote(reference[2:]).split("/"):
        name = part.replace("~1", "/").replace("~0", "~")
        if not isinstance(value, dict) or name not in value:
            raise ListingError(f"{place}.$ref: {reference!r:.200} names nothing in the document")
        value = value[name]
    return value


def _mapping(value: object, place: str) -> Mapping[Any, Any]:
    if not isinstance(value, dict):
        what = "is missing" if value is None else "must be a mapping"
        raise ListingError(f"{place}: {what}")
    return value


def _parsed(text: str) -> Any:
    if not text.strip():
        raise ListingError("is empty")
    try:
        return _of_json(text) if text.lstrip().startswith("{") else _of_yaml(text)
    except RecursionError:
        raise ListingError("is nested too deeply") from None


def _of_json(text: str) -> Any:
    try:
        return json.loads(text, object_pairs_hook=once)
    except ValueError as error:
        line = getattr(error, "lineno", 1)
        raise ListingError(
            f"line {line}: is not JSON: {getattr(error, 'msg', str(error))}"
        ) from None


def _of_yaml(text: str) -> Any:
    import yaml  # noqa: PLC0415 - only a document in YAML pays for it

    class Loader(yaml.SafeLoader):
        """Refuses a key that is given twice."""

        def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
            seen: set[Any] = set()
            for key, _ in node.value:
                # A merged key (<<) may be overridden: that is its use.
                name = (key.tag, key.value) if isinstance(key, yaml.ScalarNode) else None
                if name in seen and name is not None:
                    line = key.start_mark.line + 1
                    raise ListingError(f"line {line}: {key.value!r:.80} is given twice; remove one")
                seen.add(name)
            return super().construct_mapping(node, deep=deep)

    try:
        return yaml.load(text, Loader=Loader)  # noqa: S506 - a SafeLoader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = 1 if mark is None else mark.line + 1
        raise ListingError(
            f"line {line}: is not YAML: {getattr(error, 'problem', None) or error}"
        ) from None
    except ValueError as error:
        raise ListingError(f"has an invalid value: {error}") from None
