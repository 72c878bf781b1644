"""What `ptc run` fans out over: from the words of a command line to items.

A source gives values for one field, or rows of several. Two sources are a product. Everything that
is wrong is found here, before pytest is started: the message names the field and the fix.
"""

from __future__ import annotations

import csv
import itertools
import json
import posixpath
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.collection.inline_tests import inline_tests, rows_with_tests
from pytest_ptc.collection.item_ids import unique_ids
from pytest_ptc.collection.keywords import fields_in
from pytest_ptc.collection.markdown import fanned_out
from pytest_ptc.model.errors import ListingError
from pytest_ptc.model.inline_suite import InlineItem, InlineSuite
from pytest_ptc.text.printable import clip, printable
from pytest_ptc.text.template import fields_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

#: Most items of one command: more are a slip, such as a range with a digit too many.
MAX_ITEMS = 10_000
#: Most columns of a name in a message.
_LONGEST_NAME = 60

_ASSIGNMENT = re.compile(r"(?P<name>[^\W\d]\w*)=(?P<values>.*)", re.DOTALL)
_RANGE = re.compile(r"(?P<first>[0-9]{1,18})\.\.(?P<last>[0-9]{1,18})")
#: The ending of a file's name: `.txt`, and not the `.5` of a version.
_SUFFIX = re.compile(r"[^/\s]\.[A-Za-z][A-Za-z0-9]{0,7}$")
#: Fields that hold the names of files, whatever the values look like.
_FILE_FIELDS = re.compile(r"(?:\w+_)?(?:path|file|filename)")
_SAYS_FILE = re.compile(r"\bfiles?\b", re.IGNORECASE)


class Rows(NamedTuple):
    """What was read from a file or a program's output.

    Args:
        option: What gives it, for messages.
        rows: Each a value, or values by their fields.
        are_operations: Whether they are operations of an API, whose `path` is no file.
    """

    option: str
    rows: Sequence[str | Mapping[str, Any]]
    are_operations: bool = False


@dataclass(frozen=True, kw_only=True)
class Sources:
    """What the items come from; of the first four there is at most one, but `files` by `changed`.

    Args:
        items: Values, as they stand on the command line.
        files: Patterns of files.
        changed: A commit or branch: the files that have changed since.
        rows: What was read from a file or a program's output.
        exclude: Patterns of files to leave out.
        each: Assignments such as `pr=123..127`.
        canaries: Files with a planted defect, each with what must be found.
        controls: Files that are clean.
    """

    items: Sequence[str] = ()
    files: Sequence[str] = ()
    changed: str | None = None
    rows: Rows | None = None
    exclude: Sequence[str] = ()
    each: Sequence[str] = ()
    canaries: Sequence[str] = ()
    controls: Sequence[str] = ()


class _Listed(NamedTuple):
    """Rows of a source.

    Args:
        option: What gives them, for messages.
        rows: The values of each row by their fields.
        nothing: Why there is rightly none.
    """

    option: str
    rows: list[dict[str, Any]]
    nothing: str | None = None


def inline_suite(
    prompt: str,
    sources: Sources,
    keywords: Mapping[str, Any],
    folder: Path,
    *,
    check_files: bool = True,
) -> InlineSuite:
    """Return the suite of a command line.

    Args:
        prompt: The prompt.
        sources: What its items come from.
        keywords: The marker's keywords, checked.
        folder: The directory that names of files are from.
        check_files: Whether items that read like files must be there.

    Raises:
        ListingError: There is no item, or a field and the sources do not fit each other.
    """
    if not prompt.strip():
        raise ListingError("PROMPT is empty: write what an agent should do with each item")
    fields = list(dict.fromkeys([*fields_of(prompt), *fields_in(keywords)]))
    products = [_assigned(text) for text in sources.each]
    _refuse_twice([one.option for one in products], "--each")
    given = {name for one in products for name in one.rows[0]}
    tests = inline_tests(sources.canaries, sources.controls)
    listed = _listed(sources, [name for name in fields if name not in given], folder)
    if listed is None and tests:
        raise ListingError("--canary, --control: need items behind PROMPT, --files or --changed")
    field = ""
    if listed is not None:
        if listed.nothing is not None:
            return InlineSuite(
                prompt=prompt,
                items=(),
                keywords=dict(keywords),
                folder=str(folder),
                since=sources.changed,
                nothing=listed.nothing,
            )
        if tests:
            field, with_tests = rows_with_tests(listed.rows, tests)
            listed = listed._replace(rows=with_tests)
        products.insert(0, listed)
    rows = _product(products)
    _check_fields(fields, products, rows)
    # What a worktree of another commit holds is not seen here.
    operations = sources.rows is not None and sources.rows.are_operations
    if check_files and listed is not None and "ref" not in keywords and not operations:
        _refuse_unknown_files(prompt, listed, folder)
        missing = next((path for path in tests if not _is_there(folder, path)), None)
        if missing is not None:
            raise ListingError(
                f"--canary, --control: {printable(missing)} is no file in {folder}: correct the "
                "name, or say --no-files"
            )
    shown = ["-".join(_names_of(row)) or "prompt" for row in rows]
    return InlineSuite(
        prompt=prompt,
        items=tuple(
            InlineItem(
                name=name,
                params=row,
                canary=tests.get(row.get(field, "")),
                control=row.get(field, "") in tests and tests[row[field]] is None,
            )
            for name, row in zip(unique_ids(shown), rows, strict=True)
        ),
        keywords=dict(keywords),
        folder=str(folder),
        since=sources.changed,
    )


