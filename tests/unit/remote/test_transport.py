"""Which connections a run may use, and what of it is secret."""

from __future__ import annotations

import pytest

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.remote.transport import Address, clear_problem, scheduler_address, secrets_sent


@pytest.mark.parametrize(
    ("said", "address", "clear"),
    [
        ("tls://sched.example:8786", Address("tls", "sched.example", 8786), False),
        ("tcp://127.0.0.1:8786", Address("tcp", "127.0.0.1", 8786), False),
        ("tcp://127.8.9.1:1", Address("tcp", "127.8.9.1", 1), False),
        ("tcp://[::1]:8786", Address("tcp", "::1", 8786), False),
        ("localhost:8786", Address("tcp", "localhost", 8786), False),
        (" TCP://LocalHost:8786/ ", Address("tcp", "LocalHost", 8786), False),
        ("sched:8786", Address("tcp", "sched", 8786), True),
        ("tcp://10.77.0.2:8786", Address("tcp", "10.77.0.2", 8786), True),
        ("tcp://0.0.0.0:8786", Address("tcp", "0.0.0.0", 8786), True),  # noqa: S104 - read, not bound
        ("tcp://[fe80::1]:8786", Address("tcp", "fe80::1", 8786), True),
        # Names and short forms that look like this machine's, and may be anybody's.
        ("tcp://localhost.example:8786", Address("tcp", "localhost.example", 8786), True),
        ("tcp://127.0.0.1.example:8786", Address("tcp", "127.0.0.1.example", 8786), True),
        ("tcp://127.1:8786", Address("tcp", "127.1", 8786), True),
    ],
)
def test_an_address_is_read_and_known_to_leave_the_machine(
    said: str, address: Address, clear: bool
) -> None:
    """Only what is certainly this machine counts as that."""
    assert Address.parse(said) == address
    assert address.is_clear == clear
    assert Address.parse(str(address)) == address


@pytest.mark.parametrize(
    "said",
    [
        *("", "8786", "tls://sched", "tls://sched:0", "tls://sched:65536", "tls://:8786"),
        *("tls://me@sched:8786", "tls://sched:8786/path", "tls://a b:1", "LOCALS"),
        *("inproc://a:1", "ws://sched:8786", "gateway://sched:8786", "http://sched:8786"),
    ],
)
def test_what_is_no_address_is_refused_with_the_forms_there_are(said: str) -> None:
    """Before anything connects."""
    with pytest.raises(ConfigError, match=r"^--ptc-dask-scheduler: .*tls://HOST:PORT"):
        scheduler_address(said, insecure=True, secrets=())


def test_local_is_a_cluster_for_the_run() -> None:
    """It has no address yet."""
    assert scheduler_address("local", insecure=False, secrets=("a secret",)) is None


@pytest.mark.parametrize(
    ("said", "insecure", "secrets", "problem"),
    [
        ("tls://far:1", False, ("KEY of ptc_env",), None),
        ("tcp://127.0.0.1:1", False, ("KEY of ptc_env",), None),
        ("tcp://far:1", True, (), None),
        ("tcp://far:1", False, (), "has no TLS: whoever .* --ptc-dask-insecure"),
        ("tcp://far:1", False, ("A of ptc_env",), "has no TLS, and A of ptc_env would go"),
        ("tcp://far:1", True, ("A of x", "B of x", "C of y"), "A of x, B of x and C of y would go"),
    ],
)
def test_without_tls_nothing_secret_leaves_the_machine(
    said: str, insecure: bool, secrets: tuple[str, ...], problem: str | None
) -> None:
    """Nor anything else, unless it is allowed by name."""
    address = Address.parse(said)
    assert address is not None
    found = clear_problem(address, insecure=insecure, secrets=secrets)
    if problem is None:
        assert found is None
        assert scheduler_address(said, insecure=insecure, secrets=secrets) == address
    else:
        with pytest.raises(ConfigError, match=problem):
            scheduler_address(said, insecure=insecure, secrets=secrets)


def test_what_would_be_sent_is_named_and_never_shown() -> None:
    """Variables by their names, arguments by their options, each with its place."""
    sent = secrets_sent(
        {
            "ptc_env": {"API_KEY": "canary-4711", "COLOUR": "blue", "KEY_FILE": "/etc/key"},
            "ptc_dask_env": {"DATABASE": "pg://me:canary-4712@db/x"},
        },
        {"ptc_command": ["judge", "--token", "canary-4713", "--level=3"]},
    )
    assert sent == (
        "API_KEY of ptc_env",
        "DATABASE of ptc_dask_env",
        "the secret argument TOKEN of ptc_command",
    )
