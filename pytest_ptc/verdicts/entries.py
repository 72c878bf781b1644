"""The entries of an attempt's records file, and the records that count. Pure.

Entries are in the order in which they were written. A recording that was made when the time was
over is late: it counts only if it says fail.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.verdicts.endings import Ended
from pytest_ptc.verdicts.fail_signs import says_fail
from pytest_ptc.verdicts.recording import Record
from pytest_ptc.verdicts.verdict_json import read_verdict

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from pytest_ptc.model.verdict import Verdict

#: The call of the record that is made from an exit status.
STATUS = "status"


@dataclass(frozen=True, kw_only=True, slots=True)
class Recording:
    """Something was recorded.

    Args:
        record: The record.
        late: Whether the attempt's time was over.
        data_redacted: Whether secrets in its data were replaced: it may not match the schema any
            more, and was checked before.
    """

    record: Record
    late: bool = False
    data_redacted: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class Answered:
    """It became known which answer of the model holds a recording."""

    call: str
    answer: str


@dataclass(frozen=True, kw_only=True, slots=True)
class ProgramEnded:
    """The agent's program ended.

    Args:
        ended: How it ended.
        verdict: The verdict of its exit status, with `--ptc-verdict-from-exit`.
        late: Whether the attempt's time was over.
    """

    ended: Ended
    verdict: Verdict | None = None
    late: bool = False


Entry = Recording | Answered | ProgramEnded


def entry_to_json(entry: Entry) -> dict[str, Any]:
    """Return an entry as JSON."""
    match entry:
        case Answered():
            return {"call": entry.call, "answer": entry.answer}
        case ProgramEnded():
            value: dict[str, Any] = {"ended": entry.ended.status, "last": entry.ended.last}
            if entry.verdict is not None:
                value |= {"call": STATUS, "late": entry.late, "verdict": entry.verdict.to_json()}
            return value
    record = entry.record
    value = {"call": record.call, "late": entry.late}
    if record.verdict is not None:
        value |= {"verdict": record.verdict.to_json(), "data_redacted": entry.data_redacted}
    else:
        value |= {"refused": record.refused, "fail": record.fail}
    if record.answer is not None:
        value["answer"] = record.answer
    if record.printed:
        value["printed"] = True
    return value


def entry_from_json(value: Mapping[str, Any]) -> Entry | None:
    """Return the entry of a JSON object; None if it is not one.

    An invalid verdict becomes a refused recording.
    """
    call = str(value.get("call"))
    late = bool(value.get("late"))
    if isinstance(value.get("ended"), int):
        last = value.get("last")
        ended = Ended(value["ended"], None if last is None else str(last))
        verdict = _record(call, value).verdict if "verdict" in value else None
        return ProgramEnded(ended=ended, verdict=verdict, late=late)
    if "verdict" in value or "refused" in value:
        redacted = value.get("data_redacted") is True
        return Recording(record=_record(call, value), late=late, data_redacted=redacted)
    if isinstance(value.get("answer"), str):
        return Answered(call=call, answer=value["answer"])
    return None


def _record(call: str, value: Mapping[str, Any]) -> Record:
    answer = value.get("answer")
    answer = answer if isinstance(answer, str) else None
    printed = bool(value.get("printed"))
    if "refused" in value:
        refused, fail = str(value["refused"]), bool(value.get("fail"))
    else:
        try:
            verdict = read_verdict(value["verdict"], ours=True)
        except VerdictError as error:
            refused, fail = str(error), says_fail(value["verdict"], given=True)
        else:
            return Record(call=call, verdict=verdict, answer=answer, printed=printed)
    return Record(call=call, refused=refused, answer=answer, fail=fail, printed=printed)


def recordings(entries: Iterable[Entry]) -> tuple[list[Recording], Ended | None]:
    """Return the recordings that count, and how the agent's program ended, if known.

    The last recording of each call counts. The one of the exit status comes first: of verdicts that
    agree the last one counts, and a program's own summary reads better.
    """
    latest: dict[str, Recording] = {}
    answers: dict[str, str] = {}
    ended = None
    for entry in entries:
        match entry:
            case Recording():
                latest[entry.record.call] = entry
                if entry.record.answer is not None:
                    answers[entry.record.call] = entry.record.answer
            case Answered():
                answers[entry.call] = entry.answer
            case ProgramEnded():
                ended = entry.ended
                if entry.verdict is not None:
                    record = Record(call=STATUS, verdict=entry.verdict)
                    latest[STATUS] = Recording(record=record, late=entry.late)
    counted = [entry for entry in latest.values() if not entry.late or entry.record.says_fail]
    counted.sort(key=lambda entry: entry.record.call != STATUS)
    complete = [
        replace(entry, record=replace(entry.record, answer=answers.get(entry.record.call)))
        for entry in counted
    ]
    return complete, ended


def story_of(entries: Iterable[Entry]) -> tuple[list[Record], Ended | None]:
    """Return the records that count, and how the agent's program ended, if known."""
    counted, ended = recordings(entries)
    return [entry.record for entry in counted], ended
