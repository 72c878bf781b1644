"""The agent of this suite: rules instead of a model, so that it costs nothing and never varies.

Reads the item's parameters from PTC_PARAMS, sends real requests, and prints what it does; the last
line of its output is the verdict.
"""

import json
import os
import sys

from httpbin_probe.examine import examine


def main() -> int:
    """Examine the operation that the environment names."""
    if not sys.stdin.isatty():
        # The prompt is for models; it is read so that whoever writes it can finish.
        sys.stdin.buffer.read()
    try:
        verdict = examine(json.loads(os.environ["PTC_PARAMS"]), _say)
    except Exception as error:  # noqa: BLE001 - a crash here says nothing about the API
        summary = f"The prober itself failed: {type(error).__name__}: {error}."
        verdict = {"verdict": "error", "summary": summary, "findings": []}
    _say(json.dumps(verdict))
    return 0


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(main())
