"""Table files: what comes back is the same, and what is damaged or hostile is refused."""

import errno
import io
import json
import os
import tracemalloc
import warnings
import zipfile
from concurrent.futures import ThreadPoolExecutor
from copy import copy
from pathlib import Path

import naive
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, clone
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

import skensir
from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._files import write_whole
from skensir._tables import ARRAYS, PARAMS
from skensir.image import ImageEnsemble
from skensir.persistence import load_table, save_table

OPTIONS = st.fixed_dictionaries(
    {
        "objective": st.sampled_from(["likelihood", "squared_error"]),
        "shrinkage": st.sampled_from([0, 7.5, np.float32(0.1), np.int64(3)]),
        "default_weights": st.sampled_from(["auto", "uniform", "pooled", "list", "array"]),
        "min_samples_cell": st.sampled_from([0, 5, 100]),
        "max_iter": st.integers(1, 9),
        "target_resolution": st.sampled_from(["auto", 0.7]),
        "verbose": st.sampled_from([0, False]),
    }
)
SOME_X = np.random.default_rng(1).uniform(-99, 400, (500, 3))


def scenes(n_channels=3, seed=0):
    """Make two images of three models and their truth, 8 bits."""
    rng = np.random.default_rng(seed)
    targets = [rng.integers(0, 256, (20, 30, n_channels)) for _ in range(2)]
    noise = np.array([2, 6, 12]).reshape(-1, 1, 1, 1)
    stacks = [t + noise * rng.standard_normal((3, *t.shape)) for t in targets]
    return [np.clip(np.rint(s), 0, 255).astype(np.uint8) for s in stacks], targets


def fit_one(**params):
    (stack, _), (target, _) = scenes()
    return EnsIRRegressor(**params).fit(stack.reshape(3, -1).T, target.ravel())


@pytest.fixture(scope="module")
def model():
    return fit_one(min_samples_cell=10)


@pytest.fixture(scope="module")
def table_bytes(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "table"
    save_table(model, path)
    return path.read_bytes()


def assert_same(first, second):
    """Compare types, parameters and fitted attributes, to the last bit and with their dtypes."""
    if isinstance(first, BaseEstimator):
        assert type(first) is type(second)
        states = [
            {name: value for name, value in vars(model).items() if not name.startswith("_")}
            for model in (first, second)
        ]
        assert states[0].keys() == states[1].keys()
        for name, value in states[0].items():
            if name == "default_weights" and not isinstance(value, str):
                value = np.asarray(value, dtype=np.float64)
            assert_same(value, states[1][name])
    elif isinstance(first, list):
        assert len(first) == len(second)
        for one, other in zip(first, second, strict=True):
            assert_same(one, other)
    else:
        assert_array_equal(first, second, strict=isinstance(first, np.ndarray))


def saved_and_loaded(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "any.name"
    save_table(model, path)
    return load_table(path)


# ---- what comes back


@given(naive.stacks(max_models=7), OPTIONS, st.randoms(use_true_random=False))
def test_loaded_estimator_is_the_same(tmp_path_factory, stack, options, random):
    n_models = stack.X.shape[1]
    if options["default_weights"] in ("list", "array"):
        weights = np.array([random.random() + 0.1 for _ in range(n_models)])
        weights /= weights.sum()
        as_list = options["default_weights"] == "list"
        options = {**options, "default_weights": list(weights) if as_list else weights}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model = EnsIRRegressor(stack.bin_width, **options)
        model.fit(stack.X, stack.y, stack.sample_weight)
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model, loaded)
    for X in (stack.X, stack.X.astype(np.float64) * 1.3 - 40):
        for one, other in zip(
            model.predict(X, return_std=True), loaded.predict(X, return_std=True), strict=True
        ):
            assert_array_equal(one, other)
        assert_array_equal(model.predict_weights(X), loaded.predict_weights(X))
    for one, other in zip(model.bin_edges_, loaded.bin_edges_, strict=True):
        assert_array_equal(one, other)


def test_loaded_estimator_can_be_cloned_fitted_and_altered(model, tmp_path_factory):
    loaded = saved_and_loaded(model, tmp_path_factory)
    again = clone(loaded).set_params(bin_width=64).fit(SOME_X, SOME_X[:, 0])
    assert_same(again, clone(model).set_params(bin_width=64).fit(SOME_X, SOME_X[:, 0]))
    loaded.weights_[:] = 1 / 3  # no view of the file
    assert_same(saved_and_loaded(loaded, tmp_path_factory), loaded)


@given(st.lists(st.text(max_size=9), min_size=3, max_size=3, unique=True))
def test_names_of_models_come_back(model, tmp_path_factory, names):
    named = copy(model)
    named.feature_names_in_ = np.array(names, dtype=object)
    assert_same(saved_and_loaded(named, tmp_path_factory), named)


def test_reordered_columns_are_an_error_after_loading_as_before(tmp_path_factory):
    X = pd.DataFrame(SOME_X, columns=["Müller", "网络", "c d"])
    loaded = saved_and_loaded(EnsIRRegressor().fit(X, SOME_X[:, 1]), tmp_path_factory)
    loaded.predict(X)
    with pytest.raises(ValueError, match="feature names"):
        loaded.predict(X.iloc[:, ::-1])


def test_cross_validated_estimator_comes_back_as_what_it_chose(tmp_path_factory):
    y = SOME_X[:, 0]
    model = EnsIRRegressorCV([32, 64], shrinkages=[10, 100]).fit(SOME_X, y)
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model.best_estimator_, loaded)
    chosen = loaded.bin_width, loaded.shrinkage, loaded.objective
    assert chosen == (model.bin_width_, model.shrinkage_, model.objective_)
    assert_array_equal(model.predict(SOME_X), loaded.predict(SOME_X))


