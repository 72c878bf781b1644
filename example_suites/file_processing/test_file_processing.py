"""Every file of a pattern, each checked by an agent."""

import os

import pytest

from pytest_ptc import Verdict, files

#: Which files: the samples of this folder, or what a reader names from here.
PATTERN = os.environ.get("FILES", "samples/*.py")


@pytest.mark.ptc
@pytest.mark.parametrize("path", files(PATTERN))
def test_file(path: str, ptc: Verdict) -> None:
    """Read the Python file {path}, and judge whether it can be merged.

    Fail it for any of these, with a finding for each place: it is not Python (critical, rule
    syntax); a function has a list, a dict or a set as a default, which all its calls share (high,
    rule shared-default); a bare except catches everything (medium, rule bare-except); the module
    does not say what it is for (medium, rule no-docstring). Otherwise it passes. In data, put the
    number of its lines as "lines".
    """
    assert ptc.data["lines"] > 0, f"{path} is empty"
