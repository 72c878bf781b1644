"""Agent `command`: any program as an agent.

It gets the prompt on standard input, its parameters as JSON in `PTC_PARAMS` (and in the file that
`PTC_PARAMS_FILE` names, whatever their size), and runs in the task's directory. It records its
verdict with `ptc record`, or as one JSON object on the last line of its output, or, where the user
asked for that, by its exit status. No shell is involved. Records in its output
are sent as they are read; the verdict is decided when all of them, and the exit status, are on
disk.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_ptc.agents.instructions import program_prompt
from pytest_ptc.agents.printed import Printed
from pytest_ptc.agents.program import Programs
from pytest_ptc.agents.program_verdict import no_verdict, program_verdict
from pytest_ptc.verdicts.endings import status_verdict

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.interfaces.agent import Job
    from pytest_ptc.interfaces.launch import LaunchFile
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.trouble import Trouble
    from pytest_ptc.model.verdict import Verdict


class CommandAgent:
    """Runs one program a task.

    Args:
        programs: What starts it.
        argv: The program and its arguments.
        verdict_from_exit: Whether exit status 0 means pass and 1 means fail.
    """

    name = "command"

    def __init__(self, programs: Programs, argv: Sequence[str], *, verdict_from_exit: bool) -> None:
        self._programs = programs
        self._argv = tuple(argv)
        self._status_verdict = status_verdict if verdict_from_exit else no_verdict

    async def prepare(self, spec: TaskSpec) -> None:
        """Do nothing: a program starts with its task."""

    async def run(self, job: Job) -> Verdict | Trouble:
        """Run the program on the job and return what it recorded, or why that does not count."""
        prompt = program_prompt(job)
        return await program_verdict(
            self._programs,
            job,
            self._argv,
            prompt,
            Printed(job.journal, job.spec.schema, prompt),
            status_verdict=self._status_verdict,
        )

    async def close(self) -> None:
        """Do nothing: a program lives as long as its task."""


def make(launch: LaunchFile, environ: Mapping[str, str]) -> CommandAgent:
    """Return the agent that a worker's launch file describes."""
    return CommandAgent(
        Programs(launch, environ),
        launch.agent.argv,
        verdict_from_exit=launch.agent.options["verdict_from_exit"],
    )
