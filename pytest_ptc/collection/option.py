"""What an option of a run is: its names, what it takes, and its default. Pure.

Every pytest run on the machine imports this.
"""

# Without `from __future__ import annotations`, as `model.settings` is, and for the same reason.
from collections.abc import Callable
from typing import Any, NamedTuple

from pytest_ptc.collection.value_types import ValueType


class Option(NamedTuple):
    """One option: `--ptc-<name>` where `flag` is set, ini `ptc_<name>`, and `env` where it has one.

    Args:
        name: The field of `Settings`.
        type: What it takes.
        default: The value if nobody sets the option.
        help: One line for `--help`.
        flag: Whether it exists on the command line.
        env: The environment variable that sets it.
        metavar: What `--help` calls the value, where its type does not say it.
        alone: The value of a flag that is given without one.
        cli_type: Returns the value of a word of the command line, where the type does not.
    """

    name: str
    type: ValueType
    default: Any
    help: str
    flag: bool = True
    env: str | None = None
    metavar: str | None = None
    alone: str | None = None
    cli_type: Callable[[str], Any] | None = None

    @property
    def ini(self) -> str:
        return f"ptc_{self.name}"

    @property
    def cli(self) -> str:
        return f"--ptc-{self.name.replace('_', '-')}"

    @property
    def choices(self) -> tuple[str, ...]:
        """Return the values, where they are a few names."""
        return self.type.choices
