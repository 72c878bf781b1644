"""A session's shard: which of the collected items it keeps."""

from __future__ import annotations

import pytest

from pytest_ptc.collection.options import all_options
from pytest_ptc.collection.run_settings import resolve
from pytest_ptc.session.sharding import compared_settings

TESTS = """
import pytest

@pytest.mark.ptc("do {n}")
@pytest.mark.parametrize("n", range(5))
def test_it(n): pass
@pytest.mark.ptc("do", group="{who}")
@pytest.mark.parametrize("who", ["users", "users", "orders"])
def test_group(who): pass
@pytest.mark.ptc("do")
def test_first(): pass
@pytest.mark.ptc("do", needs="test_first")
def test_second(): pass
@pytest.mark.ptc("do", needs="test_second")
def test_third(): pass
@pytest.mark.ptc("do", needs="test_first")
def test_other(): pass
@pytest.mark.ptc("do")
@pytest.mark.ptc_control
def test_clean(): pass
@pytest.mark.ptc("do", group="users")
@pytest.mark.ptc_control
def test_grouped(): pass
@pytest.mark.ptc("do")
@pytest.mark.skip
def test_skipped(): pass
def test_unmarked(): pass
"""
EVERY = {"test_unmarked", "test_clean"}


def shards(pytester: pytest.Pytester, of: int, *words: str) -> list[set[str]]:
    """Return the names of the items of each shard, as `--collect-only` shows them."""
    found = []
    for number in range(1, of + 1):
        shard = f"--ptc-shard={number}/{of}"
        result = pytester.runpytest_inprocess("--collect-only", "-q", shard, *words)
        names = [line.partition("::")[2] for line in result.outlines if "::test_" in line]
        assert f"ptc: shard {number}/{of}:" in result.stdout.str()
        found.append({*names})
    return found


def test_each_marked_item_is_in_one_shard(pytester: pytest.Pytester) -> None:
    """With what it needs, also by others that are not selected, and with its group."""
    pytester.makepyfile(test_a=TESTS)
    one, two, three = parts = shards(pytester, 3)
    assert one & two == two & three == one & three == EVERY
    assert len(one | two | three) == 16
    together = [
        {"test_group[users0]", "test_group[users1]", "test_grouped"},
        {"test_first", "test_second", "test_third", "test_other"},
    ]
    for names in together:
        assert sum(names <= part for part in parts) == 1
    chosen = shards(pytester, 2, "-k", "third or other or unmarked")
    assert sorted(map(len, chosen)) == [1, 3]
    (everything,) = shards(pytester, 1)
    assert len(everything) == 16


def test_a_group_that_a_fixture_names_may_be_any_group(pytester: pytest.Pytester) -> None:
    """So all that have a group stay together."""
    pytester.makepyfile(
        test_a="""
        import pytest
        @pytest.fixture(scope="session")
        def tenant(): return "users"
        @pytest.mark.ptc("do", group="{tenant}")
        def test_one(): pass
        @pytest.mark.ptc("do", group="users")
        def test_two(): pass
        @pytest.mark.ptc("do", group="orders")
        def test_three(): pass
        @pytest.mark.ptc("do")
        def test_four(): pass
        """
    )
    assert shards(pytester, 2) == [{"test_one", "test_two", "test_three"}, {"test_four"}]


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--ptc-shard=0/3"], "--ptc-shard: must be K/N, *, not '0/3'"),
        (["--ptc-shard=/"], "--ptc-shard: must be K/N, *, not '/'"),
        (["--ptc-shard=1/3", "--lf"], "--ptc-shard cannot be used with --lf, *--ptc-resume*"),
        (["--ptc-shard=1/3", "--sw"], "--ptc-shard cannot be used with --stepwise, *"),
        (["--ptc-shard=1/3", "--ptc-require=2"], "--ptc-require=2 cannot be used with *=all, *"),
    ],
)
def test_what_cannot_be_dealt_is_wrong_usage(
    pytester: pytest.Pytester, words: list[str], problem: str
) -> None:
    """Before anything is paid for, and with the fix."""
    pytester.makepyfile(test_a=TESTS)
    result = pytester.runpytest_inprocess("--ptc-workers=1", "--ptc-agent=command", *words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: {problem}"])


def test_a_need_that_no_test_answers_is_wrong_usage_as_without_shards(
    pytester: pytest.Pytester,
) -> None:
    """Though another shard's tests, one of which it might mean, are left out."""
    pytester.makepyfile(test_a=f"{TESTS}\n@pytest.mark.ptc('do', needs='test_no')\ndef test_n(): 1")
    words = ("--ptc-workers=1", "--ptc-agent=command", "--ptc-command=true", "--ptc-shard=1/2")
    result = pytester.runpytest_inprocess(*words)
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: test_a.py::test_n: needs: no marked test 'test_no'; *"])


def test_a_pipeline_names_the_shard_by_a_variable(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The command line goes before it; a variable that is not filled in is an error."""
    monkeypatch.setenv("PTC_SHARD", "2/3")
    assert resolve(pytester.parseconfig()).part == (2, 3)
    assert resolve(pytester.parseconfig("--ptc-shard=1/4")).part == (1, 4)
    monkeypatch.setenv("PTC_SHARD", "/1")
    result = pytester.runpytest_inprocess("--ptc-workers=1")
    result.stderr.fnmatch_lines(["ERROR: PTC_SHARD: must be K/N, *"])


def test_settings_that_verdicts_depend_on_are_compared(pytester: pytest.Pytester) -> None:
    """Not those of a machine, and none that may be secret."""
    pytester.makeini("[pytest]\nptc_env = TOKEN=secret\nptc_fail_on = high\n")
    told = compared_settings(resolve(pytester.parseconfig("--ptc-shard=1/2")))
    assert told["fail_on"] == "high"
    assert "secret" not in str(told)
    assert {option.name for option in all_options()} - told.keys() == {
        *("workers", "host", "claude_code", "worker_python", "interactive", "task_list_id"),
        *("max_worker_restart", "run_timeout", "budget_usd", "env", "resume", "shard", "output"),
        *("keep_runs", "github", "properties"),
    }
