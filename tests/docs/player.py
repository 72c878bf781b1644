"""Plays a page: its files are written, its commands run, and what they print is compared."""

from __future__ import annotations

import configparser
import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import yaml

from pytest_ptc.model.errors import PtcError
from pytest_ptc.verdicts.verdict_json import parse_verdict
from tests.docs.blocks import Block, PageError
from tests.docs.commands import check_commands, commands_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from tests.docs.blocks import Page

ROOT = Path(__file__).parents[2]
#: Where the pages' output says that the reader's folder is.
HOME = "/home/me"
#: Seconds that the commands of one block may take.
PATIENCE_S = 120
#: What a comment may say of a block, by its kind.
_CHECKS = {"sh": re.compile(r"syntax|status=\d+"), "text": re.compile("picture")}
_NONE = re.compile(r"(?!)")
_STATUS = re.compile(r"status=(\d+)")
#: Plugins that no page is about, and that cost two seconds of import a run.
_WITHOUT = "-p no:hypothesispytest -p no:libtmux -p no:anyio -p no:xdist -p no:django"

_VARYING = (
    (re.compile(r"\d{8}-\d{6}-[0-9a-f]+"), "RUN"),
    (re.compile(r"\b(run|ptc results) [0-9a-f]{7}\b"), r"\1 RUN"),
    (re.compile(r"^[0-9a-f]{7}(?=  )", re.MULTILINE), "RUN"),
    (re.compile(r"\b\d+ (s|min) ago\b"), "AGE ago"),
    (re.compile(r"\d+\.\d+ ?s\b"), "TIME"),
    (re.compile(r"\b\d+\.\d+x"), "RATIO"),
    (re.compile(r"^platform .*", re.MULTILINE), "PLATFORM"),
    (re.compile(r"^plugins: .*", re.MULTILINE), "PLUGINS"),
    (re.compile(r"={3,}|_{3,}"), "==="),
    (re.compile(r"\bw\d+\b"), "WORKER"),
    (re.compile(r" +(\[ *\d+%\])?$", re.MULTILINE), ""),
)
_DOTS = re.compile(r"^((?:\S+\.(?:py|md) )?)([.FEsxX]+)$", re.MULTILINE)
#: A line of a page's output that stands for any lines.
_ANY = "[...]"


