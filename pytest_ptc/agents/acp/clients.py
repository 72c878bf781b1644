"""The known clients: how each is started, what it reads, and what it must not read. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True, slots=True)
class Client:
    """A client that `--ptc-agent=acp:NAME` can name.

    In `environ`, `reading` and `files`, `{home}` is its own home, and in the first and the last
    `{login}` is the kind of its login.

    Args:
        name: Its name.
        argv: Its program and arguments; the program is looked up on PATH.
        install: The command that installs it.
        node: The oldest major version of Node that it runs on, by its package; 0 if it says none.
        login: The variables that have its key, each with the kind of login that it means.
        login_otherwise: The kind of login where none of them is set, and one of `login_files` is
            there if it has any.
        login_files: The files of its login, below the user's home; each is linked into its own.
        environ: Variables that it gets.
        writing: Variables for tasks that may do more than read.
        reading: Words behind its arguments for tasks that may run no command.
        json_environ: Variables that hold JSON, which is added to what the user has there.
        files: Files of its own home, as text or as what becomes JSON.
        model: The option that names the model; None for the next one.
        model_json: The variable of `json_environ` and its key that name the model.
        fallback: The variable of `json_environ`, its key, and the provider to name there, so that
            it does not take a model of that one where the right one cannot be had. A model that is
            asked for by the provider's name and a slash is meant.
        project_files: What would configure it in the text under review, and what it cannot be told
            to ignore: with one of these, no task is begun.
        own_home: Whether it gets a home of its own: not one whose login we do not know.
    """

    name: str
    argv: tuple[str, ...] = ()
    install: str = ""
    node: int = 0
    login: Mapping[str, str] = field(default_factory=dict)
    login_otherwise: str = ""
    login_files: tuple[str, ...] = ()
    environ: Mapping[str, str] = field(default_factory=dict)
    writing: Mapping[str, str] = field(default_factory=dict)
    reading: tuple[str, ...] = ()
    json_environ: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    files: Mapping[str, str | Mapping[str, Any]] = field(default_factory=dict)
    model: str | None = None
    model_json: tuple[str, str] | None = None
    fallback: tuple[str, str, str] | None = None
    project_files: tuple[str, ...] = ()
    own_home: bool = True


#: A name that no file has: instructions of the text under review are not read.
_NO_FILE = "none-of-the-text-under-review.md"
#: What is in a temporary directory some clients read without asking, whoever's it is.
_OWN_TMP = "{home}/tmp"

_CODEX = Client(
    name="codex",
    argv=("codex-acp",),
    install="npm install -g @agentclientprotocol/codex-acp",
    login={"CODEX_API_KEY": "api-key", "OPENAI_API_KEY": "api-key"},
    login_files=(".codex/auth.json",),
    environ={
        "CODEX_HOME": "{home}/.codex",
        # Below a temporary directory it does not put what its sandbox needs, and ours is below one.
        "TMPDIR": _OWN_TMP,
        "DEFAULT_AUTH_REQUEST": '{"methodId": "{login}"}',
        "NO_BROWSER": "1",
        # Its sandbox has the disk read-only, and no network.
        "INITIAL_AGENT_MODE": "read-only",
    },
    writing={"INITIAL_AGENT_MODE": "workspace-write"},
    json_environ={
        "CODEX_CONFIG": {
            "project_doc_max_bytes": 0,
            "web_search": "disabled",
            "history": {"persistence": "none"},
            "analytics": {"enabled": False},
            "check_for_update_on_startup": False,
            "features": {
                "apps": False,
                "browser_use": False,
                "computer_use": False,
                "goals": False,
                "hooks": False,
                "image_generation": False,
                "memories": False,
                "plugins": False,
            },
        }
    },
    model_json=("CODEX_CONFIG", "model"),
    # The adapter trusts every directory that it works in.
    project_files=(".codex",),
)
#: It asks for none of them: the second is denied in other words, the third runs commands that it
#: takes for harmless, whatever its policy.
_GEMINI_DENIED = ("google_web_search", "invoke_agent", "run_shell_command")


def _gemini_policy(tools: tuple[str, ...]) -> str:
    return f'[[rule]]\ntoolName = {list(tools)}\ndecision = "deny"\npriority = 999\n'


_GEMINI = Client(
    name="gemini",
    argv=("gemini", "--acp"),
    install="npm install -g @google/gemini-cli",
    node=20,
    login={"GEMINI_API_KEY": "gemini-api-key", "GOOGLE_API_KEY": "vertex-ai"},
    login_otherwise="oauth-personal",
    login_files=(".gemini/oauth_creds.json", ".gemini/google_accounts.json"),
    environ={
        "GEMINI_CLI_HOME": "{home}",
        # It connects to a server of tools in trusted directories alone.
        "GEMINI_CLI_TRUST_WORKSPACE": "true",
        "GEMINI_CLI_NO_RELAUNCH": "true",
    },
    # In place of the policies of its home.
    reading=("--policy", "{home}/.gemini/reading.toml"),
    files={
        # The user's: the system's it takes from root alone.
        ".gemini/settings.json": {
            "security": {"auth": {"selectedType": "{login}"}, "disableYoloMode": True},
            "general": {"enableAutoUpdate": False, "enableAutoUpdateNotification": False},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "advanced": {"ignoreLocalEnv": True},
            # Files of its own name are read beside the one named here.
            "context": {"fileName": _NO_FILE},
            "mcp": {"allowed": ["ptc"]},
            "hooksConfig": {"enabled": False},
            "skills": {"enabled": False},
        },
        ".gemini/policies/any.toml": _gemini_policy(_GEMINI_DENIED[:2]),
        ".gemini/reading.toml": _gemini_policy(_GEMINI_DENIED),
    },
    model="--model",
    project_files=(".gemini", "GEMINI.md"),
)
_COPILOT = Client(
    name="copilot",
    argv=(
        *("copilot", "--acp", "--disable-builtin-mcps", "--no-custom-instructions"),
        *("--no-auto-update", "--no-ask-user", "--no-remote-export"),
    ),
    install="npm install -g @github/copilot",
    login={
        "COPILOT_GITHUB_TOKEN": "",
        "GH_TOKEN": "",
        "GITHUB_TOKEN": "",
        "COPILOT_PROVIDER_API_KEY": "",
    },
    login_files=(".copilot/config.json", ".config/gh/hosts.yml"),
    environ={
        "COPILOT_HOME": "{home}/.copilot",
        "COPILOT_ALLOW_ALL": "false",
        "TMPDIR": _OWN_TMP,
    },
    model="--model",
    project_files=(
        *(".github/hooks", ".github/mcp.json", ".mcp.json", ".vscode/mcp.json", ".copilot"),
        # As a server it reads instructions in spite of `--no-custom-instructions`.
        *(".github/copilot-instructions.md", ".github/instructions"),
        *("AGENTS.md", "CLAUDE.md", "GEMINI.md"),
    ),
)
_QWEN = Client(
    name="qwen",
    argv=("qwen", "--acp", "--auth-type", "openai"),
    install="npm install -g @qwen-code/qwen-code",
    node=20,
    login={"OPENAI_API_KEY": "openai"},
    login_otherwise="openai",
    environ={
        "QWEN_CODE_SYSTEM_SETTINGS_PATH": "{home}/.qwen/system.json",
        "TMPDIR": _OWN_TMP,
    },
    files={
        ".qwen/system.json": {
            "security": {"auth": {"selectedType": "{login}"}},
            "general": {"disableAutoUpdate": True, "enableAutoUpdate": False},
            "privacy": {"usageStatisticsEnabled": False},
            "telemetry": {"enabled": False},
            "context": {"fileName": _NO_FILE},
            "mcp": {"allowed": ["ptc"]},
            "disableAllHooks": True,
            # It would run commands that it takes for harmless.
            "permissions": {"ask": ["Bash", "Monitor"]},
            # With the first, a model has to ask for our tool first. The second one's agents write
            # files without asking.
            "tools": {"exclude": ["tool_search", "agent"]},
        }
    },
    model="--model",
    project_files=(".qwen", ".env"),
)
_OPENCODE = Client(
    name="opencode",
    argv=("opencode", "acp"),
    install="npm install -g opencode-ai",
    login=dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "OPENROUTER_API_KEY"), ""),
    login_files=(".local/share/opencode/auth.json",),
    environ={
        "XDG_CONFIG_HOME": "{home}/.config",
        "XDG_DATA_HOME": "{home}/.local/share",
        "XDG_STATE_HOME": "{home}/.local/state",
        "XDG_CACHE_HOME": "{home}/.cache",
        "OPENCODE_DISABLE_PROJECT_CONFIG": "1",
        "OPENCODE_DISABLE_CLAUDE_CODE": "1",
        "OPENCODE_DISABLE_EXTERNAL_SKILLS": "1",
        "OPENCODE_DISABLE_DEFAULT_PLUGINS": "1",
        "OPENCODE_DISABLE_AUTOUPDATE": "1",
        "OPENCODE_DISABLE_MODELS_FETCH": "1",
        "OPENCODE_DISABLE_LSP_DOWNLOAD": "1",
        "OPENCODE_DISABLE_SHARE": "1",
    },
    json_environ={
        "OPENCODE_CONFIG_CONTENT": {
            "autoupdate": False,
            "share": "disabled",
            "snapshot": False,
            # No request for a title that nobody sees.
            "agent": {"title": {"disable": True}},
            # By default it asks for nothing that is in the directory.
            "permission": {
                # Reading, too: it does not see where a link leads.
                "*": "ask",
                "ptc_record_verdict": "allow",
                # An agent of its agent's asks where nobody hears it, and waits.
                "task": "deny",
            },
        }
    },
    model_json=("OPENCODE_CONFIG_CONTENT", "model"),
    # Free models of its own, to which it would send the text under review.
    fallback=("OPENCODE_CONFIG_CONTENT", "disabled_providers", "opencode"),
    # Plugins there are loaded, whatever it is told of the project's configuration.
    project_files=(".opencode", "opencode.json", "opencode.jsonc"),
)

#: The known clients.
CLIENTS = (_CODEX, _GEMINI, _COPILOT, _QWEN, _OPENCODE)
#: Any other one, by `ptc_acp_command`: we do not know its login, so it keeps the user's home.
OTHER = Client(name="", own_home=False)


def client_named(name: str) -> Client:
    """Return the client of this name; the other one if it is empty."""
    return next(client for client in (*CLIENTS, OTHER) if client.name == name)


def client_argv(
    client: Client, argv: tuple[str, ...], model: str | None, *, runs: bool
) -> tuple[str, ...]:
    """Return the words to start it for some tasks.

    Args:
        client: The client.
        argv: Its program and arguments, looked up.
        model: Their model; None for its default.
        runs: Whether they may run some command.
    """
    asked = () if model is None or client.model is None else (client.model, model)
    return (*argv, *asked, *(() if runs else client.reading))


def with_ours(
    client: Client, name: str, given: Mapping[str, Any], model: str | None
) -> dict[str, Any]:
    """Return the JSON of one of its variables, with what the table adds.

    Args:
        client: The client.
        name: The variable.
        given: What the user has there.
        model: The model; None for its default.
    """
    added = dict(client.json_environ[name])
    if client.model_json is not None and client.model_json[0] == name:
        key = client.model_json[1]
        if model is not None:
            added[key] = model
        model = added.get(key, given.get(key))
    if client.fallback is not None and client.fallback[0] == name:
        _, key, provider = client.fallback
        if not str(model or "").startswith(f"{provider}/"):
            added[key] = [provider]
    return merged(given, added)


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return two JSON objects as one; of what both have, the second one's counts."""
    both = dict(under)
    for name, value in over.items():
        below = both.get(name)
        nested = isinstance(value, dict) and isinstance(below, dict)
        both[name] = merged(below, value) if nested else value  # type: ignore[arg-type]
    return both
