"""The environment variables that say something of a run."""

from __future__ import annotations

import pytest

from pytest_ptc.model.variables import is_true


@pytest.mark.parametrize(
    ("value", "true"),
    [(None, False), ("", False), ("0", False), ("False", False), ("true", True), ("1", True)],
)
def test_a_variable_is_true_as_ci_systems_have_it(value: str | None, true: bool) -> None:
    """GitHub and GitLab set `CI=true`; people unset it in many ways."""
    assert is_true(value) is true
