"""Suites without Python: a Markdown file `*.ptc.md` is a prompt, and becomes items.

Its front matter says what it fans out over (`each`), and the marker's keywords; its body is the
prompt. Every error names the file and the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

from pytest_ptc.collection.fan_out import matching, require_matches, tree
from pytest_ptc.collection.front_matter import SuiteError, parted, read_matter
from pytest_ptc.collection.item_ids import item_id, unique_ids
from pytest_ptc.collection.keywords import KEYWORDS, checked_keywords, fields_in
from pytest_ptc.collection.self_test_keys import only_expected, tests_of_judge
from pytest_ptc.collection.self_test_marks import canary_of
from pytest_ptc.collection.sources import (
    item_name,
    lines_of_command,
    operations_of_openapi,
    rows_of_csv,
    rows_of_json,
)
from pytest_ptc.model.errors import ListingError, MarkerError, ValueRefused
from pytest_ptc.system.git.changed_files import Change, changes_since, link_detail, selected
from pytest_ptc.system.patterns import checked_patterns, matches
from pytest_ptc.system.regular_files import read_regular
from pytest_ptc.text.printable import printable
from pytest_ptc.text.template import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

__all__ = [
    "MarkdownFile",
    "MarkdownItem",
    "NothingItem",
    "Suite",
    "SuiteError",
    "read_suite",
    "with_change",
]

#: Longest file read, in bytes: a prompt, and what it fans out over.
MAX_SUITE_BYTES = 1024 * 1024
#: Keys of the front matter beside the marker's keywords.
_OWN_KEYS = ("each", "xfail", "skip", "canary", "control")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a file says.

    Args:
        prompt: Its body.
        line: Where the body begins, from 1.
        each: What it fans out over, as the front matter has it; None for one item.
        keywords: The marker's keywords, not yet checked.
        lines: The line of every key of the front matter.
        xfail: Why its items are expected to fail.
        skip: Why they are not run.
        canary: The finding that their agents must make, as the front matter has it.
        control: Whether they are clean, and must pass.
    """

    prompt: str
    line: int
    each: Any = None
    keywords: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    xfail: str | None = None
    skip: str | None = None
    canary: Any = None
    control: bool = False


class FannedOut(NamedTuple):
    """The ids and parameters of a file's items; `nothing` says why there are rightly none."""

    items: tuple[tuple[str, dict[str, Any]], ...]
    nothing: str | None = None


def read_suite(text: str) -> Suite:
    """Return what the text of a file says.

    Raises:
        SuiteError: It cannot be used.
    """
    # Editors of some systems begin a file with a mark, and end lines in ways of their own.
    text = re.sub(r"\r\n?", "\n", text.removeprefix("\ufeff"))
    matter, body, line = parted(text, (*KEYWORDS, *_OWN_KEYS))
    if not body.strip():
        raise SuiteError(line, "the prompt is missing: write it below the front matter")
    line += len(body) - len(body.lstrip("\n"))
    values, lines, each = read_matter(matter, 2)
    reasons = {}
    for name in ("xfail", "skip"):
        if name in values:
            reason = values.pop(name)
            if not isinstance(reason, str) or not reason.strip():
                raise SuiteError(lines[name], f"{name}: must be a text, the reason")
            reasons[name] = printable(reason.strip())
    tests = tests_of_judge(values, lines, reasons)
    for name in values:
        if name in KEYWORDS and not KEYWORDS[name].in_front_matter:
            problem = "needs a test with a body, which a Markdown suite does not have; remove it"
            raise SuiteError(lines[name], f"{name}: {problem}")
    if values.pop("each", each) is not None and each is None:
        raise SuiteError(lines["each"], "each: is empty")
    return Suite(
        prompt=body.strip(),
        line=line,
        each=each,
        keywords=values,
        lines=lines,
        xfail=reasons.get("xfail"),
        skip=reasons.get("skip"),
        **tests,
    )


def fanned_out(each: Any, root: Path) -> FannedOut:
    """Return the id and the parameters of every item.

    Args:
        each: A list of values or of mappings; or a mapping with a key of `_KINDS`, such as
            `files`. All scalars are texts.
        root: Pytest's root directory.

    Raises:
        ListingError: It is none of these, or nothing is found.
    """
    if isinstance(each, list):
        return _of_list(each)
    if isinstance(each, dict):
        for kind, (beside, make) in _KINDS.items():
            if kind in each and set(each) <= {kind, *beside}:
                return make(each, root)
    raise ListingError(
        f"must be a list, or one of {', '.join(_KINDS)} with a value, not {each!r:.80}; `exclude` "
        "may stand beside files and changed, `files` beside changed, and `pick` beside json"
    )


def _named(names: Sequence[str], params: Sequence[dict[str, Any]]) -> FannedOut:
    return FannedOut(tuple(zip(unique_ids(names), params, strict=True)))


