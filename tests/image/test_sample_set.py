"""The images in the package are whole, small, all of one make, and their authors are named."""

import numpy as np
import pytest

from skensir import EnsIRRegressorCV
from skensir.demo.super_resolution import degrade
from skensir.image import (
    ImageEnsemble,
    ReferenceSet,
    load_super_resolution,
    peak_signal_noise_ratio,
    read_image,
)
from skensir.image.sample_set import CREDITS

NETWORKS = ("RDN-psnr-2x2", "RRDN-gans", "RRDN-thick")
CONVENTION = {"channel": "luma", "crop_border": 4}


def test_scenes_are_parted_by_the_alphabet():
    sample = load_super_resolution()
    reference, test, folder = sample
    assert reference is sample.reference
    assert test is sample.test
    assert folder is sample.folder
    assert reference.models == test.models == NETWORKS
    names = (*reference.names, *test.names)
    assert names == ("aitzgorri", "astronaut", "brushes", "friends", "seeding")
    assert len(reference) == 3


@pytest.mark.parametrize("part", ["reference", "test"])
def test_all_images_have_their_size(part):
    scenes = getattr(load_super_resolution(), part)
    for scene, small in zip(scenes, scenes.inputs, strict=True):
        assert scene.predictions.shape == (3, 192, 192, 3)
        assert scene.target.shape == (192, 192, 3)
        assert small.shape == (48, 48, 3)
        assert {scene.predictions.dtype, scene.target.dtype, small.dtype} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("part", ["reference", "test"])
def test_what_was_enlarged_is_the_truth_made_smaller(part):
    """Away from the edges, over which the whole photographs go on."""
    scenes = getattr(load_super_resolution(), part)
    for scene, small in zip(scenes, scenes.inputs, strict=True):
        np.testing.assert_array_equal(small[2:-2, 2:-2], degrade(scene.target, 0)[2:-2, 2:-2])


def test_networks_show_the_same_place_as_the_truth_and_err_apart():
    for scenes in load_super_resolution()[:2]:
        for scene in scenes:
            for image in scene.predictions.astype(float):
                error = np.std(image - scene.target)
                for axis in (0, 1):
                    for pixels in (-2, -1, 1, 2):
                        assert np.std(np.roll(image, pixels, axis) - scene.target) > error
            errors = scene.predictions - scene.target.astype(float)
            correlations = np.corrcoef(errors.reshape(3, -1))
            assert correlations[np.triu_indices(3, 1)].max() < 0.96


def test_an_ensemble_does_better_than_every_network_and_than_averaging():
    reference, test, _ = load_super_resolution()
    ensemble = ImageEnsemble(EnsIRRegressorCV()).fit(reference.predictions, reference.targets)
    for scene, restored in zip(test, ensemble.predict(test.predictions), strict=True):
        others = [*scene.predictions, scene.predictions.mean(axis=0)]
        psnr = [peak_signal_noise_ratio(scene.target, image, **CONVENTION) for image in others]
        assert peak_signal_noise_ratio(scene.target, restored, **CONVENTION) > max(psnr)


def test_the_folder_is_small_and_names_the_authors():
    folder = load_super_resolution().folder
    files = [file for file in folder.rglob("*") if file.is_file()]
    assert sum(file.stat().st_size for file in files) < 1.2e6
    readme = (folder / "README.txt").read_text(encoding="utf-8")
    assert {file.stem for file in files if file.suffix == ".png"} == set(CREDITS)
    for scene, credit in CREDITS.items():
        [line] = [line for line in readme.splitlines() if line.strip().startswith(f"{scene}  ")]
        author, licence = credit.split(", ")
        assert author in line
        assert line.endswith(f"  {licence}")
        assert licence in ("public domain", "CC0 1.0", "CC BY 4.0")
    for sub_folder in (*NETWORKS, "gt", "lq"):
        assert f"\n  {sub_folder} " in readme
    assert "K. Scott, 2022, MIT" in readme


def test_images_are_read_when_they_are_asked_for(monkeypatch):
    monkeypatch.setattr("skensir.image.reference_set.read_image", None)
    reference, _, folder = load_super_resolution()
    assert ReferenceSet(folder / "reference").names == reference.names
    with pytest.raises(TypeError):
        reference[0]
    assert read_image(folder / "test/gt/friends.png").shape == (192, 192, 3)
