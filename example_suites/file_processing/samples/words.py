"""Words of a text, counted."""

from collections import Counter


def counted(text: str) -> Counter[str]:
    """Return how often each word stands in a text, whatever its case."""
    return Counter(text.casefold().split())
