"""The front matter of a Markdown suite: YAML between `---` on line 1 and the next `---`. Pure.

Text elsewhere that looks like front matter is refused: its settings would silently become a part
of the prompt. Values of `each` are what is written: `no` and `1.10` are texts. Other values are
YAML's, but for numbers that YAML reads in ways of its own.
"""

from __future__ import annotations

import json
import re
import unicodedata
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import yaml

#: Levels of lists and mappings within each other.
MAX_DEPTH = 32

_FENCE = re.compile(r"---[ \t]*")
#: Fences of other tools, and dashes that an editor has made of ours.
_LIKE_A_FENCE = re.compile(r"-{3,}|\+{3,}|;{3,}|---\s*(#.*|yaml|yml|toml|json)|\.{3}")
_LATER_FENCE = re.compile(r"---|\+\+\+")
_CODE_FENCE = re.compile(r"\s{0,3}(```+|~~~+)")
_PAIR = re.compile(r"""\s*["']?(?P<key>[A-Za-z_][\w-]*)["']?\s*[:=](\s.*)?""")
_LIKE_YAML = re.compile(r"""\s*(#.*|-\s.*|["']?[A-Za-z_][\w-]*["']?\s*[:=](\s.*)?)?""")
_COMMENT = re.compile(r"<!--.*?(-->|\Z)", re.DOTALL)
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?")


#: Categories of characters without a shape: controls, marks of order, zero widths.
_UNSEEN = ("Cc", "Cf")


class SuiteError(Exception):
    """A suite file that cannot be used; `line` counts from 1."""

    def __init__(self, line: int, problem: str) -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem


class Parts(NamedTuple):
    """A file's front matter, its body, and the line that the body begins at, from 1."""

    matter: str
    body: str
    line: int


class Matter(NamedTuple):
    """What front matter says: values by key, the line of each key, and `each` as it is written."""

    values: dict[str, Any]
    lines: dict[str, int]
    each: Any


def parted(text: str, known: Iterable[str]) -> Parts:
    """Return the parts of a file's text.

    Args:
        text: The text, its lines ended by line feeds.
        known: The keys that front matter may have.

    Raises:
        SuiteError: Its front matter has no end, or something looks like front matter elsewhere.
    """
    lines = text.split("\n")
    keys = frozenset(known)
    if not _FENCE.fullmatch(lines[0]):
        _refuse_displaced(lines, 1, keys, without=True)
        return Parts("", text, 1)
    end = next((at for at, line in enumerate(lines) if at and _FENCE.fullmatch(line)), None)
    if end is None:
        raise SuiteError(1, "the front matter does not end: write --- on a line of its own")
    _refuse_displaced(lines[end + 1 :], end + 2, keys, without=False)
    return Parts("\n".join(lines[1:end]), "\n".join(lines[end + 1 :]), end + 2)


def _refuse_displaced(
    lines: Sequence[str], start: int, keys: frozenset[str], *, without: bool
) -> None:
    """Refuse what looks like front matter in a body.

    Args:
        lines: The body's lines.
        start: The number of the first of them.
        keys: The keys that front matter may have.
        without: Whether the file has no front matter before it.
    """
    first = _first_line(lines)
    fences = list(_fences(lines))
    if without and first is not None and _displaced_at_top(lines, first, fences, keys):
        raise SuiteError(start + first, _MISPLACED)
    for fence in fences:
        below = _first_line(lines[fence + 1 :], comments="#")
        if below is not None and _key_of(lines[fence + 1 + below]) in keys:
            raise SuiteError(start + fence, _MISPLACED)
    if fences and first is not None and _key_of(lines[first]) in keys:
        raise SuiteError(start + first, _MISPLACED)


_MISPLACED = (
    "this looks like front matter, which must begin with --- on line 1 and end with the next ---; "
    "if it belongs to the prompt, indent it as code, or put other text before it"
)


def _displaced_at_top(
    lines: Sequence[str], first: int, fences: Sequence[int], keys: frozenset[str]
) -> bool:
    line = _plain(lines[first])
    if _LIKE_A_FENCE.fullmatch(line) or _only_dashes(line) or _key_of(line) in keys:
        return True
    before = lines[first : fences[0]] if fences else ()
    if all(_LIKE_YAML.fullmatch(one) for one in before) and any(
        _nearly(key, keys) for key in map(_key_of, before) if key
    ):
        return True
    below = _first_line(lines[first + 1 :])
    if _CODE_FENCE.match(line) and below is not None:
        return _key_of(lines[first + 1 + below]) in keys
    return line.startswith("{") and _says_keys("\n".join(lines[first:]).lstrip(), keys)


def _nearly(key: str, keys: frozenset[str]) -> bool:
    return bool(get_close_matches(key.lower().replace("-", "_"), keys, cutoff=0.8))


def _says_keys(text: str, keys: frozenset[str]) -> bool:
    """Tell whether a text begins with a JSON object that has one of the keys."""
    try:
        value, _ = json.JSONDecoder().raw_decode(text)
    except (ValueError, RecursionError):
        return False
    return bool(keys & set(value))


def _first_line(lines: Sequence[str], comments: str = "") -> int | None:
    """Return the index of the first line that is neither blank nor a comment.

    Comments are HTML's, and lines that begin with `comments`.
    """
    text = _COMMENT.sub(lambda found: "\n" * found[0].count("\n"), "\n".join(lines))
    numbered = enumerate(map(_plain, text.split("\n")))
    skipped = comments or "\n"
    return next((at for at, line in numbered if line and not line.startswith(skipped)), None)


