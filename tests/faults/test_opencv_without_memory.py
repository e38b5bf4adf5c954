"""OpenCV has errors of one class for all that goes wrong; a lack of memory is a MemoryError."""

import cv2
import numpy as np
import pytest
from commands import assert_one_sentence, run
from image_folders import make_folder

from skensir.comparison.layers import scene_data
from skensir.image import read_image, structural_similarity, write_image

IMAGE = np.random.default_rng(0).integers(0, 256, (20, 24, 3), np.uint8)
SCENE = {
    "target": IMAGE,
    "images": {"A": IMAGE},
    "weight_maps": {},
    "data_range": 255,
}
NO_MEMORY = cv2.error("Failed to allocate 42 bytes")
NO_MEMORY.code = -4
OTHER = cv2.error("(-215:Assertion failed)")
OTHER.code = -215


def fail(monkeypatch, name, error):
    def raise_it(*_, **__):
        raise error

    monkeypatch.setattr(cv2, name, raise_it)


@pytest.mark.parametrize("error", [NO_MEMORY, cv2.error("std::bad_alloc")])
@pytest.mark.parametrize("name", ["sepFilter2D", "imencode", "imdecode", "cvtColor"])
def test_a_lack_of_memory_is_told_as_such(tmp_path, monkeypatch, error, name):
    path = tmp_path / "image.png"
    write_image(path, IMAGE)
    fail(monkeypatch, name, error)
    tasks = {
        "sepFilter2D": [lambda: structural_similarity(IMAGE, IMAGE)],
        "imencode": [
            lambda: write_image(tmp_path / "new.png", IMAGE),
            lambda: scene_data(["A"], None, SCENE),
        ],
        "imdecode": [lambda: read_image(path)],
        "cvtColor": [lambda: read_image(path), lambda: scene_data(["A"], None, SCENE)],
    }
    for task in tasks[name]:
        with pytest.raises(MemoryError):
            task()


def test_other_errors_stay_what_they_are(tmp_path, monkeypatch):
    fail(monkeypatch, "sepFilter2D", OTHER)
    with pytest.raises(cv2.error, match="Assertion"):
        structural_similarity(IMAGE, IMAGE)
    fail(monkeypatch, "imencode", OTHER)
    with pytest.raises(ValueError, match=r"cannot be written as \.png"):
        write_image(tmp_path / "new.png", IMAGE)


def test_no_report_has_a_picture_that_could_not_be_made(monkeypatch):
    """Of no bytes, it would be the smallest."""
    usual = cv2.imencode

    def encode(suffix, *options):
        return usual(suffix, *options) if suffix == ".png" else (False, np.zeros(0, np.uint8))

    monkeypatch.setattr(cv2, "imencode", encode)
    with pytest.raises(MemoryError, match="20 x 24"):
        scene_data(["A"], None, SCENE)


def test_a_command_says_so_in_one_sentence(tmp_path, monkeypatch, capfd):
    make_folder(tmp_path / "train")
    monkeypatch.chdir(tmp_path)
    fail(monkeypatch, "sepFilter2D", NO_MEMORY)
    assert run("evaluate", "train/alpha", "train/gt", "--no-perceptual") == 2
    assert_one_sentence(capfd, "There is not enough memory for what the files hold")
