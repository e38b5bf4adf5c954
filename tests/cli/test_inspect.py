"""`skensir inspect`: what it tells of a model file, and the plot."""

import numpy as np
from commands import assert_one_sentence, run

from skensir.image import read_image
from skensir.persistence import load_table


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


def test_a_plot_is_a_png(folders, capfd):
    run("fit", folders[0], "-o", "model")
    assert run("inspect", "model", "--plot", "plot.pdf") == 2
    assert_one_sentence(capfd, "plot.pdf must end in .png")
