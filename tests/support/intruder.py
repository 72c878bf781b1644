"""An agent that does what an attacker would, and tells what came of it in `saw-<what>.json`.

Its prompt's first line is what it does. It may run any program, as every agent `command`.
"""

# A program, as short as one that an attacker writes.
# ruff: noqa: PTH104, PTH110, PTH120, PTH123, PTH207, PTH208, T201

from __future__ import annotations

import errno
import fcntl
import glob
import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

MEGABYTE = 1024 * 1024


def worker() -> object:
    """Take over another worker: by its launch file, or at the coordinator's socket."""
    private = os.path.dirname(os.environ["PTC_RECORD_SOCKET"])
    launch_files = glob.glob(f"{private}/workers/*/launch.json")
    try:
        socket.socket(socket.AF_UNIX).connect(f"{private}/coordinator")
    except OSError as error:
        return [launch_files, errno.errorcode[error.errno or 0]]
    return [launch_files, "connected"]


def tokens() -> object:
    """Read the tokens of others, and record for whom they are."""
    said = []
    for folder in glob.glob("/proc/[0-9]*"):
        try:
            block = Path(folder, "environ").read_bytes()
        except OSError:
            continue
        theirs = {}
        for entry in os.fsdecode(block).split("\0"):
            name, _, value = entry.partition("=")
            theirs[name] = value
        if theirs.get("PTC_TOKEN", os.environ["PTC_TOKEN"]) == os.environ["PTC_TOKEN"]:
            continue
        if theirs.get("PTC_RUN") != os.environ["PTC_RUN"]:
            continue
        names = ("PTC_TOKEN", "PTC_ATTEMPT_FOLDER", "PTC_RECORD_SOCKET")
        words = ["ptc", "record", "pass", "forged"]
        as_they = {**os.environ, **{name: theirs[name] for name in names}}
        said.append(subprocess.run(words, env=as_they, capture_output=True, text=True, check=False))
    return [done.stdout + done.stderr for done in said]


def ptc() -> object:
    """Replace the `ptc` that others may call, and the Python that runs it."""
    found = shutil.which("ptc")
    assert found is not None
    return [written(found), written(f"{found}.py"), written(sys.executable)]


def journal() -> object:
    """Write records and the journal; read keys and homes."""
    attempt = Path(os.environ["PTC_ATTEMPT_FOLDER"])
    run = attempt.parents[1]
    places = (
        attempt / "records.jsonl",
        run / "journal.jsonl",
        run.parent / "new" / "journal.jsonl",
    )
    seen = [place.exists() for place in (attempt, run / "journal.jsonl", run / "attempts")]
    home = sorted(os.listdir(os.environ["HOME"]))
    return [seen, [written(place) for place in places], home]


def hides() -> object:
    """Leave a process with a session of its own, no parent, and an empty environment."""
    hold = (
        "import fcntl, os, sys, time\n"
        "if os.fork() or os.setsid() or os.fork():\n    os._exit(0)\n"
        "file = open('held', 'w')\nfcntl.flock(file, fcntl.LOCK_EX)\n"
        "open('holding', 'w').close()\ntime.sleep(600)\n"
    )
    null = subprocess.DEVNULL
    words = [sys.executable, "-c", hold]
    subprocess.run(words, env={}, check=True, stdin=null, stdout=null, stderr=null)
    while not os.path.exists("holding"):
        time.sleep(0.01)
    with open("held") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return "held"
    return "free"


def deserts() -> object:
    """Leave such a process, and end the worker."""
    hides()
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
    return "never"


def quota() -> object:
    """Fill every folder that is not its own directory."""
    return [filled(place) for place in ("/tmp", "/dev/shm", os.environ["HOME"], "/", "/dev")]


def network() -> object:
    """Reach a server on this machine."""
    port = int(os.environ["PORT"])
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "connected"


def terminated() -> object:
    """Wait for the end of its time, and record a fail when it is told of it."""

    def record(*_: object) -> None:
        subprocess.run(["ptc", "record", "fail", "told to end"], check=True)

    signal.signal(signal.SIGTERM, record)
    time.sleep(600)
    return "never"


#: In namespaces of its own, as root there: unmount what hides, and make writable what is not.
UNMOUNTS = """
umount "$1"; umount -l "$1"; mount -o remount,bind,rw /usr; mount -o remount,rw /
cat "$1"/*/journal.jsonl >&2
for place in /usr/forged /forged; do touch $place && echo $place; done; :
"""


def unmounts() -> object:
    """Take what covers the journals away, and make the system writable."""
    runs = str(Path(os.environ["PTC_ATTEMPT_FOLDER"]).parents[2])
    words = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", UNMOUNTS, "sh", runs]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    return [done.stdout, "run began" in done.stderr or '"seal"' in done.stderr]


def isolated() -> object:
    """Use git and write in a worktree; the project itself can only be read."""
    words = ["git", "rev-parse", "--path-format=absolute", "--git-common-dir"]
    told = subprocess.run(words, capture_output=True, text=True, check=True)
    subprocess.run(["git", "status"], check=True)
    project = Path(told.stdout.strip()).parent
    assert project != Path.cwd()
    assert (project / "agent.py").exists()
    assert [written(place / "tox.ini") for place in (project, Path())] == ["EROFS", "written"]
    return "isolated"


def kills() -> object:
    """End every process that it can see but itself."""
    try:
        os.kill(-1, signal.SIGKILL)
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "killed"


def renames() -> object:
    """Move what is hidden, or read-only, out of the way, to put something else in its place."""
    return [moved(place) for place in (".pytest_cache", "agent.py", ".git")]


def written(place: object) -> str:
    """Return what came of writing a file."""
    try:
        with open(str(place), "w") as file:
            file.write("forged")
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "written"


def moved(place: str) -> str:
    """Return what came of renaming a file or folder."""
    try:
        os.rename(place, f"{place}.away")
    except OSError as error:
        return errno.errorcode[error.errno or 0]
    return "moved"


def filled(folder: str) -> object:
    """Return how many megabytes a folder took, and why no more."""
    count = 0
    try:
        with open(f"{folder}/filler", "wb", buffering=0) as file:
            while count < 1000:
                file.write(b"x" * MEGABYTE)
                count += 1
    except OSError as error:
        return [count, errno.errorcode[error.errno or 0]]
    return [count, "full"]


def wait(name: str) -> None:
    """Wait for a file in the task's directory."""
    while not os.path.exists(name):
        time.sleep(0.01)


def main() -> None:
    """Do what the prompt says."""
    what, *waits_for = sys.stdin.readline().split()
    if what.startswith("victim"):
        open(f"here-{what}", "w").close()
        for name in waits_for:
            wait(f"saw-{name}.json")
        if what == "victim":
            print(json.dumps({"verdict": "fail", "summary": "a true fail"}))
        return
    for name in waits_for:
        wait(f"here-{name}")
    saw = globals()[what.partition("-")[0]]()
    with open(f"telling-{what}", "w") as file:
        json.dump(saw, file)
    os.rename(f"telling-{what}", f"saw-{what}.json")
    subprocess.run(["ptc", "record", "pass", "done"], check=True)


if __name__ == "__main__":
    main()
