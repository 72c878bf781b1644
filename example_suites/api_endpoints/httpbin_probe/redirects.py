"""Checks of the operations that send the client elsewhere."""

from urllib.parse import urlencode

from .echo import FORM
from .exchange import Response
from .probe import Probe

ELSEWHERE = "https://example.org/a?b=c"


def redirects_n_times(probe: Probe) -> None:
    """There are exactly n redirects, and then the answer of /get."""
    for hops in (1, 3):
        response = _walk(probe, hops)[-1]
        if response.status != 200:
            probe.stop("hops", f"after {hops} redirects there is a {response.status}", response)
        # The echo of /get names its own address: proof that this is where we are.
        probe.expect_fields(response, "hops", url=f"{probe.base_url}/get")


def stays_relative(probe: Probe) -> None:
    """Each Location is a path without a host."""
    for response in _walk(probe, 3)[:-1]:
        location = response.header("Location")
        claim = f"the Location {location} is not relative"
        probe.expect(location.startswith("/"), "location", claim, response)


def stays_absolute(probe: Probe) -> None:
    """Each Location is a whole URL."""
    for response in _walk(probe, 3)[:-1]:
        location = response.header("Location")
        claim = f"the Location {location} is not absolute"
        probe.expect(location.startswith(f"{probe.base_url}/"), "location", claim, response)


def refuses_zero_redirects(probe: Probe) -> None:
    """No redirect at all is not among the things one can ask for."""
    probe.expect_refusal("n=0", n=0)
    probe.expect_refusal("n='abc'", n="abc")


def goes_where_query_says(probe: Probe) -> None:
    """The argument url is the Location, and status_code the status."""
    _expect_location(probe, probe.call(302, {"url": ELSEWHERE}))
    target = probe.target({"url": ELSEWHERE, "status_code": "307"})
    response = probe.send(probe.method, target)
    claim = f"with status_code=307 the status is {response.status}"
    probe.expect(response.status == 307, "status-code", claim, response)
    _expect_location(probe, response)


def goes_where_form_says(probe: Probe) -> None:
    """The form field url, which is where the spec puts it, is the Location."""
    body = urlencode({"url": ELSEWHERE, "status_code": 307}).encode()
    response = probe.send(probe.method, probe.target(), body=body, headers={"Content-Type": FORM})
    location = response.header("Location")
    claim = f"the form says url={ELSEWHERE} and the Location is {location!r}"
    probe.expect(location == ELSEWHERE, "form-ignored", claim, response)
    claim = f"the form says status_code=307 and the status is {response.status}"
    probe.expect(response.status == 307, "form-ignored", claim, response)


def refuses_missing_url(probe: Probe) -> None:
    """Without a url there is nowhere to go."""
    probe.expect_refusal("a request without a url")


def refuses_bad_status(probe: Probe) -> None:
    """A status code that is no number is the caller's error."""
    probe.expect_refusal("status_code='abc'", {"url": ELSEWHERE, "status_code": "abc"})


def _walk(probe: Probe, hops: int) -> list[Response]:
    """Return the redirects in order and the answer that they lead to."""
    responses = [probe.call(302, n=hops)]
    while responses[-1].header("Location") and len(responses) <= hops:
        responses.append(probe.follow(responses[-1]))
    redirects = sum(response.status == 302 for response in responses)
    if redirects != hops:
        probe.stop("hops", f"n={hops} redirects {redirects} times", responses[-1])
    return responses


def _expect_location(probe: Probe, response: Response) -> None:
    location = response.header("Location")
    claim = f"the Location is {location!r}, not {ELSEWHERE}"
    probe.expect(location == ELSEWHERE, "location", claim, response)
