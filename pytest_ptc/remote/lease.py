"""The lease of a node: how long what it has started may live without pytest's machine. Pure.

Pytest's machine names its calls by numbers, the beats, and a node notes when it has answered each.
The next beat says that the answer to the one before has come. So the node counts its lease from
when it gave that answer, and pytest's machine, which got it later, counts at least as long. What
is delayed, lost or repeated on the way only ends a node's lease earlier. No clocks are compared:
both must merely run equally fast.

Each clock must go on while its machine sleeps: a node that wakes up must find that it is late.
"""

from __future__ import annotations

#: Seconds that a node has, when its lease is over, to end all that it has started.
ENDING_S = 5.0
#: The part of a lease after which a call is answered, although there is nothing to tell.
_ANSWER_PART = 1 / 3


class NodeLease:
    """The node's side.

    Args:
        seconds: How long it lives without being heard of.
        now: The time on the node's clock.
    """

    def __init__(self, seconds: float, now: float) -> None:
        self.seconds = seconds
        #: When it is over, if nothing more is heard.
        self.until = now + seconds
        #: When the latest answers were first given, by their beats.
        self._given: dict[int, float] = {}
        #: The highest beat that was heard.
        self._latest = 0

    def __repr__(self) -> str:
        return f"<NodeLease until {self.until:.1f}>"

    @property
    def patience(self) -> float:
        """Return after how many seconds a call is answered at the latest."""
        return self.seconds * _ANSWER_PART

    def heard(self, beat: int) -> None:
        """Take a call with this beat: the answer to the one before has arrived."""
        if beat <= self._latest:
            return
        self._latest = beat
        given = self._given.get(beat - 1)
        if given is not None:
            self.until = max(self.until, given + self.seconds)
        self._given = {one: at for one, at in self._given.items() if one >= beat - 1}

    def answers(self, beat: int, now: float) -> None:
        """Take that the call with this beat is answered now; the first time counts.

        Nobody waits for the answer to a call of before: the engine has made it again.
        """
        if beat >= self._latest:
            self._given.setdefault(beat, now)

    def is_over(self, now: float) -> bool:
        return now >= self.until


class PytestLease:
    """The side of pytest's machine.

    Args:
        seconds: The lease of the node.
        now: When the node was first heard of, or later, on the clock of pytest's machine.
    """

    def __init__(self, seconds: float, now: float) -> None:
        self.seconds = seconds
        self._heard = now
        #: The beat of the next call; a failed call is made again with the same one.
        self.beat = 1

    def __repr__(self) -> str:
        return f"<PytestLease, beat {self.beat}>"

    def answered(self, now: float) -> None:
        """Take the answer to the call with the current beat."""
        self._heard = now
        self.beat += 1

    @property
    def until(self) -> float:
        """Return when the node's own lease is over at the latest."""
        return self._heard + self.seconds

    @property
    def lost_at(self) -> float:
        """Return from when on nothing of the run lives on the node."""
        return self.until + ENDING_S
