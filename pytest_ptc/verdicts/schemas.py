"""The check of JSON Schemas of suites, and of agents' data against them.

A schema comes from the suite and is checked before any agent starts: it must be valid, contain all
that it refers to, and its patterns must be regular expressions. Nothing is fetched, from the
network or from a file.

Data comes from an agent, and may make its check endless: a regular expression that backtracks, a
schema that refers to itself, a million entries that must be unique. Another thread cannot stop such
a check, because Python's `re` holds the interpreter's lock. So a check that may be slow runs in a
child process with a limit on processor time.
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

#: Seconds of processor time that a check may take in a child process, with its start; and seconds
#: on the clock, for a busy machine.
CHECK_CPU_S = 5
CHECK_WALL_S = 20.0

#: Keywords with which a check may take more than linear time.
_SLOW_KEYWORDS = frozenset(
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
#: Without those, a check is quick up to this product of the lengths of schema and data.
_MAX_QUICK_PRODUCT = 10_000_000

#: Problems that a message shows, and characters of each.
_MAX_PROBLEMS, _MAX_PROBLEM_CHARS = 5, 500

_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")

#: The child's program. It runs isolated, so that no directory under review is on its path, with its
#: parent's path appended.
_CHILD_CODE = (
    "import json, sys; sys.path += [p for p in json.loads(sys.argv[1]) if p not in sys.path];"
    "from pytest_ptc.verdicts.schemas import main; main()"
)


def schema_problem(schema: Mapping[str, Any]) -> str | None:
    """Return why this schema cannot be used, as what follows `schema`; None if it can."""
    import jsonschema  # noqa: PLC0415 - lazily: it takes 60 ms, and only suites with a schema need it

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
            f'has an unknown "$schema" {named!r:.200}; leave it out, or '
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
    # A reference to itself without a level of data between never ends.
    samples: tuple[Any, ...] = (None, True, 0, "", [], {})
    endless = any(_endless(one, value, kind) for one in samples)
    return "refers to itself without end" if endless else None


def data_problem(data: object, schema: Mapping[str, Any]) -> str | None:
    """Return why data does not match a schema, or cannot be checked; None if it matches.

    It blocks for at most `CHECK_WALL_S`.
    """
    try:
        texts = json.dumps(schema), json.dumps(data)
    except (TypeError, ValueError, RecursionError) as error:
        return f"cannot be checked: {error}"
    if is_quick(schema, *map(len, texts)):
        return problem_of(data, schema)
    return _check_in_child(f'{{"schema": {texts[0]}, "data": {texts[1]}}}')


def is_quick(schema: object, schema_size: int, data_size: int) -> bool:
    """Tell whether a check is certain to be quick.

    Args:
        schema: The schema.
        schema_size: Characters of its JSON text.
        data_size: Characters of the data's JSON text.
    """
    return schema_size * data_size <= _MAX_QUICK_PRODUCT and not _names(schema) & _SLOW_KEYWORDS


def problem_of(data: object, schema: Mapping[str, Any]) -> str | None:
    """Return why data does not match a schema; None if it does. There is no time limit."""
    import jsonschema  # noqa: PLC0415 - see above
    import jsonschema_specifications  # type: ignore[import-untyped]  # noqa: PLC0415

    kind: Any = jsonschema.validators.validator_for(schema)
    validator = kind(schema, registry=jsonschema_specifications.REGISTRY)
    try:
        errors = sorted(
            islice(validator.iter_errors(data), 4 * _MAX_PROBLEMS),
            key=lambda error: error.json_path,
        )
    except RecursionError:
        return "cannot be checked: the schema refers to itself without end, or it is too deep"
    except Exception as error:  # noqa: BLE001 - the libraries raise undocumented exceptions
        return f"cannot be checked: {error!r:.500}"
    if not errors:
        return None
    shown = "; ".join(
        f"{p.json_path.replace('$', 'data', 1)}: {p.message:.{_MAX_PROBLEM_CHARS}}"
        for p in errors[:_MAX_PROBLEMS]
    )
    return f"does not meet the schema: {shown}"


def main() -> None:
    """Run the check in the child: schema and data on stdin, the problem on stdout."""
    import resource  # noqa: PLC0415 - Unix only, as all of this is

    resource.setrlimit(resource.RLIMIT_CPU, (CHECK_CPU_S, CHECK_CPU_S + 1))
    request = json.load(sys.stdin)
    json.dump(problem_of(request["data"], request["schema"]), sys.stdout)


def _check_in_child(request: str) -> str | None:
    """Run the check in a child process, which is killed after `CHECK_WALL_S`."""
    words = [sys.executable, "-I", "-c", _CHILD_CODE, json.dumps(sys.path)]
    try:
        done = subprocess.run(
            words,
            input=request.encode(),
            capture_output=True,
            timeout=CHECK_WALL_S,
            check=False,
            start_new_session=True,
            # No variables that change what a Python does, such as those of coverage.py.
            env={name: os.environ[name] for name in _CHILD_VARIABLES if name in os.environ},
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
    *_, last = ["no message", *done.stderr.decode("utf-8", "replace").splitlines()]
    return f"cannot be checked: {last:.500}"


_CHILD_VARIABLES = (
    "PATH",
    "HOME",
    "LD_LIBRARY_PATH",
    "DYLD_LIBRARY_PATH",
    "LANG",
    "LC_ALL",
    "TMPDIR",
)

#: The start of the problem of a check that timed out.
TOO_SLOW = "could not be checked against the schema within "


def _too_slow(limit: str) -> str:
    return f"{TOO_SLOW}{limit}: a pattern backtracks, or there is too much data"


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
                target = resolver.lookup(reference)
            except (Unresolvable, ValueError, LookupError, TypeError):
                yield (
                    f'has a "{keyword}" that cannot be resolved: {reference!r:.200}; nothing is '
                    'fetched: put its target into the schema, below "$defs"'
                )
                continue
            if not isinstance(target.contents, dict | bool):
                yield f'has a "{keyword}" that does not lead to a schema: {reference!r:.200}'
                continue
            pending.append((draft.create_resource(target.contents), target.resolver))
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
                f'has a "{keyword}" that is not a regular expression of Python: {pattern!r:.200}: '
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
    names: set[str] = set()
    pending = [value]
    while pending:
        entry = pending.pop()
        if isinstance(entry, dict):
            names.update(entry)
            pending += entry.values()
        elif isinstance(entry, list | tuple):
            pending += entry
    return names
