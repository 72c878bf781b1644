"""The check of an attempt's findings: where they stand, and whether the change touches that."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.verdict import NO_FACTS
from pytest_ptc.system.git.changed_lines import lines_between, lines_until_now
from pytest_ptc.verdicts.places import checked_places, noted_places
from pytest_ptc.worker.reviewed_files import ReviewedFiles

if TYPE_CHECKING:
    from pytest_ptc.model.changed_lines import ChangedLines
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict

#: Seconds that the findings of a verdict are looked up for, while its agent waits, and at the end
#: of an attempt. What is not known by then is not refused, and excuses nothing.
CHECK_TIMEOUT_S, NOTE_TIMEOUT_S = 15.0, 6.0


class Places:
    """Looks up the findings of one attempt. Its methods read files: call them in a thread.

    Args:
        spec: The task.
        cwd: The attempt's directory: in its worktree, if it has one.
        changed: What the change under review adds; None if nobody asks.
    """

    def __init__(self, spec: TaskSpec, cwd: str, changed: ChangedLines | None = None) -> None:
        self._gate_on = spec.gate_on
        self._changed = changed
        self._strict = spec.places == "check"
        self._files = ReviewedFiles(cwd, spec.cwd, spec.base)
        #: Agents may record at once.
        self._lock = threading.Lock()

    def checked(self, verdict: Verdict) -> Verdict:
        """Return a verdict that an agent records, with what is known of its findings' places.

        Raises:
            VerdictError: A finding does not stand where it says.
        """
        if not any(finding.path for finding in verdict.findings):
            return verdict
        with self._lock:
            self._files.begin(CHECK_TIMEOUT_S)
            how = checked_places if self._strict else noted_places
            try:
                return how(verdict, self._files, self._touches)
            except VerdictError:
                raise
            except Exception:  # noqa: BLE001 - a verdict counts, whatever the disk is
                return verdict

    def noted(self, verdict: Verdict) -> Verdict:
        """Return a verdict that nobody can correct any more, with notes of what does not hold."""
        if not any(finding.path and finding.facts == NO_FACTS for finding in verdict.findings):
            return verdict
        with self._lock:
            self._files.begin(NOTE_TIMEOUT_S)
            return noted_places(verdict, self._files, self._touches)

    def _touches(self, name: str, line: int | None) -> bool | None:
        return None if self._changed is None else self._changed.touches(self._gate_on, name, line)


def changed_lines(spec: TaskSpec) -> ChangedLines | None:
    """Return what the change under review adds, where the task's gate asks for it.

    Raises:
        GitError: Git cannot tell.
    """
    if spec.gate_on == "all" or spec.base is None:
        return None
    if spec.isolation is None or spec.ref is None:
        return lines_until_now(spec.cwd, spec.base)
    return lines_between(spec.cwd, spec.base, spec.ref)
