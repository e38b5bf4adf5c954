"""`skensir fit`: tables of a folder of images, and mistakes in the folder."""

import json
import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from commands import assert_mistake, assert_one_sentence, run
from image_folders import MODELS, SIZES, fit_in_python, make_folder, write_scene
from sklearn.model_selection import KFold

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.cli.worth import describe_worth
from skensir.image import (
    ImageEnsemble,
    ReferenceSet,
    Worth,
    peak_signal_noise_ratio,
    read_image,
    reference_set,
    write_image,
)
from skensir.persistence import load_table


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


def test_a_single_scene_is_cross_validated_by_areas(folders, capsys):
    """Held out are neighbouring pixels, as single ones would be told by those around them."""
    train, test = folders
    for path in train.glob("*/10.png"):
        path.unlink()
    assert run("fit", train, "-o", "model", "--cv", "--no-input") == 0
    assert "skensir: note: Settings are chosen on parts of a single" in capsys.readouterr().err
    with pytest.warns(UserWarning, match="on parts of a single image"):
        expected = fit_in_python(train, EnsIRRegressorCV(cv=KFold(5)))
    scenes = ReferenceSet(test, MODELS)
    for image, other in zip(
        load_table("model").predict(scenes.predictions),
        expected.predict(scenes.predictions),
        strict=True,
    ):
        np.testing.assert_array_equal(image, other)


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


