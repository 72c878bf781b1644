"""An agent that is a program: it reads one file and fails it for every call of eval()."""

import json
import os
import pathlib

path = json.loads(os.environ["PTC_PARAMS"])["path"]
findings = [
    {"severity": "high", "message": "eval() runs any text as code", "path": path, "line": number}
    for number, line in enumerate(pathlib.Path(path).read_text().splitlines(), start=1)
    if "eval(" in line
]
verdict = {
    "verdict": "fail" if findings else "pass",
    "summary": f"{path}: {len(findings)} call(s) of eval()",
    "findings": findings,
}
print(json.dumps(verdict))
