"""Published tables: every form of them is read, and what is no table is refused."""

import os
from collections import defaultdict
from fractions import Fraction
from pathlib import Path

import naive
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch_files import (
    FORMS,
    NAMES,
    Tensor,
    assert_refused,
    dict_of_cells,
    legacy_file,
    pickled,
    read_weights,
    refuse,
    synthetic,
    write,
)

from skensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir.image import ImageEnsemble
from skensir.interop.released import read_released
from skensir.persistence import load_table, save_table

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SKENSIR_DATA", ROOT.parent / "shared" / "data")) / "deraining"


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("protocol", [2, 4])
@pytest.mark.parametrize("n_models", [2, 3])
def test_every_form_gives_the_same_weights(tmp_path, form, protocol, n_models):
    weights = synthetic(n_models=n_models)
    path = write(tmp_path / "WEIGHTS.pth", FORMS[form](weights), protocol=protocol)
    expected = weights.reshape(-1, 3, n_models)
    assert_allclose(read_weights(path), expected, atol=2e-7)
    path.write_bytes(legacy_file(FORMS[form](weights)))
    assert_allclose(read_weights(path), expected, atol=2e-7)


@pytest.mark.parametrize("dtype", ["f2", "f4", "f8"])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("form", ["tensor", "array"])
def test_every_precision_and_byte_order_is_read(tmp_path, dtype, order, form):
    weights = synthetic(dtype=dtype)
    path = write(tmp_path / "WEIGHTS.pth", FORMS[form](weights), order=order)
    expected = weights.astype("f8").reshape(-1, 3, 3)
    sums = expected.sum(axis=-1, keepdims=True)
    assert_allclose(read_weights(path), expected / sums, rtol=1e-14)
    assert_allclose(read_weights(path).sum(axis=-1), 1, rtol=1e-14)


@given(st.integers(1, 5), st.integers(2, 4), st.integers(1, 4), st.sampled_from(NAMES), st.data())
def test_any_size_is_read(tmp_path_factory, n_bins, n_models, n_channels, form, data):
    weights = synthetic(n_bins, n_models, n_channels, data.draw(st.integers(0, 99)))
    path = tmp_path_factory.mktemp("released") / "WEIGHTS.pth"
    # What starts with lists has its channels first, if there are as many bins as channels.
    ambiguous = form == "nested lists" and n_bins == n_channels
    write(path, FORMS["tensor" if ambiguous else form](weights))
    expected = weights.reshape(-1, n_channels, n_models)
    assert_allclose(read_weights(path, bin_width=7.5), expected, atol=3e-7)


@pytest.mark.parametrize("form", ["tensor", "list of channels", "dict of dicts of channels"])
def test_as_many_channels_as_bins(tmp_path, form):
    weights = synthetic(n_bins=3)
    path = write(tmp_path / "WEIGHTS.pth", FORMS[form](weights))
    assert_allclose(read_weights(path, bin_width=96), weights.reshape(-1, 3, 3), atol=2e-7)


@pytest.mark.parametrize("form", [Tensor, np.asarray, dict_of_cells])
def test_table_without_channels_is_one_regressor(tmp_path, form):
    weights = synthetic()[..., 1, :]
    path = write(tmp_path / "WEIGHTS.pth", form(weights))
    model = read_released(path, ["a", "b", "c"])
    assert type(model) is EnsIRRegressor
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    assert_allclose(model.weights_, weights.reshape(-1, 3), atol=2e-7)


def published_weights():
    if not DATA.is_dir():
        pytest.skip(f"the released table is not at {DATA} (see SKENSIR_DATA)")
    with np.load(DATA / "released_lut_b32.npz") as table:
        return table["weights"]


