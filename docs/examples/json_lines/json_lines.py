"""An agent for a program that prints what it does as JSON, one object a line.

The program gets its prompt on standard input. These of its lines say something:

    {"type": "text", "text": "..."}      what it says; the last line of that is the verdict
    {"type": "tool", "name": "Read"}     it has used a tool
    {"type": "usage", "input_tokens": 1200, "output_tokens": 80, "cost_usd": 0.004}

For a program with other events, change `Events`.
"""

import json
import math

from pytest_ptc.agents.instructions import program_prompt
from pytest_ptc.agents.printed import Printed
from pytest_ptc.agents.program import Programs
from pytest_ptc.agents.program_verdict import program_verdict
from pytest_ptc.model.result import Usage


class JsonLinesAgent:
    """Runs the program once for each task."""

    name = "json-lines"

    def __init__(self, programs, argv):
        self.programs = programs
        self.argv = argv

    async def prepare(self, spec):
        """Do nothing: the program starts with its task."""

    async def run(self, job):
        """Run the program, and return a verdict or a trouble."""
        prompt = program_prompt(job)
        printed = Printed(job.journal, job.spec.schema, prompt)
        events = Events(job, printed)
        return await program_verdict(
            self.programs, job, self.argv, prompt, printed, reader=events, show=events.show
        )

    async def close(self):
        """Do nothing: the program ends with its task."""


class Events:
    """What one program prints, while it does one job."""

    def __init__(self, job, printed):
        self.job = job
        self.printed = printed
        self.tool_calls = 0
        job.tool_calls(0)

    def take(self, stream, lines):
        """Take lines of `stdout` or `stderr`, as they are read."""
        for line in lines:
            event = event_of(line) if stream == "stdout" else None
            if event is None:
                # No event: a traceback, a warning. It is no verdict, but a fail in it counts.
                self.printed.take("stderr", [line])
            elif event["type"] == "text":
                # On disk before anything else is done.
                self.printed.take("stdout", text_of(event).encode().splitlines())
            elif event["type"] == "tool":
                self.tool_calls += 1
                self.job.tool_calls(self.tool_calls)
            elif event["type"] == "usage":
                self.job.spent(usage_of(event))

    def end(self):
        """Take note that there is no further line."""
        self.printed.end()

    def show(self, line):
        """Show a line to whoever watches the worker's pane."""
        event = event_of(line.encode())
        if event is None:
            self.job.show(line)
        elif event["type"] == "text":
            for text in text_of(event).splitlines():
                self.job.show(text)
        elif event["type"] == "tool":
            self.job.show(f"> {event.get('name')}")


def event_of(line):
    """Return the event of a line; None if it is none."""
    try:
        event = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return event if isinstance(event, dict) and isinstance(event.get("type"), str) else None


def text_of(event):
    """Return what the program says; half an emoji, which no file can hold, is replaced."""
    return str(event.get("text")).encode("utf-8", "replace").decode()


def usage_of(event):
    """Return what a request cost; tokens alone where the program does not tell the money."""
    counts = [event.get(name) for name in ("input_tokens", "output_tokens")]
    tokens = [count if isinstance(count, int) and count > 0 else 0 for count in counts]
    cost = event.get("cost_usd")
    known = isinstance(cost, int | float) and math.isfinite(cost) and cost >= 0
    return Usage(
        input_tokens=tokens[0], output_tokens=tokens[1], cost_usd=float(cost) if known else None
    )


def make(launch, environ):
    """Return the agent, in the worker's process."""
    return JsonLinesAgent(Programs(launch, environ), launch.agent.argv)
