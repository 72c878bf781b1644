"""The environment variables by which the processes of a run know each other."""

from __future__ import annotations

#: Variables that mark every process of an attempt and of a run, so that a process that left its
#: tree is still found and ended.
ATTEMPT_COOKIE = "PTC_COOKIE"
RUN_COOKIE = "PTC_RUN"
#: The attempt's folder in the journal; and the socket of its worker that `ptc record` calls, with
#: the token that it has to show there.
ATTEMPT_FOLDER = "PTC_ATTEMPT_FOLDER"
RECORD_SOCKET = "PTC_RECORD_SOCKET"
ATTEMPT_TOKEN = "PTC_TOKEN"  # noqa: S105 - the variable's name

#: The key of the journals, where a pipeline hands it from job to job; for pytest and `ptc` alone.
JOURNAL_KEY = "PTC_JOURNAL_KEY"


def is_true(value: str | None) -> bool:
    """Tell whether an environment variable such as `CI` is set to something true."""
    return (value or "").strip().lower() not in ("", "0", "false", "no", "off")
