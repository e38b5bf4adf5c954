"""Which numbers of a table are the best, and what the columns of several test sets hold."""

import math
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir.comparison.tables import (
    MEASURES,
    Mark,
    Row,
    columns_of,
    mean_rows,
    rank,
    results_table,
    scene_tables,
    short_names,
)

numbers = st.one_of(
    st.none(), st.sampled_from([math.nan, math.inf]), st.floats(0, 3).map(lambda x: round(x, 4))
)


@given(st.lists(numbers, max_size=6), st.sampled_from(["psnr", "lpips", "seconds_fit"]))
def test_marks_are_those_of_a_slow_search_over_what_is_shown(values, key):
    names = [f"model {n}" for n in range(len(values))]
    measure = MEASURES[key]
    found = rank(names, values, measure)
    shown = {n: f"{v:.{measure.digits}f}" for n, v in enumerate(values) if v is not None}
    shown = {n: float(text) for n, text in shown.items() if text != "nan"}
    sign = {"psnr": 1, "lpips": -1, "seconds_fit": 0}[key]
    for n, mark in enumerate(found):
        better = {sign * v for v in shown.values() if sign * v > sign * shown.get(n, math.nan)}
        if n not in shown or sign == 0 or len(shown) == 1:
            assert mark == Mark.NONE
        else:
            assert mark == {0: Mark.BEST, 1: Mark.SECOND}.get(len(better), Mark.NONE)


def test_the_oracle_is_no_competitor():
    measure = MEASURES["psnr"]
    assert rank(["a", "Oracle", "b"], [30, 50, 31], measure) == [
        Mark.SECOND,
        Mark.NONE,
        Mark.BEST,
    ]
    assert rank(["a", "Oracle"], [30, 50], measure) == [Mark.NONE, Mark.NONE]


def test_a_table_of_the_paper_has_its_marks():
    """Table 4, GoPro and HIDE; its best numbers are bold there as well."""
    psnr = {"Restormer": (32.918, 31.221), "HGBT": (33.323, 31.583), "Average": (33.330, 31.579)}
    psnr |= {"ZZPM": (33.332, 31.580), "EnsIR": (33.345, 31.590)}
    sets = {
        name: [Row(model, values[n], 0.9) for model, values in psnr.items()]
        for n, name in enumerate(("GoPro", "HIDE"))
    }
    table = results_table(sets)
    assert table.groups == ["GoPro", "GoPro", "HIDE", "HIDE", "Mean", "Mean"]
    assert table.heads == ["PSNR (dB)", "SSIM"] * 3
    marks = {name: [cell.mark for cell in cells][::2] for name, cells in table.rows}
    assert marks["EnsIR"] == [Mark.BEST] * 3
    assert marks["ZZPM"] == [Mark.SECOND, Mark.NONE, Mark.SECOND]
    assert marks["HGBT"] == [Mark.NONE, Mark.SECOND, Mark.NONE]


def test_the_mean_is_that_of_the_sets_where_all_have_a_number():
    sets = {
        "A": [Row("x", 30.0, 0.5, 1.0, 2.0), Row("y", math.inf, 0.6)],
        "B": [Row("Input", 20.0, 0.1), Row("x", 33.0, 0.7, 1.0, 4.0), Row("y", 31.0, 0.8)],
    }
    assert mean_rows(sets) == [
        Row("Input"),
        Row("x", 31.5, 0.6, 1.0, 3.0),
        Row("y", math.inf, pytest.approx(0.7)),
    ]
    columns = columns_of(sets)
    assert columns["A", "psnr"] == [None, 30.0, math.inf]
    assert columns["mean", "psnr"] == [None, 31.5, math.inf]
    assert columns["", "seconds_image"] == [None, 3.0, None]
    assert [of_set for of_set, _ in columns] == ["A", "A", "B", "B", "mean", "mean", "", ""]


def test_a_single_set_has_its_own_numbers_and_no_mean():
    rows = [Row("x", 30.123456789, 0.5), Row("y", 31.0, 0.25)]
    assert mean_rows({"A": rows}) == rows
    assert set(results_table({"A": rows}).groups) == {""}


def test_measures_that_nobody_has_are_no_columns():
    assert results_table({"": [Row("x", 30.0, 0.5)]}).heads == ["PSNR (dB)", "SSIM"]
    heads = results_table({"": [Row("x", 30.0, 0.5, lpips=0.1, dists=0.2)]}).heads
    assert heads == ["PSNR (dB)", "SSIM", "LPIPS", "DISTS"]


def test_scenes_are_compared_each_by_itself_and_so_are_their_means():
    scores = {
        "1": {"a": {"psnr": 30.0, "lpips": 0.3}, "b": {"psnr": 31.0, "lpips": 0.2}},
        "2": {"a": {"psnr": 40.0, "lpips": 0.1}, "b": {"psnr": 31.0, "lpips": 0.2}},
    }
    psnr, lpips = scene_tables({"": scores})
    assert (psnr.corner, lpips.corner) == ("PSNR (dB)", "LPIPS")
    assert [name for name, _ in psnr.rows] == ["1", "2", "mean"]
    best = [[cell.mark == Mark.BEST for cell in cells] for _, cells in psnr.rows]
    assert best == [[False, True], [True, False], [True, False]]
    assert [cell.mark for cell in lpips.rows[-1][1]] == [Mark.BEST] * 2
    assert [cell.text for cell in psnr.rows[-1][1]] == [f"{np.mean([30, 40]):.3f}", "31.000"]
    corners = [table.corner for table in scene_tables({"A": scores, "B": scores})]
    assert corners == ["A, PSNR (dB)", "A, LPIPS", "B, PSNR (dB)", "B, LPIPS"]


def test_one_image_a_scene_has_one_table_and_nothing_to_compare():
    scores = {"1": {"a": {"psnr": 30.0, "ssim": 0.3}}, "mean": {"a": {"psnr": 32.0, "ssim": 0.2}}}
    [table] = scene_tables({"": scores})
    assert [name for name, _ in table.rows] == ["1", "mean", "mean"]
    assert [cell.text for cell in table.rows[-1][1]] == ["31.000", "0.2500"]
    assert {cell.mark for _, cells in table.rows for cell in cells} == {Mark.NONE}


@pytest.mark.parametrize(
    ("paths", "names"),
    [
        (["/data/Rain100H"], ["Rain100H"]),
        (["/data/Rain100H/", "/data/Rain100L"], ["Rain100H", "Rain100L"]),
        (["/x/H/test", "/x/L/test", "/x/one"], ["H/test", "L/test", "one"]),
        (["/x/Mean"], ["x/Mean"]),
    ],
)
def test_names_are_the_shortest_that_differ(paths, names):
    assert short_names([Path(path) for path in paths], reserved={"mean"}) == names


def test_a_folder_that_is_given_twice_is_a_mistake(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match="a is given twice"):
        short_names([Path("a"), tmp_path / "a"])
