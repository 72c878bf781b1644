"""JSON to `Verdict`: the trust boundary.

Whatever an agent recorded is checked here and nowhere else. A refusal's message is written for the
agent: it names the field and says what is wanted. Nothing is corrected silently: a verdict that is
nearly right is refused, because an agent that got the form wrong may have got more wrong.
The texts of a verdict are printable from here on: tests, pytest and reports may print them.
"""

from __future__ import annotations

import json
import math
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.verdict import (
    NO_FACTS,
    Excuse,
    Finding,
    FindingFacts,
    FindingState,
    Severity,
    Verdict,
    VerdictKind,
)
from pytest_ptc.text.printable import printable, printable_lines
from pytest_ptc.text.strict_json import MAX_JSON_DEPTH, strict_json
from pytest_ptc.verdicts.schemas import data_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping


_VERDICT_FIELDS = frozenset({"verdict", "summary", "findings", "data", "checked", "open"})
_FINDING_FIELDS = frozenset({"severity", "message", "path", "line", "rule", "quote"})
_FACTS = frozenset(FindingFacts.__slots__)

#: Longest verdict read, in bytes; ten thousand findings with evidence fit.
MAX_VERDICT_BYTES = 8 * 1024 * 1024

#: Bits of the largest integer: larger ones do not fit into a double, which most JSON readers use.
_MAX_BITS = 1024


def parse_verdict(text: str | bytes, schema: Mapping[str, Any] | None = None) -> Verdict:
    """Return the verdict that this JSON text holds.

    Raises:
        VerdictError: It is not JSON, has a key twice, or is not a verdict.
    """
    if len(text) > MAX_VERDICT_BYTES:
        raise VerdictError(
            f"a verdict may have at most {MAX_VERDICT_BYTES} bytes; this one has {len(text)}"
        )
    try:
        value = strict_json(text)
    except ValueError as error:
        raise VerdictError(f"not valid JSON: {error}") from None
    return read_verdict(value, schema)


def read_verdict(
    value: object, schema: Mapping[str, Any] | None = None, *, ours: bool = False
) -> Verdict:
    """Return the verdict that this JSON value is.

    Args:
        value: The value from any JSON reader, strict or not.
        schema: JSON Schema for `data`, from the marker.
        ours: Whether we wrote it: only then may its findings have facts, and it may stand.

    Raises:
        VerdictError: It is not a verdict, or holds what is not JSON.
    """
    _check_json(value, _number_problem)
    fields = _object(
        value, "the verdict", _VERDICT_FIELDS | {"stands"} if ours else _VERDICT_FIELDS
    )
    kind = _choice(fields.get("verdict"), "verdict", VerdictKind)
    summary = fields.get("summary")
    if not isinstance(summary, str) or not summary.strip():
        raise VerdictError('"summary" must be a text of one or two sentences')
    findings = fields.get("findings", [])
    if not isinstance(findings, list):
        raise VerdictError(f'"findings" must be a list, not {_kind(findings)}')
    verdict = Verdict(
        verdict=kind,
        summary=printable_lines(summary.strip()),
        findings=tuple(
            _finding(entry, f"findings[{i}]", ours=ours) for i, entry in enumerate(findings)
        ),
        data=fields.get("data"),
        checked=_texts(fields.get("checked"), "checked"),
        open=_texts(fields.get("open"), "open"),
        stands=fields.get("stands") is True,
    )
    # Other texts are made printable; data stays unchanged, so it must be portable.
    _check_json(verdict.data, _text_problem)
    if schema is not None:
        _check_data(verdict, schema)
    return verdict


