"""Which variables hold secrets, and what of their values is secret. Pure.

The documentation has the same table; a test compares them.
"""

from __future__ import annotations

import contextlib
import json
import re
import shlex
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

#: A name with one of these words looks like a secret's; each stands for its plural too. Words are
#: parted by `_`, `-`, `.` or a change of case.
WORDS = (
    *("KEY", "PASS", "PASSPHRASE", "PWD", "PW", "CREDENTIAL", "CRED", "AUTH", "AUTHORIZATION"),
    *("BEARER", "COOKIE", "PAT", "JWT", "SIGNATURE", "SALT", "DSN", "WEBHOOK", "SAS"),
)
#: So does a name with one of these anywhere in it.
PARTS = ("TOKEN", "SECRET", "PASSWORD", "PASSWD", "APIKEY", "ACCESSKEY", "PRIVATEKEY")
#: Names that look so, but whose values are not secret if they look like a path,
PATHS = ("FILE", "PATH", "DIR", "SOCK", "SOCKET", "HOME", "CREDENTIAL")
#: a number,
NUMBERS = ("MAX", "MIN", "COUNT", "LIMIT", "TTL", "MS", "SECONDS", "TIMEOUT", "SIZE", "LENGTH")
#: or always.
OTHERS = ("TYPE", "NAME", "HOST", "URL", "URI", "TOKENIZER")
_HARMLESS = re.compile(r"(OLD)?PWD|XAUTHORITY|.*TOKENIZERS?_.*", re.IGNORECASE)

_WORD = re.compile(r"[A-Za-z0-9]+")
_CASES = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_A_PATH = re.compile(r"(~?|\.{1,2})/[^\n]*|[A-Za-z]:[\\/][^\n]*")
_A_NUMBER = re.compile(r"[0-9]+(\.[0-9]+)?")

#: Shorter values are words and numbers, which occur in every text.
MIN_SECRET_CHARS = 6
#: A part of a value, such as a line or an entry of a list, counts from this length.
MIN_PART_CHARS = 12
_MIN_LEAF_CHARS = 8
_MANY_PARTS = 4
#: A name in an address that has no password is a token from this length.
_MIN_USER_CHARS = 16

# An address is looked for where a word begins, or a long word would be looked at from every letter.
_USER = re.compile(r"(?<![\w+.-])[\w+.-]+://([^\s/@]+)@")
_ADDRESS = re.compile(r"(?<![\w+.-])[\w+.-]+://[^\s:/@]*:(\S+)@")
_ASSIGNED = re.compile(
    r"(?:^|[?&;,\s])[\w.-]*(?:password|passwd|pwd|token|secret|accountkey|accesskey|accesskeyname"
    r"|sharedaccesskey|api[_-]?key|sig)\s*=\s*([^&;\s'\",]+)",
    re.IGNORECASE,
)
_OPTION = re.compile(r"--?(?P<name>[A-Za-z][\w.-]*)(?:=(?P<value>.*))?", re.DOTALL)
_ASSIGNMENT = re.compile(r"(?P<name>[A-Za-z_]\w*)=(?P<value>.+)", re.DOTALL)
_HEADER = re.compile(
    r"(?:proxy-)?authorization\s*:\s*(?:\w+\s+)?(\S+)|x-[\w-]*key\s*:\s*(\S+)", re.IGNORECASE
)


def described() -> str:
    """Return which names look like secrets', as the documentation has it."""
    parts = ", ".join(f"`*{part}*`" for part in PARTS)
    words = ", ".join(f"`{word}`" for word in WORDS)
    return f"{parts}, and those that have, between `_`, a word {words}, or its plural"


def looks_secret(name: str) -> bool:
    """Tell whether the name of a variable looks like a secret's."""
    whole = name.upper()
    return any(part in whole for part in PARTS) or bool(_words(name) & set(WORDS))


def secrets_of(name: str, value: str) -> list[str]:
    """Return what of a variable's value is secret: the whole, its parts, or a password in it."""
    found = [value.strip(), *_parts(value)] if _is_secret(name, value) else []
    found += _passwords(value)
    return [secret for secret in dict.fromkeys(found) if len(secret) >= MIN_SECRET_CHARS]


