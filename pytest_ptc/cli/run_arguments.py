"""The arguments of `ptc run`, and what they come to: a suite, and options for pytest."""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_ptc.collection.inline_items import Sources, inline_suite
from pytest_ptc.collection.keywords import KEYWORDS, checked_keywords
from pytest_ptc.collection.rows import rows_in
from pytest_ptc.model.errors import ConfigError, ListingError, MarkerError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_ptc.model.inline_suite import InlineSuite

#: Workers by default, where there are as many items.
_WORKERS = 5
#: Keywords of the marker that a command line has no use for: there are no tests to name, and no
#: body that could judge.
_NOT_HERE = ("needs", "gate", "agent")
_EXAMPLES = """\
examples:
  ptc run "Process {each}." a.txt b.txt c.txt d.txt e.txt
  ptc run "Test GET, POST, PUT and DELETE of {endpoint}." /users /orders /items
  ptc run "Review pull request {pr}." --each pr=123..127 \\
      --isolation worktree --ref "pr-{pr}" --base main

exit status: 0 all passed, 1 an item failed, 10 not everything was judged, 2 refused
or interrupted"""
#: Options whose name is not that of their keyword; what `--help` says of some, and of their values.
_NAMES = {"budget_usd": "task-budget"}
_HELP = {
    "timeout": "seconds that one attempt may take (default: 600)",
    "tools": "what Claude Code may do, such as Read,Grep or 'Bash(git show *)' (default: "
    "Read,Grep,Glob)",
    "permission_mode": "Claude Code's permission mode (default: dontAsk, which denies what --tools "
    "does not name)",
    "cwd": "the agents' directory (default: the current one); may hold fields",
    "env": "a variable for the agents; may be given again",
    "schema": "a JSON Schema, which `data` of each verdict must meet",
    "budget_usd": "maximum US dollars of one attempt",
    "isolation": "each attempt has a git worktree of its own",
    "ref": "with --isolation: the commit or branch of the worktree, such as {branch}",
    "base": "the commit or branch that the change under review is against: with --isolation, its "
    "difference to --ref is put behind the prompt",
    "gate_on": "which findings may fail an item, by the change from --base: all, file (in a "
    "changed file), context (within 3 lines of a change), added (on lines that it adds)",
    "places": "what becomes of a finding that does not stand where it says: check refuses the "
    "verdict, for the agent to correct; note marks the finding",
    "unplaced": "whether a finding without a place in a file fails its item by --fail-on",
    "fail_on": "a finding of this severity or worse fails its item, whatever the verdict is",
    "group": "never two items of a group are at work at the same time; may hold fields, such as "
    "{tenant}",
    "require_checked": "a pass must say what it checked",
    "require_evidence": "a pass of an agent that used no tool is an error",
    "votes": "how many conversations judge each item (default: 1)",
    "quorum": "how many of all votes must pass: majority (the default), all, or a number",
    "voters": "who casts the votes, in turns: AGENT, AGENT:MODEL or :MODEL",
    "verify": "each finding that blocks goes to a fresh conversation that tries to refute it",
    "verify_limit": "how many findings of an item are verified at most (default: 20)",
}
_METAVARS = {
    "timeout": "SECONDS",
    "retries": "N",
    "tools": "TOOL,...",
    "cwd": "DIR",
    "env": "NAME=VALUE",
    "max_turns": "N",
    "budget_usd": "USD",
    "schema": "FILE",
    "isolation": "worktree",
    "fail_on": "SEVERITY",
    "gate_on": "added|context|file|all",
    "group": "NAME",
    "places": "check|note",
    "unplaced": "block|advisory",
    "votes": "N",
    "quorum": "N",
    "voters": "VOTER,...",
    "verify_limit": "N",
}


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc run`."""
    parser.usage = "ptc run PROMPT [ITEM ...] [options] [-- options of pytest]"
    parser.epilog = _EXAMPLES
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    add = parser.add_argument
    add("prompt", metavar="PROMPT", help="what to do; {each} stands for the item")
    add("items", metavar="ITEM", nargs="*", help="the values of {each}, or of the only field")
    add("-n", "--workers", type=int, metavar="N", help="workers (default: one an item, at most 5)")
    add(
        "--each",
        action="append",
        default=[],
        metavar="NAME=VALUE,...",
        help="values of {NAME}, also a range as in pr=123..127; given again: all combinations",
    )
    add(
        "--files",
        action="append",
        default=[],
        metavar="GLOB",
        help="the files that match, as {path} or the only field; may be given again",
    )
    add("--changed", metavar="REF", help="the files that have changed since a commit or branch")
    add(
        "--exclude",
        action="append",
        default=[],
        metavar="GLOB",
        help="files to leave out of --files and --changed; may be given again",
    )
    add(
        "--from",
        dest="source",
        metavar="FILE",
        help="the rows of a file: lines, CSV with a header, JSON lines or a JSON list; - for "
        "standard input",
    )
    add(
        "--canary",
        action="append",
        default=[],
        metavar="FILE:RULE",
        help="one more item, with a planted defect: a finding in FILE must have this rule, or, as "
        "FILE:/pattern/, a message like that; may be given again",
    )
    add(
        "--control",
        action="append",
        default=[],
        metavar="FILE",
        help="one more item, which is clean and must pass; may be given again",
    )
    add(
        "--no-files",
        action="store_true",
        help="items that read like files need not be there: they are names of something else",
    )
    for name in KEYWORDS:
        if name not in _NOT_HERE:
            _add_keyword(parser, name)
    add("--agent", metavar="NAME", help="what does an item: claude, command, or a place in Python")
    add(
        "--known",
        metavar="FILE",
        help="the file of known findings, which block nothing; see `ptc known`",
    )
    add(
        "--baseline",
        metavar="RUN|FILE|COMMIT",
        help="the earlier run to compare findings with; --fail-on new:high asks for new ones",
    )
    add("--budget", type=float, metavar="USD", help="maximum US dollars of the whole run")
    add(
        "--resume",
        nargs="?",
        const="last",
        metavar="=RUN",
        help="keep verdicts of that run, or of the last one, for what is unchanged",
    )
    add("--json", action="store_true", help="print a JSON object for each item, and one of totals")
    add("-v", "--verbose", action="store_true", help="print whole summaries, and all findings")
    add(
        "--background",
        action="store_true",
        help="print the run's id as soon as it has begun, and leave it to `ptc wait`",
    )


def _add_keyword(parser: argparse.ArgumentParser, name: str) -> None:
    keyword = KEYWORDS[name]
    option = f"--{_NAMES.get(name, name).replace('_', '-')}"
    text = _HELP.get(name, keyword.help)
    if keyword.type.ini == "bool":
        parser.add_argument(option, dest=name, action="store_true", default=None, help=text)
        return
    types: dict[str, Any] = {"int": int, "float": float}
    parser.add_argument(
        option,
        dest=name,
        action="append" if name == "env" else "store",
        type=types.get(keyword.type.ini, str),
        metavar=_METAVARS.get(name, name.rpartition("_")[2].upper()),
        help=text,
    )


class _OneSentence(argparse.ArgumentParser):
    """Refuses a call in one sentence, without a page of usage."""

    def error(self, message: str) -> NoReturn:
        raise ConfigError(f"{message}; see `ptc run --help`")


def parse(parser: argparse.ArgumentParser, words: Sequence[str]) -> argparse.Namespace:
    """Return the arguments of a call; options may stand between items.

    Raises:
        ConfigError: They are no call of this command.
    """
    end = words.index("--") if "--" in words else len(words)
    own = ["--resume=last" if word == "--resume" else word for word in words[:end]]
    strict = _OneSentence(
        prog=parser.prog,
        usage=parser.usage,
        description=parser.description,
        epilog=parser.epilog,
        formatter_class=parser.formatter_class,
        parents=[parser],
        add_help=False,
        allow_abbrev=False,
    )
    arguments = strict.parse_intermixed_args(own)
    arguments.pytest = list(words[end + 1 :])
    arguments.words = list(words)
    return arguments


def _pytest_options(arguments: argparse.Namespace, items: int) -> list[str]:
    """Return the options with which pytest runs so many items.

    Raises:
        ConfigError: A number is out of range.
    """
    workers = arguments.workers
    if workers is None:
        workers = max(1, min(items, _WORKERS))
    if workers < 1:
        raise ConfigError(f"-n: must be 1 or more, not {workers}")
    if any(word.startswith("--ptc-workers") for word in arguments.pytest):
        raise ConfigError("behind --: --ptc-workers is -n here; say -n N before --")
    words = [f"--ptc-workers={workers}", "--ptc-exit-codes"]
    if arguments.agent:
        words.append(f"--ptc-agent={arguments.agent}")
    if arguments.known:
        # Pytest's root directory may be another one.
        words.append(f"--ptc-known={Path.cwd() / arguments.known}")
    if arguments.baseline:
        words.append(f"--ptc-baseline={_baseline(arguments.baseline)}")
    if arguments.resume:
        words.append(f"--ptc-resume={arguments.resume}")
    if arguments.budget is not None and not arguments.budget > 0:
        raise ConfigError(
            f"--budget: must be a number of US dollars above 0, not {arguments.budget:g}"
        )
    if arguments.budget is not None:
        words.append(f"--ptc-budget-usd={arguments.budget}")
    return [*words, *arguments.pytest]


def _baseline(word: str) -> str:
    return str(Path.cwd() / word) if word.endswith(".json") else word


def suite_of(arguments: argparse.Namespace) -> InlineSuite:
    """Return the suite that the arguments describe.

    Raises:
        PtcError: They describe none.
    """
    folder = Path.cwd()
    if arguments.ref and not arguments.isolation:
        raise ConfigError("--ref: needs --isolation worktree")
    if arguments.base and not arguments.isolation and arguments.gate_on in (None, "all"):
        raise ConfigError("--base: needs --isolation worktree or --gate-on")
    rows = (
        None
        if arguments.source is None
        else (f"--from {arguments.source}", _rows(arguments.source))
    )
    suite = inline_suite(
        arguments.prompt,
        Sources(
            items=arguments.items,
            files=arguments.files,
            changed=arguments.changed,
            rows=rows,
            exclude=arguments.exclude,
            each=arguments.each,
            canaries=arguments.canary,
            controls=arguments.control,
        ),
        _keywords(arguments, folder),
        folder,
        check_files=not arguments.no_files,
    )
    options = _pytest_options(arguments, len(suite.items))
    return replace(suite, options=tuple(options), words=tuple(arguments.words))


def _keywords(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    given: dict[str, Any] = {"cwd": str(folder)}
    for name in KEYWORDS:
        value = getattr(arguments, name, None)
        if value is not None and name not in _NOT_HERE:
            given[name] = _value(name, value, folder)
    try:
        checked = checked_keywords("ptc run", given, folder)
    except MarkerError as error:
        option = _NAMES.get(error.field, error.field).replace("_", "-")
        raise ConfigError(f"--{option}: {error.problem}") from None
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in checked.items()
    }


def _value(name: str, value: Any, folder: Path) -> Any:
    match name:
        case "cwd":
            # With fields it is looked at when they are filled, from pytest's root directory.
            return str(folder / value)
        case "schema":
            return _schema(value)
        case "tools":
            tools = tools_in(value)
            if not tools:
                raise ConfigError("--tools: names no tool; write such as Read,Grep")
            return tools
        case "voters":
            return [voter for voter in re.split(r"[,\s]+", value) if voter]
        case "env":
            return _variables(value)
    return value


def tools_in(text: str) -> list[str]:
    """Return the tools of a list with commas or blanks; those within parentheses are a rule's."""
    tools, depth = [""], 0
    for char in text:
        depth += (char == "(") - (char == ")")
        if depth <= 0 and (char == "," or char.isspace()):
            tools.append("")
        else:
            tools[-1] += char
    return [tool for tool in tools if tool]


def _variables(given: Sequence[str]) -> Mapping[str, str]:
    for text in given:
        if "=" not in text[1:]:
            raise ConfigError(f"--env {text!r:.80}: write NAME=VALUE")
    return dict(text.split("=", 1) for text in given)


def _schema(name: str) -> Any:
    try:
        value = json.loads(Path(name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise ConfigError(f"--schema {name}: cannot be read as JSON: {error}") from None
    if not isinstance(value, dict):
        raise ConfigError(f"--schema {name}: must be a JSON object, which a JSON Schema is")
    return value


def _rows(name: str) -> Sequence[str | Mapping[str, str]]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"--from {name}: cannot be read: {error}") from None
    try:
        return rows_in(name, text)
    except ListingError as error:
        raise ConfigError(f"--from {name}: {error}") from None
