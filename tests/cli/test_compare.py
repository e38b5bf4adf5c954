"""`skensir compare`: the table, its JSON and the report, and how mistakes are answered."""

import json
import re
import shutil

import numpy as np
import pandas as pd
import pytest
from commands import assert_mistake
from image_folders import COMPARED as MODELS
from image_folders import make_set, make_two_sets
from numpy.testing import assert_allclose, assert_array_equal

from skensir.cli import common, compare, main
from skensir.cli.reading import split_names
from skensir.comparison import measure
from skensir.image import ReferenceSet, peak_signal_noise_ratio, read_image, write_image
from skensir.image.perceptual import PerceptualMeasure

TREES = ("Bagging", "AdaBoost", "RForest", "GBDT", "HGBT")
PLAIN = ("Average", "ZZPM")
WITH_INPUT = "EnsIR, with the input"
OURS = (
    *("Convex", "EnsIR, as published", "EnsIR, squared error", "EnsIR, cross-validated"),
    WITH_INPUT,
)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    return make_two_sets(tmp_path_factory.mktemp("sets"))


@pytest.fixture
def own_folders(folders, tmp_path):
    """Return copies that a test may damage."""
    return [shutil.copytree(folder, tmp_path / folder.name) for folder in folders]


@pytest.fixture
def no_work(monkeypatch):
    """Fail if the fitting begins."""

    def fit(*arguments):
        raise AssertionError("the work began before the mistake was noticed")

    monkeypatch.setattr(measure, "fit", fit)


def run(capsys, *argv):
    """Run the command, quietly, and return what it prints."""
    assert main(["compare", *map(str, argv)]) == 0
    captured = capsys.readouterr()
    assert captured.err == ""
    return captured.out


def table_of(text):
    """Return the columns of each row of a printed table, without the marks."""
    table, _, _ = text.partition("\n\n")
    return [re.split(" {2,}", line.replace("*", " ").strip()) for line in table.splitlines()[1:]]


# ---- the table


def test_rows_come_in_the_order_of_the_papers_tables(folders, capsys):
    printed = table_of(run(capsys, *folders))
    names = ["Input", *MODELS, *PLAIN, *TREES, *OURS, "Oracle"]
    assert [name for name, *_ in printed] == names
    seconds = {name: (fit, image) for name, _, _, fit, image in printed}
    for name in names:
        fit, image = seconds[name]
        assert (image == "-") == (name in ("Input", *MODELS, "Oracle"))
        assert (fit == "-") == (name not in (*TREES, *OURS))


def test_json_is_the_printed_table_in_full_precision(folders, capsys):
    printed = table_of(run(capsys, *folders, "--no-trees"))
    result = json.loads(run(capsys, *folders, "--no-trees", "--json"))
    rounded = [[r["name"], f"{r['psnr']:.3f}", f"{r['ssim']:.4f}"] for r in result["table"]]
    assert rounded == [row[:3] for row in printed]
    compared = measure.compare_sets(*map(ReferenceSet, folders), trees=False)
    assert [row["psnr"] for row in result["table"]] == [row.psnr for row in compared.rows]
    assert (result["channel"], result["crop_border"], result["data_range"]) == ("rgb", 0, 255)
    assert set(result["table"][0]) == {"name", "psnr", "ssim", "seconds_fit", "seconds_image"}


def test_help_names_the_keys_of_the_json(folders, capsys):
    result = json.loads(run(capsys, *folders, "--no-trees", "--json"))
    with pytest.raises(SystemExit):
        main(["compare", "--help"])
    words = set(re.findall(r"\w+", capsys.readouterr().out))
    assert words >= {*result, *result["table"][0]}


