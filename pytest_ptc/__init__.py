"""Parallel task coordination for pytest: marked tests done by agents, judged by their verdicts."""

from __future__ import annotations

from pytest_ptc.errors import PtcError
from pytest_ptc.model import Finding, Severity, Verdict, VerdictKind

__all__ = ["Finding", "PtcError", "Severity", "Verdict", "VerdictKind"]
