"""Secrets in whatever form they come, and whatever is none."""

from __future__ import annotations

import json
from itertools import pairwise
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.text.redaction import MIN_SECRET_CHARS, RedactedStream, Redactor
from pytest_ptc.text.secret_names import secret_arguments

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


@pytest.mark.parametrize(
    ("name", "value", "secrets"),
    [
        ("API_TOKENS", "q7Vd0pXw2nLk5sRt", ["q7Vd0pXw2nLk5sRt"]),
        ("API_TOKENS", "tok-aaaa,tok-bbbb", ["tok-aaaa", "tok-bbbb"]),
        ("TOKENS", "abcdefgh", ["abcdefgh"]),
        ("MY_SECRETS_JSON", '{"db": {"pw": "hunter22x"}}', ["hunter22x"]),
        ("MYSECRET2", "abcdefgh", ["abcdefgh"]),
        ("KEYS_OF_MINE", "abcdefgh", ["abcdefgh"]),
        ("GH_PAT", "ghp_abcdef", ["ghp_abcdef"]),
        ("AWS_ACCESS_KEY_ID", "AKIAabcdefgh", ["AKIAabcdefgh"]),
        ("AWS_SECRET_ACCESS_KEY", "/abc/defgh+ijkl=", ["/abc/defgh+ijkl="]),
        ("AWS_SESSION_TOKEN", "abcdefgh", ["abcdefgh"]),
        ("BASIC_AUTH", "user:hunter22", ["hunter22"]),
        ("SSH_PRIVATE_KEY", "-----B-----\nabcdefghijklmnop\nshort", ["abcdefghijklmnop"]),
        ("GOOGLE_CREDENTIALS", "abcdefgh", ["abcdefgh"]),
        ("SENTRY_DSN", "https://abcdefghijklmnopqrst@sentry.io/1", ["abcdefghijklmnopqrst"]),
        ("DATABASE_URL", "postgres://app:hun/ter@22@db/x", ["hun/ter@22"]),
        ("REDIS", "redis://:p%40ssword@h", ["p%40ssword", "p@ssword"]),
        ("GIT_REMOTE", "https://ghp_0123456789abcdef@x/y", ["ghp_0123456789abcdef"]),
        ("CONNECTION", "Server=x;User=y;Password=hunter22x;", ["hunter22x"]),
        ("HOOK", "https://x/?a=b&token=abcdefgh", ["abcdefgh"]),
        ("SLACK_WEBHOOK_URL", "https://hooks.x/T0/B0/abc", ["https://hooks.x/T0/B0/abc"]),
        ("apiKey", "abcdefgh", ["abcdefgh"]),
        ("npm_config_//registry/:_authToken", "abcdefgh", ["abcdefgh"]),
        ("DB_PASSWORD_FILE", "hunter2hunter2", ["hunter2hunter2"]),
        ("MAX_TOKENS", "abcdefgh", ["abcdefgh"]),
        ("APP_PASSWORD", "123456", ["123456"]),
        ("QUOTED_KEY", '"abcdefgh"', ["abcdefgh"]),
    ],
)
def test_what_of_a_value_is_secret(name: str, value: str, secrets: list[str]) -> None:
    """The whole, an entry of a list, a value in JSON, a line, the password in an address."""
    told = Redactor({name: value}).text(" and ".join(secrets))
    assert told == " and ".join([f"[redacted {name}]"] * len(secrets))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("MAX_TOKENS", "4000000"),
        ("X_TOKEN_COUNT", "1234567"),
        ("TOKENIZERS_PARALLELISM", "false-or-so"),
        ("GOOGLE_APPLICATION_CREDENTIALS", "/home/somebody/key.json"),
        ("SSH_KEY_PATH", "~/.ssh/id"),
        ("TOKEN_TYPE", "bearer-token"),
        ("TOKEN_URL", "https://login.example.org/oauth2"),
        ("COMPASS", "northnorth"),
        ("GIT_AUTHOR_NAME", "Somebody"),
        ("TURKEYS", "gobbling"),
    ],
)
def test_other_names_hold_none(name: str, value: str) -> None:
    """Numbers, paths and kinds beside secrets."""
    assert Redactor({name: value}).text(f"say {value}!") == f"say {value}!"