def _names_of(row: Mapping[str, Any]) -> list[str]:
    """Return what an item is named by: a changed file's path, an operation's method and path."""
    if {"method", "path", "operation"} <= set(row):
        row = {name: value for name, value in row.items() if name != "operation"}
    beside = {"status", "old", "change"}
    told = beside if beside <= set(row) else set()
    return [
        value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for name, value in row.items()
        if name not in told
    ]


# --- sources


def _assigned(text: str) -> _Listed:
    """Return the values of an assignment such as `pr=123..127` or `kind=GET,POST`."""
    found = _ASSIGNMENT.fullmatch(text)
    if found is None:
        raise ListingError(f"--each {text!r:.80}: write NAME=VALUE,... such as pr=123..127")
    name = found["name"]
    option = f"--each {name}"
    try:
        (values,) = list(csv.reader([found["values"]], strict=True, skipinitialspace=True)) or [[]]
    except (csv.Error, ValueError) as error:
        raise ListingError(f"{option}: {error}; put a value that has a comma in quotes") from None
    every = [value for one in values for value in _ranged(option, one)]
    if not every or not all(value.strip() for value in every):
        raise ListingError(f"{option}: a value is empty; write {name}=VALUE,...")
    return _Listed(option, [{name: value} for value in every])


def _ranged(option: str, text: str) -> Sequence[str]:
    """Return the numbers of a range, as wide as the first of them if that begins with 0."""
    found = _RANGE.fullmatch(text)
    if found is None:
        return [text]
    first, last = int(found["first"]), int(found["last"])
    if last < first:
        raise ListingError(f"{option}: {text} is empty; write {last}..{first}")
    if last - first >= MAX_ITEMS:
        raise ListingError(f"{option}: {text} has more than {MAX_ITEMS} values; narrow it")
    width = len(found["first"]) if found["first"].startswith("0") else 0
    return [f"{number:0{width}}" for number in range(first, last + 1)]


def _listed(sources: Sources, free: Sequence[str], folder: Path) -> _Listed | None:
    """Return what the one source lists that is no assignment; None where there is none.

    Args:
        sources: All of them.
        free: The fields of the prompt that no assignment fills.
        folder: The directory that names of files are from.
    """
    kinds = {
        "ITEM": bool(sources.items),
        "--files": bool(sources.files) and sources.changed is None,
        "--changed": sources.changed is not None,
        "--from": sources.rows is not None,
    }
    there = [kind for kind, given in kinds.items() if given]
    if len(there) > 1:
        raise ListingError(f"{' and '.join(there)}: give one of them; a product is made by --each")
    if sources.exclude and not (sources.files or sources.changed is not None):
        raise ListingError("--exclude: needs --files or --changed")
    match there:
        case ["ITEM"]:
            return _values("ITEM", sources.items, "each", free)
        case ["--from"]:
            assert sources.rows is not None
            return _from(sources.rows, free)
        case ["--files" | "--changed" as option]:
            return _of_files(option, sources, free, folder)
    return None


def _from(given: Rows, free: Sequence[str]) -> _Listed:
    option, rows, _ = given
    if not rows:
        raise ListingError(f"{option}: is empty: nothing would be done")
    texts = [row for row in rows if isinstance(row, str)]
    if texts and len(texts) == len(rows):
        return _values(option, texts, "each", free)
    if texts:
        raise ListingError(f"{option}: mixes values and objects; use one kind")
    return _Listed(option, [dict(row) for row in rows if not isinstance(row, str)])


def _of_files(option: str, sources: Sources, free: Sequence[str], folder: Path) -> _Listed:
    each: dict[str, Any] = {} if sources.changed is None else {"changed": sources.changed}
    if sources.files:
        each["files"] = list(sources.files)
    if sources.exclude:
        each["exclude"] = list(sources.exclude)
    try:
        found = fanned_out(each, folder)
    except ListingError as error:
        raise ListingError(f"{option}: {error}") from None
    if found.nothing is not None:
        return _Listed(option, [], found.nothing)
    rows = [dict(params) for _, params in found.items]
    # `path`, or the one other field that the prompt has.
    others = [name for name in free if name == "path" or name not in rows[0]]
    named = _values(option, [row["path"] for row in rows], "path", others)
    return _Listed(
        option, [{**named.rows[at], **_without_path(row)} for at, row in enumerate(rows)]
    )


