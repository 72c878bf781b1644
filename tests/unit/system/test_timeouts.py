"""A wait with an end: what it returns, and that it loses no cancellation."""

from __future__ import annotations

import asyncio

import pytest

from pytest_ptc.system.timeouts import within


def test_it_returns_what_the_work_comes_to() -> None:
    async def work() -> int:
        await asyncio.sleep(0)
        return 3

    assert asyncio.run(within(work(), 60)) == 3


def test_an_error_of_the_work_is_raised() -> None:
    async def work() -> None:
        raise KeyError("x")

    with pytest.raises(KeyError):
        asyncio.run(within(work(), 60))


def test_work_that_takes_too_long_is_cancelled() -> None:
    ended: list[str] = []

    async def work() -> None:
        try:
            await asyncio.sleep(1000)
        except asyncio.CancelledError:
            ended.append("cancelled")
            raise

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(within(work(), 0.01))
    assert ended == ["cancelled"]


def test_whoever_is_cancelled_in_the_moment_in_which_the_work_ends_does_not_go_on() -> None:
    """It may be a loop, for whose end somebody waits."""

    async def waiting() -> None:
        work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(within(work, 60))
        await asyncio.sleep(0.01)
        work.set_result(3)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(waiting())


def test_work_goes_with_whoever_waits_for_it() -> None:
    async def waiting() -> None:
        work: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        task = asyncio.ensure_future(within(work, 60))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert work.cancelled()

    asyncio.run(waiting())