@pytest.mark.parametrize("per_channel", [True, False])
@pytest.mark.parametrize("regressor", [None, EnsIRRegressor(64, shrinkage=3)])
@pytest.mark.parametrize("names", [None, ("a", "Ünï", "c")])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16, np.float32])
def test_image_ensemble_comes_back(tmp_path_factory, per_channel, regressor, names, dtype):
    stacks, targets = ([image.astype(dtype) for image in images] for images in scenes())
    model = ImageEnsemble(regressor, per_channel=per_channel).fit(stacks, targets)
    model.model_names_ = names
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model, loaded)
    assert len(loaded.regressors_) == (3 if per_channel else 1)
    for one, other in zip(model.predict(stacks), loaded.predict(stacks), strict=True):
        assert_array_equal(one, other)
    clone(loaded).fit(stacks, targets)


@pytest.mark.parametrize(("axis", "n_channels"), [(None, 1), (0, 2), (-1, 1)])
def test_layout_of_the_channels_comes_back(tmp_path_factory, axis, n_channels):
    stacks, targets = scenes(n_channels)
    if axis is None:
        stacks, targets = [s[..., 0] for s in stacks], [t[..., 0] for t in targets]
    elif axis == 0:
        stacks, targets = [np.moveaxis(s, -1, 1) for s in stacks], [t.T for t in targets]
        targets = [target.swapaxes(1, 2) for target in targets]
    model = ImageEnsemble(channel_axis=axis).fit(stacks, targets)
    loaded = saved_and_loaded(model, tmp_path_factory)
    assert_same(model, loaded)
    for one, other in zip(model.predict(stacks), loaded.predict(stacks), strict=True):
        assert_array_equal(one, other)


def test_image_ensemble_of_cross_validated_estimators_keeps_what_each_channel_chose(
    tmp_path_factory,
):
    stacks, targets = scenes()
    search = EnsIRRegressorCV([32, 64], shrinkages=[10], cv=LeaveOneGroupOut())
    model = ImageEnsemble(search).fit(stacks, targets)
    loaded = saved_and_loaded(model, tmp_path_factory)
    for one, other in zip(model.regressors_, loaded.regressors_, strict=True):
        assert_same(one.best_estimator_, other)
    chosen = model.regressors_[0].best_estimator_
    assert loaded.regressor.get_params() == chosen.get_params()
    for one, other in zip(model.predict(stacks), loaded.predict(stacks), strict=True):
        assert_array_equal(one, other)


