"""The program `ptc`: the table of its commands, and how one is run.

A command is a module of this package with two functions:

- `add_arguments(parser, words)` declares its arguments. `words` are those of the call, for a
  command whose arguments depend on them.
- `run(arguments)` does it, prints, and returns the exit status.

It may have `parse(parser, words)`, in place of `parser.parse_args(words)`; and `wrong_call(words)`,
which is called when argparse has refused the words.
Only the module of the command that is called is imported: an agent waits for `ptc record`.
"""

from __future__ import annotations

import argparse
import sys
from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from pytest_ptc.model.errors import PtcError
from pytest_ptc.text.printable import printable_lines

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

#: The exit status of a call that is refused, and of wrong usage.
REFUSED = 2


class Command(NamedTuple):
    """One command of `ptc`.

    Args:
        name: The word for it.
        module: Its module in this package.
        help: What it does, as one line of help: a verb first, no full stop.
    """

    name: str
    module: str
    help: str

    def load(self) -> ModuleType:
        return import_module(f"pytest_ptc.cli.{self.module}")


COMMANDS = (
    Command("run", "run", "have agents do a prompt for each item, in parallel"),
    Command("wait", "wait", "wait for the end of a run, and print its results"),
    Command(
        "results",
        "results",
        "print a run's results, a line for each item and totals, also of a run that is active or "
        "was killed",
    ),
    Command("record", "record", "record the verdict of the task this is run in"),
    Command("list", "list_runs", "list the runs of this project, oldest first, with their states"),
    Command("show", "show", "print what was asked of an item, what was done, and how to go on"),
    Command("rerun", "rerun", "run an item again, as a new run with the same arguments"),
    Command("talk", "talk", "resume the Claude Code session of an item's last attempt"),
    Command("status", "status", "print where a run stands, and what each of its workers does"),
    Command("watch", "watch", "show a run, or one of its workers, until Ctrl-C; --html: as a page"),
    Command(
        "attach",
        "attach",
        "show the panes of an active run's workers, also on the nodes of a cluster",
    ),
    Command(
        "audit",
        "audit",
        "compare a run's journal with the hashes recorded when its attempts ended",
    ),
    Command(
        "report",
        "report",
        "write a run's reports from its journal, also if it was killed or is active",
    ),
    Command("diff", "diff", "print what a run has found against an earlier one"),
    Command("known", "known", "add a finding to the known ones, list them, or check them"),
    Command(
        "stats",
        "stats",
        "compare the kept runs: verdicts that flip on the same input, agreement, cost and time",
    ),
    Command("stop", "stop", "stop an active run in order, as Ctrl-C does, or one of its tasks"),
    Command("canary", "canary", "propose planted defects, by which a judge is tested"),
    Command("plugin", "plugin", "print or install the plugin for Claude Code sessions"),
    Command("clean", "clean", "remove what killed runs left behind: processes, sockets, tasks"),
)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return its exit status; a refusal is one line on stderr, and status 2."""
    words = list(sys.argv[1:] if argv is None else argv)
    called = [command for command in COMMANDS if words[:1] == [command.name]]
    if not called:
        _overview().parse_args(words)
        raise AssertionError("argparse ends a call without a known command")
    (command,) = called
    try:
        module = command.load()
        parser = command_parser(command, words[1:])
        try:
            parse = getattr(module, "parse", argparse.ArgumentParser.parse_args)
            arguments = parse(parser, words[1:])
        except SystemExit as ended:
            if ended.code and hasattr(module, "wrong_call"):
                module.wrong_call(words[1:])
            raise
        status: int = module.run(arguments)
    except (PtcError, OSError) as error:
        print(printable_lines(f"ptc {command.name}: refused: {error}"), file=sys.stderr)
        return REFUSED
    return status


def command_parser(command: Command, words: Sequence[str] = ()) -> argparse.ArgumentParser:
    """Return what parses a command's arguments.

    Args:
        command: The command.
        words: The words of the call behind the command's name.
    """
    description = f"{command.help[0].upper()}{command.help[1:]}."
    parser = argparse.ArgumentParser(prog=f"ptc {command.name}", description=description)
    command.load().add_arguments(parser, words)
    return parser


def _overview() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="ptc", description="parallel task coordination for pytest"
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        commands.add_parser(command.name, help=command.help)
    return parser


class _Version(argparse.Action):
    """Prints the version, which is looked up only here: it takes its time."""

    def __call__(self, parser: argparse.ArgumentParser, *_: object) -> NoReturn:
        from importlib.metadata import version  # noqa: PLC0415 - as above

        parser.exit(0, f"pytest-ptc {version('pytest-ptc')}\n")