def _of_list(values: Sequence[Any]) -> FannedOut:
    if not values:
        raise ListingError("is an empty list, so the suite would have no items")
    names = [
        "-".join(map(str, value.values())) if isinstance(value, dict) else str(value)
        for value in values
    ]
    return _named(names, list(map(_params_of, values)))


def _params_of(value: Any) -> dict[str, Any]:
    return dict(value) if isinstance(value, dict) else {"each": value}


def _of_changes(each: Mapping[str, Any], root: Path) -> FannedOut:
    base = each["changed"]
    if not isinstance(base, str):
        raise ListingError("changed: must be the name of a commit or branch")
    wanted = checked_patterns("files", each.get("files", []))
    if "files" in each and not wanted:
        raise ListingError("files: is an empty list, so the suite would have no items")
    left_out = checked_patterns("exclude", each.get("exclude", []))
    changes, outside = changes_since(root, base)
    if wanted:
        _refuse_typos(root, wanted, changes)
    found = selected(changes, wanted, left_out)
    if found:
        return _named([change.path for change in found], [_params(root, one) for one in found])
    return FannedOut((), _why_nothing(base, len(changes), outside, wanted))


def _refuse_typos(root: Path, wanted: Sequence[str], changes: Sequence[Change]) -> None:
    """Refuse a pattern that means no file, changed or not."""
    names = [name for change in changes for name in (change.path, change.old) if name]
    unmet = [one for one in wanted if not any(matches(name, one) for name in names)]
    if unmet:
        require_matches(root, unmet, tree(root, unmet))


def _params(root: Path, change: Change) -> dict[str, Any]:
    detail = link_detail(root, change)
    return {"path": change.path, "status": change.status, "old": change.old, "change": detail}


def _why_nothing(base: str, inside: int, outside: int, wanted: Sequence[str]) -> str:
    if inside:
        files = "file is" if inside == 1 else "files are"
        by = "not matched by `files`, or excluded" if wanted else "excluded"
        return printable(f"nothing in scope changed since {base}: {inside} changed {files} {by}")
    elsewhere = f" in the root directory; {outside} changed outside of it" if outside else ""
    return printable(f"nothing changed since {base}{elsewhere}")


def _of_files(each: Mapping[str, Any], root: Path) -> FannedOut:
    names = matching(root, each["files"], each.get("exclude", []))
    return _named(names, [{"path": name} for name in names])


def _of_pull_requests(each: Mapping[str, Any], _: Path) -> FannedOut:
    numbers = each["pull_requests"]
    if not isinstance(numbers, list) or not numbers or not all(map(_is_number, numbers)):
        raise ListingError("pull_requests: must be a list of numbers")
    return _named(numbers, [{"pr": int(number)} for number in numbers])


def _of_source(
    kind: str, read: Callable[[str, Path], Sequence[str | Mapping[str, str]]]
) -> Callable[[Mapping[str, Any], Path], FannedOut]:
    def make(each: Mapping[str, Any], root: Path) -> FannedOut:
        rows = read(_text_in(each, kind), root)
        return _named(list(map(item_name, rows)), list(map(_params_of, rows)))

    return make


def _of_json(each: Mapping[str, Any], root: Path) -> FannedOut:
    pick = _text_in(each, "pick") if "pick" in each else ""
    return _of_source("json", lambda file, root: rows_of_json(file, root, pick))(each, root)


def _text_in(each: Mapping[str, Any], kind: str) -> str:
    text = each[kind]
    if not isinstance(text, str) or not text.strip():
        raise ListingError(f"{kind}: must be a text, not {text!r:.80}")
    return text


def _is_number(value: object) -> bool:
    return isinstance(value, str) and re.fullmatch("[1-9][0-9]{0,17}", value) is not None


#: What can be fanned out over, and what may stand beside it.
_KINDS: Mapping[str, tuple[tuple[str, ...], Callable[[Mapping[str, Any], Path], FannedOut]]] = {
    "changed": (("files", "exclude"), _of_changes),
    "files": (("exclude",), _of_files),
    "pull_requests": ((), _of_pull_requests),
    "command": ((), _of_source("command", lines_of_command)),
    "csv": ((), _of_source("csv", rows_of_csv)),
    "json": (("pick",), _of_json),
    "openapi": ((), _of_source("openapi", operations_of_openapi)),
}


