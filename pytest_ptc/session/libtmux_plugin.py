"""libtmux's own plugin for pytest, which is installed wherever we are.

It has fixtures named `server`, `session` and `config_file`, and its import takes longer than ours.
A project that has pytest-ptc has not asked for that, so it is left out unless somebody names it.

Every pytest run on the machine imports this.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pytest

#: The plugin's entry point.
NAME = "libtmux"


def leave_out_libtmux(pluginmanager: pytest.PytestPluginManager) -> None:
    """Block libtmux's plugin, and take it out if it was loaded before ours.

    Entry points are loaded in the order of the directory that they are installed in, so either can
    be the first. What is blocked is the entry point: whoever names the module,
    `libtmux.pytest_plugin`, gets it.
    """
    config = pluginmanager.getplugin("pytestconfig")
    if config is None or _is_asked_for(config):
        return
    if pluginmanager.hasplugin(NAME):
        from pytest_ptc.system.pytest_internals import forget_plugin  # noqa: PLC0415 - else not needed

        forget_plugin(pluginmanager, NAME)
    else:
        pluginmanager.set_blocked(NAME)


def _is_asked_for(config: pytest.Config) -> bool:
    # In a worker of pytest-xdist what stood behind `-p` is among the options alone.
    named = [*config.known_args_namespace.plugins, *getattr(config.option, "plugins", ())]
    return NAME in named or NAME in " ".join(config.getini("required_plugins"))
