"""The Python that runs workers: pytest's own, or another one that has pytest-ptc installed.

A project whose environment cannot hold an agent's packages can name another Python for its workers.
That Python is checked before any worker starts: a broken worker could only fail to start.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
import site
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

from pytest_ptc.agents.command_line import anchored_command
from pytest_ptc.agents.maker import load_maker
from pytest_ptc.interfaces.environment import anchored, worker_environment
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pytest_ptc.interfaces.worker_python import WorkerPython

#: The ini key that names the Python, for messages.
OPTION = "ptc_worker_python"
#: Seconds that another Python may take to run the probe.
ANSWER_TIMEOUT_S = 60.0

#: The program that another Python runs. Its arguments: the version of pytest-ptc that it must have,
#: an agent to import (`module:function`), and the search path for that. It prints JSON, with
#: `problem` if it cannot run workers. Valid in every Python 3, so that one that is too old can
#: report that.
_PROBE = """
import json, sys
sys.path = [entry for entry in sys.path if entry]
answers, sys.stdout = sys.stdout, sys.stderr
wanted, place, search_path = sys.argv[1:]
said = {"python": sys.version.split()[0]}
try:
    import sysconfig
    from importlib.metadata import distributions
    from importlib.util import find_spec
    said["folders"] = sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")})
    named = [(found.metadata["Name"] or "", found.version) for found in distributions()]
    said["versions"] = {name.lower().replace("_", "-"): number for name, number in reversed(named)}
    if said["versions"].get("pytest-ptc") == wanted:
        import pytest_ptc.worker.process
        sdk = find_spec("claude_agent_sdk")
        said["files"] = {} if sdk is None else {"claude_agent_sdk": sdk.origin}
        if place:
            from pytest_ptc.agents.maker import load_maker
            load_maker(place, json.loads(search_path))
except Exception as error:
    error = error.__cause__ or error
    said["problem"] = "%s: %s" % (type(error).__name__, error)
json.dump(said, answers)
"""


@dataclass(frozen=True, kw_only=True, slots=True)
class PresentPython:
    """The Python that runs pytest.

    Args:
        start: The directory that pytest was started in, the base of relative entries of `sys.path`.
    """

    start: Path

    @property
    def program(self) -> str:
        """Return its program."""
        return sys.executable

    @property
    def package_folders(self) -> tuple[str, ...]:
        """Return the directories that its packages are installed in."""
        return tuple(sorted({sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}))

    @property
    def search_path(self) -> tuple[str, ...]:
        """Return pytest's whole path."""
        return tuple(str(self.start / entry) for entry in sys.path)

    @property
    def install(self) -> str:
        """Return the command that installs what agent `claude` needs."""
        return "pip install 'pytest-ptc[claude]'"

    def file_of(self, module: str) -> str | None:
        """Return the file of a module, or None where it is not installed."""
        spec = find_spec(module)
        return None if spec is None else spec.origin

    def version_of(self, distribution: str) -> str | None:
        """Return the version of a distribution, or None where it is not installed."""
        with contextlib.suppress(PackageNotFoundError):
            return version(distribution)
        return None

    def check_maker(self, place: str) -> None:
        """Check that there is the function that makes an agent.

        Raises:
            ConfigError: There is no such module or function.
        """
        load_maker(place)


@dataclass(frozen=True, kw_only=True, slots=True)
class OtherPython:
    """Another Python, as its probe reported it.

    Args:
        program: Its program, absolute.
        search_path: The directories of pytest's path that are the project's.
        environ: The environment that the probe runs in.
        package_folders: The directories that its packages are installed in.
        files: The files of modules that it has.
        versions: The versions of all distributions that it has.
    """

    program: str
    search_path: tuple[str, ...]
    environ: Mapping[str, str]
    package_folders: tuple[str, ...] = ()
    files: Mapping[str, str]
    versions: Mapping[str, str]

    @property
    def install(self) -> str:
        """Return the command that installs what agent `claude` needs."""
        return _install_command(self.program, "[claude]")

    def file_of(self, module: str) -> str | None:
        """Return the file of a module, or None where it is not installed."""
        return self.files.get(module)

    def version_of(self, distribution: str) -> str | None:
        """Return the version of a distribution, or None where it is not installed."""
        return self.versions.get(distribution)

    def check_maker(self, place: str) -> None:
        """Check that there is the function that makes an agent.

        Raises:
            ConfigError: It cannot be imported there; the message has the cause.
        """
        answer = _probe(self.program, self.environ, place, self.search_path)
        if "problem" in answer:
            raise ConfigError(
                f"ptc_agent: {place!r} cannot be used by {self.program} ({OPTION}): "
                f"{answer['problem']}"
            )


