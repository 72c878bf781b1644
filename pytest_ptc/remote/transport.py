"""Over which connections a run may go to a cluster, and what of it is secret. Pure.

Without TLS whoever is on the network reads all that a run sends, and can change it. So such
connections stay on this machine, unless somebody asks for more by name; and they carry no secret to
another machine, whoever asks.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.text.secret_names import secret_arguments, secrets_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

#: The address of a cluster that is made for the run, on this machine.
LOCAL = "local"
_ADDRESS = re.compile(
    r"(?:(?P<scheme>[a-z][a-z0-9+.-]*)://)?"
    r"(?P<host>\[[0-9a-f:.%]+\]|[^\s/:@\[\]]+):(?P<port>[0-9]{1,5})/?",
    re.IGNORECASE,
)
_SCHEMES = ("tls", "tcp")
_MOST_PORTS = 65535
_FORM = "it must be local, tls://HOST:PORT or tcp://HOST:PORT"


class Address(NamedTuple):
    """Where a process of Dask's listens.

    Args:
        scheme: `tls` or `tcp`.
        host: A name, or an IP address without brackets.
        port: Its port.
    """

    scheme: str
    host: str
    port: int

    @classmethod
    def parse(cls, text: str) -> Address | None:
        """Return the address that a text is, or None; without a scheme it is `tcp`, as in Dask."""
        match = _ADDRESS.fullmatch(text.strip())
        if match is None or not 0 < int(match["port"]) <= _MOST_PORTS:
            return None
        scheme = (match["scheme"] or "tcp").lower()
        return cls(scheme, match["host"].strip("[]"), int(match["port"]))

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{self.scheme}://{host}:{self.port}"

    @property
    def is_clear(self) -> bool:
        """Tell whether what goes there leaves this machine without TLS."""
        return self.scheme != "tls" and not self._is_here

    @property
    def _is_here(self) -> bool:
        if self.host.lower() == "localhost":
            return True
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return False  # a name may be anybody's


def scheduler_address(said: str, *, insecure: bool, secrets: Sequence[str]) -> Address | None:
    """Return where a cluster's scheduler is; None for a cluster that is made for the run.

    Args:
        said: What the user calls it.
        insecure: Whether connections without TLS may leave this machine.
        secrets: What the run would send that is secret, in words.

    Raises:
        ConfigError: It is no address, or the run must not go there.
    """
    if said.strip() == LOCAL:
        return None
    address = Address.parse(said)
    if address is None:
        raise ConfigError(f"--ptc-dask-scheduler: {said!r:.80} is no address: {_FORM}")
    if address.scheme not in _SCHEMES:
        raise ConfigError(
            f"--ptc-dask-scheduler: {said!r:.80}: there is no {address.scheme}:// here: {_FORM}"
        )
    problem = clear_problem(address, insecure=insecure, secrets=secrets)
    if problem is not None:
        raise ConfigError(f"--ptc-dask-scheduler: {problem}")
    return address


def clear_problem(address: Address, *, insecure: bool, secrets: Sequence[str]) -> str | None:
    """Return why a run must not go to an address; None if it may."""
    if not address.is_clear:
        return None
    if secrets:
        return (
            f"{address} has no TLS, and {_listed(secrets)} would go over the network as it is, for "
            f"all to read: use tls://, or give agents on nodes their keys there, in the "
            f"environment of the Dask worker"
        )
    if insecure:
        return None
    return (
        f"{address} has no TLS: whoever is on the network could run programs on the nodes, and "
        f"change verdicts. Use tls:// with certificates in Dask's configuration "
        f"(distributed.comm.tls), or allow it by --ptc-dask-insecure"
    )


def secrets_sent(
    variables: Mapping[str, Mapping[str, str]], commands: Mapping[str, Sequence[str]]
) -> tuple[str, ...]:
    """Return what of a run is secret and would be sent to nodes, in words, values never.

    Args:
        variables: Environment variables, by where they are said, such as `ptc_env`.
        commands: Commands with their arguments, by where they are said.
    """
    found = [
        f"{name} of {place}"
        for place, entries in variables.items()
        for name, value in entries.items()
        if secrets_of(name, value)
    ]
    found += [
        f"the secret argument {name} of {place}"
        for place, argv in commands.items()
        for name in secret_arguments(argv)
    ]
    return tuple(dict.fromkeys(found))


def _listed(words: Sequence[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}"
