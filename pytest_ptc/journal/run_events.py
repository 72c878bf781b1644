"""The events of a run as a whole, see `events.py`. Pure."""

from __future__ import annotations

from pytest_ptc.journal.event import Event
from pytest_ptc.model.baseline import Baseline
from pytest_ptc.model.inline_suite import InlineSuite
from pytest_ptc.model.known import KnownFindings


class RunBegan(Event, frozen=True, kw_only=True, tag="run"):
    """The session has made the journal; always the first event. Workers are started next.

    Args:
        format: The form of the journal, see `FORMAT`.
        key: The name of the key that it is sealed with.
        pid: The process of pytest.
        created: When that process was created, on its machine's own clock of processes.
        boot: Which boot of the machine it is; None where that cannot be told.
        process_space: The container's namespace of processes; None where there are none.
        run_id: The run's id.
        workers: The most workers at once.
        host: Where workers live: `tmux`, `process`, or a plugin's; `none` without workers.
        agent: What does a task: `claude`, `command`, or a plugin's.
        task_list_id: The shared list's id.
        rootdir: Pytest's root directory.
        repository: The top of the repository that it is in, if it is in one.
        commit: The commit that is checked out there.
        anchor: A file that stands for the whole repository, relative to its top.
        arguments: The arguments of pytest.
        python: The version of Python.
        pytest_ptc: The version of pytest-ptc.
        resumes: The id of the earlier run that it takes up.
        fail_on: The severity from which on a finding fails a test; `verdict` for none.
        attach: The command with which a person can watch the workers.
        tmux_socket: The socket of the run's tmux server.
        scratch: The folder of the run's socket and of copies of the repository; None for a run that
            was over before it had a task.
        task_list: The folder of the shared list; None as above.
        own_list: Whether the shared list was made for the run.
        command: The program that is the agent, with its arguments.
        inline: The suite of `ptc run`; None for a run of test files.
        interactive: Whether people may type into the workers' panes.
        start: The directory that it was started in; None where an older version did not tell.
        min_catch: The least part of planted defects that is found; empty for none.
        max_false_alarm: The largest part of clean items that is refused; empty for none.
    """

    format: int
    key: str
    pid: int
    created: float
    boot: str | None
    process_space: str | None
    run_id: str
    workers: int
    host: str
    agent: str
    task_list_id: str
    rootdir: str
    repository: str | None
    commit: str | None
    anchor: str | None
    arguments: tuple[str, ...]
    python: str
    pytest_ptc: str
    resumes: str | None
    fail_on: str
    attach: str | None
    tmux_socket: str | None
    scratch: str | None
    task_list: str | None
    own_list: bool
    command: tuple[str, ...]
    inline: InlineSuite | None = None
    interactive: bool = False
    start: str | None = None
    min_catch: str = ""
    max_false_alarm: str = ""


class SuiteChanged(Event, frozen=True, kw_only=True, tag="suite changed"):
    """The session has found that the change under review brings files of its own judge.

    Written before the tasks of each call are submitted. Reports warn of these paths.
    """

    paths: tuple[str, ...]


class KnownListRead(Event, frozen=True, kw_only=True, tag="known findings"):
    """The session has read the file of known findings; those that it names block nothing.

    Args:
        known: What it says, and the day by which its dates are judged.
    """

    known: KnownFindings


class BaselineRead(Event, frozen=True, kw_only=True, tag="baseline"):
    """The session has read the run that this one is compared with.

    Args:
        baseline: Its findings, and what became of them since.
    """

    baseline: Baseline


class ItemsCollected(Event, frozen=True, kw_only=True, tag="collected"):
    """The session tells the marked items that run, in the order in which pytest collected them.

    Tasks are submitted in another order: those first that take longest.
    """

    nodeids: tuple[str, ...]


class ShardTaken(Event, frozen=True, kw_only=True, tag="shard"):
    """The session judges one of several shards: the others are deselected, and other jobs' matter.

    Args:
        number: Its number, from 1.
        of: How many shards there are.
        nodeids: The marked items of all shards, in the order in which pytest collected them.
        shards: The shard of each of them; 0 for one that is in every shard.
        settings: What was asked of the run, as far as verdicts and the exit status depend on it.
    """

    number: int
    of: int
    nodeids: tuple[str, ...]
    shards: tuple[int, ...]
    settings: dict[str, str]


class RunStopping(Event, frozen=True, kw_only=True, tag="stopping"):
    """The coordinator begins nothing more, and says why; workers are told to end.

    At the end of every run, and earlier for Ctrl-C, `-x`, the budget and the run's timeout.
    """

    why: str


class RunEnded(Event, frozen=True, kw_only=True, tag="run ended"):
    """The session has ended all workers and tidied the shared list; the run took these seconds."""

    seconds: float


class RunCleaned(Event, frozen=True, kw_only=True, tag="run cleaned"):
    """A later session, or `ptc clean`, has removed what a killed run had left: the run has ended.

    Args:
        removed: What was removed, each in words.
        left: What was not, each with the reason.
    """

    removed: tuple[str, ...]
    left: tuple[str, ...]


class SessionEnded(Event, frozen=True, kw_only=True, tag="session ended"):
    """Pytest's session is over; the last event of a run that came to its end.

    Args:
        exit_status: Pytest's exit status.
        nothing_to_judge: How many items had rightly nothing to judge.
    """

    exit_status: int
    nothing_to_judge: int


class CoordinatorFailed(Event, frozen=True, kw_only=True, tag="coordinator failed"):
    """The coordinator's loop has ended by an error of its own; all open tasks are given up."""

    error: str


class LoopProblem(Event, frozen=True, kw_only=True, tag="loop problem"):
    """The coordinator's event loop has met an error that nobody waits for; the run goes on."""

    problem: str


class SharedListProblem(Event, frozen=True, kw_only=True, tag="list problem"):
    """A task is not on the shared list as it should be; the run goes on by the journal alone.

    Args:
        task: The task's id there.
        problem: What went wrong.
    """

    task: str
    problem: str
