"""Every touch of what pytest does not document, each with its reason, in one place.

pytest has no public way to ask for a fixture before an item runs, to know an item's skip marks
before its set-up, or to leave a scope other than for the next item. The test suite runs each of
these on the oldest and the newest pytest supported.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from _pytest.config.findpaths import load_config_dict_from_file
from _pytest.outcomes import Failed
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path


#: What `pytest.fail` raises, as a class to derive from: type checkers know it under this name.
__all__ = ["Failed"]


def forget_plugin(pluginmanager: pytest.PytestPluginManager, name: str) -> None:
    """Block a plugin as if it had never been loaded.

    Blocking it is not enough: pytest collects fixtures of every plugin that was ever registered,
    for it has the registrations told to its manager of fixtures when that comes, later.
    """
    plugin = pluginmanager.getplugin(name)
    pluginmanager.set_blocked(name)
    history = getattr(pluginmanager.hook.pytest_plugin_registered, "_call_history", None) or []
    history[:] = [call for call in history if call[0].get("plugin") is not plugin]


def runs(item: pytest.Item) -> bool:
    """Tell whether the item's marks let it run; no agent is paid for an item that is skipped.

    The marks are pytest's own to judge: conditions may be texts that are evaluated.
    """
    try:
        if evaluate_skip_marks(item) is not None:
            return False
        xfail = evaluate_xfail_marks(item)
    except pytest.fail.Exception:
        # A broken condition: pytest reports it when the item is set up, without any agent.
        return False
    return xfail is None or xfail.run or bool(item.config.option.runxfail)


def must_fail(item: pytest.Item) -> bool:
    """Tell whether the item's marks expect it to fail, and do not let it pass."""
    if item.config.option.runxfail:
        return False
    try:
        xfail = evaluate_xfail_marks(item)
    except pytest.fail.Exception:
        return False  # a broken condition: pytest reports it
    return xfail is not None and bool(xfail.strict)


def ask_for(item: pytest.Item, names: Sequence[str]) -> None:
    """Have the item ask for these fixtures, before any that it asks for itself.

    Pytest sets up fixtures in the order of their names in that list.
    """
    fixture_names = getattr(item, "fixturenames", None)
    if fixture_names is not None:
        fixture_names[:0] = [name for name in names if name not in fixture_names]


def fixture_scope(item: pytest.Item, name: str) -> str | None:
    """Return the scope of the fixture that the item would get by this name, None if there is none.

    The manager of fixtures is the only one who knows the fixtures an item does not ask for.
    """
    manager = item.session._fixturemanager  # noqa: SLF001 - see above
    definitions = manager.getfixturedefs(name, item)
    return str(definitions[-1].scope) if definitions else None


def fixtures_needed(item: pytest.Item, names: Iterable[str]) -> dict[str, str]:
    """Return these fixtures of the item and all they take as arguments, with their modules."""
    manager = item.session._fixturemanager  # noqa: SLF001 - see above
    found: dict[str, str] = {}
    waiting = list(names)
    while waiting:
        name = waiting.pop()
        definitions = manager.getfixturedefs(name, item)
        if name not in found and definitions:
            found[name] = str(getattr(definitions[-1].func, "__module__", ""))
            waiting += definitions[-1].argnames
    return found


@contextlib.contextmanager
def asking_for(item: pytest.Item, name: str) -> Iterator[None]:
    """Have the item ask for a fixture within the block."""
    fixture_names = getattr(item, "fixturenames", [])
    if name in fixture_names:
        yield
        return
    fixture_names.append(name)
    try:
        yield
    finally:
        fixture_names.remove(name)


def session_fixtures(
    item: pytest.Item, names: Sequence[str], *, alone: bool = False
) -> dict[str, Any]:
    """Return the values of session-scoped fixtures before any item is set up.

    The item's other session-scoped fixtures are set up first, as pytest would do it: autouse ones
    may prepare what these need; not so if these are wanted `alone`. All are torn down as ever, at
    the end of the session; what one raises is raised here, and again by pytest for every item that
    asks for it.
    """
    if not names:
        return {}
    state = item.session._setupstate  # noqa: SLF001 - fixtures are only set up below active nodes
    request = item._request  # type: ignore[attr-defined]  # noqa: SLF001 - Function's own
    fixture_names = getattr(item, "fixturenames", ())
    first = [name for name in fixture_names if not alone and fixture_scope(item, name) == "session"]
    if item.session not in state.stack:
        state.setup(item.session)  # type: ignore[arg-type]  # the first node of every item's chain
    # Nothing can be added to the item itself: session fixtures reach no narrower scope.
    state.stack[item] = ([], None)
    try:
        return {name: request.getfixturevalue(name) for name in (*first, *names)}
    finally:
        del state.stack[item]


@contextlib.contextmanager
def captured(config: pytest.Config) -> Iterator[None]:
    """Keep what is printed in the block from the terminal, as pytest does while an item runs."""
    manager = config.pluginmanager.getplugin("capturemanager")
    if manager is None:
        yield
        return
    manager.resume_global_capture()
    try:
        yield
    finally:
        manager.suspend_global_capture()
        manager.read_global_capture()


def leave_scopes(session: pytest.Session, next_item: pytest.Item) -> None:
    """Tear down what is still set up and `next_item` is not within; raises what that raises.

    pytest does this for the item it was told would come next. We learn what comes next only when a
    verdict arrives, and an item that is done should not wait for that to be reported.
    """
    session._setupstate.teardown_exact(next_item)  # noqa: SLF001 - see above


def cache_dir_in(ini_file: Path) -> str | None:
    """Return what an ini file says of `cache_dir`, None if it does not, or cannot be read.

    Pytest reads ini files of four kinds, and gives that reading no public name.
    """
    try:
        value = (load_config_dict_from_file(ini_file) or {}).get("cache_dir")
    except (pytest.UsageError, OSError, ValueError):
        return None
    # Pytest 9 keeps with each value where it came from.
    value = getattr(value, "value", value)
    return value if isinstance(value, str) else None
