"""Secrets kept out of everything that is written or printed. Pure.

A secret is the value of an environment variable whose name looks like one's. What stands for it,
`[redacted NAME]`, tells a reader which it was.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Mapping

#: Shorter values are words and numbers: to redact them would spoil every text.
SHORTEST = 6
#: A line of a secret of several lines, such as a private key, counts from this length.
_SHORTEST_LINE = 16

_LOOKS_SECRET = re.compile(
    r"(^|_)(API_?)?(KEYS?|TOKENS?|SECRETS?|PASS|PASSWORDS?|PASSWD|PASSPHRASE|PWD|PW|CREDENTIALS?"
    r"|CREDS|AUTH|COOKIES?|PAT|JWT|SIGNATURE)(_|$)|APIKEY|PASSWORD|SECRET|TOKEN",
    re.IGNORECASE,
)
#: Names that look so and hold no secret: directories, sockets, files and numbers.
_HARMLESS = re.compile(
    r"^(OLD)?PWD$|(_|^)(SOCK|FILE|PATH|DIR|URL|URI|HOST|TYPE|TTL|TTL_MS|TOKENS|COUNT|LIMIT|NAME)$"
    r"|^MAX_|_MAX_|^XAUTHORITY$",
    re.IGNORECASE,
)


class Redactor:
    """Replaces every secret that it knows of by its variable's name.

    Args:
        environ: The environment whose secrets it knows.
    """

    def __init__(self, environ: Mapping[str, str] | None = None) -> None:
        self._names: dict[str, str] = {}
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
        wider._pattern, wider.longest = self._pattern, self.longest
        wider.learn(environ)
        return wider

    def learn(self, environ: Mapping[str, str]) -> None:
        """Know the secrets of these variables, too."""
        known = len(self._names)
        for name, value in environ.items():
            for secret in _secrets(name, value):
                for form in _forms(secret):
                    self._names.setdefault(form, name)
        if len(self._names) > known:
            # The longest first: one secret may begin with another.
            forms = sorted(self._names, key=len, reverse=True)
            self._pattern = re.compile("|".join(map(re.escape, forms)))
            self.longest = len(forms[0])

    def text(self, text: str) -> str:
        """Return the text without secrets."""
        if self._pattern is None:
            return text
        return self._pattern.sub(lambda found: f"[redacted {self._names[found[0]]}]", text)

    def json(self, value: Any) -> Any:
        """Return the JSON value without secrets, in keys neither."""
        if self._pattern is None:
            return value
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, dict):
            return {self.text(str(name)): self.json(entry) for name, entry in value.items()}
        if isinstance(value, list | tuple):
            return [self.json(entry) for entry in value]
        return value


class RedactedStream:
    """Redacts bytes that come in pieces: a secret may begin in one piece and end in the next.

    What could be the beginning of a secret is held back until the next piece, or `rest`.

    Args:
        redactor: Which secrets.
    """

    def __init__(self, redactor: Redactor) -> None:
        self._redactor = redactor
        self._back = max(redactor.longest - 1, 0)
        self._held = ""

    def feed(self, piece: bytes) -> bytes:
        """Return what can be told by now."""
        if not self._back:
            return piece
        # Any byte has a character of its own here; secrets are looked for as they are encoded.
        text = self._redactor.text(self._held + piece.decode("latin-1"))
        # No secret reaches beyond a line: those of several lines are known line by line.
        cut = max(text.rfind("\n") + 1, len(text) - self._back)
        told, self._held = text[:cut], text[cut:]
        return told.encode("latin-1", "replace")

    def rest(self) -> bytes:
        """Return what was held back, at the end."""
        told, self._held = self._redactor.text(self._held), ""
        return told.encode("latin-1", "replace")


def _secrets(name: str, value: str) -> list[str]:
    """Return what of a variable's value is secret."""
    if _LOOKS_SECRET.search(name) and not _HARMLESS.search(name):
        lines = [line for line in value.splitlines() if len(line) >= _SHORTEST_LINE]
        return [secret for secret in (value.strip(), *lines) if len(secret) >= SHORTEST]
    password = _password(value)
    return [password] if password and len(password) >= SHORTEST else []


def _password(value: str) -> str | None:
    """Return the password of an address such as `postgres://user:password@host/`."""
    if "://" not in value or "@" not in value:
        return None
    try:
        return urlsplit(value).password
    except ValueError:
        return None


def _forms(secret: str) -> set[str]:
    """Return how a secret looks in plain text, as bytes, in JSON and in an address."""
    plain = secret.encode("utf-8", "surrogateescape")
    escaped = {json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]}
    return {secret, plain.decode("latin-1"), *escaped, quote(plain, safe="")}
