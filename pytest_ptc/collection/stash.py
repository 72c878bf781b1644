"""What the plugins of a pytest session leave for each other in its configuration."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pytest_ptc.model.inline_suite import InlineSuite

#: The suite of the command line, where that is what the session runs.
INLINE_SUITE: pytest.StashKey[InlineSuite] = pytest.StashKey()
#: Whether the session's shard has rightly no item, as other shards have them all.
EMPTY_SHARD: pytest.StashKey[bool] = pytest.StashKey()
