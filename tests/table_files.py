"""Writers of table files, sound and damaged, and what must become of such files."""

import io
import json
import zipfile
from copy import copy

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator

from skensir import EnsIRRegressor
from skensir.persistence import load_table

PARAMS_OF_FORMAT_1 = (
    *("bin_width", "objective", "shrinkage", "default_weights", "min_samples_cell"),
    *("variance_center", "max_iter", "tol", "reg_var", "target_resolution", "verbose"),
)


def scenes(n_channels=3, seed=0):
    """Make two images of three models and their truth, 8 bits."""
    rng = np.random.default_rng(seed)
    targets = [rng.integers(0, 256, (20, 30, n_channels)) for _ in range(2)]
    noise = np.array([1, 3, 6]).reshape(-1, 1, 1, 1)
    stacks = [t + noise * rng.standard_normal((3, *t.shape)) for t in targets]
    return [np.clip(np.rint(s), 0, 255).astype(np.uint8) for s in stacks], targets


def fit_one(**params):
    (stack, _), (target, _) = scenes()
    return EnsIRRegressor(**params).fit(stack.reshape(3, -1).T, target.ravel())


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


def assert_refused(path, *words):
    """Check that the file costs one sentence that names it and has these words."""
    with pytest.raises(ValueError, match=r"\A[^\n]+\Z") as caught:
        load_table(path)
    for word in (str(path), *words):
        assert word in str(caught.value)


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
                "params": {name: getattr(model, name) for name in PARAMS_OF_FORMAT_1},
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
