"""`skensir evaluate`, also of what `fit` and `predict` have made."""

import json
from pathlib import Path

import numpy as np
import pytest
from commands import run
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
