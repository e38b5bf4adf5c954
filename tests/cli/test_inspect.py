"""`skensir inspect`: what it tells of a model file, and the plot."""

import itertools
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from commands import assert_one_sentence, run
from image_folders import make_folder, write_scene
from table_files import scenes

from skensir import EnsIRRegressor
from skensir.cli.weight_plot import Panel, draw_weights, group_cells
from skensir.image import ImageEnsemble, ReferenceSet, read_image
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
    parts = re.split(r"\n(red|green|blue): ", printed)
    assert parts[1::2] == ["red", "green", "blue"]
    for lines, table in zip(parts[2::2], tables, strict=True):
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
        (f"{channel}, share {share:.1%}", table)
        for channel, regressor in zip(
            ("red", "green", "blue"), load_table("model").regressors_, strict=True
        )
        for share, table in zip(regressor.shares_, regressor.estimators_, strict=True)
    ]
    n_tables = len(tables)
    assert n_tables > 3
    assert f"{n_tables} tables of alpha, beta, gamma, input" in printed
    assert "'input' is the image before restoration" in printed
    parts = re.split(r"\n(?=red|green|blue)", printed)[1:]
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
    height, width = read_image("plot.png").shape[:2]  # a row per channel
    n_columns = max(len(regressor.shares_) for regressor in load_table("model").regressors_)
    assert (height, width) == (round(100 * (2.6 * 3 + 0.4)), 500 * n_columns)


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


def test_channels_have_names(in_tmp_path, capsys):
    for colour, found in ((True, ("red: ", "green: ", "blue: ")), (False, ("grey: ",))):
        run("fit", make_folder(in_tmp_path / f"set-{colour}", colour=colour), "-o", "model")
        capsys.readouterr()
        assert run("inspect", "model") == 0
        printed = capsys.readouterr().out
        assert tuple(re.findall(r"^\w+: (?=bin)", printed, flags=re.MULTILINE)) == found
    scenes = ReferenceSet(in_tmp_path / "set-True")
    one = ImageEnsemble(EnsIRRegressor(64), per_channel=False)
    save_table(one.fit(scenes.predictions, scenes.targets), "model")
    assert run("inspect", "model") == 0
    assert "\nall channels: bin width 64" in capsys.readouterr().out


@pytest.mark.parametrize("axes", ["predictions", "deviations", "summary"])
@pytest.mark.parametrize("bin_width", [2, 32])
def test_the_plot_shows_the_mean_weight_of_the_rows(axes, bin_width):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 6000)
    X = np.clip(np.rint(y[:, np.newaxis] + rng.normal(size=(6000, 3)) * [3, 5, 9]), 0, 255)
    table = EnsIRRegressor(bin_width, axes=axes, objective="squared_error", min_samples_cell=1)
    weights = table.fit(X, y).predict_weights(X)
    groups = group_cells(table)
    n_groups = len(groups.edges) - 1
    assert 1 <= n_groups <= 33
    assert groups.shares.sum() == pytest.approx(1)
    # Over all groups they are those of the rows, one by one.
    inside = groups.shares > 0
    mean = groups.shares[inside] @ groups.weights[inside]
    np.testing.assert_allclose(mean, weights.mean(axis=0), atol=1e-12)
    # A row lies in the group of its cell: at most a bin from where it would be by itself.
    place = X.mean(axis=1)
    if axes == "deviations":
        place = np.abs(X - X.mean(axis=1, keepdims=True)).max(axis=1)
    for number in np.flatnonzero(groups.shares > 0.02):
        low, high = groups.edges[number] - bin_width, groups.edges[number + 1] + bin_width
        assert groups.shares[number] <= np.mean((place >= low) & (place <= high))
    np.testing.assert_allclose(groups.weights[inside].sum(axis=1), 1)


def test_groups_of_dark_and_bright_show_who_is_trusted_there():
    """One model is right where it is dark, the other where it is bright."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 20000)
    noise = rng.normal(0, 6, 20000)
    X = np.stack([y + noise * (y >= 128), y + noise * (y < 128)], axis=1)
    groups = group_cells(EnsIRRegressor(8, objective="squared_error").fit(X, y))
    dark, bright = groups.weights[groups.edges[:-1] < 96], groups.weights[groups.edges[:-1] >= 160]
    assert np.nanmin(dark[:, 0]) > 0.9
    assert np.nanmin(bright[:, 1]) > 0.9


def test_a_plot_without_matplotlib_says_which_extra_has_it(folders, monkeypatch, capfd):
    run("fit", folders[0], "-o", "model")
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    assert run("inspect", "model", "--plot", "plot.png") == 2
    assert_one_sentence(capfd, r'needs matplotlib, which is not .* pip install "skensir\[plot\]"')
    with pytest.raises(SystemExit):
        run("inspect", "--help")
    assert "needs skensir[plot]" in " ".join(capfd.readouterr().out.split())


def test_a_plot_is_a_png(folders, capfd):
    run("fit", folders[0], "-o", "model")
    assert run("inspect", "model", "--plot", "plot.pdf") == 2
    assert_one_sentence(capfd, "plot.pdf must end in .png")


def test_names_in_a_file_cannot_steer_the_terminal(folders, capsys):
    train, _ = folders
    run("fit", train, "-o", "model")
    ensemble = load_table("model")
    ensemble.model_names_ = ("\x1b[31mred", "two\nlines", "caf\xe9 \u202e")
    save_table(ensemble, "model")
    capsys.readouterr()
    assert run("inspect", "model") == 0
    printed = capsys.readouterr().out
    assert "3 tables of \\x1b[31mred, two\\nlines, caf\xe9 \\u202e" in printed
    assert run("inspect", "\x1b[31mabsent") == 2
    assert capsys.readouterr().err == "skensir: \\x1b[31mabsent: No such file or directory.\n"


@pytest.mark.parametrize("unit", [1e-9, 1 / 3, 257, 1e6 / 7])
@pytest.mark.parametrize("n_columns", [1, 3])
def test_no_label_of_the_plot_lies_on_another(unit, n_columns):
    y = np.linspace(0, 255, 500) * unit
    table = EnsIRRegressor(bin_width=8 * unit).fit(y[:, None] + unit * np.sin([3 * y, y]).T, y)
    panels = [Panel(table, "a table", (0, column)) for column in range(n_columns)]
    figure = draw_weights(panels, ["alpha", "beta"])
    figure.draw_without_rendering()
    for ax in figure.axes:
        texts = [text for text in ax.get_xticklabels() if text.get_visible() and text.get_text()]
        boxes = [text.get_window_extent() for text in texts]
        assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))
    assert len(boxes) >= 4


def test_a_single_row_is_told_as_one(in_tmp_path, capsys):
    write_scene(Path("one"), "1", dict.fromkeys(("a", "b", "gt"), np.full((1, 1), 9, np.uint8)))
    assert run("fit", "one", "-o", "model") == 0
    capsys.readouterr()
    assert run("inspect", "model") == 0
    assert "1 occupied cell of 1 that its bins make; 1 row\n" in capsys.readouterr().out
