"""Formulas that users type."""


def value_of(formula: str) -> float:
    """Return what a user's formula comes to."""
    return float(eval(formula))
