"""Programs from npm that tests run, as folders of `tests/data` pin them.

They are installed once for all test sessions of this machine. Without npm, or where a package
cannot be had, a test that needs one fails.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import tempfile
from functools import cache
from pathlib import Path

from filelock import FileLock

from pytest_ptc.agents.acp.node import node_problem

#: Where they are installed; tests have other homes than whoever runs them.
CACHES = Path(os.environ.get("PTC_TEST_CACHE") or Path.home() / ".cache" / "pytest-ptc-tests")
PINS = Path(__file__).parents[1] / "data"


@cache
def installed(pins: str) -> Path:
    """Return the folder `node_modules` of a program, installed if it was not yet.

    Args:
        pins: The folder of `tests/data` that has its `package.json` and `package-lock.json`.
    """
    problem = node_problem("node", 20, os.environ)
    assert problem is None, f"what comes from npm {problem}; put a newer one first on PATH"
    folder, name = PINS / pins, Path(pins).name
    number = hashlib.sha256((folder / "package-lock.json").read_bytes()).hexdigest()[:12]
    CACHES.mkdir(parents=True, exist_ok=True)
    place = CACHES / f"{name}-{number}"
    with FileLock(CACHES / f"{name}.lock"):
        if not place.exists():
            # Put into place when it is complete: a test session may be ended meanwhile.
            with tempfile.TemporaryDirectory(prefix=f"{name}-", dir=CACHES) as made:
                new = Path(made, "new")
                shutil.copytree(folder, new)
                # Not `npm ci`: it wants the packages of every other system in the lock file.
                subprocess.run(
                    ["npm", "install", "--ignore-scripts", "--no-audit", "--no-fund"],
                    cwd=new,
                    check=True,
                    stdout=subprocess.DEVNULL,
                    timeout=600,
                )
                for script in new.glob("node_modules/opencode-ai/postinstall.mjs"):
                    # It puts the program of this system into place; no other one has to run.
                    subprocess.run(["node", script], cwd=script.parent, check=True, timeout=60)
                new.rename(place)
    return place / "node_modules"
