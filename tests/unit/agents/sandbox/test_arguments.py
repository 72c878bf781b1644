"""From what is to be seen in a sandbox to bubblewrap's words."""

from __future__ import annotations

import pytest

from pytest_ptc.agents.sandbox.arguments import Access, Mount, bwrap_words, placed_mounts

READ, WRITE, SCRATCH, HIDDEN, LINK = Access


def placed(*mounts: Mount) -> list[tuple[str, Access]]:
    return [(mount.path, mount.access) for mount in placed_mounts(mounts)]


@pytest.mark.parametrize(
    ("mounts", "result"),
    [
        pytest.param(
            [Mount("/a/b", READ), Mount("/a", WRITE)],
            [("/a", WRITE), ("/a/b", READ)],
            id="the-one-above-comes-first",
        ),
        pytest.param(
            [Mount("/a", READ), Mount("/b", READ), Mount("/a", WRITE)],
            [("/a", WRITE), ("/b", READ)],
            id="of-one-path-the-later-one-counts",
        ),
        pytest.param(
            [Mount("/", READ), Mount("/a", WRITE)],
            [("/", READ), ("/a", WRITE)],
            id="the-root",
        ),
        pytest.param(
            [Mount("/a", READ), Mount("/a/b/c", READ), Mount("/ab", READ)],
            [("/a", READ), ("/ab", READ)],
            id="what-is-shown-already-is-not-shown-again",
        ),
        pytest.param(
            [Mount("/a", WRITE), Mount("/a/b/c/d", READ)],
            [("/a", WRITE), ("/a/b", WRITE), ("/a/b/c", WRITE), ("/a/b/c/d", READ)],
            id="folders-between-cannot-be-renamed",
        ),
        pytest.param(
            [Mount("/a", WRITE), Mount("/a/b/c", HIDDEN)],
            [("/a", WRITE), ("/a/b", WRITE), ("/a/b/c", HIDDEN)],
            id="nor-those-above-what-is-hidden",
        ),
        pytest.param(
            [Mount("/a", SCRATCH), Mount("/a/b", HIDDEN), Mount("/c", HIDDEN)],
            [("/a", SCRATCH)],
            id="what-is-not-there-need-not-be-hidden",
        ),
        pytest.param(
            [Mount("/home", SCRATCH), Mount("/home/p", WRITE), Mount("/home/p/runs", HIDDEN)],
            [("/home", SCRATCH), ("/home/p", WRITE), ("/home/p/runs", HIDDEN)],
            id="a-project-at-home",
        ),
        pytest.param(
            [Mount("/p", READ), Mount("/p/runs", HIDDEN), Mount("/p/runs/r/bin", READ)],
            [("/p", READ), ("/p/runs", HIDDEN), ("/p/runs/r/bin", READ)],
            id="something-in-what-is-hidden",
        ),
        pytest.param(
            [Mount("/v", READ), Mount("/v/python", READ, "/usr/python"), Mount("/v/l", LINK, "x")],
            [("/v", READ)],
            id="a-link-is-there-with-its-folder",
        ),
        pytest.param(
            [Mount("/s/link", READ, "/data"), Mount("/data", READ)],
            [("/data", READ), ("/s/link", READ)],
            id="a-name-that-leads-over-a-link",
        ),
    ],
)
def test_mounts_are_placed(mounts: list[Mount], result: list[tuple[str, Access]]) -> None:
    """From the top down, each once, and none that shows or hides nothing."""
    assert placed(*mounts) == result


def test_words_are_bubblewraps() -> None:
    """What is hidden is closed when what is in it has been made; the program's words follow."""
    mounts = [
        Mount("/usr", READ),
        Mount("/bin", LINK, "usr/bin"),
        Mount("/tmp", SCRATCH),
        Mount("/p", WRITE),
        Mount("/p/runs", HIDDEN),
        Mount("/p/runs/ptc", READ, "/elsewhere"),
    ]
    words = bwrap_words("/usr/bin/bwrap", mounts, cwd="/p", network=True, scratch_bytes=7)
    text = " ".join(words)
    assert words[0] == "/usr/bin/bwrap"
    assert "--die-with-parent --new-session --cap-drop ALL" in text
    assert text.endswith(
        "--size 7 --tmpfs /dev/shm --symlink usr/bin /bin --bind /p /p --size 7 --tmpfs /tmp "
        "--ro-bind /usr /usr --size 65536 --tmpfs /p/runs --ro-bind /elsewhere /p/runs/ptc "
        "--remount-ro /p/runs --remount-ro /dev --remount-ro / --chdir /p --"
    )
    alone = bwrap_words("bwrap", [], cwd="/", network=False, scratch_bytes=7)
    assert {*alone} - {*words} == {"bwrap", "--unshare-net"}
    assert {"--unshare-user", "--unshare-pid", "--unshare-ipc"} <= {*words}
