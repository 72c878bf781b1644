"""A run as a comment below a pull request on GitHub. Pure.

It begins with a mark that nobody sees and that is the same in every run of the same job: whoever
posts the next comment finds this one by it, and replaces it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from pytest_ptc.reporting.formats.github import step_summary

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_ptc.reporting.run_report import RunReport

#: GitHub takes 65,536 characters; bytes are never fewer.
MAX_COMMENT_BYTES = 65_000
_MAX_KEY_CHARS = 100
_NOT_IN_KEY = re.compile(r"[^A-Za-z0-9_.]+")
_ADDRESS = re.compile(r"https?://[\w.:-]+")
_REPOSITORY = re.compile(r"[\w.-]+/[\w.-]+")


def comment(run: RunReport, environ: Mapping[str, str]) -> str:
    """Return the comment of a run, in at most `MAX_COMMENT_BYTES`.

    Args:
        run: The run.
        environ: The environment: `GITHUB_WORKFLOW` and `GITHUB_JOB` are the key of the mark,
            `GITHUB_SERVER_URL` and `GITHUB_REPOSITORY` the beginning of the links to lines.
    """
    mark = f"<!-- pytest-ptc:{comment_key(environ)} -->\n"
    room = MAX_COMMENT_BYTES - len(mark)
    return mark + step_summary(run, room=room, files=files_address(environ))


def comment_key(environ: Mapping[str, str]) -> str:
    """Return what tells the comments of one job from those of others."""
    names = [environ.get(name, "") for name in ("GITHUB_WORKFLOW", "GITHUB_JOB")]
    key = "-".join(filter(None, (_NOT_IN_KEY.sub("-", name).strip("-") for name in names)))
    return key[:_MAX_KEY_CHARS] or "results"


def files_address(environ: Mapping[str, str]) -> str | None:
    """Return the address below which a repository's files are, by commit; None outside Actions."""
    server = environ.get("GITHUB_SERVER_URL", "")
    repository = environ.get("GITHUB_REPOSITORY", "")
    if not (_ADDRESS.fullmatch(server) and _REPOSITORY.fullmatch(repository)):
        return None
    return f"{server}/{repository}/blob"
