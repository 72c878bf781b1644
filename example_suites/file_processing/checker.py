"""A checker without a model: what Python's own parser can say of a file.

It imports little, so that five hundred files cost little more than five hundred starts of Python.
"""

import ast
import json
import os
import sys

Finding = dict[str, object]


def findings_of(path: str, tree: ast.Module) -> list[Finding]:
    """Return what is wrong with a module."""
    found = []
    if ast.get_docstring(tree) is None:
        message = "The module does not say what it is for."
        found.append(finding("medium", path, 1, "no-docstring", message))
    for node in ast.walk(tree):
        if isinstance(node, ast.ExceptHandler) and node.type is None:
            found.append(finding("medium", path, node.lineno, "bare-except", "It catches all."))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            message = f"All calls of {node.name} share this default."
            found += [
                finding("high", path, default.lineno, "shared-default", message)
                for default in [*node.args.defaults, *filter(None, node.args.kw_defaults)]
                if isinstance(default, ast.List | ast.Dict | ast.Set)
            ]
    return found


def finding(severity: str, path: str, line: int, rule: str, message: str) -> Finding:
    """Return a finding in the form of a verdict's."""
    return {
        "severity": severity,
        "path": path,
        "line": line,
        "rule": rule,
        "message": message,
    }


def verdict_on(path: str) -> dict[str, object]:
    """Return the verdict on a file."""
    with open(path, "rb") as file:  # noqa: PTH123 - pathlib would double the start of this program
        source = file.read()
    try:
        tree = ast.parse(source, path)
    except (SyntaxError, ValueError) as error:
        broken = finding("critical", path, getattr(error, "lineno", 1) or 1, "syntax", str(error))
        return {"verdict": "fail", "summary": "It is not Python.", "findings": [broken]}
    found = findings_of(path, tree)
    return {
        "verdict": "fail" if found else "pass",
        "summary": f"{len(found)} findings in {source.count(10) + 1} lines.",
        "findings": found,
        "data": {"lines": source.count(10) + 1},
    }


if __name__ == "__main__":
    sys.stdin.read()
    print(json.dumps(verdict_on(json.loads(os.environ["PTC_PARAMS"])["path"])))
