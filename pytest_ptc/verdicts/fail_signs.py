"""Detection of a fail that is not in a valid verdict. Pure.

An invalid verdict does not count, with one exception: an agent that said fail is not asked again
until it says pass. So a fail is recognised in the wrong case, with wrong, missing or repeated
fields, within other JSON or in a fence, in quotes of Python or JavaScript, incomplete, and over
several lines. Prose that mentions failing is not a fail, and neither is the form in the prompt
(`"pass|fail|skip|error"`).
"""

from __future__ import annotations

import json
import re
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Characters of a text that are searched at each of its ends; bounds the time for a long one.
_MAX_SEARCHED_CHARS = 1024 * 1024

#: The longest line that is a statement, and the most words of a value that means fail.
_MAX_LINE_CHARS, _MAX_WORDS = 200, 4

#: Bytes of the previous line that are searched together with a line: a key may be at the end of one
#: line and its value in the next.
_MAX_BEFORE_BYTES = 200

#: Levels of JSON in texts of JSON that are searched.
_MAX_NESTED_TEXTS = 4

_FAIL = r"fail(?:ed|ure|s|ing)?"
_QUOTE = r"(?:\\{0,8}[\"'`\u201c\u201d\u2018\u2019])"
_KEY = r"verdict"
#: A member of an object: the key quoted, or first or next in its object; the value quoted, or
#: ended as a value is. `pass|fail` is none: the value begins with what it says.
_MEMBER = re.compile(
    rf"(?:{_QUOTE}[\w ]{{0,20}}{_KEY}\s{{0,9}}{_QUOTE}|[{{,]\s{{0,99}}[\w ]{{0,20}}{_KEY})"
    rf"\s{{0,99}}(?::|=>?)\s{{0,99}}\[?\s{{0,99}}"
    rf"(?:{_QUOTE}\s{{0,99}}{_FAIL}\b(?!\s{{0,9}}[|/])|{_FAIL}\s{{0,99}}(?=[,}}\]\r\n]|$)"
    rf"|false\b)",
    re.IGNORECASE,
)
#: A line with nothing but a verdict: `**Verdict:** FAIL`, `<verdict>fail</verdict>`.
_STATEMENT = re.compile(
    rf"[\W_]{{0,40}}(?:final[\W_]{{1,4}})?{_KEY}[\W_]{{1,40}}{_FAIL}[\W_]{{0,40}}(?:{_KEY}[\W_]{{0,9}})?",
    re.IGNORECASE,
)

#: Colour sequences, as of `jq -C`.
_COLOUR = re.compile(r"\x1b\[[0-9;]{0,20}m")

_FAIL_WORDS = frozenset({"fail", "fails", "failed", "failing", "failure"})
#: Words that change the meaning of a fail word: the form itself, or `no failures`.
_OTHER_WORDS = frozenset(
    {"pass", "passed", "skip", "skipped", "error", "ok", "no", "not", "never", "without", "zero"}
)
_KINDS = frozenset({"pass", "skip", "error"})
#: Fields of a verdict besides its kind: a fail that is quoted there is not the verdict's.
_CONTENT = frozenset({"summary", "findings", "data", "checked", "open"})
#: Keys that an agent may use by mistake in place of `verdict`.
_GIVEN_KEYS = frozenset({"ptc", "result", "outcome", "status", "kind", "state", "conclusion"})


class _Object(NamedTuple):
    """A JSON object with all its members, also of equal keys."""

    members: list[tuple[str, Any]]


def says_fail(said: object, *, given: bool = False) -> bool:
    """Tell whether this says fail in what can be recognised as a verdict.

    Args:
        said: A text, or a JSON value.
        given: Whether it was given as a verdict, to `ptc record` or the recording tool: then a bare
            word counts, and so do a few other keys.
    """
    return _says(said, given=given, texts=_MAX_NESTED_TEXTS)


