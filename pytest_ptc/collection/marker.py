"""The marker `ptc`: from a collected item to the task it asks for.

A marker may stand on the function, its class or its module, as marks do: the closest one that says
a keyword counts. What is wrong with a marker is told when the tests are collected, before anything
is started.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.collection.task_directory import DirectoryError, task_directory
from pytest_ptc.model.errors import GitError, MarkerError
from pytest_ptc.model.settings import FAIL_ON, ISOLATIONS, PERMISSION_MODES, Settings
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.commits import name_problem, resolve
from pytest_ptc.system.git.diffs import diff
from pytest_ptc.system.git.repositories import name_in_repository
from pytest_ptc.text.template import fields_of, fill
from pytest_ptc.verdicts.schemas import schema_problem

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Sequence

    import pytest


#: Seconds that an attempt may take where nobody says anything.
TIMEOUT = 600.0


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedTask:
    """What a marked item asks for, before session fixtures have filled the last fields.

    Args:
        nodeid: The item's node id.
        source: The file that it comes from, as `TaskSpec` has it.
        prompt: The prompt with its parameters not yet filled.
        params: The item's parameters.
        fixtures: The fields that a session fixture must fill, in order.
        options: The marker's keywords, checked and converted to `TaskSpec`'s types.
        rootpath: Pytest's root directory, which directories are named from.
        general_timeout: Pytest-timeout's limit for every test of the run, in seconds.
    """

    nodeid: str
    source: str
    prompt: str
    params: Mapping[str, Any]
    fixtures: tuple[str, ...]
    options: Mapping[str, Any]
    rootpath: Path
    general_timeout: float | None = None

    def preview(self) -> str:
        """Return the prompt, filled as far as that needs no fixture."""
        return fill(self.prompt, self.params)

    def spec(
        self, settings: Settings, fixtures: Mapping[str, Any], needs: Sequence[str] = ()
    ) -> TaskSpec:
        """Return the finished task; `fixtures` has a value for each of `self.fixtures`.

        Raises:
            MarkerError: What was filled in names no directory, or no commit.
        """
        values = {**self.params, **fixtures}
        return task_spec(
            settings,
            nodeid=self.nodeid,
            source=self.source,
            prompt=self.prompt,
            params=values,
            options={**self.options, "needs": tuple(needs)},
            rootpath=self.rootpath,
            general_timeout=self.general_timeout,
            trusted=fixtures.keys(),
        )


def task_spec(
    settings: Settings,
    *,
    nodeid: str,
    source: str,
    prompt: str,
    params: Mapping[str, Any],
    options: Mapping[str, Any],
    rootpath: Path,
    general_timeout: float | None = None,
    trusted: Collection[str] = (),
) -> TaskSpec:
    """Return a task with every default of the settings applied where `options` is silent.

    Args:
        settings: What the user asked of the run.
        nodeid: The node id.
        source: The file that the test comes from, as `TaskSpec` has it.
        prompt: The prompt, not filled.
        params: What it, and keywords that have fields, are filled from.
        options: The marker's keywords.
        rootpath: Pytest's root directory, which directories are named from.
        general_timeout: Pytest-timeout's limit for every test of the run, in seconds.
        trusted: The names in `params` whose values come from session fixtures.

    Raises:
        MarkerError: What was filled in names no directory, or no commit.
    """
    directory = options.get("cwd") or settings.cwd or "."
    filled = {name: fill(options[name], params) for name in FILLED & options.keys()}
    options = {**options, **filled}
    cwd = _directory(nodeid, directory, rootpath, params, trusted)
    defaults: dict[str, Any] = {
        "timeout": settings.timeout or general_timeout or TIMEOUT,
        "retries": settings.retries,
        "model": settings.model or None,
        "tools": settings.tools or None,
        "permission_mode": settings.permission_mode or None,
        "max_turns": settings.max_turns,
        "budget_usd": settings.task_budget_usd,
        "gate": settings.gate,
        "require_evidence": settings.require_evidence,
        "fail_on": settings.fail_on,
        "isolation": settings.isolation or None,
    }
    env = dict(entry.split("=", 1) for entry in settings.env) | options.get("env", {})
    spec = TaskSpec(
        nodeid=nodeid,
        source=source,
        prompt=fill(prompt, params),
        params={name: plain(value) for name, value in params.items()},
        cwd=cwd,
        env=env,
        on_skip=settings.skip_means,
        **{name: options.get(name, default) for name, default in defaults.items()},
        **{name: options[name] for name in ("needs", "schema", "ref", "base") if name in options},
    )
    return _at_commits(spec)


def read_marker(item: pytest.Item, settings: Settings, rootpath: Path) -> MarkedTask | None:
    """Return what the item asks for, or None if it is not marked.

    Raises:
        MarkerError: The marker or its prompt cannot be used.
    """
    marks = list(item.iter_markers("ptc"))
    if not marks:
        return None
    options: dict[str, Any] = {}
    for mark in reversed(marks):
        options.update(checked_options(item.nodeid, mark.kwargs, rootpath))
    own_limit = _marked_timeout(item)
    if own_limit is not None:
        options.setdefault("timeout", own_limit)
    _directory(item.nodeid, settings.cwd or ".", rootpath)
    prompt = _prompt(item, marks)
    callspec = getattr(item, "callspec", None)
    # An item of a Markdown file has no call to describe.
    params = dict(callspec.params if callspec is not None else getattr(item, "ptc_params", {}))
    return MarkedTask(
        nodeid=item.nodeid,
        source=name_in_repository(item.path),
        prompt=prompt,
        params=params,
        fixtures=tuple(name for name in _fields(prompt, options) if name not in params),
        options=options,
        rootpath=rootpath,
        general_timeout=general_timeout(item.config),
    )


def _fields(prompt: str, options: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of all fields, of the prompt and of the keywords that have some."""
    texts = [prompt, *(options[name] for name in sorted(FILLED & options.keys()))]
    return tuple(dict.fromkeys(name for text in texts for name in fields_of(text)))


