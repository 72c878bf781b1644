"""What all events of a run's story have. Pure."""

from __future__ import annotations

import msgspec


class Event(msgspec.Struct, frozen=True, kw_only=True, tag_field="event"):
    """One event of a story.

    Args:
        at: When it was written, in seconds since the epoch; the journal puts it down.
        lost_before: How many events before it could not be written, as on a full disk.
    """

    at: float = 0.0
    lost_before: int = 0
