"""A small data set on disk."""

import pytest
from people import write_folder


@pytest.fixture
def folder(tmp_path):
    """(path, metadata entries) of a data set of three images."""
    return tmp_path, write_folder(tmp_path)
