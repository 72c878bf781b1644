"""An agent that is a program: it processes a file, tests an endpoint, or reviews a branch."""

import json
import os
import pathlib
import subprocess

import api


def process(path):
    """Look for samples without a number."""
    lines = pathlib.Path(path).read_text().splitlines()
    findings = [
        {"severity": "medium", "path": path, "line": number, "message": "no number"}
        for number, line in enumerate(lines, start=1)
        if not line.split()[-1].isdigit()
    ]
    summary = f"{len(findings)} of {len(lines)} samples broken"
    return findings, summary if findings else f"{len(lines)} samples, all complete"


def examine(endpoint):
    """Send one request of each method."""
    statuses = {method: api.request(method, endpoint) for method in api.METHODS}
    findings = [
        {"severity": "high", "message": f"{method} answers {status}"}
        for method, status in statuses.items()
        if status >= api.DEFECT
    ]
    told = ", ".join(f"{method} {status}" for method, status in statuses.items())
    return findings, told


def review(_number):
    """Read what a branch adds."""
    diff = ["git", "diff", "--unified=0", "main...HEAD"]
    changes = subprocess.run(diff, capture_output=True, text=True, check=True).stdout
    added = [line for line in changes.splitlines() if line.startswith("+") and line[1:2] != "+"]
    findings = [
        {"severity": "critical", "path": "shop.py", "message": "eval() runs any text as code"}
        for line in added
        if "eval(" in line
    ]
    return findings, f"{len(added)} of its lines are new"


kinds = {"each": process, "path": process, "endpoint": examine, "pr": review}
params = json.loads(os.environ["PTC_PARAMS"])
kind, value = next((name, value) for name, value in params.items() if name in kinds)
findings, summary = kinds[kind](value)
verdict = {
    "verdict": "fail" if findings else "pass",
    "summary": summary,
    "findings": findings,
    "data": {"findings": len(findings)},
}
print(json.dumps(verdict))
