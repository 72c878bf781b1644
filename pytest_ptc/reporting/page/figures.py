"""Times, amounts and moments in the words of a page. Pure."""

from __future__ import annotations

import datetime as dt

# Not the locale's: the page is in one language.
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def duration(seconds: float) -> str:
    """Return `0.4 s`, `2 min 05 s`, `1 h 02 min` or `3 d 04 h`."""
    if seconds < 99.95:  # noqa: PLR2004 - shown with one decimal, and never as 100.0
        return f"{max(seconds, 0.0):.1f} s"
    whole = round(seconds)
    if whole < _HOUR:
        return f"{whole // _MINUTE} min {whole % _MINUTE:02} s"
    minutes = round(seconds / _MINUTE)
    if seconds < _DAY:
        return f"{minutes // 60} h {minutes % 60:02} min"
    hours = round(seconds / _HOUR)
    return f"{hours // 24} d {hours % 24:02} h"


def moment(at: float) -> tuple[str, str]:
    """Return a moment, in seconds since the epoch, for a reader and for a machine."""
    then = dt.datetime.fromtimestamp(at, tz=dt.timezone.utc)
    day = f"{then.day} {_MONTHS[then.month - 1]} {then.year}"
    return f"{day}, {then:%H:%M:%S} UTC", f"{then:%Y-%m-%dT%H:%M:%SZ}"
