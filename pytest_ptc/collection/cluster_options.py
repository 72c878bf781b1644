"""The options of workers on a Dask cluster; certificates are Dask's own configuration. Pure.

Every pytest run on the machine imports this.
"""

from __future__ import annotations

from pytest_ptc.collection.option import Option
from pytest_ptc.collection.value_types import (
    FLAG,
    SECONDS,
    TEXT,
    VARIABLE_NAMES,
    one_of,
    whole_from,
)
from pytest_ptc.model.choices import DaskCode, DaskNodeHost

CLUSTER_OPTIONS = (
    Option(
        "dask_scheduler",
        TEXT,
        "",
        "with --ptc-host=dask: the address of the cluster's scheduler, tls://HOST:PORT, or local "
        "(a cluster of two processes on this machine, for this run)",
        metavar="ADDRESS|local",
    ),
    Option(
        "dask_insecure",
        FLAG,
        False,
        "with --ptc-host=dask: allow connections without TLS to other machines, tcp://HOST:PORT, "
        "for runs that send no secret: whoever is on the network reads and changes all of it",
    ),
    Option(
        "dask_code",
        one_of(DaskCode),
        "ship",
        "with --ptc-host=dask: how nodes come by the project: ship (it is sent, as git has it), or "
        "shared (they have it at the same path)",
        flag=False,
    ),
    Option(
        "dask_max_code",
        whole_from(1),
        20,
        "with --ptc-host=dask: how many MB of a project are sent to each node at most",
        flag=False,
    ),
    Option(
        "dask_lease",
        SECONDS,
        15.0,
        "with --ptc-host=dask: seconds after which a node that is not heard is lost, and ends its "
        "workers by itself",
        flag=False,
    ),
    Option(
        "dask_node_host",
        one_of(DaskNodeHost),
        "auto",
        "with --ptc-host=dask: where workers live on a node: tmux, process, or auto (tmux where it "
        "is installed)",
        flag=False,
    ),
    Option(
        "dask_resource",
        TEXT,
        "",
        "with --ptc-host=dask: the Dask resource of which each worker takes one, so that only "
        "nodes that offer it are used",
        flag=False,
    ),
    Option(
        "dask_env",
        VARIABLE_NAMES,
        (),
        "with --ptc-host=dask: the variables of pytest's environment that workers on nodes get "
        "(default: none; they have their node's environment)",
        flag=False,
    ),
)