class Lines:
    """The lines of an output in order, and which of them may hold a verdict.

    Args:
        prompt: What the program was given: what it repeats of that is not its own word.
    """

    def __init__(self, prompt: str = "") -> None:
        lines = [
            plain for line in prompt.encode().splitlines() if (plain := _without_quote_marks(line))
        ]
        self._prompt = frozenset(pairwise(lines))
        self._before = b""

    def may_speak(self, line: bytes) -> bool:
        """Take the next line that is not blank; tell whether a verdict may be in it."""
        self._last, self._before = self._before, line[-_MAX_BEFORE_BYTES:]
        lowered = line.lower()
        if (
            b"erdict" not in lowered
            and b"\\u" not in lowered
            and b"erdict" not in self._last.lower()
        ):
            return False
        return (_without_quote_marks(self._last), _without_quote_marks(line)) not in self._prompt

    def says_fail(self, line: bytes) -> bool:
        """Tell whether the line that was taken last says fail, alone or with the one before."""
        return says_fail(line) or says_fail(self._last + b"\n" + line)


def failing_line(lines: Iterable[bytes], prompt: str = "") -> bytes | None:
    """Return the first of an output's lines that says fail; None if there is none.

    Args:
        lines: The lines.
        prompt: What the program was given: what it repeats of that is not its own word.
    """
    output = Lines(prompt)
    for line in lines:
        stripped = line.strip()
        if stripped and output.may_speak(stripped) and output.says_fail(stripped):
            return stripped
    return None


def _without_quote_marks(line: bytes) -> bytes:
    """Return a line without marks of a quotation, for comparison with the prompt."""
    return line.lstrip(b" \t>|#+*").rstrip()[-_MAX_BEFORE_BYTES:]


def _says(said: object, *, given: bool, texts: int) -> bool:
    if given and _is_fail(said):
        return True
    left: list[object] = [said]
    while left:
        entry = left.pop()
        if isinstance(entry, str | bytes):
            if texts and _text_says(entry, given=given, texts=texts):
                return True
        elif isinstance(entry, list | tuple) and not isinstance(entry, _Object):
            left.extend(entry)
        elif isinstance(entry, dict | _Object):
            members = list(entry.items()) if isinstance(entry, dict) else entry.members
            if any(_is_kind(key, given) and _is_fail(value) for key, value in members):
                return True
            passes = any(
                key == "verdict" and isinstance(value, str) and value in _KINDS
                for key, value in members
            )
            left.extend(value for key, value in members if not (passes and _plain(key) in _CONTENT))
    return False


def _text_says(said: str | bytes, *, given: bool, texts: int) -> bool:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    if len(text) > 2 * _MAX_SEARCHED_CHARS:
        return any(
            _text_says(part, given=given, texts=texts)
            for part in (text[:_MAX_SEARCHED_CHARS], text[-_MAX_SEARCHED_CHARS:])
        )
    if "\x1b" in text:
        text = _COLOUR.sub("", text)
    if (value := _parse(text)) is not None:
        return _says(value, given=given, texts=texts - 1)
    if "erdict" not in text.casefold():
        return False
    if _MEMBER.search(text):
        return True
    return any(
        len(line) <= _MAX_LINE_CHARS and _STATEMENT.fullmatch(line.strip())
        for line in text.splitlines()
    )


def _parse(text: str) -> object:
    """Return the object or list of a JSON text, with repeated keys; else None."""
    stripped = text.strip().removeprefix("\ufeff")
    if not stripped.startswith(("{", "[", '"')):
        return None
    try:
        return json.loads(stripped, object_pairs_hook=_Object, strict=False)
    except (ValueError, RecursionError):
        return None


def _is_kind(key: object, given: bool) -> bool:
    plain = _plain(key)
    return plain.endswith("verdict") or (given and plain in _GIVEN_KEYS)


def _plain(key: object) -> str:
    return "".join(re.findall(r"[^\W_]+", str(key)[:80])).casefold()


def _is_fail(value: object) -> bool:
    """Tell whether a value that stands for a verdict's kind means fail."""
    if value is False:
        return True
    if isinstance(value, list | tuple) and not isinstance(value, _Object):
        return any(_is_fail(entry) for entry in value if isinstance(entry, str))
    if isinstance(value, dict | _Object):
        members = value.items() if isinstance(value, dict) else value.members
        return any(
            _plain(key) in ("kind", "value", "result", "status") and _is_fail(entry)
            for key, entry in members
            if isinstance(entry, str)
        )
    if not isinstance(value, str):
        return False
    words = [word.casefold() for word in re.findall(r"[^\W_]+", value[:200])]
    if _OTHER_WORDS & set(words[:_MAX_WORDS]):
        return False
    # A longer text is prose: only its first word counts.
    return bool(_FAIL_WORDS & set(words if len(words) <= _MAX_WORDS else words[:1]))
