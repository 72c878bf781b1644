"""The code blocks of a page, with what its comments say of how they are checked.

A comment before a block, `<!-- check: status=1 -->`, says how that one is checked. The comment
`<!-- files: examples/review -->` puts that folder of `docs/` into the page's own. Blocks between
`<!-- generated: NAME -->` and `<!-- end -->` are not here: `test_generated_docs.py` checks them.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_FENCE = re.compile(r"^```(?P<kind>[\w-]*)(?: title=\"(?P<title>[^\"]+)\")?$")
_COMMENT = re.compile(r"^<!-- (?P<word>[\w-]+)(?:: (?P<value>.+?))? -->$")


class PageError(Exception):
    """A page that cannot be checked; the text names the line."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Block:
    """One code block.

    Args:
        line: Where it begins in its page, from 1.
        kind: The language that its fence names.
        title: The name of the file that it is; empty for none.
        check: What the comment before it says; empty for none.
        text: Its lines.
    """

    line: int
    kind: str
    title: str
    check: str
    text: str


@dataclass(frozen=True, kw_only=True, slots=True)
class Page:
    """A page's blocks, in order, and the folders of `docs/` that they need."""

    files: tuple[str, ...]
    blocks: tuple[Block, ...]


def read_page(text: str) -> Page:
    """Return a page's blocks.

    Raises:
        PageError: A fence or a comment that nobody knows.
    """
    files: list[str] = []
    blocks: list[Block] = []
    check, generated = "", False
    lines = enumerate(text.splitlines(), start=1)
    for number, line in lines:
        comment = _COMMENT.match(line)
        if comment is not None:
            word, value = comment["word"], comment["value"] or ""
            if word not in ("check", "files", "generated", "end", "towncrier release notes start"):
                raise PageError(f"line {number}: unknown comment {line}")
            generated = word == "generated" or (generated and word != "end")
            check = value if word == "check" else check
            files += [value] * (word == "files")
        elif line.startswith("```"):
            fence = _FENCE.match(line)
            if fence is None or not fence["kind"]:
                raise PageError(f"line {number}: unknown fence {line}")
            inside = []
            for _, entry in lines:
                if entry == "```":
                    break
                inside.append(f"{entry}\n")
            else:
                raise PageError(f"line {number}: the block has no end")
            block = Block(
                line=number,
                kind=fence["kind"],
                title=fence["title"] or "",
                check=check,
                text="".join(inside),
            )
            blocks += [] if generated else [block]
            check = ""
        elif line.strip() and check:
            raise PageError(f"line {number}: no block follows <!-- check: {check} -->")
        elif "```" in line:
            raise PageError(f"line {number}: a block has to begin at the line's begin")
    return Page(files=tuple(files), blocks=tuple(blocks))