def test_infinite_psnr_is_null_in_json(own_folders, capsys):
    reference, test = own_folders
    shutil.rmtree(test / "A")
    shutil.copytree(test / "gt", test / "A")
    result = json.loads(run(capsys, reference, test, "--no-trees", "--json"))
    psnr = {row["name"]: row["psnr"] for row in result["table"]}
    assert psnr["A"] is psnr["Oracle"] is None
    assert psnr["B"] > 0
    assert "inf" in run(capsys, reference, test, "--no-trees")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "all channels, with peak 255"),
        (["--channel", "luma"], "luma (BT.601, studio range), with peak 255"),
        (["--crop-border", "2"], "all channels without 2 pixels at every side"),
    ],
)
def test_convention_is_used_and_said(folders, capsys, options, words):
    argv = [*folders, "--no-trees", *options]
    assert words in " ".join(run(capsys, *argv).split())
    result = json.loads(run(capsys, *argv, "--json"))
    convention = {key: result[key] for key in ("channel", "crop_border")}
    psnr = [
        peak_signal_noise_ratio(scene.target, scene.predictions[0], **convention)
        for scene in ReferenceSet(folders[1])
    ]
    assert result["table"][1]["psnr"] == pytest.approx(np.mean(psnr))


def test_models_are_taken_in_the_order_given(folders, capsys):
    printed = table_of(run(capsys, *folders, "--no-trees", "--models", "C", "A"))
    assert [name for name, *_ in printed][:4] == ["Input", "C", "A", "Average"]


def test_bin_width_is_that_of_the_tables(folders, capsys):
    wide = json.loads(run(capsys, *folders, "--no-trees", "--json", "--bin-width", "256"))
    psnr = {row["name"]: row["psnr"] for row in wide["table"]}
    # One bin holds everything.
    assert psnr["EnsIR, squared error"] == pytest.approx(psnr["Convex"], abs=1e-6)
    assert "bin width 256" in wide["notes"]


@pytest.mark.parametrize("which", ["test", "reference", "both"])
def test_input_that_is_not_like_the_outputs_is_left_out(own_folders, capsys, which):
    """Of the row as well that has it for one more model, which needs it in both sets."""
    for folder in own_folders:
        if which in ("both", folder.name):
            for path in (folder / "lq").iterdir():
                write_image(path, read_image(path)[::2, ::2])
    printed = run(capsys, *own_folders, "--no-trees")
    names = [name for name, *_ in table_of(printed)]
    assert WITH_INPUT not in names
    assert ("Input" in names) == (which == "reference")
    left_out = WITH_INPUT if which == "reference" else "Input"
    words = " ".join(printed.split())
    assert f"{left_out} is left out, as in scene '0' the input is" in words
    assert "one more model" not in words


@pytest.mark.parametrize("where", ["reference", "test", "both"])
def test_no_input_is_no_mistake_and_said(own_folders, capsys, where):
    for folder in own_folders:
        if where in (folder.name, "both"):
            shutil.rmtree(folder / "lq")
    printed = run(capsys, *own_folders, "--no-trees")
    first, words = table_of(printed)[0][0], " ".join(printed.split())
    assert first == ("Input" if where == "reference" else "A")
    left_out = WITH_INPUT if where == "reference" else "Input"
    folder = own_folders[where != "reference"]
    assert f"{left_out} is left out, as {folder} has no sub-folder 'lq'" in words
    assert "is the same with the degraded image" not in words


def test_input_lies_where_it_is_said(own_folders, capsys):
    expected = table_of(run(capsys, *own_folders, "--no-trees"))
    for folder in own_folders:
        (folder / "lq").rename(folder / "rainy")
    printed = table_of(run(capsys, *own_folders, "--no-trees", "--input", "rainy"))
    assert [row[:3] for row in printed] == [row[:3] for row in expected]


def test_test_set_that_is_the_reference_set_is_said(folders, capsys):
    printed = run(capsys, folders[0], folders[0], "--no-trees")
    words = f"The test set {folders[0]} is in the reference set too, so the ensembles know"
    assert words in " ".join(printed.split())


def test_scenes_that_are_held_out_are_not_known(folders, capsys):
    printed = json.loads(run(capsys, folders[0], "--hold-out", "1", "--no-trees", "--json"))
    assert "know the truth" not in printed["notes"]
    names = ReferenceSet(folders[0]).names
    kept, [held] = split_names(names, "1")
    by_hand = json.loads(
        run(capsys, folders[0], folders[0], "--no-trees", "--json", "--scenes", held)
    )
    of_models = [[r for r in t["table"] if r["name"] in MODELS] for t in (printed, by_hand)]
    assert of_models[0] == of_models[1]
    assert "1 scene of" in printed["notes"]
    assert f"{len(kept)} scene" in printed["notes"]


