"""Small mutations of Python code that make a defect of it. Pure.

Each is an edit of the text: what it does not touch stays as it is, byte for byte, comments and line
numbers included. A check that is removed takes its lines with it.
"""

from __future__ import annotations

import ast
import codecs
import io
import random
import re
import tokenize
from itertools import groupby, pairwise
from typing import TYPE_CHECKING, NamedTuple

from pytest_ptc.model.errors import PlantingError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence


class Mutation(NamedTuple):
    """A defect that can be planted.

    Args:
        path: The file, as it was named.
        rule: What kind it is, one of `RULES`.
        line: Where it is in the mutated file, from 1.
        words: What was done.
        source: The mutated file, as bytes.
    """

    path: str
    rule: str
    line: int
    words: str
    source: bytes


class _Edit(NamedTuple):
    """A part of a file's bytes that is replaced."""

    start: int
    end: int
    text: bytes
    line: int
    words: str


class Rule(NamedTuple):
    """A kind of planted defect.

    Args:
        help: What it does.
        named: A pattern of the words that a finding may name it by.
        find: Yields the edits that a file offers.
    """

    help: str
    named: str
    find: Callable[[_Code], Iterator[_Edit]]


class _Code:
    """A file's text and tree, and where a node is in its bytes."""

    def __init__(self, source: bytes) -> None:
        self.source = source
        self.tree = ast.parse(source)
        self.lines = source.splitlines(keepends=True)
        self._starts = [0]
        for line in self.lines:
            self._starts.append(self._starts[-1] + len(line))

    def nodes(self, *kinds: type[ast.AST]) -> Iterator[ast.AST]:
        """Yield nodes, but none within an f-string: before Python 3.12 their places are wrong."""
        waiting: list[ast.AST] = [self.tree]
        while waiting:
            node = waiting.pop()
            if isinstance(node, kinds):
                yield node
            if not isinstance(node, ast.JoinedStr):
                waiting += ast.iter_child_nodes(node)

    def at(self, line: int, column: int = 0) -> int:
        # The mark at the beginning of a file is in no column.
        mark = len(codecs.BOM_UTF8) if self.source.startswith(codecs.BOM_UTF8) else 0
        return self._starts[line - 1] + column + (mark if line == 1 else 0)

    def start(self, node: ast.expr | ast.stmt) -> int:
        return self.at(node.lineno, node.col_offset)

    def end(self, node: ast.expr | ast.stmt) -> int:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return self.at(node.end_lineno, node.end_col_offset)

    def text(self, node: ast.expr | ast.stmt) -> bytes:
        return self.source[self.start(node) : self.end(node)]

    def replace(self, node: ast.expr, text: bytes, words: str = "") -> _Edit:
        """Return the edit that puts another text in the place of an expression."""
        said = words or f"{_shown(self.text(node))} became {_shown(text)}"
        return _Edit(self.start(node), self.end(node), text, node.lineno, said)

    def between(self, left: ast.expr, right: ast.expr, old: bytes, new: bytes) -> _Edit | None:
        """Return the edit of the operator between two expressions; None if it is not plain."""
        start, end = self.end(left), self.start(right)
        gap = self.source[start:end]
        pattern = rb"(?<![\w<>=!])" + rb"\s+".join(map(re.escape, old.split())) + rb"(?![\w<>=])"
        found = list(re.finditer(pattern, gap))
        if len(found) != 1 or b"#" in gap:
            return None
        at = start + found[0].start()
        line = left.lineno + self.source[self.start(left) : at].count(b"\n")
        words = f"{old.decode()} became {new.decode()}"
        return _Edit(at, start + found[0].end(), new, line, words)

    def own_lines(self, node: ast.stmt) -> tuple[int, int] | None:
        """Return the bytes of a statement's lines; None if others stand on them."""
        assert node.end_lineno is not None
        start, end = self.at(node.lineno), self.at(node.end_lineno + 1)
        before = self.source[start : self.start(node)]
        after = self.source[self.end(node) : end]
        alone = not before.strip() and re.fullmatch(rb"\s*(#.*)?\s*", after, re.DOTALL)
        return (start, end) if alone else None


def _shown(text: bytes) -> str:
    one_line = " ".join(text.decode("utf-8", "replace").split())
    return one_line if len(one_line) <= 40 else f"{one_line[:37]}..."  # noqa: PLR2004