@pytest.mark.parametrize("source", [published_weights, lambda: synthetic(8)], ids=["real", "made"])
@pytest.mark.parametrize("form", ["tensor", "dict of tensors", "list of dicts of channels"])
def test_prediction_is_that_of_a_naive_look_up(tmp_path, source, form):
    weights = source()
    model = read_released(write(tmp_path / "WEIGHTS.pth", FORMS[form](weights)))
    image = np.random.default_rng(0).integers(0, 256, (3, 11, 13, 3)).astype(np.uint8)
    image[:, 0] = np.reshape([31, 32, 255], (3, 1, 1))
    (combined,) = model.predict([image])
    expected = np.zeros(image.shape[1:])
    for row, column, channel in np.ndindex(expected.shape):
        predictions = image[:, row, column, channel]
        line = weights[(*naive.cell_of(predictions, 32), channel)]
        expected[row, column, channel] = sum(
            float(w) * float(x) for w, x in zip(line, predictions, strict=True)
        )
    assert_allclose(combined, expected, atol=1e-4)


def test_regressors_are_those_of_the_published_program(tmp_path):
    weights = synthetic(n_bins=8)
    model = read_released(write(tmp_path / "WEIGHTS.pth", weights), ("x", "y", "z"))
    assert (model.n_models_, model.n_channels_, len(model.regressors_)) == (3, 3, 3)
    assert list(model.model_names_) == ["x", "y", "z"]
    expected = EnsIRRegressor(32.0, **REFERENCE_PARAMS).get_params()
    assert clone(model).regressor.get_params() == expected
    for regressor in model.regressors_:
        assert regressor.get_params() == expected
        assert regressor.bin_width_ == 32
        assert regressor.cells_.tolist() == [list(cell) for cell in np.ndindex(8, 8, 8)]
        assert set(regressor.cell_origin_) == {"released"}


def test_no_number_is_made_up(tmp_path):
    """Counts and errors are on no record, so they are not a number, not zero."""
    model = read_released(write(tmp_path / "WEIGHTS.pth", synthetic()[..., 0, :]))
    for name in ("cell_counts_", "cell_rmse_", "default_rmse_", "means_", "variances_"):
        assert np.isnan(getattr(model, name)).all()


def test_no_row_gets_default_weights(tmp_path):
    model = read_released(write(tmp_path / "WEIGHTS.pth", synthetic()[..., 0, :]))
    X = np.random.default_rng(0).uniform(-500, 800, (2000, 3))
    known = {tuple(line) for line in model.weights_}
    assert {tuple(line) for line in model.predict_weights(X)} <= known


@pytest.mark.parametrize("channels", [slice(None), 1])
def test_released_table_can_be_saved(tmp_path, channels):
    model = read_released(write(tmp_path / "WEIGHTS.pth", synthetic()[..., channels, :]))
    save_table(model, tmp_path / "table")
    loaded = load_table(tmp_path / "table")
    pairs = [(model, loaded)]
    if isinstance(model, ImageEnsemble):
        pairs = zip(model.regressors_, loaded.regressors_, strict=True)
    for one, other in pairs:
        for name in ("cells_", "weights_", "cell_origin_", "cell_counts_", "means_"):
            assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def test_bin_width_follows_from_the_number_of_bins(tmp_path):
    for n_bins, width in ((2, 128), (4, 64), (8, 32), (16, 16)):
        weights = synthetic(n_bins, n_models=2)[..., 0, :]
        path = write(tmp_path / "WEIGHTS.pth", weights)
        assert read_released(path).bin_width_ == width
    path = write(tmp_path / "WEIGHTS.pth", synthetic(3)[..., 0, :])
    assert_refused(path, "3 bins", "bin_width")
    assert read_released(path, bin_width=96).bin_width_ == 96


def test_pixels_are_of_8_bits_unless_the_bin_width_says_otherwise(tmp_path):
    path = write(tmp_path / "WEIGHTS.pth", synthetic(8))
    image = np.zeros((3, 4, 4, 3), np.uint16)
    with pytest.raises(ValueError, match="uint16"):
        read_released(path).predict([image])
    read_released(path, bin_width=2**13).predict([image])