def _finding(value: object, where: str, *, ours: bool) -> Finding:
    fields = _object(value, where, _FINDING_FIELDS | {"facts"} if ours else _FINDING_FIELDS)
    message = fields.get("message")
    if not isinstance(message, str) or not message.strip():
        raise VerdictError(f'"{where}.message" must be a text')
    for name in ("path", "rule", "quote"):
        if not isinstance(fields.get(name), str | None):
            raise VerdictError(f'"{where}.{name}" must be a text, not {_kind(fields[name])}')
    line = fields.get("line")
    if line is not None and (not isinstance(line, int) or isinstance(line, bool) or line < 1):
        raise VerdictError(f'"{where}.line" must be a whole number from 1')
    return Finding(
        severity=_choice(fields.get("severity"), f"{where}.severity", Severity),
        message=printable_lines(message.strip()),
        path=_one_line(fields.get("path")),
        line=line,
        rule=_one_line(fields.get("rule")),
        quote=_one_line(fields.get("quote")),
        facts=_facts(fields["facts"], where) if "facts" in fields else NO_FACTS,
    )


def _facts(value: object, where: str) -> FindingFacts:
    """Return facts that we wrote ourselves, into a journal that nobody else can write."""
    fields = _object(value, f"{where}.facts", _FACTS)
    if "excuse" in fields:
        fields = {**fields, "excuse": _choice(fields["excuse"], f"{where}.facts.excuse", Excuse)}
    if "state" in fields:
        state = _choice(fields["state"], f"{where}.facts.state", FindingState)
        fields = {**fields, "state": state}
    return FindingFacts(**fields)


def _texts(value: object, name: str) -> tuple[str, ...]:
    if value is None:
        return ()
    if not isinstance(value, list):
        raise VerdictError(f'"{name}" must be a list of texts, not {_kind(value)}')
    for number, entry in enumerate(value):
        if not isinstance(entry, str) or not entry.strip():
            raise VerdictError(f'"{name}[{number}]" must be a text that says something')
    return tuple(printable(entry.strip()) for entry in value)


def _one_line(text: str | None) -> str | None:
    return None if text is None else printable(text)


def _object(value: object, where: str, known: frozenset[str]) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise VerdictError(f"{where} must be a JSON object, not {_kind(value)}")
    unknown = sorted(set(value) - known)
    if unknown:
        raise VerdictError(
            f"{where} has unknown fields {', '.join(unknown)}; known are {', '.join(sorted(known))}"
        )
    return value


def _choice(value: object, where: str, choices: type[Any]) -> Any:
    try:
        return choices(value)
    except ValueError:
        allowed = ", ".join(choice.value for choice in choices)
        raise VerdictError(f'"{where}" must be one of {allowed}, not {value!r:.80}') from None


def _check_data(verdict: Verdict, schema: Mapping[str, Any]) -> None:
    # After error or skip the work was not done: there is no data to check.
    if verdict.verdict not in (VerdictKind.PASS, VerdictKind.FAIL):
        return
    problem = data_problem(verdict.data, schema)
    if problem is not None:
        raise VerdictError(f'"data" {problem}')


def _check_json(value: object, problem_of: Callable[[object], str | None]) -> None:
    """Refuse values that some JSON readers or files cannot hold.

    Args:
        value: The value.
        problem_of: Returns what is wrong with a scalar, or None.

    Raises:
        VerdictError: It holds such a value, or is too deep.
    """
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        if not level:
            return
        for entry in level:
            problem = problem_of(entry)
            if problem is not None:
                raise VerdictError(f"not portable JSON: {problem}")
        level = [inner for holder in level for inner in _entries(holder)]
    if level:
        raise VerdictError(f"a verdict may have at most {MAX_JSON_DEPTH} levels; this one has more")


def _entries(value: object) -> list[object]:
    if isinstance(value, dict):
        return [*value.keys(), *value.values()]
    return list(value) if isinstance(value, list | tuple) else []


def _number_problem(value: object) -> str | None:
    if isinstance(value, float) and not math.isfinite(value):
        return f"{value} is not a finite number"
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        return "a number is too large"
    return None


def _text_problem(value: object) -> str | None:
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode()
        except UnicodeEncodeError:
            return f"{json.dumps(value)[:80]} holds half of a surrogate pair"
    return None


def _kind(value: object) -> str:
    names = {
        dict: "an object",
        list: "a list",
        str: "a text",
        bool: "a boolean",
        type(None): "null",
    }
    return names.get(type(value), "a number")
