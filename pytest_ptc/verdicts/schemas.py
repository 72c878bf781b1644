"""JSON Schemas of suites, and the data of agents that is held to them.

A schema comes from the suite and is looked at before any agent starts: it must be one, be whole in
itself, and its patterns must be regular expressions. Nothing is ever fetched for it, from the
network or from a file.

Data comes from an agent, and may be made so that the check of it never ends: a regular expression
that backtracks, a schema that refers to itself, a million entries that must be unique. None of that
can be stopped from another thread, for Python's `re` holds the interpreter's lock. So a check that
is not surely short is made by a process of its own, which has so much processor time.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import warnings
from itertools import islice
from typing import TYPE_CHECKING, Any

from pytest_ptc.text.strict_json import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

#: Seconds of processor time that a check may take in a process of its own, its start included; and
#: seconds on the clock, on a machine that is busy with other things.
CHECK_CPU_S = 5
CHECK_WALL_S = 20.0

#: Keywords with which a check may take longer than its texts are long.
_SLOW = frozenset(
    {
        "$dynamicRef",
        "$recursiveRef",
        "$ref",
        "contains",
        "pattern",
        "patternProperties",
        "unevaluatedItems",
        "unevaluatedProperties",
        "uniqueItems",
    }
)
#: Without those it takes at most as long as this product of the texts' lengths.
_QUICK = 10_000_000

#: How many problems of one data are shown, and characters of each.
_SHOWN, _LONGEST = 5, 500

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

#: What a process that checks is: isolated, so that no directory of the text under review is on its
#: path, with what its parent's path has behind its own.
_CHILD = (
    "import json, sys; sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path];"
    "from pytest_ptc.verdicts.schemas import main; main()"
)


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Return why this schema cannot be used, as what follows `schema`; None if it can."""
    import jsonschema  # noqa: PLC0415 - 60 ms that only a suite with a schema should pay

    try:
        value = strict_json(json.dumps(schema))
    except RecursionError:
        return "is not a JSON Schema: it has too many levels"
    except (TypeError, ValueError) as error:
        return f"is not a JSON Schema: {error}"
    named = value.get("$schema")
    if named is not None and not isinstance(named, str):
        return f'is not a JSON Schema: its "$schema" must be a text, not {named!r:.80}'
    newest: Any = jsonschema.validators.validator_for({})
    unknown: Any = None
    kind: Any = jsonschema.validators.validator_for(value, default=unknown if named else newest)
    if kind is None:
        return (
            f'has the "$schema" {named!r:.200}, which is none that is known; leave it out, or '
            'name a draft such as "https://json-schema.org/draft/2020-12/schema"'
        )
    try:
        kind.check_schema(value)
    except jsonschema.SchemaError as error:
        return f"is not a JSON Schema: {error.message:.500}"
    except RecursionError:
        return "is not a JSON Schema: it has too many levels"
    problem = next(_problems(value, kind), None)
    if problem is not None:
        return problem
    # A reference that leads back to itself, without a level of data between, never ends.
    samples: tuple[Any, ...] = (None, True, 0, "", [], {})
    endless = any(_endless(one, value, kind) for one in samples)
    return "refers to itself without end" if endless else None


def data_problem(data: object, schema: Mapping[str, Any]) -> str | None:
    """Return why an agent's data does not meet a schema, or cannot be held to it; None if it does.

    Takes at most `CHECK_WALL_S`.
    """
    try:
        texts = json.dumps(schema), json.dumps(data)
    except (TypeError, ValueError, RecursionError) as error:
        return f"cannot be checked: {error}"
    if is_quick(schema, *map(len, texts)):
        return problem_of(data, schema)
    return _checked_aside(f'{{"schema": {texts[0]}, "data": {texts[1]}}}')


def is_quick(schema: object, schema_size: int, data_size: int) -> bool:
    """Tell whether a check is surely short.

    Args:
        schema: The schema.
        schema_size: How long its text is.
        data_size: How long that of the data is.
    """
    return schema_size * data_size <= _QUICK and not _names(schema) & _SLOW


def problem_of(data: object, schema: Mapping[str, Any]) -> str | None:
    """Return why data does not meet a schema; None if it does. Takes as long as it takes."""
    import jsonschema  # noqa: PLC0415 - see above
    import jsonschema_specifications  # type: ignore[import-untyped]  # noqa: PLC0415

    kind: Any = jsonschema.validators.validator_for(schema)
    validator = kind(schema, registry=jsonschema_specifications.REGISTRY)
    try:
        found = sorted(
            islice(validator.iter_errors(data), 4 * _SHOWN), key=lambda error: error.json_path
        )
    except RecursionError:
        return "cannot be checked: the schema refers to itself without end, or it is too deep"
    except Exception as error:  # noqa: BLE001 - the libraries raise what is not documented
        return f"cannot be checked: {error!r:.500}"
    if not found:
        return None
    shown = "; ".join(
        f"{p.json_path.replace('$', 'data', 1)}: {p.message:.{_LONGEST}}" for p in found[:_SHOWN]
    )
    return f"does not meet the schema: {shown}"


