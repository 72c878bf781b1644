"""Redaction: secrets are kept out of everything that is written or printed. Pure.

`secret_names.py` decides which parts of a variable's value are secret. `[redacted NAME]` replaces
one. Texts are redacted before they are cut; the start of a secret that another program cut off is
redacted from twelve characters on. Names of our own fields, and our own values in them, are never
redacted.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote

from pytest_ptc.text.secret_names import MIN_SECRET_CHARS, secrets_of

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MIN_SECRET_CHARS", "RedactedStream", "Redactor"]

#: The shortest start of a secret that is redacted where a text was cut.
MIN_PIECE_CHARS = 12
#: What follows a text that was cut: its end, a line's, or a sign of cutting.
_CUT = re.compile(r"\Z|[\r\n]|\.\.\.|\u2026|\[|\\n|\\r|[\"'`]")

#: Fields of ours whose texts are names and words of ours, wherever they stand; below one of `_FREE`
#: they are somebody else's.
OURS = frozenset(
    {"event", "verdict", "severity", "cause", "outcome", "phase", "state", "worker", "task", "run"}
    | {"call", "answer", "commitment", "seal", "mac", "fingerprint", "fail_on", "isolation", "ref"}
    | {"places", "unplaced", "gate_on", "sandbox", "sandbox_network"}
    | {"base", "permission_mode", "host", "agent", "run_id", "task_list_id", "resumes", "python"}
    | {"pytest_ptc", "scratch", "tmux_socket", "task_list", "rootdir", "repository", "kind"}
    | {"transcript", "session", "session_id", "call_id", "worktree", "digest", "anchor", "excuse"}
)
#: Fields that are never redacted, with all that is in them: schemas and hashes must stay valid.
_UNREDACTED = frozenset({"schema", "files"})
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_]*")
#: Fields with foreign values, in which also the names are redacted.
_FREE = frozenset({"data", "params", "env", "input"})


class Span(NamedTuple):
    """A place in a text that holds a secret: from, to, and the name of its variable."""

    start: int
    end: int
    name: str


class Redactor:
    """Replaces every secret that it knows of by its variable's name.

    Args:
        environ: The environment whose secrets it knows.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._names: dict[str, str] = {}
        #: The forms of secrets by how they begin, the longest first.
        self._begun: dict[str, list[str]] = {}
        self._pattern: re.Pattern[str] | None = None
        #: Characters of the longest secret.
        self.longest = 0
        self.learn(environ or {})

    def __repr__(self) -> str:
        return f"<Redactor of {sorted(set(self._names.values()))}>"

    def plus(self, environ: Mapping[str, str]) -> Redactor:
        """Return one that knows the secrets of these variables, too."""
        wider = Redactor()
        wider._names = dict(self._names)
        wider._prepare()
        wider.learn(environ)
        return wider

    def learn(self, environ: Mapping[str, str]) -> None:
        """Know the secrets of these variables, too."""
        known = len(self._names)
        for name, value in environ.items():
            for secret in secrets_of(name, value):
                for form in _forms(secret):
                    self._names.setdefault(form, name)
        if len(self._names) > known:
            self._prepare()

    def text(self, text: str) -> str:
        """Return the text without secrets, and without the beginning of one where it was cut."""
        # Nearly always: every text of the journal comes here, most of a few characters.
        if self._pattern is None or self._pattern.search(text) is None:
            return text
        return _replace_spans(text, self._spans(text))

    def head(self, text: str, most: int) -> str:
        """Return at most so many characters of the beginning of a text, without secrets.

        As `text` would begin; but no more of a long text is looked at than it takes.
        """
        if self._pattern is None:
            return text[:most]
        # What stands for secrets may be shorter than they are: until there is enough, look further.
        reach = most + self.longest
        while True:
            piece = text[:reach]
            whole = len(piece) == len(text)
            end, spans = (len(piece), self._spans(piece)) if whole else self.settled(piece)
            redacted = _replace_spans(piece[:end], spans)
            if whole or len(redacted) >= most:
                return redacted[:most]
            reach *= 2

    def json(self, value: Any, *, free: bool = False) -> Any:
        """Return a JSON value of ours without secrets.

        Names of fields stay, and so do the values of `OURS`; in the values that are free, whatever
        names are in them, nothing does.
        """
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list | tuple):
            return [self.json(entry, free=free) for entry in value]
        if not isinstance(value, dict):
            return value
        return {
            self._name(name, free): self._entry(name, entry, free) for name, entry in value.items()
        }

    def _name(self, name: object, free: bool) -> str:
        ours = not free and _FIELD_NAME.fullmatch(str(name))
        return str(name) if ours else self.text(str(name))

    def _entry(self, name: object, entry: Any, free: bool) -> Any:
        if free or name not in OURS or isinstance(entry, dict):
            whole = not free and name in _UNREDACTED
            return entry if whole else self.json(entry, free=free or name in _FREE)
        return entry

    def settled(self, text: str) -> tuple[int, list[Span]]:
        """Return the end of the part that no following text can change, and its secrets."""
        end = self.held_from(text)
        while (spans := self._spans(text, end)) and spans[-1].end > end:
            # A whole secret reaches into what could be the beginning of another.
            end = spans[-1].end + self.held_from(text[spans[-1].end :])
        return end, spans

    def held_from(self, text: str) -> int:
        """Return where the end of a text begins that could be the beginning of a secret."""
        first = len(text)
        for begin, forms in self._begun.items():
            # As far back as a form that is not complete could have begun.
            place = text.find(begin, max(0, len(text) - len(forms[0]) + 1), first + len(begin))
            while 0 <= place < first:
                if any(form.startswith(text[place:]) for form in forms):
                    first = place
                    break
                place = text.find(begin, place + 1)
            for length in range(min(len(begin) - 1, len(text)), len(text) - first, -1):
                if text.endswith(begin[:length]):
                    first = len(text) - length
                    break
        return first

    def _prepare(self) -> None:
        # The longest first: one secret may begin with another.
        forms = sorted(self._names, key=len, reverse=True)
        self._begun = {}
        for form in forms:
            self._begun.setdefault(form[:MIN_PIECE_CHARS], []).append(form)
        begins = sorted(self._begun, key=len, reverse=True)
        self._pattern = re.compile("|".join(map(re.escape, begins))) if begins else None
        self.longest = len(forms[0]) if forms else 0

    def _spans(self, text: str, end: int | None = None) -> list[Span]:
        """Return the secrets in a text that begin before `end`."""
        assert self._pattern is not None
        end = len(text) if end is None else end
        spans = []
        place = 0
        while (found := self._pattern.search(text, place)) and found.start() < end:
            span = self._span(text, found.start())
            if span is None:
                place = found.start() + 1
            else:
                spans.append(span)
                place = span.end
        return spans

    def _span(self, text: str, start: int) -> Span | None:
        best: Span | None = None
        for begin, forms in self._begun.items():
            if not text.startswith(begin, start):
                continue
            for form in forms:
                if best is not None and best.end - start >= len(form):
                    break
                same = _common(text, start, form)
                whole = same == len(form)
                if whole or (same >= MIN_PIECE_CHARS and _CUT.match(text, start + same)):
                    best = Span(start, start + same, self._names[form])
        return best