def test_file_holds_all_parameters():
    """A new parameter needs a new number of the format."""
    assert set(PARAMS) == set(EnsIRRegressor().get_params())


# ---- the file


def write_format_1(path, model):
    """Write a table as the module's docstring says, by means of json and numpy.save only."""
    header = {
        "format": "skensir lookup table",
        "format_number": 1,
        "skensir": "0.1.0",
        "class": "EnsIRRegressor",
        "ensemble": None,
        "tables": [
            {
                "n_cells": len(model.cells_),
                "n_models": model.n_features_in_,
                "feature_names": None,
                "params": model.get_params(),
            }
        ],
    }
    attributes = ["bin_width_", "cells_", "cell_counts_", "weights_", "cell_origin_", "cell_rmse_"]
    attributes += ["means_", "variances_", "n_iter_", "converged_", "default_weights_"]
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("header.json", json.dumps(header))
        for name in [*attributes, "default_rmse_"]:
            buffer = io.BytesIO()
            np.save(buffer, getattr(model, name), allow_pickle=False)
            archive.writestr(f"0/{name}.npy", buffer.getvalue())


def test_format_1_is_read_whoever_wrote_it(model, tmp_path):
    write_format_1(tmp_path / "table", model)
    assert_same(load_table(tmp_path / "table"), model)


def test_numpy_opens_the_file(model, table_bytes):
    with np.load(io.BytesIO(table_bytes), allow_pickle=False) as file:
        for name, (dtype, _) in ARRAYS.items():
            assert_array_equal(file[f"0/{name}"], getattr(model, name))
            assert file[f"0/{name}"].dtype == dtype


def test_equal_tables_give_equal_files(model, table_bytes, tmp_path):
    save_table(model, tmp_path / "other name")
    assert (tmp_path / "other name").read_bytes() == table_bytes
    save_table(load_table(tmp_path / "other name"), tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == table_bytes


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize("name", ["table", "table.ensir", "table.npz.backup", "n" * 255])
def test_name_of_the_file_is_what_was_asked_for(model, tmp_path, kind, name):
    save_table(model, kind(tmp_path / name))
    assert [file.name for file in tmp_path.iterdir()] == [name]
    assert_same(load_table(kind(tmp_path / name)), model)


@pytest.mark.parametrize("existed", [True, False])
@pytest.mark.parametrize("step", ["fsync", "replace"])
@pytest.mark.parametrize("error", [OSError(errno.ENOSPC, "No space left"), KeyboardInterrupt()])
def test_failed_writing_leaves_what_there_was(model, tmp_path, monkeypatch, existed, step, error):
    path = tmp_path / "table"
    if existed:
        path.write_bytes(b"old")

    def fail(*arguments):
        # By now something has been written beside it, or this test shows nothing.
        assert len(list(tmp_path.iterdir())) == 1 + existed
        raise error

    monkeypatch.setattr(os, step, fail)
    with pytest.raises(type(error)) as caught:
        save_table(model, path)
    if isinstance(error, OSError):
        assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert [file.read_bytes() for file in tmp_path.iterdir()] == [b"old"] * existed


def test_errors_of_the_system_name_the_path(model, tmp_path):
    for path, error in ((tmp_path / "no" / "table", FileNotFoundError), (tmp_path, OSError)):
        with pytest.raises(error) as caught:
            save_table(model, path)
        assert caught.value.filename == str(path)
        with pytest.raises(OSError, match=tmp_path.name):
            load_table(path)
    assert list(tmp_path.iterdir()) == []


# ---- what cannot be saved


class Subclass(EnsIRRegressor):
    """Would come back as its parent."""


def test_what_has_no_table_is_refused(tmp_path):
    stacks, targets = scenes()
    grid = GridSearchCV(EnsIRRegressor(), {"bin_width": [64]})
    for other in (DummyRegressor(), grid, Subclass()):
        with pytest.raises(TypeError, match=type(other).__name__):
            save_table(other.fit(SOME_X, SOME_X[:, 0]), tmp_path / "table")
    ensemble = ImageEnsemble(DummyRegressor()).fit(stacks, targets)
    with pytest.raises(TypeError, match="DummyRegressor"):
        save_table(ensemble, tmp_path / "table")
    for unfitted in (EnsIRRegressor(), EnsIRRegressorCV(), ImageEnsemble()):
        with pytest.raises(NotFittedError):
            save_table(unfitted, tmp_path / "table")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("weights_", lambda weights: weights * 1.1),
        ("weights_", lambda weights: weights[:-1]),
        ("cells_", lambda cells: cells[::-1]),
        ("cell_counts_", lambda counts: -counts),
        ("bin_width", lambda width: -1),
        ("objective", lambda objective: "median"),
        ("verbose", lambda verbose: "yes"),
        ("default_weights", lambda default: [0.5, 0.5]),
    ],
)
def test_altered_model_is_refused_before_it_is_written(model, tmp_path, name, value):
    altered = copy(model)
    setattr(altered, name, value(getattr(model, name)))
    with pytest.raises(ValueError, match=name):
        save_table(altered, tmp_path / "table")
    assert list(tmp_path.iterdir()) == []


