"""The commands for folders of images, from the command line."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir import _files as files_module
from skensir.cli import main
from skensir.image import (
    ImageEnsemble,
    ReferenceSet,
    peak_signal_noise_ratio,
    read_image,
    structural_similarity,
    write_image,
)
from skensir.persistence import load_table

MODELS = ("alpha", "beta", "gamma")
SIZES = {"9": (40, 32), "10": (36, 44)}


def make_folder(folder, dtype=np.uint8, *, colour=True, seed=0, sizes=SIZES):
    """Write scenes whose best model depends on the value, and return the folder."""
    rng = np.random.default_rng(seed)
    peak = np.iinfo(dtype).max
    for name, size in sizes.items():
        shape = (*size, 3) if colour else size
        truth = rng.integers(0, 256, shape)
        images = {"gt": truth, "lq": truth + rng.normal(0, 20, shape)}
        for number, model in enumerate(MODELS):
            spread = 2 + 8 * np.abs(truth / 255 - number / 2)
            images[model] = truth + spread * rng.standard_normal(shape)
        for part, image in images.items():
            (folder / part).mkdir(parents=True, exist_ok=True)
            scaled = np.clip(np.rint(image * (peak / 255)), 0, peak).astype(dtype)
            write_image(folder / part / f"{name}.png", scaled)
    return folder


def run(*arguments):
    return main([str(argument) for argument in arguments])


@pytest.fixture
def in_tmp_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def folders(in_tmp_path):
    return make_folder(in_tmp_path / "train"), make_folder(in_tmp_path / "test", seed=1)


def fit_in_python(folder, regressor):
    scenes = ReferenceSet(folder, MODELS)
    return ImageEnsemble(regressor).fit(scenes.predictions, scenes.targets)


@pytest.mark.parametrize(
    ("options", "regressor"),
    [
        ([], EnsIRRegressor()),
        (["--bin-width", "64", "--shrinkage", "9"], EnsIRRegressor(64, shrinkage=9)),
        (["--objective", "squared_error"], EnsIRRegressor(objective="squared_error")),
        (["--published"], EnsIRRegressor(32, **REFERENCE_PARAMS)),
        (["--cv"], EnsIRRegressorCV(cv=LeaveOneGroupOut())),
        (
            ["--cv", "--objective", "likelihood"],
            EnsIRRegressorCV(objectives=("likelihood",), cv=LeaveOneGroupOut()),
        ),
    ],
)
def test_fit_predict_and_evaluate_do_what_python_does(folders, capsys, options, regressor):
    train, test = folders
    assert run("fit", train, "-o", "model", *options) == 0
    assert run("predict", "model", test, "-o", "out") == 0
    assert run("predict", "model", test, "-o", "fine", "--bits", "16") == 0
    expected = fit_in_python(train, regressor)
    scenes = ReferenceSet(test, MODELS)
    for name, image in zip(scenes.names, expected.predict(scenes.predictions), strict=True):
        eight, sixteen = read_image(Path("out", f"{name}.png")), read_image(f"fine/{name}.png")
        np.testing.assert_array_equal(eight, np.rint(image).astype(np.uint8))
        np.testing.assert_array_equal(sixteen, np.rint(257 * image).astype(np.uint16))

    capsys.readouterr()
    for folder, channel, border in (("out", "luma", 3), ("fine", "rgb", 0)):
        arguments = ["--channel", channel, "--crop-border", border, "--json"]
        assert run("evaluate", folder, test / "gt", *arguments) == 0
        found = json.loads(capsys.readouterr().out)
        psnr, ssim = [], []
        for name, target in zip(scenes.names, scenes.targets, strict=True):
            image = read_image(Path(folder, f"{name}.png")) / (257 if folder == "fine" else 1)
            convention = {"channel": channel, "crop_border": border}
            psnr.append(peak_signal_noise_ratio(target, image, **convention))
            ssim.append(structural_similarity(target, image, **convention))
        assert [scene["name"] for scene in found["scenes"]] == ["9", "10"]
        assert [scene["psnr"] for scene in found["scenes"]] == pytest.approx(psnr, rel=1e-12)
        assert found["mean"] == pytest.approx({"psnr": np.mean(psnr), "ssim": np.mean(ssim)})
        assert run("evaluate", folder, test / "gt", *arguments[:-1]) == 0
        assert f"{np.mean(psnr):.3f}  {np.mean(ssim):.4f}" in capsys.readouterr().out


def test_16_bits_stay_16_bits_and_can_be_compared_with_8(in_tmp_path, capsys):
    folder = make_folder(in_tmp_path / "deep", np.uint16)
    assert run("fit", folder, "-o", "model", "--bin-width", "8192") == 0
    assert run("predict", "model", folder, "-o", "out") == 0
    expected = fit_in_python(folder, EnsIRRegressor(8192))
    scenes = ReferenceSet(folder, MODELS)
    for name, image in zip(scenes.names, expected.predict(scenes.predictions), strict=True):
        np.testing.assert_array_equal(read_image(f"out/{name}.png"), np.rint(image))
    assert run("predict", "model", folder, "-o", "coarse", "--bits", "8") == 0
    capsys.readouterr()
    psnr = []
    for output in ("out", "coarse"):
        assert run("evaluate", output, folder / "gt", "--json") == 0
        psnr.append(json.loads(capsys.readouterr().out)["mean"]["psnr"])
    assert psnr[0] == pytest.approx(psnr[1], abs=0.1)


def test_16_bits_have_bins_of_16_bits(in_tmp_path):
    deep = make_folder(in_tmp_path / "deep", np.uint16)
    assert run("fit", deep, "-o", "model") == 0
    [*tables] = load_table("model").regressors_
    assert [table.bin_width_ for table in tables] == [32 * 257] * 3


def test_names_that_begin_alike_are_sorted(in_tmp_path):
    folder = make_folder(in_tmp_path / "set", sizes={"img": (20, 16), "img2": (20, 16)})
    (folder / "alpha").rename(folder / "beta2")
    assert run("fit", folder, "-o", "model") == 0
    assert ReferenceSet(folder).names == ("img", "img2")
    assert ReferenceSet(folder).models == ("beta", "beta2", "gamma")


def test_scenes_of_one_folder_do_not_end_up_in_another(folders, capfd):
    """Neither by the names of models nor by the name of the output."""
    train, test = folders
    outside = make_folder(Path("outside").absolute())
    for name in (outside / "alpha", "../outside/alpha", ".."):
        assert run("fit", train, "-o", "model", "--models", "alpha", name) == 2
        assert_one_sentence(capfd, "must be names of sub-folders of .*train")
    run("fit", train, "-o", "model")
    before = {path: path.read_bytes() for path in test.rglob("*.png")}
    inside = (test, test / "alpha", test / "beta" / ".." / "beta", test / "gt", test / "new")
    for output in inside:
        assert run("predict", "model", test, "-o", output) == 2
        assert_one_sentence(capfd, "is in .*test, which is read; name a folder outside of it")
    (Path("out") / "9.png").mkdir(parents=True)
    assert run("predict", "model", test, "-o", "out") == 2
    assert_one_sentence(capfd, "out/9.png is a folder, where an image is to be written")
    assert sorted(path.name for path in Path("out").iterdir()) == ["9.png"]
    assert {path: path.read_bytes() for path in test.rglob("*.png")} == before


def test_images_of_another_kind_are_named(folders, capfd):
    train, _ = folders
    run("fit", train, "-o", "model")
    deep = make_folder(Path("deep").absolute(), np.uint16)
    grey = make_folder(Path("grey").absolute(), colour=False)
    for folder, message in ((deep, "uint16, must be uint8"), (grey, "have shape")):
        assert run("predict", "model", folder, "-o", "out") == 2
        assert_one_sentence(capfd, rf"Scene '9' \(.*{folder.name}/alpha/9.png, .*{message}")


def test_floats_from_0_to_1_are_refused(folders, capfd):
    train, test = folders
    run("fit", train, "-o", "model")
    for path in test.rglob("*.png"):
        # The first scene is on the right scale: each of them is checked.
        scale = 1 if path.stem == "9" else 255
        np.save(path.with_suffix(".npy"), read_image(path) / scale)
        path.unlink()
    for command in (
        ["fit", test, "-o", "other"],
        ["predict", "model", test, "-o", "out"],
        ["evaluate", test / "alpha", test / "gt"],
        ["compare", test, test, "--no-trees"],
    ):
        assert run(*command) == 2
        assert_one_sentence(capfd, "has floats from 0 to 1; .* multiply them by 255")


def test_a_plot_is_a_png(folders, capfd):
    run("fit", folders[0], "-o", "model")
    assert run("inspect", "model", "--plot", "plot.pdf") == 2
    assert_one_sentence(capfd, "plot.pdf must end in .png")


def test_equal_images_are_json_too(folders, capsys):
    _, test = folders
    assert run("evaluate", test / "gt", test / "gt", "--json") == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["mean"] == {"psnr": None, "ssim": 1.0}


def test_a_reader_who_has_had_enough_is_no_mistake(folders):
    _, test = folders
    command = f"{sys.executable} -m skensir.cli evaluate {test}/alpha {test}/gt | true"
    done = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True)
    assert done.stderr == b""


def test_grey_images_are_fitted_and_predicted(in_tmp_path):
    folder = make_folder(in_tmp_path / "grey", colour=False)
    assert run("fit", folder, "-o", "model") == 0
    assert run("predict", "model", folder, "-o", "out", "--weight-maps") == 0
    assert read_image("out/9.png").shape == SIZES["9"]


def test_a_single_scene_can_be_cross_validated(folders):
    train, _ = folders
    for path in train.glob("*/10.png"):
        path.unlink()
    assert run("fit", train, "-o", "model", "--cv") == 0
    expected = fit_in_python(train, EnsIRRegressorCV())
    for table, other in zip(load_table("model").regressors_, expected.regressors_, strict=True):
        np.testing.assert_array_equal(table.weights_, other.best_estimator_.weights_)


def test_weight_maps_are_the_weights_of_the_models(folders):
    train, test = folders
    run("fit", train, "-o", "model")
    assert run("predict", "model", test, "-o", "out", "--weight-maps") == 0
    scenes = ReferenceSet(test, MODELS)
    weights = load_table("model").predict_weights(scenes.predictions)
    for name, of_scene in zip(scenes.names, weights, strict=True):
        for model, weight in zip(MODELS, of_scene, strict=True):
            found = read_image(Path("out", "weight_maps", model, f"{name}.png"))
            np.testing.assert_array_equal(found, np.rint(255 * weight.mean(axis=-1)))


def test_the_models_keep_the_order_of_fit_wherever_they_lie(folders):
    train, test = folders
    run("fit", train, "-o", "model", "--models", "gamma", "alpha", "beta")
    (test / "delta").mkdir()  # not a model of this file
    assert run("predict", "model", test, "-o", "out") == 0
    scenes = ReferenceSet(test, ("gamma", "alpha", "beta"))
    for name, image in zip(
        scenes.names, load_table("model").predict(scenes.predictions), strict=True
    ):
        np.testing.assert_array_equal(read_image(f"out/{name}.png"), np.rint(image))


def test_padded_images_are_cropped_where_it_is_asked_for(folders, capsys):
    train, test = folders
    for folder in folders:
        padded = np.pad(read_image(folder / "beta/9.png"), [(0, 3), (0, 5), (0, 0)])
        write_image(folder / "beta/9.png", padded)
    assert run("fit", train, "-o", "model") == 2
    message = capsys.readouterr().err
    assert "beta/9.png has 43 x 37 pixels" in message
    assert "--crop" in message
    assert run("fit", train, "-o", "model", "--crop") == 0
    assert run("predict", "model", test, "-o", "out", "--crop") == 0
    assert read_image("out/9.png").shape == (*SIZES["9"], 3)


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


MISTAKES = {
    "a missing scene": (
        lambda folder: (folder / "beta/9.png").unlink(),
        r"train/beta has no image of the scene '9', of which there is .*train/.*/9.png",
    ),
    "sizes that differ": (
        lambda folder: write_image(folder / "gt/10.png", np.zeros((36, 40, 3), np.uint8)),
        r"alpha/10.png, ..., .*gt/10.png\): each prediction has .*36, 44, 3.*target .*36, 40, 3",
    ),
    "grey among colour": (
        lambda folder: write_image(folder / "beta/10.png", np.zeros((36, 44), np.uint8)),
        r"beta/10.png is grey",
    ),
    "an unreadable file": (
        lambda folder: (folder / "gamma/9.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense"),
        r"gamma/9.png cannot be read",
    ),
    "16 bits among 8": (
        lambda folder: write_image(folder / "beta/9.png", np.zeros((40, 32, 3), np.uint16)),
        r"beta/9.png is uint16, but .*alpha/9.png is uint8",
    ),
    "no truth": (
        lambda folder: (folder / "gt").rename(folder / "truth"),
        r"train has no sub-folder 'gt'",
    ),
}


def assert_one_sentence(capfd, message):
    """Check what the user sees: one line that says it, no traceback."""
    import re

    printed = capfd.readouterr()
    lines = [line for line in printed.err.splitlines() if line.startswith("skensir: ")]
    assert len(lines) == 1
    assert re.search(message, lines[0]), lines[0]
    assert "Traceback" not in printed.err
    assert "Error" not in lines[0]
    assert lines[0].endswith(".")


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_file(folders, capfd, mistake):
    train, _ = folders
    make, message = MISTAKES[mistake]
    make(train)
    before = set(Path().rglob("*"))
    assert run("fit", train, "-o", "model") == 2
    assert_one_sentence(capfd, message)
    assert set(Path().rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["fit", "nowhere", "-o", "model"], "nowhere is not a folder"),
        (["fit", "train", "-o", "nowhere/model"], "nowhere is not a folder, so model cannot"),
        (["fit", "train", "-o", "train"], "train is a folder; give the name of a file"),
        (["fit", "train", "-o", "m", "--models", "alpha", "eta"], "no sub-folder 'eta'.*has alpha"),
        (["fit", "train", "-o", "m", "--cv", "--bin-width", "8"], "--bin-width does not fit"),
        (["fit", "train", "-o", "m", "--published", "--shrinkage", "8"], "--shrinkage does not"),
        (["fit", "train", "-o", "m", "--bin-width", "-3"], "bin_width == -3.0, must be > 0"),
        (["predict", "train/gt/9.png", "test", "-o", "out"], "Cannot read train/gt/9.png"),
        (["predict", "nowhere", "test", "-o", "out"], "nowhere: No such file"),
        (["predict", "model", "test/gt", "-o", "out"], "test/gt has no sub-folder 'alpha'"),
        (["predict", "model", "test", "-o", "nowhere/out"], "nowhere is not a folder, so out"),
        (["predict", "model", "test", "-o", "model"], "model is a file; give the name of a folder"),
        (["evaluate", "nowhere", "test/gt"], "nowhere is not a folder"),
        (["evaluate", "test/alpha", "test"], "test has no image that ends in"),
        (["evaluate", "test/alpha", "test/gt", "--crop-border", "30"], "Scene '9': crop_border"),
        (["inspect", "nowhere"], "nowhere: No such file"),
        (["inspect", "model", "--plot", "nowhere/p.png"], "folder nowhere .* does not exist"),
        (["import-released", "model", "-o", "other"], "Cannot read model"),
        (["predict", "model"], "the following arguments are required"),
    ],
)
def test_wrong_arguments_are_one_sentence(folders, capfd, arguments, message):
    run("fit", "train", "-o", "model")
    capfd.readouterr()
    before = set(Path().rglob("*"))
    assert run(*arguments) == 2
    assert_one_sentence(capfd, f"(?i){message}")
    assert set(Path().rglob("*")) == before


def test_a_broken_scene_leaves_no_half_of_the_results(folders, capfd):
    train, test = folders
    run("fit", train, "-o", "model")
    run("predict", "model", train, "-o", "out")
    kept = {path: path.read_bytes() for path in Path("out").iterdir()}
    (test / "gamma/10.png").write_bytes(b"")  # the second scene
    assert run("predict", "model", test, "-o", "out") == 2
    assert_one_sentence(capfd, "gamma/10.png cannot be read")
    assert {path: path.read_bytes() for path in Path("out").iterdir()} == kept
    assert sorted(path.name for path in Path().iterdir()) == ["model", "out", "test", "train"]


def test_a_full_disk_leaves_nothing_behind(folders, capfd, monkeypatch):
    train, test = folders
    run("fit", train, "-o", "model")
    kept = Path("model").read_bytes()

    def fail(*args):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(files_module.os, "fsync", fail)
    before = set(Path().rglob("*"))
    assert run("fit", train, "-o", "model") == 2
    assert_one_sentence(capfd, "model: No space left on device")
    assert Path("model").read_bytes() == kept
    assert run("predict", "model", test, "-o", "out") == 2
    assert_one_sentence(capfd, "9.png: No space left on device")
    assert set(Path().rglob("*")) == before


def test_nothing_but_the_result_is_printed_in_a_pipe(folders, capfd):
    train, test = folders
    for arguments in (["fit", train, "-o", "m"], ["predict", "m", test, "-o", "out"]):
        assert run(*arguments) == 0
    printed = capfd.readouterr()
    assert printed.err == ""
    assert "\r" not in printed.out
