"""The lease as a state machine: a node's own is over before pytest's machine takes it for lost."""

from __future__ import annotations

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from pytest_ptc.remote.lease import ENDING_S, NodeLease, PytestLease

LEASE = 15.0
#: How far the node's clock is from the other; nothing may depend on it.
SKEW = 1000.0


class Leases(RuleBasedStateMachine):
    """Both sides of one lease, and calls that are late, repeated, answered twice, or lost."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.node = NodeLease(LEASE, self.now + SKEW)
        self.pytest: PytestLease | None = None
        self.calls: list[int] = []
        #: Answers on their way, by the beats of their calls.
        self.answers: list[int] = []
        self.ended = False

    @rule(seconds=st.floats(0, 8))
    def pass_time(self, seconds: float) -> None:
        self.now += seconds

    @rule()
    def be_seated(self) -> None:
        """Pytest's machine hears of the node, however late that is."""
        self.pytest = self.pytest or PytestLease(LEASE, self.now)

    @rule()
    def call(self) -> None:
        if self.pytest is not None and self.now < self.pytest.lost_at:
            self.calls.append(self.pytest.beat)

    @rule(which=st.integers(min_value=0), keep=st.booleans())
    def arrive(self, which: int, *, keep: bool) -> None:
        """A call arrives, perhaps for the second time; a node whose lease is over has ended."""
        self._end_if_over()
        if not self.calls or self.ended:
            return
        beat = self.calls[which % len(self.calls)]
        if not keep:
            self.calls.remove(beat)
        self.node.heard(beat)
        self.node.answers(beat, self.now + SKEW)
        self.answers.append(beat)

    @rule(which=st.integers(min_value=0), keep=st.booleans())
    def hear_answer(self, which: int, *, keep: bool) -> None:
        if not self.answers or self.pytest is None or self.now >= self.pytest.lost_at:
            return
        beat = self.answers[which % len(self.answers)]
        if not keep:
            self.answers.remove(beat)
        # A call is waited for, and its answer is taken once.
        if beat == self.pytest.beat:
            self.pytest.answered(self.now)

    def _end_if_over(self) -> None:
        self.ended = self.ended or self.node.is_over(self.now + SKEW)

    @invariant()
    def the_node_ends_first(self) -> None:
        if self.pytest is not None:
            assert self.node.until - SKEW <= self.pytest.until + 1e-9  # sums of binary fractions
            assert self.pytest.lost_at == self.pytest.until + ENDING_S


TestLeases = Leases.TestCase


def test_a_node_that_is_heard_lives_on() -> None:
    node, pytest = NodeLease(LEASE, 0.0), PytestLease(LEASE, 0.0)
    now = 0.0
    for _ in range(20):
        now += node.patience
        node.heard(pytest.beat)
        node.answers(pytest.beat, now)
        pytest.answered(now)
    assert not node.is_over(now)
    assert node.until > now + LEASE / 2


def test_an_answer_that_is_given_twice_counts_from_the_first_time() -> None:
    node = NodeLease(LEASE, 0.0)
    node.heard(1)
    node.answers(1, 2.0)
    node.heard(1)
    node.answers(1, 9.0)
    node.heard(2)
    assert node.until == 2.0 + LEASE


def test_a_call_of_an_old_beat_changes_nothing() -> None:
    node = NodeLease(LEASE, 0.0)
    for beat in (1, 2, 3):
        node.heard(beat)
        node.answers(beat, float(beat))
    until = node.until
    node.heard(1)
    assert node.until == until


def test_calls_that_the_engine_makes_again_later_prolong_nothing() -> None:
    """Nobody hears their answers: pytest's machine may count the node as lost by then."""
    node = NodeLease(LEASE, 0.0)
    for beat in (1, 2, 3, 4):
        node.heard(beat)
        node.answers(beat, float(beat))
    until = node.until
    for beat in (1, 2, 3):
        node.heard(beat)
        node.answers(beat, 12.0)
    assert node.until == until
