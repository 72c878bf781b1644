"""Checks of the operations that answer in a given encoding, document format or image format."""

import gzip
import importlib
import json
import zlib
from collections.abc import Callable
from xml.etree import ElementTree as ET

from .echo import echoed_headers
from .exchange import Response
from .probe import Probe

PNG, JPEG, SVG, WEBP = "image/png", "image/jpeg", "image/svg+xml", "image/webp"


def is_gzipped(probe: Probe) -> None:
    """The body is gzip, says so, and holds the JSON promised."""
    _expect_encoded(probe, "gzip", gzip.decompress, flag="gzipped")


def is_deflated(probe: Probe) -> None:
    """The body is in zlib format, which is what deflate means in RFC 9110 8.4.1.2."""
    _expect_encoded(probe, "deflate", zlib.decompress, flag="deflated")


def is_brotli(probe: Probe) -> None:
    """The body is Brotli, says so, and holds the JSON promised."""
    # The standard library has no Brotli; this package comes with httpbin.
    brotli = importlib.import_module("brotlicffi")
    _expect_encoded(probe, "br", brotli.decompress, flag="brotli")


def is_html(probe: Probe) -> None:
    """The page is a whole HTML document: the beginning of Moby-Dick."""
    response = probe.call(200)
    _expect_text(probe, response, "<h1>Herman Melville - Moby-Dick</h1>")
    page = response.text.strip().lower()
    whole = page.startswith("<!doctype html>") and page.endswith("</html>")
    probe.expect(whole, "html", "the document is not whole", response)


def is_xml(probe: Probe) -> None:
    """The document is well-formed: a slide show with titled slides."""
    response = probe.call(200)
    root = _parse_xml(probe, response)
    titles = [slide.findtext("title") for slide in root.iter("slide")]
    held = root.tag == "slideshow" and len(titles) > 1 and all(titles)
    probe.expect(held, "xml", f"{root.tag} has the slides {titles}", response)


def is_json(probe: Probe) -> None:
    """The document is a slide show with titled slides."""
    response = probe.call(200)
    show = probe.json_object(response).get("slideshow")
    fields = show if isinstance(show, dict) else {}
    slides = fields.get("slides")
    titled = isinstance(slides, list) and all(
        isinstance(slide, dict) and slide.get("title") for slide in slides
    )
    held = bool(slides) and titled and {"title", "author", "date"} <= fields.keys()
    probe.expect(held, "json", "the document is not a slide show", response)


def is_robots_file(probe: Probe) -> None:
    """The rules forbid every robot the page /deny."""
    lines = probe.call(200).text.splitlines()
    held = lines[:2] == ["User-agent: *", "Disallow: /deny"]
    probe.expect(held, "robots", "the rules are others", lines)


def denies(probe: Probe) -> None:
    """The page that robots may not see says so."""
    _expect_text(probe, probe.call(200), "YOU SHOULDN'T BE HERE")


def is_utf8(probe: Probe) -> None:
    """The page says that it is UTF-8, is, and shows it in several scripts."""
    response = probe.call(200)
    charset = response.headers.get_param("charset")
    probe.expect(charset == "utf-8", "charset", f"the charset is {charset}", response)
    try:
        page = response.body.decode()
    except UnicodeDecodeError as error:
        probe.stop("charset", f"the body is not UTF-8: {error}", response)
    for sample in ("∮ E⋅da = Q", "Οὐχὶ ταὐτὰ", "გთხოვთ", "Зарегистрируйтесь", "ሰማይ"):
        probe.expect(sample in page, "utf8", f"the sample {sample} is missing", response)


def is_png(probe: Probe) -> None:
    """The image is a whole PNG."""
    _expect_image(probe, probe.call(200), PNG)


def is_jpeg(probe: Probe) -> None:
    """The image is a whole JPEG."""
    _expect_image(probe, probe.call(200), JPEG)


def is_webp(probe: Probe) -> None:
    """The image is a whole WebP."""
    _expect_image(probe, probe.call(200), WEBP)


