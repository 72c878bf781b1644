"""From a test's keywords and the settings of the run to a complete task."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.keywords import KEYWORDS
from pytest_ptc.collection.task_directory import DirectoryError, task_directory
from pytest_ptc.collection.timeouts import DEFAULT_TIMEOUT_S
from pytest_ptc.collection.value_types import GROUP
from pytest_ptc.model.errors import GitError, MarkerError
from pytest_ptc.model.panel import needed_passes
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.system.git.command import git
from pytest_ptc.system.git.commits import name_problem, resolve
from pytest_ptc.system.git.diffs import diff, fork
from pytest_ptc.text.template import fill

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from pytest_ptc.model.self_test import SelfTest
    from pytest_ptc.model.settings import Settings


def task_spec(
    settings: Settings,
    *,
    nodeid: str,
    source: str,
    prompt: str,
    params: Mapping[str, Any],
    keywords: Mapping[str, Any],
    rootpath: Path,
    general_timeout: float | None = None,
    trusted: Collection[str] = (),
    self_test: SelfTest | None = None,
) -> TaskSpec:
    """Return a task with every default of the settings applied where `keywords` is silent.

    Args:
        settings: What the user asked of the run.
        nodeid: The node id.
        source: The file that the test comes from, as `TaskSpec` has it.
        prompt: The prompt, not filled.
        params: What it, and keywords that have fields, are filled from.
        keywords: The marker's keywords, checked.
        rootpath: Pytest's root directory, which directories are named from.
        general_timeout: Pytest-timeout's limit for every test of the run, in seconds.
        trusted: The names in `params` whose values come from session fixtures.
        self_test: What it tests of the judge; None for nothing.

    Raises:
        MarkerError: What was filled in names no directory, no commit, or no group.
    """
    values = {**_defaults(settings, general_timeout), **keywords}
    # Before it is filled: where its text may lead depends on what is filled in.
    directory = values.pop("cwd", None) or "."
    try:
        cwd = task_directory(directory, rootpath, params, trusted)
    except DirectoryError as error:
        raise MarkerError(nodeid, "cwd", str(error)) from error
    for name, value in values.items():
        if KEYWORDS[name].has_fields:
            values[name] = fill(value, params)
    if "group" in values:
        values["group"] = _group(nodeid, keywords["group"], values["group"])
    if self_test is not None:
        # Its verdict alone decides, whatever else the project's tests do.
        values["gate"] = True
        rate = settings.min_catch if self_test.kind == "canary" else settings.max_false_alarm
        self_test = replace(self_test, tolerated=bool(rate))
    values["env"] = settings.variables | values.get("env", {})
    values["votes"] = _votes(nodeid, values)
    for name in ("sandbox_read", "sandbox_write"):
        values[name] = _places(nodeid, name, values[name], rootpath)
    spec = TaskSpec(
        nodeid=nodeid,
        source=source,
        prompt=fill(prompt, params),
        params={name: plain(value) for name, value in params.items()},
        cwd=cwd,
        on_skip=settings.skip_means,
        self_test=self_test,
        **values,
    )
    return _at_commits(spec, own_base="base" in keywords)


def _defaults(settings: Settings, general_timeout: float | None) -> dict[str, Any]:
    """Return the keywords that the settings set; for the others, the task has defaults."""
    values = {
        name: getattr(settings, keyword.setting)
        for name, keyword in KEYWORDS.items()
        # A suite's variables are added to, and not replaced.
        if keyword.setting is not None and name != "env"
    }
    timeout = values.pop("timeout") or general_timeout or DEFAULT_TIMEOUT_S
    return {
        "timeout": timeout,
        **{name: value for name, value in values.items() if value is not None},
    }


def _group(nodeid: str, given: str, filled: str) -> str:
    if (problem := GROUP.problem(filled)) is not None:
        raise MarkerError(nodeid, "group", f"{problem}; it is {given!r} with its fields filled")
    return str(GROUP.converted(filled))


def _places(nodeid: str, field: str, names: Collection[str], rootpath: Path) -> tuple[str, ...]:
    """Return files and directories that are there, as absolute paths."""
    places = tuple(os.path.normpath(rootpath / Path(name).expanduser()) for name in names)
    for name, place in zip(names, places, strict=True):
        if not os.path.exists(place):  # noqa: PTH110
            raise MarkerError(nodeid, field, f"{name!r}: there is no {place}; make it first")
        if os.path.realpath(place) == "/":
            raise MarkerError(nodeid, field, f"{name!r} is all there is; name what is needed")
    return places


def _votes(nodeid: str, values: Mapping[str, Any]) -> int:
    """Return how many votes there are; the quorum and the voters must fit them."""
    voters = values["voters"]
    votes: int = values.get("votes", max(1, len(voters)))
    if votes < len(voters):
        problem = f"{len(voters)} voters for {votes} votes; give votes={len(voters)}"
        raise MarkerError(nodeid, "voters", problem)
    try:
        needed_passes(values["quorum"], votes)
    except ValueError as error:
        raise MarkerError(nodeid, "quorum", f"{error}, not {values['quorum']!r}") from None
    return votes


def _at_commits(spec: TaskSpec, *, own_base: bool) -> TaskSpec:
    """Return the task with its commits in full: what they name must not change under the run.

    Args:
        spec: The task.
        own_base: Whether its test says `base` itself.
    """
    if spec.gate_on != "all" and spec.base is None:
        problem = (
            f"{spec.gate_on!r} needs base, the commit or branch that the change is against; add "
            "base='main' or the like, or set it for all tests by ptc_base"
        )
        raise MarkerError(spec.nodeid, "gate_on", problem)
    if spec.isolation is None:
        return _in_working_tree(spec, own_base=own_base)
    _check_repository(spec, "isolation", "a worktree")
    ref = _commit(spec, "ref", "HEAD" if spec.ref is None else spec.ref)
    base = None if spec.base is None else _commit(spec, "base", spec.base)
    if base is not None:
        try:
            # Before anything is paid for: what does not fit into the prompt is told now.
            diff(spec.cwd, base, ref)
        except GitError as error:
            raise MarkerError(spec.nodeid, "base", str(error)) from error
    return replace(spec, ref=ref, base=base)


def _in_working_tree(spec: TaskSpec, *, own_base: bool) -> TaskSpec:
    """Return a task without a worktree: its base is where HEAD has left the one that it names."""
    if spec.ref is not None:
        raise MarkerError(spec.nodeid, "ref", "has no effect without isolation='worktree'")
    if spec.base is None:
        return spec
    if spec.gate_on == "all":
        if own_base:
            problem = "has no effect without isolation='worktree' or gate_on"
            raise MarkerError(spec.nodeid, "base", problem)
        return replace(spec, base=None)
    _check_repository(spec, "gate_on", f"gate_on={spec.gate_on!r}")
    base, head = _commit(spec, "base", spec.base), _commit(spec, "base", "HEAD")
    try:
        return replace(spec, base=fork(spec.cwd, base, head))
    except GitError as error:
        raise MarkerError(spec.nodeid, "base", str(error)) from error


def _check_repository(spec: TaskSpec, field: str, what: str) -> None:
    try:
        # Before the names are: where there is no repository, that is what is wrong.
        git(spec.cwd, "rev-parse", "--show-toplevel")
    except GitError as error:
        problem = f"{error}; {what} needs a git repository around {spec.cwd}"
        raise MarkerError(spec.nodeid, field, problem) from error


def _commit(spec: TaskSpec, field: str, name: str) -> str:
    try:
        return resolve(spec.cwd, name)
    except GitError as error:
        problem = str(error)
        if name_problem(name) is None:
            problem += f"; name a commit or branch of the repository in {spec.cwd}"
        raise MarkerError(spec.nodeid, field, problem) from error


def plain(value: Any) -> Any:
    """Return the value as plain JSON; what JSON cannot hold becomes its text."""
    try:
        return json.loads(json.dumps(value, allow_nan=False))
    except (TypeError, ValueError, RecursionError):
        return str(value)
