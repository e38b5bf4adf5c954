"""`skensir import-released`: what it takes from a published file, and from its name."""

import numpy as np
from commands import assert_mistake, run
from torch_files import synthetic, table_of, write

from skensir.image import ReferenceSet, read_image
from skensir.interop.released import read_released
from skensir.persistence import load_table

PUBLISHED = "weight_Test1200_alpha_beta_gamma_b64_rgb.pth"


def test_a_published_table_predicts(folders, capsys):
    _, test = folders
    path = write(test.parent / PUBLISHED, table_of(synthetic()))
    assert run("import-released", path, "-o", "model") == 0
    assert capsys.readouterr().out.splitlines() == [
        "Imported 3 tables (red, green, blue) of 3 models, bin width 64, 64 cells each.",
        "Model: model",
        "Base models, as the file's name says: alpha, beta, gamma",
    ]
    assert run("predict", "model", test, "-o", "out") == 0
    scenes = ReferenceSet(test, ["alpha", "beta", "gamma"])
    expected = read_released(path).predict(scenes.predictions)
    for name, image in zip(scenes.names, expected, strict=True):
        np.testing.assert_array_equal(read_image(f"out/{name}.png"), np.rint(image))


def test_a_renamed_file_needs_the_names(folders, capsys):
    path = write(folders[1].parent / "table.pth", table_of(synthetic()))
    assert run("import-released", path, "-o", "model") == 0
    assert "No base models are named" in capsys.readouterr().out
    names = ["gamma", "beta", "alpha"]
    assert run("import-released", path, "-o", "model", "--models", *names) == 0
    assert capsys.readouterr().out.endswith("Base models: gamma, beta, alpha\n")
    assert load_table("model").model_names_ == tuple(names)


def test_what_contradicts_the_file_is_one_sentence(folders, capsys):
    path = write(folders[1].parent / PUBLISHED, table_of(synthetic()))
    arguments = ["import-released", path, "-o", "model"]
    assert_mistake(capsys, [*arguments, "--bin-width", "32"], PUBLISHED, "must be 64", "is 32")
    assert_mistake(capsys, [*arguments, "--models", "a", "b"], PUBLISHED, "3 models, not of 2")
