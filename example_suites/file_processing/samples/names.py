"""Names as they are sorted."""


def sorted_names(names: list[str]) -> list[str]:
    """Return the names by their last word, then by the others, whatever their case."""
    return sorted(names, key=lambda name: (name.split()[-1].casefold(), name.casefold()))
