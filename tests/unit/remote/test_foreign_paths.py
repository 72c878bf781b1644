"""Which paths in a task's texts lead to something that nodes do not have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from pytest_ptc.model.errors import ConfigError
from pytest_ptc.model.task import TaskSpec
from pytest_ptc.remote.code import Code
from pytest_ptc.remote.foreign_paths import is_of_the_system, refuse_foreign_paths
from tests.support.repository import Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def app(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Code, Path]]:
    """A project with ignored files, and what lies beside it."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HOME", str(home))
        repo = Repository(home / "app")
        ignores = "*.log\nbuilt/\n.env\nTODO\nnode_modules/\n"
        names = ("src/a.py", "docs/guide.md", "data/x.csv")
        repo.commit("all", **{".gitignore": ignores, **dict.fromkeys(names, "x")})
        for name in ("x.log", "built/gen/y.py", ".env", "TODO", "node_modules/z.js", "src/new.py"):
            repo.write(name, "x")
        repo.write("data/big.log", "x")
        (home / "other").mkdir()
        (home / "other" / "file.txt").write_text("x")
        (home / "link").symlink_to(repo.top)
        (repo.top / "out").symlink_to(home / "other")
        code = Code(repo.top, max_mb=20)
        code.take([spec_of(repo.top)])
        yield code, home


def spec_of(cwd: Path | str, **more: Any) -> TaskSpec:
    """Return a task."""
    return TaskSpec(**{"nodeid": "t.py::t", "prompt": "Do.", "timeout": 1, "cwd": str(cwd), **more})


def problem(app: tuple[Code, Path], text: str, field: str = "prompt", **more: Any) -> str | None:
    """Return what is said of a task that has this text, `{home}` filled in."""
    code, home = app
    filled = text.replace("{home}", str(home))
    value: Any = filled
    if field in ("params", "env"):
        value = {"x": filled}
    elif field.startswith("sandbox"):
        value = (filled,)
    try:
        refuse_foreign_paths([spec_of(code.root, **{field: value}, **more)], code)
    except ConfigError as error:
        return str(error)
    return None


@pytest.mark.parametrize("field", ["prompt", "params", "env", "sandbox_read", "sandbox_write"])
@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{home}/other/file.txt", "is outside of what is sent to nodes; put it below"),
        ("{home}/other", "is outside"),
        ("~/other/file.txt", "is outside"),
        ("{home}", "is outside"),
        (
            "{home}/app/.env",
            "as git ignores it, or as it is newer than what was sent; have git take it",
        ),
        ("{home}/app/built", "as git ignores it"),
        (".env", "as git ignores it"),
        ("data/big.log", "as git ignores it"),
        ("built/gen", "as git ignores it"),
        ("../other/file.txt", "is outside"),
        ("out/file.txt", "leads out of what is sent to nodes"),
        ("{home}/link/src/a.py", "name it by that"),
        ("data/*.log", "data/big.log is not sent"),
        ("built/**/*.py", "as git ignores it"),
    ],
)
def test_what_nodes_do_not_have_is_refused(
    app: tuple[Code, Path], field: str, text: str, says: str
) -> None:
    """With the test, the field, the path and the fix, in prose and alone."""
    for shown in [text] if field != "prompt" else [f"See `{text}`.", f"{text}\nand more"]:
        said = problem(app, shown, field)
        assert said is not None
        assert said.startswith(
            "t.py::t: " + field.replace("params", "params['x']").replace("env", "env['x']")
        )
        assert says in said
        assert "ptc_dask_code=shared" in said or "by that" in said