def test_secrets_among_arguments_are_known() -> None:
    """Of options, of assignments and of headers; numbers and paths are none."""
    argv = ["tool", "--api-key", "sk-live-1", "--token=abcdefgh", "FOO_TOKEN=ijklmnop", "-H"]
    argv += ["Authorization: Bearer qrstuvwx", "--max-tokens", "4000000", "--key-file", "/a/b/c"]
    found = secret_arguments(argv)
    assert sorted(found.values()) == ["abcdefgh", "ijklmnop", "qrstuvwx", "sk-live-1"]
    told = Redactor(found).text(" ".join(argv))
    assert not [secret for secret in found.values() if secret in told]
    assert "--max-tokens 4000000 --key-file /a/b/c" in told


LONG = "q7Vd0pXw2nLk5sRt8uYb1eZc4aHj6mGf9iOq3xSv7Wdk"


@pytest.mark.parametrize("end", ["", "\n", "...", "\u2026", "[cut]", '"', "\\nx"])
def test_a_piece_of_a_secret_that_was_cut_off_is_redacted(end: str) -> None:
    """From twelve characters on; not where it goes on in another way, for that is another word."""
    redactor = Redactor({"MY_SECRET": LONG})
    for length in range(12, len(LONG)):
        assert redactor.text(f"x {LONG[:length]}{end}") == f"x [redacted MY_SECRET]{end}"
    assert redactor.text(f"{LONG[:12]} and so on") == f"{LONG[:12]} and so on"


@given(
    st.lists(st.sampled_from(["x", "yz" * 7, LONG, LONG[:20], "\n"]), max_size=12),
    st.integers(0, 90),
)
def test_the_head_of_a_text_is_that_of_the_redacted_one(parts: list[str], most: int) -> None:
    """However much of it is taken."""
    redactor = Redactor({"MY_SECRET": LONG})
    text = "".join(parts)
    told = redactor.head(text, most)
    assert told == redactor.text(text)[:most]


@given(
    st.lists(st.sampled_from(["ab", "abab", "abababab", "ababab\nabab", LONG, LONG[:15], "c\n"])),
    st.lists(st.integers(0, 200), max_size=8),
)
def test_a_stream_tells_what_the_whole_text_does(parts: list[str], cuts: list[int]) -> None:
    """Of secrets that overlap, begin as each other do, and have several lines."""
    redactor = Redactor({"A_KEY": "abababab", "B_KEY": "ababab\nababab", "C_KEY": LONG})
    text = "".join(parts).encode()
    places = [0, *sorted(cut for cut in cuts if cut <= len(text)), len(text)]
    stream = RedactedStream(redactor)
    told = b"".join([*(stream.feed(text[a:b]) for a, b in pairwise(places)), stream.rest()])
    assert told.decode() == redactor.text(text.decode())


def test_words_of_ours_stay_where_they_are_ours() -> None:
    """Names of fields, kinds and states; the texts beside them are redacted, and all data."""
    words = ["verdict", "critical", "summary", "findings", "object", "worker", "string", "123456"]
    redactor = Redactor({f"APP_PASSWORD_{word}": word for word in words})
    value = {
        "event": "worker lost",
        "worker": "123456",
        "schema": {"type": "object", "properties": {"summary": {"type": "string"}}},
        "verdict": {
            "verdict": "critical",
            "summary": "a critical verdict",
            "findings": [{"severity": "critical", "message": "critical"}],
            "data": {"summary": "x", "y": ["object"]},
        },
    }
    told = redactor.json(value)
    assert {**told, "verdict": None} == {**value, "verdict": None}
    verdict = told["verdict"]
    assert verdict["verdict"] == "critical"
    assert verdict["summary"] == (
        "a [redacted APP_PASSWORD_critical] [redacted APP_PASSWORD_verdict]"
    )
    assert verdict["findings"] == [
        {"severity": "critical", "message": "[redacted APP_PASSWORD_critical]"}
    ]
    assert verdict["data"] == {
        "[redacted APP_PASSWORD_summary]": "x",
        "y": ["[redacted APP_PASSWORD_object]"],
    }


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
    assert len("false") < MIN_SECRET_CHARS
