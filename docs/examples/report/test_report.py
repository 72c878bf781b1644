import pytest


@pytest.mark.ptc("Read {path}.")
@pytest.mark.parametrize("path", ["test_report.py"])
def test_report(path):
    pass