# ---- what is not loaded


def assert_refused(path, *words):
    """Check that the file costs one sentence that names it and has these words."""
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as caught:
        load_table(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


def entries_of(data):
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def write_entries(path, entries, compression=zipfile.ZIP_STORED):
    with zipfile.ZipFile(path, "w", compression) as archive:
        for name, data in entries.items():
            archive.writestr(name, data)


def edited(entries, name, edit):
    """Replace an array of a table's entries, or its header, by what `edit` makes of it."""
    if name == "header.json":
        header = json.loads(entries[name])
        return {**entries, name: json.dumps(edit(header) or header).encode()}
    name = f"0/{name}.npy"
    array = np.load(io.BytesIO(entries[name]))
    buffer = io.BytesIO()
    np.save(buffer, edit(array))
    return {**entries, name: buffer.getvalue()}


def put(value, place=0):
    """Return a function that puts a value at some place of an array."""

    def edit(array):
        array = array.copy()
        array.flat[place] = value
        return array

    return edit


def same_cell_twice(cells):
    return np.vstack([cells[:1], cells[:-1]])


@pytest.mark.parametrize(
    ("name", "edit", "words"),
    [
        ("weights_", put(-0.25), "weights_ must lie between zero and one"),
        ("weights_", put(1e308), "weights_ must lie between zero and one"),
        ("weights_", put(np.nan), "weights_ must lie between zero and one"),
        ("weights_", lambda weights: weights * 0.9, "weights_ must sum to one"),
        ("weights_", lambda weights: weights[:, :2], "weights_ must have"),
        ("weights_", lambda weights: weights.astype("f4"), "weights_ must have"),
        ("weights_", lambda weights: weights.astype(">f8"), "weights_ must have"),
        ("weights_", np.asfortranarray, "weights_ must have"),
        ("weights_", lambda weights: weights.astype(object), "weights_ must have"),
        ("default_weights_", put(np.inf), "default_weights_"),
        ("default_weights_", lambda weights: weights * 0.5, "default_weights_ must sum"),
        ("cells_", lambda cells: cells[::-1].copy(), "lexicographic"),
        ("cells_", same_cell_twice, "distinct"),
        ("cells_", put(-(2**63)), "cells_ must lie within"),
        ("cells_", lambda cells: cells * 2.0**40, "cells_ must have"),
        ("cell_origin_", put("invented"), "cell_origin_"),
        ("cell_origin_", put("released"), ""),
        ("cell_counts_", put(-1.0), "cell_counts_"),
        ("cell_counts_", put(np.nan), "cell_counts_"),
        ("cell_rmse_", put(np.inf), "cell_rmse_"),
        ("default_rmse_", put(np.nan), "default_rmse_"),
        ("means_", put(np.nan), "means_"),
        ("variances_", put(-1.0), "variances_"),
        ("n_iter_", put(-1), "n_iter_"),
        ("converged_", lambda flags: np.full(flags.shape, 2, "u1").view(bool), "converged_"),
        ("bin_width_", put(0.0), "bin_width_"),
        ("bin_width_", put(np.nan), "bin_width_"),
    ],
)
def test_array_that_cannot_be_is_refused(table_bytes, tmp_path, name, edit, words):
    write_entries(tmp_path / "table", edited(entries_of(table_bytes), name, edit))
    if words:
        assert_refused(tmp_path / "table", words)
    else:  # the others show nothing if the edited file is refused for how it was edited
        load_table(tmp_path / "table")


def set_field(path, value):
    """Return a function that sets a field of the header, `path` being keys one within another."""

    def edit(header):
        *outer, last = path
        place = header
        for key in outer:
            place = place[key]
        if value is None and last in place:
            del place[last]
        else:
            place[last] = value

    return edit


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["format"], "something else", "skensir lookup table"),
        (["format_number"], "1", "format number"),
        (["format_number"], True, "format number"),
        (["format_number"], 0, "format number"),
        (["skensir"], None, "version"),
        (["class"], "Subclass", "'Subclass'"),
        (["class"], "ImageEnsemble", "'ImageEnsemble'"),
        (["ensemble"], {}, "class"),
        (["surplus"], 1, "no others"),
        (["tables"], [], "surplus"),
        (["tables"], [1, 2], "lacks '1/"),
        (["tables"], [1], "header of a table"),
        (["tables", 0, "n_cells"], 10**12, "must have"),
        (["tables", 0, "n_cells"], 10**100, "cells"),
        (["tables", 0, "n_cells"], -1, "cells"),
        (["tables", 0, "n_models"], 4, "must have"),
        (["tables", 0, "n_models"], 3.0, "n_models"),
        (["tables", 0, "feature_names"], ["a", "b"], "feature_names"),
        (["tables", 0, "feature_names"], ["a", "b", 3], "feature_names"),
        (["tables", 0, "params", "bin_width"], None, "parameters"),
        (["tables", 0, "params", "bin_width"], -3, "bin_width"),
        (["tables", 0, "params", "bin_width"], 10**400, "parameter"),
        (["tables", 0, "params", "bin_width"], [], "bin_width"),
        (["tables", 0, "params", "surplus"], 1, "parameters"),
        (["tables", 0, "params", "default_weights"], [1e308, 1e308, 1e308], "default_weights"),
        (["tables", 0, "params", "default_weights"], {"a": 1}, "parameter"),
        (["tables", 0, "params", "tol"], float("nan"), "tol"),
        (["tables", 0, "params", "verbose"], [1], "verbose"),
    ],
)
def test_header_that_cannot_be_is_refused(table_bytes, tmp_path, path, value, words):
    entries = edited(entries_of(table_bytes), "header.json", set_field(path, value))
    write_entries(tmp_path / "table", entries)
    assert_refused(tmp_path / "table", words)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("n_channels", 2),
        ("n_channels", 0),
        ("n_channels", None),
        ("channel_axis", 3),
        ("pixel_dtype", "float32"),
        ("pixel_dtype", 8),
        ("n_channels", "3"),
        ("per_channel", False),
        ("per_channel", 1),
        ("channel_axis", 0.5),
        ("model_names", ["a", "b"]),
        ("regressor", {"bin_width": 3}),
        ("surplus", 1),
    ],
)
def test_ensemble_header_that_cannot_be_is_refused(tmp_path, field, value):
    save_table(ImageEnsemble(EnsIRRegressor(64)).fit(*scenes()), tmp_path / "table")
    entries = entries_of((tmp_path / "table").read_bytes())
    entries = edited(entries, "header.json", set_field(["ensemble", field], value))
    write_entries(tmp_path / "table", entries)
    assert_refused(tmp_path / "table")


