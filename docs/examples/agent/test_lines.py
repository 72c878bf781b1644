import pytest


@pytest.mark.ptc("Check the lines of {path}.")
@pytest.mark.parametrize("path", ["poem.txt", "prose.txt"])
def test_lines(path):
    pass
