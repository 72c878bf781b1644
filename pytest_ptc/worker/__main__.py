"""`python -m pytest_ptc.worker LAUNCH_FILE`: the process that a host starts."""

from __future__ import annotations

import gc
import sys

if __name__ == "__main__":
    # Until the process has settled in: a collection during imports finds nothing.
    gc.disable()
    from pytest_ptc.worker.process import main

    sys.exit(main())
