"""Every operation of httpbin's published spec, each tested by an agent against a live server."""

import pytest
from httpbin_probe.known_defects import known_defect
from httpbin_probe.spec import PublishedOperation, published_operations

from pytest_ptc import Verdict

PROMPT = """\
Test one operation of a live HTTP API, and judge whether it does what it promises.

Operation: {method} {path}
Served at: {base_url}
Summary in its spec: {summary}
Statuses in its spec: {statuses}
Content types in its spec: {produces}
What must hold: {expectation}

How to test
- Send real requests, with curl -si or the like, to {base_url} and to no other host. Judge the
  answers you get, not what you know about the API, and do not read its source.
- A part of the path in braces is a parameter: put in a sensible value.
- Go through "What must hold" sentence by sentence, with at least one request for each. Check the
  status, the content type, the headers that matter, the shape of the body, and that the body
  means what it should: lengths, echoed values, encodings, times. Do not follow redirects unseen.
- Some 5 to 25 requests are enough; give each a limit of 10 seconds.

How to judge
- high or critical: a wrong result that callers would rely on, or a hole in the security.
- medium: a sentence of "What must hold" is broken; a success comes with a content type that the
  spec does not list; bad input makes a 5xx, no valid answer, or a success.
- low: a right status, or the type of an error or redirect, that the spec does not list; whatever
  is called low above; anything beyond "What must hold" that a careful client would notice.
- info: a remark.

The verdict is fail if there is a finding of medium or worse, pass if there is none, and error if
the server cannot be reached. Each finding has a severity, a message with its evidence (the request
as sent, and the status, headers and body that came back), and a short stable slug as its rule, such
as status-code, content-type, echo or bad-input-crash. In data, put the number of requests as
"requests".
"""


def as_param(published: PublishedOperation) -> object:
    """Return the parameters of an item; a known defect must be found again, or the run fails."""
    defect = known_defect(published.method, published.path)
    return pytest.param(
        *published,
        id=f"{published.method} {published.path}",
        marks=[pytest.mark.xfail(strict=True, reason=defect.reason)] if defect else [],
    )


@pytest.fixture
def operation(
    *, method: str, path: str, summary: str, statuses: str, produces: str, expectation: str
) -> PublishedOperation:
    """Put the parameters, which are apart so that the prompt can name them, together again."""
    return PublishedOperation(method, path, summary, statuses, produces, expectation)


@pytest.mark.ptc(PROMPT)
@pytest.mark.parametrize(
    PublishedOperation._fields, [as_param(published) for published in published_operations()]
)
def test_operation(operation: PublishedOperation, ptc: Verdict) -> None:
    """The operation does what its spec and the rules of HTTP promise."""
    defects = ptc.findings_at_least("medium")
    assert not defects, f"{operation.method} {operation.path}: {defects}"
