"""The typed file has every public name, so that mypy sees each of them as a user does."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest_ptc
from pytest_ptc import hookspecs

TREE = ast.parse((Path(__file__).parent / "public_api.py").read_text(encoding="utf-8"))


def test_every_public_name_is_used() -> None:
    """Imported from the package itself, and more than imported."""
    used = [node.id for node in ast.walk(TREE) if isinstance(node, ast.Name)]
    imported = {
        alias.name
        for node in ast.walk(TREE)
        if isinstance(node, ast.ImportFrom) and node.module == "pytest_ptc"
        for alias in node.names
    }
    assert imported == set(pytest_ptc.__all__)
    assert imported <= set(used)


def test_every_hook_is_used() -> None:
    """With the arguments that it has."""
    written = {
        node.name: [argument.arg for argument in node.args.args[1:]]
        for node in ast.walk(TREE)
        if isinstance(node, ast.FunctionDef) and node.name.startswith("pytest_ptc_")
    }
    specified = {
        name: list(hook.__code__.co_varnames[: hook.__code__.co_argcount])
        for name, hook in vars(hookspecs).items()
        if name.startswith("pytest_ptc_")
    }
    assert written == specified
