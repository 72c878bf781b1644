"""The fragments of the changelog are such as towncrier takes, for it passes over all others."""

from __future__ import annotations

import re

from tests.docs.generate import ROOT

CONFIGURATION = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
FOLDER = ROOT / "changelog.d"


def test_a_fragment_has_a_kind_and_one_paragraph() -> None:
    """`+NAME.KIND.md`, with text that fits into a list."""
    section = CONFIGURATION.split("[tool.towncrier]", 1)[1].split("\n[", 1)[0]
    kinds = re.findall(r'directory = "(\w+)", name', section)
    assert kinds
    for path in FOLDER.iterdir():
        if path.name != ".gitignore":
            assert re.fullmatch(rf"(\+[a-z0-9-]+|\d+)\.({'|'.join(kinds)})\.md", path.name), path
            assert path.read_text(encoding="utf-8").strip(), path
            assert "\n\n" not in path.read_text(encoding="utf-8").strip(), path


def test_the_changelog_says_where_the_next_release_goes() -> None:
    """Towncrier writes behind that line, and above everything else without it."""
    assert "<!-- towncrier release notes start -->\n" in (ROOT / "CHANGELOG.md").read_text()
