"""The operations that httpbin publishes, read from its own spec without serving it."""

import importlib
from typing import NamedTuple

from .rules import rule_for


class PublishedOperation(NamedTuple):
    """One operation as the parameters of a test: texts that a prompt can hold."""

    method: str
    path: str
    summary: str
    statuses: str
    produces: str
    expectation: str


def published_operations() -> list[PublishedOperation]:
    """Return every operation of the spec, in a stable order."""
    # Half a second, nearly all of it Flask's import; the spec is that of the version installed.
    httpbin = importlib.import_module("httpbin")
    spec = httpbin.app.test_client().get("/spec.json").get_json()
    return [
        PublishedOperation(
            method=method.upper(),
            path=path,
            summary=entry["summary"],
            statuses=", ".join(sorted(entry["responses"])),
            produces=", ".join(entry["produces"]),
            expectation=_expectation(method.upper(), path),
        )
        for path, methods in sorted(spec["paths"].items())
        for method, entry in sorted(methods.items())
    ]


def _expectation(method: str, path: str) -> str:
    rule = rule_for(method, path)
    return rule.expectation if rule else "What its summary says, by the rules of HTTP."
