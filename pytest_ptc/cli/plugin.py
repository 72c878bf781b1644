"""`ptc plugin`: the Claude Code plugin that the package brings, and how to install it."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_ptc
from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping, Sequence

#: Both a plugin and a marketplace that offers it.
PLUGIN_FOLDER = Path(pytest_ptc.__file__).parent / "claude_plugin"
#: As its manifests name it: plugin@marketplace.
PLUGIN_NAME = "ptc@pytest-ptc"
_SCOPES = ("user", "project", "local")


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc plugin`."""
    parser.add_argument(
        "action",
        choices=("path", "install"),
        help="path: print the plugin's folder, for claude --plugin-dir; "
        "install: add it to Claude Code's own plugins",
    )
    parser.add_argument(
        "--scope",
        choices=_SCOPES,
        default="user",
        help="the settings that `install` adds it to, as Claude Code names them (default: user)",
    )


def run(arguments: argparse.Namespace) -> int:
    """Print the folder, or have Claude Code install the plugin.

    Raises:
        ConfigError: There is no Claude Code, or it has refused.
    """
    if arguments.action == "path":
        print(PLUGIN_FOLDER)
        return 0
    claude = _claude(os.environ)
    _call([*claude, "plugin", "marketplace", "add", str(PLUGIN_FOLDER)])
    _call([*claude, "plugin", "install", PLUGIN_NAME, "--scope", arguments.scope])
    return 0


def _claude(environ: Mapping[str, str]) -> list[str]:
    """Return the command that starts the user's own Claude Code.

    The one inside the SDK is not used: its plugins are those of no session of the user's.
    """
    given = environ.get("CLAUDE_CODE")
    try:
        words = shlex.split(given) if given else ["claude"]
    except ValueError as error:
        raise ConfigError(f"CLAUDE_CODE: {error}") from None
    if not words or shutil.which(words[0]) is None:
        name = words[0] if words else given
        raise ConfigError(
            f"there is no program {name!r}; install Claude Code, set CLAUDE_CODE to its command, "
            f"or start a session with: claude --plugin-dir {shlex.quote(str(PLUGIN_FOLDER))}"
        )
    return words


def _call(command: Sequence[str]) -> None:
    status = subprocess.run(command, check=False).returncode
    if status:
        raise ConfigError(f"{shlex.join(command)} ended with exit status {status}")