def worker_python(
    named: str,
    rootpath: Path,
    start: Path,
    environ: Mapping[str, str],
    search_path: tuple[str, ...] | None = None,
) -> WorkerPython:
    """Return the Python that runs workers.

    Args:
        named: The option's value; empty for the Python that runs pytest.
        rootpath: Pytest's root directory, the base of a relative path.
        start: The directory that pytest was started in.
        environ: The environment of pytest's process.
        search_path: Where another Python looks for modules of the project; None for the directories
            of this process's path that are the project's.

    Raises:
        ConfigError: It cannot run workers; the message says why, and the command that fixes it.
    """
    if not named:
        return PresentPython(start=start)
    try:
        (program,) = anchored_command([named], rootpath, OPTION)
    except ConfigError as error:
        raise ConfigError(f"{error}, or make it: {_venv_commands(named)}") from None
    inherited = anchored(worker_environment(environ), str(start))
    answer = _probe(program, inherited)
    ours, theirs = version("pytest-ptc"), answer.get("versions", {}).get("pytest-ptc")
    problem = None
    if theirs is None:
        problem = answer.get("problem", "it has no pytest-ptc")
    elif theirs != ours:
        problem = f"it has pytest-ptc {theirs}, and pytest has {ours}"
    elif "problem" in answer:
        problem = f"it cannot run a worker: {answer['problem']}"
    if problem is not None:
        raise ConfigError(f"{OPTION}: {program}: {problem}; run {_install_command(program)}")
    return OtherPython(
        program=program,
        search_path=_project_paths(start) if search_path is None else search_path,
        environ=inherited,
        package_folders=tuple(answer["folders"]),
        files=answer["files"],
        versions=answer["versions"],
    )


def _probe(
    program: str, environ: Mapping[str, str], place: str = "", search_path: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Return what the probe printed in another Python."""
    words = [program, "-c", _PROBE, version("pytest-ptc"), place, json.dumps(search_path)]
    try:
        probe = subprocess.run(
            words,
            cwd=os.sep,
            env=dict(environ),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=ANSWER_TIMEOUT_S,
            check=False,
        )
        answer: dict[str, Any] = json.loads(probe.stdout)
    except (OSError, subprocess.SubprocessError) as error:
        raise ConfigError(f"{OPTION}: {program}: {error}; name a Python 3.10 or newer") from error
    except ValueError:
        lines = probe.stderr.split("\n") + probe.stdout.split("\n")
        last = next((line for line in reversed(lines) if line.strip()), "no output")
        raise ConfigError(
            f"{OPTION}: {program}: it does not answer like Python: {last:.200}; name a Python "
            "3.10 or newer"
        ) from None
    return answer


def _install_command(program: str, extra: str = "") -> str:
    wanted = f"pytest-ptc{extra}=={version('pytest-ptc')}"
    return f"`{shlex.quote(program)} -m pip install {shlex.quote(wanted)}`"


def _venv_commands(named: str) -> str:
    """Return the commands that make a virtual environment with this Python."""
    folder = re.sub(r"/bin/python[\d.]*$", "", named)
    folder = ".venv-workers" if folder == named else folder
    return (
        f"`python3 -m venv {shlex.quote(folder)}`, then {_install_command(f'{folder}/bin/python')}"
    )


def _project_paths(start: Path) -> tuple[str, ...]:
    """Return the entries of `sys.path` that are not in Python's own directories."""
    paths = sysconfig.get_paths()
    own = {paths[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")}
    own |= {*site.getsitepackages(), site.getusersitepackages()}
    own |= {os.path.join(paths["platstdlib"], "lib-dynload")}  # noqa: PTH118 - as texts
    real = {os.path.realpath(place) for place in own}
    entries = (str(start / entry) for entry in sys.path if not entry.endswith(".zip"))
    return tuple(entry for entry in entries if os.path.realpath(entry) not in real)
