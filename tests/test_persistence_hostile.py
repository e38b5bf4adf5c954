"""Damaged and hostile files cost one sentence."""

import json
import tracemalloc
import zipfile

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from table_files import (
    assert_refused,
    assert_same,
    bomb,
    edited,
    entries_of,
    fit_one,
    overlap,
    put,
    scenes,
    set_field,
    write_entries,
)

import skensir
from skensir import EnsIRRegressor
from skensir.image import ImageEnsemble
from skensir.persistence import load_table, save_table


@pytest.fixture(scope="module")
def model():
    return fit_one(min_samples_cell=10)


@pytest.fixture(scope="module")
def table_bytes(model, tmp_path_factory):
    path = tmp_path_factory.mktemp("tables") / "table"
    save_table(model, path)
    return path.read_bytes()


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