MISTAKES = {
    "a missing scene": (
        lambda folder: (folder / "beta/9.png").unlink(),
        r"train/beta has no image of the scene '9', of which there is .*train/.*/9.png",
    ),
    "sizes that differ": (
        lambda folder: write_image(folder / "gt/10.png", np.zeros((36, 40, 3), np.uint8)),
        r"alpha/10.png, ..., .*gt/10.png\): each prediction is 36 x 44 x 3.*target 36 x 40 x 3",
    ),
    "an unreadable file": (
        lambda folder: (folder / "gamma/9.png").write_bytes(b"\x89PNG\r\n\x1a\nnonsense"),
        r"gamma/9.png cannot be read",
    ),
    "16 bits among 8": (
        lambda folder: write_image(folder / "beta/9.png", np.zeros((40, 32, 3), np.uint16)),
        r"beta/9.png is of 16 bits, but .*alpha/9.png is of 8 bits",
    ),
    "no truth": (
        lambda folder: (folder / "gt").rename(folder / "wahrheit"),
        r"train has no sub-folder .*with the truth.*; it has alpha, beta, .*wahrheit",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_sentence_that_names_the_file(folders, capfd, mistake):
    train, _ = folders
    make, message = MISTAKES[mistake]
    make(train)
    before = set(Path().rglob("*"))
    assert run("fit", train, "-o", "model") == 2
    assert_one_sentence(capfd, message)
    assert set(Path().rglob("*")) == before


# ---- what it is worth


def lines_of(capsys):
    return capsys.readouterr().out.splitlines()


def numbers_of(lines):
    """Return the PSNR of each row of the printed table, by the row's name."""
    start = next(i for i, line in enumerate(lines) if line.split()[:1] == ["PSNR"])
    rows = [re.fullmatch(r"  (\S.*?) +([\d.]+)( +[-+.\d]+)?", line) for line in lines[start + 1 :]]
    return {row[1]: float(row[2]) for row in rows if row}


@pytest.mark.parametrize(
    ("options", "name", "regressor"),
    [
        ([], "table (likelihood, bins of 32)", EnsIRRegressor()),
        (
            ["--objective", "squared_error", "--shrinkage", 50, "--bin-width", 64],
            "table (squared error, shrinkage 50, bins of 64)",
            EnsIRRegressor(64, objective="squared_error", shrinkage=50),
        ),
        (
            ["--published"],
            "table (as published, bins of 32)",
            EnsIRRegressor(**REFERENCE_PARAMS),
        ),
    ],
)
def test_it_says_what_the_table_is_worth_on_scenes_held_out(
    folders, capsys, options, name, regressor
):
    train, _ = folders
    assert run("fit", train, "-o", "model", *options) == 0
    lines = lines_of(capsys)
    assert "Mean PSNR in dB, where one scene after the other is held out:" in lines
    scenes = ReferenceSet(train, MODELS)
    scores = []
    for number in range(2):
        fitted, held_out = scenes[1 - number : 2 - number], scenes[number : number + 1]
        slow = ImageEnsemble(regressor).fit(fitted.predictions, fitted.targets)
        scores.append(slow.score(held_out.predictions, held_out.targets))
    numbers = numbers_of(lines)
    assert numbers[name] == pytest.approx(np.mean(scores), abs=6e-4)
    for model in MODELS:
        scene_scores = [
            peak_signal_noise_ratio(scene.target, scene.predictions[MODELS.index(model)])
            for scene in scenes
        ]
        assert numbers[model] == pytest.approx(np.mean(scene_scores), abs=6e-4)
    assert list(numbers) == [*MODELS, "average", name]


@pytest.fixture
def one_good_model(in_tmp_path):
    """Write scenes on which one base model is far better than the other two."""
    folder = make_folder(in_tmp_path / "set", sizes={f"{n}": (40, 32) for n in range(3)})
    rng = np.random.default_rng(0)
    for path in (folder / "beta").iterdir():
        noisy = read_image(folder / "gt" / path.name) + rng.normal(0, 1, (40, 32, 3))
        write_image(path, noisy.clip(0, 255).round().astype(np.uint8))
    return folder


def test_a_table_that_loses_is_told_of_with_what_does_not(one_good_model, capsys):
    assert run("fit", one_good_model, "-o", "model") == 0
    lines = lines_of(capsys)
    numbers, text = numbers_of(lines), " ".join(lines)
    found = re.search(
        r"Warning: beta does better than this fit by ([\d.]+) dB; (--objective .*?) does not lose, "
        r"with ([\d.]+) dB on the same scenes\.",
        text,
    )
    lost = numbers["beta"] - numbers["table (likelihood, bins of 32)"]
    assert float(found[1]) == pytest.approx(lost, abs=1.1e-3)
    assert any(found[2] in line for line in lines)  # not broken
    assert run("fit", one_good_model, "-o", "model", *found[2].split()) == 0
    lines = lines_of(capsys)
    assert "Warning" not in " ".join(lines)
    assert list(numbers_of(lines).values())[-1] == float(found[3])
    assert "The gain is" in " ".join(lines)


def test_where_nothing_does_better_it_says_to_take_the_model_alone(one_good_model, capsys):
    for path in (one_good_model / "beta").iterdir():
        path.write_bytes((one_good_model / "gt" / path.name).read_bytes())
    assert run("fit", one_good_model, "-o", "model", "--published") == 0
    text = " ".join(lines_of(capsys))
    assert re.search(r"  beta +inf ", text)
    assert "nan" not in text


@pytest.mark.parametrize("cv", [None, 3, KFold(4)])
def test_a_single_scene_of_few_pixels_cannot_be_cross_validated(in_tmp_path, capsys, cv):
    n_pixels = 1 if cv is None else 2
    scene = dict.fromkeys(("alpha", "beta", "gt"), np.full((1, n_pixels, 3), 9, np.uint8))
    write_scene(Path("one"), "01", scene)
    few = f"A single image of 1 x {n_pixels} pixels is too small to cross-validate; there must be"
    assert run("fit", "one", "-o", "model", "--cv") == 2
    assert capsys.readouterr().err == f"skensir: {few} at least 5 pixels.\n"
    make_folder(Path("test"))
    assert run("compare", "one", "test", "--models", "alpha", "beta", "--no-trees") == 2
    assert few in capsys.readouterr().err
    scenes = ReferenceSet(Path("one"))
    with pytest.raises(ValueError, match=few):
        ImageEnsemble(EnsIRRegressorCV(cv=cv)).fit(scenes.predictions, scenes.targets)


@pytest.mark.parametrize("cv", [False, True])
@pytest.mark.filterwarnings("ignore:Settings are chosen on parts of a single image")
def test_a_single_scene_cannot_be_held_out(folders, capsys, cv):
    train, _ = folders
    for path in train.glob("*/10.png"):
        path.unlink()
    assert run("fit", train, "-o", "model", *(["--cv"] if cv else [])) == 0
    lines = lines_of(capsys)
    if cv:
        heading = "where 5 areas of the scene are held out one after the other:"
        assert f"Mean PSNR in dB, {heading}" in lines
    else:
        assert lines[-1].startswith("A single scene cannot be held out")
        assert "Mean PSNR in dB:" in lines
        assert list(numbers_of(lines)) == [*MODELS, "average"]


@pytest.mark.parametrize("options", [[], ["--cv"], ["--cv", "--no-input"], ["--published"]])
def test_each_file_is_read_once(folders, monkeypatch, options):
    train, _ = folders
    read = Counter()

    def counting(path):
        read[path.relative_to(train)] += 1
        return read_image(path)

    monkeypatch.setattr(reference_set, "read_image", counting)
    assert run("fit", train, "-o", "model", *options) == 0
    parts = [*MODELS, "gt", *(["lq"] if options == ["--cv"] else [])]
    assert read == {Path(part, f"{name}.png"): 1 for part in parts for name in SIZES}


def test_no_input_is_of_use_with_cv_only(folders, capfd):
    assert run("fit", folders[0], "-o", "model", "--no-input") == 2
    assert_one_sentence(capfd, "--no-input is of use with --cv only")
    assert not Path("model").exists()


def test_models_without_error_are_no_reason_to_warn(in_tmp_path, capsys):
    folder = make_folder(in_tmp_path / "set")
    for path in folder.glob("[abg]*/*.png"):
        path.write_bytes((folder / "gt" / path.name).read_bytes())
    assert run("fit", folder, "-o", "model") == 0
    text = " ".join(lines_of(capsys))
    assert "nan" not in text
    assert "The gain is 0.000 dB over alpha, the best base model, and 0.000 dB over" in text


# ---- scenes that are held out by name


def noisy_set(folder, names, sigmas, seed=0):
    """Write scenes of which base models see the truth through noise."""
    rng = np.random.default_rng(seed)
    for name in names:
        truth = rng.integers(40, 216, (32, 40, 3))
        images = {"gt": truth}
        for model, sigma in sigmas.items():
            images[model] = np.clip(truth + rng.normal(0, sigma, truth.shape), 0, 255)
        for part, image in images.items():
            path = folder / part / f"{name}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            write_image(path, np.rint(image).astype(np.uint8))
    return folder


def test_what_scenes_that_are_held_out_say_is_what_evaluate_says(in_tmp_path, capsys):
    folder = noisy_set(in_tmp_path / "set", "abcde", {"A": 4, "B": 5, "C": 6})
    options = "--objective", "squared_error", "--shrinkage", "1000"
    assert run("fit", folder, "-o", "model", "--hold-out", "2", *options) == 0
    printed = capsys.readouterr().out
    assert run("predict", "model", folder, "-o", "out", "--bits", "16") == 0
    capsys.readouterr()
    expected = {}
    for row, path in {"A": folder / "A", "B": folder / "B", "table": "out"}.items():
        assert run("evaluate", path, folder / "gt", "--hold-out", "2", "--json") == 0
        found = json.loads(capsys.readouterr().out)
        assert [scene["name"] for scene in found["scenes"]] == ["b", "d"]
        expected[row] = found["mean"]["psnr"]
    _, _, held_out = printed.partition("Mean PSNR in dB on 2 scenes not fitted on:")
    for row, psnr in expected.items():
        [value] = re.findall(rf"^  {row}\b.*?([0-9.]+)$", held_out, flags=re.M)
        assert float(value) == pytest.approx(psnr, abs=2e-3)
    assert re.search(r"The gain there is \d\.\d{3} dB over the average\.", held_out)


def test_a_loss_on_scenes_that_are_held_out_is_a_warning(in_tmp_path, capsys):
    noisy_set(in_tmp_path / "set", "abcd", {"A": 3, "B": 30, "C": 30})
    noisy_set(in_tmp_path / "set", "z", {"A": 30, "B": 3, "C": 30}, seed=1)
    options = "--objective", "squared_error", "--shrinkage", "1000"
    assert run("fit", "set", "-o", "model", "--hold-out", "z", *options) == 0
    assert re.search(r"Warning: B does better there, by \d+\.\d+ dB\.", capsys.readouterr().out)


def test_frames_of_clips_are_told_of(in_tmp_path, capsys):
    clips = [f"{clip}/{frame}" for clip in ("c1", "c2") for frame in "123"]
    noisy_set(in_tmp_path / "video", clips, {"A": 4, "B": 5})
    noisy_set(in_tmp_path / "stills", ["a/1", "b/1", "2"], {"A": 4, "B": 5})
    for folder, said in (("video", True), ("stills", False)):
        assert run("fit", folder, "-o", "model") == 0
        text = " ".join(capsys.readouterr().out.split())
        assert ("Frames of one clip are alike" in text) is said
        assert ("--hold-out c" in text) is said
    assert run("fit", "video", "-o", "model", "--hold-out", "c2") == 0
    assert "on 3 scenes not fitted on" in capsys.readouterr().out


def test_a_model_far_below_the_others_may_be_their_input(in_tmp_path, capsys):
    noisy_set(in_tmp_path / "set", "abc", {"A": 4, "B": 5, "wet": 30})
    assert run("fit", "set", "-o", "model") == 0
    text = " ".join(capsys.readouterr().out.split())
    assert re.search(r"wet is 1\d\.\d dB below the other models; .* --input wet says so", text)
    assert run("fit", "set", "-o", "model", "--input", "wet") == 0
    assert "Fitted A, B on" in capsys.readouterr().out


def test_what_is_not_chosen_may_be_missing(in_tmp_path, capsys):
    noisy_set(in_tmp_path / "set", ["a1", "a2", "b1", "b2"], {"A": 4, "B": 5})
    (in_tmp_path / "set/A/b1.png").unlink()
    assert run("fit", "set", "-o", "model", "--scenes", "a*") == 0
    assert "on 2 scenes of set" in capsys.readouterr().out
    assert run("evaluate", "set/A", "set/gt", "--scenes", "a*") == 0
    assert "of 2 scenes" in capsys.readouterr().out
    for command in (["fit", "set", "-o", "other"], ["evaluate", "set/A", "set/gt"]):
        assert run(*command, "--scenes", "b*") == 2
        assert "1 of the 2 scenes that --scenes chooses are not in" in capsys.readouterr().err
        assert run(*command, "--scenes", "b*", "--common") == 0
        capsys.readouterr()
        assert run(*command, "--scenes", "z*") == 2
        assert "No scene is called z*" in capsys.readouterr().err


@pytest.mark.parametrize(("loss", "said"), [(0.1, "Note: by this cautious"), (0.3, "Warning: B")])
def test_a_search_that_may_lose_by_its_cautious_figure_alone_is_no_warning(loss, said):
    psnr = np.array([[30.0, 31.0], [32.0, 33.0]])
    ensemble = psnr[1] - loss
    worth = Worth(("A", "B"), psnr, psnr[0], ensemble, psnr, ensemble, 2)
    last = describe_worth(worth, EnsIRRegressorCV(), 2).rpartition("\n")
    text = " ".join("".join(last).split())
    assert said in text
    assert f"by {loss:.3f} dB" in text


@pytest.mark.parametrize("command", ["fit", "figure"])
def test_nothing_is_written_over_what_is_read(in_tmp_path, capsys, command):
    folder = make_folder(in_tmp_path / "set")
    image = next((folder / "gt").iterdir())
    before = image.read_bytes()
    assert_mistake(
        capsys, [command, folder, "-o", image], "is among the images of", "which are read"
    )
    assert image.read_bytes() == before
