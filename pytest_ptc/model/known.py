"""Findings that a person knows of, and which of a run's they are. Pure.

An entry that names a line, by its fingerprint or by its text, is void as soon as that line is
another; one with a date is void when that has passed. Whatever an entry does not clearly mean, it
does not excuse.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.rule_names import is_same_rule, rule_key
from pytest_ptc.text.globs import glob_matches

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from pytest_ptc.model.sightings import Sighting


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownEntry:
    """One known finding, or several of a rule.

    Args:
        number: Its place in its file, from 1.
        line: The line of its file that it begins at, from 1.
        reason: Why the finding may stay.
        fingerprint: The anchor of a finding; it stands for one line of a file.
        rule: The rule of findings.
        path: Their file from the top of the repository, or a pattern of files.
        until: The last day on which it holds, as `2027-01-31`; None for no end.
    """

    number: int
    line: int
    reason: str
    fingerprint: str | None = None
    rule: str | None = None
    path: str | None = None
    until: str | None = None

    @property
    def of_a_line(self) -> bool:
        """Tell whether it means findings at one line of a file."""
        return self.fingerprint is not None

    @property
    def about(self) -> str:
        """Return what it means, in a few words."""
        where = self.path or f"fingerprint {self.fingerprint}"
        return f"{self.rule} in {where}" if self.rule else where


@dataclass(frozen=True, kw_only=True, slots=True)
class KnownFindings:
    """The known findings of a run.

    Args:
        file: Their file, as a reader should find it.
        today: The day on which the run began, in UTC, as `2027-01-31`.
        entries: The entries of the file.
    """

    file: str
    today: str
    entries: tuple[KnownEntry, ...] = ()

    def is_expired(self, entry: KnownEntry) -> bool:
        """Tell whether an entry's last day is over."""
        return is_expired(entry, self.today)


class VoidEntry(NamedTuple):
    """An entry of a file that excuses nothing any more, and why, as the end of a sentence."""

    file: str
    entry: KnownEntry
    why: str

    @property
    def text(self) -> str:
        entry = self.entry
        where = f"{self.file}:{entry.line}"
        return f"known finding {entry.number} ({entry.about}, {where}) is void: {self.why}"


def is_expired(entry: KnownEntry, today: str) -> bool:
    """Tell whether an entry's last day is before a day; both are written as `2027-01-31`."""
    return entry.until is not None and entry.until < today


def covers(entry: KnownEntry, seen: Sighting) -> bool:
    """Tell whether an entry means a finding, whatever its date."""
    if entry.fingerprint is not None and entry.fingerprint != seen.anchor:
        return False
    return _is_alike(entry, seen)


def known_among(known: KnownFindings, seen: Sequence[Sighting]) -> list[KnownEntry | None]:
    """Return, for each finding of one verdict, the entry that makes it a known one.

    An entry of a line stands for one place in each verdict: a line's twin elsewhere in the file is
    another finding, which nobody has looked at.
    """
    entries = _Entries([entry for entry in known.entries if not known.is_expired(entry)])
    found: list[KnownEntry | None] = [None] * len(seen)
    taken: dict[int, object] = {}
    for at in sorted(range(len(seen)), key=lambda at: seen[at].line or 0):
        for entry in entries.that_cover(seen[at]):
            if not entry.of_a_line or taken.setdefault(entry.number, seen[at].place) == (
                seen[at].place
            ):
                found[at] = entry
                break
    return found


def expired_among(known: KnownFindings, seen: Sequence[Sighting]) -> list[bool]:
    """Return which findings were known ones whose date has passed."""
    entries = _Entries([entry for entry in known.entries if known.is_expired(entry)])
    return [any(True for _ in entries.that_cover(one)) for one in seen]


class _Entries:
    """Entries by what they may mean: an agent may find any number of things."""

    def __init__(self, entries: Iterable[KnownEntry]) -> None:
        self._by: dict[object, list[KnownEntry]] = defaultdict(list)
        for entry in entries:
            key = (
                rule_key(entry.rule)
                if entry.fingerprint is None
                else ("fingerprint", entry.fingerprint)
            )
            self._by[key].append(entry)

    def that_cover(self, seen: Sighting) -> Iterator[KnownEntry]:
        """Yield the entries that mean a finding, first those of its line."""
        of_line = self._by.get(("fingerprint", seen.anchor), ())
        of_rule = self._by.get(rule_key(seen.rule), ())
        return (entry for entry in (*of_line, *of_rule) if covers(entry, seen))


def void_entries(known: KnownFindings, seen: Iterable[Sighting]) -> list[VoidEntry]:
    """Return which entries are void, and why.

    Args:
        known: The entries.
        seen: All findings of a run. Where one of an entry's rule and file is there, and none at its
            line, the line has changed: of a file without such findings nothing is known.
    """
    by_rule: dict[str | None, list[Sighting]] = defaultdict(list)
    for one in seen:
        by_rule[rule_key(one.rule)].append(one)
    found = []
    for entry in known.entries:
        if known.is_expired(entry):
            found.append(VoidEntry(known.file, entry, f"its date, {entry.until}, has passed"))
        elif entry.of_a_line and entry.path is not None and entry.rule is not None:
            alike = [one for one in by_rule[rule_key(entry.rule)] if _is_alike(entry, one)]
            if alike and not any(covers(entry, one) for one in alike):
                read = any(one.anchor is not None for one in alike)
                why = "its line changed" if read else "nobody could read the finding's line"
                found.append(VoidEntry(known.file, entry, why))
    return found


def _is_alike(entry: KnownEntry, seen: Sighting) -> bool:
    """Tell whether a finding has an entry's rule, and is in its file."""
    if entry.rule is not None and not is_same_rule(entry.rule, seen.rule):
        return False
    if entry.path is None:
        return True
    if seen.path is None:
        return False
    # A file's own name may have signs of patterns.
    return seen.path == entry.path or glob_matches(seen.path, entry.path)
