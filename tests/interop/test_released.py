"""Published tables are read as they are, and what is no such table is refused."""

import os
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from torch_files import (
    NAME,
    Tensor,
    assert_refused,
    pickled,
    read_torch_file,
    read_weights,
    refuse,
    synthetic,
    table_of,
    torch_file,
    write,
)

from skensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir.image import ReferenceSet
from skensir.interop import released
from skensir.interop.released import read_released
from skensir.persistence import load_table, save_table

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("SKENSIR_DATA", ROOT.parent / "shared" / "data"))
MODELS = ("MPRNet", "MAXIM", "Restormer")


@pytest.fixture(
    params=[
        (f"weight_Rain100H_{'_'.join(MODELS)}_b32_rgb.pth", 32),
        (f"weight_Test1200_{'_'.join(MODELS)}_b64_rgb.pth", 64),
    ],
    ids=["Rain100H", "Test1200"],
)
def published(request):
    """Return path and bin width of a published file."""
    path = DATA / "released" / request.param[0]
    if not path.is_file():
        pytest.skip(f"no published table at {path} (see SKENSIR_DATA)")
    return path, request.param[1]


def published_program(table, bin_width, stack):
    """Combine predictions (n_models, height, width, n_channels) as the published program does."""
    combined = np.zeros(stack.shape[1:], np.float32)
    for row, column, channel in np.ndindex(combined.shape):
        predictions = stack[:, row, column, channel].astype(np.float32)
        edges = tuple(int(edge) for edge in np.floor(predictions / bin_width) * bin_width)
        weights = table[edges][channel].storage.values
        combined[row, column, channel] = (weights * predictions).sum()
    return combined


def drawn_stack(n_models=3, n_channels=3, seed=0):
    stack = np.random.default_rng(seed).integers(0, 256, (n_models, 21, 23, n_channels))
    stack[:, 0] = np.resize([31, 32, 63, 64, 255, 0], (n_models, 1, 1))
    return stack.astype(np.uint8)


def values_of(table):
    """Return weights (n_cells, n_channels, n_models) of the dict that a file holds."""
    return np.array([[tensor.storage.values for tensor in table[edges]] for edges in sorted(table)])


