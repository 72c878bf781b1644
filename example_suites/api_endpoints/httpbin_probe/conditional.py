"""Checks of conditional and partial requests: validators, cache lifetimes, ranges."""

import re

from .exchange import Response
from .probe import Probe

ETAG = "abc-123"
ALPHABET = b"abcdefghijklmnopqrstuvwxyz"
LENGTH = 100


def gives_validators(probe: Probe) -> None:
    """A plain request gets the same as /get, with Last-Modified and an ETag."""
    response = probe.call(200, {"a": "1"})
    probe.expect_fields(response, "echo", args={"a": "1"})
    modified = response.header("Last-Modified")
    is_date = re.fullmatch(r"\w{3}, \d{2} \w{3} \d{4} \d{2}:\d{2}:\d{2} GMT", modified)
    probe.expect(is_date, "validator", f"Last-Modified is {modified!r}", response)
    _expect_etag(probe, response)


def honours_validators(probe: Probe) -> None:
    """A request that carries a validator, the one received or any, gets an empty 304."""
    etag = probe.call(200).header("ETag")
    for name, value in (
        ("If-None-Match", etag),
        ("If-Modified-Since", "Sat, 01 Jan 2000 00:00:00 GMT"),
    ):
        response = probe.call(304, headers={name: value})
        probe.expect(not response.body, "not-modified", "the 304 has a body", response)
        # RFC 9110 15.4.5: a 304 carries the ETag that the 200 would have had.
        claim = "the 304 has no ETag"
        probe.expect(response.header("ETag"), "not-modified-etag", claim, response, "low")


def sets_cache_control(probe: Probe) -> None:
    """The answer may be cached for as many seconds as the path says."""
    for seconds in (0, 60):
        response = probe.call(200, value=seconds)
        directives = re.split(r"\s*,\s*", response.header("Cache-Control"))
        claim = f"Cache-Control is {directives}, not max-age={seconds}"
        probe.expect(f"max-age={seconds}" in directives, "cache-control", claim, response)
        probe.expect_fields(response, "echo", args={}, origin=response.client_host)


def refuses_bad_lifetime(probe: Probe) -> None:
    """A lifetime that is no number is the caller's error."""
    probe.expect_refusal("the lifetime 'abc'", value="abc")


def gives_etag(probe: Probe) -> None:
    """The answer carries the tag named in the path."""
    response = probe.call(200)
    probe.expect(ETAG in response.header("ETag"), "etag", "the ETag is another", response)
    probe.expect_fields(response, "echo", origin=response.client_host)
    _expect_etag(probe, response)


def honours_if_none_match(probe: Probe) -> None:
    """A tag that matches, alone, weak, in a list or as *, gets a 304; any other gets a 200."""
    for value in (f'"{ETAG}"', f'W/"{ETAG}"', f'"other", "{ETAG}"', "*"):
        response = probe.call(304, headers={"If-None-Match": value})
        probe.expect(not response.body, "not-modified", "the 304 has a body", response)
        claim = "the 304 has another ETag"
        probe.expect(ETAG in response.header("ETag"), "etag", claim, response)
    probe.call(200, headers={"If-None-Match": '"other"'})


def honours_if_match(probe: Probe) -> None:
    """A tag that matches, or *, gets a 200; any other fails the precondition."""
    for value in (f'"{ETAG}"', f'"other", "{ETAG}"', "*"):
        probe.call(200, headers={"If-Match": value})
    probe.call(412, headers={"If-Match": '"other"'})


def knows_fine_print_of_if_match(probe: Probe) -> None:
    """RFC 9110 13: If-Match compares strongly, and comes before If-None-Match."""
    for what, headers in (
        ("a weak tag in If-Match matches", {"If-Match": f'W/"{ETAG}"'}),
        ("If-None-Match hides If-Match", {"If-Match": '"other"', "If-None-Match": '"another"'}),
    ):
        response = probe.send(probe.method, probe.target(), headers=headers)
        probe.expect(response.status == 412, "if-match", what, response, "low")


def serves_whole(probe: Probe) -> None:
    """Without a Range there are all bytes, the same each time, and ranges are offered."""
    response, again = (probe.call(200, numbytes=LENGTH) for _ in range(2))
    size = len(response.body)
    probe.expect(size == LENGTH, "length", f"there are {size} bytes, not {LENGTH}", response)
    claim = "two requests get different bytes, so parts cannot be put together"
    probe.expect(response.body == again.body, "stable", claim, again)
    offered = response.header("Accept-Ranges")
    probe.expect(offered == "bytes", "accept-ranges", f"Accept-Ranges is {offered!r}", response)
    _expect_etag(probe, response)
    claim = "the 200 carries a Content-Range, which has a meaning in 206 and 416 alone"
    probe.expect(not response.header("Content-Range"), "content-range", claim, response, "low")
    seeded = probe.call(200, {"seed": 7}, numbytes=LENGTH)
    claim = "the spec promises random bytes from a seed, and there is an alphabet whatever the seed"
    probe.expect(seeded.body != response.body, "documentation", claim, seeded, "low")


def serves_parts(probe: Probe) -> None:
    """A range from, to, or from the end gets a 206 with just these bytes."""
    whole = probe.call(200, numbytes=LENGTH).body
    for asked, first, last in (("10-19", 10, 19), ("90-", 90, 99), ("-5", 95, 99), ("0-0", 0, 0)):
        response = _call_for_part(probe, asked)
        if response.status != 206:
            probe.stop("range", f"the range {asked} is answered {response.status}", response)
        right = response.body == whole[first : last + 1]
        probe.expect(right, "range", f"the range {asked} gets other bytes", response)
        told = response.header("Content-Range")
        claim = f"the Content-Range of {asked} is {told!r}"
        probe.expect(told == f"bytes {first}-{last}/{LENGTH}", "content-range", claim, response)


def refuses_range_outside(probe: Probe) -> None:
    """A range that begins after the end gets a 416 that tells the length."""
    response = _call_for_part(probe, "200-300")
    if response.status != 416:
        probe.stop("range", f"a range outside is answered {response.status}", response)
    told = response.header("Content-Range")
    probe.expect(told == f"bytes */{LENGTH}", "content-range", f"it is {told!r}", response)


def cuts_range_at_end(probe: Probe) -> None:
    """RFC 9110 14.1.2: a range that ends after the end means the rest."""
    response = _call_for_part(probe, "90-199")
    claim = f"bytes=90-199 of {LENGTH} is answered {response.status}, not 206 with the last 10"
    held = response.status == 206 and len(response.body) == 10
    probe.expect(held, "range-past-end", claim, response, "medium")


def refuses_bad_length(probe: Probe) -> None:
    """A length that is no positive number is the caller's error."""
    probe.expect_refusal("the length 0", numbytes=0)
    probe.expect_refusal("the length 'abc'", numbytes="abc")


def _call_for_part(probe: Probe, asked: str) -> Response:
    response = probe.send(
        probe.method, probe.target(numbytes=LENGTH), headers={"Range": f"bytes={asked}"}
    )
    known = response.status in probe.operation.statuses
    claim = f"the spec does not list the status {response.status}"
    probe.expect(known, "undocumented-status", claim, response, "low")
    return response


def _expect_etag(probe: Probe, response: Response) -> None:
    etag = response.header("ETag")
    probe.expect(etag, "etag", "there is no ETag", response)
    claim = f"the ETag {etag} is not in quotes, as RFC 9110 8.8.3 has it"
    # Low, because httpbin takes it back in either form.
    quoted = re.fullmatch(r'(W/)?"[^"]*"', etag)
    probe.expect(quoted, "etag-quotes", claim, response, "low")
