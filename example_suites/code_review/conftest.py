"""The repository whose pull requests are reviewed."""

from pathlib import Path

import pytest
from releases import make_repository


@pytest.fixture(scope="session")
def repository(pytestconfig: pytest.Config) -> Path:
    """Return the repository, which is made once and kept in pytest's cache."""
    cache = pytestconfig.cache
    if cache is None:
        pytest.fail("the repository is kept in pytest's cache: leave out -p no:cacheprovider")
    return make_repository(Path(cache.mkdir("code_review")))
