"""`skensir evaluate`, also of what `fit` and `predict` have made."""

import json
import re
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from commands import assert_mistake, run
from image_folders import MODELS, fit_in_python, make_folder
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.image import (
    ReferenceSet,
    peak_signal_noise_ratio,
    read_image,
    structural_similarity,
)


@pytest.mark.parametrize(
    ("options", "regressor"),
    [
        ([], EnsIRRegressor()),
        (["--bin-width", "64", "--shrinkage", "9"], EnsIRRegressor(64, shrinkage=9)),
        (["--objective", "squared_error"], EnsIRRegressor(objective="squared_error")),
        (["--published"], EnsIRRegressor(32, **REFERENCE_PARAMS)),
        (["--cv", "--no-input"], EnsIRRegressorCV(cv=LeaveOneGroupOut())),
        (
            ["--cv", "--no-input", "--objective", "likelihood"],
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
        image = image.clip(0, 255)
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


def test_equal_images_are_json_too(folders, capsys):
    _, test = folders
    assert run("evaluate", test / "gt", test / "gt", "--json") == 0
    found = json.loads(capsys.readouterr().out, parse_constant=pytest.fail)
    assert found["mean"] == {"psnr": None, "ssim": 1.0}


# Older versions of pandas read the last digit as it comes.
approx = partial(pytest.approx, rel=1e-14)


def test_several_folders_are_rows_with_the_numbers_of_each_alone(folders, capsys):
    _, test = folders
    tables = ["--table", "t.csv", "--table", "t.md", "--scenes-table", "s.csv"]
    outputs = [test / model for model in MODELS]
    assert run("evaluate", *outputs, test / "gt", "--json", *tables) == 0
    found = json.loads(capsys.readouterr().out)["outputs"]
    frame = pd.read_csv("t.csv").set_index("name")
    scenes = pd.read_csv("s.csv").set_index(["scene", "name"])
    for model, folder in zip(MODELS, outputs, strict=True):
        assert run("evaluate", folder, test / "gt", "--json") == 0
        alone = json.loads(capsys.readouterr().out)
        assert found[model] == {key: alone[key] for key in ("mean", "scenes")}
        assert dict(frame.loc[model]) == approx(alone["mean"])
        for scene in alone["scenes"]:
            numbers = {key: scene[key] for key in ("psnr", "ssim")}
            assert dict(scenes.loc[(int(scene["name"]), model)]) == approx(numbers)
    assert run("evaluate", *outputs, test / "gt") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines[1:4]] == list(MODELS)
    best = frame["psnr"].idxmax()
    assert f"{frame.loc[best, 'psnr']:.3f}*" in lines[1 + MODELS.index(best)]
    assert f"**{frame.loc[best, 'psnr']:.3f}**" in Path("t.md").read_text("utf-8")


def test_tables_of_one_folder_have_its_scenes_and_its_mean(folders, capsys):
    _, test = folders
    tables = ["--table", "t.csv", "--scenes-table", "s.md"]
    assert run("evaluate", test / "alpha", test / "gt", *tables) == 0
    printed = capsys.readouterr().out
    mean = pd.read_csv("t.csv").set_index("name").loc["alpha"]
    assert re.search(rf"^mean +{mean['psnr']:.3f}  +{mean['ssim']:.4f}$", printed, flags=re.M)
    lines = Path("s.md").read_text("utf-8").splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == ["9", "10", "mean"]
    assert "*" not in printed


def test_tables_are_checked_before_anything_is_read(folders, capsys):
    _, test = folders
    (test / "alpha" / "9.png").write_bytes(b"damaged")
    for option, words in (("t.xls", "t.xls must end in .csv or .md or .tex"), ("no/t.md", "no is")):
        arguments = ["evaluate", test / "alpha", test / "gt", "--table", option]
        assert_mistake(capsys, arguments, words)