def _at_commits(spec: TaskSpec) -> TaskSpec:
    """Return the task with its commits in full: what they name must not change under the run."""
    if spec.isolation is None:
        named = next((name for name in ("ref", "base") if getattr(spec, name) is not None), None)
        if named is not None:
            raise MarkerError(spec.nodeid, named, "has no meaning without isolation='worktree'")
        return spec
    try:
        # Before the names are: where there is no repository, that is what is wrong.
        git(spec.cwd, "rev-parse", "--show-toplevel")
    except GitError as error:
        problem = f"{error}; a worktree needs a git repository around {spec.cwd}"
        raise MarkerError(spec.nodeid, "isolation", problem) from error
    ref = _commit(spec, "ref", "HEAD" if spec.ref is None else spec.ref)
    base = None if spec.base is None else _commit(spec, "base", spec.base)
    if base is not None:
        try:
            # Before anything is paid for: what does not fit into the prompt is told now.
            diff(spec.cwd, base, ref)
        except GitError as error:
            raise MarkerError(spec.nodeid, "base", str(error)) from error
    return replace(spec, ref=ref, base=base)


def _commit(spec: TaskSpec, field: str, name: str) -> str:
    try:
        return resolve(spec.cwd, name)
    except GitError as error:
        problem = str(error)
        if name_problem(name) is None:
            problem += f"; name a commit or branch of the repository in {spec.cwd}"
        raise MarkerError(spec.nodeid, field, problem) from error


def _marked_timeout(item: pytest.Item) -> float | None:
    """Return the limit of pytest-timeout's marker; a test that has it means its agent's work.

    The time that pytest-timeout itself takes is that of the test's fixtures and body: an item runs
    when its verdict is there.
    """
    mark = item.get_closest_marker("timeout")
    if mark is None:
        return None
    value = mark.args[0] if mark.args else mark.kwargs.get("timeout")
    return _limit(value)


def general_timeout(config: pytest.Config) -> float | None:
    """Return pytest-timeout's limit for every test, as it finds it: option, environment, ini."""
    if not config.pluginmanager.hasplugin("timeout"):
        return None
    places = (config.getoption("timeout", None), os.environ.get("PYTEST_TIMEOUT"))
    said = next((value for value in places if value is not None), None)
    return _limit(config.getini("timeout") if said is None else said)


