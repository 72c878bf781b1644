"""What `ptc` asks of the coordinator of an active run, on the socket that its workers call."""

from __future__ import annotations

import socket
from pathlib import Path
from typing import TYPE_CHECKING

from pytest_ptc.interfaces import messages
from pytest_ptc.interfaces.names import ScratchPlaces
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from pytest_ptc.runs.recorded import RecordedRun

#: Seconds in which the coordinator answers, and the longest answer in bytes.
_PATIENCE_S = 10.0
_MAX_ANSWER_BYTES = 4096


def stop_task(run: RecordedRun, task_id: str) -> None:
    """Have the coordinator of an active run end a task.

    Raises:
        ConfigError: It does not, or cannot be reached; the message says why.
    """
    scratch = run.began.scratch
    if scratch is None:
        raise ConfigError(f"run {run.run_id} has no task yet")
    request = messages.StopTask(task=task_id, proof=run.key.control)
    try:
        answer = _answer(ScratchPlaces(Path(scratch)).coordinator_socket, messages.encode(request))
        message = messages.decode(answer)
    except (OSError, ValueError) as error:
        raise ConfigError(f"run {run.run_id} does not answer: {error}") from None
    problem = message.problem if isinstance(message, messages.Answered) else "it does not say"
    if problem is not None:
        raise ConfigError(f"the task is not stopped: {problem}")


def _answer(address: Path, request: bytes) -> bytes:
    with socket.socket(socket.AF_UNIX) as line:
        line.settimeout(_PATIENCE_S)
        line.connect(str(address))
        line.sendall(request)
        answer = b""
        while not answer.endswith(b"\n") and len(answer) < _MAX_ANSWER_BYTES:
            piece = line.recv(_MAX_ANSWER_BYTES)
            if not piece:
                break
            answer += piece
        return answer
