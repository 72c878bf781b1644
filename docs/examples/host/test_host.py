import pytest


@pytest.mark.ptc("Read {path}.")
@pytest.mark.parametrize("path", ["test_host.py"])
def test_host(path):
    pass
