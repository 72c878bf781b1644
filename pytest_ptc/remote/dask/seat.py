"""What is sent to nodes as text, because they may not have this package, or this Python.

Dask closes a worker, whoever else it works for, if that cannot unpickle a task; and code that was
compiled by one Python is none to another. So an engine sends this file's text, with a function of
the standard library that evaluates it. Nothing here raises, as Dask then logs what it was called
with.
"""

from __future__ import annotations


def facts(programs: tuple[str, ...]) -> dict[str, object]:
    """Return what `fitness.NodeFacts` has, on a node."""
    import os  # noqa: PLC0415 - the text is evaluated without a module around it
    import platform  # noqa: PLC0415
    import sys  # noqa: PLC0415

    told: dict[str, object] = {
        "host": platform.node(),
        "pid": os.getpid(),
        "platform": sys.platform,
        "python": "{}.{}".format(*sys.version_info),
        "logs_messages": logs_messages(),
    }
    try:
        from pytest_ptc.remote.dask import node as ours  # noqa: PLC0415

        return {**told, **ours.facts(programs)}
    except Exception as error:  # noqa: BLE001 - whatever is there, it is no pytest-ptc of ours
        problem = f"it has no pytest-ptc of this kind ({type(error).__name__}: {error})"
        return {**told, "problem": problem[:500]}


def logs_messages() -> bool:
    """Tell whether this process of Dask's logs whole messages, with all that is in them."""
    import logging  # noqa: PLC0415 - as above

    return logging.getLogger("distributed.core").isEnabledFor(logging.DEBUG)


def hold(run_id: str, worker: str, number: int, source: str) -> tuple[str, str]:
    """Hold a worker's place on a node, and return how that ended, and the node's address."""
    from distributed import get_worker  # noqa: PLC0415 - it is Dask that runs this

    address = get_worker().address
    try:
        from pytest_ptc.remote.dask import node as ours  # noqa: PLC0415

        if source == ours.SOURCE:
            return ours.hold(run_id, worker, number), address
    except Exception:  # noqa: BLE001, S110 - as above
        pass
    return "unfit", address
