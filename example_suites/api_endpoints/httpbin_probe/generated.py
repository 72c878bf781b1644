"""Checks of the operations that make up their answer: codes, bytes, streams, pauses, links."""

import json
import re

from .exchange import LateAnswerError, NoAnswerError
from .probe import Probe

UUID4 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
LINK = re.compile(r"<a href=['\"]([^'\"]*)['\"]>(\d+)</a>")
# Clocks of two processes differ by a tick; what counts is that it waits at all.
NEARLY = 0.95


def is_uuid4(probe: Probe) -> None:
    """Each answer is a random UUID, and another one each time."""
    seen = set()
    for _ in range(3):
        response = probe.call(200)
        value = str(probe.json_object(response).get("uuid"))
        probe.expect(UUID4.fullmatch(value), "uuid", f"{value} is no version 4 UUID", response)
        seen.add(value)
    probe.expect(len(seen) == 3, "uuid", "the same UUID comes twice", seen)


def answers_with_code(probe: Probe) -> None:
    """The status is the one in the path, in each class that has final answers."""
    for code in (200, 201, 204, 304, 301, 302, 307, 400, 401, 404, 418, 429, 500, 503):
        response = probe.send(probe.method, probe.target(codes=code))
        claim = f"asked for {code} it answers {response.status}"
        probe.expect(response.status == code, "status-code", claim, response)
        if code in (204, 304):
            probe.expect(not response.body, "body", f"a {code} has a body", response)
        if code in (301, 302, 307):
            probe.expect(
                response.header("Location"), "location", f"a {code} leads nowhere", response
            )
        if code == 401:
            challenge = response.header("WWW-Authenticate")
            probe.expect(challenge, "challenge", "a 401 without WWW-Authenticate", response)
        if response.body:
            claim = f"a {code} has a body without a content type, where the spec says text/plain"
            probe.expect(response.media_type, "content-type", claim, response, "low")


def picks_among_codes(probe: Probe) -> None:
    """Of several codes it answers with one; one that weighs nothing is never taken."""
    statuses = set()
    for _ in range(6):
        response = probe.send(probe.method, probe.target(codes="201,404"))
        statuses.add(response.status)
    claim = f"asked for 201 or 404 it answers {sorted(statuses)}"
    probe.expect(statuses <= {201, 404}, "status-code", claim, response)
    for _ in range(3):
        response = probe.send(probe.method, probe.target(codes="404:0,201:1"))
        claim = f"404 weighs nothing and the status is {response.status}"
        probe.expect(response.status == 201, "status-code", claim, response)


def ends_informational(probe: Probe) -> None:
    """RFC 9110 15.2: after an informational answer, of which the spec speaks, comes a final one."""
    try:
        probe.send(probe.method, probe.target(codes=100))
    except LateAnswerError:
        raise
    except NoAnswerError as error:
        claim = "a 100 is followed by no final answer, so the client gets none"
        probe.note("medium", "informational", claim, error)


def refuses_impossible_codes(probe: Probe) -> None:
    """What cannot be a status code is the caller's error."""
    probe.expect_refusal("the code 'abc'", codes="abc")
    probe.expect_refusal("1000, which no status line can hold,", codes=1000)


def has_n_bytes(probe: Probe) -> None:
    """There are exactly n bytes, and other ones each time."""
    for size in (0, 1, 1000):
        response = probe.call(200, n=size)
        received = len(response.body)
        probe.expect(received == size, "length", f"n={size} gives {received} bytes", response)
    again = probe.call(200, n=1000)
    probe.expect(again.body != response.body, "random", "the bytes are always the same", again)


def repeats_with_seed(probe: Probe) -> None:
    """The same seed gives the same bytes, another seed others."""
    # httpbin seeds a generator that all its requests share, so two answers of a busy server
    # may differ; of three, two are the same unless the seed is ignored.
    bodies = [probe.call(200, {"seed": 7}, n=64).body for _ in range(3)]
    repeated = len(set(bodies)) < len(bodies)
    target = probe.target({"seed": 7}, n=64)
    probe.expect(repeated, "seed", "a seed does not repeat the bytes", target)
    other = probe.call(200, {"seed": 8}, n=64)
    probe.expect(other.body not in bodies, "seed", "another seed gives the same bytes", other)


def tells_limit(probe: Probe) -> None:
    """A size beyond the limit is refused, or given; silently less is neither."""
    size = 150_000
    response = probe.send(probe.method, probe.target(n=size))
    received = len(response.body)
    claim = f"n={size} is cut to {received} bytes, which the spec does not say"
    held = response.status >= 400 or received == size
    probe.expect(held, "silent-limit", claim, response, "low")


def refuses_bad_size(probe: Probe) -> None:
    """A size that is no number from 0 is the caller's error."""
    probe.expect_refusal("n=-1", n=-1)
    probe.expect_refusal("n='abc'", n="abc")


def comes_in_chunks(probe: Probe) -> None:
    """A stream does not give its length beforehand."""
    response = probe.call(200, {"chunk_size": 10}, n=64)
    coding = response.header("Transfer-Encoding")
    claim = f"the Transfer-Encoding is {coding!r}, not chunked"
    probe.expect(coding == "chunked", "streamed", claim, response)