def is_svg(probe: Probe) -> None:
    """The image is well-formed SVG."""
    _expect_image(probe, probe.call(200), SVG)


def gives_image_asked_for(probe: Probe) -> None:
    """Each type in the Accept header gets an image of that type."""
    for media_type in (PNG, JPEG, SVG, WEBP):
        _expect_image(probe, probe.call(200, headers={"Accept": media_type}), media_type)
    for accept in ({}, {"Accept": "image/*"}):
        response = probe.call(200, headers=accept)
        _expect_image(probe, response, response.media_type)


def refuses_other_types(probe: Probe) -> None:
    """Who accepts no image gets a 406 that lists what there is."""
    response = probe.call(406, headers={"Accept": "text/html"})
    listed = json.dumps(probe.json(response))
    missing = [kind for kind in (PNG, JPEG, SVG, WEBP) if kind not in listed]
    probe.expect(not missing, "not-acceptable", f"the list lacks {missing}", response)


def takes_any_type(probe: Probe) -> None:
    """`Accept: */*`, which most clients send, is as good as no Accept at all."""
    response = probe.send(probe.method, probe.target(), headers={"Accept": "*/*"})
    claim = f"Accept: */* is answered {response.status}"
    probe.expect(response.status == 200, "accept-anything", claim, response, "medium")


def weighs_types(probe: Probe) -> None:
    """RFC 9110 12.4.2: a type with q=0 is not acceptable."""
    accept = f"{PNG}, {WEBP};q=0"
    response = probe.send(probe.method, probe.target(), headers={"Accept": accept})
    claim = f"Accept: {accept} gets {response.media_type}"
    probe.expect(response.media_type == PNG, "accept-weight", claim, response, "low")


def _expect_encoded(
    probe: Probe, coding: str, decode: Callable[[bytes], bytes], *, flag: str
) -> None:
    response = probe.call(200, headers={"Accept-Encoding": coding, "X-Flavour": "vanilla"})
    told = response.header("Content-Encoding")
    probe.expect(told == coding, "content-encoding", f"Content-Encoding is {told!r}", response)
    try:
        content = decode(response.body)
    except Exception as error:  # noqa: BLE001 - every codec has errors of its own
        probe.stop("content-encoding", f"the body is not {coding} ({error})", response)
    decoded = response._replace(body=content)
    probe.expect_fields(
        decoded, "echo", **{flag: True, "method": "GET", "origin": response.client_host}
    )
    flavour = echoed_headers(probe, decoded).get("X-Flavour")
    probe.expect(flavour == "vanilla", "echo", "the header X-Flavour is lost", decoded)


def _expect_text(probe: Probe, response: Response, text: str) -> None:
    probe.expect(text in response.text, "content", f"the text {text!r} is missing", response)


def _expect_image(probe: Probe, response: Response, media_type: str) -> None:
    claim = f"the content type is {response.media_type}, not {media_type}"
    probe.expect(response.media_type == media_type, "content-type", claim, response)
    if media_type == SVG:
        root = _parse_xml(probe, response)
        is_root = root.tag == "{http://www.w3.org/2000/svg}svg"
        probe.expect(is_root, "image", f"the root is {root.tag}, not svg", response)
        return
    body = response.body
    whole = {
        PNG: body.startswith(b"\x89PNG\r\n\x1a\n") and body.endswith(b"IEND\xaeB`\x82"),
        JPEG: body.startswith(b"\xff\xd8\xff") and body.endswith(b"\xff\xd9"),
        # A RIFF file gives its length after the first eight bytes; odd lengths are padded.
        WEBP: body[:4] + body[8:12] == b"RIFFWEBP"
        and len(body) - 8 - int.from_bytes(body[4:8], "little") in (0, 1),
    }
    probe.expect(whole.get(media_type), "image", f"it is no whole {media_type}", response)


def _parse_xml(probe: Probe, response: Response) -> ET.Element:
    try:
        return ET.fromstring(response.body)  # noqa: S314 - from the API under test, on this machine
    except ET.ParseError as error:
        probe.stop("xml", f"the document is not well-formed: {error}", response)
