"""tmux commands and answers: options, quoting, formats. Pure: it does not call tmux."""

from __future__ import annotations

import re
import signal
from typing import TYPE_CHECKING

from pytest_ptc.system.processes import describe_exit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The oldest tmux with all features that we use.
OLDEST_VERSION = (3, 2)

#: The only session of a run's server.
SESSION = "ptc"

#: Formats, which also give the order of the fields in tmux's answers.
SERVER_FIELDS = "#{pid} #{socket_path}"
PANE_FIELDS = "#{pane_id} #{pane_pid}"
STATE_FIELDS = "#{pane_dead} #{pane_dead_status} #{pane_dead_signal}"

#: A shell script that executes the program in its arguments.
_WITHOUT_SIGNAL_KEYS = (
    'trap \'\' INT QUIT TSTP; stty -isig -echo 2>/dev/null; trap - INT QUIT TSTP; exec "$0" "$@"'
)

#: Variables that the readline library sets in the process's environment, but not in `os.environ`:
#: the size of a terminal that is not the workers'.
_READLINE_VARIABLES = ("LINES", "COLUMNS")

_OPTIONS = (
    # The server must survive the last window, for the next worker.
    ("-s", "exit-empty", "off"),
    ("-g", "remain-on-exit", "on"),
    # Else tmux adds its own line below the worker's last. `-q`: tmux 3.2 lacks the option.
    ("-gq", "remain-on-exit-format", ""),
    # Windows take the size of the latest client; wrapped lines are joined when they are read.
    # ("manual" would crash tmux 3.3a at the next new window.)
    ("-g", "default-size", "160x50"),
    ("-g", "window-size", "latest"),
    # A client that attaches must not change the workers' environment.
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

#: tmux's own keys for switching windows, bound to the one such command that read-only clients may
#: use.
_WINDOW_KEYS = (("n", ":+"), ("p", ":-"), *((str(number), f":{number}") for number in range(1, 10)))


def too_old(version: str) -> bool:
    """Tell whether this answer to `tmux -V` names a version older than `OLDEST_VERSION`.

    A version without a number ("tmux master") is a newer one.
    """
    number = re.search(r"(\d{1,9})\.(\d{1,9})", version)
    return number is not None and (int(number[1]), int(number[2])) < OLDEST_VERSION


def argument(text: str) -> str:
    r"""Return the text as an argument that does not end a tmux command.

    tmux splits its command line after every argument that ends with `;`, unless it ends with `\;`.
    """
    return f"{text[:-1]}\\;" if text.endswith(";") else text


def literal(text: str) -> str:
    """Return the text as a tmux format that expands to it.

    tmux does not unescape `#` before `[`, where a style begins.
    """
    return re.sub(r"(?<!#)#+(?![#\[])", lambda run: run[0] * 2, text)


def exec_line(argv: tuple[str, ...]) -> tuple[str, ...]:
    """Return the arguments with which tmux execs this program, in a terminal without signal keys.

    Keys such as Ctrl-C send no signals. Until that is set, SIGINT, SIGQUIT and SIGTSTP are ignored;
    the program itself starts with default signal handling. It runs through `/bin/sh -c`, because
    tmux would pass a single argument to a shell as a command line.
    """
    return ("/bin/sh", "-c", _WITHOUT_SIGNAL_KEYS, *argv)


def command_line(commands: Sequence[Sequence[str]]) -> list[str]:
    """Return the arguments of one tmux call that runs all these commands."""
    return [word for command in commands for word in (";", *map(argument, command))][1:]


def preparations(title: str, owner: int, changes: Sequence[Sequence[str]]) -> list[Sequence[str]]:
    """Return the commands that start and configure a server, and print its `SERVER_FIELDS`.

    Args:
        title: The text of its status line.
        owner: The pid of pytest; the server ends when that has ended and a pane dies.
        changes: Commands that set its environment.
    """
    return [
        ["start-server"],
        *changes,
        *(["set-option", *option] for option in _OPTIONS),
        ["set-option", "-g", "status-left", literal(title)],
        *(["bind-key", key, "switch-client", "-t", window] for key, window in _WINDOW_KEYS),
        ["set-hook", "-g", "pane-died", _orphan_hook(owner)],
        ["display-message", "-p", SERVER_FIELDS],
    ]


def environment_changes(wanted: Mapping[str, str], actual: Mapping[str, str]) -> list[list[str]]:
    """Return the commands that give a server started from `actual` the wanted environment."""
    changed = [name for name, value in wanted.items() if actual.get(name) != value]
    unwanted = [name for name in (*actual, *_READLINE_VARIABLES) if name not in wanted]
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
    """Return an error message of tmux, with the fix if one is known."""
    fixes = {
        "File name too long": "set TMUX_TMPDIR to a directory with a shorter path",
        "command too long": "tmux takes about 16 kB; put long arguments into a file",
    }
    return "; ".join([problem, *(fix for sign, fix in fixes.items() if sign in problem)])


def _orphan_hook(owner: int) -> str:
    # If pytest is killed, nobody closes the host. Its workers end by themselves; when the first one
    # does, this hook finds that pytest has ended, and ends the server.
    # The check for state Z: a zombie still accepts signal 0.
    lives = f"kill -0 {owner} 2>/dev/null && ! grep -qs '^State:.Z' /proc/{owner}/status"
    script = f"{{ {lives}; }} || {{ rm -f #{{q:socket_path}}; kill #{{pid}}; }}"
    return f'run-shell -b "{script}"'
