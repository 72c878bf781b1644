"""From the parameters of a test item to a verdict."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from .exchange import LateAnswerError, NoAnswerError, UnreachableError
from .probe import FAILING, BrokenPromiseError, Operation, Probe
from .rules import rule_for

TIMEOUT = 10.0
NEEDED = ("base_url", "method", "path", "statuses", "produces")


def examine(
    params: Mapping[str, str], log: Callable[[str], None], *, timeout: float = TIMEOUT
) -> dict[str, Any]:
    """Run every check of one operation and return the verdict, as JSON."""
    missing = [name for name in NEEDED if not params.get(name)]
    if missing:
        return _error(f"PTC_PARAMS does not say: {', '.join(missing)}.")
    operation = Operation(
        method=params["method"],
        path=params["path"],
        statuses=frozenset(int(status) for status in params["statuses"].split(", ")),
        media_types=frozenset(params["produces"].split(", ")),
    )
    rule = rule_for(operation.method, operation.path)
    if rule is None:
        return _error(f"No rule covers {operation}; add one to httpbin_probe/rules.py.")
    probe = Probe(
        operation, params["base_url"].rstrip("/"), values=rule.values, log=log, timeout=timeout
    )
    for check in rule.checks:
        log(f"- {check.__name__.replace('_', ' ')}")
        try:
            check(probe)
        except BrokenPromiseError:
            continue
        except UnreachableError as error:
            return _error(f"{operation} could not be examined: {error}.")
        except LateAnswerError as error:
            # The other checks would only wait as long again.
            probe.note("high", "timeout", "the API does not answer in time", error)
            break
        except NoAnswerError as error:
            probe.note("high", "no-answer", "the API does not give a valid answer", error)
    return _verdict(probe, checks=len(rule.checks))


def _verdict(probe: Probe, *, checks: int) -> dict[str, Any]:
    severities = Counter(finding.severity for finding in probe.findings)
    defects = [finding for finding in probe.findings if finding.severity in FAILING]
    lesser = len(probe.findings) - len(defects)
    summary = (
        f"{probe.operation}: {_count(checks, 'check')}, {_count(probe.requests, 'request')}, "
        f"{_count(len(defects), 'defect')}, {_count(lesser, 'lesser finding')}."
    )
    if defects:
        summary += f" First: {defects[0].claim}."
    return {
        "verdict": "fail" if defects else "pass",
        "summary": summary,
        "findings": [finding.to_json() for finding in probe.findings],
        "data": {"requests": probe.requests, "checks": checks, "severities": dict(severities)},
    }


def _error(summary: str) -> dict[str, Any]:
    return {"verdict": "error", "summary": summary, "findings": [], "data": {"requests": 0}}


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
