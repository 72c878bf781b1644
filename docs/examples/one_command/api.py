"""A shop's API with five endpoints, one of them with a defect, and a client for it."""

import http.client
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

METHODS = ("GET", "POST", "PUT", "DELETE")
STATUSES = {"GET": 200, "POST": 201, "PUT": 200, "DELETE": 204}
DEFECT = 500
ENDPOINTS = ("/users", "/orders", "/items", "/carts", "/prices")


class Shop(BaseHTTPRequestHandler):
    """Answers every method of every endpoint."""

    def answer(self):
        """Answer one request."""
        broken = self.command == "DELETE" and self.path == "/carts"
        known = STATUSES[self.command] if self.path in ENDPOINTS else 404
        self.send_response(DEFECT if broken else known)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_):
        """Say nothing of each request."""


for name in METHODS:
    setattr(Shop, f"do_{name}", Shop.answer)


def request(method, endpoint):
    """Return the status of one request to a server of its own."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Shop) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        connection = http.client.HTTPConnection(*server.server_address, timeout=10)
        connection.request(method, endpoint, headers={"Content-Length": "0"})
        status = connection.getresponse().status
        connection.close()
        server.shutdown()
    return status
