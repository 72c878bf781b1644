"""claude-agent-sdk, imported without the packages `mcp` and `jsonschema`.

The SDK imports all of `mcp`, whose models of two protocol versions take 1.4 s of CPU and 45 MB to
build: most of a worker's start, for in-process tool servers that we never make. It has jsonschema,
25 ms more, for the arguments of their tools. So the names of both are placeholders while the SDK is
imported. If a version of the SDK fails with placeholders, it is imported as usual, and workers
start more slowly.
"""

from __future__ import annotations

import contextlib
import importlib
import sys
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from pytest_ptc.system.garbage import no_collections

if TYPE_CHECKING:
    from collections.abc import Iterator

_SDK, _MCP = "claude_agent_sdk", "mcp"
#: What the SDK imports for its tool servers.
_UNUSED = (_MCP, "jsonschema")


def load() -> Any:
    """Return the module `claude_agent_sdk`.

    Raises:
        ImportError: It is not installed.
    """
    if _SDK in sys.modules or _MCP in sys.modules:
        return importlib.import_module(_SDK)
    try:
        with no_collections(), _placeholders():
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
    def __init__(self, packages: tuple[str, ...]) -> None:
        self._packages = packages

    def find_spec(self, fullname: str, path: Any, target: Any = None) -> ModuleSpec | None:  # noqa: ARG002 - the import system's signature
        ours = fullname.partition(".")[0] in self._packages
        return ModuleSpec(fullname, self, is_package=True) if ours else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        return _PlaceholderModule(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Leave the module as it was made."""


@contextlib.contextmanager
def _placeholders() -> Iterator[None]:
    # One that is there already is the real one, and stays.
    absent = tuple(package for package in _UNUSED if package not in sys.modules)
    finder = _PlaceholderFinder(absent)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)
        # A later import in this process gets the real one.
        for package in absent:
            _forget(package)


def _forget(package: str) -> None:
    for name in [name for name in sys.modules if name.partition(".")[0] == package]:
        del sys.modules[name]
