"""One item of a run as text: what was asked, what was done, what came of it, how to go on. Pure."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from pytest_ptc.reporting.wording import (
    count,
    cut,
    finding_text,
    looked_at,
    output_lines,
    seconds_text,
)
from pytest_ptc.reporting.worker_names import at_node
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from pytest_ptc.reporting.attempts import TaskAttempt
    from pytest_ptc.reporting.finding_names import NamedFinding
    from pytest_ptc.reporting.task_report import TaskReport

#: Most of each that is shown.
MAX_FINDINGS, MAX_CALLS, MAX_DENIED, MAX_PROMPT_LINES, MAX_PROMPT_CHARS = 20, 20, 10, 30, 3000
_LINE_CHARS = 300


def item_lines(
    task: TaskReport,
    name: str,
    found: Sequence[NamedFinding],
    *,
    run: str,
    journal: Path,
    calls: Sequence[str],
    session: str | None,
    active: bool = False,
) -> list[str]:
    """Return what is known of an item, in at most about a hundred lines.

    Args:
        task: The item's task.
        name: Its short name.
        found: Its findings, with their names in the run.
        run: The run's id, as people type it.
        journal: The run's folder.
        calls: The tool calls of its last attempt, as far as they are known.
        session: The session that can be talked to; None where there is none.
        active: Whether the run is still active.
    """
    known = _stands(found) and not task.tests_judge
    state = task.so_far if active else task.state.value
    under_way = state != task.state.value
    lines = [
        f"{name}  {state} in run {run}{', which is active' if active else ''}",
        *([task.nodeid] if task.nodeid != name else []),
        *([] if under_way and task.verdict is None else [task.reason.text]),
        *_self_test(task),
        *_findings(found),
        *(cut(f"  {text}", _LINE_CHARS) for text in looked_at(task.verdict)),
        *(line for attempt in task.attempts for line in _attempt(attempt, task, active=active)),
        *([f"kept from run {task.kept_from}"] if task.kept_from else []),
        *_calls(calls),
        *_prompt(task.spec.prompt),
        *output_lines(task, journal),
        "go on:",
        f"  ptc rerun {run} {shlex.quote(name)}",
        *([f"  ptc known add {run} {found[0].name} --reason '...'"] if known else []),
        *([f"  ptc talk {run} {shlex.quote(name)}"] if session else []),
    ]
    return [printable(line) for line in lines if line]


def _self_test(task: TaskReport) -> Iterator[str]:
    """Yield what an item tests of the judge, and what must be found."""
    if (test := task.spec.self_test) is not None:
        finding = "" if test.expect is None else f": a finding must name {test.expect.text}"
        yield f"a {test.kind}, which tests the judge{finding}"


def _stands(found: Sequence[NamedFinding]) -> bool:
    """Tell whether the first finding, the worst, is excused by nothing."""
    return bool(found) and found[0].finding.facts.excuse is None


def _findings(found: Sequence[NamedFinding]) -> Iterator[str]:
    for name, one in found[:MAX_FINDINGS]:
        yield cut(f"  - {name} {finding_text(one)}", _LINE_CHARS)
        if one.facts.anchor is not None:
            yield f"    fingerprint {one.facts.anchor}"
    if len(found) > MAX_FINDINGS:
        yield f"  - and {count(len(found) - MAX_FINDINGS, 'finding')} more"


def _attempt(attempt: TaskAttempt, task: TaskReport, *, active: bool) -> Iterator[str]:
    ended_as = "at work" if active and attempt.ended is None else attempt.ended_as
    part = f", {attempt.part}" if attempt.part else ""
    parts = [f"attempt {attempt.name}{part}", at_node(attempt.worker, attempt.node), ended_as]
    if attempt.seconds is not None:
        parts.append(seconds_text(attempt.seconds))
    if attempt.usage is not None and attempt.usage.cost_usd is not None:
        parts.append(f"${attempt.usage.cost_usd:.4f}")
    if attempt.tool_calls is not None:
        parts.append(count(attempt.tool_calls, "tool call"))
    if attempt.about.get("session"):
        parts.append(f"session {cut(str(attempt.about['session']), 60)}")
    yield cut(", ".join(parts), _LINE_CHARS)
    if attempt.part and attempt.said:
        # Of one of several: what the item comes to says only what one of them said.
        yield cut(f"  | {attempt.said}", _LINE_CHARS)
    for finding in task.only_said_by(attempt)[:MAX_FINDINGS]:
        yield cut(f"  - {finding_text(finding)}", _LINE_CHARS)
    denied = attempt.about.get("denied")
    if isinstance(denied, list | tuple) and denied:
        names = ", ".join(cut(str(one), 80) for one in denied[:MAX_DENIED])
        more = f" and {len(denied) - MAX_DENIED} more" if len(denied) > MAX_DENIED else ""
        yield f"  denied tools: {names}{more}"


def _calls(calls: Sequence[str]) -> Iterator[str]:
    if calls:
        shown = calls[-MAX_CALLS:]
        last = f", the last {len(shown)}" if len(shown) < len(calls) else ""
        yield f"tool calls{last}:"
        yield from (cut(f"  {call}", _LINE_CHARS) for call in shown)


def _prompt(prompt: str) -> Iterator[str]:
    lines = prompt[:MAX_PROMPT_CHARS].splitlines()
    yield "prompt:" if lines else ""
    yield from (cut(f"  | {line}", _LINE_CHARS) for line in lines[:MAX_PROMPT_LINES])
    if len(prompt) > MAX_PROMPT_CHARS or len(lines) > MAX_PROMPT_LINES:
        yield f"  | [cut; {len(prompt)} characters in all, see task.json of the attempt]"