def test_bad_arguments_are_named(tmp_path):
    path = write(tmp_path / "WEIGHTS.pth", synthetic())
    for names in ("abc", ["a", "b"], ["a", "b", 3]):
        with pytest.raises(ValueError, match="model_names"):
            read_released(path, names)
    for width in (0, -1, np.nan):
        with pytest.raises(ValueError, match="bin_width"):
            read_released(path, bin_width=width)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_released(tmp_path / "absent.pth")


def altered(place, value):
    weights = synthetic()
    weights[place] = value
    return weights


SUM = "sum to one"
RANGE = "between zero and one"
SHAPE = "not a table"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (altered((0, 0, 0, 0, 0), np.nan), RANGE),
        (altered((1, 2, 3, 0, 1), np.inf), RANGE),
        (altered((3, 3, 3, 2), [-0.5, 0.5, 1]), RANGE),
        (altered((3, 3, 3, 2), [0.5, 0.5, 0.1]), SUM),
        (altered((0, 0, 0, 0), 0), SUM),
        (synthetic() * 0.99, SUM),
        (synthetic()[:-1], SHAPE),
        (synthetic()[..., :2], SHAPE),
        (synthetic()[0], SHAPE),
        (synthetic()[None], SHAPE),
        (np.ones((4, 1), "f4"), SHAPE),
        (np.ones((4, 3, 1), "f4"), SHAPE),
        (np.ones(4, "f4"), SHAPE),
        (np.float32(1), SHAPE),
        (1.0, SHAPE),
        ({}, "empty"),
        ([], "empty"),
        ([synthetic(), []], "empty"),
        ([synthetic(), synthetic()[0]], "different shapes"),
        ("text", "str"),
        (None, "NoneType"),
        ([True, False], "bool"),
        ([1.0, "text"], "str"),
        ({"weights": synthetic()}, "str"),
        ({(0, 0): [0.5, 0.5], (0, 1): [0.5, 0.5], (1, 0): [0.5, 0.5]}, "combination"),
        ({(0, 0): [0.5, 0.5], (2, 0): [0.5, 0.5]}, "bins"),
        ({(0, -1): [0.5, 0.5], (0, 0): [0.5, 0.5]}, "bins"),
        ({(0, 0.5): [0.5, 0.5], (0, 0): [0.5, 0.5]}, "bins"),
        ({0: [0.5, 0.5], (0, 0): [0.5, 0.5]}, "different shapes"),
        ({(0, np.nan): [0.5, 0.5]}, "bins"),
        ([10**400, 1], "beyond"),
        ({(0,) * 20: np.ones((1,) * 20)}, "bins"),
        ([np.ones((1,) * 32)], "33 axes"),
        ({(0,) * 9: np.ones((1,) * 30)}, "39 axes"),
        (np.array(["text"]), "other than numbers"),
        (np.zeros(3, "c16"), "other than numbers"),
        (np.zeros(3, "f4,i4"), "other than numbers"),
        (np.array([1, None], object), "other than numbers"),
        (np.zeros((3, 0)), "no table needs"),
        (defaultdict(list), "'collections.defaultdict'"),
        (Fraction(1, 2), "'fractions.Fraction'"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, words):
    refuse(tmp_path, pickled(content)[0], words)


def test_a_released_table_says_that_it_knows_no_errors_and_no_sums(tmp_path):
    weights = np.full((8, 8, 2), 0.5, np.float32)
    model = read_released(write(tmp_path / "WEIGHTS.pth", FORMS["tensor"](weights)))
    X = np.array([[3, 4]], np.uint8)
    assert model.predict(X) == 3.5
    with pytest.raises(
        ValueError, match="return_std == True, but a released table holds no errors"
    ):
        model.predict(X, return_std=True)
    with pytest.raises(
        ValueError, match="partial_fit needs the statistics of the rows seen before"
    ):
        model.partial_fit(X, [3])
    with pytest.raises(ValueError, match="merge needs the statistics of the rows seen before"):
        model.merge(type(model)().fit(X, [3]))
