"""Suites without Python: a Markdown file `*.ptc.md` is a prompt, and becomes items.

Its front matter says what it fans out over (`each`), and the marker's keywords; its body is the
prompt. Everything that is wrong with it is told with the file and the line.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.errors import ListingError, MarkerError
from pytest_ptc.listing import changed, matching
from pytest_ptc.markers import checked_options
from pytest_ptc.prompts import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path

_FENCE = re.compile(r"^---[ \t]*$", re.MULTILINE)
#: Keys of the front matter beside the marker's keywords.
_OWN_KEYS = ("each", "xfail", "skip")


@dataclass(frozen=True, kw_only=True)
class Suite:
    """What a file says.

    Args:
        prompt: Its body.
        line: Where the body begins, from 1.
        each: What it fans out over, as the front matter has it; None for one item.
        options: The marker's keywords, not yet checked.
        lines: The line of every key of the front matter.
        xfail: Why its items are expected to fail.
        skip: Why they are not run.
    """

    prompt: str
    line: int
    each: Any = None
    options: Mapping[str, Any] = field(default_factory=dict)
    lines: Mapping[str, int] = field(default_factory=dict)
    xfail: str | None = None
    skip: str | None = None


class SuiteError(Exception):
    """A file that cannot be used: the line, from 1, and what is wrong there."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


def read_suite(text: str) -> Suite:
    """Return what the text of a file says.

    Raises:
        SuiteError: It cannot be used.
    """
    # Editors of some systems begin a file with a mark.
    text = text.removeprefix("\ufeff")
    matter, start, body = _parted(text)
    line = text[: len(text) - len(body)].count("\n") + 1
    if not body.strip():
        raise SuiteError(line, "there is no prompt: write below the front matter what to do")
    line += len(body) - len(body.lstrip("\n"))
    values, lines = _front_matter(matter, start)
    reasons = {}
    for name in ("xfail", "skip"):
        if name in values:
            reason = values.pop(name)
            if not isinstance(reason, str) or not reason.strip():
                raise SuiteError(lines[name], f"{name}: must be a text, the reason")
            reasons[name] = reason
    each = values.pop("each", None)
    return Suite(prompt=body.strip(), line=line, each=each, options=values, lines=lines, **reasons)


def _parted(text: str) -> tuple[str, int, str]:
    """Return the front matter, the line that it begins at, and the body."""
    if not text.startswith("---"):
        return "", 1, text
    fences = list(_FENCE.finditer(text))
    if len(fences) < 2 or fences[0].start() != 0:  # noqa: PLR2004 - it begins and ends
        raise SuiteError(1, "the front matter does not end: write --- on a line of its own")
    first, second = fences[:2]
    return text[first.end() : second.start()], 1, text[second.end() :].removeprefix("\n")


def _front_matter(text: str, start: int) -> tuple[dict[str, Any], dict[str, int]]:
    """Return the values of the front matter and the line of each of its keys."""
    import yaml  # noqa: PLC0415 - only a suite of such files pays for it

    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
        values = yaml.safe_load(text)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = start + (mark.line if mark is not None else 0)
        problem = getattr(error, "problem", None) or str(error)
        raise SuiteError(line, f"the front matter is not YAML: {problem}") from error
    if values is None:
        return {}, {}
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise SuiteError(start, "the front matter must be keys and values, such as timeout: 300")
    assert node is not None
    lines: dict[str, int] = {}
    for key, _ in node.value:
        if key.value in lines:
            raise SuiteError(start + key.start_mark.line, f"{key.value}: stands there twice")
        lines[key.value] = start + key.start_mark.line
    return values, lines


def fanned_out(each: Any, root: Path) -> list[tuple[str, dict[str, Any]]]:
    """Return the id and the parameters of every item.

    Args:
        each: A list of values or of mappings; or a mapping with `files`, `changed` or
            `pull_requests`.
        root: Pytest's root directory.

    Raises:
        ListingError: It is none of these, or nothing is found.
    """
    if isinstance(each, list):
        return _unique(_of_list(each))
    if isinstance(each, dict):
        kinds = [kind for kind in _KINDS if kind in each]
        unknown = sorted(set(each) - {*_KINDS, "exclude"})
        if kinds and not unknown:
            found = _KINDS[kinds[0]](each, root)
            return _unique(found)
    raise ListingError(
        f"must be a list, or one of {', '.join(_KINDS)} with a value, not {each!r:.80}"
    )


