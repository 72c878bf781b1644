"""The protocol of the Python that runs workers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence


class WorkerPython(Protocol):
    """The Python that runs workers."""

    @property
    def program(self) -> str:
        """Return its program."""
        ...

    @property
    def package_folders(self) -> Sequence[str]:
        """Return the directories that its packages are installed in."""
        ...

    @property
    def search_path(self) -> Sequence[str]:
        """Return where workers look for modules of the project, behind their own; absolute."""
        ...

    @property
    def install(self) -> str:
        """Return the command that installs what agent `claude` needs."""
        ...

    def file_of(self, module: str) -> str | None:
        """Return the file of a module, or None where it is not installed."""
        ...

    def version_of(self, distribution: str) -> str | None:
        """Return the version of a distribution, or None where it is not installed."""
        ...

    def check_maker(self, place: str) -> None:
        """Check that there is the function that makes an agent, `package.module:function`.

        Raises:
            ConfigError: A worker could not import it; the message has the cause.
        """
        ...
