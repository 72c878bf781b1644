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
    # A run without results did not look for any.
    results = run["results"]
    rules, sources = _Rules(run["tool"]), _Sources(run, cwd)
    for result in results:
        if not _is_left_out(result):
            yield _finding(result, *rules.of(result), sources)


def _is_left_out(result: dict[str, Any]) -> bool:
    """Tell whether a result is no problem, accepted, or one of an earlier run that is gone."""
    return (
        result.get("kind", "fail") in _NO_PROBLEM
        or result.get("baselineState") == "absent"
        or _is_suppressed(result)
    )


class _Rules:
    """The rules of a tool, its extensions' included.

    Args:
        tool: The tool.
    """

    def __init__(self, tool: dict[str, Any]) -> None:
        components = [tool["driver"], *tool.get("extensions", [])]
        self._rules = [component.get("rules", []) for component in components]
        self._by_id = [{rule["id"]: rule for rule in rules} for rules in self._rules]

    def of(self, result: dict[str, Any]) -> tuple[str | None, dict[str, Any]]:
        """Return the id of a result's rule and the rule, by id or else by index."""
        reference = result.get("rule", {})
        component = 1 + reference.get("toolComponent", {}).get("index", -1)
        rule_id = result.get("ruleId") or reference.get("id")
        index = result.get("ruleIndex", reference.get("index", -1))
        rule = self._by_id[component].get(rule_id, {})
        if not rule and index >= 0:
            rule = self._rules[component][index]
        return rule_id or rule.get("id"), rule


def _finding(
    result: dict[str, Any], rule_id: str | None, rule: dict[str, Any], sources: _Sources
) -> Finding:
    message = result["message"]
    text = message.get("text") or message.get("markdown")
    if text is None:
        text = rule.get("messageStrings", {}).get(message["id"], {})["text"]
    locations = result.get("locations", [])
    place = locations[0].get("physicalLocation", {}) if locations else {}
    path = sources.path(place.get("artifactLocation", {}))
    line = place.get("region", {}).get("startLine")
    if line is not None and (type(line) is not int or line < 1):
        raise ValueError("startLine is no line")
    return Finding(
        severity=_severity(result, rule),
        message=printable_lines(str(text).strip()) or "no message",
        path=None if path is None else printable(path),
        line=line if path is not None else None,
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


class _Sources:
    """Where the files of a run are.

    Args:
        run: The run.
        cwd: The task's directory, absolute.
    """

    def __init__(self, run: dict[str, Any], cwd: str) -> None:
        self._artifacts = run.get("artifacts", [])
        self._bases: dict[str, Any] = run.get("originalUriBaseIds", {})
        self._below = f"{cwd.rstrip('/')}/"

    def path(self, location: dict[str, Any]) -> str | None:
        """Return the path of an artifact's location, relative to the task's directory if below it.

        A base that is elsewhere is what another machine calls the root of the sources, such as a
        container's; if it is the only one, paths are relative to it.
        """
        if "uri" not in location:
            index = location.get("index", -1)
            location = self._artifacts[index]["location"] if index >= 0 else {}
        if "uri" not in location:
            return None
        root, below = self._parts(location)
        uri = f"{root}/{below}" if root else below
        parts = urlsplit(uri)
        if parts.scheme in ("", "file"):
            path = posixpath.normpath(unquote(parts.path))
            if not path.startswith("/") or path.startswith(self._below):
                return path.removeprefix(self._below)
            uri = path
        return posixpath.normpath(unquote(below)) if root and self._has_one_root else uri

    def _parts(self, location: dict[str, Any]) -> tuple[str, str]:
        """Return the absolute base that a location is below, empty where none is, and the rest."""
        below, seen = "", set()
        while True:
            uri = location.get("uri", "")
            name = location.get("uriBaseId")
            if below and _is_absolute(uri):
                return uri.rstrip("/"), below
            below = f"{uri.rstrip('/')}/{below}" if below and uri else uri or below
            if name is None or name not in self._bases or _is_absolute(uri):
                return "", below
            if name in seen:
                raise ValueError(f"uriBaseId {name!r:.40} is below itself")
            seen.add(name)
            location = self._bases[name]

    @property
    def _has_one_root(self) -> bool:
        return sum(_is_absolute(base.get("uri", "")) for base in self._bases.values()) == 1


def _is_absolute(uri: str) -> bool:
    return uri.startswith("/") or urlsplit(uri).scheme != ""
