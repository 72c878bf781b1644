"""Machines of a test, made of namespaces: each has its own network, processes, disk and name.

They are in a world of their own, which is one process and what it has started: its end is the end
of all machines, of their networks and of whatever runs in them. A machine has its own folder as
`/tmp`, with its home in it; of the rest of this system it sees the software, and may not write
there. Nothing is shared but that and the kernel, so clocks agree; each boot has an id of its own.

All of it needs the right to make namespaces: root has it, and so has everybody where users may have
namespaces of their own.
"""

from __future__ import annotations

import os
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

import pytest_ptc
from tests.support.namespaces import OWN, USER, WAITS, Spaces, first_of, space_of, way

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_NETWORK = "10.77.0"
#: Seconds that anything may take that is done at once on an idle system.
_PATIENCE = 20.0
#: Where a machine keeps what Python compiles, for all of a session's machines.
_COMPILED = "/run/compiled"

_WORLD = f"""
set -e
ip link set lo up
ip link add cables type bridge
ip link set cables up
{WAITS}
"""
#: The name, the folder, a file of hosts, the home here, where compiled code is kept; then what the
#: machine is to see although it lies below that home or `/tmp`.
_MACHINE = f"""
set -e
name=$1 folder=$2 hosts=$3 home=$4 compiled=$5
shift 5
hostname "$name"
ip link set lo up
mount --bind "$hosts" /etc/hosts
mount -t tmpfs none /run
cat /proc/sys/kernel/random/uuid >/run/boot
mount --bind /run/boot /proc/sys/kernel/random/boot_id
mkdir /run/folder
mount --bind "$folder" /run/folder
mkdir {_COMPILED}
mount --bind "$compiled" {_COMPILED}
i=0
for place; do
    i=$((i + 1))
    mkdir "/run/$i"
    mount --bind "$place" "/run/$i"
done
mount -o remount,bind,ro /
for place in /var/tmp /dev/shm "$home"; do
    mount -t tmpfs none "$place"
done
mount --bind /run/folder /tmp
i=0
for place; do
    i=$((i + 1))
    mkdir -p "$place"
    mount --bind "/run/$i" "$place"
    mount -o remount,bind,ro "$place"
    umount "/run/$i"
done
umount /run/folder
{WAITS}
"""


