"""Every error this package raises, in one tree.

Errors of other libraries are translated into these where they occur, so that the
coordinator and the plugin know only this file.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pytest_ptc.model.trouble import Trouble


class PtcError(Exception):
    """Base of every error of pytest-ptc.

    Its text is printable: names of files, and the words of git and of agents, may be in it.
    """

    def __str__(self) -> str:
        # Every pytest run imports this module, and few show an error.
        from pytest_ptc.text.printable import printable_lines  # noqa: PLC0415

        return printable_lines(super().__str__())


class ConfigError(PtcError):
    """An option, ini value or environment variable that cannot be used; it says the fix."""


class ValueRefused(PtcError):  # noqa: N818 - it says what happened to the value
    """A value of the right type that cannot be used; the message says why, and the fix."""


class MarkerError(PtcError):
    """A marker or prompt that cannot become a task.

    Args:
        nodeid: The test it stands on.
        field: The keyword or prompt field at fault.
        problem: What is wrong and how to fix it.
    """

    def __init__(self, nodeid: str, field: str, problem: str) -> None:
        super().__init__(f"{nodeid}: {field}: {problem}")
        self.nodeid = nodeid
        self.field = field
        self.problem = problem


class VerdictError(PtcError):
    """A recorded verdict that is malformed; the message is written for its agent."""


class TaskListError(PtcError):
    """The shared task list cannot be read or written; the message names the path."""


class JournalError(PtcError):
    """The run's journal cannot be written or read; the message names the path."""


class ListingError(PtcError):
    """The items of a suite cannot be listed; the message says what and where."""


class PlantingError(PtcError):
    """A defect cannot be planted; the message names the file."""


class GitError(PtcError):
    """A git command failed; the message has git's own."""


class AgentError(PtcError):
    """An agent cannot do a task; `trouble` goes into its report."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


class LaunchFileError(PtcError):
    """A worker's launch file that cannot be used; the message names the file."""


class HostError(PtcError):
    """A host could not do what was asked; renders as `tmux/w3: new-window: no server running`.

    Args:
        problem: What the host's own software said.
        host: The host's name.
        worker: The worker concerned, if one is.
        command: The host's sub-command that failed, if one did.
    """

    def __init__(
        self, problem: str, *, host: str, worker: str | None = None, command: str | None = None
    ) -> None:
        place = f"{host}/{worker}" if worker else host
        super().__init__(f"{place}: {command}: {problem}" if command else f"{place}: {problem}")
        self.host = host
        self.worker = worker
        self.command = command


class IllegalMove(PtcError):  # noqa: N818 - it names a move, as chess does; "Error" adds nothing
    """A move that a lifecycle's table does not allow: a defect of ours."""

    def __init__(self, what: str, state: object, to: object) -> None:
        super().__init__(f"{what} cannot move from {state} to {to}")


class ReportError(PtcError):
    """A report cannot be made of a run, or cannot be written where it was asked for."""
