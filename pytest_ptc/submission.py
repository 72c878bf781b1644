"""What the fixture `ptc_coordinator` is: tasks that a test gives to agents itself."""

from __future__ import annotations

from concurrent.futures import Future
from itertools import count
from typing import TYPE_CHECKING, Any

from pytest_ptc.errors import MarkerError, PtcError
from pytest_ptc.markers import checked_options, checked_prompt, task_spec
from pytest_ptc.prompts import fields_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from pathlib import Path

    from pytest_ptc.model import Result, TaskSpec, Trouble, Verdict
    from pytest_ptc.options import Settings


class TaskError(PtcError):
    """A submitted task ended without a verdict; `trouble` says why."""

    def __init__(self, trouble: Trouble) -> None:
        super().__init__(str(trouble))
        self.trouble = trouble


class PtcCoordinator:
    """The run's coordinator, as tests use it."""

    def __init__(
        self,
        *,
        settings: Settings,
        rootpath: Path,
        current: Callable[[], str],
        submit: Callable[[TaskSpec], Future[Result]],
        general_timeout: float | None,
    ) -> None:
        self._settings = settings
        self._rootpath = rootpath
        self._current = current
        self._submit = submit
        self._general_timeout = general_timeout
        #: Each test counts its own, so that its tasks have the same names in the next run.
        self._numbers: dict[str, count[int]] = {}

    def submit(
        self, prompt: str, params: Mapping[str, Any] | None = None, /, **options: Any
    ) -> Future[Verdict]:
        """Give a task to an agent and return a future of its verdict.

        Args:
            prompt: What the agent should do; `{name}` is filled from `params`.
            params: Values for the prompt, and the agent's parameters.
            options: The marker's keywords, but for `needs` and `gate`: the test judges itself.

        Raises:
            MarkerError: The prompt or an option cannot be used. The future raises TaskError if the
                task ends without a verdict.
        """
        current = self._current()
        number = next(self._numbers.setdefault(current, count(1)))
        name = f"{current}::submit[{number}]"
        future: Future[Verdict] = Future()
        future.set_running_or_notify_cancel()

        def done(ended: Future[Result]) -> None:
            result = ended.result()
            if result.verdict is not None:
                future.set_result(result.verdict)
            elif result.trouble is not None:
                future.set_exception(TaskError(result.trouble))

        self._submit(self._spec(name, prompt, dict(params or {}), options)).add_done_callback(done)
        return future

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
        self, name: str, prompt: object, params: dict[str, Any], options: dict[str, Any]
    ) -> TaskSpec:
        text = checked_prompt(name, prompt)
        for field in fields_of(text):
            if field not in params:
                raise MarkerError(name, f"{{{field}}}", "has no value; give it in params")
        for keyword in ("needs", "gate"):
            if keyword in options:
                raise MarkerError(name, keyword, "has no meaning here: the test judges itself")
        return task_spec(
            self._settings,
            nodeid=name,
            prompt=text,
            params=params,
            options=checked_options(name, options, self._rootpath),
            rootpath=self._rootpath,
            general_timeout=self._general_timeout,
        )
