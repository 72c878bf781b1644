"""The comment below a pull request: found again, bounded, with links, and without markup."""

from __future__ import annotations

import cmarkgfm  # type: ignore[import-untyped]
import pytest
from cmarkgfm.cmark import Options  # type: ignore[import-untyped]

from pytest_ptc.reporting.formats.comment import MAX_COMMENT_BYTES, comment, comment_key
from pytest_ptc.reporting.formats.github import step_summary
from tests.support import samples
from tests.support.documents import Item, finding, run_of

COMMIT = "c" * 40
ACTIONS = {
    "GITHUB_SERVER_URL": "https://github.example",
    "GITHUB_REPOSITORY": "owner/a-repository",
    "GITHUB_WORKFLOW": "review of -- all",
    "GITHUB_JOB": "review",
}


def shown(text: str) -> str:
    """Return what GitHub makes of a comment."""
    html: str = cmarkgfm.github_flavored_markdown_to_html(text, Options.CMARK_OPT_UNSAFE)
    return html


def test_a_comment_begins_with_a_mark_that_its_job_alone_has() -> None:
    """The next run of the job finds it; nothing of the environment can end the mark."""
    assert comment(run_of(Item()), ACTIONS).startswith(
        "<!-- pytest-ptc:review-of-all-review -->\n## "
    )
    assert comment_key({}) == "results"
    hostile = {"GITHUB_WORKFLOW": "--> <img src=x>\n" * 99, "GITHUB_JOB": "--"}
    first = comment(run_of(Item()), hostile).splitlines()[0]
    assert first.count(">") == 1
    assert len(first) < 130


@pytest.mark.parametrize(("tasks", "findings"), [(1, 1), (3000, 9000)])
def test_a_comment_of_any_run_is_taken_by_github(tasks: int, findings: int) -> None:
    """It has less than 65,536 characters, and says what is left out."""
    text = comment(samples.run_of(tasks, findings), ACTIONS)
    assert len(text) <= len(text.encode()) <= MAX_COMMENT_BYTES
    assert ("more left out" in text) is (tasks > 1)


def test_places_are_links_to_the_lines_of_the_commit() -> None:
    """Of the commit that was checked out, or the one that a task had a worktree of."""
    here = finding("high", "bad", path="src/a b_c.py", line=3)
    there = finding("low", "odd", path="src/d.py", line=7)
    elsewhere = {"isolation": "worktree", "ref": "d" * 40}
    run = run_of(
        Item("t.py::a", verdict="fail", outcome="failed", findings=(here,)),
        Item("t.py::b", findings=(there,), spec=elsewhere),
    )
    html = shown(comment(run, ACTIONS))
    base = "https://github.example/owner/a-repository/blob"
    assert f'<a href="{base}/{COMMIT}/src/a%20b_c.py#L3"><code>src/a b_c.py:3</code></a>' in html
    assert f'<a href="{base}/{"d" * 40}/src/d.py#L7"><code>src/d.py:7</code></a>' in html
    assert "<a " not in shown(comment(run, {}))
    assert "<a " not in shown(step_summary(run))
    assert "<a " not in shown(comment(run, {**ACTIONS, "GITHUB_SERVER_URL": "javascript:x"}))


def test_ids_are_as_pytest_has_them() -> None:
    """A name that is copied from the comment is the name, whatever signs it has."""
    nodeid = "t.py::test_a[@x:1#2\\|`y`]"
    text = comment(run_of(Item(nodeid, verdict="fail", outcome="failed")), ACTIONS)
    assert "\u200b" not in text
    assert "&#8203;" not in text
    assert "t.py::test_a[@x:1#2\\|`y`]" in shown(text)


def test_passing_items_are_folded() -> None:
    """What nobody has to look at is behind a line to click on."""
    text = comment(run_of(Item("t.py::good", summary="all fine")), ACTIONS)
    folded = text[text.index("<details>") : text.index("</details>")]
    assert "all fine" in folded
    assert "all fine" not in text.replace(folded, "")