_FLIPPED: dict[type[ast.cmpop], tuple[bytes, bytes]] = {
    ast.Eq: (b"==", b"!="),
    ast.NotEq: (b"!=", b"=="),
    ast.Is: (b"is", b"is not"),
    ast.IsNot: (b"is not", b"is"),
    ast.In: (b"in", b"not in"),
    ast.NotIn: (b"not in", b"in"),
}
_SHIFTED: dict[type[ast.cmpop], tuple[bytes, bytes]] = {
    ast.Lt: (b"<", b"<="),
    ast.LtE: (b"<=", b"<"),
    ast.Gt: (b">", b">="),
    ast.GtE: (b">=", b">"),
}
#: Calls that are safe, and what is not.
_UNSAFE = {
    "ast.literal_eval": b"eval",
    "json.loads": b"eval",
    "yaml.safe_load": b"yaml.unsafe_load",
    "hashlib.sha256": b"hashlib.md5",
    "tempfile.mkstemp": b"tempfile.mktemp",
    "shlex.quote": b"str",
    "html.escape": b"str",
}


def _removed_checks(code: _Code) -> Iterator[_Edit]:
    for block in _blocks(code.tree):
        # Not the last one: a block needs a statement.
        for node, _ in pairwise(block):
            if not isinstance(node, ast.If) or node.orelse or len(node.body) != 1:
                continue
            if not isinstance(node.body[0], ast.Raise | ast.Return | ast.Continue):
                continue
            place = code.own_lines(node)
            if place is not None:
                said = f"the check {_shown(code.text(node.test))} is gone"
                yield _Edit(*place, b"", node.lineno, said)


def _blocks(tree: ast.AST) -> Iterator[list[ast.stmt]]:
    for node in ast.walk(tree):
        for name in ("body", "orelse", "finalbody"):
            block = getattr(node, name, None)
            # The branch of an `elif` is no block of lines.
            if isinstance(block, list) and not isinstance(node, ast.Module):
                yield block


def _inverted_conditions(code: _Code) -> Iterator[_Edit]:
    for node in code.nodes(ast.If, ast.While, ast.IfExp):
        test: ast.expr = node.test  # type: ignore[attr-defined]
        match test:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _FLIPPED:
                edit = code.between(left, right, *_FLIPPED[type(op)])
                if edit is not None:
                    yield edit
            case ast.UnaryOp(op=ast.Not(), operand=operand):
                yield code.replace(test, code.text(operand))
            case ast.Name() | ast.Attribute() | ast.Call():
                yield code.replace(test, b"not " + code.text(test))


def _off_by_one(code: _Code) -> Iterator[_Edit]:
    for node in code.nodes(ast.Compare, ast.Call, ast.BinOp):
        match node:
            case ast.Compare(left=left, ops=[op], comparators=[right]) if type(op) in _SHIFTED:
                edit = code.between(left, right, *_SHIFTED[type(op)])
                if edit is not None:
                    yield edit
            case ast.Call(func=ast.Name(id="range"), args=[end], keywords=[]):
                if not isinstance(end, ast.Starred):
                    yield code.replace(end, b"1, " + code.text(end))
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub(), right=ast.Constant(value=1)):
                yield code.replace(node, code.text(left))


def _swallowed_errors(code: _Code) -> Iterator[_Edit]:
    for node in code.nodes(ast.ExceptHandler):
        assert isinstance(node, ast.ExceptHandler)
        first, last = node.body[0], node.body[-1]
        if not isinstance(last, ast.Raise) or first.lineno == node.lineno:
            continue
        if code.own_lines(first) is None or code.own_lines(last) is None:
            continue
        said = f"{_shown(code.lines[node.lineno - 1].strip())} raises nothing"
        yield _Edit(code.start(first), code.end(last), b"pass", node.lineno, said)


def _wrong_operators(code: _Code) -> Iterator[_Edit]:
    for node in code.nodes(ast.BoolOp):
        assert isinstance(node, ast.BoolOp)
        if len(node.values) != 2:  # noqa: PLR2004 - a chain would need more than one edit
            continue
        old, new = (b"and", b"or") if isinstance(node.op, ast.And) else (b"or", b"and")
        edit = code.between(node.values[0], node.values[1], old, new)
        if edit is not None:
            yield edit


def _shared_defaults(code: _Code) -> Iterator[_Edit]:
    for node in code.nodes(ast.FunctionDef, ast.AsyncFunctionDef):
        arguments: ast.arguments = node.args  # type: ignore[attr-defined]
        made = dict(_made_where_none(node.body))  # type: ignore[attr-defined]
        positional = [*arguments.posonlyargs, *arguments.args]
        count = len(arguments.defaults)
        pairs = [
            *zip(positional[len(positional) - count :], arguments.defaults, strict=True),
            *zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True),
        ]
        for argument, default in pairs:
            if isinstance(default, ast.Constant) and default.value is None and argument.arg in made:
                said = f"all calls share the default of {argument.arg}"
                yield code.replace(default, made[argument.arg], said)


