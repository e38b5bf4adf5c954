"""What comes out of the demo's tasks."""

from functools import partial

import numpy as np
import pytest

from skensir.demo import FITTING, TASKS, TESTING, results
from skensir.demo.picture import explain_picture
from skensir.image import ReferenceSet, load_super_resolution, read_image

SIDE = 32  # photographs as small as the tasks' margins allow
CLASSICAL = [name for name in results.SHOWN_TASKS if name != results.NETWORKS]


@pytest.fixture
def quick(monkeypatch):
    """Make tasks fast: small photographs, no ensembles of trees."""
    monkeypatch.setattr(results, "LARGEST_SIDE", SIDE)
    monkeypatch.setattr(results, "compare_sets", partial(results.compare_sets, trees=False))


@pytest.mark.parametrize("name", CLASSICAL)
def test_base_models_help_and_are_kept_as_8_bit_images(quick, tmp_path, name):
    comparison = results.run_task(name, tmp_path)
    for part, photographs in (("reference", FITTING), ("test", TESTING)):
        scenes = ReferenceSet(tmp_path / part)
        assert set(scenes.names) == set(photographs)
        assert set(scenes.models) == set(TASKS[name].restorers)
        for scene in scenes:
            assert scene.predictions.dtype == scene.target.dtype == np.uint8
            assert scene.predictions.shape == (3, SIDE, SIDE, 3)
            degraded = read_image(tmp_path / part / "lq" / f"{scene.name}.png")
            assert degraded.dtype == np.uint8
    psnr = {row.name: row.psnr for row in comparison.rows}
    for model in TASKS[name].restorers:
        assert psnr[model] > psnr["Input"]


def test_the_demo_begins_on_networks_and_an_ensemble_is_best_in_each_table(quick, tmp_path):
    assert results.SHOWN_TASKS[0] == results.NETWORKS
    comparison = results.run_task(results.NETWORKS, tmp_path / "sets")
    assert comparison.test.models == load_super_resolution().test.models
    assert (tmp_path / "sets/README.txt").is_file()
    *rows, oracle = comparison.rows
    assert oracle.name == "Oracle"
    assert max(rows, key=lambda row: row.psnr).name == "EnsIR, cross-validated"
    assert max(rows, key=lambda row: row.ssim).name == "EnsIR, cross-validated"


@pytest.mark.parametrize(
    ("name", "shown", "n_models", "side"),
    [
        ("super-resolution", "EnsIR, cross-validated", 3, 192),
        ("deraining", "EnsIR, with the input", 4, SIDE),
    ],
)
def test_picture_shows_the_input_as_a_model_where_it_fits(
    quick, tmp_path, name, shown, n_models, side
):
    comparison = results.run_task(name, tmp_path / "sets")
    assert ("EnsIR, with the input" in {row.name for row in comparison.rows}) == (n_models == 4)
    row = results.make_picture_row(name, comparison)
    titles = [title.partition("\n")[0] for title in row.images]
    assert titles == ["Input", *comparison.test.models, shown, "Truth"]
    assert row.equal == 1 / n_models
    assert row.weights.shape == (side, side)


def test_picture_tells_gain_rule_and_author(quick, tmp_path):
    comparison = results.run_task(results.NETWORKS, tmp_path / "sets")
    gains = results.find_gains(comparison)
    assert list(gains) == ["friends", "seeding"]
    of_scene = {row: scores["psnr"] for row, scores in comparison.scores["friends"].items()}
    best = max(of_scene[model] for model in comparison.test.models)
    assert gains["friends"] == of_scene["EnsIR, cross-validated"] - best
    row = results.make_picture_row(results.NETWORKS, comparison)
    shown = list(row.images)[-2]
    assert shown.endswith(f"{of_scene['EnsIR, cross-validated']:.2f} dB ({gains['friends']:+.2f})")
    told = explain_picture([row])
    mean = sum(gains.values()) / 2
    assert f"friends, {gains['friends']:+.2f} dB (mean {mean:+.2f})" in told
    assert "nearest the mean gain" in told
    assert "friends by Aitzol Berasategi, CC BY 4.0." in told


@pytest.mark.parametrize(
    ("gains", "chosen"),
    [
        ({"c": 1.0, "b": 0.1, "a": 0.2}, "a"),  # the mean is 0.43
        ({"b": 0.3, "a": 0.1}, "a"),
        ({"b": 0.1, "a": 0.3}, "a"),
        ({"a": 0.3}, "a"),
        ({"a": -2.0, "b": 0.0, "c": 1.5}, "b"),
    ],
)
def test_the_photograph_nearest_the_mean_gain_is_shown(gains, chosen):
    assert results.choose_photograph(gains) == chosen
