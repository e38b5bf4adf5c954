"""Which scenes and which parts a figure shows, and that the parts are those of the images."""

import numpy as np
import pytest
from image_folders import MODELS, make_folder
from skimage.metrics import peak_signal_noise_ratio as psnr_of

from skensir import EnsIRRegressor
from skensir.comparison.shown_scenes import (
    Box,
    Shown,
    result_of_ensemble,
    result_of_folder,
)
from skensir.image import ImageEnsemble, ReferenceSet, read_image, write_image

CONVENTION = {"channel": "rgb", "crop_border": 0}
SIZES = {"1": (40, 36), "2": (36, 48), "3": (44, 40), "4": (38, 38), "5": (60, 40)}


@pytest.fixture(scope="module")
def scenes(tmp_path_factory):
    return ReferenceSet(make_folder(tmp_path_factory.mktemp("scenes"), sizes=SIZES))


@pytest.fixture(scope="module")
def ensemble(scenes):
    order = ("gamma", "alpha")
    chosen = ReferenceSet(scenes.folder, order)
    return ImageEnsemble(EnsIRRegressor()).fit(chosen.predictions, chosen.targets)


def gains(scenes, ensemble):
    """Return what an ensemble of two of the models gains over the best of all, by scene."""
    found = {}
    for scene in scenes:
        [image] = ensemble.predict([scene.predictions[[2, 0]]])
        given = [psnr_of(scene.target, p, data_range=255) for p in scene.predictions]
        found[scene.name] = psnr_of(scene.target * 1.0, image, data_range=255) - max(given)
    return found


def test_scenes_are_those_of_the_largest_gain(scenes, ensemble):
    shown = Shown(scenes, [result_of_ensemble("E", ensemble, scenes.models)], CONVENTION)
    by_gain = gains(scenes, ensemble)
    expected = sorted(by_gain, key=by_gain.get)[-2:]
    assert shown.choose(2) == tuple(sorted(expected))
    assert shown.choose(5) == scenes.names


def test_without_results_they_are_those_where_models_differ(scenes):
    ranges = {}
    for scene in scenes:
        psnr = [psnr_of(scene.target, p, data_range=255) for p in scene.predictions]
        ranges[scene.name] = max(psnr) - min(psnr)
    assert Shown(scenes, [], CONVENTION).choose(1) == (max(ranges, key=ranges.get),)


def slow_box(difference, side, border):
    """Return the first of the squares in which a sum is largest."""
    height, width = difference.shape
    places = [
        (y, x)
        for y in range(border, height - border - side + 1)
        for x in range(border, width - border - side + 1)
    ]
    y, x = max(places, key=lambda p: difference[p[0] : p[0] + side, p[1] : p[1] + side].sum())
    return Box(x, y, side, side)


@pytest.mark.parametrize("border", [0, 3])
def test_boxes_are_what_a_search_over_all_squares_finds(scenes, ensemble, border):
    convention = {"channel": "rgb", "crop_border": border}
    result = result_of_ensemble("E", ensemble, scenes.models)
    [shown] = Shown(scenes, [result], convention).take(["2"], [])
    [scene] = scenes.subset(["2"])
    side = min(32, 36 - 2 * border)
    best = max(range(3), key=lambda m: psnr_of(scene.target, scene.predictions[m]))
    image = result.image_of(scene, None)
    difference = ((image - scene.predictions[best]) ** 2).mean(axis=2)
    assert shown.box == slow_box(difference, side, border)
    [shown] = Shown(scenes, [], convention).take(["2"], [])
    assert shown.box == slow_box(scene.predictions.var(axis=0).mean(axis=2), side, border)