def main() -> None:
    """Be the process that checks: schema and data on standard input, the problem on the output."""
    import resource  # noqa: PLC0415 - Unix only, as all of this is

    resource.setrlimit(resource.RLIMIT_CPU, (CHECK_CPU_S, CHECK_CPU_S + 1))
    given = json.load(sys.stdin)
    json.dump(problem_of(given["data"], given["schema"]), sys.stdout)


def _checked_aside(given: str) -> str | None:
    """Have a process of its own check it, which is killed when that takes too long."""
    words = [sys.executable, "-I", "-c", _CHILD, json.dumps(sys.path)]
    try:
        done = subprocess.run(
            words,
            input=given.encode(),
            capture_output=True,
            timeout=CHECK_WALL_S,
            check=False,
            start_new_session=True,
            # Nothing that a variable would have a Python do, as to measure its coverage.
            env={name: os.environ[name] for name in _KEPT if name in os.environ},
        )
        if done.returncode == 0:
            problem: str | None = json.loads(done.stdout)
            return problem
    except (OSError, ValueError) as error:
        return f"cannot be checked: {error}"
    except subprocess.TimeoutExpired:
        return _too_slow(f"{CHECK_WALL_S:g} s")
    if done.returncode < 0:
        return _too_slow(f"{CHECK_CPU_S} s of processor time")
    *_, last = ["no words", *done.stderr.decode("utf-8", "replace").splitlines()]
    return f"cannot be checked: {last:.500}"


_KEPT = ("PATH", "HOME", "LD_LIBRARY_PATH", "DYLD_LIBRARY_PATH", "LANG", "LC_ALL", "TMPDIR")

#: How the problem of a check that was given up begins.
TOO_SLOW = "cannot be held to the schema within "


def _too_slow(limit: str) -> str:
    return f"{TOO_SLOW}{limit}; a pattern that backtracks, or too much data"


def _problems(schema: dict[str, Any], kind: Any) -> Iterator[str]:
    """Yield what is wrong with the references and patterns of a schema."""
    from jsonschema_specifications import REGISTRY  # noqa: PLC0415 - with jsonschema
    from referencing.exceptions import Unresolvable  # noqa: PLC0415
    from referencing.jsonschema import specification_with  # noqa: PLC0415

    draft = specification_with(kind.META_SCHEMA.get("$schema", kind.META_SCHEMA.get("id")))
    root = draft.create_resource(schema)
    pending = [(root, REGISTRY.resolver_with_root(root))]
    seen: set[int] = set()
    while pending:
        resource, resolver = pending.pop()
        content = resource.contents
        if not isinstance(content, dict) or id(content) in seen:
            continue
        seen.add(id(content))
        yield from _pattern_problems(content)
        for keyword in _REFERENCES:
            reference = content.get(keyword)
            if not isinstance(reference, str):
                continue
            try:
                found = resolver.lookup(reference)
            except (Unresolvable, ValueError, LookupError, TypeError):
                yield (
                    f'has a "{keyword}" that leads nowhere: {reference!r:.200}; nothing is '
                    'fetched: put what it names into the schema, below "$defs"'
                )
                continue
            if not isinstance(found.contents, dict | bool):
                yield f'has a "{keyword}" that leads to no schema: {reference!r:.200}'
                continue
            pending.append((draft.create_resource(found.contents), found.resolver))
        pending += [(inner, resolver.in_subresource(inner)) for inner in resource.subresources()]


def _pattern_problems(schema: Mapping[str, Any]) -> Iterator[str]:
    patterns = [("pattern", schema.get("pattern"))]
    keyed = schema.get("patternProperties")
    patterns += [("patternProperties", one) for one in keyed] if isinstance(keyed, dict) else []
    for keyword, pattern in patterns:
        if not isinstance(pattern, str):
            continue
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                re.compile(pattern)
        except (re.error, OverflowError, RecursionError) as error:
            yield (
                f'has a "{keyword}" that is no regular expression of Python: {pattern!r:.200}: '
                f"{error}"
            )


def _endless(data: object, schema: dict[str, Any], kind: Any) -> bool:
    from jsonschema_specifications import REGISTRY  # noqa: PLC0415 - with jsonschema

    try:
        for _ in islice(kind(schema, registry=REGISTRY).iter_errors(data), 1):
            pass
    except RecursionError:
        return True
    return False


def _names(value: object) -> set[str]:
    """Return the names of all fields, at any level."""
    found: set[str] = set()
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            found.update(entry)
            pending += entry.values()
        elif isinstance(entry, list | tuple):
            pending += entry
    return found
