"""Whether a node can have workers, by what it tells of itself. Pure."""

from __future__ import annotations

import msgspec

#: What is wrong with a process of Dask's whose log would have prompts, keys and verdicts in it.
LOGS_MESSAGES = (
    "its Dask logs all messages with what is in them, keys too: the logger distributed.core is at "
    "level debug; set it to info"
)
#: Characters of a hash that are shown.
_SHOWN = 8


class NodeFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a node tells of itself; it need not have pytest-ptc for that.

    Args:
        host: The machine's name.
        pid: The process.
        platform: As `sys.platform`.
        python: The minor version of its Python, as `3.11`.
        logs_messages: Whether its Dask logs all that it is sent.
        problem: Why it has no pytest-ptc that could be asked; then the rest is not known.
        version: The version of pytest-ptc.
        source: The hash of its modules on disk, of which workers are started.
        in_memory: The same as it was when the process loaded it.
        programs: Which of the programs that were asked for it has.
    """

    host: str
    pid: int
    platform: str
    python: str
    logs_messages: bool = False
    problem: str | None = None
    version: str = ""
    source: str = ""
    in_memory: str = ""
    programs: tuple[str, ...] = ()


class NodeNeeds(msgspec.Struct, frozen=True, kw_only=True):
    """What a node must have for a run.

    Args:
        python: The minor version of pytest's Python.
        version: The version of pytest-ptc here.
        source: The hash of its modules here.
        programs: The programs that the run needs there, by what for.
    """

    python: str
    version: str
    source: str
    programs: dict[str, str]


def why_unfit(facts: NodeFacts, needs: NodeNeeds) -> str | None:
    """Return why a node gets no workers, with the fix; None if it gets some."""
    problem = _problem(facts, needs)
    return None if problem is None else f"{facts.host}: {problem}"


def _problem(facts: NodeFacts, needs: NodeNeeds) -> str | None:
    if facts.platform == "win32":
        return "workers need Linux or macOS"
    if facts.logs_messages:
        return LOGS_MESSAGES
    if facts.python != needs.python:
        # Before the package: another Python is why it may have none.
        return (
            f"its Dask worker runs on Python {facts.python}, and pytest on {needs.python}: run "
            f"both on the same"
        )
    if facts.problem is not None:
        return f"{facts.problem}: install there what pytest has, pytest-ptc {needs.version}"
    if facts.version != needs.version:
        return f"it has pytest-ptc {facts.version}, and pytest has {needs.version}: install that"
    if facts.source != facts.in_memory:
        return (
            "its pytest-ptc was changed since its Dask worker loaded it: restart that Dask worker"
        )
    if facts.source != needs.source:
        return (
            f"its pytest-ptc {facts.version} is not the same code as here "
            f"({facts.source[:_SHOWN]}, not {needs.source[:_SHOWN]}): install the same there"
        )
    missing = [name for name in needs.programs if name not in facts.programs]
    if missing:
        return "; ".join(
            f"it has no {name}, which is needed for {needs.programs[name]}: install it there"
            for name in missing
        )
    return None
