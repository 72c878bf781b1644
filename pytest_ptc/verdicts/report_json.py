"""Reports of attempts, read from JSON. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pytest_ptc.model.result import Attempt, AttemptReport, Usage
from pytest_ptc.model.trouble import Trouble
from pytest_ptc.verdicts.verdict_json import read_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping


def report_from_json(value: Mapping[str, Any]) -> AttemptReport:
    """Return the report that `AttemptReport.to_json` made.

    Raises:
        KeyError, TypeError, ValueError, VerdictError: It is not that.
    """
    verdict, trouble, usage = value["verdict"], value["trouble"], value["usage"]
    return AttemptReport.with_facts(
        value["about"],
        attempt=Attempt(task_id=value["task"], number=value["attempt"], worker=value["worker"]),
        seconds=value["seconds"],
        verdict=None if verdict is None else read_verdict(verdict, ours=True),
        trouble=None if trouble is None else Trouble.from_json(trouble),
        usage=None if usage is None else Usage(**usage),
    )
