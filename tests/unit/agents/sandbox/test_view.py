"""What a sandbox shows of a machine."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from types import SimpleNamespace

import pytest
from msgspec.structs import replace

from pytest_ptc.agents.sandbox.arguments import Access, Mount, placed_mounts
from pytest_ptc.agents.sandbox.view import View, git_places
from pytest_ptc.interfaces.launch import AgentLaunch
from tests.support.launch import launch_file

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux alone has it")


class Machine:
    """A home with a project, its journals, and programs that are installed at home."""

    def __init__(self, folder: Path) -> None:
        self.home = folder / "home"
        self.project = self.home / "project"
        self.installed = {
            "node": self.home / ".nvm/versions/node/v22/bin/node",
            "tool": self.home / ".local/bin/tool",
            "judge": self.home / "tools/judge.py",
        }
        self.package = self.home / ".local/lib/node_modules"
        for file in (*self.installed.values(), self.package / "client/bin/client.js"):
            file.parent.mkdir(parents=True, exist_ok=True)
            file.touch(mode=0o755)
        (self.home / ".local/bin/client").symlink_to(self.package / "client/bin/client.js")
        self.launch = launch_file(
            self.project / ".cache",
            root=self.project,
            claude_config=self.home / ".claude",
            agent=AgentLaunch(make="x:y", argv=("client", str(self.installed["judge"]), "word")),
        )
        self.state = self.home / ".local/state/pytest-ptc"
        for path in (self.launch.journal, self.launch.scratch, self.state, self.home / ".claude"):
            path.mkdir(parents=True)
        self.environ = {
            "HOME": str(self.home),
            "PATH": f"{self.home}/.local/bin:{self.home}/.nvm/versions/node/v22/bin:/usr/bin",
        }

    def shown(self, cwd: Path, *read: str, write: tuple[str, ...] = ()) -> dict[Path, Access]:
        """Return the places that are made of this machine's folder, below its home."""
        mounts = View(self.launch, self.environ).mounts(str(cwd), read, write)
        found = {mount.path: mount.access for mount in placed_mounts(mounts)}
        places = (self.home.joinpath(path) for path in found)
        return {
            place.relative_to(self.home): found[str(place)]
            for place in places
            if place.is_relative_to(self.home)
        }


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine in a folder."""
    return Machine(tmp_path)


def test_a_home_is_empty_but_for_programs_and_the_tasks_own_directory(machine: Machine) -> None:
    """Folders of programs are shown; what is above the key of the journals, never."""
    shown = {str(path): access for path, access in machine.shown(machine.project).items()}
    assert shown == {
        ".": Access.SCRATCH,
        ".local/bin": Access.READ,
        ".local/lib/node_modules": Access.READ,
        ".nvm/versions/node/v22/bin": Access.READ,
        "tools": Access.READ,
        "project": Access.WRITE,
        "project/.cache": Access.WRITE,
        "project/.cache/runs": Access.HIDDEN,
        "project/.cache/scratch": Access.HIDDEN,
    }


def test_a_task_in_a_worktree_reads_the_project(machine: Machine) -> None:
    """And changes its own directory alone; git's folders are read-only, wherever they are."""
    subprocess.run(["git", "init", "--quiet", str(machine.project)], check=True)
    worktree = machine.launch.scratch / "worktrees/7.1"
    who = ("-c", "user.name=n", "-c", "user.email=n@example.org")
    for words in (("commit", "--allow-empty", "-qm", "x"), ("worktree", "add", "-q", worktree)):
        subprocess.run(["git", *who, *words], cwd=machine.project, check=True)
    other = machine.home / "other"
    other.mkdir()
    shown = machine.shown(worktree, str(machine.state), write=(str(other),))
    assert shown[machine.project.relative_to(machine.home)] is Access.READ
    own = worktree.relative_to(machine.home)
    assert (shown[own], shown[own / ".git"]) == (Access.WRITE, Access.READ)
    assert shown[other.relative_to(machine.home)] is Access.WRITE
    git = machine.project / ".git"
    assert git_places(worktree) == [
        *(str(worktree / ".git"), str(git), str(git / "worktrees/7.1")),
    ]
    assert git_places(machine.project / "below") == [str(git)]


