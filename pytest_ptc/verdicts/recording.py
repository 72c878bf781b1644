"""The records of an attempt, and the verdict that follows from them. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_ptc.model.trouble import Cause, Trouble
from pytest_ptc.model.verdict import Verdict, VerdictKind

if TYPE_CHECKING:
    from collections.abc import Sequence

#: The call of the record that is made from a file of findings.
FINDINGS = "findings"


@dataclass(frozen=True, kw_only=True, slots=True)
class Record:
    """One recording of an attempt's agent: it has exactly one of `verdict` and `refused`.

    Args:
        call: Which recording it is, unique in its attempt.
        verdict: What was accepted.
        refused: Why it was refused.
        answer: Which answer of the model holds it: recordings of one answer were made without
            knowing each other's result. None if unknown.
        fail: Whether a refused recording says fail: then there is no retry.
        printed: It is a line of a program's output, which is the verdict only if it is the last.
    """

    call: str
    verdict: Verdict | None = None
    refused: str | None = None
    answer: str | None = None
    fail: bool = False
    printed: bool = False

    def __post_init__(self) -> None:
        if (self.verdict is None) == (self.refused is None):
            raise ValueError("a record has either a verdict or a refusal")
        if self.fail and self.refused is None:
            raise ValueError("only a refused record can have `fail` set")

    @property
    def says_fail(self) -> bool:
        """Tell whether its agent said fail, in a valid verdict or not."""
        return self.fail or (self.verdict is not None and self.verdict.verdict is VerdictKind.FAIL)


def settle(records: Sequence[Record], beside: Sequence[Record] = ()) -> Verdict | Trouble:
    """Return the verdict of several recordings of one attempt, or why there is none.

    An explicit fail beats everything. Other verdicts must agree; the last summary counts. A refusal
    counts against a verdict if its agent could not know of it, else the verdict replaces it. What
    says fail is replaced by nothing but a valid fail.

    Args:
        records: The recordings, in order.
        beside: Others, which cannot be the verdict and must not disagree with it.
    """
    verdicts = [record.verdict for record in records if record.verdict is not None]
    refused = [record for record in records if record.refused is not None]
    said_fail = [record for record in refused if record.fail]
    if not verdicts and refused:
        last = (said_fail or refused)[-1]
        message = f"nothing recorded was valid: {last.refused}"
        trouble = Trouble(cause=Cause.MALFORMED, message=message)
        return trouble.after_fail() if said_fail else trouble
    if not verdicts:
        return Trouble(
            cause=Cause.NO_VERDICT, message="the agent ended without recording a verdict"
        )
    fails = [verdict for verdict in verdicts if verdict.verdict is VerdictKind.FAIL]
    if fails:
        return fails[-1]
    kinds = sorted({verdict.verdict.value for verdict in verdicts})
    if said_fail:
        message = f"besides {' and '.join(kinds)}, the agent recorded a refused verdict: "
        message += str(said_fail[-1].refused)
        return Trouble(cause=Cause.CONTRADICTED, message=message).after_fail()
    others = {record.verdict.verdict.value for record in beside if record.verdict is not None}
    kinds = sorted({*kinds, *others})
    if len(kinds) > 1:
        return Trouble(
            cause=Cause.CONTRADICTED,
            message=f"the agent recorded {' and '.join(kinds)} for one attempt",
        )
    answers = {record.answer for record in records if record.verdict is not None}
    for record in refused:
        if record.answer is None or None in answers or record.answer in answers:
            message = f"besides {kinds[0]}, the agent recorded a refused verdict: {record.refused}"
            return Trouble(cause=Cause.CONTRADICTED, message=message)
    return verdicts[-1]
