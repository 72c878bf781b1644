"""What the fixture `ptc_coordinator` is: tasks that a test gives to agents itself."""

from __future__ import annotations

from itertools import count
from typing import TYPE_CHECKING, Any, NamedTuple

from pytest_ptc.collection.keywords import KEYWORDS, checked_keywords
from pytest_ptc.collection.marker import checked_prompt
from pytest_ptc.collection.task_specs import task_spec
from pytest_ptc.model.errors import MarkerError
from pytest_ptc.session.promises import Promise
from pytest_ptc.text.template import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from concurrent.futures import Future
    from pathlib import Path

    from pytest_ptc.model.result import Result
    from pytest_ptc.model.settings import Settings
    from pytest_ptc.model.task import TaskSpec
    from pytest_ptc.model.verdict import Verdict
    from pytest_ptc.session.promises import Promises


class Submitter(NamedTuple):
    """Who submits a task.

    Args:
        name: The name of the running test's task, or of the session.
        source: The file that the test comes from, as in `TaskSpec`.
        owner: The test, which must ask what became of it; None for a fixture that outlives it.
    """

    name: str
    source: str = ""
    owner: object | None = None


class PtcCoordinator:
    """The run's coordinator, as tests use it."""

    def __init__(
        self,
        *,
        settings: Settings,
        rootpath: Path,
        submitter: Callable[[], Submitter],
        submit: Callable[[TaskSpec], Future[Result]],
        general_timeout: float | None,
        promises: Promises,
    ) -> None:
        self._settings = settings
        self._rootpath = rootpath
        self._submitter = submitter
        self._submit = submit
        self._general_timeout = general_timeout
        self._promises = promises
        #: Each test counts its own, so that its tasks have the same names in the next run.
        self._numbers: dict[str, count[int]] = {}

    def submit(
        self, prompt: str, params: Mapping[str, Any] | None = None, /, **options: Any
    ) -> Future[Verdict]:
        """Give a task to an agent and return a future of its verdict.

        Somebody has to ask for its `result`: a test that does not is an error.

        Args:
            prompt: What the agent should do; `{name}` is filled from `params`.
            params: Values for the prompt, and the agent's parameters.
            options: The marker's keywords, but for `needs` and `gate`: the test judges itself.

        Raises:
            MarkerError: The prompt or an option cannot be used. The future raises TaskError if the
                task ends without a verdict.
        """
        submitter = self._submitter()
        number = next(self._numbers.setdefault(submitter.name, count(1)))
        name = f"{submitter.name}::submit[{number}]"
        promise = Promise(name, submitter.owner)
        task = self._submit(self._spec(name, submitter.source, prompt, dict(params or {}), options))
        self._promises.add(promise)
        task.add_done_callback(lambda ended: promise.fulfil(ended.result()))
        return promise

    def map(
        self, prompt: str, each: Iterable[Mapping[str, Any]], /, **options: Any
    ) -> Iterator[Verdict]:
        """Give one task for each set of parameters, all at once; return the verdicts in order.

        Raises:
            MarkerError: As `submit`.
            TaskError: On reaching a task that ended without a verdict.
        """
        futures = [self.submit(prompt, params, **options) for params in each]
        return (future.result() for future in futures)

    def _spec(
        self,
        name: str,
        source: str,
        prompt: object,
        params: dict[str, Any],
        options: dict[str, Any],
    ) -> TaskSpec:
        text = checked_prompt(name, prompt)
        for field in fields_of(text):
            if field not in params:
                raise MarkerError(name, f"{{{field}}}", "has no value; give it in params")
        for keyword in options:
            if keyword in KEYWORDS and not KEYWORDS[keyword].in_submit:
                raise MarkerError(name, keyword, "has no meaning here: the test judges itself")
        return task_spec(
            self._settings,
            nodeid=name,
            source=source,
            prompt=text,
            params=params,
            keywords=checked_keywords(name, options, self._rootpath),
            rootpath=self._rootpath,
            general_timeout=self._general_timeout,
        )
