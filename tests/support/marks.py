"""Marked tests as text."""

from __future__ import annotations


def mark(prompt: str, body: str = "pass", keywords: str = "", arguments: str = "") -> str:
    """Return a test file with one marked test."""
    return f"@pytest.mark.ptc({prompt!r}{keywords})\ndef test_it({arguments}):\n    {body}\n"
