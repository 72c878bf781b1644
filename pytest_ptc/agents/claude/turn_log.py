"""The transcript and the output of an attempt with Claude Code, written as it runs.

The files only help people: a full disk must not end the task.
"""

from __future__ import annotations

import contextlib
import json
import os
import time
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, TextIO

from pytest_ptc.agents.claude.narrative import lines_of, redacted
from pytest_ptc.journal.attempt_files import OUTPUT, PROMPT, TRANSCRIPT
from pytest_ptc.system import own_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.agents.claude.events import Event
    from pytest_ptc.interfaces.agent import Job


class TurnLog:
    """The transcript of all events, and the lines that are shown, in files of the job's folder."""

    def __init__(self, job: Job) -> None:
        self._job = job
        self._redact = job.journal.redactor
        # The files escape lone surrogates: the client may cut an emoji in half.
        self._transcript = _open_for_append(job.folder / TRANSCRIPT)
        self._output = _open_for_append(job.folder / OUTPUT)

    def asked(self, prompt: str, session_id: str) -> None:
        """Keep the prompt."""
        self._job.journal.keep(PROMPT, prompt)
        self._keep("Prompt", {"text": prompt, "session_id": session_id})

    def event(self, event: Event) -> None:
        """Keep an event, and show what it says to a person."""
        self._keep(type(event).__name__, asdict(event))
        # Redacted before lines are cut, which could leave a piece of a secret.
        self.show(lines_of(redacted(event, self._redact.json)))

    def show(self, lines: list[str]) -> None:
        """Show lines in the pane, and keep them."""
        for line in lines:
            self._job.show(line)
        _write(self._output, self._redact.text("".join(f"{line}\n" for line in lines)))

    def close(self) -> None:
        """Close the files."""
        for file in (self._transcript, self._output):
            with contextlib.suppress(OSError):
                file.close()

    def _keep(self, kind: str, fields: Mapping[str, Any]) -> None:
        line = {"event": kind, "at": round(time.time(), 3), **fields}
        _write(self._transcript, json.dumps(self._redact.json(line), default=str) + "\n")


def _open_for_append(path: Path) -> TextIO:
    descriptor = own_files.open_for_append(path)
    return os.fdopen(descriptor, "a", encoding="utf-8", errors="backslashreplace")


def _write(file: TextIO, text: str) -> None:
    with contextlib.suppress(OSError):
        file.write(text)
        file.flush()
