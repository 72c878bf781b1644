"""Where a reader of a page can look further: files, attempts' folders, commands. Pure."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol
from urllib.parse import quote

from pytest_ptc.text.printable import printable, utf8

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.model.verdict import Finding
    from pytest_ptc.reporting.attempts import TaskAttempt
    from pytest_ptc.reporting.task_report import TaskReport


class Transcripts(Protocol):
    """Texts of attempts, by their names; a dictionary is one."""

    def get(self, name: str, /) -> str | None:
        """Return a text; None where there is none."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Places:
    """Where a reader can look further.

    Args:
        transcripts: Texts of attempts, by their names; of a run that was merged, with its id and
            `/` before that.
        links: The folders of runs by their ids, as addresses from the page.
        run_id: The run's id.
        files: The address of a commit's files; None where it is not known.
    """

    transcripts: Transcripts
    links: Mapping[str, str]
    run_id: str = ""
    files: str | None = None

    def line(self, path: str | None, line: int | None) -> str:
        """Return the address of a line of a file; empty where none is known."""
        if self.files is None or not path or path.startswith(("/", "..")):
            return ""
        return f"{self.files}/{quote(utf8(path))}" + ("" if line is None else f"#L{line}")

    def finding(self, finding: Finding, task: TaskReport) -> str:
        """Return the address of a finding's line; empty where none is known."""
        # A task's copy of the repository may be at another commit.
        return self.line(finding.path, finding.line) if task.spec.isolation is None else ""

    def commands(self, task: TaskReport) -> list[str]:
        """Return the commands that a reader may copy for an item."""
        if task.has_no_item:
            return []
        words = ["rerun"]
        last = task.attempts[-1] if task.attempts else None
        # Of a worker on a node, the session is there.
        if last is not None and last.node is None and last.about.get("session"):
            words.append("talk")
        return [self.command(word, task) for word in words]

    def command(self, word: str, task: TaskReport) -> str:
        """Return a command about an item, as a reader may copy it."""
        return f"ptc {word} {task.run or self.run_id} {shlex.quote(printable(task.nodeid))}"

    def transcript(self, task: TaskReport, attempt: TaskAttempt) -> str | None:
        """Return the text of an attempt; None where there is none, or it is an earlier run's."""
        if task.kept_from is not None:
            return None
        name = attempt.name if task.run is None else f"{task.run}/{attempt.name}"
        return self.transcripts.get(name)

    def attempt(self, task: TaskReport, attempt: TaskAttempt) -> str:
        """Return the address of an attempt's folder; empty for an earlier run's."""
        folder = self.links.get(task.run or self.run_id)
        if folder is None or task.task_id is None or task.kept_from is not None:
            return ""
        name = quote(attempt.name, safe="", errors="replace")
        return f"{folder.rstrip('/')}/attempts/{name}/"
