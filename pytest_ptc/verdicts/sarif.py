"""Findings from a SARIF 2.1.0 file that a linter wrote: a part of the trust boundary. Pure."""

from __future__ import annotations

import posixpath
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.verdict import Finding, Severity
from pytest_ptc.text.printable import printable, printable_lines
from pytest_ptc.text.strict_json import strict_json

if TYPE_CHECKING:
    from collections.abc import Iterator

_LEVELS = {
    "error": Severity.HIGH,
    "warning": Severity.MEDIUM,
    "note": Severity.LOW,
    "none": Severity.INFO,
}
#: The lowest `security-severity` (0 to 10) of each severity, as GitHub has them.
_SCORES = ((9.0, Severity.CRITICAL), (7.0, Severity.HIGH), (4.0, Severity.MEDIUM))
#: Kinds of results that report no problem.
_NO_PROBLEM = frozenset({"pass", "notApplicable"})
_MAX_FINDINGS = 10_000
_MAX_SCORE = 10.0


def sarif_findings(text: bytes, cwd: str) -> tuple[Finding, ...]:
    """Return the findings of a SARIF file.

    Suppressed results are left out.

    Args:
        text: The file's content.
        cwd: The task's directory, absolute, which paths are relative to.

    Raises:
        VerdictError: It is not such a file, says that its tool failed, or has too many results.
    """
    try:
        value = strict_json(text.removeprefix(b"\xef\xbb\xbf"))
    except ValueError as error:
        raise VerdictError(f"is not valid JSON: {error}") from None
    try:
        if value["version"] != "2.1.0":
            raise VerdictError(f"has SARIF version {value['version']!r:.40}, not 2.1.0")
        if not isinstance(value["runs"], list) or not value["runs"]:
            raise VerdictError("has no run")
        found = tuple(one for run in value["runs"] for one in _of_run(run, cwd))
    except (KeyError, TypeError, AttributeError, IndexError, ValueError, OverflowError) as error:
        raise VerdictError(f"is not SARIF 2.1.0: {type(error).__name__}: {error!s:.80}") from None
    if len(found) > _MAX_FINDINGS:
        raise VerdictError(f"has {len(found)} findings; at most {_MAX_FINDINGS} are read")
    return found


def _of_run(run: dict[str, Any], cwd: str) -> Iterator[Finding]:
    for invocation in run.get("invocations", []):
        if invocation.get("executionSuccessful") is False:
            raise VerdictError("says that its tool did not run to its end")
    driver = run["tool"]["driver"]
    rules = {rule["id"]: rule for rule in driver.get("rules", [])}
    # A run without results did not look for any.
    for result in run["results"]:
        if result.get("kind", "fail") in _NO_PROBLEM or _is_suppressed(result):
            continue
        rule_id = result.get("ruleId") or result.get("rule", {}).get("id")
        index = result.get("ruleIndex", -1)
        rule = rules.get(rule_id, {})
        if not rule and index >= 0:
            rule = driver["rules"][index]
            rule_id = rule_id or rule["id"]
        yield _finding(result, rule, rule_id, cwd)


def _finding(
    result: dict[str, Any], rule: dict[str, Any], rule_id: str | None, cwd: str
) -> Finding:
    message = result["message"]
    text = message.get("text") or message.get("markdown")
    if text is None:
        text = rule.get("messageStrings", {}).get(message["id"], {})["text"]
    locations = result.get("locations", [])
    place = locations[0].get("physicalLocation", {}) if locations else {}
    uri = place.get("artifactLocation", {}).get("uri")
    line = place.get("region", {}).get("startLine")
    if line is not None and (type(line) is not int or line < 1):
        raise ValueError("startLine is no line")
    return Finding(
        severity=_severity(result, rule),
        message=printable_lines(str(text).strip()) or "no message",
        path=None if uri is None else printable(_path(uri, cwd)),
        line=line if uri is not None else None,
        rule=None if rule_id is None else printable(str(rule_id)),
    )


def _severity(result: dict[str, Any], rule: dict[str, Any]) -> Severity:
    for holder in (result, rule):
        score = holder.get("properties", {}).get("security-severity")
        if score is not None:
            number = float(score)
            if not 0 <= number <= _MAX_SCORE:
                raise ValueError("security-severity is not from 0 to 10")
            return next((name for lowest, name in _SCORES if number >= lowest), Severity.LOW)
    default = rule.get("defaultConfiguration", {}).get("level", "warning")
    return _LEVELS[result.get("level", default)]


def _is_suppressed(result: dict[str, Any]) -> bool:
    found = result.get("suppressions") or []
    # Each that is under review or rejected leaves the result as it is.
    return bool(found) and all(one.get("status", "accepted") == "accepted" for one in found)


def _path(uri: str, cwd: str) -> str:
    parts = urlsplit(uri)
    if parts.scheme not in ("", "file"):
        return uri
    path = posixpath.normpath(unquote(parts.path))
    return path.removeprefix(f"{cwd.rstrip('/')}/")
