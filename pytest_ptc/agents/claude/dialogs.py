"""The dialogs that interactive Claude Code may show before it takes a prompt.

A dialog waits for a person, and in a pipeline there is none. Each is answered beforehand where that
is safe, else reported before the client starts, else recognized by its words on the screen. The
files and words are those of Claude Code 2.1.197 to 2.1.330. Pure.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.model.trouble import Cause, Trouble

if TYPE_CHECKING:
    from collections.abc import Mapping

#: The client stores so much of an approved API key's end.
_KEY_END_CHARS = 20


class Dialog(NamedTuple):
    """A dialog: its name, words that only it shows, and how a user prevents it."""

    name: str
    words: re.Pattern[str]
    fix: str


DIALOGS = (
    Dialog(
        "onboarding",
        re.compile(r"Let's get started|Choose the text style|Unable to connect to Anthropic"),
        "run `claude` once in a terminal and finish its set-up",
    ),
    Dialog(
        "folder trust",
        re.compile(r"Yes, I trust this folder|Do you trust the files"),
        "run `claude` once in that directory and trust it, or leave out ptc_setting_sources",
    ),
    Dialog(
        "API key approval",
        re.compile(r"Do you want to use this API key"),
        "run `claude` once in a terminal and approve the key, or unset ANTHROPIC_API_KEY",
    ),
    Dialog(
        "bypass warning",
        re.compile(r"running in Bypass Permissions mode"),
        "run `claude --permission-mode bypassPermissions` once and accept",
    ),
    Dialog(
        "external includes",
        re.compile(r"[Ee]xternal (CLAUDE\.md )?(file )?imports|external includes"),
        "run `claude` once in that directory and answer, or leave out ptc_setting_sources",
    ),
    Dialog(
        "server approval",
        re.compile(r"new MCP servers? found|\.mcp\.json", re.IGNORECASE),
        "run `claude` once in that directory and answer, or leave out ptc_setting_sources",
    ),
    Dialog(
        "login",
        re.compile(r"Select login method|Paste code here"),
        "run `claude` once in a terminal and log in, or set ANTHROPIC_API_KEY",
    ),
)
#: What helps with all of them.
_HINT = (
    "`claude`, run once in a terminal in the task's directory, shows all of its dialogs, and "
    "without --ptc-interactive there are none"
)
_ONBOARDING, _KEY = DIALOGS[0], DIALOGS[2]


def on_screen(screen: str) -> Dialog | None:
    """Return the dialog that a screen shows, if it is one that we know."""
    return next((dialog for dialog in DIALOGS if dialog.words.search(screen)), None)


def dialog_open(dialog: Dialog, screen: str = "") -> Trouble:
    """Return the trouble of a session that waits at a dialog."""
    message = f"Claude Code waits at a dialog ({dialog.name}); {dialog.fix}; {_HINT}"
    return Trouble(cause=Cause.DIALOG, message=message, evidence=screen)


def expected(state: Mapping[str, Any], environ: Mapping[str, str]) -> Trouble | None:
    """Return the dialog that the client would show, by its own state file.

    Args:
        state: The client's `.claude.json`.
        environ: The client's environment.
    """
    if not state.get("hasCompletedOnboarding"):
        return dialog_open(_ONBOARDING)
    key = environ.get("ANTHROPIC_API_KEY")
    responses = state.get("customApiKeyResponses") or {}
    if key and key[-_KEY_END_CHARS:] not in (responses.get("approved") or ()):
        return dialog_open(_KEY)
    return None


def first_state(environ: Mapping[str, str]) -> str:
    """Return the `.claude.json` of a client that was never run: set up, and the key approved.

    Safe where there is none: no file of the user's changes, and the user gave the key to this run.
    """
    key = environ.get("ANTHROPIC_API_KEY")
    approved = [key[-_KEY_END_CHARS:]] if key else []
    state = {
        "hasCompletedOnboarding": True,
        "customApiKeyResponses": {"approved": approved, "rejected": []},
    }
    return json.dumps(state, indent=2)