def secret_arguments(argv: Sequence[str]) -> dict[str, str]:
    """Return the secrets that a command has in its arguments, by names made of its options.

    Such as `--api-key X`, `--token=X`, `KEY=X`, and `-H "Authorization: Bearer X"`.
    """
    found: dict[str, str] = {}
    for place, word in enumerate(argv):
        option, assigned = _OPTION.fullmatch(word), _ASSIGNMENT.fullmatch(word)
        match = option or assigned
        if match is not None and looks_secret(match["name"]):
            value = match["value"]
            if value is None and place + 1 < len(argv) and not argv[place + 1].startswith("-"):
                value = argv[place + 1]
            name = re.sub(r"\W", "_", match["name"]).upper()
            if value and secrets_of(name, value):
                found[name if name not in found else f"{name}_{place}"] = value
        for header in _HEADER.finditer(word):
            found[f"AUTHORIZATION_{place}"] = header[1] or header[2]
    return found


def _words(name: str) -> set[str]:
    words = [word.upper() for part in _WORD.findall(name) for word in _CASES.split(part)]
    # Of `KEYS` and `PASSES`, the one thing.
    return {*words, *(w.removesuffix("S") for w in words), *(w.removesuffix("ES") for w in words)}


def _is_secret(name: str, value: str) -> bool:
    if not looks_secret(name) or _HARMLESS.fullmatch(name):
        return False
    words, value = _words(name), value.strip()
    last = _words(_WORD.findall(name)[-1])
    if (last & set(PATHS)) and _A_PATH.fullmatch(value):
        return False
    if (words & set(NUMBERS)) and _A_NUMBER.fullmatch(value):
        return False
    # A webhook's address is one.
    return not (last & set(OTHERS)) or "WEBHOOK" in words


def _parts(value: str) -> Iterator[str]:
    """Yield what a secret may be quoted by: its lines, its entries, the values of its JSON."""
    yield value.strip().strip("'\"")
    parts = [*value.splitlines(), *re.split(r"[,;\s]+", value)]
    if ":" in value and "://" not in value:
        parts.append(value.partition(":")[2])
    # The two halves of a short value; of a text of many words, the long ones.
    floor = MIN_SECRET_CHARS if len(parts) < _MANY_PARTS else MIN_PART_CHARS
    plain = (part.strip().strip("'\"{}[]") for part in parts)
    yield from (part for part in plain if len(part) >= floor)
    if value.lstrip().startswith(("{", "[")):
        with contextlib.suppress(ValueError, RecursionError):
            yield from (leaf for leaf in _leaves(json.loads(value)) if len(leaf) >= _MIN_LEAF_CHARS)


def _leaves(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for entry in value.values():
            yield from _leaves(entry)
    elif isinstance(value, list):
        for entry in value:
            yield from _leaves(entry)


def _passwords(value: str) -> Iterator[str]:
    """Yield the passwords in an address or a list of settings, whatever the variable is called."""
    if "://" in value and "@" in value:
        found = [match[1] for match in _ADDRESS.finditer(value)]
        with contextlib.suppress(ValueError):
            found.append(urlsplit(value.strip()).password or "")
        users = (match[1] for match in _USER.finditer(value) if ":" not in match[1])
        found += [user for user in users if len(user) >= _MIN_USER_CHARS]
        for password in found:
            yield password
            yield unquote(password)
    if "=" in value:
        yield from (match[1] for match in _ASSIGNED.finditer(value))


def argument_secrets(arguments: Sequence[object]) -> dict[str, str]:
    """Return the secrets among pytest's own arguments, one of which may be a whole command."""
    words = [word for given in map(str, arguments) for word in (given, *_command_words(given))]
    return secret_arguments(words)


def _command_words(argument: str) -> list[str]:
    """Return the words of an argument that may be a command itself, such as `--ptc-command=...`."""
    try:
        words = shlex.split(argument)
    except ValueError:
        words = argument.split()
    return [part for word in words for part in (word, *word.split("=", 1)[1:])]
