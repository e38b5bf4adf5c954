"""Folders that the commands work on."""

import pytest
from image_folders import make_folder


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folders(in_tmp_path):
    return make_folder(in_tmp_path / "train"), make_folder(in_tmp_path / "test", seed=1)
