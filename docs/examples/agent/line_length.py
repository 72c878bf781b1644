"""An agent in Python: it fails files with lines of more than 72 characters."""

from pathlib import Path

from pytest_ptc import Finding, Severity, Verdict, VerdictKind

LONGEST = 72


class LineLengthAgent:
    """One instance lives as long as its worker, and does one task at a time."""

    name = "line-length"

    async def prepare(self, spec):
        """Get ready for a task like this one."""

    async def run(self, job):
        """Do the job, and return a verdict or a trouble."""
        path = job.spec.params["path"]
        lines = Path(job.spec.cwd, path).read_text(encoding="utf-8").splitlines()
        findings = tuple(
            Finding(severity=Severity.LOW, message="line too long", path=path, line=number)
            for number, line in enumerate(lines, start=1)
            if len(line) > LONGEST
        )
        job.show(f"{path}: {len(lines)} lines")
        kind = VerdictKind.FAIL if findings else VerdictKind.PASS
        return Verdict(verdict=kind, summary=f"{len(findings)} long lines", findings=findings)

    async def close(self):
        """End what is kept between tasks: nothing."""


def make(launch, environ):
    """Return the agent, in the worker's process."""
    return LineLengthAgent()
