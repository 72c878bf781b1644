"""What an agent could see on disk, as hashes. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Content:
    """What a task's agent could see, as hashes of its parts.

    Args:
        tree: Of the repository that its directory is in, or the commit of its worktree.
        named: Of ignored files, files elsewhere, branches and tags that its words name.
        agent: Of the files that the agent is made of.
        stat: Of inodes, sizes and times of all of it: another one after every write.
        problem: Why it cannot be told; then nothing else counts, and its task is run again.
    """

    tree: str = ""
    named: str = ""
    agent: str = ""
    stat: str = ""
    problem: str | None = None

    def to_json(self) -> dict[str, Any]:
        """Return it as JSON, one key a field."""
        return {name: getattr(self, name) for name in self.__slots__}
