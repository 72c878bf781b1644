"""Frames over calls that are lost, repeated and late: each arrives once, in order."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pytest_ptc.remote import frames
from pytest_ptc.remote.frames import FrameError, Inbox, Outbox


class Way(RuleBasedStateMachine):
    """One way between two sides; calls and answers may be kept back, repeated, and lost."""

    def __init__(self) -> None:
        super().__init__()
        self.outbox, self.inbox = Outbox(), Inbox()
        self.put: list[bytes] = []
        self.taken: list[bytes] = []
        #: Calls that were made and may yet arrive, any number of times; and answers alike.
        self.calls: list[tuple[int, list[bytes]]] = []
        self.answers: list[int] = []

    @rule(data=st.binary(max_size=3))
    def say(self, data: bytes) -> None:
        self.outbox.put(data)
        self.put.append(data)

    @rule()
    def call(self) -> None:
        self.calls.append(self.outbox.load())

    @rule(which=st.integers(min_value=0), keep=st.booleans())
    def arrive(self, which: int, *, keep: bool) -> None:
        if not self.calls:
            return
        which %= len(self.calls)
        self.taken += self.inbox.take(*self.calls[which])
        self.answers.append(self.inbox.last)
        if not keep:
            del self.calls[which]

    @rule(which=st.integers(min_value=0), keep=st.booleans())
    def hear_answer(self, which: int, *, keep: bool) -> None:
        if not self.answers:
            return
        which %= len(self.answers)
        self.outbox.arrived(self.answers[which])
        if not keep:
            del self.answers[which]

    @invariant()
    def what_came_is_what_was_said(self) -> None:
        assert self.taken == self.put[: len(self.taken)]
        assert self.outbox.size == sum(map(len, self.outbox.load()[1]))

    def teardown(self) -> None:
        """One call that arrives, at the end, brings all that is left."""
        self.taken += self.inbox.take(*self.outbox.load())
        assert self.taken == self.put


TestWay = Way.TestCase


@given(sizes=st.lists(st.integers(0, 40), max_size=12))
def test_a_load_is_bounded_and_never_empty_while_there_is_a_frame(sizes: list[int]) -> None:
    outbox, inbox = Outbox(), Inbox()
    for size in sizes:
        outbox.put(bytes(size))
    taken: list[int] = []
    while len(outbox):
        first, load = outbox.load()
        assert load
        assert len(load) == 1 or sum(map(len, load)) <= frames.MAX_LOAD_BYTES
        taken += map(len, inbox.take(first, load))
        outbox.arrived(inbox.last)
    assert taken == sizes


def test_long_frames_go_one_by_one() -> None:
    outbox = Outbox()
    for _ in range(3):
        outbox.put(bytes(frames.MAX_LOAD_BYTES))
    assert [len(frame) for frame in outbox.load()[1]] == [frames.MAX_LOAD_BYTES]


def test_a_gap_is_an_error() -> None:
    inbox = Inbox()
    inbox.take(1, [b"a"])
    with pytest.raises(FrameError, match="frame 2 is missing: 3 came"):
        inbox.take(3, [b"c"])
    with pytest.raises(FrameError):
        inbox.take(0, [b"x", b"a"])
    assert inbox.take(1, [b"a", b"b"]) == [b"b"]


def test_what_was_not_sent_cannot_arrive() -> None:
    outbox = Outbox()
    outbox.put(b"a")
    with pytest.raises(FrameError, match="frame 2 has not been sent"):
        outbox.arrived(2)
    outbox.arrived(1)
    outbox.arrived(1)
    assert not len(outbox)


def test_news_is_told() -> None:
    told: list[int] = []
    outbox = Outbox(lambda: told.append(1))
    outbox.put(b"a")
    assert told == [1]


def test_a_frame_that_is_not_urgent_waits_for_one_that_is() -> None:
    told: list[int] = []
    outbox = Outbox(lambda: told.append(1))
    urgent = []
    for frame, waits in ((b"a", True), (b"b", False), (b"c", True)):
        outbox.put(frame, urgent=not waits)
        urgent.append(outbox.is_urgent)
        if not waits:
            assert outbox.load() == (1, [b"a", b"b"])
            outbox.arrived(2)
            urgent.append(outbox.is_urgent)
    outbox.hurry()
    assert [*urgent, outbox.is_urgent] == [False, True, False, False, True]
    assert told == [1, 1]
