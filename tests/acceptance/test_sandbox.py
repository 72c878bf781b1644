"""What an agent that may run programs cannot do: in a sandbox, and without one."""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import sys
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.system.control_groups import end_group, make_group
from tests.support import intruder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from tests.support.suite import Suite

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has it")

ATTACKS = ("worker", "tokens", "ptc", "journal", "hides", "quota", "network-on", "network-off")
ATTACKS_AT_LAST = ("kills", "renames", "unmounts")


@pytest.fixture
def intruded(suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Suite:
    """A suite whose agent attacks, and a home with a secret."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "secret").write_text("of the user")
    monkeypatch.setenv("HOME", str(home))
    shutil.copy(intruder.__file__, suite.agent)
    return suite


@pytest.fixture
def port() -> Iterator[int]:
    """A server of this machine."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        yield server.getsockname()[1]


def saw(suite: Suite, what: str) -> Any:
    """Return what came of an attack."""
    return json.loads((suite.path / f"saw-{what}.json").read_text())


def task(name: str, prompt: str, body: str = "pass", **options: Any) -> str:
    """Return the text of a marked test."""
    said = "".join(f", {key}={value!r}" for key, value in options.items())
    return f"@pytest.mark.ptc({prompt!r}{said})\ndef test_{name}():\n    {body}\n"


@pytest.mark.parametrize(
    "suite", ["process", pytest.param("tmux", marks=pytest.mark.slow)], indirect=True
)
def test_in_a_sandbox_an_agent_reaches_nothing_but_its_own(intruded: Suite, port: int) -> None:
    """Not a worker, a token, `ptc`, a record, the journal, a home, the network; not for ever."""
    suite = intruded
    suite.commit()
    free = (
        "import fcntl\n    with open('held') as file:\n"
        "        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)"
    )
    all_of_them = (*ATTACKS, *ATTACKS_AT_LAST)
    tasks = [task("victim", f"victim {' '.join(all_of_them)}")]
    for what in all_of_them:
        options: dict[str, Any] = {"env": {"PORT": str(port)}} if "network" in what else {}
        options |= {"sandbox_network": "off"} if what == "network-off" else {}
        name = what.replace("-", "_")
        tasks.append(task(name, f"{what} victim", free if what == "hides" else "pass", **options))
    # Long enough for it to be at work by then, on a machine that others keep busy.
    tasks.append(task("terminated", "terminated", timeout=6))
    tasks.append(task("isolated", "isolated", isolation="worktree"))
    suite.write(test_a="".join(tasks))
    result = suite.spawn("--ptc-sandbox=bwrap", "-o", "ptc_sandbox_tmp=16", "--ptc-workers=3")
    result.assert_outcomes(passed=len(all_of_them) + 1, failed=2)
    result.stdout.fnmatch_lines(["ptc: sandbox on (bubblewrap)", "*verdict: fail - a true fail"])
    # It had time for that, though the sandbox itself would not give it any.
    result.stdout.fnmatch_lines(["*verdict: fail - told to end"])
    assert saw(suite, "worker") == [[], "ENOENT"]
    assert saw(suite, "tokens") == []
    assert saw(suite, "ptc") == ["EROFS"] * 3
    assert saw(suite, "journal") == [[False] * 3, ["ENOENT", "EROFS", "ENOENT"], []]
    assert saw(suite, "hides") == "held"
    *bounded, root, dev = saw(suite, "quota")
    assert [(14 <= count <= 16, why) for count, why in bounded] == [(True, "ENOSPC")] * 3
    assert [root, dev] == [[0, "EROFS"]] * 2
    assert [saw(suite, f"network-{how}") for how in ("on", "off")] == ["connected", "ECONNREFUSED"]
    assert saw(suite, "unmounts") == ["", False]
    assert saw(suite, "kills") == "ESRCH"
    assert saw(suite, "renames") == ["EBUSY"] * 3


def test_without_a_sandbox_what_was_read_of_others_opens_nothing(intruded: Suite) -> None:
    """The victim says nothing: a pass in its name would be believed, if anybody took it."""
    suite = intruded
    attacks = ("worker", "tokens")
    tasks = [task("victim", f"victim-silent {' '.join(attacks)}")]
    tasks += [task(what, f"{what} victim-silent") for what in attacks]
    suite.write(test_a="".join(tasks))
    suite.run("-rA").assert_outcomes(passed=2, errors=1)
    assert saw(suite, "worker") == [[], "connected"]
    (said,) = saw(suite, "tokens")
    assert "the caller is no process that the task's agent has started" in said


@pytest.mark.fault("agent-leaves-children", "worker-hit")
@pytest.mark.slow
def test_what_hides_ends_with_a_worker_that_is_killed(intruded: Suite) -> None:
    """Where the kernel lets us make a group for it; its worker, which adopts it, is gone."""
    group = make_group("20261127-000000-0000000", "w1")
    if group is None:
        pytest.skip("this user may make no cgroups here")
    end_group(group)
    intruded.write(test_a=task("deserts", "deserts"))
    intruded.run().assert_outcomes(errors=1)
    with (intruded.path / "held").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def test_a_sandbox_that_cannot_be_is_told_before_anything_starts(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """`bwrap` is an error with the fix; `auto` says in the header that it is off."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("sh", "git", "stty"):
        (programs / name).symlink_to(shutil.which(name) or "/nowhere")
    monkeypatch.setenv("PATH", str(programs))
    suite.write(test_a='@pytest.mark.ptc("pass")\ndef test_a(): pass\n')
    asked = suite.spawn("--ptc-sandbox=bwrap")
    assert asked.ret == pytest.ExitCode.USAGE_ERROR
    asked.stderr.fnmatch_lines(["*--ptc-sandbox=bwrap: bubblewrap is not installed; install*"])
    suite.write(
        test_b='@pytest.mark.ptc("pass", sandbox="bwrap")\ndef test_b(): pass\n',
    )
    auto = suite.spawn("--ptc-sandbox=auto", "-rA")
    auto.stdout.fnmatch_lines(["ptc: sandbox off: bubblewrap is not installed*"])
    auto.stderr.fnmatch_lines(["*test_b.py::test_b: sandbox='bwrap': bubblewrap is not installed*"])
