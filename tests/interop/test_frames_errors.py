"""What is wrong with a frame or an argument is said in one sentence that names it."""

import re
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from frames import LIBRARIES, MAKERS, columns_of, duckdb, nw, pa, pl, stacked

from skensir.interop.frames import cell_sums

LAZY = pl.LazyFrame
ASKED = {"bin_width": 32.0, "data_range": 255.0}


def rows(n_rows=100):
    X, y, weight, folds = stacked(n_rows)
    return columns_of(X, y, weight + 1, folds)


@LIBRARIES
@pytest.mark.parametrize("axes", ["predictions", "deviations", "summary"])
@pytest.mark.parametrize("column", ["MPRNet", "y", "truth", "w"])
@pytest.mark.parametrize("value", [None, np.nan, np.inf, -np.inf])
def test_what_is_no_finite_number_is_an_error_that_names_the_column(make, axes, column, value):
    columns, names = rows()
    values = columns[column].tolist()
    values[50] = values[70] = value
    if value is None and make is not pd.DataFrame:
        columns[column] = (
            pa.array(values) if make in (MAKERS["pyarrow"], MAKERS["duckdb"]) else values
        )
    else:
        columns[column] = np.array(values, dtype=float)
    message = rf"frame\['{column}'\] is null, NaN or infinite in 2 rows, must hold finite numbers"
    with pytest.raises(ValueError, match=message):
        cell_sums(make(columns), **names, axes=axes, **ASKED)


@pytest.mark.parametrize("dtype", ["Int64", "Float64", "int64[pyarrow]", "double[pyarrow]"])
@pytest.mark.parametrize("column", ["MPRNet", "truth", "w"])
def test_missing_values_of_pandas_are_an_error_whatever_stands_for_them(dtype, column):
    columns, names = rows()
    frame = pd.DataFrame(columns).round()
    frame[column] = frame[column].astype(dtype)
    cell_sums(frame, **names, **ASKED)
    frame.loc[7, column] = pd.NA
    with pytest.raises(
        ValueError, match=rf"frame\['{column}'\] is null, NaN or infinite in 1 rows"
    ):
        cell_sums(frame, **names, **ASKED)


@LIBRARIES
@pytest.mark.parametrize("weight", [9e-101, 5e-324, 2e100, 1e308])
def test_weights_that_fit_refuses_are_refused_of_frames(make, weight):
    columns, names = rows()
    columns["w"][50] = weight
    allowed = r"must be zero or from 1e-100 to 1e\+100\."
    message = rf"^sample_weight 'w' has {re.escape(str(weight))}, {allowed}"
    with pytest.raises(ValueError, match=message):
        cell_sums(make(columns), **names, **ASKED)


@LIBRARIES
def test_rows_of_wrong_weight_or_none_are_an_error(make):
    columns, names = rows()
    negative = columns | {"w": np.append(columns["w"][1:], -3.0)}
    with pytest.raises(ValueError, match=r"Negative values in sample_weight 'w', such as -3\.0"):
        cell_sums(make(negative), **names, **ASKED)
    message = "frame has no rows of positive sample_weight; at least one is needed"
    with pytest.raises(ValueError, match=message):
        cell_sums(make(columns | {"w": 0 * columns["w"]}), **names, **ASKED)
    empty = {name: column[:0] for name, column in columns.items()}
    with pytest.raises(ValueError, match=message):
        cell_sums(make(empty), **names, **ASKED)
    names = {name: names[name] for name in ("models", "target")}
    with pytest.raises(ValueError, match="frame has no rows; at least one is needed"):
        cell_sums(make(empty), **names, **ASKED)


@LIBRARIES
def test_columns_of_the_wrong_kind_are_an_error(make):
    columns, names = rows()
    text = columns | {"truth": [str(value) for value in columns["truth"]]}
    with pytest.raises(TypeError, match=r"frame\['truth'\] is of type String, must hold numbers"):
        cell_sums(make(text), **names, **ASKED)
    for folds, message in (
        (np.arange(100) + 0.5, r"frame\['fold'\] holds \d+\.5, must be whole numbers or names"),
        (np.append(np.arange(99.0), np.nan), r"frame\['fold'\] holds nan, must be whole"),
        ([*"ab" * 49, "a", None], r"frame\['fold'\] holds (None|nan), must be whole numbers or"),
    ):
        with pytest.raises(ValueError, match=message):
            cell_sums(make(columns | {"fold": folds}), **names, **ASKED)
    dates = columns | {"fold": np.arange(100).astype("M8[us]")}
    with pytest.raises(TypeError, match=r"frame\['fold'\] is of type Datetime.*, must hold whole"):
        cell_sums(make(dates), **names, **ASKED)


