"""The import of claude-agent-sdk: without what it needs for tool servers, and with it if need be.

Each case is a Python process of its own: what it is about is the state of the import system.
"""

from __future__ import annotations

import subprocess
import sys

import pytest

BEGIN = """
import contextlib, sys
from pytest_ptc.agents.claude import sdk

def mcp():
    return sorted(name for name in sys.modules if name.partition(".")[0] in ("mcp", "jsonschema"))

def intact():
    assert not [f for f in sys.meta_path if isinstance(f, sdk._PlaceholderFinder)], sys.meta_path
    import mcp.types
    assert "content" in mcp.types.CallToolResult.model_fields
    import jsonschema
    assert not jsonschema.Draft202012Validator({"type": "string"}).is_valid(1)
    assert type(mcp) is type(jsonschema) is type(sys)
"""

PLACEHOLDERS = """
module = sdk.load()
assert module is sys.modules["claude_agent_sdk"]
assert isinstance(module.ClaudeSDKClient, type)
options = module.ClaudeAgentOptions(tools=["Read"], hooks={"Stop": [module.HookMatcher()]})
assert isinstance(module.ClaudeSDKClient(options), module.ClaudeSDKClient)
assert issubclass(module.CLINotFoundError, module.ClaudeSDKError)
assert not mcp(), mcp()
intact()
assert sdk.load() is module
"""

# The SDK is half imported by then.
FAILING_WITHIN = """
plain = sdk._PlaceholderModule.__getattr__
def fail(self, name):
    if name.startswith("__"):
        return plain(self, name)
    raise RuntimeError(f"no placeholder for {name}")
sdk._PlaceholderModule.__getattr__ = fail
"""

FAILING_AFTER = """
whole = sdk._placeholders
@contextlib.contextmanager
def fail():
    with whole():
        yield
        assert "claude_agent_sdk" in sys.modules
        raise RuntimeError("the placeholders do not bear that")
sdk._placeholders = fail
"""

FAILING = """
module = sdk.load()
assert module is sys.modules["claude_agent_sdk"]
assert isinstance(module.ClaudeSDKClient, type)
assert mcp()
assert not issubclass(sys.modules["mcp.types"].CallToolResult, sdk._Placeholder)
import claude_agent_sdk.types
assert claude_agent_sdk.types.ClaudeAgentOptions is module.ClaudeAgentOptions
intact()
"""

MCP_FIRST = """
import mcp.types
before = sys.modules["mcp"], mcp.types.CallToolResult
assert isinstance(sdk.load().ClaudeSDKClient, type)
assert (sys.modules["mcp"], mcp.types.CallToolResult) == before
intact()
"""

JSONSCHEMA_FIRST = """
import jsonschema
assert isinstance(sdk.load().ClaudeSDKClient, type)
assert sys.modules["jsonschema"] is jsonschema is sys.modules["claude_agent_sdk"].jsonschema
intact()
"""

MISSING = """
class Missing:
    def find_spec(self, name, path, target=None):
        if name.partition(".")[0] == "claude_agent_sdk":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Missing())
for _ in range(2):
    try:
        sdk.load()
    except ImportError as error:
        assert error.name == "claude_agent_sdk", error
    else:
        raise AssertionError("it was loaded")
assert not mcp(), mcp()
intact()
"""


@pytest.mark.parametrize(
    "program",
    [
        pytest.param(PLACEHOLDERS, id="placeholders"),
        pytest.param(MISSING, id="not-installed"),
        *(
            pytest.param(program, id=name, marks=pytest.mark.slow)
            for name, program in (
                ("placeholders-fail-within", FAILING_WITHIN + FAILING),
                ("placeholders-fail-after", FAILING_AFTER + FAILING),
                ("mcp-is-there-already", MCP_FIRST),
                ("jsonschema-is-there-already", JSONSCHEMA_FIRST),
            )
        ),
    ],
)
def test_the_sdk_is_imported_and_mcp_stays_what_it_is(program: str) -> None:
    """The SDK comes without MCP, or plainly, or not at all; whoever wants MCP gets the real one."""
    ended = subprocess.run(
        [sys.executable, "-W", "error", "-c", BEGIN + program],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
