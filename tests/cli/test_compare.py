"""`skensir compare`: the table, its JSON and the report, and how mistakes are answered."""

import json
import re
import shutil

import numpy as np
import pytest
from commands import assert_mistake
from image_folders import COMPARED as MODELS
from image_folders import make_two_sets
from numpy.testing import assert_allclose, assert_array_equal

from skensir.cli import compare, main
from skensir.comparison import measure
from skensir.image import ReferenceSet, peak_signal_noise_ratio, read_image, write_image

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
    assert "the ensembles know the truth" in " ".join(printed.split())


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
        (["--report", "page.html", "--report-scenes", "-1"], "--report-scenes is -1, must be 0"),
        (["--report", "page.html", "--report-scenes", "few"], "--report-scenes"),
        (["--report-scenes", "3"], "--report"),
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
