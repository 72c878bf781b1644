"""`ptc record`: hands a verdict to the worker of the task that it is run in.

It says "recorded" when the worker has said so, and that is when the verdict is on disk. Agents wait
for it: it imports little, and leaves the work to the worker.
"""

from __future__ import annotations

import json
import os
import re
import socket
import sys
import time
from itertools import pairwise
from typing import TYPE_CHECKING

from pytest_ptc.interfaces.recording import (
    ANSWER_TIMEOUT_S,
    MAX_CALL_BYTES,
    Form,
    RecordAnswer,
    RecordCall,
)
from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.variables import ATTEMPT_FOLDER, ATTEMPT_TOKEN, RECORD_SOCKET
from pytest_ptc.model.verdict import Severity, VerdictKind
from pytest_ptc.text.printable import printable
from pytest_ptc.verdicts.fail_signs import says_fail

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

#: Seconds between two calls while others keep the worker's socket busy.
_PAUSE_S = 0.02


#: A place in front of a finding's message. No blank may precede it: `high: a:1: b` is a message.
_PLACE = re.compile(
    r"(?P<path>[^\s:]+):(?P<line>[1-9][0-9]{0,8})(:(?P<rule>[^\s:]+))?:\s+(?P<message>\S.*)",
    re.DOTALL,
)

#: What a worker finds in its program's output where a fail could not be recorded.
_UNRECORDED_FAIL = 'ptc record: not recorded: {"verdict": "fail"}'


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    kinds = ", ".join(kind.value for kind in VerdictKind)
    parser.description = (
        "Record the verdict of the task this is run in. Recording again is allowed; "
        "a recorded fail wins over any pass."
    )
    parser.add_argument(
        "verdict",
        help=f"one of {kinds}, with a summary; or the whole verdict as a JSON object; or - to "
        "read that from standard input",
    )
    parser.add_argument("words", nargs="?", metavar="SUMMARY", help="one or two sentences")
    parser.add_argument("--summary", help="the same")
    parser.add_argument(
        "--finding",
        action="append",
        default=[],
        metavar="SEVERITY:MESSAGE",
        help=f"a finding, severity one of {', '.join(Severity)}; its place may precede the "
        "message, SEVERITY:PATH:LINE: MESSAGE or SEVERITY:PATH:LINE:RULE: MESSAGE, without blanks "
        "before MESSAGE; may be given again",
    )
    parser.add_argument(
        "--checked",
        action="append",
        default=[],
        metavar="TEXT",
        help="something that the verdict is based on, such as a file; may be given again",
    )
    parser.add_argument(
        "--open",
        action="append",
        default=[],
        metavar="TEXT",
        help="something that could not be looked at; may be given again",
    )


def parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a call, with its one summary."""
    # Intermixed: the summary may follow an option.
    arguments = parser.parse_intermixed_args(words)
    whole = arguments.verdict == "-" or arguments.verdict.lstrip().startswith("{")
    if arguments.words is not None and whole:
        parser.error("a whole verdict has its own summary: leave out the second word")
    if arguments.words is not None and arguments.summary is not None:
        parser.error("two summaries are given: leave out --summary or the second word")
    if arguments.words is not None:
        arguments.summary = arguments.words
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Record the verdict that is given."""
    for line in record(arguments, os.environ):
        print(line)
    return 0


def wrong_call(words: Sequence[str]) -> None:
    """Keep the fail of a call that argparse has refused."""
    keep_fail_of_wrong_call(("record", *words), os.environ)


def record(arguments: argparse.Namespace, environ: Mapping[str, str]) -> list[str]:
    """Record the verdict that is given; return what to print.

    Raises:
        VerdictError: It is not recorded. A fail of which nothing could be put down is named in the
            message.
    """
    form, given = _verdict_input(arguments)
    try:
        answer = _call_worker(form, given, environ)
    except VerdictError as error:
        answer = RecordAnswer(recorded=False, message=str(error))
    if answer.recorded:
        return [printable(answer.message)]
    if not answer.fail_kept and says_fail(_parsed(form, given), given=True):
        raise VerdictError(f"{answer.message}\n{_UNRECORDED_FAIL}")
    raise VerdictError(answer.message)


