"""What a user does about each cause, for the table in the documentation."""

from __future__ import annotations

from types import MappingProxyType

from pytest_ptc.model.trouble import Cause

_LIMITS = "the task is too large for its limits: divide it, or raise the limit"
_REFUSED = "the API refuses this key or this account; the message has its words and the fix"
_CLIENT = "this Claude Code cannot record on the run's list; no request was sent to the model"

WHAT_TO_DO = MappingProxyType(
    {
        Cause.NO_VERDICT: (
            "the agent ended without a verdict: no JSON object on its last line and no "
            "`ptc record`; read the attempt's `output.log`"
        ),
        Cause.MALFORMED: (
            "the message names the field; a verdict is refused, never repaired. "
            "`it said fail: not tried again`: its fail was malformed or in the wrong place, and "
            "the message quotes it; correct the form that the agent writes"
        ),
        Cause.CONTRADICTED: (
            "it recorded a pass and then failed, or recorded two different things; read "
            "`records.jsonl`"
        ),
        Cause.AGENT_MISSING: "install the program that the message names, or correct its name",
        Cause.AGENT_FAILED: "read the last lines of its output; `retries` makes another attempt",
        Cause.CLIENT_VERSION: f"{_CLIENT}; install the version that the message names",
        Cause.NO_TASK_TOOLS: f"{_CLIENT}; the message says what is missing",
        Cause.WRONG_LIST: f"{_CLIENT}; the message says which list it has",
        Cause.SESSION: "a client of agent `acp` begins no session; the message has its words",
        Cause.RECORDER: (
            "a client of agent `acp` never asked for the tool that records: its settings, or a "
            "policy, forbid MCP servers over HTTP"
        ),
        Cause.PROTOCOL: "a client of agent `acp` breaks its protocol; install another version",
        Cause.PROJECT_SETTINGS: (
            "the text under review would configure its reviewer: remove the file that the message "
            "names, or say that it may with `ptc_setting_sources = project`"
        ),
        Cause.CANCELLED: (
            "a client of agent `acp` cancelled its turn by itself; `retries` makes another attempt"
        ),
        Cause.PERMISSION_MODE: (
            "Claude Code refuses to start in this mode; choose another, or say that this is a "
            "sandbox"
        ),
        Cause.DIALOG: "Claude Code asks something at its start; the message says what to answer",
        Cause.LOGIN: _REFUSED,
        Cause.QUOTA: _REFUSED,
        Cause.RATE_LIMIT: (
            "the API refused for longer than the task's timeout; use fewer workers, or a longer "
            "`timeout`"
        ),
        Cause.OVERLOADED: "the API was overloaded for longer than the task's timeout; try later",
        Cause.API: "the API broke down; `retries` makes another attempt",
        Cause.MODEL: "the API does not know this model; correct `model` or `--ptc-model`",
        Cause.CONTEXT: _LIMITS,
        Cause.REFUSAL: "the model declined the task; change the prompt",
        Cause.MAX_TURNS: _LIMITS,
        Cause.BUDGET: _LIMITS,
        Cause.NO_AGREEMENT: (
            "neither a pass nor a fail has the quorum; the message has each vote. Read them, or "
            "take more votes"
        ),
        Cause.DECIDED: "a vote that was not cast, since the others had decided; nothing to do",
        Cause.NO_EVIDENCE: (
            "the agent passed without a tool call, where evidence is required; `retries` makes "
            "another attempt"
        ),
        Cause.TIMEOUT: (
            "the attempt took longer than `timeout` and was ended with everything it started; read "
            "its last lines"
        ),
        Cause.RUN_TIMEOUT: (
            "the tasks together took longer than `--ptc-run-timeout`; what was recorded by then "
            "counts; go on with `--ptc-resume`"
        ),
        Cause.WORKER_LOST: (
            "something killed the worker, or its node is lost, which the message names; "
            "`retries=1` makes another attempt"
        ),
        Cause.NO_WORKERS: (
            "workers die faster than they are replaced, no node of the cluster is fit, or the "
            "cluster is gone; the message says which, and how the last one ended; read "
            "`workers/*/` in the journal"
        ),
        Cause.CLAIM_LOST: (
            "another session took, completed or deleted this task on the shared list; give the run "
            "a list of its own"
        ),
        Cause.WORKTREE: (
            "git could not make the task's worktree, something would be missing in it, or the "
            "task's directory leads out of it; the message says what. "
            "`names a file of the root directory`: nobody can tell whose file an argument of "
            "`ptc_command` is in a worktree; write `{rootpath}/...` or `{cwd}/...`"
        ),
        Cause.NEEDS: "a task that it needs did not pass; look at that one",
        Cause.TASK_STOPPED: "somebody ended it with `ptc stop RUN ITEM`; run it with `ptc rerun`",
        Cause.STOPPED: "the run ended before this task began; go on with `--ptc-resume`",
        Cause.MACHINERY: "a defect or a full disk; the message says what; read the journal",
    }
)
