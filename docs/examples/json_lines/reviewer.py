"""A program that prints JSON lines: it fails files that have a word in them."""

import json
import os
import sys
from pathlib import Path


def tell(kind, **fields):
    """Print one event."""
    print(json.dumps({"type": kind, **fields}), flush=True)


params = json.loads(os.environ["PTC_PARAMS"])
sys.stdin.read()
tell("text", text=f"I look at {params['path']}.")
tell("tool", name="Read")
tell("usage", input_tokens=1200, output_tokens=80, cost_usd=0.004)
lines = Path(params["path"]).read_text(encoding="utf-8").splitlines()
findings = [
    {"severity": "low", "message": "a note left behind", "path": params["path"], "line": number}
    for number, line in enumerate(lines, start=1)
    if "TODO" in line
]
verdict = {
    "verdict": "fail" if findings else "pass",
    "summary": f"{len(findings)} notes",
    "findings": findings,
}
tell("text", text=f"Done.\n{json.dumps(verdict)}")
