"""What a user asked of a run, for tests of what is made of it."""

from __future__ import annotations

from typing import Any

from pytest_ptc.collection.options import all_options
from pytest_ptc.model.settings import Settings


def settings_with(**said: Any) -> Settings:
    """Return the defaults of all options, but for what is said."""
    return Settings(
        **{option.name: option.default for option in all_options()} | {"reports": {}} | said
    )
