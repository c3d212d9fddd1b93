"""A tiny random base, made once."""

import pytest

from fairhuman.models import tiny_pipeline


@pytest.fixture(scope="session")
def base(tmp_path_factory):
    """Folder of a tiny pipeline."""
    folder = tmp_path_factory.mktemp("base")
    tiny_pipeline(seed=0).save_pretrained(folder)
    return folder