class RedactedStream:
    """Redacts bytes that come in pieces: a secret may begin in one piece and end in the next.

    What could be the beginning of a secret is held back until the next piece, or `rest`.

    Args:
        redactor: Which secrets.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._held = ""

    def feed(self, piece: bytes) -> bytes:
        """Return the part that can be redacted by now."""
        if not self._redactor.longest:
            return piece
        # Any byte has a character of its own here; secrets are looked for as they are encoded.
        text = self._held + piece.decode("latin-1")
        end, spans = self._redactor.settled(text)
        redacted, self._held = _replace_spans(text[:end], spans), text[end:]
        return redacted.encode("latin-1", "replace")

    def rest(self) -> bytes:
        """Return what was held back, at the end."""
        redacted, self._held = self._redactor.text(self._held), ""
        return redacted.encode("latin-1", "replace")


def _replace_spans(text: str, spans: list[Span]) -> str:
    parts = []
    place = 0
    for span in spans:
        parts += [text[place : span.start], f"[redacted {span.name}]"]
        place = span.end
    return "".join([*parts, text[place:]])


def _common(text: str, start: int, form: str) -> int:
    """Return how many characters of a form stand at a place of a text."""
    if text.startswith(form, start):
        return len(form)
    low, high = 0, len(form)
    while low < high - 1:
        middle = (low + high) // 2
        low, high = (middle, high) if text.startswith(form[:middle], start) else (low, middle)
    return low


def _forms(secret: str) -> set[str]:
    """Return how a secret looks in plain text, as bytes, in JSON, in Python and in an address."""
    plain = secret.encode("utf-8", "surrogateescape")
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {secret, plain.decode("latin-1"), *escaped, repr(secret)[1:-1], quote(plain, safe="")}
