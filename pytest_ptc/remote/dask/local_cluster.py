"""A cluster of Dask's on this machine, for one run: a process of its own that makes it.

Not in pytest's process: its logs are not pytest's, its scheduler does not wait for pytest's
threads, and it ends with its standard input, so also when pytest was killed. It talks by TLS with a
certificate of its own that is on no disk: else any account of the machine could run programs by it.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile

import dask.config
from distributed import LocalCluster
from distributed.security import Security

#: Processes; each is a node.
NODES = 2
#: What a Dask client needs to know of a `Security`.
SECURITY_FIELDS = ("tls_ca_file", "tls_client_cert", "tls_client_key")


async def serve(threads: int) -> None:
    """Make a cluster, tell of it on standard output, and end it with standard input."""
    # A node's numbers of threads for libraries of numbers are no business of agents.
    dask.config.set({"distributed.nanny.pre-spawn-environ": {}})
    security = Security.temporary()
    with tempfile.TemporaryDirectory(prefix="ptc-dask-") as folder:
        # The scheduler's own files, too: they would stay.
        dask.config.set({"temporary-directory": folder})
        async with LocalCluster(
            n_workers=NODES,
            threads_per_worker=threads,
            processes=True,
            host="127.0.0.1",
            protocol="tls://",
            security=security,
            dashboard_address=None,
            memory_limit=0,  # agents are not what Dask would free by ending a node
            local_directory=folder,
            silence_logs=logging.CRITICAL,
            asynchronous=True,
        ) as cluster:
            told = {name: getattr(security, name) for name in SECURITY_FIELDS}
            print(json.dumps({"address": cluster.scheduler_address, **told}), flush=True)  # noqa: T201 - the pipe
            await asyncio.to_thread(sys.stdin.buffer.read)


if __name__ == "__main__":
    asyncio.run(serve(int(sys.argv[1])))
