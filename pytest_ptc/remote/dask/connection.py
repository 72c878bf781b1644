"""Whether a Dask scheduler can be reached, and if not, what is wrong with it.

Dask itself tries for 30 s and tells little. This asks in the order in which things fail: the name,
the port, TLS, the other side's answer.
"""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
import threading
import warnings
from typing import TYPE_CHECKING, Any

from pytest_ptc.model.errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from pytest_ptc.remote.transport import Address

#: Seconds that it may take to find out that there is none.
CHECK_S = 3.0
#: Seconds to reach the port, also where the first packet is lost; and for each step after that.
_PORT_S = 2.5
_STEP_S = 1.2
#: Seconds that one which begins like Dask's has to answer: it may be busy, or far away.
_ANSWER_S = 10.0
_CERTIFICATES = "distributed.comm.tls.ca-file, client.cert and client.key in Dask's configuration"
_NO_DASK = "that is no Dask scheduler: correct the address"
_SILENT = "it listens, and says nothing: is that a Dask scheduler, or is it stopped?"
_BUSY = f"it begins like Dask, and does not answer within {_ANSWER_S:.0f} s: is it too busy?"
_REFUSED = (
    "it refuses our certificate: are distributed.comm.tls.client.cert and client.key of its "
    f"authority? They are {_CERTIFICATES}"
)
#: A message of Dask's begins with its length; the first one tells of compression and versions.
_LENGTH_BYTES = 8
_LONGEST_GREETING = 1 << 20
INSTALL = "--ptc-host=dask needs Dask: pip install 'pytest-ptc[dask]'"


def check_scheduler(address: Address) -> None:
    """Find out whether there is a Dask scheduler at an address that talks to us.

    Raises:
        ConfigError: There is none; the message says why, and what to do.
    """
    import_dask()
    problem: list[str | None] = []
    greeted = threading.Event()
    # A look-up of a name cannot be interrupted: it may go on in a thread of its own.
    thread = threading.Thread(
        target=lambda: problem.append(_run(_problem(address, greeted.set))),
        name="ptc-dask-check",
        daemon=True,
    )
    thread.start()
    thread.join(CHECK_S)
    if greeted.is_set():
        thread.join(_ANSWER_S + 1.0)
    words = problem[0] if problem else "it does not answer: is the address right, and the network?"
    if words is not None:
        raise ConfigError(f"--ptc-dask-scheduler: {address}: {words}")


def import_dask(*, local: bool = False) -> None:
    """Import Dask, whatever pytest makes of warnings.

    Args:
        local: Whether a cluster is made for the run, which has a certificate of its own.

    Raises:
        ConfigError: It is not installed, or not all of the extra.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            import distributed  # noqa: F401, PLC0415 - 0.6 s, and only here

            if local:
                import cryptography  # noqa: F401, PLC0415 - as above
        except ImportError as error:
            missing = error.name in ("dask", "distributed", "cryptography")
            raise ConfigError(INSTALL if missing else f"{INSTALL} ({error})") from None


def _run(work: Coroutine[Any, Any, str | None]) -> str | None:
    loop = asyncio.new_event_loop()
    try:
        return loop.run_until_complete(work)
    except Exception as error:  # noqa: BLE001 - whatever it is, the scheduler cannot be used
        return f"{type(error).__name__}: {error}"
    finally:
        # Not the default executor: it waits for a look-up of a name.
        loop.close()


async def _problem(address: Address, greeted: Callable[[], None]) -> str | None:
    """Return what keeps us from a scheduler, or None.

    Args:
        address: Where it is.
        greeted: Is called when the other side begins like Dask's.
    """
    from distributed.security import Security  # noqa: PLC0415 - see import_dask

    context = None
    problem = await _port_problem(address)
    if problem is None and address.scheme == "tls":
        try:
            context = Security().get_connection_args("client").get("ssl_context")
        except (OSError, ValueError) as error:
            return f"the certificates of {_CERTIFICATES} cannot be used: {error}"
        if context is None:
            return f"TLS needs certificates: set {_CERTIFICATES}"
    if problem is None:
        problem = await _greeting_problem(address, context)
    if problem is None:
        greeted()
        problem = await _dask_problem(address)
    return problem


async def _port_problem(address: Address) -> str | None:
    try:
        _, writer = await _connected(address, None, _PORT_S)
    except socket.gaierror:
        return f"there is no host {address.host}: correct the address"
    except asyncio.TimeoutError:
        return "it does not answer: is the address right, and does a firewall let it through?"
    except OSError as error:
        return f"nothing listens there ({error.strerror or error}): is `dask scheduler` running?"
    await _left(writer)
    return None


async def _greeting_problem(address: Address, context: ssl.SSLContext | None) -> str | None:
    """Return what is wrong with how the other side begins: Dask's begins with a short message."""
    try:
        reader, writer = await _connected(address, context)
    except ssl.SSLCertVerificationError as error:
        return (
            f"its certificate is not one of our authority's ({error.verify_message}): is it the "
            f"right cluster, and distributed.comm.tls.ca-file the file that made its certificate?"
        )
    except (OSError, asyncio.TimeoutError):
        return "it does not speak TLS: is it tcp://, or another program's port?"
    try:
        begun = await asyncio.wait_for(reader.readexactly(_LENGTH_BYTES), _STEP_S)
    except (OSError, asyncio.TimeoutError, asyncio.IncompleteReadError) as error:
        silent = isinstance(error, asyncio.TimeoutError)
        if context is None:
            return await _tls_instead(address, _SILENT if silent else _NO_DASK)
        # Whose certificate is refused hears that after its own handshake.
        return _SILENT if silent else _REFUSED
    finally:
        await _left(writer)
    return None if int.from_bytes(begun, "little") < _LONGEST_GREETING else _NO_DASK


async def _tls_instead(address: Address, otherwise: str) -> str:
    anybody = ssl.create_default_context()
    anybody.check_hostname, anybody.verify_mode = False, ssl.CERT_NONE
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        _, writer = await _connected(address, anybody)
        await _left(writer)
        return f"it speaks TLS: use tls://{str(address).partition('://')[2]}"
    return otherwise


async def _dask_problem(address: Address) -> str | None:
    from distributed import rpc  # noqa: PLC0415 - as above
    from distributed.security import Security  # noqa: PLC0415

    arguments = Security().get_connection_args("client")
    there = rpc(str(address), timeout=_ANSWER_S, connection_args=arguments)
    try:
        told = await asyncio.wait_for(there.identity(), _ANSWER_S)
    except RuntimeError as error:
        return str(error)  # Dask's own configuration asks for encryption
    except asyncio.TimeoutError:
        return _BUSY
    except (OSError, ValueError, TypeError, EOFError):
        return _NO_DASK
    finally:
        await there.close_rpc()
    kind = told.get("type", "") if isinstance(told, dict) else ""
    if kind.endswith(("Worker", "Nanny")):
        return f"that is a Dask {kind.lower()}, not the scheduler: give the scheduler's address"
    return None if "workers" in told else _NO_DASK


async def _connected(
    address: Address, context: ssl.SSLContext | None, seconds: float = _STEP_S
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    connecting = asyncio.open_connection(address.host, address.port, ssl=context)
    return await asyncio.wait_for(connecting, seconds)


async def _left(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError, asyncio.TimeoutError):
        await asyncio.wait_for(writer.wait_closed(), 0.3)
