"""A program that puts garbage where a run keeps things; an agent of a test starts it.

vandal.py file KIND NAME     in place of a file of the own attempt's folder
vandal.py list KIND          in place of every task on the list but the own one
vandal.py socket KIND        to the coordinator's socket
vandal.py any SEED COUNT     so many of all that, at random
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import socket
import sys
import time
from itertools import cycle
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MB = 1024 * 1024


def emptied(path: Path) -> Path:
    """Remove what is there, whatever it is."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
    return path


def put(content: bytes) -> Callable[[Path], object]:
    """Return what puts this content into a new file."""

    def act(path: Path) -> None:
        # Another vandal may have put a link there by now: it is not written through by us.
        with contextlib.suppress(FileExistsError), emptied(path).open("xb") as file:
            file.write(content)

    return act


def link(target: str) -> Callable[[Path], object]:
    """Return what puts a link there."""
    return lambda path: emptied(path).symlink_to(target)


def full_directory(path: Path) -> None:
    """Put a directory there that has something in it."""
    emptied(path).mkdir()
    (path / "kept").write_text("x")


def huge(path: Path) -> None:
    """Put 200 MB there, without a newline, that take no room on the disk."""
    with contextlib.suppress(FileExistsError), emptied(path).open("xb") as file:
        file.truncate(200 * MB)


def second_name(path: Path) -> None:
    """Put a second name of somebody's file there."""
    emptied(path).hardlink_to("precious")


#: What is put in the place of a file.
FILES: dict[str, Callable[[Path], object]] = {
    "fifo": lambda path: os.mkfifo(emptied(path)),
    "directory": lambda path: emptied(path).mkdir(),
    "full-directory": full_directory,
    "link": link(str(Path("precious").resolve())),
    "second-name": second_name,
    "link-to-itself": lambda path: emptied(path).symlink_to(path.name),
    "device": link("/dev/zero"),
    "nothing": emptied,
    "empty": put(b""),
    "brackets": put(b"[" * 100_000),
    "deep": put(b'{"a":' * 50_000 + b"1" + b"}" * 50_000),
    "sealed-brackets": put(b'{"seal":' + b"[" * 100_000),
    "cut": put(b'{"verdict": {"verdict": "pa'),
    "broken-utf8": put(b'{"seal": "\xff\xfe\x80", "verdict": "\xc3"}\n' * 100),
    "too-large": put(b'{"seal": 1e400, "seconds": 1e400, "task": NaN}\n'),
    "many-lines": put(b'{"seal": 1}\n' * 1_000_000),
    "no-newline": put(b'{"seal": "' + b"x" * MB),
    "huge": huge,
}


def connected() -> socket.socket:
    """Call the coordinator."""
    story = Path(os.environ["PTC_ATTEMPT_FOLDER"]).parent.parent / "journal.jsonl"
    began = next(event for event in map(json.loads, story.open()) if event["event"] == "run")
    line = socket.socket(socket.AF_UNIX)
    line.settimeout(20)
    line.connect(f"{began['scratch']}/coordinator")
    return line


def say(*texts: bytes) -> None:
    """Say each text on a line of its own, and hang up."""
    for text in texts:
        with contextlib.suppress(OSError), connected() as line:
            line.sendall(text)


def half_open(count: int) -> None:
    """Hold lines and say nothing, for a while, as many as this process may."""
    lines = []
    with contextlib.suppress(OSError):
        lines += [connected() for _ in range(count)]
    time.sleep(2)
    for line in lines:
        line.close()


def endless() -> None:
    """Say one line that does not end, until nobody listens."""
    with contextlib.suppress(OSError), connected() as line:
        for _ in range(200):
            line.sendall(b"x" * MB)


def hello(worker: object, key: object = "") -> bytes:
    """Return what a worker says first, with a wrong key."""
    return json.dumps({"kind": "hello", "worker": worker, "key": key}).encode() + b"\n"


#: What is said to the coordinator.
CALLS: dict[str, Callable[[], None]] = {
    "nothing": lambda: say(*[b""] * 200),
    "garbage": lambda: say(
        b"\x00\xff\n", b"{}\n", b"[]\n", b"null\n", b'{"kind": []}\n', b"\n" * 99
    ),
    "deep": lambda: say(b"[" * 60_000 + b"\n", b'{"kind":' * 9000 + b"\n"),
    "wrong-key": lambda: say(
        *[hello(f"w{n}") for n in range(30)], *[hello(f"w{n}", "0" * 32) for n in range(30)]
    ),
    "wrong-types": lambda: say(
        hello([]), hello({}), hello(None), hello("w1", []), hello("w1", "é\ud800"), hello("", "")
    ),
    "other-words": lambda: say(
        b'{"kind": "ready"}\n',
        b'{"kind": "ended", "attempt": "2.1"}\n',
        b'{"kind": "waits", "attempt": "2.1", "seconds": 1e400, "why": ""}\n',
    ),
    "endless": endless,
    "half-open": lambda: half_open(700),
    "many": lambda: say(*[b"x"] * 3000),
}


def main(*words: str) -> None:
    """Do what is asked."""
    folder = Path(os.environ["PTC_ATTEMPT_FOLDER"])
    tasks = Path(".claude/tasks") / os.environ["CLAUDE_CODE_TASK_LIST_ID"]
    if words[0] == "file":
        FILES[words[1]](folder / words[2])
    elif words[0] == "folder":
        folder.rename(folder.with_name("moved"))
        FILES[words[1]](folder)
    elif words[0] == "list":
        spoil_list(tasks, words[1])
    elif words[0] == "socket":
        CALLS[words[1]]()
    else:
        chance = random.Random(words[1])  # noqa: S311 - it is to be the same again
        for _ in range(int(words[2])):
            anything(chance, folder, tasks)


#: Kinds of garbage on a list; `each` is all of them, one a task, and `each-other` the same for
#: other tasks. `locks` takes as long as a claim waits for one.
LIST_KINDS = (
    *("fifo", "full-directory", "link", "device", "huge", "deep", "cut", "broken-utf8", "mark"),
)


def spoil_list(tasks: Path, kind: str) -> None:
    """Spoil every task of others, and what else is on the list."""
    files = sorted(tasks.glob("*.json"))
    orders = {"each": LIST_KINDS, "each-other": (*LIST_KINDS[5:], *LIST_KINDS[:5])}
    kinds = orders.get(kind, (kind,))
    for file, one in zip(files, cycle(kinds), strict=False):
        if one == "locks":
            file.with_name(f"{file.name}.lock").mkdir(exist_ok=True)
            os.utime(f"{file}.lock", (2e9, 2e9))
        elif one == "mark":
            (tasks / ".highwatermark").write_text("9" * 300)
        else:
            FILES[one](file)


def anything(chance: random.Random, folder: Path, tasks: Path) -> None:
    """Do one thing at random."""
    names = ["records.jsonl", "report.json", "output.log", "prompt.txt", "task.json", "other"]
    kinds = sorted(set(FILES) - {"many-lines"})
    with contextlib.suppress(OSError):
        match chance.randrange(4):
            case 0:
                noise = chance.randbytes(chance.randrange(100_000))
                put(noise)(folder / chance.choice(names))
            case 1:
                FILES[chance.choice(kinds)](folder / chance.choice(names))
            case 2:
                spoil_list(tasks, chance.choice(["fifo", "cut", "deep", "link", "broken-utf8"]))
            case 3:
                CALLS[chance.choice(sorted(set(CALLS) - {"half-open"}))]()


if __name__ == "__main__":
    main(*sys.argv[1:])
