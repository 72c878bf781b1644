"""Checks of the operations that ask who is calling: basic, bearer and digest authentication."""

import base64
import hashlib
import re
from collections.abc import Mapping
from typing import Any

from .exchange import Response
from .probe import Probe

USER, PASSWORD = "ada", "lovelace"
HASHES = {"MD5": "md5", "SHA-256": "sha256", "SHA-512": "sha512"}
PARAMETER = re.compile(r'(\w+)=(?:"([^"]*)"|([^\s,]+))')


def lets_basic_in(probe: Probe) -> None:
    """The right name and password, which may hold a colon, are let in and named in the answer."""
    for password in (PASSWORD, "love:lace"):
        response = probe.call(200, headers=_basic(USER, password), passwd=password)
        probe.expect_fields(response, "login", authenticated=True, user=USER)


def keeps_basic_out(probe: Probe) -> None:
    """Everyone else gets a 401 that asks for Basic credentials."""
    for headers in _bad_basic():
        response = probe.call(401, headers=headers)
        challenge = response.header("WWW-Authenticate")
        claim = f"the challenge is {challenge!r}, not Basic with a realm"
        probe.expect(re.match(r'Basic realm="', challenge), "challenge", claim, response)


def hides_basic(probe: Probe) -> None:
    """Everyone else gets a 404 that does not give the login away."""
    for headers in _bad_basic():
        response = probe.call(404, headers=headers)
        told = response.header("WWW-Authenticate")
        probe.expect(not told, "challenge", f"the 404 asks for {told}", response)


def lets_bearer_in(probe: Probe) -> None:
    """A bearer token is accepted and comes back."""
    response = probe.call(200, headers={"Authorization": "Bearer to.ken-1_2"})
    probe.expect_fields(response, "login", authenticated=True, token="to.ken-1_2")  # noqa: S106


def keeps_others_from_bearer(probe: Probe) -> None:
    """No credentials, or credentials of another scheme, get a 401 that asks for a bearer token."""
    for headers in ({}, _basic(USER, PASSWORD), {"Authorization": "Bearer"}):
        response = probe.call(401, headers=headers)
        challenge = response.header("WWW-Authenticate")
        claim = f"the challenge is {challenge!r}, not Bearer"
        probe.expect(challenge.startswith("Bearer"), "challenge", claim, response)


def takes_bearer_in_any_case(probe: Probe) -> None:
    """RFC 9110 11.1: the name of a scheme has no case."""
    response = probe.send(
        probe.method, probe.target(), headers={"Authorization": "bearer to.ken-1_2"}
    )
    claim = "a scheme in lower case is refused"
    probe.expect(response.status == 200, "scheme-case", claim, response, "low")


def challenges_digest(probe: Probe) -> None:
    """Without credentials there is a 401 with realm, qop, algorithm and a nonce of its own."""
    first, second = (_challenge(probe.call(401)) for _ in range(2))
    response = probe.call(401, qop="auth-int")
    asked = _challenge(response).get("qop")
    probe.expect(asked == "auth-int", "challenge", f"auth-int is asked for as {asked}", response)
    probe.expect(first.get("realm"), "challenge", "the challenge has no realm", first)
    probe.expect(first.get("qop") == "auth", "challenge", "the qop is not auth", first)
    wanted = _algorithm(probe)
    claim = f"the algorithm is not {wanted}"
    probe.expect(first.get("algorithm") == wanted, "challenge", claim, first)
    fresh = bool(first.get("nonce")) and first.get("nonce") != second.get("nonce")
    probe.expect(fresh, "challenge", "the nonce is missing or used twice", second)


def lets_digest_in(probe: Probe) -> None:
    """A right response to the challenge is let in, with either quality of protection."""
    for qop in ("auth", "auth-int"):
        response = _login(probe, qop=qop)
        if response.status != 200:
            probe.stop("login", f"right {qop} credentials are refused", response)
        probe.expect_fields(response, "login", authenticated=True, user=USER)


def keeps_wrong_password_out(probe: Probe) -> None:
    """A response made with another password is refused."""
    response = _login(probe, password="wrong")  # noqa: S106
    claim = "a wrong password is let in"
    probe.expect(response.status == 401, "login", claim, response, "critical")


def keeps_wrong_user_out(probe: Probe) -> None:
    """A response made with another user name is refused."""
    response = _login(probe, user="mallory")
    claim = f"the user mallory is let in as {USER}"
    probe.expect(response.status == 401, "digest-user", claim, response)


