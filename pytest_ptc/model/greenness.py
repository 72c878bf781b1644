"""Whether a run is green, and with which exit status it ends: decided here and nowhere else. Pure.

Pytest counts failures; it does not count items that never ran, that ran without a verdict, or that
another plugin reported as passed. Each of those is a reason why the run is not green. The state of
one item is decided in `item_states.py`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.item_states import BAD, ItemState, item_state
from pytest_ptc.model.verdict import VerdictKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.self_test import Blind

#: The value of `--ptc-require` for every marked item.
ALL = "all"
#: Items that are named for each reason.
MAX_NAMES = 3

#: Exit statuses: pytest's own of a run that passed and of one with failures, and ours of a run in
#: which nothing failed, but something was not judged (`--ptc-exit-codes`).
PASSED = 0
FAILED = 1
NOT_JUDGED = 10

#: The meanings of exit statuses other than 0.
_STATUS_MEANINGS: Mapping[int, str] = {
    FAILED: "tests failed",
    2: "pytest was interrupted, or could not collect the tests",
    3: "an internal error in pytest or a plugin",
    4: "wrong usage of pytest",
    5: "pytest ran no test",
    NOT_JUDGED: "items were not judged",
}

#: Exit statuses with which pytest has run all that it meant to run.
_COMPLETE_STATUSES = frozenset({PASSED, FAILED, NOT_JUDGED})

#: Outcomes that pytest counts as failures.
_FAILURES = ("failed", "error")


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

    @property
    def state(self) -> ItemState:
        """Return what became of the item."""
        return state_of(self.outcome, self.result)


def state_of(outcome: str | None, result: Result | None) -> ItemState:
    """Return what became of an item.

    Args:
        outcome: The outcome of its `final_report`; None where pytest did not run it.
        result: How its task ended; None where it has none yet, or nobody could be asked.
    """
    if result is None:
        return item_state(outcome, verdict=None)
    return item_state(
        outcome,
        verdict=result.verdict.counts_as.value if result.verdict else None,
        cause=result.trouble.cause.value if result.trouble else None,
        gate=result.spec.gate,
        blocked=bool(result.blocking),
        test=result.test_outcome,
        tolerated=result.spec.self_test is not None and result.spec.self_test.tolerated,
    )


class Reason(NamedTuple):
    """Why a run is not green.

    Args:
        text: What is wrong, in words for a person.
        failed: Whether a recorded fail is behind it; else something was not judged.
    """

    text: str
    failed: bool = False


def shortfall(item: Standing) -> Reason | None:
    """Return why an item has no outcome that is made from a verdict; None if it has one."""
    # Pytest counts what is red.
    if not item.selected or item.outcome in _FAILURES or _needs_no_verdict(item):
        return None
    result = item.result
    if result is None or result.verdict is None or result.verdict.verdict is VerdictKind.ERROR:
        if item.outcome is None:
            return Reason("not judged")
        unjudged = Reason(f"reported as {item.outcome} without a verdict")
        return unjudged if item.state in BAD else None
    if item.state not in BAD:
        return None
    if result.refused:
        reported = "not run" if item.outcome is None else f"reported as {item.outcome}"
        return Reason(f"failed by verdict and {reported}", failed=True)
    if item.outcome is None:
        return Reason("judged and not run")
    return Reason(f"skipped by the agent and reported as {item.outcome}")


def _needs_no_verdict(item: Standing) -> bool:
    if item.empty:
        return item.outcome is not None
    return item.excused and item.result is None and item.outcome in (None, "skipped", "xfailed")


def is_judged(item: Standing) -> bool:
    """Tell whether an agent has judged the item, and its test has an outcome by that.

    A skip is not a judgement, whether of the agent, a mark or a fixture.
    """
    judged = item.empty or (item.result is not None and item.result.judged)
    return judged and item.outcome not in (None, "skipped")


def reasons(
    items: Sequence[Standing],
    *,
    require: str = "",
    blind: Sequence[Blind] = (),
    unawaited: Sequence[str] = (),
    counted: int = FAILED,
) -> list[Reason]:
    """Return why a run is not green although nothing of it may have failed; none if it is.

    Args:
        items: All marked items.
        require: `all`, a number, or nothing: `--ptc-require`.
        blind: Why the judge is below its minimums.
        unawaited: The names of submitted tasks whose result nobody asked for.
        counted: Pytest's exit status: whether it has counted what was reported as failed.
    """
    groups: dict[Reason, list[str]] = {}
    for item in items:
        reason = shortfall(item) or (_uncounted_reason(item) if counted == PASSED else None)
        if reason is not None:
            groups.setdefault(reason, []).append(item.nodeid)
    unmet = [
        Reason(_count_and_names(reason.text, names), reason.failed)
        for reason, names in groups.items()
    ]
    skipped = [item.nodeid for item in items if item.result and _is_skip_error(item.result)]
    if skipped:
        unmet.append(
            Reason(_count_and_names("skipped by the agent, an error by ptc_on_skip", skipped))
        )
    if unawaited:
        unmet.append(
            Reason(_count_and_names("submitted and never awaited (call .result())", unawaited))
        )
    below = [Reason(why.text, why.judged) for why in blind]
    return [*below, *unmet, *_missing_judgements(items, require)]


def _uncounted_reason(item: Standing) -> Reason | None:
    """Return the reason for an item reported as a failure that pytest does not count."""
    if not item.selected or item.outcome not in _FAILURES:
        return None
    failed = item.state is ItemState.FAILED
    return Reason(f"reported as {item.outcome}, which pytest does not count", failed=failed)


def _is_skip_error(result: Result) -> bool:
    spec, verdict = result.spec, result.verdict
    skipped = verdict is not None and verdict.verdict is VerdictKind.SKIP
    return skipped and spec.gate and spec.on_skip == "error" and not result.blocking


def _missing_judgements(items: Sequence[Standing], require: str) -> list[Reason]:
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
    missed = _count_and_names("not judged", nodeids)
    return Reason(f"{missed}; {asks(options)}, and there are no workers: give --ptc-workers=N")


def asks(options: Sequence[str]) -> str:
    """Return in words that these options ask for a gate."""
    verb = "asks" if len(options) == 1 else "ask"
    return f"{', '.join(options)} {verb} for a gate"


def _count_and_names(label: str, nodeids: Sequence[str]) -> str:
    return f"{len(nodeids)} {label}: {_some(nodeids)}"


def _some(nodeids: Iterable[str]) -> str:
    names = list(nodeids)
    more = f", +{len(names) - MAX_NAMES} more" if len(names) > MAX_NAMES else ""
    return ", ".join(names[:MAX_NAMES]) + more


def session_status(
    counted: int,
    why: Sequence[Reason],
    *,
    failures: int,
    unjudged: int,
    exit_codes: bool,
) -> int:
    """Return a session's exit status: pytest's, except for a run that is not green.

    Args:
        counted: Pytest's own.
        why: Why the run is not green although pytest may count no failure.
        failures: How many failures and errors pytest has counted.
        unjudged: How many of those are of items that no agent has judged.
        exit_codes: Whether a run in which nothing failed has a status of its own.
    """
    if counted not in (PASSED, FAILED) or (counted == PASSED and not why):
        return counted
    only_unjudged = counted == PASSED or 0 < unjudged == failures
    if exit_codes and only_unjudged and not any(reason.failed for reason in why):
        return NOT_JUDGED
    return FAILED


def came_to_its_end(exit_status: int | None) -> bool:
    """Tell whether a session with this exit status has run all that it meant to run."""
    return exit_status in _COMPLETE_STATUSES


def why_no_success(
    *,
    exit_status: int | None,
    ended: bool,
    stopped: str | None,
    states: Sequence[ItemState],
    judged: int,
    blind: Sequence[str] = (),
) -> str | None:
    """Return why a run is no success; None if it is one.

    Args:
        exit_status: Pytest's, the last that it was set to; None where it is not known.
        ended: Whether the run ended in order.
        stopped: Why it began nothing more before all was done.
        states: What became of its marked items.
        judged: How many tasks have a verdict other than error.
        blind: Why the judge is below its minimums.
    """
    if not ended or exit_status is None:
        return "the run was killed, or is still active"
    if blind and came_to_its_end(exit_status):
        return "; ".join(blind)
    if exit_status != PASSED:
        why = _STATUS_MEANINGS.get(exit_status, "a plugin set it")
        return f"pytest ended with status {exit_status}: {why}"
    if stopped is not None:
        return f"the run was stopped: {stopped}"
    bad = sum(state in BAD for state in states)
    if bad:
        return f"{bad} item{'s' * (bad != 1)} did not pass"
    return None if judged else "no item was judged by an agent"