def test_what_is_measured_on_is_told_once(folders, no_work, capsys):
    for arguments in ([folders[0]], [*folders, "--hold-out", "1"]):
        assert_mistake(capsys, ["compare", *arguments], "either folders to measure on")


def test_a_test_set_that_is_given_twice_is_a_mistake(folders, no_work, capsys):
    assert_mistake(capsys, ["compare", *folders, folders[1]], f"{folders[1]} is given twice")


# ---- several test sets, and tables as files


@pytest.fixture(scope="module")
def third(tmp_path_factory):
    """Return a further test set, without inputs."""
    folder = make_set(tmp_path_factory.mktemp("more") / "third", [(18, 19)], 2)
    shutil.rmtree(folder / "lq")
    return folder


def test_several_test_sets_have_the_numbers_of_each_alone(folders, third, tmp_path, capsys):
    reference, test = folders
    options = ["--no-trees", "--json", "--channel", "luma"]
    found = json.loads(run(capsys, reference, test, third, *options))
    scores = {}
    for name, folder in (("test", test), ("third", third)):
        alone = json.loads(run(capsys, reference, folder, *options))["table"]
        assert [row["name"] for row in found["sets"][name]] == [row["name"] for row in alone]
        for row, expected in zip(found["sets"][name], alone, strict=True):
            assert (row["psnr"], row["ssim"]) == (expected["psnr"], expected["ssim"])
        scores[name] = {row["name"]: row["psnr"] for row in alone}
    for row in found["mean"]:
        values = [of_set.get(row["name"]) for of_set in scores.values()]
        if None in values:
            assert row["psnr"] is None
            assert row["name"] in ("Input", WITH_INPUT)
        else:
            assert row["psnr"] == pytest.approx(np.mean(values), rel=1e-12)
    words = " ".join(found["notes"].split())
    assert f"over 2 scenes of {test} and over 1 scene of {third}" in words
    assert f"Input is left out on {third}, as {third} has no sub-folder 'lq'" in words


def test_ensembles_are_fitted_once_for_all_test_sets(folders, third, monkeypatch, capsys):
    fitted = []
    fit = measure.fit
    monkeypatch.setattr(measure, "fit", lambda m, *rest: fitted.append(m.name) or fit(m, *rest))
    run(capsys, *folders, third, "--no-trees")
    assert fitted == [*PLAIN, *OURS]


def test_tables_are_those_that_are_printed(folders, third, tmp_path, capsys):
    files = {suffix: tmp_path / f"t.{suffix}" for suffix in ("csv", "md", "tex")}
    scenes = tmp_path / "s.csv"
    tables = [argument for file in files.values() for argument in ("--table", file)]
    printed = run(capsys, *tables, "--scenes-table", scenes, "--no-trees", *folders, third)
    rows = [re.split(" {2,}", line.replace("*", "")) for line in printed.splitlines()[2:]]
    rows = {row[0]: row[1:7] for row in rows[: len((*MODELS, *PLAIN, *OURS)) + 2]}
    frame = pd.read_csv(files["csv"]).set_index("name")
    for name, numbers in rows.items():
        cells = zip(frame.loc[name], numbers, strict=False)
        for column, (value, shown) in enumerate(cells):
            text = "-" if np.isnan(value) else f"{value:.{3 if column % 2 == 0 else 4}f}"
            assert text == shown.strip()
    assert set(rows) == set(frame.index)
    scores = pd.read_csv(scenes)
    means = scores.groupby(["set", "name"])["psnr"].mean()
    for name in MODELS:
        assert means["third", name] == pytest.approx(frame.loc[name, "third psnr"])
    for suffix in ("md", "tex"):
        assert f"{frame.loc['Average', 'mean psnr']:.3f}" in files[suffix].read_text("utf-8")
    for file in (*files.values(), scenes):
        assert str(file) in printed


def test_report_on_several_test_sets_names_scenes_after_them(
    folders, third, tmp_path, monkeypatch, capsys
):
    received = {}

    def write_report(path, title, table, scenes, **_):
        received.update(title=title, table=table, scenes=[scene["name"] for scene in scenes])

    monkeypatch.setattr(compare, "write_report", write_report)
    found = json.loads(
        run(capsys, *folders, third, "--no-trees", "--json", "--report", tmp_path / "page.htm")
    )
    assert sorted(received["scenes"]) == ["test/0", "test/1", "third/0"]
    assert f"{folders[1]}, {third}" in received["title"]
    names = [row["name"] for row in received["table"]]
    assert names == [row["name"] for row in found["mean"]]


