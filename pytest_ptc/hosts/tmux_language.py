"""What tmux is told and what its answers mean: its options, its quoting, its formats.

Pure: nothing here talks to tmux.
"""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from pytest_ptc.system.processes import describe_exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The oldest tmux that has all we use.
OLDEST = (3, 2)

#: The only session of a run's server.
SESSION = "ptc"

#: Formats, and at the same time the order of the fields in tmux's answers.
SERVER_FIELDS = "#{pid} #{socket_path}"
PANE_FIELDS = "#{pane_id} #{pane_pid}"
STATE_FIELDS = "#{pane_dead} #{pane_dead_status} #{pane_dead_signal}"

#: Becomes the program that is its arguments.
_WITHOUT_SIGNAL_KEYS = (
    'trap \'\' INT QUIT TSTP; stty -isig -echo 2>/dev/null; trap - INT QUIT TSTP; exec "$0" "$@"'
)

#: What the readline library sets in the environment of any Python that imports it, unseen by
#: `os.environ`: the size of a terminal that is not the workers'.
_BEHIND_OUR_BACK = ("LINES", "COLUMNS")

_OPTIONS = (
    # The place of the last worker may be freed: the server stays for the next one.
    ("-s", "exit-empty", "off"),
    ("-g", "remain-on-exit", "on"),
    # Else tmux writes a line of its own below the worker's last. Quietly, as tmux 3.2 lacks it.
    ("-gq", "remain-on-exit-format", ""),
    # Windows take the size of whoever watches, so that all can be seen; lines that wrap are joined
    # when they are read. ("manual" would crash tmux 3.3a at the next new window.)
    ("-g", "default-size", "160x50"),
    ("-g", "window-size", "latest"),
    # The environment of whoever watches is not the workers'.
    ("-g", "update-environment", ""),
    ("-g", "destroy-unattached", "off"),
    # The windows keep the workers' names, and w1 is window 1.
    ("-g", "automatic-rename", "off"),
    ("-g", "allow-rename", "off"),
    ("-g", "base-index", "1"),
    # The richest terminal that every terminfo database has.
    ("-g", "default-terminal", "screen-256color"),
    ("-g", "history-limit", "5000"),
    ("-g", "status-left-length", "80"),
    ("-g", "status-right", "window: C-b n, C-b 1  detach: C-b d"),
)

#: Keys behind the prefix that show another window, as tmux has them, by the one command for it that
#: a client may give which can only read.
_WINDOW_KEYS = (("n", ":+"), ("p", ":-"), *((str(number), f":{number}") for number in range(1, 10)))


def too_old(version: str) -> bool:
    """Tell whether this answer to `tmux -V` names a version older than `OLDEST`.

    A version without a number ("tmux master") is a newer one.
    """
    number = re.search(r"(\d{1,9})\.(\d{1,9})", version)
    return number is not None and (int(number[1]), int(number[2])) < OLDEST


def argument(text: str) -> str:
    r"""Return the text as an argument that tmux does not take for the end of its command.

    tmux splits its command line after every argument that ends with `;`, unless it ends with `\;`.
    """
    return f"{text[:-1]}\\;" if text.endswith(";") else text


def literal(text: str) -> str:
    """Return the text as a tmux format that expands to it.

    A run of `#` in front of `[` tmux leaves alone, for that is how its styles begin.
    """
    return re.sub(r"(?<!#)#+(?![#\[])", lambda run: run[0] * 2, text)


def exec_line(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments with which tmux execs this program, in a terminal without signal keys.

    Keys that send SIGINT, SIGQUIT or SIGTSTP do so no more. Until that is set these are ignored;
    the program itself starts with the signals as they are for any program. A shell execs it, for
    tmux would hand a single argument to a shell as a line.
    """
    return ("/bin/sh", "-c", _WITHOUT_SIGNAL_KEYS, *argv)


def command_line(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return the arguments that make tmux carry out these commands in one go."""
    return [word for command in commands for word in (";", *map(argument, command))][1:]


def preparations(title: str, owner: int, changes: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return the commands that start a server, make it ours, and ask it for `SERVER_FIELDS`.

    Args:
        title: What its status line says.
        owner: The pid of the process without which it has no reason to live.
        changes: Commands that set its environment right.
    """
    return [
        ["start-server"],
        *changes,
        *(["set-option", *option] for option in _OPTIONS),
        ["set-option", "-g", "status-left", literal(title)],
        *(["bind-key", key, "switch-client", "-t", window] for key, window in _WINDOW_KEYS),
        ["set-hook", "-g", "pane-died", _end_orphaned_server(owner)],
        ["display-message", "-p", SERVER_FIELDS],
    ]


def environment_changes(wanted: Mapping[str, str], actual: Mapping[str, str]) -> list[list[str]]:
    """Return the commands that give a server started from `actual` the wanted environment."""
    changed = [name for name, value in wanted.items() if actual.get(name) != value]
    unwanted = [name for name in (*actual, *_BEHIND_OUR_BACK) if name not in wanted]
    return [
        *(["set-environment", "-g", "--", name, wanted[name]] for name in changed),
        *(["set-environment", "-g", "-u", "--", name] for name in unwanted),
    ]


def how_it_ended(state: str) -> str | None:
    """Return how a pane's process ended, from `STATE_FIELDS`, or None if tmux does not know yet."""
    dead, status, number_or_name = state.split(" ")
    if dead != "1":
        return None
    if status:
        return describe_exit(int(status))
    if number_or_name.isdigit():
        return describe_exit(-int(number_or_name))
    if number_or_name:  # as BSD and macOS have it
        return describe_exit(-signal.Signals[f"SIG{number_or_name.upper()}"])
    return None


def with_fix(problem: str) -> str:
    """Return what tmux said, and what to do about it where that is known."""
    fixes = {
        "File name too long": "set TMUX_TMPDIR to a directory with a shorter path",
        "command too long": "tmux takes about 16 kB; put long arguments into a file",
    }
    return "; ".join([problem, *(fix for sign, fix in fixes.items() if sign in problem)])


def _end_orphaned_server(owner: int) -> str:
    # Should pytest be killed, nobody is left to close the host. Its workers end by themselves; when
    # the first of them does, the server finds that its owner is gone, and goes as well.
    # A process that was killed and that its parent has not waited for yet still takes signals.
    lives = f"kill -0 {owner} 2>/dev/null && ! grep -qs '^State:.Z' /proc/{owner}/status"
    script = f"{{ {lives}; }} || {{ rm -f #{{q:socket_path}}; kill #{{pid}}; }}"
    return f'run-shell -b "{script}"'