@pytest.mark.parametrize("header", [b"", b"[" * 10**5, b"\xff\xfe", b"[]", b"null", b"1" * 9999])
def test_header_that_is_none_is_refused(table_bytes, tmp_path, header):
    entries = {**entries_of(table_bytes), "header.json": header}
    write_entries(tmp_path / "table", entries)
    assert_refused(tmp_path / "table", "header.json")


def test_file_of_a_later_format_says_who_wrote_it(table_bytes, tmp_path):
    """Whatever else it holds."""
    header = {"format": "skensir lookup table", "format_number": 7, "skensir": "9.8.7", "new": {}}
    write_entries(tmp_path / "table", {"header.json": json.dumps(header), "other": b"data"})
    assert_refused(tmp_path / "table", "'9.8.7'", "format 7", f"{skensir.__version__}", "newer")


def test_missing_and_surplus_entries_are_named(table_bytes, tmp_path):
    entries = entries_of(table_bytes)
    write_entries(tmp_path / "table", {**entries, "0/evil.npy": b""})
    assert_refused(tmp_path / "table", "surplus", "0/evil.npy")
    for name in entries:
        write_entries(tmp_path / "table", {n: data for n, data in entries.items() if n != name})
        assert_refused(tmp_path / "table", name)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"no zip", bytes(10**5)])
