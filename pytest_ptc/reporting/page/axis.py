"""The marks of a run's time, as many as there is room for. Pure."""

from __future__ import annotations

from typing import NamedTuple

_STEPS_S = (
    *(0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30),
    *(60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400),
)


class Mark(NamedTuple):
    """One mark: how many seconds after the beginning, and what stands at it."""

    at: float
    label: str


def marks(seconds: float, most: int) -> list[Mark]:
    """Return the marks of a time, no more intervals than `most`."""
    step = next((one for one in _STEPS_S if seconds / one <= most), None)
    if step is None:
        step = _STEPS_S[-1] * (1 + int(seconds / _STEPS_S[-1] / most))
    moments = (number * step for number in range(int(seconds / step) + 1))
    return [Mark(at, _label(at, step)) for at in moments]


def _label(seconds: float, step: float) -> str:
    if step < 1:
        return f"{seconds:.2f}".rstrip("0").rstrip(".") + " s"
    if step < 60:  # noqa: PLR2004 - seconds of a minute
        minutes, rest = divmod(round(seconds), 60)
        return f"{minutes}:{rest:02}" if minutes else f"{rest} s"
    hours, minutes = divmod(round(seconds / 60), 60)
    return f"{hours} h {minutes:02}" if hours else f"{minutes} min"
