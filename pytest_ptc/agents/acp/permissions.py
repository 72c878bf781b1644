"""The answers to a client that asks whether it may use a tool, by the task's rules.

Pure, but for where links lead.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_ptc.model.task import TaskSpec

#: The tool that records verdicts, and the server that offers it.
RECORDING_TOOL, SERVER = "record_verdict", "ptc"

#: The kinds of tools that each word of `tools` stands for, besides the kinds' own names.
_KINDS: Mapping[str, tuple[str, ...]] = {
    "Read": ("read",),
    "Grep": ("search",),
    "Glob": ("search",),
    "Edit": ("edit", "delete", "move"),
    "Write": ("edit", "delete", "move"),
    "Bash": ("execute",),
    "WebFetch": ("fetch",),
    "WebSearch": ("fetch",),
}
_OWN_NAMES = frozenset({"read", "search", "edit", "delete", "move", "execute", "fetch", "think"})
#: Kinds that change nothing and reach nothing outside.
READ_ONLY = frozenset({"read", "search", "think"})
_PATH_NAMES = frozenset(
    {"path", "file_path", "filePath", "absolute_path", "dir_path", "directory", "filepath"}
)
#: Kinds that our tool is never called under: a command that names it is a command.
_NOT_OURS = frozenset({"edit", "delete", "move", "fetch"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Rules:
    """What a task may do.

    Args:
        cwd: The task's directory: files outside of it are out of reach, but for commands.
        kinds: The kinds of tools that are allowed.
        commands: The very commands that are allowed besides.
        everything: Whether all is allowed.
    """

    cwd: str
    kinds: frozenset[str] = READ_ONLY
    commands: frozenset[str] = frozenset()
    everything: bool = False

    @property
    def runs(self) -> bool:
        """Tell whether some command is allowed."""
        return self.everything or bool(self.commands) or "execute" in self.kinds

    @property
    def harmless(self) -> bool:
        """Tell whether nothing but reading is allowed."""
        return not self.everything and not self.commands and self.kinds <= READ_ONLY


def rules_of(spec: TaskSpec) -> Rules:
    """Return the rules of a task; a word of `tools` that we do not know allows nothing."""
    kinds: set[str] = set()
    commands: set[str] = set()
    for word in spec.tools or ():
        tool, opened, rest = word.partition("(")
        if opened:
            if tool == "Bash" and rest.endswith(")") and "*" not in rest:
                commands.add(rest[:-1])
        elif tool in _OWN_NAMES:
            kinds.add(tool)
        else:
            kinds.update(_KINDS.get(tool, ()))
    if spec.permission_mode == "acceptEdits":
        kinds.update(_KINDS["Edit"])
    allowed = READ_ONLY if spec.tools is None else {"think"}
    if spec.permission_mode == "plan":
        # Whatever `tools` names: who plans changes nothing.
        kinds &= READ_ONLY
        commands.clear()
    return Rules(
        cwd=spec.cwd,
        kinds=frozenset(kinds | allowed),
        commands=frozenset(commands),
        everything=spec.permission_mode == "bypassPermissions",
    )


def allows(
    rules: Rules, call: Mapping[str, Any], real: Callable[[str], str] = os.path.realpath
) -> bool:
    """Tell whether a tool call, as a client describes it, is allowed.

    Args:
        rules: The task's rules.
        call: The call.
        real: Returns where a path leads: a link in the text under review leads out of it.
    """
    kind = call.get("kind")
    if rules.everything or is_recording(call):
        return True
    if isinstance(kind, str) and kind in rules.kinds:
        return kind == "execute" or all(
            _is_inside(real(os.path.join(rules.cwd, path)), real(rules.cwd))  # noqa: PTH118
            for path in _paths(call)
        )
    return kind == "execute" and _command(call) in rules.commands


def is_recording(call: Mapping[str, Any]) -> bool:
    """Tell whether a tool call is one of our tool.

    The title is all that every client gives. One that runs commands under its name has the command
    as input, which our tool does not take.
    """
    given = call.get("rawInput")
    given = given if isinstance(given, dict) else {}
    if given.get("tool") == RECORDING_TOOL and given.get("server") == SERVER:
        return True
    if RECORDING_TOOL in str(call.get("toolCallId")):
        return True
    title, kind = call.get("title"), call.get("kind")
    if (
        (isinstance(kind, str) and kind in _NOT_OURS)
        or not isinstance(title, str)
        or "command" in given
    ):
        return False
    if kind == "execute":
        return title == f"mcp.{SERVER}.{RECORDING_TOOL}"
    return title.split(" ")[0].strip(":").endswith(RECORDING_TOOL)


def answer(options: Sequence[Mapping[str, Any]], *, allowed: bool) -> dict[str, Any]:
    """Return the outcome of a request for permission: for this once, where that can be chosen."""
    kinds = ("allow_once", "allow_always") if allowed else ("reject_once", "reject_always")
    for kind in kinds:
        for option in options:
            if option.get("kind") == kind:
                return {"outcome": {"outcome": "selected", "optionId": option.get("optionId")}}
    return {"outcome": {"outcome": "cancelled"}}


def _paths(call: Mapping[str, Any]) -> list[str]:
    """Return the paths that a call is about, as far as the client says."""
    places, given = call.get("locations"), call.get("rawInput")
    holders = [*(places if isinstance(places, list) else ()), given]
    return [
        value
        for holder in holders
        if isinstance(holder, dict)
        for name, value in holder.items()
        if name in _PATH_NAMES and isinstance(value, str)
    ]


def _is_inside(path: str, cwd: str) -> bool:
    return path == cwd or path.startswith(f"{cwd.rstrip('/')}/")


def _command(call: Mapping[str, Any]) -> str | None:
    """Return the command that a call would run; None if the client does not say."""
    given = call.get("rawInput")
    command = given.get("command") if isinstance(given, dict) else None
    if isinstance(command, list) and all(isinstance(word, str) for word in command):
        # How a shell is called: `bash -lc COMMAND`.
        _, *option, words = command if len(command) > 1 else ["", "", ""]
        return str(words) if option in (["-c"], ["-lc"]) else None
    return command if isinstance(command, str) else None
