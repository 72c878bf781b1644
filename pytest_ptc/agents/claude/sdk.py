"""claude-agent-sdk, imported without the package `mcp`.

The SDK imports all of `mcp`, whose models of two protocol versions take 1.4 s of CPU and 45 MB to
build: most of a worker's start, for in-process tool servers that we never make. So the names of
`mcp` are placeholders while the SDK is imported. If a version of the SDK fails with placeholders,
it is imported as usual, and workers start more slowly.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_SDK, _MCP = "claude_agent_sdk", "mcp"


def load() -> Any:
    """Return the module `claude_agent_sdk`.

    Raises:
        ImportError: It is not installed.
    """
    if _SDK in sys.modules or _MCP in sys.modules:
        return importlib.import_module(_SDK)
    try:
        with _placeholders():
            return importlib.import_module(_SDK)
    except ModuleNotFoundError:
        raise
    except Exception:  # noqa: BLE001 - whatever fails with placeholders
        _forget(_SDK)
        return importlib.import_module(_SDK)


class _Placeholder:
    """Stands for any class; it can be a base class, with whatever keywords."""

    def __init_subclass__(cls, **_: Any) -> None:
        super().__init_subclass__()


class _PlaceholderModule(ModuleType):
    __path__: list[str] = []  # noqa: RUF012 - marks a package, as the import system has it

    def __getattr__(self, name: str) -> type:
        if name.startswith("__"):
            raise AttributeError(name)
        placeholder = type(name, (_Placeholder,), {"__module__": self.__name__})
        setattr(self, name, placeholder)
        return placeholder


class _PlaceholderFinder(MetaPathFinder, Loader):
    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002 - the import system's signature
        ours = fullname.partition(".")[0] == _MCP
        return ModuleSpec(fullname, self, is_package=True) if ours else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _PlaceholderModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it was made."""


@contextlib.contextmanager
def _placeholders() -> Iterator[None]:
    finder = _PlaceholderFinder()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        # A later import of `mcp` in this process gets the real one.
        _forget(_MCP)


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
