"""The example suite's rule-based agent, against the real httpbin and against broken ones."""

from __future__ import annotations

import gzip
import importlib
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SUITE = Path(__file__).parents[3] / "example_suites" / "api_endpoints"
PACKAGE = "example_suites_api_endpoints_httpbin_probe"
FAILING = ("medium", "high", "critical")
BODY = b"It works!"


def load(name: str) -> Any:
    """Import a module of the suite's package, under a name that meets no other and without a path.

    The package's own name is free for whoever runs the suite itself in this process.
    """
    if PACKAGE not in sys.modules:
        folder = SUITE / "httpbin_probe"
        spec = importlib.util.spec_from_file_location(
            PACKAGE, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )
        assert spec is not None
        assert spec.loader is not None
        package = importlib.util.module_from_spec(spec)
        sys.modules[PACKAGE] = package
        spec.loader.exec_module(package)
    return importlib.import_module(f"{PACKAGE}.{name}")


@contextmanager
def serve(app: Any) -> Iterator[str]:
    """Serve a WSGI application on a free port of this machine; the value is where."""
    from werkzeug.serving import make_server  # noqa: PLC0415 - it comes with httpbin

    quiet = load("server").QuietHandler
    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture(scope="session")
def httpbin() -> Any:
    """Return httpbin's WSGI application, or skip where the extra `examples` is not installed."""
    return pytest.importorskip("httpbin").app


@pytest.fixture(scope="session")
def published(httpbin: Any) -> dict[str, dict[str, str]]:
    """Return the parameters of every published operation, by its name."""
    assert httpbin
    operations = load("spec").published_operations()
    return {f"{each.method} {each.path}": each._asdict() for each in operations}


@pytest.fixture(scope="session")
def httpbin_url(httpbin: Any) -> Iterator[str]:
    """Serve the real httpbin."""
    with serve(httpbin) as url:
        yield url