@pytest.mark.parametrize(
    "text",
    [
        *("{home}/app/src/a.py", "{home}/app", "src/a.py:12", "docs", "src/new.py", "/src/a.py"),
        *("{home}/nothing", "{home}/app/nothing.py", "/api/users", "~5 items", "data/*.csv"),
        *("/usr/bin/python3", "/etc/passwd", "/dev/null", "/tmp", "/home", "/", "/bin/sh"),
        *("/usr/local/bin", "/proc/self", "**/*.py", "*.nothing", ".git/config", "..", "."),
        *("GET /", "http://localhost:8000/tmp", "and/or", "a.b.c"),
    ],
)
@pytest.mark.parametrize("field", ["prompt", "params", "env"])
def test_what_nodes_have_is_not_refused(app: tuple[Code, Path], field: str, text: str) -> None:
    """What is sent, what a system has, and what is not there at all."""
    assert problem(app, text, field) is None


@pytest.mark.parametrize(
    "text",
    [
        "Leave `built/` and node_modules/ alone.",
        "Ignore web/node_modules/ and ./built.",
        "Resolve each TODO. The build is built.",
        "Look above, in ../ or in ..",
    ],
)
def test_a_word_of_a_prompt_may_be_a_word(app: tuple[Code, Path], text: str) -> None:
    """Though something of that name is there."""
    assert problem(app, text) is None


@pytest.mark.parametrize("text", ["TODO", "built", "node_modules"])
def test_a_whole_text_is_no_word(app: tuple[Code, Path], text: str) -> None:
    """A parameter that is the name of an ignored directory means it."""
    assert problem(app, text, "params") is not None


def test_parameters_are_looked_into(app: tuple[Code, Path]) -> None:
    """At any depth, the names too; the message says where."""
    code, home = app
    params = {"a": [{"b": f"{home}/other"}], "c": {f"{home}/app/.env": 1}}
    with pytest.raises(ConfigError) as caught:
        refuse_foreign_paths([spec_of(code.root, params=params)], code)
    assert "params['a'][0]['b']: " in str(caught.value)
    assert "params['c']: " in str(caught.value)


def test_in_a_worktree_only_an_absolute_name_leads_elsewhere(app: tuple[Code, Path]) -> None:
    """Relative ones are of the commit."""
    isolated = {"isolation": "worktree", "ref": "HEAD"}
    assert problem(app, "Read .env and x.log", **isolated) is None
    assert problem(app, "Read {home}/app/.env", **isolated) is not None


def test_findings_are_written_there(app: tuple[Code, Path]) -> None:
    """A file of an earlier run says nothing; one elsewhere does."""
    assert problem(app, "sarif:x.log", "findings") is None
    assert "findings: " in str(problem(app, "sarif:{home}/other/file.txt", "findings"))


def test_texts_for_all_tasks_are_looked_at(app: tuple[Code, Path]) -> None:
    """They have no test; what this run writes itself is no matter."""
    code, home = app
    with pytest.raises(ConfigError, match=r"^ptc_env: .*file\.txt is outside"):
        refuse_foreign_paths([], code, more={"ptc_env": [f"{home}/other/file.txt"]})
    ours = [f"{home}/other/file.txt"]
    refuse_foreign_paths([], code, more={"ptc_env": ours}, ours=lambda path: path in ours)


def test_many_problems_are_counted(app: tuple[Code, Path]) -> None:
    """One error says all it has room for."""
    code, home = app
    specs = [
        spec_of(code.root, nodeid=f"t{number}", prompt=f"{home}/other") for number in range(15)
    ]
    with pytest.raises(ConfigError) as caught:
        refuse_foreign_paths(specs, code)
    lines = str(caught.value).splitlines()
    assert len(lines) == 11
    assert lines[-1] == "and 5 more"


@pytest.mark.parametrize(
    ("path", "found"),
    [
        *((path, True) for path in ("/", "/usr", "/usr/local/x", "/etc/hosts", "/tmp", "/var/tmp")),
        *((path, False) for path in ("/tmp/x", "/home/u", "/opt/x", "/data", "/usrx", "/var/x")),
    ],
)
def test_a_system_has_what_the_standard_says(path: str, *, found: bool) -> None:
    """And not what people put there."""
    assert is_of_the_system(path) is found
