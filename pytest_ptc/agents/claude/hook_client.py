"""The command that the settings file of an interactive session names as its hook.

It sends Claude Code's input to the worker's socket, which its argument names, and prints the
worker's answer. It imports nothing of this package, because it starts anew for every call. If the
worker does not answer, it blocks the call (status 2): an unchecked call must not run.
"""

import os
import socket
import sys

#: The variable that holds the key that a call begins with.
KEY = "PTC_HOOK_KEY"


def main() -> int:
    """Return 0 with the worker's answer printed, or 2 with a reason for the model."""
    try:
        with socket.socket(socket.AF_UNIX) as line:
            line.connect(sys.argv[1])
            line.sendall(os.environ.get(KEY, "").encode() + b"\n" + sys.stdin.buffer.read())
            line.shutdown(socket.SHUT_WR)
            answer = b"".join(iter(lambda: line.recv(65536), b""))
    except OSError as error:
        sys.stderr.write(f"The worker of this task cannot be reached ({error}); nothing was done.")
        return 2
    sys.stdout.buffer.write(answer)
    return 0


if __name__ == "__main__":
    sys.exit(main())