@pytest.fixture(scope="session")
def verdicts(httpbin_url: str, published: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """Return the verdict on each operation of the real httpbin."""
    return examine_all(published, httpbin_url)


def examine(params: dict[str, str], url: str, *, timeout: float = 10.0) -> dict[str, Any]:
    """Return the verdict on one operation."""
    verdict = load("examine").examine({**params, "base_url": url}, ignore, timeout=timeout)
    assert isinstance(verdict, dict)
    return verdict


def examine_all(
    published: dict[str, dict[str, str]], url: str, **overrides: str
) -> dict[str, dict[str, Any]]:
    """Return the verdicts on all operations; several at a time, because some wait for a second."""
    with ThreadPoolExecutor(12) as pool:
        verdicts = pool.map(
            lambda params: examine({**params, **overrides}, url), published.values()
        )
        return dict(zip(published, verdicts, strict=True))


def ignore(line: str) -> None:
    """Take a line of the log."""


def failing_rules(verdict: dict[str, Any]) -> set[str]:
    """Return the rules of the findings that fail a verdict."""
    return {each["rule"] for each in verdict["findings"] if each["severity"] in FAILING}


def claims(verdict: dict[str, Any]) -> set[str]:
    """Return what a verdict's failing findings say, without the evidence."""
    return {
        each["message"].partition(". Evidence: ")[0]
        for each in verdict["findings"]
        if each["severity"] in FAILING
    }


def test_every_published_operation_has_a_rule(published: dict[str, dict[str, str]]) -> None:
    """No operation of httpbin's spec is without checks and without words for a model."""
    rule_for = load("rules").rule_for
    rules = {name: rule_for(each["method"], each["path"]) for name, each in published.items()}

    assert rules
    assert [name for name, rule in rules.items() if not (rule and rule.checks)] == []
    assert [name for name, rule in rules.items() if not rule.expectation] == []


@pytest.mark.parametrize("table", ["rules.RULES", "known_defects.DEFECTS"])
def test_tables_name_published_operations_once(
    table: str, published: dict[str, dict[str, str]]
) -> None:
    """A row for an operation that is gone, or a second one for the same, would never be read."""
    module, _, name = table.partition(".")
    rows = getattr(load(module), name)
    named = [f"{method} {row.path}" for row in rows for method in row.methods.split()]

    assert [each for each in named if each not in published] == []
    assert len(named) == len(set(named))


@pytest.mark.slow
def test_real_httpbin_fails_by_its_known_defects_alone(
    verdicts: dict[str, dict[str, Any]], published: dict[str, dict[str, str]]
) -> None:
    """All operations pass but those with a known defect, which fail by just the rules listed."""
    known_defect = load("known_defects").known_defect
    defects = {name: known_defect(each["method"], each["path"]) for name, each in published.items()}
    expected = {
        name: ("fail", set(defect.rules)) if defect else ("pass", set())
        for name, defect in defects.items()
    }

    found = {name: (each["verdict"], failing_rules(each)) for name, each in verdicts.items()}

    assert found == expected


def test_verdicts_have_the_agreed_form(verdicts: dict[str, dict[str, Any]]) -> None:
    """Each verdict is plain JSON of the keys agreed on, each finding has a slug and evidence."""
    for verdict in verdicts.values():
        assert json.loads(json.dumps(verdict)) == verdict
        assert set(verdict) == {"verdict", "summary", "findings", "data"}
        assert verdict["data"]["requests"] > 0
        for finding in verdict["findings"]:
            assert finding["severity"] in ("info", "low", *FAILING)
            assert re.fullmatch(r"[a-z0-9-]+", finding["rule"])
            assert ". Evidence: " in finding["message"]


def test_no_operation_is_content_with_a_page_that_says_it_works(
    verdicts: dict[str, dict[str, Any]], published: dict[str, dict[str, str]]
) -> None:
    """Every operation has a check of meaning: a 200 of the right type and any text fails them all.

    A known defect does not excuse an operation, since what it fails by must be new.
    """

    def it_works(_environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/plain"), ("Content-Length", "9")])
        return [BODY]

    with serve(it_works) as url:
        fooled = examine_all(published, url, statuses="200", produces="text/plain")

    assert [name for name, each in fooled.items() if each["verdict"] != "fail"] == []
    assert [name for name, each in fooled.items() if claims(each) <= claims(verdicts[name])] == []


class Answer(NamedTuple):
    """An answer of httpbin on its way out."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes

    def having(self, name: str, value: str) -> Answer:
        """Return the answer with a header replaced or added."""
        return self._replace(headers=[*self.without(name).headers, (name, value)])

    def without(self, name: str) -> Answer:
        """Return the answer without a header."""
        return self._replace(headers=[entry for entry in self.headers if entry[0] != name])

    def changed(self, old: bytes, new: bytes) -> Answer:
        """Return the answer with a part of its body replaced."""
        return self._replace(body=self.body.replace(old, new))


class Sabotage(NamedTuple):
    """One way to break httpbin, and the rule that must notice."""

    operation: str
    rule: str
    answer: Callable[[Answer], Answer] = lambda answer: answer
    request: Callable[[dict[str, Any]], object] = lambda environ: environ


def answers(status: int, instead_of: int) -> Callable[[Answer], Answer]:
    """Return the exchange of one status for another."""
    old, new = str(instead_of), str(status)
    return lambda answer: answer._replace(status=answer.status.replace(old, new))


def garbles(old: bytes, new: bytes = b"") -> Callable[[Answer], Answer]:
    """Return the exchange of a part of every body."""
    return lambda answer: answer.changed(old, new)


def loses(name: str) -> Callable[[Answer], Answer]:
    """Return the loss of a header of the answer."""
    return lambda answer: answer.without(name)


def says(name: str, value: str) -> Callable[[Answer], Answer]:
    """Return a wrong header of the answer."""
    return lambda answer: answer.having(name, value)


def cuts(answer: Answer) -> Answer:
    """Take away the last byte."""
    return answer._replace(body=answer.body[:-1])


def lets_in(answer: Answer) -> Answer:
    """Take any credentials; httpbin remembers the nonce of those that it refuses."""
    refused = any(value.startswith("last_nonce=") for _, value in answer.headers)
    return answer._replace(status="200 OK") if refused else answer


def shortens_location(answer: Answer) -> Answer:
    """Redirect without naming the host."""
    location = dict(answer.headers).get("Location", "")
    return answer.having("Location", urlsplit(location).path) if location else answer


def unzips(answer: Answer) -> Answer:
    """Send the content as it was before it was packed, under the same headers."""
    return answer._replace(body=gzip.decompress(answer.body))


def forgets_request(name: str) -> Callable[[dict[str, Any]], object]:
    """Return the loss of a header of the request."""
    return lambda environ: environ.pop(f"HTTP_{name.upper().replace('-', '_')}", None)


def rewrites(old: str, new: str) -> Callable[[dict[str, Any]], object]:
    """Return a change of the path that httpbin sees."""

    def change(environ: dict[str, Any]) -> None:
        environ["PATH_INFO"] = environ["PATH_INFO"].replace(old, new)

    return change


SAME_UUID = {"uuid": "5d2b0c2e-6c0f-4b5e-9d5c-0a4f113b0000"}

SABOTAGES = {
    "a teapot answers 200": Sabotage("GET /status/{codes}", "status-code", answers(200, 418)),
    "the server crashes": Sabotage("GET /get", "status-code", answers(500, 200)),
    "arguments are not echoed": Sabotage("GET /get", "echo", garbles(b"vanilla", b"mint")),
    "JSON comes as text": Sabotage("GET /get", "content-type", says("Content-Type", "text/plain")),
    "JSON is no JSON": Sabotage("GET /json", "json", garbles(b"}", b"]")),
    "the answer breaks off": Sabotage("GET /get", "no-answer", says("Content-Length", "9999")),
    "the form is lost": Sabotage("POST /post", "echo", garbles(b'"form": {', b'"fork": {')),
    "the file is lost": Sabotage("PUT /anything", "echo", garbles(b"all is well")),
    "the method is wrong": Sabotage("TRACE /anything", "echo", garbles(b'"TRACE"', b'"GET"')),
    "a header is lost": Sabotage("GET /headers", "echo", request=forgets_request("X-Flavour")),
    "another origin": Sabotage("GET /ip", "origin", garbles(b"127.0.0.1", b"192.0.2.1")),
    "gzip is not packed": Sabotage("GET /gzip", "content-encoding", unzips),
    "gzip is not named": Sabotage("GET /gzip", "content-encoding", loses("Content-Encoding")),
    "brotli is cut": Sabotage("GET /brotli", "content-encoding", cuts),
    "bytes are missing": Sabotage("GET /bytes/{n}", "length", cuts),
    "the seed is ignored": Sabotage(
        "GET /bytes/{n}", "seed", request=lambda environ: environ.update(QUERY_STRING="")
    ),
    "a stream is not streamed": Sabotage(
        "GET /stream-bytes/{n}",
        "streamed",
        lambda answer: answer.having("Content-Length", str(len(answer.body))),
    ),
    "a line is missing": Sabotage(
        "GET /stream/{n}",
        "lines",
        lambda answer: answer._replace(body=answer.body.partition(b"\n")[2]),
    ),
    "a password is not asked for": Sabotage(
        "GET /basic-auth/{user}/{passwd}", "status-code", answers(200, 401)
    ),
    "a 401 asks for nothing": Sabotage("GET /bearer", "challenge", loses("WWW-Authenticate")),
    "a wrong password is let in": Sabotage(
        "GET /digest-auth/{qop}/{user}/{passwd}", "login", lets_in
    ),
    "a right password is refused": Sabotage(
        "GET /digest-auth/{qop}/{user}/{passwd}", "login", request=rewrites("lovelace", "other")
    ),
    "If-None-Match is ignored": Sabotage(
        "GET /etag/{etag}", "status-code", request=forgets_request("If-None-Match")
    ),
    "If-Match is ignored": Sabotage(
        "GET /etag/{etag}", "status-code", request=forgets_request("If-Match")
    ),
    "Range is ignored": Sabotage(
        "GET /range/{numbytes}", "range", request=forgets_request("Range")
    ),
    "a part is another part": Sabotage(
        "GET /range/{numbytes}", "range", lambda answer: answer._replace(body=answer.body[::-1])
    ),
    "nothing may be cached": Sabotage(
        "GET /cache/{value}", "cache-control", loses("Cache-Control")
    ),
    "one redirect less": Sabotage(
        "GET /redirect/{n}", "hops", request=rewrites("redirect/3", "redirect/2")
    ),
    "a URL is not absolute": Sabotage("GET /absolute-redirect/{n}", "location", shortens_location),
    "the cookie is not set": Sabotage("GET /cookies/set", "set-cookie", loses("Set-Cookie")),
    "the cookie stays": Sabotage("GET /cookies/delete", "cookie-deleted", loses("Set-Cookie")),
    "each UUID is the same": Sabotage(
        "GET /uuid", "uuid", lambda answer: answer._replace(body=json.dumps(SAME_UUID).encode())
    ),
    "the image is cut": Sabotage("GET /image/png", "image", cuts),
    "the image is of another type": Sabotage(
        "GET /image", "content-type", request=forgets_request("Accept")
    ),
    "XML is not well-formed": Sabotage("GET /xml", "xml", garbles(b"</title>")),
    "UTF-8 is Latin-1": Sabotage(
        "GET /encoding/utf8",
        "charset",
        lambda answer: answer._replace(body=answer.body.decode().encode("latin-1", "replace")),
    ),
    "base64 is not decoded": Sabotage("GET /base64/{value}", "base64", garbles(b"HTTPBIN")),
    "a link leads elsewhere": Sabotage(
        "GET /links/{n}/{offset}", "links", garbles(b"/4/2", b"/9/9")
    ),
    "there is no delay": Sabotage("GET /delay/{delay}", "delay", request=rewrites("/1", "/0")),
    # Nothing else is needed: what is sabotaged is sent in one piece.
    "drops come at once": Sabotage("GET /drip", "duration"),
}


@pytest.mark.parametrize("name", SABOTAGES)
def test_sabotage_is_noticed(
    name: str,
    httpbin: Any,
    published: dict[str, dict[str, str]],
    verdicts: dict[str, dict[str, Any]],
) -> None:
    """An API that breaks one promise fails the operation, with a finding of the right rule."""
    sabotage = SABOTAGES[name]

    def broken(environ: dict[str, Any], start_response: Any) -> list[bytes]:
        sabotage.request(environ)
        parts, status, headers = run_wsgi_app(httpbin, environ, buffered=True)
        answer = sabotage.answer(Answer(status, list(headers), b"".join(parts)))
        length = headers.get("Content-Length")
        if length and ("Content-Length", length) in answer.headers:
            answer = answer.having("Content-Length", str(len(answer.body)))
        start_response(answer.status, answer.headers)
        return [answer.body]

    from werkzeug.test import run_wsgi_app  # noqa: PLC0415 - it comes with httpbin

    with serve(broken) as url:
        verdict = examine(published[sabotage.operation], url)

    news = tuple(claims(verdict) - claims(verdicts[sabotage.operation]))
    rules = {each["rule"] for each in verdict["findings"] if each["message"].startswith(news)}
    assert verdict["verdict"] == "fail"
    assert sabotage.rule in rules


def test_silent_server_ends_in_a_finding(published: dict[str, dict[str, str]]) -> None:
    """A server that takes the request and never answers costs one timeout, not one a check."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        started = time.monotonic()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        verdict = examine(published["POST /post"], url, timeout=0.3)

    assert failing_rules(verdict) == {"timeout"}
    assert verdict["data"]["requests"] == 1
    assert time.monotonic() - started < 3


def test_trickling_server_ends_in_a_finding(published: dict[str, dict[str, str]]) -> None:
    """A server that sends a byte now and then, for ever, is held to the same timeout."""

    def trickle(_environ: Any, start_response: Any) -> Iterator[bytes]:
        start_response("200 OK", [("Content-Type", "application/json")])
        for _ in range(100):
            yield b" "
            time.sleep(0.05)

    with serve(trickle) as url:
        started = time.monotonic()
        verdict = examine(published["GET /get"], url, timeout=0.3)

    assert failing_rules(verdict) == {"timeout"}
    assert time.monotonic() - started < 3


def test_absent_server_is_an_error(published: dict[str, dict[str, str]]) -> None:
    """Where nobody listens there is nothing to judge: the verdict is error, not fail."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    verdict = examine(published["GET /get"], url)

    assert verdict["verdict"] == "error"
    assert "cannot connect" in verdict["summary"]


def test_operation_without_rule_is_an_error(published: dict[str, dict[str, str]]) -> None:
    """An operation that no rule covers is not waved through."""
    verdict = examine({**published["GET /get"], "method": "PATCH"}, "http://127.0.0.1:9")

    assert verdict["verdict"] == "error"
    assert "No rule covers PATCH /get" in verdict["summary"]


@pytest.mark.parametrize("name", ["method", "path", "statuses", "produces"])
def test_missing_parameter_is_an_error(name: str, published: dict[str, dict[str, str]]) -> None:
    """Parameters that the prober needs and does not get are named in an error."""
    verdict = examine({**published["GET /get"], name: ""}, "http://127.0.0.1:9")

    assert verdict["verdict"] == "error"
    assert name in verdict["summary"]


def run_prober(params: str, prompt: bytes = b"") -> list[str]:
    """Return the lines that the prober prints when it is run as the plugin runs it."""
    process = subprocess.run(
        [sys.executable, "prober.py"],
        cwd=SUITE,
        env={**os.environ, "PTC_PARAMS": params},
        input=prompt,
        capture_output=True,
        timeout=30,
        check=True,
    )
    assert process.stderr == b""
    return process.stdout.decode().splitlines()


def test_process_shows_its_work_and_ends_in_a_verdict(
    httpbin_url: str, published: dict[str, dict[str, str]]
) -> None:
    """Run as a command, the prober takes any prompt, logs its requests, prints a verdict last."""
    params = json.dumps({**published["GET /uuid"], "base_url": httpbin_url})

    *log, last = run_prober(params, b"x" * 1_000_000)

    assert json.loads(last)["verdict"] == "pass"
    requests = [line for line in log if re.fullmatch(r"GET /uuid -> 200 \(\d+ ms\)", line)]
    assert len(requests) == json.loads(last)["data"]["requests"] == 3


@pytest.mark.parametrize("params", ["", "[]", "not JSON"])
def test_process_with_useless_parameters_ends_in_an_error(params: str) -> None:
    """Whatever is wrong with its input, the prober records a verdict, and it is never pass."""
    assert json.loads(run_prober(params)[-1])["verdict"] == "error"


def test_server_ends_with_its_standard_input(httpbin: Any) -> None:
    """The suite's httpbin serves on the port it prints, until the pipe to its starter is closed."""
    assert httpbin
    with subprocess.Popen(
        [sys.executable, SUITE / "httpbin_probe" / "server.py"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as server:
        assert server.stdin is not None
        assert server.stdout is not None
        try:
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/uuid"
            with urllib.request.urlopen(url, timeout=10) as answer:
                assert "uuid" in json.load(answer)
            server.stdin.close()
            assert server.wait(timeout=10) == 0
        finally:
            server.kill()
