"""libtmux's own plugin, in projects that merely have us installed."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.support.runs import until

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.support.suite import Suite

OF_LIBTMUX = "def test_it(session): assert type(session).__module__ == 'libtmux.session'\n"


@pytest.fixture(params=["pytest-ptc", pytest.param("libtmux", marks=pytest.mark.slow)])
def first(
    request: pytest.FixtureRequest,
    tmp_path_factory: pytest.TempPathFactory,
    monkeypatch: pytest.MonkeyPatch,
) -> str:
    """Have the plugin of one of the two loaded first, and return which.

    In a real environment that is as the file system has their entries.
    """
    folder = tmp_path_factory.mktemp("first")
    metadata = Path(str(distribution(request.param)._path))  # type: ignore[attr-defined]
    (folder / metadata.name).symlink_to(metadata)
    monkeypatch.setenv("PYTHONPATH", f"{folder}:{os.environ.get('PYTHONPATH', '')}".rstrip(":"))
    return str(request.param)


def run(suite: Suite, *args: str) -> pytest.RunResult:
    """Run pytest in the suite's folder, in a process of its own and with all plugins."""
    return suite.pytester.run(sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *args)


@pytest.mark.usefixtures("first")
def test_a_project_that_did_not_ask_for_them_has_no_fixtures_of_libtmux(suite: Suite) -> None:
    """A name that the project does not have is an error there, as without us."""
    suite.write(test_a=OF_LIBTMUX)
    result = run(suite)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E*fixture 'session' not found"])


@pytest.mark.usefixtures("first")
def test_fixtures_of_the_project_are_the_projects(suite: Suite) -> None:
    """Also those that another plugin of the project brings."""
    (suite.path / "ours.py").write_text(
        "import pytest\n@pytest.fixture\ndef session(server):\n    return [*server, 'session']\n"
        "@pytest.fixture\ndef server():\n    return ['server']\n"
    )
    suite.write(test_a="def test_it(session): assert session == ['server', 'session']\n")
    run(suite, "-p", "ours").assert_outcomes(passed=1)


@pytest.mark.parametrize(
    "asked",
    [
        ["-p", "libtmux"],
        *(
            pytest.param(asked, marks=pytest.mark.slow)
            for asked in (["-o", "required_plugins=libtmux"], ["-n1", "-p", "libtmux"])
        ),
    ],
    ids=" ".join,
)
@pytest.mark.usefixtures("first")
def test_who_asks_for_the_fixtures_has_them(suite: Suite, asked: list[str]) -> None:
    """On the command line or in the ini file, and in workers of pytest-xdist, too."""
    suite.write(test_a=OF_LIBTMUX)
    run(suite, *asked).assert_outcomes(passed=1)


@pytest.mark.usefixtures("first")
@pytest.mark.slow
def test_a_conftest_that_names_the_module_has_them(suite: Suite) -> None:
    """As pytest has it for every plugin."""
    (suite.path / "conftest.py").write_text("pytest_plugins = ['libtmux.pytest_plugin']\n")
    suite.write(test_a=OF_LIBTMUX)
    run(suite).assert_outcomes(passed=1)


@contextlib.contextmanager
def looking(suite: Suite) -> Iterator[Path]:
    """Have `pytest -f` look at the suite; the value is the file of what it prints."""
    output = suite.path / "looponfail.log"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "pytest", "-f", "-p", "no:cacheprovider", "test_a.py"],
            cwd=suite.path,
            stdout=file,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield output
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.mark.parametrize("first", ["pytest-ptc"], indirect=True)
@pytest.mark.usefixtures("first")
def test_looponfail_of_xdist_works_where_ours_is_loaded_first(suite: Suite) -> None:
    """The import of libtmux's plugin, which breaks it, does not come about.

    Where libtmux's is loaded first, it is imported before anybody can keep it from that, and
    `-p no:libtmux` is not heard there: see `docs/guides/marking.md`.
    """
    suite.write(test_a="import sys\ndef test_it(): assert 'libtmux' in sys.modules, 'it is not'\n")
    with looking(suite) as output:
        until(lambda: "waiting for changes" in output.read_text(), "a run of -f", 60)
    text = output.read_text()
    assert "LOOPONFAILING" in text
    assert "it is not" in text
    assert "PluginImportFailure" not in text
