"""`ptc run`: a prompt, and the items that it is for, on agents in parallel.

The words become an `InlineSuite`, which pytest runs in this process: see `session.inline_run`. The
suite is in the first event of the run's journal (`RunBegan.inline`). So a command that runs items
again needs no words: `run_suite(suite.only(names), options)`.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pytest_ptc.cli.printing import print_lines
from pytest_ptc.collection.inline_items import Sources, inline_suite
from pytest_ptc.collection.keywords import KEYWORDS, checked_keywords
from pytest_ptc.model.errors import ConfigError, MarkerError
from pytest_ptc.model.variables import RUN_COOKIE
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from pytest_ptc.model.inline_suite import InlineSuite
    from pytest_ptc.session.inline_run import InlineRun

#: Workers by default, where there are as many items.
_WORKERS = 5
#: Exit statuses: of a call that is refused, and pytest's own for that.
_REFUSED, _USAGE = 2, 4
#: Keywords of the marker that a command line has no use for: there are no tests to name, and no
#: body that could judge.
_NOT_HERE = ("needs", "gate")
#: Options whose name is not that of their keyword, and what `--help` says of some.
_NAMES = {"budget_usd": "task-budget"}
_HELP = {
    "timeout": "seconds that one attempt may take (default: 600)",
    "tools": "what Claude Code may do, such as Read,Grep or 'Bash(git show:*)' (default: "
    "Read,Grep,Glob)",
    "cwd": "the agents' directory (default: the current one); may hold fields",
    "env": "a variable for the agents; may be given again",
    "schema": "a JSON Schema, which `data` of each verdict must meet",
    "budget_usd": "the most US dollars of one attempt",
    "isolation": "worktree: each attempt has a git worktree of its own",
    "ref": "with --isolation: the commit or branch of the worktree, such as {branch}",
    "base": "with --isolation: the commit or branch whose difference to --ref is put behind the "
    "prompt",
    "fail_on": "a finding of this severity or worse fails its item, whatever the verdict is",
    "require_evidence": "a pass of an agent that used no tool is an error",
}
_METAVARS = {"env": "NAME=VALUE", "schema": "FILE", "tools": "TOOL,...", "budget_usd": "USD"}


def add_arguments(parser: argparse.ArgumentParser, _: Sequence[str]) -> None:
    """Declare the arguments of `ptc run`."""
    parser.usage = "ptc run PROMPT [ITEM ...] [options] [-- options of pytest]"
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
    add("--from", dest="source", metavar="FILE", help="lines, JSON lines or CSV; - for stdin")
    add(
        "--no-files",
        action="store_true",
        help="items that read like files need not be there: they are names of something else",
    )
    for name in KEYWORDS:
        if name not in _NOT_HERE:
            _add_keyword(parser, name)
    add("--agent", help="what does an item: claude, command, or a place in Python")
    add("--budget", type=float, metavar="USD", help="the most US dollars of the whole run")
    add(
        "--resume",
        metavar="RUN",
        help="keep the verdicts of that run for what is unchanged; alone: of the last one",
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
        metavar=_METAVARS.get(
            name, keyword.type.ini.upper() if types.get(keyword.type.ini) else None
        ),
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
        parents=[parser],
        add_help=False,
        allow_abbrev=False,
    )
    arguments = strict.parse_intermixed_args(own)
    arguments.pytest = list(words[end + 1 :])
    arguments.words = list(words)
    return arguments


def run(arguments: argparse.Namespace) -> int:
    """Run the items, print their results, and return pytest's exit status.

    Raises:
        PtcError: The call is refused.
    """
    inside = os.environ.get(RUN_COOKIE)
    if inside:
        raise ConfigError(f"inside a task of ptc run {inside}: agents do not start agents")
    suite = suite_of(arguments)
    run_it = partial(
        run_suite,
        suite,
        pytest_words(arguments, suite),
        as_json=arguments.json,
        verbose=arguments.verbose,
    )
    if not arguments.background:
        return run_it()
    from pytest_ptc.session.background import in_background  # noqa: PLC0415 - only there

    start = in_background(lambda begun: run_it(when_begun=begun))
    if start.run_id:
        print(start.run_id)
    else:
        print(start.output, end="", file=sys.stderr if start.status else sys.stdout)
    return start.status


def run_suite(
    suite: InlineSuite,
    options: Sequence[str],
    *,
    as_json: bool = False,
    verbose: bool = False,
    when_begun: Callable[[str, Path], object] = lambda _run_id, _folder: None,
) -> int:
    """Run a suite here, print the results of its items, and return pytest's exit status.

    Args:
        suite: The suite.
        options: Options for pytest, as `pytest_words` returns them.
        as_json: Whether to print JSON lines.
        verbose: Whether to print whole summaries, and all findings.
        when_begun: Called with the run's id and its folder when it has begun.

    Raises:
        ConfigError: It is refused.
    """
    from pytest_ptc.session.inline_run import run_inline  # noqa: PLC0415 - all of pytest

    done = run_inline(suite, Path.cwd(), options, when_begun)
    if done.refused is not None:
        if done.status not in (_USAGE, _REFUSED):
            print(printable(f"ptc run: {done.refused}"), file=sys.stderr)
            return done.status
        raise ConfigError(done.refused)
    print_lines(lines_of(done, suite, as_json=as_json, verbose=verbose))
    for problem in done.problems:
        print(printable(f"ptc run: {problem}"), file=sys.stderr)
    return done.status


def lines_of(
    done: InlineRun, suite: InlineSuite, *, as_json: bool = False, verbose: bool = False
) -> list[str]:
    """Return what is printed of a run that has ended."""
    from pytest_ptc.reporting.result_lines import (  # noqa: PLC0415 - as above
        AGENT_MAX_BYTES,
        result_json_lines,
        result_lines,
    )

    if done.report is None:
        if as_json:
            return [json.dumps({"run": None, "items": 0, "nothing": suite.nothing})]
        return [printable(f"0 items: {suite.nothing}")]
    if as_json:
        return result_json_lines(done.report)
    return result_lines(
        done.report, max_bytes=None if verbose else AGENT_MAX_BYTES, verbose=verbose
    )


def pytest_words(arguments: argparse.Namespace, suite: InlineSuite) -> list[str]:
    """Return the options with which pytest runs a suite.

    Raises:
        ConfigError: A number is out of range.
    """
    workers = arguments.workers
    if workers is None:
        workers = max(1, min(len(suite.items), _WORKERS))
    if workers < 1:
        raise ConfigError(f"-n: must be 1 or more, not {workers}")
    words = [f"--ptc-workers={workers}", "--ptc-exit-codes"]
    if arguments.agent:
        words.append(f"--ptc-agent={arguments.agent}")
    if arguments.resume:
        words.append(f"--ptc-resume={arguments.resume}")
    if arguments.budget is not None:
        words.append(f"--ptc-budget-usd={arguments.budget}")
    return [*words, *arguments.pytest]


def suite_of(arguments: argparse.Namespace) -> InlineSuite:
    """Return the suite that the arguments describe.

    Raises:
        PtcError: They describe none.
    """
    folder = Path.cwd()
    rows = (
        None
        if arguments.source is None
        else (f"--from {arguments.source}", _rows(arguments.source))
    )
    return inline_suite(
        arguments.prompt,
        Sources(
            items=arguments.items,
            files=arguments.files,
            changed=arguments.changed,
            rows=rows,
            exclude=arguments.exclude,
            each=arguments.each,
        ),
        _keywords(arguments, folder),
        folder,
        arguments.words,
        check_files=not arguments.no_files,
    )


def _keywords(arguments: argparse.Namespace, folder: Path) -> dict[str, Any]:
    given: dict[str, Any] = {"cwd": str(folder)}
    for name in KEYWORDS:
        value = getattr(arguments, name, None)
        if value is not None and name not in _NOT_HERE:
            given[name] = _value(name, value)
    try:
        checked = checked_keywords("ptc run", given, folder)
    except MarkerError as error:
        option = _NAMES.get(error.field, error.field).replace("_", "-")
        raise ConfigError(f"--{option}: {error.problem}") from None
    return {
        name: list(value) if isinstance(value, tuple) else value for name, value in checked.items()
    }


def _value(name: str, value: Any) -> Any:
    match name:
        case "schema":
            return _schema(value)
        case "tools":
            return tools_in(value)
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


def _rows(name: str) -> list[Any]:
    try:
        text = sys.stdin.read() if name == "-" else Path(name).read_text(encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise ConfigError(f"--from {name}: cannot be read: {error}") from None
    return [line for line in text.splitlines() if line.strip()]
