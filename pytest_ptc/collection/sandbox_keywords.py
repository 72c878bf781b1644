"""The keywords of a sandbox; see `keywords`. Every pytest run on the machine imports this."""

from __future__ import annotations

from pytest_ptc.collection.keyword_types import DefaultOption, Keyword
from pytest_ptc.collection.value_types import TEXTS, one_of, whole_from
from pytest_ptc.model.choices import SandboxNetwork, SandboxUse

SANDBOX_KEYWORDS = (
    Keyword(
        "sandbox",
        one_of(SandboxUse),
        "`bwrap`: the agent runs in [a sandbox](../guides/sandbox.md); `auto`: where this machine "
        "can make one",
        DefaultOption(
            "whether agents run in a sandbox of bubblewrap: bwrap, auto (where this machine can "
            "make one), off",
            value="off",
            flag=True,
            metavar="WHAT",
        ),
    ),
    Keyword(
        "sandbox_read",
        TEXTS,
        "more files and directories, from the root directory, that the agent may read in a sandbox",
        DefaultOption("files and directories that agents may read in a sandbox", value=()),
    ),
    Keyword(
        "sandbox_write",
        TEXTS,
        "more files and directories, from the root directory, that the agent may change in a "
        "sandbox; its own directory it may",
        DefaultOption("files and directories that agents may change in a sandbox", value=()),
    ),
    Keyword(
        "sandbox_network",
        one_of(SandboxNetwork),
        "`off`: the agent has no network in a sandbox; for agent `command` alone, since the others "
        "reach their model by it",
        DefaultOption("whether agents have the network in a sandbox: on or off", value="on"),
    ),
    Keyword(
        "sandbox_tmp",
        whole_from(1),
        "how many megabytes the agent may write into each of /tmp, /dev/shm and HOME in a sandbox, "
        "which has its own",
        DefaultOption("megabytes of /tmp, /dev/shm and HOME in a sandbox, each", value=512),
    ),
)
