"""The released lookup table is reproduced, cell by cell, from the images it was estimated on.

The data is not part of the project. SKENSIR_DATA names its folder; the default is where a checkout
has it: `../shared/data`, seen from the root of the repository. In `deraining/` there are one folder
of images a network, their truth in `gt`, and the released table.
"""

import os
from pathlib import Path

import numpy as np
import pytest

from skensir import REFERENCE_PARAMS, EnsIRRegressor

ROOT = Path(__file__).resolve().parent.parent
DATA = Path(os.environ.get("SKENSIR_DATA", ROOT.parent / "shared" / "data")) / "deraining"

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the released reference set is not at {DATA} (see SKENSIR_DATA)"
)


@pytest.fixture(scope="module")
def released():
    with np.load(DATA / "released_lut_b32.npz") as table:
        return [str(name) for name in table["models"]], table["weights"]


@pytest.fixture(scope="module")
def pixels(released):
    """Return X (n_pixels, n_models, 3) and y (n_pixels, 3), scene after scene."""
    imageio = pytest.importorskip("imageio.v3", reason="imageio reads the images")
    models, _ = released
    X, y = [], []
    for target_path in sorted((DATA / "gt").iterdir()):
        paths = [next((DATA / model).glob(f"{target_path.stem}.*")) for model in models]
        images = [imageio.imread(path)[..., :3] for path in (*paths, target_path)]
        # Some were saved with padding below and to the right.
        height, width = np.min([image.shape[:2] for image in images], axis=0)
        *predictions, target = (image[:height, :width].reshape(-1, 3) for image in images)
        X.append(np.stack(predictions, axis=1))
        y.append(target)
    return np.concatenate(X), np.concatenate(y)


@pytest.mark.parametrize("channel", [0, 1, 2], ids=["red", "green", "blue"])
def test_every_cell_of_the_released_table_is_reproduced(released, pixels, channel):
    """Within 0.003, where the program's single precision moves the step at which EM stops."""
    _, weights = released
    X, y = pixels[0][:, :, channel], pixels[1][:, channel]
    model = EnsIRRegressor(bin_width=32, **REFERENCE_PARAMS).fit(X, y)
    published = weights[(*model.cells_.T, channel)]
    difference = np.abs(model.weights_ - published).max(axis=1)
    assert difference.max() <= 3e-3
    # Nearly all cells are much closer.
    assert np.quantile(difference, 0.9) <= 1e-3
    assert model.cell_counts_.sum() == len(X)
    assert {"fitted", "thin"} <= set(model.cell_origin_)


@pytest.mark.filterwarnings("ignore:Most rows")  # one of them makes every cell thin
def test_other_parameters_do_not_reproduce_it(released, pixels):
    """Neither averaging nor the paper's own M-step: so the comparison above can fail."""
    _, weights = released
    for params in ({"default_weights": "uniform", "min_samples_cell": 10**9}, {}):
        model = EnsIRRegressor(bin_width=32, **params).fit(pixels[0][:, :, 0], pixels[1][:, 0])
        published = weights[(*model.cells_.T, 0)]
        assert np.abs(model.weights_ - published).max() > 0.1