def test_a_file_of_git_leads_nowhere_that_does_not_know_of_it(machine: Machine) -> None:
    """It may come from the text under review: keys, another repository, a link, a fifo."""
    secret = machine.home / "secret"
    subprocess.run(["git", "init", "--quiet", str(secret)], check=True)
    review = machine.project / "review"
    review.mkdir()
    file = review / ".git"
    for said in (f"gitdir: {secret / '.git'}", "gitdir: ../../secret/.git", "gitdir:", "x" * 9000):
        file.write_text(said)
        assert git_places(review) == [str(file)]
    forged = machine.home / "forged"
    forged.mkdir()
    (forged / "gitdir").write_text(str(machine.project / "elsewhere/.git"))
    (forged / "commondir").write_text(str(secret / ".git"))
    file.write_text(f"gitdir: {forged}")
    assert git_places(review) == [str(file)]
    # A submodule, whose folder is in its repository's.
    subprocess.run(["git", "init", "--quiet", str(machine.project)], check=True)
    module = machine.project / ".git/modules/review"
    module.mkdir(parents=True)
    file.write_text("gitdir: ../.git/modules/review")
    assert git_places(review) == [str(file), str(module)]


def test_what_is_named_is_shown_though_it_is_hidden_otherwise(machine: Machine) -> None:
    """Such as Claude Code's folder, for a command that is Claude Code."""
    config = machine.home / ".claude"
    assert machine.shown(machine.home, write=(str(config),))[config.relative_to(machine.home)] is (
        Access.WRITE
    )


def test_whoever_works_at_home_sees_it_without_our_own(machine: Machine) -> None:
    """The key of the journals and Claude Code's files stay hidden."""
    shown = machine.shown(machine.home)
    assert shown[machine.home.relative_to(machine.home)] is Access.WRITE
    for hidden in (machine.state, machine.home / ".claude", machine.launch.journal.parent):
        assert shown[hidden.relative_to(machine.home)] is Access.HIDDEN


def test_what_is_ours_stays_read_only_in_the_tasks_own_directory(
    machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Code that this process has run; the project's own, on the search path, can be changed."""
    source, vendor = machine.project / "src", machine.project / "vendor"
    for folder, name in ((source, "theirs"), (vendor, "ours")):
        folder.mkdir()
        (folder / f"{name}.py").touch()
        monkeypatch.syspath_prepend(str(folder))
    run = SimpleNamespace(__file__=str(vendor / "ours.py"))
    monkeypatch.setitem(sys.modules, "ours", run)
    shown = machine.shown(machine.project)
    assert Path("project/src") not in shown
    assert shown[Path("project/vendor")] is Access.READ
    elsewhere = machine.shown(machine.launch.scratch)
    assert elsewhere[Path("project")] is Access.READ


def test_what_a_command_names_is_shown_and_not_what_is_around_it(machine: Machine) -> None:
    """But for scripts, which import others beside them."""
    data, config = machine.home / "data/set", machine.home / "conf/tool.cfg"
    data.mkdir(parents=True)
    config.parent.mkdir()
    config.touch()
    argv = ("client", str(data), str(config), str(machine.installed["judge"]))
    agent = AgentLaunch(make="x:y", argv=argv)
    machine.launch = replace(machine.launch, agent=agent)
    shown = machine.shown(machine.project)
    named = {path for path in shown if path.parts[:1] in (("data",), ("conf",), ("tools",))}
    assert named == {Path("data/set"), Path("conf/tool.cfg"), Path("tools")}


def test_a_program_is_shown_with_its_package(machine: Machine) -> None:
    """Not one that is not there."""
    view = View(machine.launch, machine.environ)
    assert view.program("no-such-program") == []
    node = machine.installed["node"]
    assert Mount(str(node.parents[1]), Access.READ) in view.program(str(node))
    # All of ~/.local has the key of the journals in it.
    assert view.program(str(machine.installed["tool"])) == [
        Mount(str(machine.installed["tool"]), Access.READ)
    ]


@pytest.mark.parametrize("temporary", ["/tmp", "/var/tmp"])
def test_what_lies_in_a_folder_for_temporary_files_is_shown(
    machine: Machine, temporary: str
) -> None:
    """As a clone that a pipeline makes there; nothing can be mounted below a link."""
    with tempfile.TemporaryDirectory(dir=temporary) as folder:
        machine.environ["PATH"] += f":{folder}"
        mounts = View(machine.launch, machine.environ).mounts(str(machine.project), (), ())
        placed = {mount.path: mount.access for mount in placed_mounts(mounts)}
    assert placed[folder] is Access.READ
    links = [path for path, access in placed.items() if access is Access.LINK]
    assert not [path for path in placed for link in links if path.startswith(f"{link}/")]
