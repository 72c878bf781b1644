"""Serve httpbin on a free port of this machine until standard input ends.

The port is printed once the socket listens. Standard input is a pipe from whoever started this, so
it ends with that process, even with one that is killed and cannot clean up.
"""

import importlib
import sys
import threading

from werkzeug.serving import WSGIRequestHandler, make_server


class QuietHandler(WSGIRequestHandler):
    """Keeps the log to errors: a line for each of hundreds of requests would bury them."""

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


def main() -> None:
    """Serve until standard input ends."""
    app = importlib.import_module("httpbin").app
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=QuietHandler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    sys.stdout.write(f"{server.port}\n")
    sys.stdout.flush()
    sys.stdin.read()


if __name__ == "__main__":
    main()