class Machine:
    """One machine. It is up until it is killed, and can be booted again, with the same disk.

    Args:
        world: Where.
        name: What it is called, by itself and by the others.
        address: Its address.
        folder: Its `/tmp`.
    """

    def __init__(self, world: World, name: str, address: str, folder: Path) -> None:
        self.name = name
        self.address = address
        self.folder = folder
        self._world = world
        self.boots = 0
        self._init: psutil.Process | None = None
        self._stack = ExitStack()
        (folder / "home").mkdir(parents=True)

    @property
    def is_up(self) -> bool:
        """Tell whether it runs."""
        return self._init is not None

    def boot(self) -> None:
        """Have it run, with its cable in."""
        self.boots += 1
        home = os.environ.get("HOME", "/root")
        self._init = self._stack.enter_context(
            self._world.init(
                *(*OWN, "--mount-proc", "sh", "-c", _MACHINE, "sh"),
                *(self.name, str(self.folder), str(self._world.hosts), home),
                *(self._world.compiled, *_software(home)),
            )
        )
        self._world.connect(self, self._plug, self._init.pid, self._stack)
        self._own("ip", "address", "add", f"{self.address}/24", "dev", "eth0")
        # The card is the same one after each boot.
        card = "02:00:00:00:00:" + self.address.rpartition(".")[2].zfill(2)
        self._own("ip", "link", "set", "eth0", "address", card, "up")
        self._world.plug(self._plug)

    def kill(self) -> None:
        """Take its power: nobody hears of it, and nothing of it runs any more."""
        self.pull()
        assert self._init is not None
        there = [self._init, *self.processes()]
        self._init.kill()
        _, left = psutil.wait_procs(there, timeout=_PATIENCE)
        assert not left, left
        self._stack.close()
        self._init = None

    def pull(self) -> None:
        """Take its cable out."""
        self._world.pull(self._plug)

    def plug(self) -> None:
        """Put its cable in again."""
        self._world.plug(self._plug)

    def run(
        self, *command: str, timeout: float = 60.0, cwd: str = "/tmp", **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on it, and return what it said; both streams are one."""
        return subprocess.run(
            self._words(command, environ, cwd),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout,
            check=False,
        )

    def start(
        self, *command: str, log: str, cwd: str = "/tmp", **environ: str
    ) -> subprocess.Popen[bytes]:
        """Start a command on it, which says what it has to say in a file of the machine's folder.

        What is returned is outside of the machine: a signal to it does not reach the command.
        """
        with (self.folder / log).open("ab") as said:
            started = subprocess.Popen(
                self._words(command, environ, cwd),
                stdin=subprocess.DEVNULL,
                stdout=said,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._stack.callback(started.wait)
        return started

    def processes(self, *words: str) -> list[psutil.Process]:
        """Return what runs on it, the eldest first, if all these words are in its command line."""
        return [
            process
            for process in self._inhabitants()
            if process != self._init and _has_words(process, words)
        ]

    def _inhabitants(self) -> Iterator[psutil.Process]:
        assert self._init is not None
        here = space_of(self._init.pid, "pid")
        for process in psutil.process_iter():
            if here is not None and space_of(process.pid, "pid") == here:
                yield process

    @property
    def _plug(self) -> str:
        # An interface has at most 15 letters. A new one for each boot, as the kernel takes its time
        # to remove the last one.
        return f"{self.name[:9]}-{self.boots}"

    def _own(self, *command: str) -> None:
        assert self._init is not None
        subprocess.run([*self._world.enter(self._init.pid, "--net"), *command], check=True)

    def _words(self, command: Sequence[str], environ: dict[str, str], cwd: str) -> list[str]:
        assert self._init is not None, f"{self.name} is not up"
        its = {
            "HOME": "/tmp/home",
            "LANG": "C.UTF-8",
            "PATH": f"{sys.prefix}/bin:/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin",
            "TERM": "xterm",
            "PYTHONPYCACHEPREFIX": _COMPILED,
            **environ,
        }
        return [
            *self._world.enter(self._init.pid, "--net", "--mount", "--uts", "--pid"),
            *("env", "-i", f"--chdir={cwd}", *(f"{name}={value}" for name, value in its.items())),
            *command,
        ]


@dataclass(frozen=True, kw_only=True, slots=True)
class Cables:
    """What cables are like.

    Args:
        delay: Seconds that whatever goes over one is on its way.
        loss: The share of it that is lost.
    """

    delay: float = 0.0
    loss: float = 0.0

    @property
    def are_slow(self) -> bool:
        """Tell whether they differ from those that the kernel has."""
        return bool(self.delay or self.loss)


GOOD_CABLES = Cables()


class World:
    """The machines of a test, and the switch that their cables lead to.

    Args:
        folder: Where they have their disks.
        cables: What their cables are like.
    """

    def __init__(self, folder: Path, cables: Cables = GOOD_CABLES) -> None:
        self.folder = folder
        self.hosts = folder / "hosts"
        self.compiled = sys.pycache_prefix or str(folder / "compiled")
        self._cables = cables
        self._mapped = False
        self._root: psutil.Process | None = None
        self._machines: dict[str, Machine] = {}

    def __getitem__(self, name: str) -> Machine:
        return self._machines[name]

    def __iter__(self) -> Iterator[Machine]:
        return iter(self._machines.values())

    @contextmanager
    def there(self, *names: str) -> Iterator[World]:
        """Have machines of these names run, and everything end that runs in them."""
        words = way()
        self._mapped = words == USER
        Path(self.compiled).mkdir(parents=True, exist_ok=True)
        for number, name in enumerate(names, 1):
            place = self.folder / name
            self._machines[name] = Machine(self, name, f"{_NETWORK}.{number}", place)
        self.hosts.write_text(
            "127.0.0.1 localhost\n"
            + "".join(f"{machine.address} {machine.name}\n" for machine in self)
        )
        with ExitStack() as stack:
            self._root = stack.enter_context(first_of(*words, *OWN, "sh", "-c", _WORLD))
            spaces = stack.enter_context(Spaces())
            spaces.add(self._root.pid)
            for machine in self:
                stack.callback(machine._stack.close)
                machine.boot()
                assert machine._init is not None
                spaces.add(machine._init.pid)
            # Before all machines' own ends, which wait for their processes.
            stack.callback(self._root.kill)
            yield self

    def enter(self, pid: int, *spaces: str) -> list[str]:
        """Return the words before a command that is to run in spaces of a process."""
        mapped = ("--user", "--preserve-credentials") if self._mapped else ()
        return ["nsenter", "--target", str(pid), *mapped, *spaces]

    @contextmanager
    def init(self, *words: str) -> Iterator[psutil.Process]:
        """Have a process run in this world which is the first of its own."""
        assert self._root is not None
        inside = self.enter(self._root.pid, "--net", "--mount", "--pid")
        with first_of(*inside, "unshare", *words) as process:
            yield process

    def connect(self, machine: Machine, plug: str, pid: int, stack: ExitStack) -> None:
        """Lay a cable between the switch and a machine, where it is `eth0`."""
        if self._cables.are_slow:
            stack.enter_context(self._slow_cable(machine, plug))
            self._switch("link", "set", f"{plug}e", "netns", str(pid), "name", "eth0")
        else:
            peer = ("peer", "name", "eth0", "netns", str(pid))
            self._switch("link", "add", plug, "type", "veth", *peer)
        self._switch("link", "set", plug, "master", "cables")

    def pull(self, plug: str) -> None:
        """Take a plug out of the switch."""
        self._switch("link", "set", plug, "down")

    def plug(self, plug: str) -> None:
        """Put a plug into the switch."""
        self._switch("link", "set", plug, "up")

    def _switch(self, *words: str) -> None:
        assert self._root is not None
        subprocess.run([*self.enter(self._root.pid, "--net"), "ip", *words], check=True)

    @contextmanager
    def _slow_cable(self, machine: Machine, plug: str) -> Iterator[None]:
        assert self._root is not None
        program = Path(__file__).with_name("slow_cable.py")
        said = (plug, f"{plug}e", str(self._cables.delay), str(self._cables.loss))
        words = (*self.enter(self._root.pid, "--net"), sys.executable, str(program), *said)
        with (machine.folder / "cable.log").open("ab") as log:
            cable = subprocess.Popen(
                words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log
            )
        with cable:
            try:
                assert cable.stdout is not None
                assert cable.stdout.readline() == b"ready\n", "no cable"
                yield
            finally:
                cable.kill()


def _software(home: str) -> list[str]:
    """Return the folders of this software that a machine would not see, as they are below others.

    In the order in which they can be put there: a folder before what is in it.
    """
    package = Path(pytest_ptc.__file__).parents[1]
    here = Path(__file__).parents[2]
    places = {os.path.realpath(p) for p in (package, here, sys.prefix, sys.base_prefix)}
    places |= {str(p) for p in (package, here, sys.prefix, sys.base_prefix)}
    return sorted(place for place in places if place.startswith(("/tmp/", f"{home}/")))


def _has_words(process: psutil.Process, words: Sequence[str]) -> bool:
    with suppress(psutil.Error):
        line = " ".join(process.cmdline())
        return bool(line) and all(word in line for word in words)
    return False
