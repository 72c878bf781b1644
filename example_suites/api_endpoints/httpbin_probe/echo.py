"""Checks of the operations that send back what they were sent."""

import json
from typing import Any
from urllib.parse import unquote, urlencode

from .exchange import Response
from .probe import Probe

QUERY = (("flavour", "vanilla"), ("flavour", "lemon"), ("empty", ""), ("word", "süß & salty"))
ARGS = {"flavour": ["vanilla", "lemon"], "empty": "", "word": "süß & salty"}
FORM = "application/x-www-form-urlencoded"


def echoes_query(probe: Probe) -> None:
    """Repeated, empty and non-ASCII arguments, the URL and the caller's address come back."""
    response = probe.call(200, QUERY)
    probe.expect_fields(response, "echo", args=ARGS, origin=response.client_host)
    url = str(probe.json_object(response).get("url"))
    # Which characters of a URL are escaped is a matter of taste; what it says is not.
    same = unquote(url) == unquote(response.url)
    probe.expect(same, "echo", f"the url is {url}", response)


def echoes_headers(probe: Probe) -> None:
    """Each header that was sent comes back under its name."""
    sent = {"X-Flavour": "vanilla", "Accept": "application/json", "User-Agent": "prober/1"}
    response = probe.call(200, headers=sent)
    received = echoed_headers(probe, response)
    for name, value in sent.items():
        claim = f"the header {name} comes back as {received.get(name)!r}, not {value!r}"
        probe.expect(received.get(name) == value, "echo", claim, response)


def echoes_method(probe: Probe) -> None:
    """The field method names the method of the request."""
    probe.expect_fields(probe.call(200), "echo", method=probe.method)


def echoes_path(probe: Probe) -> None:
    """The rest of the path, escaped characters and all, comes back in the url."""
    response = probe.call(200, anything="two words & süß")
    url = str(probe.json_object(response).get("url"))
    claim = f"the url is {url}"
    probe.expect(unquote(url).endswith("/anything/two words & süß"), "echo", claim, response)


def echoes_form(probe: Probe) -> None:
    """A form comes back in the field form, and in no other."""
    response = _call_with_body(probe, urlencode(QUERY).encode(), FORM)
    probe.expect_fields(response, "echo", form=ARGS, data="", files={})


def echoes_file(probe: Probe) -> None:
    """An uploaded file comes back in files, the field beside it in form."""
    body = (
        b'--edge\r\nContent-Disposition: form-data; name="note"\r\n\r\nsee file\r\n'
        b'--edge\r\nContent-Disposition: form-data; name="report"; filename="r.txt"\r\n'
        b"Content-Type: text/plain\r\n\r\nall is well\r\n--edge--\r\n"
    )
    response = _call_with_body(probe, body, "multipart/form-data; boundary=edge")
    probe.expect_fields(
        response, "echo", files={"report": "all is well"}, form={"note": "see file"}, data=""
    )


def echoes_text(probe: Probe) -> None:
    """Plain text comes back in the field data."""
    response = _call_with_body(probe, "süß".encode(), "text/plain; charset=utf-8")
    probe.expect_fields(response, "echo", data="süß", form={}, files={})


def echoes_json(probe: Probe) -> None:
    """A JSON body comes back parsed; one that is not JSON comes back as text alone."""
    document = {"name": "süß", "nested": {"list": [1, 2.5, None, True]}}
    body = json.dumps(document)
    response = _call_with_body(probe, body.encode(), "application/json")
    probe.expect_fields(response, "echo", json=document, data=body, form={})
    response = _call_with_body(probe, b'{"cut', "application/json")
    probe.expect_fields(response, "echo", json=None, data='{"cut')


def stays_json_after_nan(probe: Probe) -> None:
    """A body with NaN, which JSON does not have, must not make the answer invalid JSON."""
    response = _call_with_body(probe, b'{"value": NaN}', "application/json")
    invalid = b"NaN" in response.body.replace(b'{\\"value\\": NaN}', b"")
    probe.expect(not invalid, "nan", "the answer holds a bare NaN", response, "low")


def keeps_secrets_in_trace(probe: Probe) -> None:
    """RFC 9110 9.3.8: an answer to TRACE should leave credentials out."""
    response = probe.call(200, headers={"Authorization": "Bearer secret-7"})
    claim = "TRACE reflects the Authorization header"
    probe.expect("secret-7" not in response.text, "trace-credentials", claim, response, "low")


def returns_all_headers(probe: Probe) -> None:
    """The object holds every header of the request, and is nothing but that."""
    echoes_headers(probe)
    response = probe.call(200)
    host = echoed_headers(probe, response).get("Host")
    expected = probe.base_url.partition("://")[2]
    probe.expect(host == expected, "echo", f"the header Host comes back as {host!r}", response)


def returns_address(probe: Probe) -> None:
    """The origin is the address that the request came from."""
    response = probe.call(200)
    probe.expect_fields(response, "origin", origin=response.client_host)


def ignores_claimed_address(probe: Probe) -> None:
    """Anyone can send X-Forwarded-For, so it should not replace the real address."""
    response = probe.call(200, headers={"X-Forwarded-For": "203.0.113.9"})
    claim = "the caller chooses the origin with X-Forwarded-For"
    probe.expect("203.0.113.9" not in response.text, "spoofed-origin", claim, response, "low")


def returns_user_agent(probe: Probe) -> None:
    """The field user-agent is the header as sent, and null when none was sent."""
    sent = "prober/1 (one; two)"
    response = probe.call(200, headers={"User-Agent": sent})
    probe.expect_fields(response, "echo", **{"user-agent": sent})
    probe.expect_fields(probe.call(200), "echo", **{"user-agent": None})


def sets_response_headers(probe: Probe) -> None:
    """Each argument becomes a header, a repeated one twice, and the body lists them."""
    response = probe.call(200, [("X-Flavour", "vanilla"), ("X-Twice", "1"), ("X-Twice", "2")])
    for name, values in {"X-Flavour": ["vanilla"], "X-Twice": ["1", "2"]}.items():
        sent = response.headers.get_all(name, [])
        claim = f"the header {name} is sent as {sent}, not {values}"
        probe.expect(sent == values, "response-header", claim, response)
    length = response.header("Content-Length")
    probe.expect_fields(
        response,
        "echo",
        **{"X-Flavour": "vanilla", "X-Twice": ["1", "2"], "Content-Length": length},
    )


def replaces_content_type(probe: Probe) -> None:
    """A content type asked for stands alone: RFC 9110 8.3 allows just one."""
    target = probe.target({"Content-Type": "text/plain"})
    response = probe.send(probe.method, target)
    sent = response.headers.get_all("Content-Type", [])
    claim = f"there are {len(sent)} Content-Type headers: {sent}"
    probe.expect(sent == ["text/plain"], "duplicate-header", claim, response, "low")


def echoed_headers(probe: Probe, response: Response) -> dict[str, Any]:
    """Return the field headers of an echo, empty if there is none."""
    headers = probe.json_object(response).get("headers")
    return headers if isinstance(headers, dict) else {}


def _call_with_body(probe: Probe, body: bytes, content_type: str) -> Response:
    return probe.call(200, body=body, headers={"Content-Type": content_type})