def _limit(value: object) -> float | None:
    """Return a limit in seconds; none where it is 0, or where pytest-timeout will refuse it."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return None
    return seconds if seconds > 0 else None


def _prompt(item: pytest.Item, marks: Sequence[pytest.Mark]) -> str:
    for mark in marks:
        if len(mark.args) > 1:
            raise MarkerError(item.nodeid, "ptc", "takes one positional argument, the prompt")
        if mark.args:
            return checked_prompt(item.nodeid, mark.args[0])
    doc = inspect.cleandoc(getattr(getattr(item, "obj", None), "__doc__", None) or "")
    if not doc:
        raise MarkerError(
            item.nodeid, "prompt", "give the marker a prompt, or the test a docstring that is one"
        )
    return doc


def checked_prompt(nodeid: str, prompt: object) -> str:
    """Return the prompt if it is a text that says something."""
    if not isinstance(prompt, str):
        raise MarkerError(nodeid, "prompt", f"must be a text, not {type(prompt).__name__}")
    if not prompt.strip():
        raise MarkerError(nodeid, "prompt", "is empty; write what the agent should do")
    return prompt


def checked_options(nodeid: str, given: Mapping[str, Any], rootpath: Path) -> dict[str, Any]:
    """Return the marker's keywords, each checked and converted.

    Raises:
        MarkerError: A keyword that is unknown or of the wrong type.
    """
    unknown = [name for name in given if name not in KEYWORDS]
    if unknown:
        raise MarkerError(nodeid, unknown[0], f"unknown keyword; known are {', '.join(KEYWORDS)}")
    options = {}
    for name, value in given.items():
        keyword = KEYWORDS[name]
        if not keyword.accepts(value):
            # A variable may be a secret: of its kind, and not of its value.
            shown = type(value).__name__ if name == "env" else f"{value!r:.80}"
            raise MarkerError(nodeid, name, f"must be {keyword.wanted}, not {shown}")
        options[name] = value if keyword.convert is None else keyword.convert(value)
    if "cwd" in options and not fields_of(options["cwd"]):
        options["cwd"] = _directory(nodeid, options["cwd"], rootpath)
    if "schema" in options:
        _check_schema(nodeid, options["schema"])
    return options


def plain(value: Any) -> Any:
    """Return the value as plain JSON; what JSON cannot hold becomes its text."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return str(value)


def _directory(
    nodeid: str,
    value: str,
    rootpath: Path,
    values: Mapping[str, Any] | None = None,
    trusted: Collection[str] = (),
) -> str:
    try:
        return task_directory(value, rootpath, values, trusted)
    except DirectoryError as error:
        raise MarkerError(nodeid, "cwd", str(error)) from error


def _check_schema(nodeid: str, schema: dict[str, Any]) -> None:
    problem = schema_problem(schema)
    if problem is not None:
        raise MarkerError(nodeid, "schema", problem)


def _is_text(value: object) -> bool:
    return isinstance(value, str) and bool(value) and "\0" not in value


def _is_ref(value: object) -> bool:
    # A name that begins so would be an option of git's.
    return _is_text(value) and not str(value).startswith("-")


def _is_whole(value: object, floor: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= floor


def _is_positive(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and value > 0


def _is_texts(value: object) -> bool:
    return _is_text(value) or (
        isinstance(value, list | tuple) and all(_is_text(entry) for entry in value)
    )


def _is_env(value: object) -> bool:
    return isinstance(value, Mapping) and all(
        _is_text(name) and "=" not in name and isinstance(entry, str) and "\0" not in entry
        for name, entry in value.items()
    )


def _is_schema(value: object) -> bool:
    return isinstance(value, Mapping) or hasattr(value, "model_json_schema")


def _texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def _schema(value: Any) -> dict[str, Any]:
    # Pydantic is recognised by its method, so that it need not be installed.
    return dict(value if isinstance(value, Mapping) else value.model_json_schema())


class Keyword(NamedTuple):
    """One keyword of the marker: what it accepts, in code and in words."""

    wanted: str
    accepts: Callable[[Any], bool]
    convert: Callable[[Any], Any] | None = None


#: Keywords whose fields are filled as the prompt's are.
FILLED = frozenset({"cwd", "ref", "base"})

KEYWORDS: Mapping[str, Keyword] = {
    "timeout": Keyword("a number of seconds above 0", _is_positive, float),
    "retries": Keyword("a whole number from 0", lambda value: _is_whole(value, 0)),
    "model": Keyword("a text", _is_text),
    "tools": Keyword("a text or a list of texts", _is_texts, _texts),
    "permission_mode": Keyword(
        f"one of {', '.join(PERMISSION_MODES)}", lambda value: value in PERMISSION_MODES
    ),
    "cwd": Keyword(
        "the path of a directory", lambda value: _is_text(value) or isinstance(value, Path), str
    ),
    "env": Keyword("a mapping of names to texts", _is_env, dict),
    "max_turns": Keyword("a whole number from 1", lambda value: _is_whole(value, 1)),
    "budget_usd": Keyword("a number of US dollars above 0", _is_positive, float),
    "schema": Keyword("a JSON Schema (a mapping) or a pydantic model", _is_schema, _schema),
    "needs": Keyword("the name of a test, or a list of names", _is_texts, _texts),
    "gate": Keyword("True or False", lambda value: isinstance(value, bool)),
    "require_evidence": Keyword("True or False", lambda value: isinstance(value, bool)),
    "isolation": Keyword(f"one of {', '.join(ISOLATIONS)}", lambda value: value in ISOLATIONS),
    "ref": Keyword("the name of a commit", _is_ref),
    "base": Keyword("the name of a commit", _is_ref),
    "fail_on": Keyword(f"one of {', '.join(FAIL_ON)}", lambda value: value in FAIL_ON),
}