def _fences(lines: Sequence[str]) -> Iterable[int]:
    """Yield the indexes of all lines that could be a fence, outside of code blocks."""
    closing = ""
    for at, line in enumerate(lines):
        code = _CODE_FENCE.match(line)
        if closing:
            closing = "" if code and line.strip().startswith(closing) else closing
        elif code and at:
            closing = code[1]
        elif _LATER_FENCE.fullmatch(_plain(line)) and not line.startswith(("    ", "\t")):
            yield at


def _plain(line: str) -> str:
    """Return a line without invisible characters."""
    shown = (
        char for char in line if unicodedata.category(char) not in ("Cf", "Cc") or char == "\t"
    )
    return "".join(shown).strip()


def _only_dashes(line: str) -> bool:
    return bool(line) and all(unicodedata.category(char) == "Pd" for char in line)


def _key_of(line: str) -> str | None:
    pair = None if line.startswith(("    ", "\t")) else _PAIR.fullmatch(_plain(line))
    return pair["key"] if pair else None


def read_matter(text: str, start: int) -> Matter:
    """Return what the text of front matter says.

    Args:
        text: YAML, without its fences.
        start: The line of the file that it begins at, from 1.

    Raises:
        SuiteError: It is not YAML, not a mapping, has a key twice, or says more than YAML's values:
            anchors, tags, merged keys.
    """
    import yaml  # noqa: PLC0415 - only a suite of such files pays for it

    try:
        _refuse_events(yaml.parse(text, Loader=yaml.SafeLoader), start)
        loader = yaml.SafeLoader(text)
        try:
            node = loader.get_single_node()
            if node is not None:
                # Before it is constructed: that would take merged keys in.
                _check_keys(node, start)
            values = {} if node is None else loader.construct_document(node)
        finally:
            loader.dispose()
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line = start + (mark.line if mark is not None else 0)
        problem = getattr(error, "problem", None) or str(error)
        raise SuiteError(line, f"the front matter is not YAML: {problem}") from error
    except ValueError as error:
        # A date that is none, or a number of more digits than Python reads.
        raise SuiteError(start, f"the front matter has an invalid value: {error}") from error
    if node is None or values is None:
        return Matter({}, {}, None)
    if not isinstance(values, dict) or not all(isinstance(name, str) for name in values):
        raise SuiteError(start, "the front matter must be keys and values, such as timeout: 300")
    lines = {key.value: _line(key, start) for key, _ in node.value}
    each = next((entry for key, entry in node.value if key.value == "each"), None)
    for key, entry in node.value:
        if key.value != "each":
            _check_numbers(entry, start, key.value)
    return Matter(values, lines, None if each is None else _as_written(each, start))


def _line(what: yaml.Node | yaml.Event, start: int) -> int:
    assert what.start_mark is not None
    return start + what.start_mark.line


def _refuse_events(events: Iterable[yaml.Event], start: int) -> None:
    """Refuse what could make a value that is not written there, or one without a bound."""
    import yaml  # noqa: PLC0415 - as above

    depth = 0
    for event in events:
        line = _line(event, start)
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MAX_DEPTH:
            raise SuiteError(line, f"the front matter has more than {MAX_DEPTH} levels")
        if getattr(event, "anchor", None) is not None:
            raise SuiteError(line, "the front matter must not have anchors (&) and aliases (*)")
        if (tag := getattr(event, "tag", None)) is not None:
            raise SuiteError(line, f"the front matter must not have tags: {tag!r:.80}")


def _check_keys(node: yaml.Node, start: int) -> None:
    """Refuse a key that is given twice or is not a text, at any depth."""
    import yaml  # noqa: PLC0415 - as above

    if isinstance(node, yaml.SequenceNode):
        for entry in node.value:
            _check_keys(entry, start)
    if not isinstance(node, yaml.MappingNode):
        return
    seen: set[str] = set()
    for key, entry in node.value:
        line = _line(key, start)
        if not isinstance(key, yaml.ScalarNode):
            raise SuiteError(line, "a key must be a text")
        if key.value == "<<":
            raise SuiteError(line, "the front matter must not merge keys (<<)")
        if key.value in seen:
            raise SuiteError(line, f"{key.value}: is given twice")
        seen.add(key.value)
        _check_keys(entry, start)


def _check_numbers(node: yaml.Node, start: int, name: str) -> None:
    """Refuse a number that YAML reads otherwise than a person: `1_0`, `010`, `1:30`, `0x10`."""
    import yaml  # noqa: PLC0415 - as above

    if isinstance(node, yaml.ScalarNode):
        number = node.tag in ("tag:yaml.org,2002:int", "tag:yaml.org,2002:float")
        if number and not _NUMBER.fullmatch(node.value):
            line = _line(node, start)
            raise SuiteError(
                line, f"{name}: {node.value} is not a plain number; quote it if it is a text"
            )
        return
    for entry in node.value:
        for one in entry if isinstance(entry, tuple) else (entry,):
            _check_numbers(one, start, name)


def _as_written(node: yaml.Node, start: int) -> Any:
    """Return the value of a node with all scalars as the texts that are written."""
    import yaml  # noqa: PLC0415 - as above

    if isinstance(node, yaml.MappingNode):
        return {key.value: _as_written(entry, start) for key, entry in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [_as_written(entry, start) for entry in node.value]
    if not node.value and getattr(node, "style", None) is None:
        line = _line(node, start)
        raise SuiteError(line, "each: has an empty value; write '' for an empty text")
    return node.value
