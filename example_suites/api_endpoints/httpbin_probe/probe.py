"""The examination of one operation: send requests, compare with what was promised, take notes."""

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple, NoReturn
from urllib.parse import quote, urlencode, urljoin

from .exchange import LateAnswerError, NoAnswerError, Response, exchange

SEVERITIES = ("info", "low", "medium", "high", "critical")
PLACEHOLDER = re.compile(r"\{(\w+)\}")
FAILING = SEVERITIES[SEVERITIES.index("medium") :]

Query = Mapping[str, object] | Iterable[tuple[str, object]]


class Operation(NamedTuple):
    """A method on a path, with the answers that the published spec lists for it."""

    method: str
    path: str
    statuses: frozenset[int]
    media_types: frozenset[str]

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


class Finding(NamedTuple):
    """Something wrong, with the evidence for it."""

    severity: str
    rule: str
    claim: str
    evidence: str

    def to_json(self) -> dict[str, str]:
        """Return the finding as a verdict holds it."""
        message = f"{self.claim}. Evidence: {self.evidence}"
        return {"severity": self.severity, "message": message, "rule": self.rule}


class BrokenPromiseError(Exception):
    """A broken promise, already noted, leaves a check nothing more to look at."""


class Probe:
    """One operation under examination.

    Args:
        operation: What is examined.
        base_url: Where the API is served.
        values: What fills the operation's path unless a call says otherwise.
        log: Takes a line for each request.
        timeout: Seconds that an answer may take.
    """

    def __init__(
        self,
        operation: Operation,
        base_url: str,
        *,
        values: Mapping[str, object],
        log: Callable[[str], None],
        timeout: float,
    ) -> None:
        self.operation = operation
        self.base_url = base_url
        self.findings: list[Finding] = []
        self.requests = 0
        self._values = values
        self._log = log
        self._timeout = timeout

    @property
    def method(self) -> str:
        """The operation's own method."""
        return self.operation.method

    def target(self, query: Query = (), **values: object) -> str:
        """Return the operation's path, filled in and percent-encoded, with a query."""
        filled = {**self._values, **values}
        target = PLACEHOLDER.sub(
            lambda match: quote(str(filled[match[1]]), safe=""), self.operation.path
        )
        pairs = list(query.items() if isinstance(query, Mapping) else query)
        return f"{target}?{urlencode(pairs)}" if pairs else target

    def send(
        self,
        method: str,
        target: str,
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
    ) -> Response:
        """Send any request to the API and return what came back, unjudged."""
        self.requests += 1
        started = time.monotonic()
        outcome = "no answer"
        try:
            response = exchange(
                self.base_url,
                method,
                target,
                headers=headers or {},
                body=body,
                timeout=self._timeout,
            )
            outcome = str(response.status)
        finally:
            milliseconds = round((time.monotonic() - started) * 1000)
            self._log(f"{method} {target} -> {outcome} ({milliseconds} ms)")
        return response

    def call(
        self,
        expected: int,
        query: Query = (),
        *,
        headers: Mapping[str, str] | None = None,
        body: bytes | None = None,
        **values: object,
    ) -> Response:
        """Call the operation, hold the answer to the spec, and return it if it has that status."""
        response = self.send(self.method, self.target(query, **values), headers=headers, body=body)
        if response.status != expected:
            self.stop("status-code", f"the status is {response.status}, not {expected}", response)
        self._compare_with_spec(response)
        return response

    def follow(self, response: Response, *, cookies: Mapping[str, str] | None = None) -> Response:
        """Go where a redirect points to, as long as that is on the same server."""
        url = urljoin(response.url, response.header("Location"))
        if not url.startswith(f"{self.base_url}/"):
            self.stop("location", f"the redirect leads to {url}", response)
        carried = "; ".join(f"{name}={value}" for name, value in (cookies or {}).items())
        return self.send(
            "GET",
            url.removeprefix(self.base_url),
            headers={"Cookie": carried} if carried else None,
        )

    def note(self, severity: str, rule: str, claim: str, evidence: object) -> None:
        """Take down a finding; the same claim again adds nothing."""
        if not any((rule, claim) == (seen.rule, seen.claim) for seen in self.findings):
            self.findings.append(Finding(severity, rule, claim, str(evidence)))

    def stop(self, rule: str, claim: str, evidence: object) -> NoReturn:
        """Note a serious finding and end this check."""
        self.note("high", rule, claim, evidence)
        raise BrokenPromiseError

    def expect(
        self, held: object, rule: str, claim: str, evidence: object, severity: str = "high"
    ) -> None:
        """Note `claim`, which says what is wrong, unless the promise held."""
        if not held:
            self.note(severity, rule, claim, evidence)

    def json(self, response: Response) -> Any:
        """Return the body as JSON, or end this check."""
        try:
            return json.loads(response.body, parse_constant=_refuse_constant)
        except ValueError as error:
            self.stop("json", f"the body is not JSON ({error})", response)

    def json_object(self, response: Response) -> dict[str, Any]:
        """Return the body as a JSON object, or end this check."""
        document = self.json(response)
        if not isinstance(document, dict):
            self.stop("json", "the body is not a JSON object", response)
        return document

    def expect_fields(self, response: Response, rule: str, **expected: object) -> None:
        """Compare some fields of a JSON object with what they must be."""
        document = self.json_object(response)
        for name, value in expected.items():
            actual = document.get(name, "absent")
            claim = f"the field {name} is {json.dumps(actual)}, not {json.dumps(value)}"
            self.expect(name in document and actual == value, rule, claim, response)

    def expect_refusal(
        self,
        what: str,
        query: Query = (),
        *,
        headers: Mapping[str, str] | None = None,
        **values: object,
    ) -> None:
        """Call the operation with input that only a 4xx answers rightly."""
        try:
            response = self.send(self.method, self.target(query, **values), headers=headers)
        except LateAnswerError:
            raise
        except NoAnswerError as error:
            self.note("medium", "bad-input-crash", f"{what} gets no valid answer", error)
            return
        status = response.status
        crashed = f"{what} is answered {status}, a server error"
        self.expect(status < 500, "bad-input-crash", crashed, response, "medium")
        taken = f"{what} is taken and answered {status}"
        self.expect(status >= 400, "bad-input-accepted", taken, response, "medium")

    def _compare_with_spec(self, response: Response) -> None:
        status, operation = response.status, self.operation
        undocumented = f"the spec does not list the status {status}"
        self.expect(
            status in operation.statuses, "undocumented-status", undocumented, response, "low"
        )
        if not response.body:
            return
        # A client parses what it asked for by the content type; around a redirect or an error
        # it is a gap in the documentation.
        severity = "medium" if 200 <= status < 300 else "low"
        media_type = response.media_type
        wildcard = f"{media_type.partition('/')[0]}/*"
        documented = media_type in operation.media_types or wildcard in operation.media_types
        claim = f"a {status} has the content type {media_type or 'none'}, not one the spec lists"
        self.expect(documented, "content-type", claim, response, severity)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not a JSON value")  # Python's parser would take it
