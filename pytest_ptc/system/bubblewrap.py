"""Whether bubblewrap works on this machine."""

from __future__ import annotations

import shutil
import subprocess
from functools import cache

#: The program's name.
PROGRAM = "bwrap"
#: Seconds that it may take to say so; it takes some milliseconds.
_TIMEOUT_S = 20.0
#: All that our sandboxes need.
_NEEDED = (
    *("--unshare-user", "--unshare-pid", "--unshare-ipc", "--unshare-uts", "--unshare-net"),
    *("--die-with-parent", "--new-session", "--cap-drop", "ALL", "--ro-bind", "/", "/"),
    *("--proc", "/proc", "--dev", "/dev", "--size", "65536", "--tmpfs", "/dev/shm"),  # noqa: S108
    *("--remount-ro", "/dev", "--", "/bin/sh", "-c", ":"),
)


@cache
def bubblewrap_problem(path: str | None = None) -> str | None:
    """Return why there can be no sandbox here, with the fix; None if there can.

    Args:
        path: Where programs are looked for; PATH if not given.
    """
    program = shutil.which(PROGRAM, path=path)
    if program is None:
        return "bubblewrap is not installed; install the package bubblewrap (Linux alone has it)"
    try:
        tried = subprocess.run(
            [program, *_NEEDED],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return f"{program} cannot be used: {error}"
    return None if tried.returncode == 0 else told_problem(tried.stderr)


def told_problem(complaint: str) -> str:
    """Return what a complaint of bubblewrap means, with the fix."""
    said = " ".join(complaint.split())[:300] or "bwrap failed"
    if "nknown option" in said:
        return f"bubblewrap is too old ({said}); install 0.7 or newer"
    return (
        f"this machine forbids user namespaces ({said}); allow them: as root, `sysctl "
        "kernel.apparmor_restrict_unprivileged_userns=0` or `kernel.unprivileged_userns_clone=1`; "
        "in a container, `--security-opt seccomp=unconfined --security-opt apparmor=unconfined`"
    )
