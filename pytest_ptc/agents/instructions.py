"""The instructions that are added to a prompt: how to record a verdict.

An agent may ignore them: nothing relies on them. `interfaces.agent.Agent` says what the code that
runs an agent must guarantee.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.interfaces.agent import Job


_FINDINGS = """\
"findings": [{"severity": "info|low|medium|high|critical", "message": "...", "path": "src/x.py", \
"line": 12, "quote": "text of that line", "rule": "short-slug"}]"""
_MEANING = """\
"pass" or "fail" is your judgement of the task; "skip" means that it does not apply, "error" that \
you could not do it. All other fields but severity and message may be left out; path, line and \
quote are checked against the files. Without a valid verdict the task counts as an error."""
_LOOKED = """\
"checked": ["what you looked at"], "open": ["what you could not look at"]"""
_FORM = f"""\
{{"verdict": "pass|fail|skip|error", "summary": "one or two sentences", {_FINDINGS}, {_LOOKED}, \
"data": null}}"""
_REQUIRED = '\nA pass must have "checked": a text for each file, request or claim it is based on.'


def claude_prompt(
    task_id: str,
    prompt: str,
    schema: Mapping[str, object] | None,
    *,
    require_checked: bool = False,
) -> str:
    """Return the prompt for Claude Code: the task, and how to record with its tool TaskUpdate.

    It begins with the task's id: a text that begins with `/` would be a command to Claude Code.
    Bytes of file names that are not UTF-8 are escaped.
    """
    how = f"""\
with one call of TaskUpdate: taskId "{task_id}", status "completed", metadata {{"ptc": {_FORM}}}"""
    return _instructed(task_id, prompt, how, schema, require_checked=require_checked)


def acp_prompt(
    task_id: str,
    prompt: str,
    schema: Mapping[str, object] | None,
    *,
    require_checked: bool = False,
) -> str:
    """Return the prompt for a client of the Agent Client Protocol: the task, and how to record.

    It begins with the task's id: a text that begins with `/` would be a command to some clients.
    Bytes of file names that are not UTF-8 are escaped.
    """
    how = f"with one call of the tool record_verdict of the MCP server ptc: {_FORM}"
    return _instructed(task_id, prompt, how, schema, require_checked=require_checked)


def _instructed(
    task_id: str,
    prompt: str,
    how: str,
    schema: Mapping[str, object] | None,
    *,
    require_checked: bool,
) -> str:
    required = _REQUIRED if require_checked else ""
    form = "" if schema is None else f'\n"data" must meet this JSON Schema: {json.dumps(schema)}'
    text = f"""\
Task ID: {task_id}
{prompt}

When you are done, record your verdict {how}
{_MEANING}{required}{form}"""
    return text.encode("utf-8", "backslashreplace").decode()


def program_prompt(job: Job) -> str:
    """Return the prompt for a program: its task, and how to record the verdict."""
    protocol = protocol_text(job.attempt.task_id, require_checked=job.spec.require_checked)
    return f"{job.spec.prompt}\n\n{protocol}\n"


def protocol_text(task_id: str, *, require_checked: bool = False) -> str:
    """Return the part of a program's prompt that says how to record a verdict."""
    required = _REQUIRED if require_checked else ""
    return f"""\
Task ID: {task_id}
When you are done, record a verdict: end your output with one line that is this JSON object, or run
`ptc record` with it as its argument:
{_FORM}
{_MEANING}{required}"""
