"""Whether a run was a gate: every marked item has an outcome that is made from a verdict. Pure.

Pytest counts what failed; what never ran, what ran without a verdict and what another plugin
called passed is not among that. Absence refuses: each of those is a reason for which the run is not
green.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_ptc.model.result import Result

#: The value of `--ptc-require` for every marked item.
ALL = "all"
#: So many items are named for each reason.
NAMED = 3

_RED = ("failed", "error")


class Standing(NamedTuple):
    """Where a marked item stands at the end of the session.

    Args:
        nodeid: Its node id.
        outcome: What pytest finally reported of it: passed, failed, error, skipped, xfailed or
            xpassed; None where it reported nothing.
        result: How its task ended; None where it had none, or that was not waited for.
        excused: Whether its own marks said, before any task was published, that it does not run.
        selected: Whether it was among the items that pytest meant to run.
        empty: Whether it stands for a suite that has rightly nothing to judge, and is no task.
    """

    nodeid: str
    outcome: str | None = None
    result: Result | None = None
    excused: bool = False
    selected: bool = True
    empty: bool = False


class Reason(NamedTuple):
    """Why a run is not green.

    Args:
        text: What is wrong, in words for a person.
        failed: Whether a recorded fail is behind it; else something was not judged.
    """

    text: str
    failed: bool = False


def shortfall(item: Standing) -> Reason | None:
    """Return what an item lacks of an outcome that is made from a verdict; None if nothing."""
    if not item.selected or item.outcome in _RED:
        # Pytest counts what is red.
        return None
    result = item.result
    if result is None or result.verdict is None or result.verdict.verdict is VerdictKind.ERROR:
        return _unjudged(item)
    if result.refused:
        if item.outcome == "xfailed":
            return None
        told = "not run" if item.outcome is None else f"reported as {item.outcome}"
        return Reason(f"failed by verdict and {told}", failed=True)
    if item.outcome is None:
        return Reason("judged and not run")
    return None


def _unjudged(item: Standing) -> Reason | None:
    if item.empty and item.outcome is not None:
        return None
    if item.result is None and item.outcome == "skipped":
        return None  # by its marks, or by a fixture that its prompt needs
    if item.excused and item.outcome in (None, "xfailed"):
        return None
    if item.outcome is None:
        return Reason("not judged")
    return Reason(f"reported as {item.outcome} without a verdict")


def is_judged(item: Standing) -> bool:
    """Tell whether an agent has judged the item, and its test has an outcome by that.

    A skip is no judgement, be it the agent's, a mark's or a fixture's.
    """
    judged = item.empty or (item.result is not None and item.result.judged)
    return judged and item.outcome not in (None, "skipped")


def reasons(
    items: Sequence[Standing], *, require: str = "", unawaited: Sequence[str] = ()
) -> list[Reason]:
    """Return why a run is not green although nothing of it may have failed; none if it is.

    Args:
        items: All marked items.
        require: `all`, a number, or nothing: `--ptc-require`.
        unawaited: The names of submitted tasks whose result nobody asked for.
    """
    groups: dict[Reason, list[str]] = {}
    for item in items:
        if (reason := shortfall(item)) is not None:
            groups.setdefault(reason, []).append(item.nodeid)
    found = [Reason(_told(reason.text, names), reason.failed) for reason, names in groups.items()]
    skipped = [item.nodeid for item in items if item.result and _is_skip_error(item.result)]
    if skipped:
        found.append(Reason(_told("skipped by the agent, an error by ptc_on_skip", skipped)))
    if unawaited:
        found.append(Reason(_told("submitted and never awaited (call .result())", unawaited)))
    return [*found, *_required(items, require)]


def _is_skip_error(result: Result) -> bool:
    spec, verdict = result.spec, result.verdict
    skipped = verdict is not None and verdict.verdict is VerdictKind.SKIP
    return skipped and spec.gate and spec.on_skip == "error" and not result.blocking


def _required(items: Sequence[Standing], require: str) -> list[Reason]:
    if not require:
        return []
    option = f"--ptc-require={require}"
    missing = [item.nodeid for item in items if not is_judged(item)]
    judged = len(items) - len(missing)
    if not items:
        return [Reason(f"{option}: there is no marked test")]
    if not missing if require == ALL else judged >= int(require):
        return []
    text = f"{option}: {judged} of {len(items)} marked tests were judged"
    return [Reason(f"{text}; not {_some(missing)}" if missing else text)]


def without_workers(options: Sequence[str], nodeids: Sequence[str]) -> Reason | None:
    """Return why a run without workers is not green; None if it need not judge anything.

    Args:
        options: The options with which somebody asked for a gate.
        nodeids: The marked items that pytest meant to run.
    """
    if not options or not nodeids:
        return None
    told = _told("not judged", nodeids)
    return Reason(f"{told}; {asks(options)}, and there are no workers: give --ptc-workers=N")


def asks(options: Sequence[str]) -> str:
    """Return in words that these options ask for a gate."""
    verb = "asks" if len(options) == 1 else "ask"
    return f"{', '.join(options)} {verb} for a gate"


def is_true(value: str | None) -> bool:
    """Tell whether an environment variable such as `CI` is set to something true."""
    return (value or "").strip().lower() not in ("", "0", "false", "no", "off")


def _told(label: str, nodeids: Sequence[str]) -> str:
    return f"{len(nodeids)} {label}: {_some(nodeids)}"


def _some(nodeids: Iterable[str]) -> str:
    names = list(nodeids)
    more = f", +{len(names) - NAMED} more" if len(names) > NAMED else ""
    return ", ".join(names[:NAMED]) + more