def test_report_on_several_test_sets_is_written(folders, third, tmp_path, capsys):
    run(capsys, *folders, third, "--no-trees", "--report", tmp_path / "page.html")
    page = (tmp_path / "page.html").read_text("utf-8")
    assert 'data-name="third/0"' in page


def test_perceptual_measures_are_columns_where_they_are_installed(
    folders, tmp_path, monkeypatch, capsys
):
    def distance(target, image):
        assert target.shape == image.shape
        assert target.shape[0] == 3
        return float(np.abs(target - image).mean())

    loaded = {"lpips": PerceptualMeasure("LPIPS", distance)}
    monkeypatch.setattr(common, "load_perceptual", lambda: loaded)
    printed = run(capsys, *folders, "--no-trees", "--table", tmp_path / "t.md")
    assert "LPIPS compares all channels; lower is better." in " ".join(printed.split())
    head, *rows = printed.split("\n\n")[0].splitlines()
    assert re.split(" {2,}", head.strip())[:3] == ["PSNR (dB)", "SSIM", "LPIPS"]
    cells = {
        name: cell
        for name, *_, cell, _, _ in (re.split(" {2,}", row.strip()) for row in rows)
        if name != "Oracle"
    }
    best = [name for name, cell in cells.items() if cell.endswith("*")]
    lowest = min(float(cell.rstrip("*")) for cell in cells.values())
    assert best == [name for name, cell in cells.items() if float(cell.rstrip("*")) == lowest]
    psnr = json.loads(run(capsys, *folders, "--no-trees", "--json"))["table"]
    scene_means = [
        np.abs(s.target / 255 - s.predictions[0] / 255).mean() for s in ReferenceSet(folders[1])
    ]
    assert psnr[1]["lpips"] == pytest.approx(np.mean(scene_means), rel=1e-5)
    assert "LPIPS" not in run(capsys, *folders, "--no-trees", "--no-perceptual")


def test_perceptual_measures_that_cannot_be_loaded_can_be_left_out(
    folders, no_work, monkeypatch, capsys
):
    def load_perceptual():
        raise ValueError("pyiqa is installed but cannot be used: no network.")

    monkeypatch.setattr(common, "load_perceptual", load_perceptual)
    words = "cannot be used: no network; --no-perceptual leaves it out"
    assert_mistake(capsys, ["compare", *folders], words)
    assert_mistake(capsys, ["evaluate", folders[1] / "A", folders[1] / "gt"], words)


def test_what_is_not_installed_is_not_named(folders, capsys):
    printed = run(capsys, *folders, "--no-trees") + run(capsys, *folders, "--no-trees", "--json")
    assert not re.search("lpips|dists|perceptual", printed, flags=re.IGNORECASE)


# ---- the report


def test_report_gets_the_table_and_each_scene(folders, tmp_path, monkeypatch, capsys):
    received = {}

    def write_report(path, title, table, scenes, **more):
        received.update(path=path, title=title, table=table, scenes=list(scenes), **more)

    monkeypatch.setattr(compare, "write_report", write_report)
    printed = run(capsys, *folders, "--no-trees", "--report", tmp_path / "page.html")
    assert printed.endswith(f"Report: {tmp_path / 'page.html'}\n")
    assert received["path"] == tmp_path / "page.html"
    assert str(folders[1]) in received["title"]
    assert received["notes"]
    names = [row["name"] for row in received["table"]]
    assert names == [name for name, *_ in table_of(printed)]
    originals = {scene.name: scene for scene in ReferenceSet(folders[1])}
    assert sorted(scene["name"] for scene in received["scenes"]) == sorted(originals)
    assert received["scores"].keys() == originals.keys()
    for scene in received["scenes"]:
        original = originals[scene["name"]]
        assert_array_equal(scene["target"], original.target)
        assert scene["data_range"] == 255
        assert list(scene["images"]) == names
        assert list(scene["weight_maps"]) == [name for name in names if name.startswith("EnsIR")]
        for name, maps in scene["weight_maps"].items():
            assert tuple(maps) == (*MODELS, *(["input"] if name == WITH_INPUT else []))
            assert_allclose(sum(maps.values()), np.ones(original.target.shape[:2]))
    for row in received["table"]:
        psnr = [
            peak_signal_noise_ratio(s["target"], s["images"][row["name"]])
            for s in received["scenes"]
        ]
        assert row["psnr"] == pytest.approx(np.mean(psnr))


