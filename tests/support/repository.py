"""A git repository for tests, whatever the machine's own configuration says."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


#: Submodules come from other repositories of the test, and hooks are for who reviews.
_PLAIN = ("-c", "protocol.file.allow=always", "-c", "core.hooksPath=/dev/null")


class Repository:
    """A repository with a commit on branch `main`.

    Args:
        top: Its working tree, which is made.
    """

    def __init__(self, top: Path) -> None:
        self.top = top
        top.mkdir(parents=True)
        self.git("init", "--quiet", "--initial-branch=main")
        (top / "base.txt").write_text("base\n")
        self.base = self.commit("base")

    def git(self, *words: str) -> str:
        """Run git and return what it says."""
        who = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
        line = ["git", "-C", str(self.top), *who, *_PLAIN, *words]
        clean = {name: value for name, value in os.environ.items() if name[:4] != "GIT_"}
        done = subprocess.run(line, check=True, capture_output=True, env=clean)
        return done.stdout.decode("utf-8", "surrogateescape").strip()

    def commit(self, message: str, **files: bytes | str) -> str:
        """Write files, commit all there is, and return the commit."""
        for name, content in files.items():
            self.write(name, content)
        self.git("add", "--all", "--force")
        self.git("commit", "--quiet", "--allow-empty", "-m", message)
        return self.git("rev-parse", "HEAD")

    def write(self, name: str, content: bytes | str) -> Path:
        """Write a file, its directories too."""
        path = self.top / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path
