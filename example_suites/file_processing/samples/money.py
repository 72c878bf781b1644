"""Amounts of money, in cents."""

from decimal import Decimal


def cents(amount: str) -> int:
    """Return the cents of an amount such as 12.30; a part of a cent is an error."""
    exact = Decimal(amount) * 100
    if exact != int(exact):
        raise ValueError(f"{amount} has a part of a cent")
    return int(exact)