def _without_path(row: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "path"}


def _values(option: str, values: Sequence[str], usual: str, free: Sequence[str]) -> _Listed:
    """Return values for the field of the prompt that they are meant for."""
    if usual in free:
        name = usual
    elif len(free) == 1:
        name = free[0]
    elif not free:
        raise ListingError(
            f"PROMPT has no field for what {option} gives: write {{{usual}}} where the item goes"
        )
    else:
        fields = ", ".join(f"{{{one}}}" for one in free)
        raise ListingError(
            f"{option}: could be any of {fields}: write {{{usual}}} for it, and give the others by "
            "--each NAME=VALUE,..."
        )
    if not all(value.strip() for value in values):
        raise ListingError(f"{option}: an item is empty; leave it out")
    return _Listed(option, [{name: value} for value in values])


# --- what fits what


def _refuse_twice(names: Sequence[str], option: str) -> None:
    twice = next((name for at, name in enumerate(names) if name in names[:at]), None)
    if twice is not None:
        field_name = twice.removeprefix(f"{option} ")
        raise ListingError(
            f"{twice}: is given twice; give all values at once, as {field_name}=VALUE,VALUE"
        )


def _product(products: Sequence[_Listed]) -> list[dict[str, Any]]:
    """Return every combination of rows, those of the last source changing fastest."""
    number = 1
    for one in products:
        number *= len(one.rows)
    if number > MAX_ITEMS:
        raise ListingError(
            f"{' and '.join(one.option for one in products)}: {number} items are more than "
            f"{MAX_ITEMS}; run them in parts"
        )
    for at, one in enumerate(products):
        for other in products[:at]:
            for name in one.rows[0]:
                if name in other.rows[0]:
                    raise ListingError(
                        f"{other.option} and {one.option}: both give {{{name}}}; leave one out"
                    )
    return [
        {name: value for row in rows for name, value in row.items()}
        for rows in itertools.product(*(one.rows for one in products))
    ]


def _check_fields(
    fields: Sequence[str], products: Sequence[_Listed], rows: Sequence[Mapping[str, Any]]
) -> None:
    """Refuse a field without a value, and values that no agent would see."""
    for number, row in enumerate(rows, 1):
        missing = next((name for name in fields if name not in row), None)
        if missing is not None:
            given = ", ".join(f"{{{name}}}" for name in row)
            where = f" in row {number}, which has {given}" if given else ""
            raise ListingError(
                f"{{{missing}}} has no value{where}: give --each {missing}=VALUE,... or, for one "
                "field, items behind the prompt; write {{ for a literal brace"
            )
    for one in products:
        names = list(one.rows[0])
        if not set(names) & set(fields):
            shown = ", ".join(f"{{{name}}}" for name in names)
            raise ListingError(
                f"{one.option}: PROMPT does not name {shown}, so no agent would see the values: "
                "write it where the value goes"
            )


def _refuse_unknown_files(prompt: str, listed: _Listed, folder: Path) -> None:
    """Refuse items that read like files and are none: an agent would be paid for each."""
    if listed.option in ("--files", "--changed"):
        return
    says_file = _SAYS_FILE.search(prompt) is not None
    missing = [
        str(value)
        for row in listed.rows
        for name, value in row.items()
        if f"{{{name}}}" in prompt
        and isinstance(value, str)
        and _reads_like_file(name, value, folder, says_file=says_file)
        and not _is_there(folder, value)
    ]
    if missing:
        names = ", ".join(clip(printable(name), _LONGEST_NAME) for name in missing[:3])
        more = f" and {len(missing) - 3} more" if len(missing) > 3 else ""  # noqa: PLR2004
        are = "is no file" if len(missing) == 1 else "are no files"
        raise ListingError(
            f"{listed.option}: {names}{more} {are} in {folder}: correct the names; if they name "
            "something else, say --no-files"
        )


def _reads_like_file(name: str, value: str, folder: Path, *, says_file: bool) -> bool:
    if _FILE_FIELDS.fullmatch(name):
        return True
    if name != "each" and not says_file:
        return False
    if "://" in value or any(char.isspace() for char in value.strip()):
        return False
    if _SUFFIX.search(value):
        return True
    if value.startswith("/"):
        # `/users` is an endpoint of an API as well as a file.
        above = posixpath.dirname(value)
        return above != "/" and _is_there(folder, above)
    return "/" in value


def _is_there(folder: Path, value: str) -> bool:
    try:
        return (folder / value).exists()
    except (OSError, ValueError):
        return False