def _made_where_none(body: Sequence[ast.stmt]) -> Iterator[tuple[str, bytes]]:
    """Yield the names that get an empty container of their own where they are None."""
    for node in body:
        match node:
            case ast.If(
                test=ast.Compare(
                    left=ast.Name(id=name), ops=[ast.Is()], comparators=[ast.Constant(value=None)]
                ),
                body=[ast.Assign(targets=[ast.Name(id=target)], value=value)],
            ) if name == target:
                if isinstance(value, ast.List) and not value.elts:
                    yield name, b"[]"
                elif isinstance(value, ast.Dict) and not value.keys:
                    yield name, b"{}"


def _unsafe_calls(code: _Code) -> Iterator[_Edit]:
    for node in code.nodes(ast.Call):
        function: ast.expr = node.func  # type: ignore[attr-defined]
        name = ast.unparse(function) if isinstance(function, ast.Attribute) else ""
        if name in _UNSAFE:
            yield code.replace(function, _UNSAFE[name])


#: By their names, which are rules for the suites too.
RULES: dict[str, Rule] = {
    "removed-check": Rule(
        "a guard that raises, returns or goes on early is removed",
        "check|guard|valid|missing|unchecked|without|bound|none|empty",
        _removed_checks,
    ),
    "inverted-condition": Rule(
        "a condition says the opposite",
        "invert|condition|opposite|negat|wrong way|revers|logic",
        _inverted_conditions,
    ),
    "off-by-one": Rule(
        "a bound is one too far or too near",
        "off.by.one|bound|range|first|last|index|inclusive|exclusive|equal",
        _off_by_one,
    ),
    "swallowed-error": Rule(
        "a handler that raised passes in silence",
        "swallow|silent|ignor|except|pass|hid|lost error",
        _swallowed_errors,
    ),
    "wrong-operator": Rule(
        "`and` became `or`, or the other way round",
        "operator|condition|logic|boolean|\\bor\\b.*\\band\\b|\\band\\b.*\\bor\\b",
        _wrong_operators,
    ),
    "shared-default": Rule(
        "a default that each call made anew is shared by all calls",
        "mutable|default|share",
        _shared_defaults,
    ),
    "unsafe-call": Rule(
        "a safe call became an unsafe one, as `ast.literal_eval` became `eval`",
        "eval|unsafe|inject|md5|hash|race|escap|quot|insecure",
        _unsafe_calls,
    ),
}


def mutations(path: str, source: bytes, rules: Sequence[str]) -> list[Mutation]:
    """Return the defects that can be planted in a file, in its order.

    Raises:
        PlantingError: It is no Python, or not in UTF-8.
    """
    try:
        encoding, _ = tokenize.detect_encoding(io.BytesIO(source).readline)
        if encoding not in ("utf-8", "utf-8-sig"):
            raise PlantingError(f"{path}: is in {encoding}, not in UTF-8; leave it out")
        source.decode("utf-8")
        code = _Code(source)
    except (SyntaxError, ValueError, RecursionError) as error:
        raise PlantingError(f"{path}: cannot be read as Python: {error}") from None
    found = {}
    for rule in rules:
        for edit in RULES[rule].find(code):
            mutated = source[: edit.start] + edit.text + source[edit.end :]
            if mutated != source and _is_python(mutated):
                found[mutated] = Mutation(path, rule, edit.line, edit.words, mutated)
    return sorted(found.values(), key=lambda one: (one.line, one.rule, one.source))


def _is_python(source: bytes) -> bool:
    try:
        ast.parse(source)
    except (SyntaxError, ValueError):
        return False
    return True


def chosen(found: Sequence[Mutation], count: int, seed: int) -> list[Mutation]:
    """Return some of many, the same for the same seed: as many kinds and places as there are."""
    order = random.Random(seed)  # noqa: S311 - a choice, not a secret
    queues = []
    for _, same in groupby(sorted(found, key=lambda one: one.rule), key=lambda one: one.rule):
        queue = sorted(same, key=lambda one: (one.path, one.line, one.source))
        order.shuffle(queue)
        queues.append(queue)
    order.shuffle(queues)
    taken: list[Mutation] = []
    while len(taken) < count and any(queues):
        for queue in queues:
            # Two defects of one line are one thing to find.
            places = {(one.path, one.line) for one in taken}
            fresh = next((one for one in queue if (one.path, one.line) not in places), None)
            queue[:] = [one for one in queue if one is not fresh] if fresh is not None else []
            if fresh is not None and len(taken) < count:
                taken.append(fresh)
    return taken
