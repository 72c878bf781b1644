"""Where httpbin 0.10.4 really breaks its promises; each row was confirmed by hand with curl."""

from typing import NamedTuple


class Defect(NamedTuple):
    """What is wrong with the methods of one path.

    Args:
        methods: The methods, separated by spaces.
        path: The path as the spec has it.
        reason: The defect in words, for the report of an xfailed test.
        rules: The rules of the findings it leads to; any other rule would be news.
    """

    methods: str
    path: str
    reason: str
    rules: frozenset[str]


ZERO = "n=0 trips an assertion and is answered 500"
DIGEST = (
    "any user name is let in with the right password, a weaker qop or algorithm than asked for is "
    "taken, a query or a %20 in the URL breaks the login, a garbled header is answered 500"
)
DIGEST_RULES = frozenset(
    {"digest-user", "digest-downgrade", "digest-query", "digest-escape", "bad-input-crash"}
)
CRASH = frozenset({"bad-input-crash"})

DEFECTS: tuple[Defect, ...] = (
    Defect("GET", "/absolute-redirect/{n}", ZERO, CRASH),
    Defect("GET", "/redirect/{n}", ZERO, CRASH),
    Defect("GET", "/relative-redirect/{n}", ZERO, CRASH),
    Defect(
        "DELETE PATCH TRACE",
        "/redirect-to",
        "without a url it redirects to 'None'",
        frozenset({"bad-input-accepted"}),
    ),
    Defect(
        "GET",
        "/redirect-to",
        "without the required url it redirects to 'None'; status_code=abc is answered 500",
        frozenset({"bad-input-accepted", "bad-input-crash"}),
    ),
    Defect(
        "POST PUT",
        "/redirect-to",
        "the documented form fields are ignored: it redirects to 'None' with 302",
        frozenset({"form-ignored", "bad-input-accepted"}),
    ),
    Defect("GET", "/digest-auth/{qop}/{user}/{passwd}", DIGEST, DIGEST_RULES),
    Defect("GET", "/digest-auth/{qop}/{user}/{passwd}/{algorithm}", DIGEST, DIGEST_RULES),
    Defect(
        "GET", "/digest-auth/{qop}/{user}/{passwd}/{algorithm}/{stale_after}", DIGEST, DIGEST_RULES
    ),
    Defect(
        "DELETE GET PATCH POST PUT TRACE",
        "/delay/{delay}",
        "a delay of abc or -1 is answered 500",
        CRASH,
    ),
    Defect(
        "DELETE GET PATCH POST PUT TRACE",
        "/status/{codes}",
        "100 is never followed by a final answer, and 1000 breaks the status line",
        frozenset({"informational", "bad-input-crash"}),
    ),
    Defect(
        "GET",
        "/drip",
        "the documented default delay of 2 s is 0; numbytes=abc is answered 500",
        frozenset({"default-delay", "bad-input-crash"}),
    ),
    Defect(
        "GET",
        "/base64/{value}",
        "bad base64 is answered 200; a script in the value is served as HTML",
        frozenset({"bad-input-accepted", "reflected-script"}),
    ),
    Defect("GET", "/image", "Accept: */* is answered 406", frozenset({"accept-anything"})),
    Defect(
        "GET",
        "/range/{numbytes}",
        "a range that ends after the last byte is answered 416, not 206 with the rest",
        frozenset({"range-past-end"}),
    ),
)

_BY_OPERATION = {
    (method, defect.path): defect for defect in DEFECTS for method in defect.methods.split()
}


def known_defect(method: str, path: str) -> Defect | None:
    """Return what is known to be wrong with an operation, or None."""
    return _BY_OPERATION.get((method, path))
