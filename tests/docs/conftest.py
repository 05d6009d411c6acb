"""What the tests of the documents share."""

import pytest

from newcomer import Newcomer


@pytest.fixture
def newcomer(tmp_path):
    newcomer = Newcomer(tmp_path)
    yield newcomer
    newcomer.leaves()
