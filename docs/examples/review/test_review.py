import pytest

import pytest_ptc


@pytest.mark.ptc
@pytest.mark.parametrize("path", pytest_ptc.files("src/**/*.py"))
def test_review(path):
    """Review {path} for security. Fail on any high or critical finding."""