class Player:
    """Plays the blocks of one page in a folder of their own.

    Args:
        home: An empty folder.
        name: The name of the page's folder in it.
    """

    def __init__(self, home: Path, name: str) -> None:
        self._home = home
        self.folder = home / name
        self.folder.mkdir()
        self._output: str | None = None
        self._copied: dict[str, str] = {}

    def play(self, page: Page) -> None:
        """Check every block of a page.

        Raises:
            PageError: A block is of a kind that is not checked, or is not as it should be.
        """
        for name in page.files:
            self._copy(ROOT / "docs" / name)
        for block in page.blocks:
            check = _KINDS.get(block.kind)
            try:
                if check is None:
                    raise PageError(f"blocks of kind {block.kind!r} are not checked")  # noqa: TRY301 - one place names the line
                if block.check and not _CHECKS.get(block.kind, _NONE).fullmatch(block.check):
                    raise PageError(f"{block.kind} blocks have no check {block.check!r}")  # noqa: TRY301 - as above
                if block.check == "syntax":
                    check_commands(block.text)
                else:
                    self._write(block)
                    check(self, block)
            except (PageError, PtcError, ValueError, SyntaxError) as error:
                raise PageError(f"line {block.line}: {error}") from error

    def _copy(self, source: Path) -> None:
        if not source.is_dir():
            raise PageError(f"{source} is no folder")
        ignored = shutil.ignore_patterns("__pycache__", ".pytest_cache")
        shutil.copytree(source, self.folder, dirs_exist_ok=True, ignore=ignored)
        for path in self.folder.rglob("*"):
            if path.is_file():
                self._copied[path.relative_to(self.folder).as_posix()] = path.read_text()

    def _write(self, block: Block) -> None:
        if not block.title:
            return
        if self._copied.get(block.title, block.text) != block.text:
            raise PageError(f"{block.title} is not the file in docs/examples")
        path = self.folder / block.title
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(block.text)

    def commands(self, block: Block) -> None:
        """Run a block of commands, and keep what they print."""
        if block.title:
            check_commands(block.text)
            return
        done = self._run(["bash", "-euo", "pipefail", "-c", block.text], self.folder)
        status = _STATUS.fullmatch(block.check)
        if done.returncode != (int(status[1]) if status else 0):
            raise PageError(f"status {done.returncode}:\n{done.stdout}")
        self._output = done.stdout

    def output(self, block: Block) -> None:
        """Compare what a page shows with what its last commands have printed."""
        if block.check == "picture":
            return
        if self._output is None:
            raise PageError("no command is before this output")
        printed = _comparable(self._output.replace(str(self._home), HOME))
        rest = printed
        chunks = _comparable(block.text).split(f"{_ANY}\n")
        for number, chunk in enumerate(chunks):
            at = rest.find(chunk)
            if at < 0 or (number == 0 and at > 0):
                raise PageError(f"not printed:\n{chunk}\nbut\n{printed}")
            rest = rest[at + len(chunk) :]
        if rest.strip() and chunks[-1]:
            raise PageError(f"printed too:\n{rest}")
        self._output = None

    def python(self, block: Block) -> None:
        """Run Python, or have pytest collect the tests that it has."""
        compile(block.text, block.title or "block", "exec")
        if block.title:
            return
        place = self._aside(f"test_line_{block.line}.py", block.text)
        run = ["-m", "pytest", "--collect-only", "-v"] if "def test_" in block.text else []
        self._succeeds([sys.executable, *run, place.name], place.parent)

    def configuration(self, block: Block) -> None:
        """Have pytest load a configuration."""
        name = {"ini": "pytest.ini", "toml": "pyproject.toml"}[block.kind]
        if block.kind == "ini":
            configparser.ConfigParser(interpolation=None).read_string(block.text)
        if block.title not in ("", name):
            raise PageError(f"{block.title} is no configuration of pytest's")
        place = self._aside(name, block.text)
        (place.parent / "test_nothing.py").write_text("def test_nothing(): pass\n")
        argv = [sys.executable, "-m", "pytest", "--strict-config", "--ptc-workers=1"]
        self._succeeds(argv, place.parent, PYTHONPATH=str(self.folder))

    def json(self, block: Block) -> None:
        """Parse JSON; a verdict must be a valid one."""
        value = json.loads(block.text)
        if isinstance(value, dict) and "verdict" in value:
            parse_verdict(block.text)

    def yaml(self, block: Block) -> None:
        """Parse YAML, and check the commands in a pipeline."""
        for text in commands_of(yaml.safe_load(block.text)):
            check_commands(text)

    def markdown(self, block: Block) -> None:
        """Have pytest collect a suite in Markdown."""
        if not block.title.endswith(".ptc.md"):
            raise PageError("Markdown has to be a suite: title it NAME.ptc.md")
        self._succeeds([sys.executable, "-m", "pytest", "--collect-only", block.title], self.folder)

    def _aside(self, name: str, text: str) -> Path:
        place = self._home / f"aside-{len(list(self._home.iterdir()))}" / name
        place.parent.mkdir()
        place.write_text(text)
        return place

    def _succeeds(self, argv: list[str], cwd: Path, **variables: str) -> None:
        done = self._run(argv, cwd, **variables)
        if done.returncode:
            raise PageError(f"{' '.join(argv)}: status {done.returncode}:\n{done.stdout}")

    def _run(
        self, argv: list[str], cwd: Path, **variables: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            argv,
            cwd=cwd,
            env={**self._environment(), **variables},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=PATIENCE_S,
        )

    def _environment(self) -> dict[str, str]:
        strange = ("PTC_", "CLAUDE", "PYTEST_", "GITHUB_", "XDG_", "GIT_")
        kept = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(strange) and name not in ("CI", "TMUX")
        }
        home = self._home / ".home"
        home.mkdir(exist_ok=True)
        return {
            **kept,
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "COLUMNS": "80",
            "PYTEST_ADDOPTS": _WITHOUT,
            "PYTHONDONTWRITEBYTECODE": "1",
        }


def _comparable(text: str) -> str:
    """Return an output without what differs from run to run."""
    for pattern, replacement in _VARYING:
        text = pattern.sub(replacement, text)
    text = _DOTS.sub(lambda match: match[1] + "".join(sorted(match[2])), text)
    return text.strip("\n") + "\n"


_KINDS: Mapping[str, Callable[[Player, Block], None]] = {
    "sh": Player.commands,
    "text": Player.output,
    "python": Player.python,
    "ini": Player.configuration,
    "toml": Player.configuration,
    "json": Player.json,
    "yaml": Player.yaml,
    "markdown": Player.markdown,
}
