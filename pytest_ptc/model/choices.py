"""What can be chosen by name: in options, in the marker, in front matter."""

from __future__ import annotations

from typing import Literal

#: Where workers live.
HostName = Literal["auto", "tmux", "process", "dask"]
#: How the nodes of a cluster come by the project: it is sent to them, or they have its path.
DaskCode = Literal["ship", "shared"]
#: Where workers live on a node.
DaskNodeHost = Literal["auto", "tmux", "process"]
#: Whether a run annotates files and writes a summary on GitHub.
GithubUse = Literal["auto", "yes", "no"]
#: What fails a test beside a verdict of fail: nothing, or a finding of this severity or worse; with
#: `new:`, one that the baseline does not have.
FailOn = Literal[
    "verdict",
    "critical",
    "high",
    "medium",
    "low",
    "info",
    "new:critical",
    "new:high",
    "new:medium",
    "new:low",
    "new:info",
]
#: What a verdict of skip makes of its test.
SkipMeans = Literal["skip", "error"]
#: How much a run prints: all that is known of what did not pass, or a bounded part of it.
OutputForm = Literal["brief", "full"]
#: What becomes of a finding that does not stand where it says: its verdict is refused, or noted.
PlaceCheck = Literal["check", "note"]
#: Whether a finding without a place, beside a pass or a skip, fails a test by `fail_on`.
Unplaced = Literal["block", "advisory"]
#: Where findings block: anywhere, in a changed file, at the lines that git shows of a change, or at
#: lines that the change adds.
GateOn = Literal["all", "file", "context", "added"]
#: Whether an agent runs in a sandbox: if there can be one, in bubblewrap, or not.
SandboxUse = Literal["off", "auto", "bwrap"]
#: Whether an agent in a sandbox has the network.
SandboxNetwork = Literal["on", "off"]
#: What an attempt has of its own.
Isolation = Literal["worktree"]
#: Claude Code's permission modes.
PermissionMode = Literal["default", "acceptEdits", "plan", "dontAsk", "bypassPermissions"]
#: Claude Code's settings files.
SettingSource = Literal["user", "project", "local"]

#: What `fail_on` begins with where it is about what is new.
_NEW = "new:"


def asks_for_new(fail_on: str) -> bool:
    """Tell whether only a finding fails a test that the baseline does not have."""
    return fail_on.startswith(_NEW)


def severity_of(fail_on: str) -> str:
    """Return the severity of a `fail_on` that has one."""
    return fail_on.removeprefix(_NEW)
