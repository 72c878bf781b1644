"""Every code block of the documentation runs, or is checked."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from tests.docs.blocks import PageError, read_page
from tests.docs.generate import DOCS, ROOT, pages
from tests.docs.player import Player

if TYPE_CHECKING:
    from pathlib import Path

PAGES = {
    path.relative_to(ROOT).as_posix(): path
    for path in [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]
}
#: Pages whose blocks are many runs.
LONG = {
    f"docs/{name}.md"
    for name in (
        *("guides/one-command", "guides/resume", "guides/other-programs", "guides/reports"),
        *("guides/files-and-markdown", "guides/watching", "guides/marking", "guides/ci"),
        *("guides/known-findings", "guides/self-test", "tutorial"),
        *("extending/agents", "extending/hosts", "extending/reports"),
    )
}


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=[pytest.mark.slow] if name in LONG else []) for name in PAGES],
)
def test_every_block_of_a_page_is_as_it_says(name: str, tmp_path: Path) -> None:
    """Files are written, commands run, and what they print is what the page shows."""
    page = read_page(PAGES[name].read_text(encoding="utf-8"))
    Player(tmp_path, "review").play(page)


@pytest.mark.parametrize("name", PAGES)
def test_every_link_leads_to_a_file(name: str) -> None:
    """The site's own builder checks the site, this what is read in a checkout."""
    text = PAGES[name].read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text):
        if "://" not in target:
            assert (PAGES[name].parent / target).exists(), target


def test_every_page_is_in_the_site() -> None:
    """A page that no menu has is found by nobody."""
    named = set(re.findall(r": (\S+\.md)$", (ROOT / "mkdocs.yml").read_text(), re.MULTILINE))
    assert named == {page.relative_to(DOCS).as_posix() for page in pages()}


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("```perl\nprint 1\n```\n", "line 1: blocks of kind 'perl' are not checked"),
        ("```\nx\n```\n", "line 1: unknown fence"),
        ("```sh\nexit 3\n```\n", "line 1: status 3"),
        ("<!-- check: status=1 -->\n```sh\ntrue\n```\n", "line 2: status 0"),
        ("```sh\necho a\n```\n\n```text\nb\n```\n", "line 5: not printed:\nb\n"),
        ("```sh\nprintf 'a\\nb\\n'\n```\n\n```text\na\n```\n", "line 5: printed too:\nb\n"),
        ("```text\na\n```\n", "line 1: no command is before this output"),
        ("<!-- check: syntax -->\n```sh\nif\n```\n", "line 2: bash: line"),
        (
            "<!-- check: syntax -->\n```sh\nptc --ptc-no=1\n```\n",
            "line 2: there is no option --ptc-no",
        ),
        ("```python\n1 +\n```\n", "line 1: "),
        ("```python\nimport no_such_module\n```\n", "line 1: "),
        ("```ini\n[pytest]\nptc_nothing = 1\n```\n", "line 1: "),
        ('```json\n{"verdict": "fine"}\n```\n', "line 1: "),
        ("```yaml\n- run: pytest --ptc-nothing\n```\n", "line 1: there is no option"),
        ("<!-- check: syntax -->\n```python\n1\n```\n", "line 2: python blocks have no check"),
        ("<!-- check: syntax -->\n\nwords\n", "line 3: no block follows"),
        ("<!-- files: examples/nothing -->\n", "is no folder"),
    ],
)
def test_a_block_that_is_wrong_fails_its_page(text: str, problem: str, tmp_path: Path) -> None:
    """The checks find what they are there for."""
    with pytest.raises(PageError) as raised:
        Player(tmp_path, "review").play(read_page(text))
    assert problem in str(raised.value)
