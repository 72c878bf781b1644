"""Checks of the operations that set, show and delete cookies."""

from http.cookies import Morsel, SimpleCookie

from .exchange import Response
from .probe import Probe


def shows_cookies(probe: Probe) -> None:
    """The cookies of the request come back by name, and none when there were none."""
    response = probe.call(200, headers={"Cookie": "flavour=vanilla; scoops=2"})
    probe.expect_fields(response, "cookies", cookies={"flavour": "vanilla", "scoops": "2"})
    probe.expect_fields(probe.call(200), "cookies", cookies={})


def sets_cookies_of_query(probe: Probe) -> None:
    """Each argument becomes a cookie, and the redirect leads to where it shows."""
    wanted = {"flavour": "vanilla", "scoops": "2"}
    _expect_cookies(probe, probe.call(302, wanted), wanted)


def sets_cookie_of_path(probe: Probe) -> None:
    """The name and value in the path become a cookie, and the redirect leads to where it shows."""
    wanted = {"flavour": "vanilla"}
    _expect_cookies(probe, probe.call(302, name="flavour", value="vanilla"), wanted)


def keeps_odd_values(probe: Probe) -> None:
    """A value with a space, quotes and a semicolon survives the way there and back."""
    odd = 'one "two"; three'
    response = _set(probe, "flavour", odd)
    line = response.header("Set-Cookie")
    sent = line.partition("=")[2].rpartition("; Path=")[0]
    shown = probe.follow(response, cookies={"flavour": sent})
    probe.expect_fields(shown, "cookies", cookies={"flavour": odd})


def refuses_name_with_attribute(probe: Probe) -> None:
    """A name that smuggles in an attribute is not a cookie's name (RFC 6265 4.1.1)."""
    response = _set(probe, "flavour;Domain", "example.org")
    claim = "the name of a cookie can hold ';', so that its value becomes the cookie's domain"
    injected = "domain=example.org" in response.header("Set-Cookie").lower()
    # Low, because the caller may set any cookie here anyway.
    probe.expect(not injected, "cookie-name", claim, response, "low")


def deletes_cookies(probe: Probe) -> None:
    """Each argument names a cookie that is emptied, expired and, after the redirect, gone."""
    response = probe.call(302, {"flavour": "", "scoops": ""})
    set_now = _cookies(response)
    for name in ("flavour", "scoops"):
        morsel = set_now.get(name)
        expired = morsel is not None and (morsel["max-age"] == "0" or "1970" in morsel["expires"])
        probe.expect(expired, "cookie-deleted", f"the cookie {name} is not expired", response)
    others = set(set_now) - {"flavour", "scoops"}
    probe.expect(not others, "cookie-deleted", f"it touches the cookies {others}", response)
    probe.expect_fields(probe.follow(response), "cookies", cookies={})


def _set(probe: Probe, name: str, value: str) -> Response:
    if "{name}" in probe.operation.path:
        return probe.send(probe.method, probe.target(name=name, value=value))
    return probe.send(probe.method, probe.target({name: value}))


def _cookies(response: Response) -> dict[str, Morsel[str]]:
    cookies = SimpleCookie()
    for line in response.headers.get_all("Set-Cookie", []):
        cookies.load(line)
    return dict(cookies)


def _expect_cookies(probe: Probe, response: Response, wanted: dict[str, str]) -> None:
    received = {name: morsel.value for name, morsel in _cookies(response).items()}
    claim = f"the cookies set are {received}, not {wanted}"
    probe.expect(received == wanted, "set-cookie", claim, response)
    shown = probe.follow(response, cookies=received)
    probe.expect_fields(shown, "cookies", cookies=wanted)