def test_all_that_is_shown_is_of_the_same_part(scenes, ensemble):
    box = Box(5, 7, 20, 10)
    inside = np.s_[7:17, 5:25]
    result = result_of_ensemble("E", ensemble, scenes.models)
    rows = list(Shown(scenes, [result], CONVENTION).take(["3", "1"], [box], weights=True))
    assert [row.name for row in rows] == ["3", "1"]
    for row in rows:
        [scene] = scenes.subset([row.name])
        [degraded] = scenes.subset([row.name]).inputs
        assert list(row.parts) == ["Input", *MODELS, "E", "Truth"]
        np.testing.assert_array_equal(row.whole, scene.target)
        np.testing.assert_array_equal(row.parts["Truth"], scene.target[inside])
        np.testing.assert_array_equal(row.parts["Input"], degraded[inside])
        for model, image in zip(MODELS, scene.predictions, strict=True):
            np.testing.assert_array_equal(row.parts[model], image[inside])
            error = np.abs(image - scene.target.astype(float)).mean(axis=2)[inside]
            np.testing.assert_allclose(row.errors[model], error)
            assert row.scores[model]["psnr"] == pytest.approx(psnr_of(scene.target, image))
        assert "Truth" not in row.errors
        weights = row.weights["E"]
        assert list(weights) == ["gamma", "alpha"]
        np.testing.assert_allclose(sum(weights.values()), np.ones((10, 20)))


def test_an_input_that_is_smaller_by_a_whole_factor_is_enlarged(tmp_path):
    folder = make_folder(tmp_path, sizes={"a": (40, 32), "b": (45, 32)})
    for path in (folder / "lq").iterdir():
        write_image(path, read_image(path)[::4, ::4])
    scenes = ReferenceSet(folder)
    a, b = Shown(scenes, [], CONVENTION).take(["a", "b"], [Box(4, 8, 16, 12)])
    small = read_image(folder / "lq" / "a.png")
    pixels = np.kron(small[2:5, 1:5], np.ones((4, 4, 1), np.uint8))
    np.testing.assert_array_equal(a.parts["Input"], pixels)
    assert "Input" not in a.scores
    assert "Input" not in b.parts


def test_results_of_other_depths_are_as_bright(tmp_path, scenes):
    sixteen = [257 * target.astype(np.uint16) for target in scenes.targets]
    for name, image in zip(scenes.names, sixteen, strict=True):
        write_image(tmp_path / f"{name}.png", image)
    files = {name: tmp_path / f"{name}.png" for name in scenes.names}
    [row] = Shown(scenes, [result_of_folder("R", files)], CONVENTION).take(["4"], [])
    np.testing.assert_array_equal(row.parts["R"], row.parts["Truth"])
    assert row.scores["R"] == {"psnr": np.inf, "ssim": 1}
    write_image(files["4"], sixteen[3][:-1])
    with pytest.raises(ValueError, match=r"4\.png is RGB, 38 pixels wide and 37 high, but the tr"):
        list(Shown(scenes, [result_of_folder("R", files)], CONVENTION).take(["4"], []))
    write_image(files["4"], np.pad(sixteen[3], ((0, 2), (0, 3), (0, 0))))
    result = result_of_folder("R", files, crop=True)
    [row] = Shown(scenes, [result], CONVENTION).take(["4"], [])
    assert row.scores["R"]["psnr"] == np.inf


def test_grey_16_bits_are_shown_as_a_screen_does(tmp_path):
    scenes = ReferenceSet(make_folder(tmp_path, np.uint16, colour=False))
    [row] = Shown(scenes, [], CONVENTION).take(["9"], [Box(0, 0, 8, 8)])
    [scene] = scenes.subset(["9"])
    expected = np.rint(scene.predictions[0] / 257).astype(np.uint8)[:8, :8]
    np.testing.assert_array_equal(row.parts["alpha"], np.stack([expected] * 3, axis=-1))
    error = np.abs(scene.predictions[0] - scene.target.astype(float))[:8, :8] / 257
    np.testing.assert_allclose(row.errors["alpha"], error)


def test_a_box_beyond_the_image_is_a_mistake(scenes):
    with pytest.raises(ValueError, match=r"48 pixels wide and 36 high; the box 40,0,16,8 does"):
        list(Shown(scenes, [], CONVENTION).take(["2"], [Box(40, 0, 16, 8)]))