def streams_n_objects(probe: Probe) -> None:
    """There are n lines, each the JSON of the request, numbered from 0."""
    response = probe.call(200, {"a": "1"}, n=3)
    lines = response.text.splitlines()
    probe.expect(len(lines) == 3, "lines", f"n=3 gives {len(lines)} lines", response)
    for number, line in enumerate(lines):
        record = response._replace(body=line.encode())
        probe.expect_fields(record, "echo", id=number, args={"a": "1"}, url=response.url)
    try:
        json.loads(response.body)
    except ValueError:
        claim = "several JSON documents in a row are called application/json"
        probe.note("low", "ndjson", claim, response)


def decodes(probe: Probe) -> None:
    """The body is the decoded text, also where it needs the alphabet for URLs."""
    for encoded, text in (
        ("SFRUUEJJTiBpcyBhd2Vzb21l", "HTTPBIN is awesome"),
        ("w7_Dvg==", "ÿþ"),
        ("c8O8w58=", "süß"),
    ):
        response = probe.call(200, value=encoded)
        claim = f"{encoded} is decoded to {response.text!r}, not {text!r}"
        probe.expect(response.text == text, "base64", claim, response)


def refuses_bad_base64(probe: Probe) -> None:
    """What is not base64 is the caller's error."""
    probe.expect_refusal("'a', which is not base64,", value="a")


def runs_no_script(probe: Probe) -> None:
    """Text of the caller's is not served as a page that runs in the API's name."""
    response = probe.call(200, value="PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==")
    reflected = response.media_type == "text/html" and "<script>" in response.text
    claim = "a script in the value comes back as text/html and runs in a browser"
    probe.expect(not reflected, "reflected-script", claim, response, "medium")


def links_to_others(probe: Probe) -> None:
    """There are n entries, all links but the one at offset, and a link leads to such a page."""
    response = probe.call(200, n=4, offset=1)
    links = {int(number): href for href, number in LINK.findall(response.text)}
    claim = f"n=4 with offset=1 links to {sorted(links)}, not [0, 2, 3]"
    probe.expect(sorted(links) == [0, 2, 3], "links", claim, response)
    for number, href in links.items():
        claim = f"link {number} leads to {href}"
        probe.expect(href == probe.target(n=4, offset=number), "links", claim, response)
    if links:
        page = probe.send("GET", links[min(links)])
        found = len(LINK.findall(page.text))
        claim = f"a link leads to a page with {found} links, not 3"
        probe.expect(page.status == 200 and found == 3, "links", claim, page)


def refuses_bad_link_numbers(probe: Probe) -> None:
    """A number of links that is no number is the caller's error."""
    probe.expect_refusal("n='abc'", n="abc", offset=0)
    probe.expect_refusal("offset='abc'", n=4, offset="abc")


def waits(probe: Probe) -> None:
    """The answer comes after the seconds in the path, and not at once."""
    response = probe.call(200, {"a": "1"}, delay=1)
    claim = f"delay=1 is over after {response.waited:.2f} s"
    probe.expect(response.waited >= NEARLY, "delay", claim, response)
    probe.expect_fields(response, "echo", args={"a": "1"}, url=response.url)


def refuses_bad_delays(probe: Probe) -> None:
    """A delay that is no number from 0 is the caller's error."""
    probe.expect_refusal("the delay 'abc'", delay="abc")
    probe.expect_refusal("the delay -1", delay=-1)


def drips(probe: Probe) -> None:
    """The bytes come one by one, after the delay and over the duration, under the code."""
    query = {"duration": "0.4", "numbytes": "4", "delay": "0.2", "code": "200"}
    response = probe.call(200, query)
    size = len(response.body)
    probe.expect(size == 4, "length", f"numbytes=4 gives {size} bytes", response)
    claim = f"delay=0.2 is over after {response.waited:.2f} s"
    probe.expect(response.waited >= 0.2 * NEARLY, "delay", claim, response)
    # Half of it will do: the pause after the last byte cannot be seen, and a busy machine may
    # look late at the first.
    spread = response.took - response.waited
    claim = f"the bytes come within {spread:.2f} s, not over a duration of 0.4 s"
    probe.expect(spread >= 0.4 / 2, "duration", claim, response)
    response = probe.send(
        probe.method, probe.target({"duration": "0", "numbytes": "1", "delay": "0", "code": "503"})
    )
    claim = f"code=503 is answered {response.status}"
    probe.expect(response.status == 503, "status-code", claim, response)


def waits_by_default(probe: Probe) -> None:
    """Without a delay in the query, the spec's default of 2 seconds holds."""
    response = probe.call(200, {"duration": "0", "numbytes": "1"})
    claim = f"the spec's default delay is 2 s, and the answer comes after {response.waited:.2f} s"
    probe.expect(response.waited >= 2 * NEARLY, "default-delay", claim, response, "medium")


def refuses_bad_drips(probe: Probe) -> None:
    """Numbers that are none, or out of range, are the caller's error."""
    for query in ({"numbytes": "abc"}, {"numbytes": "0"}, {"duration": "abc"}):
        what = "&".join(f"{name}={value}" for name, value in query.items())
        probe.expect_refusal(what, {"delay": "0", **query})
