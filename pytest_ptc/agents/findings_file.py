"""The file of findings that a program writes in an attempt (`findings`), and what it adds."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.verdict import Verdict, VerdictKind
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.verdicts.endings import Ended, judge
from pytest_ptc.verdicts.entries import STATUS
from pytest_ptc.verdicts.recording import FINDINGS, Record
from pytest_ptc.verdicts.sarif import sarif_findings
from pytest_ptc.verdicts.schemas import data_problem

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Finding

_MAX_BYTES = 32 * 1024 * 1024


class FindingsFile:
    """The file as it was before the program started; nothing may have been there.

    Args:
        spec: The task, whose `findings` is set.
    """

    def __init__(self, spec: TaskSpec) -> None:
        assert spec.findings is not None
        self._spec = spec
        self._name = spec.findings.partition(":")[2]
        self._path = Path(spec.cwd, self._name)
        self._before = self._seen()

    def record(self, records: Sequence[Record], ended: Ended) -> Record | None:
        """Return what the file adds to an attempt's records; None if it adds nothing.

        Blocks while it reads. A program that failed, and left no findings, is an error anyway.
        """
        try:
            found = self._findings()
        except (VerdictError, OSError) as error:
            if ended.status != 0:
                return None
            problem = (error.strerror if isinstance(error, OSError) else None) or str(error)
            refused = f"findings: {self._name} in the task's directory: {problem}"
            return Record(call=FINDINGS, refused=refused)
        if ended.status != 0 and not found:
            return None
        judged = judge(records, ended)
        spoken = [record for record in records if record.call != STATUS]
        if not isinstance(judged, Verdict) or not spoken:
            kind = VerdictKind.PASS if ended.status == 0 else VerdictKind.FAIL
            judged = Verdict(verdict=kind, summary=_summary(found))
            lacking = self._data_problem()
            if lacking is not None and kind is VerdictKind.PASS:
                return Record(call=FINDINGS, refused=f"findings: no verdict has data: {lacking}")
        return Record(call=FINDINGS, verdict=replace(judged, findings=(*judged.findings, *found)))

    def _findings(self) -> tuple[Finding, ...]:
        after = self._seen()
        if after is not None and after == self._before:
            raise VerdictError("was there before the program started, and was not written again")
        parent = self._path.parent.resolve()
        if not parent.is_relative_to(Path(self._spec.cwd).resolve()):
            raise VerdictError("is outside of the task's directory")
        return sarif_findings(read_regular(parent / self._path.name, _MAX_BYTES), self._spec.cwd)

    def _seen(self) -> tuple[int, ...] | None:
        try:
            found = os.lstat(self._path)
        except OSError:
            return None
        return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _data_problem(self) -> str | None:
        schema = self._spec.schema
        return None if schema is None else data_problem(None, schema)


def _summary(found: Sequence[Finding]) -> str:
    if not found:
        return "no findings"
    worst = max(found, key=lambda one: one.severity.rank)
    place = f"{worst.location}: " if worst.location else ""
    count = "1 finding" if len(found) == 1 else f"{len(found)} findings, worst"
    return f"{count}: {worst.severity} {place}{worst.message.splitlines()[0]}"
