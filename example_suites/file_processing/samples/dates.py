"""Days between two dates."""

from datetime import date


def days_between(first: str, second: str) -> int:
    """Return how many days the second date, such as 2026-11-22, is after the first."""
    return (date.fromisoformat(second) - date.fromisoformat(first)).days
