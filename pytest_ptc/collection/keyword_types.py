"""What a keyword of the marker is, and the option that sets it for all tests.

Every pytest run on the machine imports this.
"""

# Without `from __future__ import annotations`, as `model.settings` is, and for the same reason.
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from pytest_ptc.collection.value_types import ValueType


class DefaultOption(NamedTuple):
    """The option that sets a keyword for all tests of a run.

    Args:
        help: One line for `--help`.
        value: The value if nobody sets the option.
        flag: Whether the option exists on the command line too.
        name: Its name; None for that of the keyword.
        type: What it takes; None for what the keyword takes.
        metavar: What `--help` calls its value, where its type does not say it.
    """

    help: str
    value: Any = None
    flag: bool = False
    name: str | None = None
    type: ValueType | None = None
    metavar: str | None = None


class Keyword(NamedTuple):
    """One keyword of the marker.

    Args:
        name: The keyword, a key of front matter, and the task's field.
        type: What it takes.
        help: What it means, for the documentation.
        option: What sets it for all tests; None for what only one test can mean.
        check: Returns a value of the type as a task has it, given pytest's root directory, or
            raises `PtcError` with what is wrong and the fix; None where the type says it all.
        has_fields: Whether the text's `{fields}` are filled as the prompt's are.
        in_front_matter: Whether a Markdown suite may set it.
        in_submit: Whether `ptc_coordinator.submit` takes it.
    """

    name: str
    type: ValueType
    help: str
    option: DefaultOption | None = None
    check: Callable[[Any, Path], Any] | None = None
    has_fields: bool = False
    in_front_matter: bool = True
    in_submit: bool = True

    @property
    def setting(self) -> str | None:
        """Return the field of `Settings` that is this keyword's default."""
        return None if self.option is None else self.option.name or self.name