def keeps_downgrades_out(probe: Probe) -> None:
    """What the challenge asks for cannot be answered with something weaker."""
    response = _login(probe, qop="auth-int", answered={"qop": "auth"})
    claim = "auth is accepted where the challenge asks for auth-int"
    probe.expect(response.status == 401, "digest-downgrade", claim, response, "medium")
    if _algorithm(probe) != "MD5":
        response = _login(probe, answered={"algorithm": "MD5"})
        claim = "MD5 is accepted where the challenge asks for SHA-256"
        probe.expect(response.status == 401, "digest-downgrade", claim, response, "medium")


def signs_whole_target(probe: Probe) -> None:
    """The digest covers the target as sent, with its query and its escaped characters."""
    response = _login(probe, query={"page": "2"})
    claim = f"right credentials with a query in the URL are answered {response.status}"
    probe.expect(response.status == 200, "digest-query", claim, response, "medium")
    response = _login(probe, password="love lace", passwd="love lace")  # noqa: S106
    claim = f"right credentials with a %20 in the URL are answered {response.status}"
    probe.expect(response.status == 200, "digest-escape", claim, response, "medium")


def refuses_garbled_digest(probe: Probe) -> None:
    """An Authorization header that cannot be understood is the caller's error."""
    probe.expect_refusal("a garbled digest", headers={"Authorization": "Digest username"})


def expires_nonces(probe: Probe) -> None:
    """After `stale_after` logins the nonce is stale, and the challenge says so."""
    cookies = {"stale_after": "1"}
    challenge = _challenge(probe.call(401, stale_after=1))
    first = _answer(probe, challenge, cookies=cookies, stale_after=1)
    if first.status != 200:
        probe.stop("login", "right credentials are refused", first)
    for line in first.headers.get_all("Set-Cookie", []):
        name, _, value = line.partition(";")[0].partition("=")
        cookies[name] = value
    second = _answer(probe, challenge, cookies=cookies, stale_after=1)
    stale = second.status == 401 and _challenge(second).get("stale", "").lower() == "true"
    claim = "the second login with a nonce good for one is not called stale"
    probe.expect(stale, "stale-nonce", claim, second)


def _basic(user: str, password: str) -> dict[str, str]:
    token = base64.b64encode(f"{user}:{password}".encode()).decode()
    return {"Authorization": f"Basic {token}"}


def _bad_basic() -> list[dict[str, str]]:
    return [
        {},
        _basic(USER, "wrong"),
        _basic("mallory", PASSWORD),
        {"Authorization": "Basic ???"},
        {"Authorization": "Bearer to.ken-1_2"},
    ]


def _algorithm(probe: Probe) -> str:
    return "SHA-256" if "{algorithm}" in probe.operation.path else "MD5"


def _challenge(response: Response) -> dict[str, str]:
    scheme, _, parameters = response.header("WWW-Authenticate").partition(" ")
    if scheme.lower() != "digest":
        return {}
    return {name: quoted or plain for name, quoted, plain in PARAMETER.findall(parameters)}


def _login(
    probe: Probe,
    *,
    user: str = USER,
    password: str = PASSWORD,
    answered: Mapping[str, str] | None = None,
    query: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """Ask for a challenge and answer it, with `answered` in place of some of its parameters."""
    challenge = _challenge(probe.call(401, query or {}, **values))
    challenge["qop"] = str(values.get("qop", "auth"))
    challenge.update(answered or {})
    return _answer(probe, challenge, user=user, password=password, query=query, **values)


def _answer(
    probe: Probe,
    challenge: dict[str, str],
    *,
    user: str = USER,
    password: str = PASSWORD,
    query: Mapping[str, str] | None = None,
    cookies: Mapping[str, str] | None = None,
    **values: Any,
) -> Response:
    """Answer a challenge as RFC 7616 3.4.1 says."""
    target = probe.target(query or {}, **values)
    algorithm, qop = challenge.get("algorithm", "MD5"), challenge.get("qop", "auth")
    nonce, realm = challenge.get("nonce", ""), challenge.get("realm", "")

    def digest(*parts: str) -> str:
        text = ":".join(parts).encode()
        return hashlib.new(HASHES.get(algorithm, "md5"), text, usedforsecurity=False).hexdigest()

    entity = [digest("")] if qop == "auth-int" else []
    count, client_nonce = "00000001", "0a4f113b"
    response = digest(
        digest(user, realm, password),
        nonce,
        count,
        client_nonce,
        qop,
        digest(probe.method, target, *entity),
    )
    authorization = (
        f'Digest username="{user}", realm="{realm}", nonce="{nonce}", uri="{target}", '
        f'algorithm={algorithm}, qop={qop}, nc={count}, cnonce="{client_nonce}", '
        f'response="{response}", opaque="{challenge.get("opaque", "")}"'
    )
    headers = {"Authorization": authorization}
    if cookies:
        headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
    return probe.send(probe.method, target, headers=headers)
