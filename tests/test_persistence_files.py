"""What a table file holds, and what is never written."""

import errno
import io
import os
from copy import copy
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn.dummy import DummyRegressor
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from table_files import assert_same, fit_one, scenes, write_format_1

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._core.table import FIELDS
from skensir.image import ImageEnsemble
from skensir.persistence import load_table, save_table

SOME_X = np.random.default_rng(1).uniform(-99, 400, (500, 3))


@pytest.fixture(scope="module")
def model():
    return fit_one(min_samples_cell=10)


@pytest.fixture(scope="module")
def table_bytes(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "table"
    save_table(model, path)
    return path.read_bytes()


def test_format_1_is_read_whoever_wrote_it(tmp_path):
    model = fit_one(bin_width=32.0, min_samples_cell=10)
    write_format_1(tmp_path / "table", model)
    assert_same(load_table(tmp_path / "table"), model)


def test_numpy_opens_the_file(model, table_bytes):
    with np.load(io.BytesIO(table_bytes), allow_pickle=False) as file:
        for name, (dtype, _) in FIELDS.items():
            assert_array_equal(file[f"0/{name}_"], getattr(model, f"{name}_"))
            assert file[f"0/{name}_"].dtype == dtype


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
        ("verbose", lambda verbose: None),
        ("data_range", lambda given: object()),
        ("data_range_", lambda found: None),
        ("default_weights_", lambda default: None),
        ("cells_", lambda cells: cells.astype(np.float64)),
        ("cells_", lambda cells: cells[0]),
        ("bin_width_", lambda width: "wide"),
        ("ancestor_levels_", lambda levels: None),
    ],
)
def test_altered_model_is_refused_before_it_is_written(model, tmp_path, name, value):
    altered = copy(model)
    setattr(altered, name, value(getattr(model, name)))
    with pytest.raises(ValueError, match=name):
        save_table(altered, tmp_path / "table")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("make", "name", "values"),
    [
        (lambda: EnsIRRegressor().fit(SOME_X, SOME_X[:, 0]), "feature_names_in_", (5, ["a"])),
        (lambda: EnsIRRegressor().fit(SOME_X, SOME_X[:, 0]), "verbose", (None, "yes")),
        (lambda: EnsIRRegressor().fit(SOME_X, SOME_X[:, 0]), "calibration_", (None, object())),
        (lambda: EnsIRRegressorCV().fit(SOME_X, SOME_X[:, 0]), "shares_", (None, ["a"])),
        (lambda: EnsIRRegressorCV().fit(SOME_X, SOME_X[:, 0]), "estimators_", (None, [], [None])),
        (lambda: ImageEnsemble().fit(*scenes()), "regressors_", (None, [], [None])),
        (lambda: ImageEnsemble().fit(*scenes()), "n_channels_", (None, 0)),
        (lambda: ImageEnsemble().fit(*scenes()), "channel_axis", ("last", 7)),
        (lambda: ImageEnsemble().fit(*scenes()), "per_channel", (None,)),
        (lambda: ImageEnsemble().fit(*scenes()), "pixel_dtype_", ("uint8",)),
        (lambda: ImageEnsemble().fit(*scenes()), "model_names_", (5, ["a"])),
    ],
)
def test_what_was_altered_is_named_of_every_kind_of_model(make, name, values, tmp_path):
    model = make()
    for value in values:
        altered = copy(model)
        setattr(altered, name, value)
        with pytest.raises(ValueError, match=rf"^{name}\b") as raised:
            save_table(altered, tmp_path / "table")
        assert str(raised.value).isprintable()
    assert list(tmp_path.iterdir()) == []
