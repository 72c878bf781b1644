"""Whether a run is on a cluster, without the import of all that a cluster needs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Collection

    from typing_extensions import TypeIs

    from pytest_ptc.interfaces.host import Host
    from pytest_ptc.session.cluster import Cluster


def is_cluster(host: Host | Cluster) -> TypeIs[Cluster]:
    """Tell whether workers live on a cluster, and not on this machine."""
    # Where there is one, its module has been imported.
    module = sys.modules.get("pytest_ptc.session.cluster")
    return module is not None and isinstance(host, module.Cluster)


def sent_again(host: Host | Cluster) -> Collection[str]:
    """Return the directories whose content has changed, and which went to nodes once more."""
    code = host.code if is_cluster(host) else None
    return () if code is None else code.sent_again