def keep_fail_of_wrong_call(words: Sequence[str], environ: Mapping[str, str]) -> None:
    """Put down a fail whose call argparse has refused: what is wrong with it is told already.

    Args:
        words: The words of the call, `record` first.
        environ: The environment, which names the attempt.
    """
    kind = _kind(words)
    if not says_fail(kind, given=True):
        return
    try:
        kept = _call_worker(Form.WRONG_WORDS, os.fsencode(kind), environ).fail_kept
    except VerdictError:
        kept = False
    if not kept:
        print(_UNRECORDED_FAIL, file=sys.stderr)


def _call_worker(form: Form, given: bytes, environ: Mapping[str, str]) -> RecordAnswer:
    """Return the worker's answer.

    Raises:
        VerdictError: There is no worker, or it does not answer.
    """
    folder = environ.get(ATTEMPT_FOLDER)
    address = environ.get(RECORD_SOCKET)
    if not folder or not address:
        missing = RECORD_SOCKET if folder else ATTEMPT_FOLDER
        raise VerdictError(f"not inside a task: {missing} is not set")
    name = os.path.basename(folder)  # noqa: PTH119 - pathlib takes its time to import
    call = RecordCall(
        token=environ.get(ATTEMPT_TOKEN, ""), attempt=name, form=form, given=given
    ).encode()
    if len(call) > MAX_CALL_BYTES:
        raise VerdictError(f"a call is at most {MAX_CALL_BYTES} bytes long")
    try:
        return RecordAnswer.decode(_exchange(address, call))
    except (FileNotFoundError, ConnectionRefusedError):
        task_id, _, number = name.rpartition(".")
        message = f"attempt {number} at task {task_id} is over, or its worker is gone"
        raise VerdictError(message) from None
    except TimeoutError:
        why = f"its worker does not answer within {ANSWER_TIMEOUT_S:g} s"
    except OSError as error:
        why = f"its worker cannot be reached: {error.strerror or error}"
    except ValueError:
        why = "its worker ended, or gave no answer"
    raise VerdictError(f"not recorded: {why}; record it again")


def _exchange(address: str, call: bytes) -> bytes:
    """Send a call and return the answer.

    Raises:
        OSError: The worker cannot be reached, or does not answer in time.
    """
    give_up = time.monotonic() + ANSWER_TIMEOUT_S
    with _connected(address, give_up) as line:
        line.sendall(call)
        line.shutdown(socket.SHUT_WR)
        pieces: list[bytes] = []
        while True:
            line.settimeout(max(0.001, give_up - time.monotonic()))
            piece = line.recv(65536)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)


def _connected(address: str, give_up: float) -> socket.socket:
    while True:
        line = socket.socket(socket.AF_UNIX)
        line.settimeout(max(0.001, give_up - time.monotonic()))
        try:
            line.connect(address)
        except BlockingIOError:
            # The worker's queue is full.
            line.close()
            if time.monotonic() > give_up:
                raise TimeoutError from None
            time.sleep(_PAUSE_S)
        except BaseException:
            line.close()
            raise
        else:
            return line


def _verdict_input(arguments: argparse.Namespace) -> tuple[Form, bytes]:
    """Return the verdict of the call: text that holds JSON, or the JSON of its fields."""
    text: str = arguments.verdict
    if text == "-":
        return Form.TEXT, sys.stdin.buffer.read()
    if text.lstrip().startswith("{"):
        return Form.TEXT, os.fsencode(text)
    fields = {
        "verdict": text,
        "summary": arguments.summary,
        "findings": [_finding(given) for given in arguments.finding],
        "checked": arguments.checked,
        "open": arguments.open,
    }
    return Form.FIELDS, json.dumps(fields).encode()


def _parsed(form: Form, given: bytes) -> object:
    return json.loads(given) if form is Form.FIELDS else given


def _finding(given: str) -> dict[str, str | int]:
    severity, _, rest = given.partition(":")
    fields: dict[str, str | int] = {"severity": severity.strip(), "message": rest.strip()}
    place = _PLACE.fullmatch(rest)
    if place is not None:
        fields |= {"path": place["path"], "line": int(place["line"])}
        fields |= {"message": place["message"].strip()}
        fields |= {} if place["rule"] is None else {"rule": place["rule"]}
    return fields


def _kind(words: Sequence[str]) -> str:
    """Return what stands for the verdict's kind among the words of a call that was wrong."""
    known = ("--summary", "--finding", "--checked", "--open")
    for before, word in pairwise(words):
        if before in known or word.startswith(known):
            continue
        name, equals, value = word.partition("=")
        if not word.startswith("-"):
            return word
        if equals and name.startswith("--"):
            return value
    return ""