def _of_list(values: Sequence[Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    if not values:
        raise ListingError("is an empty list: nothing would be looked at")
    for value in values:
        if isinstance(value, dict):
            yield "-".join(str(entry) for entry in value.values()), dict(value)
        else:
            yield str(value), {"each": value}


def _of_changes(each: Mapping[str, Any], root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(each["changed"], str):
        raise ListingError("changed: must be the name of a commit or branch")
    patterns = _texts("files", each.get("files", []))
    left_out = _texts("exclude", each.get("exclude", []))
    found = changed(root, each["changed"], patterns)
    unwanted = set(changed(root, each["changed"], left_out)) if left_out else set()
    for name in found:
        if name not in unwanted:
            yield name, {"path": name}


def _of_files(each: Mapping[str, Any], root: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    exclude = _texts("exclude", each.get("exclude", []))
    for name in matching(root, _texts("files", each["files"]), exclude):
        yield name, {"path": name}


def _of_pull_requests(each: Mapping[str, Any], _: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    numbers = each["pull_requests"]
    if not isinstance(numbers, list) or not numbers or not all(map(_is_number, numbers)):
        raise ListingError("pull_requests: must be a list of numbers")
    for number in numbers:
        yield str(number), {"pr": number}


def _is_number(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


#: What can be fanned out over; `files` beside `changed` says which of those.
_KINDS: Mapping[str, Callable[[Mapping[str, Any], Path], Iterator[tuple[str, dict[str, Any]]]]] = {
    "changed": _of_changes,
    "files": _of_files,
    "pull_requests": _of_pull_requests,
}


def _texts(name: str, value: object) -> list[str]:
    values = [value] if isinstance(value, str) else value
    if isinstance(values, list) and all(isinstance(entry, str) for entry in values):
        return values
    raise ListingError(f"{name}: must be a pattern or a list of patterns")


def _unique(
    found: Iterator[tuple[str, dict[str, Any]]],
) -> list[tuple[str, dict[str, Any]]]:
    """Return the entries; an id that comes again is told apart by its place."""
    seen: dict[str, int] = {}
    unique = []
    for name, params in found:
        seen[name] = seen.get(name, 0) + 1
        unique.append((name if seen[name] == 1 else f"{name}-{seen[name]}", params))
    return unique


class MarkdownFile(pytest.File):
    """A file of items."""

    def collect(self) -> Iterator[MarkdownItem]:
        """Yield an item for each of what the file fans out over."""
        try:
            suite = read_suite(self.path.read_text(encoding="utf-8"))
            yield from self._items(suite)
        except SuiteError as error:
            where = f"{self.nodeid}:{error.line}"
            raise self.CollectError(f"{where}: {error.problem}") from None
        except (OSError, UnicodeError) as error:
            raise self.CollectError(f"{self.nodeid}: cannot be read: {error}") from None

    def _items(self, suite: Suite) -> Iterator[MarkdownItem]:
        try:
            checked_options(self.nodeid, suite.options, self.config.rootpath)
        except MarkerError as error:
            known = f"; or {', '.join(_OWN_KEYS)}" if "unknown" in error.problem else ""
            problem = f"{error.field}: {error.problem}{known}"
            raise SuiteError(suite.lines.get(error.field, 1), problem) from None
        if suite.each is None:
            entries: list[tuple[str, dict[str, Any]]] = [("prompt", {})]
        else:
            try:
                entries = fanned_out(suite.each, self.config.rootpath)
            except ListingError as error:
                raise SuiteError(suite.lines["each"], f"each: {error}") from None
        for name, params in entries:
            missing = [one for one in fields_of(suite.prompt) if one not in params]
            if missing:
                raise SuiteError(
                    _line_of(suite, missing[0]),
                    f"{{{missing[0]}}} has no value: `each` gives {', '.join(params) or 'none'}; "
                    "write {{ for a brace that is meant as one",
                )
            yield MarkdownItem.from_parent(self, name=name, suite=suite, params=params)


def _line_of(suite: Suite, name: str) -> int:
    before = suite.prompt.partition(f"{{{name}}}")[0]
    return suite.line + before.count("\n")


class MarkdownItem(pytest.Item):
    """One item of a file: its verdict is its outcome."""

    def __init__(self, *, suite: Suite, params: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        #: Read where a function's parameters would be.
        self.ptc_params = params
        changed_since = suite.each.get("changed") if isinstance(suite.each, dict) else None
        #: The commit or branch since whose fork the files it fans out over have changed.
        self.ptc_changed_since = changed_since if isinstance(changed_since, str) else None
        self._line = suite.line
        self.add_marker(pytest.mark.ptc(suite.prompt, **suite.options))
        if suite.xfail is not None:
            self.add_marker(pytest.mark.xfail(reason=suite.xfail, strict=True))
        if suite.skip is not None:
            self.add_marker(pytest.mark.skip(reason=suite.skip))

    def runtest(self) -> None:
        """Do nothing: that this is called says that the verdict is a pass."""

    def reportinfo(self) -> tuple[Path, int, str]:
        """Return where the prompt stands, and the item's name."""
        return self.path, self._line - 1, self.nodeid