@LIBRARIES
@pytest.mark.parametrize("folds", ["float", "categorical", "bool"])
def test_folds_may_be_whole_floats_categories_and_truth_values(make, folds):
    columns, names = rows()
    number = np.arange(100) % 2
    expected = [0, 1]
    if folds == "float":
        columns["fold"] = number.astype(float)
    elif folds == "bool":
        columns["fold"] = number == 1
    else:
        expected = ["a", "b"]
        made = {pd.DataFrame: pd.Categorical, MAKERS["polars"]: pl.Series, LAZY: pl.Series}
        values = np.array(["a", "b"])[number]
        columns["fold"] = made.get(make, pa.array)(values)
        if make in (MAKERS["polars"], LAZY):
            columns["fold"] = columns["fold"].cast(pl.Categorical)
        elif make is not pd.DataFrame:
            columns["fold"] = columns["fold"].dictionary_encode()
    sums = cell_sums(make(columns), **names, **ASKED)
    assert sums.folds == expected
    assert all(
        type(fold) is type(name) for fold, name in zip(sums.folds, expected, strict=True)
    ) or (folds == "bool")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"models": ["MPRNet", "none"]}, r"models names 'none', must be one of the columns \['MPR"),
        ({"models": ["MPRNet", 3]}, "models names 3, must be text"),
        ({"models": []}, "models has no names; at least one is needed"),
        ({"models": ["MPRNet", "y", "MPRNet"]}, "models has 'MPRNet' twice"),
        ({"target": "MPRNet"}, "target == 'MPRNet', must not be one of the models"),
        ({"target": "none"}, "target names 'none', must be one of the columns"),
        ({"sample_weight": "none"}, "sample_weight names 'none', must be one of the columns"),
        ({"folds": "none"}, "folds names 'none', must be one of the columns"),
        ({"bin_width": 0}, "bin_width == 0, must be > 0"),
        ({"bin_width": np.nan}, "bin_width == nan, must be > 0"),
        ({"bin_width": "wide"}, "bin_width == 'wide', must be 'auto' or a number"),
        ({"bin_width": {}}, "bin_width == {}, must have a width"),
        ({"bin_width": {"grey": 3}}, "axes of bin_width == 'grey', must be one of 'predictions'"),
        ({"bin_width": {"summary": -3}}, r"bin_width\['summary'\] == -3, must be > 0"),
        ({"bin_width": {"summary": 3}, "axes": "summary"}, "axes == 'summary', must be 'auto'"),
        ({"axes": "grey"}, "axes == 'grey', must be one of 'predictions'"),
        ({"axes": []}, r"axes == \[\], must be a list of at least one value"),
        ({"axes": [], "folds": None}, r"axes == \[\], must be at least one"),
        ({"data_range": -1}, "data_range == -1, must be > 0"),
        ({"data_range": "auto"}, "data_range == 'auto' takes the range from columns of UInt8 or"),
        ({"objective": "psnr"}, "objective == 'psnr', must be one of 'auto', 'likelihood'"),
        (
            {"objective": "likelihood", "axes": "summary"},
            "objective == 'likelihood' needs axes 'predictions', and they are 'summary'",
        ),
        ({"target_resolution": 0}, "target_resolution == 0, must be > 0"),
        (
            {"target_resolution": 1e-20, "objective": "likelihood", "axes": "predictions"},
            "too large for target_resolution == 1e-20, which must be at least",
        ),
        ({"bin_width": 1e-20}, "bin_width == 1e-20, must be at least"),
    ],
)
def test_arguments_out_of_range_are_an_error(change, message):
    columns, names = rows()
    with pytest.raises(ValueError, match=message):
        cell_sums(LAZY(columns), **ASKED | names | change)


def test_values_too_large_to_square_are_an_error():
    columns, names = rows()
    columns["truth"] = columns["truth"] * 1e160
    with pytest.raises(ValueError, match="is too large: sums of the squares"):
        cell_sums(LAZY(columns), **names, **ASKED)


@pytest.mark.parametrize("frame", [None, "rows.parquet", [1, 2], np.zeros((3, 2)), pl.Series([1])])
def test_what_is_no_frame_is_an_error_that_says_so(frame):
    with pytest.raises(TypeError, match=r"frame is of type .*, must be a data frame or lazy frame"):
        cell_sums(frame, models=["A"], target="truth", bin_width=32.0)
    with pytest.raises(TypeError, match="models == 'A', must be a list of names"):
        cell_sums(LAZY({"A": [1.0]}), models="A", target="truth", bin_width=32.0)


