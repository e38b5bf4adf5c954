"""Folders of images to fit on and to measure on, and what comes out."""

import pytest
from image_folders import make_two_sets

from skensir.comparison.measure import compare_sets
from skensir.image import ReferenceSet


@pytest.fixture(scope="package")
def folders(tmp_path_factory):
    return make_two_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture(scope="package")
def compared(folders):
    return compare_sets(*map(ReferenceSet, folders), trees=False)
