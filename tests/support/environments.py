"""Further Python environments, made of what this one has, without a network."""

from __future__ import annotations

import sysconfig
import venv
from pathlib import Path
from typing import TYPE_CHECKING

import pytest_ptc

if TYPE_CHECKING:
    from collections.abc import Sequence

#: What Python and installers put into such a folder, and that is none of its packages.
_NOT_PACKAGES = ("__pycache__", ".pth", ".virtualenv")


def new_environment(
    folder: Path, *, without: Sequence[str] = (), version: str | None = None, empty: bool = False
) -> Path:
    """Make an environment and return its Python.

    Args:
        folder: Where; not there yet.
        without: Beginnings of the names of packages that it does not have.
        version: The version of pytest-ptc that it says it has; None for the one of this checkout.
        empty: Whether it has no package at all.
    """
    venv.EnvBuilder(symlinks=True, with_pip=False).create(folder)
    (packages,) = folder.glob("lib/python3.*/site-packages")
    if empty:
        return folder / "bin" / "python"
    missing = (*without, *(("pytest_ptc-",) if version is not None else ()))
    for place in {sysconfig.get_path("purelib"), sysconfig.get_path("platlib")}:
        for entry in Path(place).iterdir():
            if not entry.name.endswith(_NOT_PACKAGES) and not entry.name.startswith(missing):
                packages.joinpath(entry.name).symlink_to(entry)
    if not (packages / "pytest_ptc").exists():
        # Installed as a link to the checkout.
        packages.joinpath("pytest_ptc").symlink_to(Path(pytest_ptc.__file__).parent)
    if version is not None:
        said = packages / f"pytest_ptc-{version}.dist-info"
        said.mkdir()
        (said / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: pytest-ptc\nVersion: {version}\n"
        )
    return folder / "bin" / "python"
