"""The marker `ptc`: from a collected item to its task.

A marker may be on the function, its class or its module, as marks do: the closest one that sets
a keyword counts. Errors in markers are reported at collection, before anything is started.
"""

from __future__ import annotations

import inspect
import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_ptc.collection.keywords import checked_keywords, fields_in
from pytest_ptc.collection.self_test_marks import read_self_test, refuse_lone_test
from pytest_ptc.collection.task_directory import DirectoryError, task_directory
from pytest_ptc.collection.task_specs import task_spec
from pytest_ptc.collection.timeouts import general_timeout, marked_timeout
from pytest_ptc.model.errors import MarkerError
from pytest_ptc.system.git.repositories import name_in_repository
from pytest_ptc.text.command_fields import command_fields, shell_fields
from pytest_ptc.text.template import fields_of, fill

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import pytest

    from pytest_ptc.model.self_test import SelfTest
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec


@dataclass(frozen=True, kw_only=True, slots=True)
class MarkedTask:
    """The task of a marked item, before session fixtures have filled the last fields.

    Args:
        nodeid: The item's node id.
        source: The file that it comes from, as `TaskSpec` has it.
        prompt: The prompt with its parameters not yet filled.
        params: The item's parameters.
        fixtures: The fields that a session fixture must fill, in order.
        keywords: The marker's keywords, checked and converted to `TaskSpec`'s types.
        rootpath: Pytest's root directory, which directories are named from.
        general_timeout: Pytest-timeout's limit for every test of the run, in seconds.
        command_fields: Those of `fixtures` that only the agent's command names.
        self_test: What the item tests of the judge; None for nothing.
    """

    nodeid: str
    source: str
    prompt: str
    params: Mapping[str, Any]
    fixtures: tuple[str, ...]
    keywords: Mapping[str, Any]
    rootpath: Path
    general_timeout: float | None = None
    command_fields: tuple[str, ...] = ()
    self_test: SelfTest | None = None

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
        return task_spec(
            settings,
            nodeid=self.nodeid,
            source=self.source,
            prompt=self.prompt,
            params={**self.params, **fixtures},
            keywords={**self.keywords, "needs": tuple(needs)},
            rootpath=self.rootpath,
            general_timeout=self.general_timeout,
            trusted=fixtures.keys(),
            self_test=self.self_test,
        )


def read_marker(item: pytest.Item, settings: Settings, rootpath: Path) -> MarkedTask | None:
    """Return the item's task, or None if it is not marked.

    Raises:
        MarkerError: The marker or its prompt cannot be used.
    """
    marks = list(item.iter_markers("ptc"))
    if not marks:
        refuse_lone_test(item)
        return None
    keywords: dict[str, Any] = {}
    for mark in reversed(marks):
        keywords.update(checked_keywords(item.nodeid, mark.kwargs, rootpath))
    own_limit = marked_timeout(item)
    if own_limit is not None:
        keywords.setdefault("timeout", own_limit)
    try:
        task_directory(settings.cwd or ".", rootpath)
    except DirectoryError as error:
        raise MarkerError(item.nodeid, "cwd", str(error)) from error
    prompt = _prompt(item, marks)
    callspec = getattr(item, "callspec", None)
    # An item of a Markdown file has no call to describe.
    given = dict(callspec.params if callspec is not None else getattr(item, "ptc_params", {}))
    hidden = getattr(item, "ptc_hidden_params", ())
    params = {name: value for name, value in given.items() if name not in hidden}
    fields = dict.fromkeys([*fields_of(prompt), *fields_in(keywords)])
    in_command = [name for name in _command_fields(item, settings, params) if name not in fields]
    fields |= dict.fromkeys(in_command)
    return MarkedTask(
        nodeid=item.nodeid,
        source=name_in_repository(item.path),
        prompt=prompt,
        params=params,
        fixtures=tuple(name for name in fields if name not in params),
        keywords=keywords,
        rootpath=rootpath,
        general_timeout=general_timeout(item.config),
        command_fields=tuple(name for name in in_command if name not in params),
        self_test=read_self_test(item, given),
    )


def _command_fields(
    item: pytest.Item, settings: Settings, params: Mapping[str, Any]
) -> tuple[str, ...]:
    """Return the fields in the command of the run's agent, if it has one."""
    if settings.agent == "claude" or "{" not in settings.command:
        return ()
    try:
        argv = shlex.split(settings.command)
    except ValueError:
        return ()  # an error of the option, when the agent is configured
    for name in shell_fields(argv):
        if name in params or name == "base_url":
            raise MarkerError(
                item.nodeid,
                f"ptc_command field {{{name}}}",
                f"is in code for a shell, which would run what is in its value; write "
                f'"$1" there, and {{{name}}} as an argument: sh -c \'lint "$1"\' sh {{{name}}}',
            )
    return command_fields(argv)


def _prompt(item: pytest.Item, marks: Sequence[pytest.Mark]) -> str:
    for mark in marks:
        if len(mark.args) > 1:
            raise MarkerError(item.nodeid, "ptc", "takes one positional argument, the prompt")
        if mark.args:
            return checked_prompt(item.nodeid, mark.args[0])
    doc = inspect.cleandoc(getattr(getattr(item, "obj", None), "__doc__", None) or "")
    if not doc:
        raise MarkerError(
            item.nodeid, "prompt", "is missing; give the marker a prompt, or the test a docstring"
        )
    return doc


def checked_prompt(nodeid: str, prompt: object) -> str:
    """Return the prompt if it is a text and not blank."""
    if not isinstance(prompt, str):
        raise MarkerError(nodeid, "prompt", f"must be a text, not {type(prompt).__name__}")
    if not prompt.strip():
        raise MarkerError(nodeid, "prompt", "is empty; write what the agent should do")
    return prompt