class MarkdownFile(pytest.File):
    """A file of items."""

    @classmethod
    def from_parent(cls, parent: pytest.Collector, **kwargs: Any) -> MarkdownFile:
        """Return the node of a file; its node id is printable whatever the file is called."""
        node: MarkdownFile = super().from_parent(parent, **kwargs)
        shown = "/".join(map(item_id, node.nodeid.split("/")))
        return node if shown == node.nodeid else super().from_parent(parent, nodeid=shown, **kwargs)

    def collect(self) -> Iterator[pytest.Item]:
        """Yield an item for each of what the file fans out over."""
        try:
            # Where a link leads is the suite's affair; that it is a file and no pipe is ours.
            content = read_regular(self.path.resolve(), MAX_SUITE_BYTES)
            suite = read_suite(content.decode("utf-8"))
            yield from self._items(suite)
        except SuiteError as error:
            where = f"{self.nodeid}:{error.line}"
            raise self.CollectError(printable(f"{where}: {error.problem}")) from None
        except (OSError, UnicodeError) as error:
            raise self.CollectError(printable(f"{self.nodeid}: cannot be read: {error}")) from None

    def _items(self, suite: Suite) -> Iterator[pytest.Item]:
        try:
            checked_keywords(self.nodeid, suite.keywords, self.config.rootpath)
        except MarkerError as error:
            known = f"; or {', '.join(_OWN_KEYS)}" if "unknown" in error.problem else ""
            problem = f"{error.field}: {error.problem}{known}"
            raise SuiteError(suite.lines.get(error.field, 1), problem) from None
        fan = FannedOut((("prompt", {}),))
        if suite.each is not None:
            try:
                fan = fanned_out(suite.each, self.config.rootpath)
            except ListingError as error:
                raise SuiteError(suite.lines["each"], f"each: {error}") from None
        if fan.nothing is not None:
            yield NothingItem.from_parent(
                self, name="nothing-changed", reason=fan.nothing, line=suite.lines["each"]
            )
        for name, params in fan.items:
            missing = [one for one in fields_of(suite.prompt) if one not in params]
            if missing:
                raise SuiteError(
                    _line_of(suite, missing[0]),
                    f"{{{missing[0]}}} has no value: `each` gives {', '.join(params) or 'none'}; "
                    "write {{ for a literal brace",
                )
            if suite.canary is not None:
                try:
                    canary_of(suite.canary, params)
                except ValueRefused as error:
                    raise SuiteError(suite.lines["canary"], f"canary: {error}") from None
            yield MarkdownItem.from_parent(
                self, name=name, suite=with_change(suite, params), params=params
            )


def with_change(suite: Suite, params: Mapping[str, Any]) -> Suite:
    """Return the suite with `{change}` appended to its prompt, where a name alone is not enough."""
    shown = {"status", "change"} & set(fields_of(suite.prompt))
    if shown or not params.get("change"):
        return suite
    return replace(suite, prompt=f"{suite.prompt}\n\n{{change}}")


def _line_of(suite: Suite, name: str) -> int:
    before = suite.prompt.partition(f"{{{name}}}")[0]
    return suite.line + before.count("\n")


class _Item(pytest.Item):
    """An item that stands at a line of a file."""

    _line: int

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the item stands, and what is shown above a failure of it.

        That is not the node id alone: pytest would show that with `::` for each dot under `-v`,
        and nobody could give it back.
        """
        return self.path, self._line - 1, f"{self.nodeid} (line {self._line})"


class MarkdownItem(_Item):
    """One item of a file: its verdict is its outcome."""

    def __init__(self, *, suite: Suite, params: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: Read where a function's parameters would be.
        self.ptc_params = params
        #: Of those, what its agent must not see: they only say which defect is planted.
        self.ptc_hidden_params = only_expected(
            suite.canary, {*fields_of(suite.prompt), *fields_in(suite.keywords)}
        )
        changed_since = suite.each.get("changed") if isinstance(suite.each, dict) else None
        #: The commit or branch since whose fork the files it fans out over have changed.
        self.ptc_changed_since = changed_since if isinstance(changed_since, str) else None
        self._line = suite.line
        # There is no body that could judge: whatever `ptc_gate` says, the verdict does.
        self.add_marker(pytest.mark.ptc(suite.prompt, **{**suite.keywords, "gate": True}))
        if suite.xfail is not None:
            self.add_marker(pytest.mark.xfail(reason=suite.xfail, strict=True))
        if suite.skip is not None:
            self.add_marker(pytest.mark.skip(reason=suite.skip))

        if suite.canary is not None:
            self.add_marker(pytest.mark.ptc_canary(suite.canary))
        if suite.control:
            self.add_marker(pytest.mark.ptc_control)

    def runtest(self) -> None:
        """Do nothing: that this is called says that the verdict is a pass."""


class NothingItem(_Item):
    """The only item of a file whose `changed` is rightly empty: it passes, and says why.

    It is no task and has no marker: git is asked, and no agent.
    """

    def __init__(self, *, reason: str, line: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: Why there is nothing to judge: such an item counts as judged.
        self.ptc_nothing_to_judge = reason
        self._line = line

    def runtest(self) -> None:
        """Have the reports say why there is nothing to judge."""
        self.user_properties.append(("ptc_nothing_to_judge", self.ptc_nothing_to_judge))
        self.add_report_section("call", "ptc", self.ptc_nothing_to_judge)