def test_other_files_are_refused(tmp_path, content):
    (tmp_path / "table").write_bytes(content)
    assert_refused(tmp_path / "table", "zip")


def test_entry_named_twice_is_refused(table_bytes, tmp_path):
    with zipfile.ZipFile(tmp_path / "table", "w") as archive:
        for name, data in entries_of(table_bytes).items():
            archive.writestr(name, data)
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("header.json", "{}")
    assert_refused(tmp_path / "table", "same name")


def bomb(entries, path):
    """Write entries that inflate to 300 MB."""
    entries = {**entries, "0/weights_.npy": bytes(3 * 10**8)}
    write_entries(path, entries, zipfile.ZIP_DEFLATED)


def overlap(entries, path):
    """Write one entry of 1 MB that 300 names refer to."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in {**entries, "large": bytes(10**6)}.items():
            archive.writestr(name, data)
        for number in range(300):
            again = copy(archive.getinfo("large"))
            again.filename = f"{number}"
            archive.filelist.append(again)


@pytest.mark.parametrize("write", [bomb, overlap])
def test_bomb_is_refused_before_it_inflates(table_bytes, tmp_path, write):
    path = tmp_path / "table"
    write(entries_of(table_bytes), path)
    tracemalloc.start()
    try:
        assert_refused(path)
        assert tracemalloc.get_traced_memory()[1] < 10 * path.stat().st_size
    finally:
        tracemalloc.stop()


@given(st.data())
def test_damaged_file_loads_equal_or_not_at_all(model, table_bytes, tmp_path_factory, data):
    damaged = bytearray(table_bytes)
    for _ in range(data.draw(st.integers(0, 3), label="number of flips")):
        # The directory of the archive is at its end, and has few checksums.
        last = data.draw(st.sampled_from([len(damaged) - 1, 1500]), label="farthest")
        place = len(damaged) - 1 - data.draw(st.integers(0, last), label="place from the end")
        damaged[place] ^= data.draw(st.integers(1, 255), label="bits")
    if data.draw(st.booleans(), label="truncate"):
        del damaged[data.draw(st.integers(0, len(damaged)), label="length") :]
    path = tmp_path_factory.mktemp("damaged") / "table"
    path.write_bytes(damaged)
    try:
        loaded = load_table(path)
    except ValueError:
        assert_refused(path)
        assert bytes(damaged) != table_bytes
    else:
        assert_same(loaded, model)


def test_every_truncated_file_is_refused(table_bytes, tmp_path):
    for length in range(0, len(table_bytes), 61):
        (tmp_path / "table").write_bytes(table_bytes[:length])
        assert_refused(tmp_path / "table")


def test_links_are_followed_and_devices_are_not_replaced(tmp_path):
    """A rename onto /dev/null would put a file into its place, for those who may."""
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "folder" / "target")
    write_whole(link, b"data")
    assert link.is_symlink()
    assert (tmp_path / "folder" / "target").read_bytes() == b"data"
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor() as pool:
        read = pool.submit(pipe.read_bytes)
        write_whole(pipe, b"data")
        assert read.result(timeout=10) == b"data"
    assert pipe.is_fifo()
    with pytest.raises(IsADirectoryError, match="folder"):
        write_whole(tmp_path / "folder", b"data")
