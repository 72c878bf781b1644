"""The lines that a patch adds, whatever the files hold."""

from __future__ import annotations

import difflib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_ptc.model.changed_lines import ChangedFile
from pytest_ptc.system.git.hunks import HunkError, changed_in

PATCH = """\
diff --git a/src/a.py b/src/a.py
index 1..2 100644
--- a/src/a.py
+++ b/src/a.py
@@ -1,2 +1,3 @@ def door():
 one
--- a/b.py
+++ b/c.py
+@@ -1 +1 @@
@@ -9 +11,0 @@
-gone
\\ No newline at end of file
diff --git a/old b/new name
similarity index 90%
rename from old
rename to new name
--- a/old
+++ b/new name\t
@@ -0,0 +5 @@
+x\r
diff --git "a/\\303\\244\\t\\"" "b/\\303\\244\\t\\""
--- "a/\\303\\244\\t\\""
+++ "b/\\303\\244\\t\\""
@@ -3 +3 @@
-x
+y
diff --git a/gone b/gone
--- a/gone
+++ /dev/null
@@ -1 +0,0 @@
-x
"""


def test_headers_and_hunks_are_told_from_lines_that_look_like_them() -> None:
    """By the counts of each hunk; names are those after the change."""
    assert changed_in(PATCH) == {
        "src/a.py": ChangedFile(added=((2, 3),), cut=(11,)),
        "new name": ChangedFile(added=((5, 5),)),
        '\u00e4\t"': ChangedFile(added=((3, 3),)),
    }
    assert changed_in("") == {}


@pytest.mark.parametrize(
    "patch",
    ["@@ no numbers @@", "+++ b/a\n@@ -1,2 +1 @@\n-x", "+++ b/a\n@@ -1 +1 @@\n-x\n-y\n+z"],
)
def test_what_is_cut_off_is_no_patch(patch: str) -> None:
    """Nobody takes a part of a change for all of it."""
    with pytest.raises(HunkError):
        changed_in(patch)


LINES = st.lists(
    st.sampled_from(["a", "", "++ b/x", "-- a/x", "@@ -1 +1 @@", "\\ no", " ", "x\r"]), max_size=12
)


@given(LINES, LINES, st.integers(0, 3))
def test_the_lines_of_any_change_are_those_that_were_added(
    before: list[str], after: list[str], context: int
) -> None:
    """And where lines were only removed, the line before that is named."""
    made = difflib.unified_diff(before, after, "a/f", "b/f", n=context, lineterm="")
    changed = changed_in("\n".join(made)).get("f", ChangedFile())
    added, cut = [], []
    matcher = difflib.SequenceMatcher(None, before, after)
    for what, _, _, first, end in matcher.get_opcodes():
        if what in ("insert", "replace"):
            added.append((first + 1, end))
        elif what == "delete":
            cut.append(first)
    assert changed == ChangedFile(tuple(added), tuple(cut))
