"""The numbers of a comparison: what is measured, on what."""

import numpy as np
import pytest
from image_folders import COMPARED as MODELS
from image_folders import make_set, stacked
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor, ConvexRegressor, ZZPMRegressor
from skensir.comparison import measure
from skensir.comparison.measure import compare_sets, oracle
from skensir.image import (
    ImageEnsemble,
    ReferenceSet,
    peak_signal_noise_ratio,
    read_image,
    structural_similarity,
)
from skensir.image.reference_set import Scene


def test_oracle_is_what_a_search_over_the_simplex_finds():
    random = np.random.default_rng(0)
    steps = 60
    predictions = random.integers(100, 140, size=(3, 4, 5, 3))
    target = random.integers(95, 145, size=(4, 5, 3))
    grid = [
        (i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)
    ]  # all convex weights in sixtieths
    combinations = np.tensordot(np.array(grid) / steps, predictions, axes=1)
    found = np.abs(combinations - target).min(axis=0)
    best = np.abs(oracle(Scene("", predictions, target)) - target)
    # The grid has a point within half a step of the best one, on the way between two models.
    spread = np.ptp(predictions, axis=0)
    assert (best <= found + 1e-12).all()
    assert (found <= best + spread / steps / 2 + 1e-12).all()
    assert (best > 0).any()
    assert (best == 0).any()


def test_no_convex_combination_exceeds_the_oracle(compared):
    *others, best = compared.rows
    assert best.name == "Oracle"
    assert len(others) > 6
    for row in others:
        if row.name != "Input":
            assert row.psnr < best.psnr


@pytest.mark.parametrize(
    ("name", "regressor"),
    [
        ("Average", AverageRegressor()),
        ("Convex", ConvexRegressor()),
        ("EnsIR, as published", EnsIRRegressor(32, **REFERENCE_PARAMS)),
        ("EnsIR, squared error", EnsIRRegressor(32, objective="squared_error", shrinkage=1000)),
        ("EnsIR, cross-validated", EnsIRRegressorCV(cv=LeaveOneGroupOut())),
    ],
)
def test_rows_are_those_of_regressors_on_stacked_rows(compared, folders, name, regressor):
    reference, test = (list(ReferenceSet(folder)) for folder in folders)
    images = [np.empty(scene.target.shape) for scene in test]
    for channel in range(3):
        X, y, groups = stacked(reference, channel)
        grouped = {"groups": groups} if isinstance(regressor, EnsIRRegressorCV) else {}
        regressor.fit(X, y, **grouped)
        for image, scene in zip(images, test, strict=True):
            X, _, _ = stacked([scene], channel)
            image[..., channel] = regressor.predict(X).reshape(image.shape[:2])
    [row] = [row for row in compared.rows if row.name == name]
    pairs = [(scene.target, image) for scene, image in zip(test, images, strict=True)]
    assert row.psnr == pytest.approx(np.mean([peak_signal_noise_ratio(*p) for p in pairs]))
    assert row.ssim == pytest.approx(np.mean([structural_similarity(*p) for p in pairs]))


def test_row_with_the_input_has_it_for_one_more_model(compared, folders):
    sets = [ReferenceSet(folder) for folder in folders]
    stacks = [
        [np.stack([*scene.predictions, image]) for scene, image in zip(s, s.inputs, strict=True)]
        for s in sets
    ]
    ensemble = ImageEnsemble(EnsIRRegressorCV(cv=LeaveOneGroupOut()))
    ensemble.fit(stacks[0], list(sets[0].targets))
    [row] = [row for row in compared.rows if row.name == "EnsIR, with the input"]
    assert row.psnr == pytest.approx(ensemble.score(stacks[1], sets[1].targets), rel=1e-12)
    assert "is the same with the degraded image as one more model" in compared.methods


def test_zzpm_takes_its_weights_from_the_whole_image(compared, folders):
    psnr = []
    for scene in ReferenceSet(folders[1]):
        rows = scene.predictions.reshape(len(MODELS), -1).T
        image = ZZPMRegressor().fit(rows, scene.target.ravel()).predict(rows)
        psnr.append(peak_signal_noise_ratio(scene.target, image.reshape(scene.target.shape)))
    [row] = [row for row in compared.rows if row.name == "ZZPM"]
    assert row.psnr == pytest.approx(np.mean(psnr))


def test_input_and_base_models_are_measured_as_they_are(compared, folders):
    for row, part in zip(compared.rows, ("lq", *MODELS), strict=False):
        psnr = [
            peak_signal_noise_ratio(
                *(read_image(folders[1] / p / f"{n}.png") for p in ("gt", part))
            )
            for n in range(2)
        ]
        assert row.psnr == pytest.approx(np.mean(psnr))
        assert row.seconds_fit is row.seconds_image is None


def test_sixteen_bits_and_grey_give_the_same_numbers(tmp_path):
    rows = []
    for scale, dtype in ((1, np.uint8), (257, np.uint16)):
        sets = [
            make_set(tmp_path / f"{scale}-{n}", [(24, 20)] * 2, n, scale=scale, dtype=dtype, grey=1)
            for n in range(2)
        ]
        rows.append(compare_sets(*map(ReferenceSet, sets), trees=False).rows)
    unit_free = ("Input", *MODELS, "Average", "Convex", "EnsIR, squared error", "Oracle")
    for of_8, of_16 in zip(*rows, strict=True):
        if of_8.name in unit_free:
            assert of_16.psnr == pytest.approx(of_8.psnr, rel=1e-9)
            assert of_16.ssim == pytest.approx(of_8.ssim, rel=1e-9)


@pytest.mark.filterwarnings("ignore:Settings are chosen on parts of a single image")
def test_single_scene_is_enough_to_fit_on(folders):
    first = ReferenceSet(folders[0])[:1]
    result = compare_sets(first, ReferenceSet(folders[1]), trees=False)
    assert [row.name for row in result.rows][-2] == "EnsIR, with the input"
    assert "one of 5 parts of the scene held out" in result.methods


def test_only_the_scenes_that_are_named_are_combined_in_their_order(compared, monkeypatch):
    combined = []
    combine = measure.combine

    def watched(fitted, scene, degraded):
        combined.append(scene.name)
        return combine(fitted, scene, degraded)

    monkeypatch.setattr(measure, "combine", watched)
    names = list(compared.scores)[::-1][:1]
    assert [scene["name"] for scene in compared.scenes(names)] == names
    assert combined == names
    assert [scene["scores"] for scene in compared.scenes(names)] == [compared.scores[names[0]]]
