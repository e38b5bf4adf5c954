"""`skensir inspect`: what it tells of a model file, and the plot."""

import re

import numpy as np
import pytest
from commands import assert_one_sentence, run
from image_folders import write_scene
from table_files import scenes

from skensir import EnsIRRegressor
from skensir.image import read_image
from skensir.persistence import load_table, save_table


def test_inspect_tells_occupancy_weights_and_origins(folders, capsys):
    train, _ = folders
    run("fit", train, "-o", "model")
    capsys.readouterr()
    assert run("inspect", "model", "--plot", "plot.png") == 0
    printed = capsys.readouterr().out
    tables = load_table("model").regressors_
    assert "3 tables of alpha, beta, gamma" in printed
    assert printed.count("2,864 rows") == 3  # 40 * 32 + 36 * 44 pixels
    for number, table in enumerate(tables):
        lines = printed.split(f"channel {number}")[1].split("channel")[0]
        assert f"{len(table.cells_)} occupied cells" in lines
        for origin in ("fitted", "thin"):
            count = np.count_nonzero(table.cell_origin_ == origin)
            assert f"  {origin}: {count} cell" in lines
        assert f"at most {table.n_iter_.max()}" in lines
        mean = np.average(table.weights_[:, 1], weights=table.cell_counts_)
        assert f"beta          {mean:.3f}" in lines
    assert read_image("plot.png").shape[1] == 800


def test_inspect_tells_of_each_table_that_is_averaged(in_tmp_path, capsys):
    # Noise that is the same everywhere tells neither kind of axes from the other.
    for number, (stack, target) in enumerate(zip(*scenes(), strict=True)):
        parts = zip(("alpha", "beta", "gamma"), stack, strict=True)
        images = {"gt": target.astype(np.uint8), "lq": stack[2], **dict(parts)}
        write_scene(in_tmp_path / "train", number, images)
    run("fit", "train", "-o", "model", "--cv")
    capsys.readouterr()
    assert run("inspect", "model", "--plot", "plot.png") == 0
    printed = capsys.readouterr().out
    tables = [
        (f"{number}, share {share:.1%}", table)
        for number, regressor in enumerate(load_table("model").regressors_)
        for share, table in zip(regressor.shares_, regressor.estimators_, strict=True)
    ]
    n_tables = len(tables)
    assert n_tables > 3
    assert f"{n_tables} tables of alpha, beta, gamma, input" in printed
    assert "'input' is the image before restoration" in printed
    parts = re.split(r"\nchannel ", printed)[1:]
    for text, (title, table) in zip(parts, tables, strict=True):
        assert text.startswith(f"{title}: bin width {table.bin_width_:g}")
        assert ("on deviations from the mean" in text) == (table.axes_ == "deviations")
        assert f"{len(table.cells_)} occupied cell" in text
        assert f"{len(table.ancestor_levels_)} wider cell" in text
        assert f"up to {table.ancestor_levels_.max()} times" in text
        mean = np.average(table.weights_[:, 3], weights=table.cell_counts_)
        assert f"input         {mean:.3f}" in text
        assert "drawn to wider cells, " in text
        assert "shrinkage" not in text  # of which there are several
    assert read_image("plot.png").shape[0] == round(100 * (2.6 * n_tables + 0.4))


@pytest.mark.parametrize("axes", ["predictions", "deviations", "summary"])
@pytest.mark.parametrize("positive", [True, False])
def test_every_table_can_be_inspected(in_tmp_path, capsys, axes, positive):
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 2000)
    X = y[:, np.newaxis] + rng.normal(size=(2000, 3)) * [3, 5, 9] + [0, 2, 4]
    table = EnsIRRegressor(
        32, axes=axes, objective="squared_error", positive=positive, fit_intercept=True
    )
    save_table(table.fit(X, y), "model")
    assert run("inspect", "model", "--plot", "plot.png") == 0
    first = capsys.readouterr().out.splitlines()[2]
    assert ("signed weights" in first) == (not positive)
    assert "shrinkage 0, " in first
    assert first.endswith("with intercepts")
    assert read_image("plot.png").shape == (300, 800, 3)


def test_a_plot_is_a_png(folders, capfd):
    run("fit", folders[0], "-o", "model")
    assert run("inspect", "model", "--plot", "plot.pdf") == 2
    assert_one_sentence(capfd, "plot.pdf must end in .png")