@pytest.mark.parametrize("make", [LAZY, MAKERS["duckdb"]])
def test_rows_stay_in_the_engine(make, monkeypatch):
    """What is collected are groups: those of cells, of places of the truth, and of folds."""
    X, y, weight, folds = stacked(50_000)
    X, y = np.rint(X), np.rint(y)
    collected = []
    collect = nw.LazyFrame.collect

    def counting(self, *arguments, **settings):
        frame = collect(self, *arguments, **settings)
        collected.append(len(frame))
        return frame

    monkeypatch.setattr(nw.LazyFrame, "collect", counting)
    frame = make(columns_of(X, y, weight, folds)[0])
    names = columns_of(X, y, weight)[1]
    asked = {"bin_width": 64.0, "data_range": 255}
    sums = cell_sums(frame, **names, objective="squared_error", **asked)
    [[statistics]] = sums.statistics
    assert collected == [statistics.n_cells]
    collected.clear()
    [[statistics]] = cell_sums(frame, **names, **asked).statistics
    assert collected == [statistics.n_cells, len(statistics.truth.cell)]
    collected.clear()
    asked |= {"folds": "fold", "axes": ("deviations", "predictions")}
    sums = cell_sums(frame, **names, **asked)
    n_cells = [sum(s.n_cells for s in on_axes) for on_axes in zip(*sums.statistics, strict=True)]
    assert collected == [*n_cells, 4]


@pytest.mark.skipif(
    tuple(map(int, pl.__version__.split(".")[:2])) < (1, 23), reason="Polars has no such engine"
)
def test_polars_streams(monkeypatch):
    engines = []
    collect = pl.LazyFrame.collect

    def noting(self, *arguments, **settings):
        engines.append(settings.get("engine"))
        return collect(self, *arguments, **settings)

    monkeypatch.setattr(pl.LazyFrame, "collect", noting)
    columns, names = rows()
    for make in (pl.LazyFrame, pl.DataFrame):
        cell_sums(make(columns), **names, **ASKED)
    assert set(engines) == {"streaming"}


def test_without_narwhals_an_error_says_what_to_install():
    script = (
        "import sys\n"
        "from skensir.interop.frames import cell_sums, to_sql\n"
        "loaded = [name for name in sys.modules if name.startswith('narwhals')]\n"
        "sys.modules.update(dict.fromkeys([*loaded, 'narwhals']))\n"
        "cell_sums({}, models=['A'], target='truth', bin_width=32.0)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], check=False, capture_output=True, text=True, timeout=60
    )
    assert result.stderr.strip().endswith(
        "ModuleNotFoundError: skensir.interop.frames needs narwhals, which is not installed: "
        'pip install "skensir[frames]".'
    )


@pytest.mark.parametrize("name", ["*", "^a$", "^.*$"])
def test_names_that_stand_for_several_columns_are_refused(name):
    frame = pl.DataFrame({name: [1.0, 2.0], "a": [1.0, 2.0], "truth": [1.0, 2.0]})
    with pytest.raises(ValueError, match="which some engines take for several columns: rename it"):
        cell_sums(frame, models=[name, "a"], target="truth", bin_width=1.0, data_range=255)


def test_folds_that_are_predictions_or_truth_are_refused():
    frame = pl.DataFrame({"a": [1, 2], "b": [1, 2], "truth": [1, 2]})
    for folds in ("a", "truth"):
        with pytest.raises(ValueError, match=f"folds == '{folds}', must be neither a model nor"):
            cell_sums(
                *(frame,),
                models=["a", "b"],
                target="truth",
                bin_width=1.0,
                data_range=255,
                folds=folds,
            )


@pytest.mark.parametrize("sign", [-1, 1])
@pytest.mark.parametrize(("weight", "error"), [(1e100, 1e30), (1e80, 1e40), (1.0, 1e80)])
def test_sums_that_leave_the_numbers_are_told_whatever_their_sign(sign, weight, error):
    y = np.arange(20.0)
    columns = {"A": y + sign * error, "B": y + sign * error / 2, "y": y, "w": np.full(20, weight)}
    asked = {"models": ["A", "B"], "target": "y", "sample_weight": "w", "axes": "deviations"}
    with pytest.raises(ValueError, match="sample_weight is too large"):
        cell_sums(pl.DataFrame(columns), **asked, **ASKED)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame(np.ones((4, 3)), columns=["A", "A", "y"]),
        pa.Table.from_arrays([pa.array([1.0, 2.0])] * 3, ["A", "A", "y"]),
    ],
)
def test_columns_of_the_same_name_are_an_error_of_one_sentence(frame):
    with pytest.raises(ValueError, match=r"^frame has several columns 'A', must have columns"):
        cell_sums(frame, models=["A"], target="y", **ASKED)


@pytest.mark.parametrize("twin", ["A", "a"])
def test_columns_that_duckdb_does_not_tell_apart_are_an_error(twin):
    frame = duckdb.sql(f'SELECT 1.0 AS "{twin}", 2.0 AS "A", 2.0 AS "B", 3.0 AS y')
    cell_sums(frame, models=["B"], target="y", **ASKED)
    with pytest.raises(ValueError, match=r"^models names 'A', which DuckDB takes for several"):
        cell_sums(frame, models=["B", "A"], target="y", **ASKED)
