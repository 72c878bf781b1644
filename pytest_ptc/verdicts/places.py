"""Whether findings stand where they say, given what the disk says. Pure.

A finding with a line or a quote claims a place in a file of what was reviewed, and that must hold.
A path alone may be the name of something else, such as `GET /users`: it must hold where it reads
like a file. The messages are written for the agent: they say what is there, and the fix.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from enum import Enum
from typing import TYPE_CHECKING, NamedTuple, Protocol

from pytest_ptc.model.errors import VerdictError
from pytest_ptc.model.verdict import NO_FACTS
from pytest_ptc.text.printable import printable

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from pytest_ptc.model.verdict import Finding, Verdict

#: How far from its line a quote may stand: then the line is corrected.
NEAR_LINES = 3
#: Findings whose problems one message tells, and characters of a text that is shown in it.
_MAX_PROBLEMS, _MAX_SHOWN_CHARS = 5, 160
#: Characters of a quote that are compared.
_MAX_QUOTE_CHARS = 400
#: Hexadecimal digits of an anchor.
_ANCHOR_DIGITS = 32

_SUFFIX = re.compile(r"[\w\])]\.(?P<suffix>[A-Za-z][A-Za-z0-9]{0,9})$")
#: How files of source, text and configuration end; `example.com` is a host.
_SUFFIXES = frozenset(
    {"adoc", "bash", "bat", "bazel", "c", "cc", "cfg", "cjs", "clj", "cmake", "conf", "cpp"}
    | {"cs", "css", "csv", "cxx", "dart", "ejs", "erb", "erl", "ex", "exs", "fs", "gradle"}
    | {"graphql", "groovy", "h", "hbs", "hcl", "hpp", "hs", "htm", "html", "hxx", "ini"}
    | {"ipynb", "j2", "java", "jinja", "jl", "js", "json", "json5", "jsonl", "jsx", "kt"}
    | {"kts", "less", "lock", "lua", "m", "md", "mdx", "mjs", "mk", "ml", "mm", "mts", "php"}
    | {"pl", "pm", "proto", "ps1", "py", "pyi", "pyx", "r", "rb", "rego", "rs", "rst", "sass"}
    | {"scala", "scss", "sh", "sol", "sql", "svelte", "svg", "swift", "tex", "tf", "tfvars"}
    | {"toml", "ts", "tsv", "tsx", "txt", "v", "vb", "vue", "xml", "yaml", "yml", "zig"}
    | {"zsh"}
)
_WITH_LINE = re.compile(r"(?P<path>.+?)(?::|#L)(?P<line>[0-9]{1,9})(:[0-9]{1,9})?(-L?[0-9]{1,9})?$")
_NO_NAME_OF_A_FILE = re.compile(r"[\s{}<>*?|\"]|://")


class Kind(Enum):
    """What is at a path."""

    FILE = "file"
    DIRECTORY = "directory"
    #: A FIFO, a device, or a link that leads out of what was reviewed.
    OTHER = "other"
    ABSENT = "absent"
    #: Nobody had the time to look.
    UNKNOWN = "unknown"
    #: The path leads out of what was reviewed.
    OUTSIDE = "outside"


class Seen(NamedTuple):
    """What the disk has at a path.

    Args:
        kind: What is there.
        path: The path from the agent's directory.
        name: The path from the top of the repository, where links are followed.
        lines: A file's lines, each as `plain` has it; None where they cannot be read.
        known_start: Whether the first directory of a path that leads nowhere is there.
        gone: Whether the file is there no more, and the lines are those that it had.
    """

    kind: Kind
    path: str = ""
    name: str = ""
    lines: Sequence[str] | None = None
    known_start: bool = False
    gone: bool = False


class Reviewed(Protocol):
    """What was reviewed, as it is on disk."""

    def look(self, path: str) -> Seen:
        """Return what is at a path of a finding."""

    def near(self, path: str) -> Sequence[str]:
        """Return files whose names are like that of a path which leads nowhere."""


class Placed(NamedTuple):
    """A finding that was looked up.

    Args:
        finding: The finding.
        problem: Why its place does not hold; None if it does.
        others: Other lines nearby that its line could have been corrected to.
    """

    finding: Finding
    problem: str | None = None
    others: Sequence[int] = ()


def nobody_knows(_: str, __: int | None) -> bool | None:
    """Say nothing of whether a change touches a place."""
    return None


def checked_places(
    verdict: Verdict,
    reviewed: Reviewed,
    touches: Callable[[str, int | None], bool | None] = nobody_knows,
) -> Verdict:
    """Return a verdict whose findings were looked up, with what is known of their places.

    Args:
        verdict: The verdict.
        reviewed: What was reviewed.
        touches: Tells whether the change under review touches a line of a file, or the file.

    Raises:
        VerdictError: A finding does not stand where it says; the message is for the agent.
    """
    findings: list[Finding] = []
    problems: list[str] = []
    for number, one in enumerate(verdict.findings):
        hints = len(problems) < _MAX_PROBLEMS
        finding, problem, _ = _placed(one, reviewed, touches, hints=hints)
        findings.append(finding)
        if problem is not None:
            problems.append(f'"findings[{number}]{problem}')
    if problems:
        more = len(problems) - _MAX_PROBLEMS
        beside = [f"and {more} more findings do not stand where they say"] if more > 0 else []
        raise VerdictError("; ".join([*problems[:_MAX_PROBLEMS], *beside, _FIX]))
    return replace(verdict, findings=tuple(findings))


def noted_places(
    verdict: Verdict,
    reviewed: Reviewed,
    touches: Callable[[str, int | None], bool | None] = nobody_knows,
) -> Verdict:
    """Return a verdict as `checked_places` does; of what does not hold, the finding has a note.

    For what nobody can be asked again: the output of a program, a linter's file. What is known of a
    finding already stays.
    """
    findings = []
    for one in verdict.findings:
        if one.facts != NO_FACTS:
            findings.append(one)
            continue
        finding, problem, _ = _placed(one, reviewed, touches, hints=False)
        if problem is not None:
            finding = one.with_facts(misplaced=_shown(problem.partition('": ')[2]))
        findings.append(finding)
    return replace(verdict, findings=tuple(findings))


def anchor(name: str, line: str) -> str:
    """Return the identity of a place: the same wherever in the file its line stands.

    Args:
        name: The file's path from the top of the repository.
        line: The line's text.
    """
    text = f"{name}\0{plain(line)}".encode("utf-8", "surrogatepass")
    return hashlib.sha256(text).hexdigest()[:_ANCHOR_DIGITS]


def plain(text: str) -> str:
    """Return a text as quotes are compared: printable, with one blank for all that separates."""
    return " ".join(printable(text).split())


def reads_like_a_file(path: str, *, known_start: bool) -> bool:
    """Tell whether a path that leads nowhere reads like a file, and not like a name of something.

    Args:
        path: The path.
        known_start: Whether its first directory is there.
    """
    if known_start:
        return True
    if _NO_NAME_OF_A_FILE.search(path):
        return False
    with_line = _WITH_LINE.fullmatch(path)
    ending = _SUFFIX.search(with_line["path"] if with_line else path)
    return ending is not None and ending["suffix"].lower() in _SUFFIXES


_FIX = (
    "correct that, or leave path, line and quote out where a finding has no place in a file: its "
    "message can name what it is about"
)


def _placed(
    finding: Finding,
    reviewed: Reviewed,
    touches: Callable[[str, int | None], bool | None],
    *,
    hints: bool,
) -> Placed:
    """Return a finding with what is known of its place.

    Args:
        finding: The finding.
        reviewed: What was reviewed.
        touches: As for `checked_places`.
        hints: Whether a problem says where else to look, which takes its time.
    """
    if finding.path is None:
        return Placed(finding)
    seen = reviewed.look(finding.path)
    match seen.kind:
        case Kind.ABSENT | Kind.OUTSIDE:
            return _nowhere(finding, seen, reviewed if hints else None)
        case Kind.UNKNOWN:
            return Placed(finding)
        case Kind.FILE:
            found = _in_file(finding, seen, hints=hints)
        case Kind.DIRECTORY | Kind.OTHER if _claims_a_line(finding):
            what = "a directory" if seen.kind is Kind.DIRECTORY else "no regular file in there"
            return Placed(finding, f'.line": {_name(finding)} is {what}, and has no lines')
        case _:
            found = Placed(finding)
    if found.problem is not None:
        return found
    placed = replace(found.finding, path=seen.path)
    if _claims_a_line(placed) and seen.lines is None:
        # Too long to be read, or no text: nobody knows whether the line is one of the change.
        return Placed(placed)
    text = None
    if placed.line is not None and seen.lines is not None:
        text = seen.lines[placed.line - 1] if seen.lines else ""
    return Placed(
        placed.with_facts(
            anchor=None if text is None else anchor(seen.name, text),
            touched=True if seen.gone else _touched(seen.name, placed.line, found.others, touches),
        )
    )


def _touched(
    name: str,
    line: int | None,
    others: Sequence[int],
    touches: Callable[[str, int | None], bool | None],
) -> bool | None:
    """Tell whether the change touches a place; of several that may be meant, any of them."""
    found = [touches(name, at) for at in (line, *others)]
    return True if True in found else None if None in found else False


def _nowhere(finding: Finding, seen: Seen, reviewed: Reviewed | None) -> Placed:
    path = finding.path or ""
    claims = _claims_a_line(finding)
    if seen.kind is Kind.OUTSIDE:
        # `/users` is an endpoint of an API as well as a directory.
        if claims or not path.startswith("/"):
            return Placed(finding, f'.path": {_name(finding)} is outside of what was reviewed')
    elif claims or reads_like_a_file(path, known_start=seen.known_start):
        hint = _hint(path, reviewed) if reviewed is not None else ""
        return Placed(finding, f'.path": {_name(finding)} is not there{hint}')
    return Placed(finding.with_facts(misplaced="the path names no file of what was reviewed"))


def _hint(path: str, reviewed: Reviewed) -> str:
    with_line = _WITH_LINE.fullmatch(path)
    if with_line is not None and reviewed.look(with_line["path"]).kind is Kind.FILE:
        return f'; put {with_line["line"]} into "line"'
    near = [_shown(plain(name)) for name in reviewed.near(path)]
    return f"; there is {', '.join(near)}" if near else ""


def _in_file(finding: Finding, seen: Seen, *, hints: bool) -> Placed:
    """Return a finding in a file, its line corrected to where its quote stands nearby."""
    lines, line = seen.lines, finding.line
    quote = plain(finding.quote or "")[:_MAX_QUOTE_CHARS].rstrip()
    if lines is None:
        return Placed(finding)
    if line is not None and line > max(1, len(lines)):
        held = "1 line" if len(lines) == 1 else f"{len(lines)} lines"
        had = "had" if seen.gone else "has"
        stands = _stands(_lines_of(quote, lines)) if hints else ""
        return Placed(finding, f'.line": {_name(finding)} {had} {held}, not {line}{stands}')
    if not quote:
        return Placed(finding)
    if line is None:
        found = _lines_of(quote, lines)
        if not found:
            return Placed(finding, f'.quote": {_name(finding)} has no such text; {_COPY}')
        return Placed(replace(finding, line=found[0]) if len(found) == 1 else finding)
    if lines and quote in lines[line - 1]:
        return Placed(finding)
    near = [at for at in range(line - NEAR_LINES, line + NEAR_LINES + 1) if 0 < at <= len(lines)]
    near.sort(key=lambda at: abs(at - line))
    # In one line, before a quote of several is looked for.
    whole = [at for at in near if quote in lines[at - 1]]
    stands_at = whole or [at for at in near if _begins_in(quote, lines, at)]
    if stands_at:
        return Placed(replace(finding, line=stands_at[0]), others=stands_at[1:])
    elsewhere = _lines_of(quote, lines) if hints else ()
    stands = _stands(elsewhere) or f"; {'it stands nowhere in the file, ' if hints else ''}{_COPY}"
    there = f"line {line} is `{_shown(lines[line - 1] if lines else '')}`"
    return Placed(finding, f'.quote": in {_name(finding)}, {there}, not the quote{stands}')


_COPY = "copy the line as it is there"


def _lines_of(quote: str, lines: Sequence[str]) -> list[int]:
    if not quote:
        return []
    return [at for at in range(1, len(lines) + 1) if _begins_in(quote, lines, at)]


def _begins_in(quote: str, lines: Sequence[str], number: int) -> bool:
    """Tell whether a quote, of one line or more, begins in a line."""
    first = lines[number - 1]
    if quote in first:
        return True
    text = first
    for line in lines[number:]:
        if not first or len(text) >= len(first) + len(quote):
            break
        text = f"{text} {line}" if line else text
    return 0 <= text.find(quote) < len(first)


def _stands(found: Sequence[int]) -> str:
    if not found:
        return ""
    where = ", ".join(map(str, found[:3])) + (", ..." if len(found) > 3 else "")  # noqa: PLR2004
    return f"; the quote stands at line {where}"


def _claims_a_line(finding: Finding) -> bool:
    return finding.line is not None or bool(plain(finding.quote or ""))


def _name(finding: Finding) -> str:
    return _shown(finding.path or "")


def _shown(text: str) -> str:
    return text if len(text) <= _MAX_SHOWN_CHARS else f"{text[:_MAX_SHOWN_CHARS]}..."
