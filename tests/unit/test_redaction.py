"""Secrets in whatever form they come, and whatever is none."""

from __future__ import annotations

import json
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.redaction import SHORTEST, RedactedStream, Redactor

KEY = "sk-live-0123456789"


@pytest.mark.parametrize(
    "name",
    [
        "ANTHROPIC_API_KEY",
        "CLAUDE_CODE_OAUTH_TOKEN",
        "GITHUB_TOKEN",
        "AWS_SECRET_ACCESS_KEY",
        "DB_PASSWORD",
        "NPM_AUTH",
        "PGPASSWORD",
        "MYAPIKEY",
        "api_key",
        "GITLAB_PAT",
        "SESSION_COOKIE",
        "PTC_TOKEN",
    ],
)
def test_a_variable_whose_name_looks_so_holds_a_secret(name: str) -> None:
    """Its value is replaced by its name, wherever it stands."""
    assert Redactor({name: KEY}).text(f"say {KEY}!") == f"say [redacted {name}]!"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PATH", "/usr/local/bin"),
        ("PWD", "/home/somebody/project"),
        ("OLDPWD", "/home/somebody"),
        ("SSH_AUTH_SOCK", "/tmp/ssh-abcdef/agent.1"),
        ("XAUTHORITY", "/home/somebody/.Xauthority"),
        ("CLAUDE_CODE_MAX_OUTPUT_TOKENS", "320000"),
        ("CLAUDE_CODE_API_KEY_HELPER_TTL_MS", "3600000"),
        ("DB_PASSWORD_FILE", "/run/secrets/db"),
        ("MONKEY", "banana split"),
        ("KEYBOARD", "qwertyuiop"),
        ("API_KEY", "short"),
        ("API_KEY", ""),
        ("HOMEPAGE", "https://somebody@example.org/"),
    ],
)
def test_what_is_no_secret_is_left_alone(name: str, value: str) -> None:
    """Directories, sockets, numbers and words that happen to have such a name or to be short."""
    assert Redactor({name: value}).text(f"say {value}!") == f"say {value}!"


def test_the_password_in_an_address_is_a_secret() -> None:
    """Whatever the variable is called; the rest of the address can be read."""
    redactor = Redactor({"DATABASE_URL": "postgres://app:hunter22@db:5432/x"})
    told = redactor.text("no route to postgres://app:hunter22@db:5432/x")
    assert told == "no route to postgres://app:[redacted DATABASE_URL]@db:5432/x"


def test_a_secret_of_several_lines_is_found_line_by_line() -> None:
    """A private key that a terminal prints is as secret as the one in a variable."""
    lines = ["-----BEGIN KEY-----", "MIIEvQIBADANBgkqhkiG9w0", "-----END KEY-----"]
    redactor = Redactor({"DEPLOY_KEY": "\n".join(lines)})
    for text in ("\n".join(lines), lines[1]):
        assert "MIIE" not in redactor.text(text)


@pytest.mark.parametrize("secret", ['a"b\\c/d e', "pässwörd-€uro", "line\nbreak-of-a-secret"])
def test_a_secret_is_found_as_json_and_addresses_write_it(secret: str) -> None:
    """Escapes do not hide it."""
    redactor = Redactor({"API_KEY": secret})
    for text in (json.dumps({"k": secret}), json.dumps({"k": secret}, ensure_ascii=False)):
        assert secret not in json.loads(redactor.text(text))["k"]
    assert redactor.text(f"https://x/?k={quote(secret, '')}") == "https://x/?k=[redacted API_KEY]"


def test_json_is_redacted_in_keys_and_values() -> None:
    """What is not a text stays as it is."""
    redactor = Redactor({"API_KEY": KEY})
    value = {KEY: [KEY, 1, None, {"x": (KEY,)}], "y": True}
    told = redactor.json(value)
    assert KEY not in json.dumps(told)
    assert told["[redacted API_KEY]"][1:3] == [1, None]
    assert told["y"] is True


def test_the_longer_of_two_secrets_is_replaced_as_a_whole() -> None:
    """One that begins with another is not left half."""
    redactor = Redactor({"A_KEY": "0123456789", "B_KEY": "0123456789-abc"})
    assert redactor.text("0123456789-abc") == "[redacted B_KEY]"


def test_another_environment_adds_to_what_is_known() -> None:
    """The wider one knows both; the first learns nothing of it."""
    first = Redactor({"A_KEY": "aaaaaaaa"})
    wider = first.plus({"B_KEY": "bbbbbbbb"})
    assert wider.text("aaaaaaaa bbbbbbbb") == "[redacted A_KEY] [redacted B_KEY]"
    assert first.text("bbbbbbbb") == "bbbbbbbb"


@given(st.binary(max_size=40), st.binary(max_size=40), st.lists(st.integers(0, 120), max_size=6))
def test_pieces_do_not_hide_a_secret(before: bytes, after: bytes, cuts: list[int]) -> None:
    """However a program's output is cut, what is told is that of the whole, and nothing is lost."""
    redactor = Redactor({"API_KEY": KEY})
    text = before + KEY.encode() + after
    places = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    stream = RedactedStream(redactor)
    pieces = [text[start:end] for start, end in pairwise(places)]
    told = b"".join([*map(stream.feed, pieces), stream.rest()])
    assert KEY.encode() not in told
    assert told == redactor.text(text.decode("latin-1")).encode("latin-1")


def test_a_stream_without_secrets_is_not_touched() -> None:
    """Bytes that are no text pass as they are."""
    stream = RedactedStream(Redactor())
    assert stream.feed(b"\xff\x00a") + stream.rest() == b"\xff\x00a"


def test_the_shortest_secret_is_long_enough_not_to_be_a_word() -> None:
    """`true` and `1234` are values of such variables, too."""
    assert len("false") < SHORTEST