@pytest.mark.parametrize("n_scenes", [0, 1, 100])
def test_report_has_as_many_scenes_as_are_wanted(folders, tmp_path, capsys, n_scenes):
    page = tmp_path / "page.html"
    run(capsys, *folders, "--no-trees", "--report", page, "--report-scenes", n_scenes)
    n_shown = min(n_scenes, len(ReferenceSet(folders[1])))
    assert page.read_text("utf-8").count('class="scene"') == n_shown


# ---- mistakes


@pytest.mark.parametrize("part", ["gt", "B", "lq"])
def test_missing_scene_is_named(own_folders, no_work, capsys, part):
    (own_folders[1] / part / "1.png").unlink()
    assert_mistake(capsys, ["compare", *own_folders], str(own_folders[1] / part), "'1'")


def test_folder_that_is_none_is_named(folders, no_work, capsys, tmp_path):
    assert_mistake(capsys, ["compare", folders[0], tmp_path / "nowhere"], "nowhere is not a folder")
    assert_mistake(capsys, ["compare", tmp_path, folders[1]], str(tmp_path))


def test_base_model_that_the_test_set_has_not_is_named(own_folders, no_work, capsys):
    shutil.rmtree(own_folders[1] / "B")
    assert_mistake(capsys, ["compare", *own_folders], str(own_folders[1]), "'B'")


@pytest.mark.parametrize("which", [0, 1])
def test_sizes_that_differ_need_crop(own_folders, capsys, which):
    path = own_folders[which] / "B" / "1.png"
    write_image(path, np.pad(read_image(path), ((0, 3), (0, 1), (0, 0))))
    assert_mistake(capsys, ["compare", *own_folders, "--no-trees"], str(path), "--crop")
    run(capsys, *own_folders, "--no-trees", "--crop")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize("trees", [[], ["--no-trees"]])
def test_scene_of_another_kind_is_named(own_folders, capsys, which, trees):
    for part in (*MODELS, "gt", "lq"):
        path = own_folders[which] / part / "1.png"
        write_image(path, read_image(path).astype(np.uint16))
    assert_mistake(capsys, ["compare", *own_folders, *trees], "cene '1'", "16 bits")


def test_base_model_with_the_name_of_a_row_is_a_mistake(own_folders, no_work, capsys):
    for folder in own_folders:
        (folder / "B").rename(folder / "Average")
    assert_mistake(capsys, ["compare", *own_folders], str(own_folders[0] / "Average"), "rename")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--crop-border", "8"], "A --crop-border of 8 leaves"),
        (["--crop-border", "-1"], "--crop-border is '-1'"),
        (["--channel", "red"], "--channel"),
        (["--bin-width", "wide"], "--bin-width"),
        (["--report", "nowhere/page.html"], "nowhere is not a folder"),
        (["--report", "page.html", "--report-scenes", "-1"], "--report-scenes is '-1', must be"),
        (["--report", "page.html", "--report-scenes", "few"], "--report-scenes"),
        (["--report-scenes", "3"], "--report"),
        (["--report", "page.txt"], "page.txt must end in .html or .htm"),
        (["--table", "page"], "page must end in .csv or .md or .tex"),
        (["--table", "nowhere/t.csv"], "nowhere is not a folder"),
        (["--table", "t.csv", "--scenes-table", "./t.csv"], "t.csv would be written twice"),
    ],
)
def test_options_out_of_range_are_noticed_before_fitting(folders, no_work, capsys, options, words):
    assert_mistake(capsys, ["compare", *folders, *options], words)


def test_bin_width_out_of_range_is_named(folders, capsys):
    assert_mistake(
        capsys, ["compare", *folders, "--no-trees", "--bin-width", "0"], "--bin-width is '0'"
    )


def test_damaged_file_is_named(own_folders, no_work, capsys):
    path = own_folders[1] / "C" / "0.png"
    path.write_bytes(path.read_bytes()[:40])
    assert_mistake(capsys, ["compare", *own_folders], str(path))
