import pytest


@pytest.mark.ptc("Look for notes in {path}.")
@pytest.mark.parametrize("path", ["done.txt", "open.txt"])
def test_notes(path):
    pass
