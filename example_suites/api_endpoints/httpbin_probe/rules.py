"""The table of promises: what each operation must do, in words for a model and as checks in code.

A row's words end up in the prompt of every agent; its checks are what `prober.py` runs. Whoever
adds an operation writes both, so the two judges look for the same things.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from . import auth, conditional, cookies, echo, formats, generated, redirects
from .probe import Probe

Check = Callable[[Probe], None]

ARGUMENTS = (
    "`args` echoes the query: a repeated argument as a list, an empty one as an empty string, "
    "percent-encoded UTF-8 decoded; `url` and `origin` are the request's; `headers` holds every "
    "header sent."
)
BODIES = (
    "The body comes back by kind: a form in `form`, an uploaded file in `files`, text in `data`, "
    "JSON parsed in `json` and as text in `data`; a body that is not JSON leaves `json` null."
)
TRACED = "A TRACE request has no body, and its echo should leave credentials out (low)."
BAD_INPUT = "gets a 4xx, never a 5xx and never a redirect or a success."
DIGEST = (
    "Without credentials: a 401 with a Digest challenge (realm, fresh nonce, qop, algorithm). "
    "Credentials made from it for the user and password in the path get a 200 and "
    "{authenticated: true, user}, with qop auth and auth-int, also with a query or a %20 in the "
    "URL. Another password, another user name, or a weaker qop or algorithm than the challenge "
    "asks for gets a 401. A garbled Authorization header " + BAD_INPUT
)


class Rule(NamedTuple):
    """What the methods of one path promise.

    Args:
        methods: The methods, separated by spaces.
        path: The path as the spec has it.
        expectation: The promise in words.
        checks: The promise in code; each check stands alone.
        values: What fills the path in checks that do not care.
    """

    methods: str
    path: str
    expectation: str
    checks: tuple[Check, ...]
    values: Mapping[str, object] = {}


QUERY_CHECKS = (echo.echoes_query, echo.echoes_headers)
BODY_CHECKS = (echo.echoes_form, echo.echoes_file, echo.echoes_text)
JSON_CHECKS = (echo.echoes_json, echo.stays_json_after_nan)
ECHO_CHECKS = (*QUERY_CHECKS, *BODY_CHECKS, *JSON_CHECKS)
DELAY_CHECKS = (*QUERY_CHECKS, generated.waits, generated.refuses_bad_delays)
LOGIN = {"user": auth.USER, "passwd": auth.PASSWORD}
DIGEST_VALUES = {**LOGIN, "qop": "auth", "algorithm": "SHA-256", "stale_after": "never"}
DIGEST_CHECKS = (
    auth.challenges_digest,
    auth.lets_digest_in,
    auth.keeps_wrong_password_out,
    auth.keeps_wrong_user_out,
    auth.keeps_downgrades_out,
    auth.signs_whole_target,
    auth.refuses_garbled_digest,
)
REDIRECT_CHECKS = (redirects.redirects_n_times, redirects.refuses_zero_redirects)

DELAYED = (
    "The answer comes after as many seconds as the path says: try 1, not more. What is no number "
    f"from 0, such as abc or -1, {BAD_INPUT} "
)
HOPS = (
    "n=3 redirects exactly 3 times with 302 and ends at /get with 200. Each of n=0 and n=abc "
    + BAD_INPUT
)
GOES = (
    "`url` in the query is the Location, unchanged; `status_code`, 302 if absent, is the status. "
    "Without a `url` the request " + BAD_INPUT
)

RULES: tuple[Rule, ...] = (
    Rule("GET", "/get", ARGUMENTS, QUERY_CHECKS),
    Rule("DELETE", "/delete", f"{ARGUMENTS} {BODIES}", ECHO_CHECKS),
    Rule("PATCH", "/patch", f"{ARGUMENTS} {BODIES}", ECHO_CHECKS),
    Rule("POST", "/post", f"{ARGUMENTS} {BODIES}", ECHO_CHECKS),
    Rule("PUT", "/put", f"{ARGUMENTS} {BODIES}", ECHO_CHECKS),
    Rule(
        "GET",
        "/anything",
        f"`method` names the method. {ARGUMENTS}",
        (echo.echoes_method, *QUERY_CHECKS),
    ),
    Rule(
        "DELETE PATCH POST PUT",
        "/anything",
        f"`method` names the method. {ARGUMENTS} {BODIES}",
        (echo.echoes_method, *ECHO_CHECKS),
    ),
    Rule(
        "TRACE",
        "/anything",
        f"`method` names the method. {ARGUMENTS} {TRACED}",
        (echo.echoes_method, *QUERY_CHECKS, echo.keeps_secrets_in_trace),
    ),
    Rule(
        "GET",
        "/anything/{anything}",
        f"`method` names the method, `url` holds the whole path. {ARGUMENTS}",
        (echo.echoes_method, echo.echoes_path, *QUERY_CHECKS),
        {"anything": "some"},
    ),
    Rule(
        "DELETE PATCH POST PUT",
        "/anything/{anything}",
        f"`method` names the method, `url` holds the whole path. {ARGUMENTS} {BODIES}",
        (echo.echoes_method, echo.echoes_path, *ECHO_CHECKS),
        {"anything": "some"},
    ),
    Rule(
        "TRACE",
        "/anything/{anything}",
        f"`method` names the method, `url` holds the whole path. {ARGUMENTS} {TRACED}",
        (echo.echoes_method, echo.echoes_path, *QUERY_CHECKS, echo.keeps_secrets_in_trace),
        {"anything": "some"},
    ),
    Rule(
        "GET",
        "/headers",
        "`headers` holds every header of the request under its name, Host among them.",
        (echo.returns_all_headers,),
    ),
    Rule(
        "GET",
        "/ip",
        "`origin` is the address the request came from; that X-Forwarded-For replaces it is low.",
        (echo.returns_address, echo.ignores_claimed_address),
    ),
    Rule(
        "GET",
        "/user-agent",
        "`user-agent` is the User-Agent header as sent, null if there was none.",
        (echo.returns_user_agent,),
    ),
    Rule(
        "GET POST",
        "/response-headers",
        "Each argument of the query becomes a response header, a repeated one twice; the JSON body "
        "lists all of them. `Content-Type=text/plain` replaces the content type (low if not).",
        (echo.sets_response_headers, echo.replaces_content_type),
    ),
    Rule(
        "GET",
        "/basic-auth/{user}/{passwd}",
        "The user and password of the path get a 200 and {authenticated: true, user}. Others, no "
        "or broken credentials get a 401 with a Basic challenge that names a realm.",
        (auth.lets_basic_in, auth.keeps_basic_out),
        LOGIN,
    ),
    Rule(
        "GET",
        "/hidden-basic-auth/{user}/{passwd}",
        "The user and password of the path get a 200 and {authenticated: true, user}. Others, no "
        "or broken credentials get a 404 without WWW-Authenticate.",
        (auth.lets_basic_in, auth.hides_basic),
        LOGIN,
    ),
    Rule(
        "GET",
        "/bearer",
        "Any bearer token gets a 200 and {authenticated: true, token}. No credentials, an empty "
        "token or another scheme get a 401 with a Bearer challenge. The scheme has no case (low).",
        (auth.lets_bearer_in, auth.keeps_others_from_bearer, auth.takes_bearer_in_any_case),
    ),
    Rule("GET", "/digest-auth/{qop}/{user}/{passwd}", DIGEST, DIGEST_CHECKS, DIGEST_VALUES),
    Rule(
        "GET",
        "/digest-auth/{qop}/{user}/{passwd}/{algorithm}",
        DIGEST,
        DIGEST_CHECKS,
        DIGEST_VALUES,
    ),
    Rule(
        "GET",
        "/digest-auth/{qop}/{user}/{passwd}/{algorithm}/{stale_after}",
        f"{DIGEST} With stale_after=1 (the count is kept in a cookie) the second login with the "
        "same nonce gets a 401 with stale=true.",
        (*DIGEST_CHECKS, auth.expires_nonces),
        DIGEST_VALUES,
    ),
    Rule(
        "GET",
        "/cache",
        "Without validators the same as /get, with Last-Modified and an ETag; with "
        "If-Modified-Since or If-None-Match an empty 304. An ETag without quotes, and a 304 "
        "without one, are low.",
        (conditional.gives_validators, conditional.honours_validators),
    ),
    Rule(
        "GET",
        "/cache/{value}",
        "The same as /get, with max-age=value in Cache-Control. What is no number " + BAD_INPUT,
        (conditional.sets_cache_control, conditional.refuses_bad_lifetime),
    ),
    Rule(
        "GET",
        "/etag/{etag}",
        "The same as /get, with the ETag of the path. If-None-Match with that tag (also weak, in a "
        "list, or *) gets an empty 304, with another a 200; If-Match with it a 200, with another "
        "a 412. An ETag without quotes, a weak tag that passes If-Match, and If-None-Match going "
        "before If-Match are low.",
        (
            conditional.gives_etag,
            conditional.honours_if_none_match,
            conditional.honours_if_match,
            conditional.knows_fine_print_of_if_match,
        ),
        {"etag": conditional.ETAG},
    ),
    Rule(
        "GET",
        "/range/{numbytes}",
        "Exactly that many bytes, the same each time, with Accept-Ranges: bytes. A Range inside, "
        "open or counted from the end gets a 206 with these bytes and a right Content-Range; one "
        "that ends after the last byte means the rest (RFC 9110 14.1.2); one that begins after it "
        f"gets a 416. The length 0 or abc {BAD_INPUT}",
        (
            conditional.serves_whole,
            conditional.serves_parts,
            conditional.cuts_range_at_end,
            conditional.refuses_range_outside,
            conditional.refuses_bad_length,
        ),
    ),
    Rule("GET", "/redirect/{n}", HOPS, REDIRECT_CHECKS),
    Rule(
        "GET",
        "/relative-redirect/{n}",
        f"{HOPS} Each Location is a path without a host.",
        (*REDIRECT_CHECKS, redirects.stays_relative),
    ),
    Rule(
        "GET",
        "/absolute-redirect/{n}",
        f"{HOPS} Each Location is a whole URL.",
        (*REDIRECT_CHECKS, redirects.stays_absolute),
    ),
    Rule(
        "GET",
        "/redirect-to",
        f"{GOES} So does `status_code=abc`.",
        (
            redirects.goes_where_query_says,
            redirects.refuses_missing_url,
            redirects.refuses_bad_status,
        ),
    ),
    Rule(
        "DELETE PATCH TRACE",
        "/redirect-to",
        GOES,
        (redirects.goes_where_query_says, redirects.refuses_missing_url),
    ),
    Rule(
        "POST PUT",
        "/redirect-to",
        "The form fields `url` and `status_code`, which is where the spec puts them, give the "
        "Location and the status (302 if absent). Without a `url` the request " + BAD_INPUT,
        (redirects.goes_where_form_says, redirects.refuses_missing_url),
    ),
    Rule(
        "GET",
        "/cookies",
        "`cookies` holds the cookies of the request by name, and is empty if there are none.",
        (cookies.shows_cookies,),
    ),
    Rule(
        "GET",
        "/cookies/set",
        "Each argument of the query is set as a cookie and the answer redirects to /cookies, which "
        "shows them when they are sent; odd values survive. That the spec speaks of a 200, and "
        "that a name may hold ';', are low.",
        (
            cookies.sets_cookies_of_query,
            cookies.keeps_odd_values,
            cookies.refuses_name_with_attribute,
        ),
    ),
    Rule(
        "GET",
        "/cookies/set/{name}/{value}",
        "The cookie of the path is set and the answer redirects to /cookies, which shows it when "
        "it is sent; odd values survive. That the spec speaks of a 200, and that a name may hold "
        "';', are low.",
        (
            cookies.sets_cookie_of_path,
            cookies.keeps_odd_values,
            cookies.refuses_name_with_attribute,
        ),
    ),
    Rule(
        "GET",
        "/cookies/delete",
        "Each argument of the query names a cookie that is emptied and expired, no other is "
        "touched, and the answer redirects to /cookies. That the spec speaks of a 200 is low.",
        (cookies.deletes_cookies,),
    ),
    Rule(
        "GET",
        "/gzip",
        "The body is gzip, Content-Encoding says so, and inside is JSON with `gzipped` true, "
        "`method`, `origin` and the headers sent.",
        (formats.is_gzipped,),
    ),
    Rule(
        "GET",
        "/deflate",
        "The body is deflate in zlib format, Content-Encoding says so, and inside is JSON with "
        "`deflated` true, `method`, `origin` and the headers sent.",
        (formats.is_deflated,),
    ),
    Rule(
        "GET",
        "/brotli",
        "The body is Brotli, Content-Encoding says so, and inside is JSON with `brotli` true, "
        "`method`, `origin` and the headers sent.",
        (formats.is_brotli,),
    ),
    Rule("GET", "/html", "A whole HTML page, the beginning of Moby-Dick.", (formats.is_html,)),
    Rule("GET", "/xml", "Well-formed XML: a slide show with titled slides.", (formats.is_xml,)),
    Rule("GET", "/json", "A slide show with title, date, author, slides.", (formats.is_json,)),
    Rule("GET", "/robots.txt", "All robots are forbidden /deny.", (formats.is_robots_file,)),
    Rule("GET", "/deny", "The page says that you should not be here.", (formats.denies,)),
    Rule(
        "GET",
        "/encoding/utf8",
        "The charset is utf-8, all bytes are valid UTF-8, and there is text in several scripts.",
        (formats.is_utf8,),
    ),
    Rule(
        "GET",
        "/image",
        "The Accept header chooses PNG, JPEG, SVG or WebP, and the image really is one; without "
        "it, with image/* and with */* there is some image. text/html alone gets a 406 that lists "
        "the types. Ignored q values are low.",
        (
            formats.gives_image_asked_for,
            formats.takes_any_type,
            formats.refuses_other_types,
            formats.weighs_types,
        ),
    ),
    Rule("GET", "/image/jpeg", "A whole JPEG image.", (formats.is_jpeg,)),
    Rule("GET", "/image/png", "A whole PNG image.", (formats.is_png,)),
    Rule("GET", "/image/svg", "Well-formed SVG.", (formats.is_svg,)),
    Rule("GET", "/image/webp", "A whole WebP image.", (formats.is_webp,)),
    Rule(
        "GET",
        "/uuid",
        "`uuid` is a version 4 UUID in its usual form, another one each time.",
        (generated.is_uuid4,),
    ),
    Rule(
        "GET",
        "/bytes/{n}",
        "Exactly n bytes, random unless `seed` in the query repeats them; a size that is silently "
        f"cut, try 150000, is low. Each of -1 and abc {BAD_INPUT}",
        (
            generated.has_n_bytes,
            generated.repeats_with_seed,
            generated.tells_limit,
            generated.refuses_bad_size,
        ),
    ),
    Rule(
        "GET",
        "/stream-bytes/{n}",
        "Exactly n bytes in chunked transfer coding, random unless `seed` in the query repeats "
        f"them; a size that is silently cut, try 150000, is low. Each of -1 and abc {BAD_INPUT}",
        (
            generated.has_n_bytes,
            generated.comes_in_chunks,
            generated.repeats_with_seed,
            generated.tells_limit,
            generated.refuses_bad_size,
        ),
    ),
    Rule(
        "GET",
        "/stream/{n}",
        "n lines, each a JSON object that echoes the request and has an `id` counted from 0. That "
        "the whole is no JSON document, as its content type says, is low.",
        (generated.streams_n_objects,),
    ),
    Rule(
        "GET",
        "/base64/{value}",
        "The decoded text, also for the URL alphabet (- and _). What is not base64 "
        f"{BAD_INPUT} Markup in the text must not be served in a way that a browser runs it.",
        (generated.decodes, generated.refuses_bad_base64, generated.runs_no_script),
    ),
    Rule(
        "GET",
        "/links/{n}/{offset}",
        "n numbered entries, all of them links but the one at offset; each link leads to such a "
        f"page. abc for a number {BAD_INPUT}",
        (generated.links_to_others, generated.refuses_bad_link_numbers),
    ),
    Rule("GET", "/delay/{delay}", f"{DELAYED}{ARGUMENTS}", DELAY_CHECKS, {"delay": 0}),
    Rule(
        "DELETE PATCH POST PUT",
        "/delay/{delay}",
        f"{DELAYED}{ARGUMENTS} Bodies come back in `form`, `files` or `data`.",
        (*DELAY_CHECKS, *BODY_CHECKS),
        {"delay": 0},
    ),
    Rule(
        "TRACE",
        "/delay/{delay}",
        f"{DELAYED}{ARGUMENTS} {TRACED}",
        (*DELAY_CHECKS, echo.keeps_secrets_in_trace),
        {"delay": 0},
    ),
    Rule(
        "GET",
        "/drip",
        "`numbytes` bytes come one by one over `duration` seconds after `delay` seconds, under the "
        "status `code`; the spec's defaults hold (delay: 2). Use durations of half a second. What "
        f"is no number, and no bytes at all, {BAD_INPUT}",
        (generated.drips, generated.waits_by_default, generated.refuses_bad_drips),
    ),
    Rule(
        "DELETE GET PATCH POST PUT TRACE",
        "/status/{codes}",
        "The status is the code in the path: try some of each class from 200 to 503, with a "
        "Location where it redirects, a challenge with 401, no body with 204 and 304. Of several "
        "codes, `201,404` or weighted `404:0,201:1`, it picks one. 100 must lead to a final answer "
        f"too (RFC 9110 15.2). Each of abc and 1000 {BAD_INPUT}",
        (
            generated.answers_with_code,
            generated.picks_among_codes,
            generated.ends_informational,
            generated.refuses_impossible_codes,
        ),
    ),
)

_BY_OPERATION = {(method, rule.path): rule for rule in RULES for method in rule.methods.split()}


def rule_for(method: str, path: str) -> Rule | None:
    """Return the rule that covers an operation, or None."""
    return _BY_OPERATION.get((method, path))
