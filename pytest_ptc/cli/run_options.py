"""The options of `ptc run`, in the groups of its help."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.keywords import KEYWORDS

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Keywords of the marker that a command line has no use for: there are no tests to name, and no
#: body that could judge.
NOT_HERE = ("needs", "gate", "agent")
#: Those that it has, in the order of the help: what a task is, and what decides about it.
_TASK = (
    *("timeout", "retries", "model", "tools", "permission_mode", "cwd", "env", "isolation", "ref"),
    *("base", "schema", "findings", "group", "max_turns", "budget_usd"),
    *("sandbox", "sandbox_read", "sandbox_write", "sandbox_network", "sandbox_tmp"),
)
_VERDICT = (
    *("fail_on", "gate_on", "places", "unplaced", "require_evidence", "require_checked"),
    *("votes", "quorum", "voters", "verify", "verify_limit"),
)
_EXAMPLES = """\
examples:
  ptc run "Process {each}." a.txt b.txt c.txt d.txt e.txt
  ptc run "Test GET, POST, PUT and DELETE of {endpoint}." /users /orders /items
  ptc run "Review pull request {pr}." --each pr=123..127 \\
      --isolation worktree --ref "pr-{pr}" --base main

exit status: 0 all passed, 1 an item failed, 10 not everything was judged,
2 refused or interrupted"""
#: Options whose name is not that of their keyword; what `--help` says of some, and of their values.
NAMES = {"budget_usd": "task-budget"}
_HELP = {
    "timeout": "seconds that one attempt may take (default: 600)",
    "retries": "extra attempts after an infrastructure error (crash, timeout, rate limit), never "
    "after a fail (default: ptc_retries of the ini file, else 1)",
    "tools": "what Claude Code may do, such as Read,Grep or 'Bash(git show *)' (default: "
    "Read,Grep,Glob)",
    "permission_mode": "Claude Code's permission mode (default: dontAsk, which denies what --tools "
    "does not name)",
    "cwd": "the agents' directory (default: the current one); may hold fields",
    "env": "a variable for the agents; may be given again",
    "schema": "a JSON Schema, which `data` of each verdict must meet",
    "budget_usd": "maximum US dollars of one attempt",
    "findings": "the file of its directory into which agent `command` writes its findings",
    "sandbox": "whether agents run in a sandbox of bubblewrap: bwrap, auto (where this machine can "
    "make one), off",
    "sandbox_read": "a file or directory that agents may read in a sandbox; may be given again",
    "sandbox_write": "a file or directory that agents may change in a sandbox, besides their own "
    "directory; may be given again",
    "sandbox_network": "whether agents have the network in a sandbox: on (the default) or off",
    "sandbox_tmp": "megabytes of /tmp, /dev/shm and HOME in a sandbox, each (default: 512)",
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
#: Options that may be given again.
_SEVERAL = ("env", "sandbox_read", "sandbox_write")
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
    "sandbox": "bwrap|auto|off",
    "sandbox_read": "PATH",
    "sandbox_write": "PATH",
    "sandbox_network": "on|off",
    "sandbox_tmp": "MB",
    "fail_on": "SEVERITY",
    "gate_on": "added|context|file|all",
    "findings": "sarif:FILE",
    "group": "NAME",
    "base": "REF",
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
    _add_sources(parser.add_argument_group("items"))
    task = parser.add_argument_group("the task of each item")
    for name in _TASK:
        _add_keyword(task, name)
    _add_verdict(parser.add_argument_group("what makes an item fail"))
    _add_run(parser.add_argument_group("the run"))
    output = parser.add_argument_group("output")
    output.add_argument(
        "--json", action="store_true", help="print a JSON object for each item, and one of totals"
    )
    output.add_argument(
        "-v", "--verbose", action="store_true", help="print whole summaries, and all findings"
    )


def _add_sources(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
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
        help="the rows of a file: lines, CSV with a header, JSON lines or a JSON list, the "
        "operations of an OpenAPI document; - for standard input",
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


def _add_verdict(group: argparse._ArgumentGroup) -> None:
    for name in _VERDICT:
        _add_keyword(group, name)
    group.add_argument(
        "--known",
        metavar="FILE",
        help="the file of known findings, which block nothing; see `ptc known`",
    )
    group.add_argument(
        "--baseline",
        metavar="RUN|FILE|COMMIT",
        help="the earlier run to compare findings with; --fail-on new:high asks for new ones",
    )


def _add_run(group: argparse._ArgumentGroup) -> None:
    add = group.add_argument
    add("-n", "--workers", type=int, metavar="N", help="workers (default: one an item, at most 5)")
    add(
        "--agent",
        metavar="NAME",
        help="what does an item: claude, command, acp:codex and others, or a place in Python",
    )
    add("--budget", type=float, metavar="USD", help="maximum US dollars of the whole run")
    add(
        "--resume",
        nargs="?",
        const="last",
        metavar="=RUN",
        help="keep verdicts of that run, or of the last one, for what is unchanged",
    )
    add(
        "--background",
        action="store_true",
        help="print the run's id as soon as it has begun, and leave it to `ptc wait`",
    )


def _add_keyword(group: argparse._ArgumentGroup, name: str) -> None:
    keyword = KEYWORDS[name]
    option = f"--{NAMES.get(name, name).replace('_', '-')}"
    text = _HELP.get(name, keyword.help)
    if keyword.type.ini == "bool":
        group.add_argument(option, dest=name, action="store_true", default=None, help=text)
        return
    types: dict[str, Any] = {"int": int, "float": float}
    group.add_argument(
        option,
        dest=name,
        action="append" if name in _SEVERAL else "store",
        type=types.get(keyword.type.ini, str),
        metavar=_METAVARS.get(name, name.rpartition("_")[2].upper()),
        help=text,
    )
