"""What comes out of the demo's tasks."""

from functools import partial

import numpy as np
import pytest

from skensir.demo import FITTING, TASKS, TESTING, results
from skensir.image import ReferenceSet, read_image

SIDE = 32  # photographs as small as the tasks' margins allow


@pytest.mark.parametrize("name", TASKS)
def test_base_models_help_and_are_kept_as_8_bit_images(monkeypatch, tmp_path, name):
    monkeypatch.setattr(results, "LARGEST_SIDE", SIDE)
    monkeypatch.setattr(results, "compare_sets", partial(results.compare_sets, trees=False))
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
        assert psnr[model] > psnr.get("Input", 0)


@pytest.mark.parametrize(
    ("name", "shown", "n_models"),
    [("super-resolution", "EnsIR, cross-validated", 3), ("deraining", "EnsIR, with the input", 4)],
)
def test_picture_shows_the_input_as_a_model_where_it_fits(
    monkeypatch, tmp_path, name, shown, n_models
):
    monkeypatch.setattr(results, "LARGEST_SIDE", SIDE)
    monkeypatch.setattr(results, "compare_sets", partial(results.compare_sets, trees=False))
    comparison = results.run_task(name, tmp_path)
    assert ("EnsIR, with the input" in {row.name for row in comparison.rows}) == (n_models == 4)
    row = results.make_picture_row(name, comparison)
    titles = [title.partition("\n")[0] for title in row.images]
    assert titles == ["Input", *TASKS[name].restorers, shown, "Truth"]
    assert row.equal == 1 / n_models
    assert row.weights.shape == (SIDE, SIDE)