def test_published_weights_are_those_in_the_file(published):
    path, bin_width = published
    table, model = read_torch_file(path), read_released(path)
    assert model.model_names_ == MODELS
    assert (model.n_models_, model.n_channels_, model.pixel_dtype_) == (3, 3, np.uint8)
    weights = values_of(table).astype(np.float64)
    assert weights.shape == ((256 // bin_width) ** 3, 3, 3)
    weights /= weights.sum(axis=-1, keepdims=True)
    assert_allclose(read_weights(path), weights, rtol=0, atol=1e-6)
    for regressor in model.regressors_:
        assert regressor.bin_width_ == bin_width
        assert_array_equal(regressor.cells_ * bin_width, sorted(table))


def test_published_table_predicts_what_the_published_program_does(published):
    path, bin_width = published
    stack = drawn_stack()
    (combined,) = read_released(path).predict([stack])
    expected = published_program(read_torch_file(path), bin_width, stack)
    assert_allclose(combined, expected, rtol=0, atol=1e-4)


def test_published_table_combines_real_outputs_as_the_published_program_does(published):
    path, bin_width = published
    folder = DATA / "deraining"
    if not folder.is_dir():
        pytest.skip(f"no images at {folder} (see SKENSIR_DATA)")
    scenes = ReferenceSet(folder, MODELS, crop=True)
    model, table = read_released(path), read_torch_file(path)
    for stack in scenes.predictions[:2]:
        (combined,) = model.predict([stack])
        expected = np.zeros(combined.shape, np.float32)
        # Cell by cell, in single precision, as that program goes about it.
        edges = np.floor(stack.astype(np.float32) / bin_width) * bin_width
        for cell, rows in table.items():
            in_cell = np.logical_and.reduce(
                [part == e for part, e in zip(edges, cell, strict=True)]
            )
            for channel, row in enumerate(rows):
                inside = in_cell[..., channel]
                values = stack[:, inside, channel].astype(np.float32)
                expected[inside, channel] = (row.storage.values[:, np.newaxis] * values).sum(axis=0)
        assert_allclose(combined, expected, rtol=0, atol=1e-4)


def test_these_tests_write_the_layout_of_the_published_files_byte_for_byte(published):
    path, _ = published
    assert torch_file(*pickled(read_torch_file(path))) == path.read_bytes()


def test_published_table_of_the_reference_set_is_the_released_one():
    path = DATA / "released" / f"weight_Rain100H_{'_'.join(MODELS)}_b32_rgb.pth"
    arrays = DATA / "deraining" / "released_lut_b32.npz"
    if not (path.is_file() and arrays.is_file()):
        pytest.skip(f"the published table is not at {path} and {arrays} (see SKENSIR_DATA)")
    with np.load(arrays) as expected:
        assert tuple(expected["models"]) == MODELS
        weights = expected["weights"].reshape(-1, 3, 3)
    assert_allclose(read_weights(path), weights, rtol=0, atol=1e-6)


@given(
    st.sampled_from([32, 64, 128]),
    st.integers(2, 4),
    st.integers(1, 4),
    st.randoms(use_true_random=False),
    st.data(),
)
def test_any_table_in_this_layout_is_read(
    tmp_path_factory, bin_width, n_models, n_channels, random, data
):
    n_bins = 256 // max(bin_width, 64 if n_models == 4 else 32)
    table = table_of(synthetic(n_bins, n_models, n_channels), bin_width)
    items = list(table.items())
    if data.draw(st.booleans(), "in another order, and some missing"):
        random.shuffle(items)
        kept = data.draw(st.integers(len(items) // 2 + 1, len(items)))
        items = items[:kept]
    table = dict(items)
    path = write(tmp_path_factory.mktemp("released") / "table.pth", table)
    model = read_released(path)
    weights = values_of(table).astype(np.float64)
    weights /= weights.sum(axis=-1, keepdims=True)
    assert_allclose(read_weights(path), weights, rtol=0, atol=1e-12)
    assert (model.n_models_, model.n_channels_) == (n_models, n_channels)
    assert_array_equal(model.regressors_[0].cells_ * bin_width, sorted(table))


@pytest.mark.parametrize("n_models", [2, 3])
def test_prediction_is_that_of_the_published_program(tmp_path, n_models):
    table = table_of(synthetic(8, n_models), 32)
    # As in the published files, one tensor may stand in many cells.
    table[(0,) * n_models] = table[(224,) * n_models]
    stack = drawn_stack(n_models)
    (combined,) = read_released(write(tmp_path / NAME, table)).predict([stack])
    assert_allclose(combined, published_program(table, 32, stack), rtol=0, atol=1e-4)


def test_one_channel_is_for_grey_images(tmp_path):
    table = table_of(synthetic(n_channels=1))
    model = read_released(write(tmp_path / "weight_Set5_A_B_C_b64_y.pth", table))
    assert (model.channel_axis, model.model_names_) == (None, ("A", "B", "C"))
    stack = drawn_stack(n_channels=1)
    (combined,) = model.predict([stack[..., 0]])
    expected = published_program(table, 64, stack)
    assert_allclose(combined, expected[..., 0], rtol=0, atol=1e-4)


def test_cells_that_the_file_lacks_get_equal_weights(tmp_path):
    table = table_of(synthetic(n_models=2))
    del table[(64, 192)]
    model = read_released(write(tmp_path / NAME, table))
    stack = np.array([100, 200], np.uint8).reshape(2, 1, 1, 1).repeat(3, axis=3)
    assert model.predict([stack])[0].tolist() == [[[150, 150, 150]]]


def test_regressors_are_those_of_the_published_program(tmp_path):
    model = read_released(write(tmp_path / NAME, table_of(synthetic(8), 32)))
    expected = EnsIRRegressor(32.0, **REFERENCE_PARAMS).get_params()
    assert clone(model).regressor.get_params() == expected
    for regressor in model.regressors_:
        assert regressor.get_params() == expected
        assert regressor.cells_.tolist() == [list(cell) for cell in np.ndindex(8, 8, 8)]
        assert set(regressor.cell_origin_) == {"released"}
        for name in ("cell_counts_", "cell_rmse_", "default_rmse_", "means_", "variances_"):
            assert np.isnan(getattr(regressor, name)).all()  # on no record, so not made up


def test_no_row_gets_default_weights_where_no_cell_is_missing(tmp_path):
    (model, *_) = read_released(write(tmp_path / NAME, table_of(synthetic()))).regressors_
    X = np.random.default_rng(0).uniform(-500, 800, (2000, 3))
    known = {tuple(line) for line in model.weights_}
    assert {tuple(line) for line in model.predict_weights(X)} <= known


@pytest.mark.parametrize("n_channels", [1, 3])
def test_released_table_can_be_saved(tmp_path, n_channels):
    table = table_of(synthetic(n_channels=n_channels))
    model = read_released(write(tmp_path / NAME, table))
    save_table(model, tmp_path / "table")
    loaded = load_table(tmp_path / "table")
    assert loaded.model_names_ == MODELS
    for one, other in zip(model.regressors_, loaded.regressors_, strict=True):
        for name in ("cells_", "weights_", "cell_origin_", "cell_counts_", "means_"):
            assert_array_equal(getattr(one, name), getattr(other, name), strict=True)


def test_pixels_are_of_8_bits(tmp_path):
    model = read_released(write(tmp_path / NAME, table_of(synthetic())))
    with pytest.raises(ValueError, match="of 16 bits"):
        model.predict([np.zeros((3, 4, 4, 3), np.uint16)])


def test_a_released_table_says_that_it_knows_no_errors_and_no_sums(tmp_path):
    table = table_of(np.full((8, 8, 1, 2), 0.5, np.float32), 32)
    (model,) = read_released(write(tmp_path / NAME, table)).regressors_
    X = np.array([[3, 4]], np.uint8)
    assert model.predict(X) == 3.5
    for ask in (
        lambda: model.predict(X, return_std=True),
        lambda: model.predict_interval(X),
        lambda: model.calibrate(X, [3]),
    ):
        with pytest.raises(ValueError, match=r"^A released table holds no errors for return_std"):
            ask()
    with pytest.raises(
        ValueError, match="partial_fit needs the statistics of the rows seen before"
    ):
        model.partial_fit(X, [3])
    with pytest.raises(ValueError, match="merge needs the statistics of the rows seen before"):
        model.merge(type(model)().fit(X, [3]))


def test_where_cells_are_missing_the_width_is_that_in_the_name_or_said(tmp_path):
    table = table_of(synthetic(8), 32)
    few = {edges: rows for edges, rows in table.items() if not any(edge % 64 for edge in edges)}
    del few[(64, 0, 192)]
    path = write(tmp_path / "weight_Set5_A_B_C_b32_rgb.pth", few)
    assert read_released(path).regressors_[0].bin_width_ == 32
    assert read_released(path, bin_width=64).regressors_[0].bin_width_ == 64
    path = path.rename(tmp_path / "weight_Set5_A_B_C_b128_rgb.pth")
    assert_refused(path, "not multiples of the bin width, 128, which its name tells")
    assert read_released(path, bin_width=16).regressors_[0].bin_width_ == 16
    path = path.rename(tmp_path / "table.pth")
    assert read_released(path).regressors_[0].bin_width_ == 64


@pytest.mark.parametrize("bin_width", [96, 100, 128])
def test_widths_that_do_not_divide_256_are_told_by_the_edges(tmp_path, bin_width):
    n_bins = -(-256 // bin_width)
    path = write(tmp_path / NAME, table_of(synthetic(n_bins), bin_width))
    stack = drawn_stack()
    (combined,) = read_released(path).predict([stack])
    expected = published_program(read_torch_file(path), bin_width, stack)
    assert_allclose(combined, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize(
    ("name", "names"),
    [
        ("weight_Rain100H_MPRNet_MAXIM_Restormer_b64_rgb.pth", MODELS),
        ("weight_RealBlur_J_MPRNet_MAXIM_Restormer_b64_rgb.pth", MODELS),
        ("weight_Set5_MPRNet_MAXIM_Restormer_b32_y.pth", MODELS),  # the edges say 64
        ("weight_Rain100H_MPRNet_Restormer_b64_rgb.pth", None),  # two, the cells have three
        ("weight_MPRNet_MAXIM_Restormer_b64_rgb.pth", None),
        ("weight_Rain100H_MPRNet__Restormer_b64_rgb.pth", None),
        ("table.pth", None),
        ("MPRNet_MAXIM_Restormer.pth", None),
    ],
)
def test_models_are_those_in_the_name_of_the_file_or_said(tmp_path, name, names):
    path = write(tmp_path / name, table_of(synthetic()))
    assert read_released(path).model_names_ == names
    assert read_released(path).regressors_[0].bin_width_ == 64
    assert read_released(path, ["x", "y", "z"], 64).model_names_ == ("x", "y", "z")


def test_bin_width_of_one_bin_is_in_the_name_of_the_file_or_said(tmp_path):
    table = table_of(synthetic(1), 256)
    path = write(tmp_path / "weight_Set5_A_B_C_b256_rgb.pth", table)
    assert read_released(path).regressors_[0].bin_width_ == 256
    assert read_released(path, bin_width=128).regressors_[0].bin_width_ == 128
    path = write(tmp_path / "table.pth", table)
    assert_refused(path, "single cell", "bin width")
    assert read_released(path, bin_width=256).regressors_[0].bin_width_ == 256


def test_bad_arguments_are_named(tmp_path):
    path = write(tmp_path / NAME, table_of(synthetic()))
    for names in ("abc", ["a", "b", 3]):
        with pytest.raises(ValueError, match=r"model_names == .*, must be a list of names"):
            read_released(path, names)
    with pytest.raises(
        ValueError,
        match=r"_b64_rgb.pth: it is of 3 models, not of 2, as `model_names` says: a, b\.",
    ):
        read_released(path, ["a", "b"])
    for width in (0, -1, np.nan):
        with pytest.raises(ValueError, match="bin_width"):
            read_released(path, bin_width=width)
    for width in (32, 128, 64.5):
        with pytest.raises(
            ValueError, match=f"bin_width == {width:g}, must be 64, as its bins are"
        ):
            read_released(path, bin_width=width)
    with pytest.raises(FileNotFoundError, match="absent"):
        read_released(tmp_path / "absent.pth")


def altered(place, value):
    weights = synthetic()
    weights[place] = value
    return table_of(weights)


def cells(**changes):
    """Make a table of four cells of two models; a change replaces a cell, such as c0_64."""
    row = np.array([0.25, 0.75], "f4")
    items = {f"c{i}_{j}": ((i, j), [Tensor(row)]) for i in (0, 64) for j in (0, 64)}
    return dict((items | changes).values())


ROW = Tensor(np.array([0.25, 0.75], "f4"))
WEIGHTS, EDGES = "at least zero, with a sum of one", "edges"
DICT, ONE = "does not hold a dict", "not have 1 tensors"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (altered((0, 0, 0, 0, 0), np.nan), WEIGHTS),
        (altered((1, 2, 3, 0, 1), np.inf), WEIGHTS),
        (altered((3, 3, 3, 2), [-0.5, 0.5, 1]), WEIGHTS),
        (altered((3, 3, 3, 2), [0.5, 0.5, 0.1]), WEIGHTS),
        (altered((0, 0, 0, 0), 0), WEIGHTS),
        (table_of(synthetic() * np.float32(0.99)), WEIGHTS),
        (table_of(synthetic(n_models=3)[..., :2]), "not as many weights"),
        (cells(c0_64=((0, 64, 0), [ROW])), EDGES),
        (cells(c0_64=((0, 300), [ROW])), EDGES),
        (cells(c0_64=((0, -64), [ROW])), EDGES),
        (cells(c0_64=((0, True), [ROW])), EDGES),
        (cells(c0_64=((0, "64"), [ROW])), EDGES),
        (
            cells(c0_64=((0, 100), [ROW])),
            "not multiples of the bin width, 64, which its name tells",
        ),
        (cells(c0_64=(64, [ROW])), EDGES),
        (cells(c0_64=((0, 64), ROW)), ONE),
        (cells(c0_64=((0, 64), [ROW, ROW])), ONE),
        (cells(c0_64=((0, 64), [])), ONE),
        (cells(c0_64=((0, 64), [[0, 1]])), "not as many weights"),
        (cells(c0_64=((0, 64), [None])), "NONE"),
        (cells(c0_64=((0, 64), [0.5])), "BINFLOAT"),
        (cells(c0_0=((0, 0), [])), "0 channels"),
        ({(0,): [Tensor(np.ones(1, "f4"))]}, "1 models"),
        (cells(c0_64=((0, 64), [Tensor(np.array([0.25, 0.75]))])), "DoubleStorage"),
        ({}, DICT),
        ([], DICT),
        (ROW, DICT),
        ("text", DICT),
        ({"weights": [ROW]}, DICT),
        ([((0, 0), [ROW]), ((0, 64), [ROW])], DICT),
        (np.ones((8, 8, 2)), "numpy"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, content, words):
    refuse(tmp_path, pickled(content)[0], words, storages=pickled(content)[1])


def test_weights_beyond_the_limit_are_refused(tmp_path, monkeypatch):
    path = write(tmp_path / NAME, table_of(synthetic()))
    monkeypatch.setattr(released, "MAX_WEIGHTS", 575)
    assert_refused(path, "more than 575 weights")
    monkeypatch.setattr(released, "MAX_WEIGHTS", 576)
    read_released(path)
