"""`skensir compare` and the comparison behind it: what is measured, on what, and how it is said."""

import json
import re
import shutil
import sys
import types
import weakref

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV
from skensir.baselines import AverageRegressor, ConvexRegressor, ZZPMRegressor
from skensir.cli import comparison, main, methods
from skensir.image import (
    ReferenceSet,
    peak_signal_noise_ratio,
    read_image,
    reference_set,
    structural_similarity,
    write_image,
)
from skensir.image.reference_set import Scene

MODELS = ("A", "B", "C")
TREES = ("Bagging", "AdaBoost", "RForest", "GBDT", "HGBT")
PLAIN = ("Average", "ZZPM")
OURS = ("Convex", "EnsIR, as published", "EnsIR, squared error", "EnsIR, cross-validated")


def make_set(folder, sizes, seed, *, scale=1, dtype=np.uint8, grey=False):
    """Write scenes whose models are good at different values of the truth."""
    random = np.random.default_rng(seed)
    for number, size in enumerate(sizes):
        truth = random.integers(20, 236, size=(*size, 3))
        images = {"gt": truth, "lq": truth + random.integers(-20, 21, truth.shape)}
        for m, model in enumerate(MODELS):
            width = np.where(truth < 128, 4 + 2 * m, 10 - 2 * m)
            images[model] = truth + np.rint(random.uniform(-width, width))
        for part, image in images.items():
            image = image[..., 0] if grey else image
            (folder / part).mkdir(parents=True, exist_ok=True)
            write_image(folder / part / f"{number}.png", (scale * image).astype(dtype))
    return folder


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    folder = tmp_path_factory.mktemp("sets")
    reference = make_set(folder / "reference", [(24, 20), (20, 28), (22, 22)], 0)
    return reference, make_set(folder / "test", [(16, 18), (20, 15)], 1)


@pytest.fixture
def own_folders(folders, tmp_path):
    """Return copies that a test may damage."""
    return [shutil.copytree(folder, tmp_path / folder.name) for folder in folders]


@pytest.fixture(scope="module")
def compared(folders):
    return comparison.compare_sets(*map(ReferenceSet, folders), trees=False)


@pytest.fixture
def no_work(monkeypatch):
    """Fail if the fitting begins."""

    def fit(*arguments):
        raise AssertionError("the work began before the mistake was noticed")

    monkeypatch.setattr(comparison, "fit", fit)


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


# ---- the oracle


def test_oracle_is_what_a_search_over_the_simplex_finds():
    random = np.random.default_rng(0)
    steps = 60
    predictions = random.integers(100, 140, size=(3, 4, 5, 3))
    target = random.integers(95, 145, size=(4, 5, 3))
    grid = [
        (i, j, steps - i - j) for i in range(steps + 1) for j in range(steps + 1 - i)
    ]  # all convex weights in sixtieths
    combinations = np.tensordot(np.array(grid) / steps, predictions, axes=1)
    found = np.abs(combinations - target).min(axis=0)
    best = np.abs(comparison.oracle(Scene("", predictions, target)) - target)
    # The grid has a point within half a step of the best one, on the way between two models.
    spread = np.ptp(predictions, axis=0)
    assert (best <= found + 1e-12).all()
    assert (found <= best + spread / steps / 2 + 1e-12).all()
    assert (best > 0).any()
    assert (best == 0).any()


def test_no_convex_combination_exceeds_the_oracle(compared):
    *others, oracle = compared.rows
    assert oracle.name == "Oracle"
    assert len(others) > 6
    for row in others:
        if row.name != "Input":
            assert row.psnr < oracle.psnr


# ---- the numbers


def stacked(scenes, channel):
    X = np.concatenate([s.predictions[..., channel].reshape(len(MODELS), -1).T for s in scenes])
    y = np.concatenate([s.target[..., channel].ravel() for s in scenes])
    return X, y, np.repeat(np.arange(len(scenes)), [s.target[..., 0].size for s in scenes])


@pytest.mark.parametrize(
    ("name", "regressor"),
    [
        ("Average", AverageRegressor()),
        ("Convex", ConvexRegressor()),
        ("EnsIR, as published", EnsIRRegressor(32, **REFERENCE_PARAMS)),
        ("EnsIR, squared error", EnsIRRegressor(32, objective="squared_error", shrinkage=1000)),
        ("EnsIR, cross-validated", EnsIRRegressorCV(cv=LeaveOneGroupOut())),
    ],
)
def test_rows_are_those_of_regressors_on_stacked_rows(compared, folders, name, regressor):
    reference, test = (list(ReferenceSet(folder)) for folder in folders)
    images = [np.empty(scene.target.shape) for scene in test]
    for channel in range(3):
        X, y, groups = stacked(reference, channel)
        grouped = {"groups": groups} if isinstance(regressor, EnsIRRegressorCV) else {}
        regressor.fit(X, y, **grouped)
        for image, scene in zip(images, test, strict=True):
            X, _, _ = stacked([scene], channel)
            image[..., channel] = regressor.predict(X).reshape(image.shape[:2])
    [row] = [row for row in compared.rows if row.name == name]
    pairs = [(scene.target, image) for scene, image in zip(test, images, strict=True)]
    assert row.psnr == pytest.approx(np.mean([peak_signal_noise_ratio(*p) for p in pairs]))
    assert row.ssim == pytest.approx(np.mean([structural_similarity(*p) for p in pairs]))


def test_zzpm_takes_its_weights_from_the_whole_image(compared, folders):
    psnr = []
    for scene in ReferenceSet(folders[1]):
        rows = scene.predictions.reshape(len(MODELS), -1).T
        image = ZZPMRegressor().fit(rows, scene.target.ravel()).predict(rows)
        psnr.append(peak_signal_noise_ratio(scene.target, image.reshape(scene.target.shape)))
    [row] = [row for row in compared.rows if row.name == "ZZPM"]
    assert row.psnr == pytest.approx(np.mean(psnr))


def test_input_and_base_models_are_measured_as_they_are(compared, folders):
    for row, part in zip(compared.rows, ("lq", *MODELS), strict=False):
        psnr = [
            peak_signal_noise_ratio(
                *(read_image(folders[1] / p / f"{n}.png") for p in ("gt", part))
            )
            for n in range(2)
        ]
        assert row.psnr == pytest.approx(np.mean(psnr))
        assert row.seconds_fit is row.seconds_image is None


def test_sixteen_bits_and_grey_give_the_same_numbers(tmp_path):
    rows = []
    for scale, dtype in ((1, np.uint8), (257, np.uint16)):
        sets = [
            make_set(tmp_path / f"{scale}-{n}", [(24, 20)] * 2, n, scale=scale, dtype=dtype, grey=1)
            for n in range(2)
        ]
        rows.append(comparison.compare_sets(*map(ReferenceSet, sets), trees=False).rows)
    unit_free = ("Input", *MODELS, "Average", "Convex", "EnsIR, squared error", "Oracle")
    for of_8, of_16 in zip(*rows, strict=True):
        if of_8.name in unit_free:
            assert of_16.psnr == pytest.approx(of_8.psnr, rel=1e-9)
            assert of_16.ssim == pytest.approx(of_8.ssim, rel=1e-9)


def test_single_scene_is_enough_to_fit_on(folders):
    first = ReferenceSet(folders[0])[:1]
    result = comparison.compare_sets(first, ReferenceSet(folders[1]), trees=False)
    assert [row.name for row in result.rows][-2] == "EnsIR, cross-validated"
    assert "five folds" in result.methods


def test_seconds_are_those_of_fitting_and_solving_but_not_of_reading(folders, monkeypatch):
    time = {"now": 0.0}

    def work(seconds):
        time["now"] += seconds

    class Slow(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            work(10)
            return self

        @property
        def weights_(self):
            work(1)
            return [1.0]

    def read(path):
        work(1000)
        return read_image(path)

    monkeypatch.setattr(reference_set, "read_image", read)
    monkeypatch.setattr(methods, "perf_counter", lambda: time["now"])
    scenes = ReferenceSet(folders[0])
    fitted = methods.fit(methods.Method("slow", Slow()), scenes, methods.kind_of(scenes[0]), None)
    assert fitted.seconds == 3 * (10 + 1)


# ---- the sample of the trees


def rows_of(predictions, target, channel):
    stack = np.concatenate([predictions, target[np.newaxis]])[..., channel]
    return sorted(map(tuple, stack.reshape(len(stack), -1).T.tolist()))


def test_sample_of_all_values_has_each_of_them_once(folders):
    scenes = ReferenceSet(folders[0])
    predictions, target = methods.draw_sample(scenes, methods.kind_of(scenes[0]))
    for channel in range(3):
        X, y, _ = stacked(list(scenes), channel)
        expected = sorted(map(tuple, np.column_stack([X, y]).tolist()))
        assert rows_of(predictions, target, channel) == expected


def test_sample_is_drawn_without_replacement_from_all_scenes(tmp_path):
    values = np.arange(3 * 3 * 10 * 12, dtype=np.uint16).reshape(3, 10, 12, 3)
    for part in (*MODELS, "gt"):
        (tmp_path / part).mkdir()
        for number, image in enumerate(values):
            write_image(tmp_path / part / f"{number}.png", image)
    scenes = ReferenceSet(tmp_path)
    kind = methods.kind_of(scenes[0])
    predictions, target = methods.draw_sample(scenes, kind, 300)
    assert predictions.shape == (3, 100, 1, 3)
    assert predictions.dtype == target.dtype == np.uint16
    assert_array_equal(predictions, np.broadcast_to(target, predictions.shape))
    assert len(np.unique(target)) == 300
    assert_array_equal(target % 3, np.broadcast_to(np.arange(3), target.shape))
    assert len(np.unique(target // 360)) == 3
    assert_array_equal(methods.draw_sample(scenes, kind, 300)[1], target)
    assert (methods.draw_sample(scenes, kind, 300, seed=1)[1] != target).any()


def test_sample_is_drawn_with_one_scene_in_memory_beside_the_next(folders):
    alive = []

    class Watched(ReferenceSet):
        def __getitem__(self, index):
            scene = super().__getitem__(index)
            assert sum(reference() is not None for reference in alive) <= 1
            alive.append(weakref.ref(scene))
            return scene

    scenes = Watched(folders[0])
    methods.draw_sample(scenes, methods.kind_of(ReferenceSet(folders[0])[0]))
    assert len(alive) == 3


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


def test_table_is_aligned_and_marks_the_best_but_not_the_oracle():
    from skensir.cli.table import Row, format_table

    rows = [Row("a", 31.0, 0.5), Row("bb", 31.0001, 0.9), Row("c", 9.0, 0.7, 12.0, 0.5)]
    text = format_table([*rows, Row("Oracle", 40.0, 0.95)])
    lines = text.splitlines()
    assert len({len(line) for line in lines}) == 1
    assert len({line.index(".") for line in lines[1:]}) == 1
    a, b, c, oracle = (line.split() for line in lines[1:])
    assert a == ["a", "31.000*", "0.5000", "-", "-"]
    assert b == ["bb", "31.000*", "0.9000*", "-", "-"]
    assert c == ["c", "9.000", "0.7000", "12.00", "0.50"]
    assert oracle == ["Oracle", "40.000", "0.9500", "-", "-"]


def test_json_is_the_printed_table_in_full_precision(folders, compared, capsys):
    printed = table_of(run(capsys, *folders, "--no-trees"))
    result = json.loads(run(capsys, *folders, "--no-trees", "--json"))
    rounded = [[r["name"], f"{r['psnr']:.3f}", f"{r['ssim']:.4f}"] for r in result["table"]]
    assert rounded == [row[:3] for row in printed]
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


def test_input_that_is_not_like_the_truth_is_left_out(own_folders, capsys):
    _, test = own_folders
    for path in (test / "lq").iterdir():
        write_image(path, read_image(path)[::2, ::2])
    printed = run(capsys, *own_folders, "--no-trees")
    assert table_of(printed)[0][0] == "A"
    assert "Input is left out" in " ".join(printed.split())


def test_test_set_that_is_the_reference_set_is_said(folders, capsys):
    printed = run(capsys, folders[0], folders[0], "--no-trees")
    assert "the ensembles know the truth" in " ".join(printed.split())


# ---- the report


def test_report_gets_the_table_and_each_scene(folders, tmp_path, monkeypatch, capsys):
    received = {}

    def write_report(path, title, table, scenes, notes=""):
        received.update(path=path, title=title, table=table, scenes=list(scenes), notes=notes)

    module = types.ModuleType("skensir.cli.report")
    module.write_report = write_report
    monkeypatch.setitem(sys.modules, "skensir.cli.report", module)
    printed = run(capsys, *folders, "--no-trees", "--report", tmp_path / "page.html")
    assert printed.endswith(f"Report: {tmp_path / 'page.html'}\n")
    assert received["path"] == tmp_path / "page.html"
    assert str(folders[1]) in received["title"]
    assert received["notes"]
    names = [row["name"] for row in received["table"]]
    assert names == [name for name, *_ in table_of(printed)]
    for scene, (number, original) in zip(
        received["scenes"], enumerate(ReferenceSet(folders[1])), strict=True
    ):
        assert scene["name"] == str(number)
        assert_array_equal(scene["target"], original.target)
        assert scene["data_range"] == 255
        assert list(scene["images"]) == names
        assert list(scene["weight_maps"]) == [name for name in names if name.startswith("EnsIR")]
        for maps in scene["weight_maps"].values():
            assert tuple(maps) == MODELS
            assert_allclose(sum(maps.values()), np.ones(original.target.shape[:2]))
    for row in received["table"]:
        psnr = [
            peak_signal_noise_ratio(s["target"], s["images"][row["name"]])
            for s in received["scenes"]
        ]
        assert row["psnr"] == pytest.approx(np.mean(psnr))


# ---- mistakes


def assert_mistake(capsys, argv, *words):
    """Check that a mistake costs exit code 2 and one sentence that contains the words."""
    assert main(["compare", *map(str, argv)]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"skensir: .+\.\n", captured.err)
    for word in words:
        assert word in captured.err


@pytest.mark.parametrize("part", ["gt", "B", "lq"])
def test_missing_scene_is_named(own_folders, no_work, capsys, part):
    (own_folders[1] / part / "1.png").unlink()
    assert_mistake(capsys, own_folders, str(own_folders[1] / part), "'1'")


def test_folder_that_is_none_is_named(folders, no_work, capsys, tmp_path):
    assert_mistake(capsys, [folders[0], tmp_path / "nowhere"], "nowhere is not a folder")
    assert_mistake(capsys, [tmp_path, folders[1]], str(tmp_path))


def test_base_model_that_the_test_set_has_not_is_named(own_folders, no_work, capsys):
    shutil.rmtree(own_folders[1] / "B")
    assert_mistake(capsys, own_folders, str(own_folders[1]), "'B'")


@pytest.mark.parametrize("which", [0, 1])
def test_sizes_that_differ_need_crop(own_folders, capsys, which):
    path = own_folders[which] / "B" / "1.png"
    write_image(path, np.pad(read_image(path), ((0, 3), (0, 1), (0, 0))))
    assert_mistake(capsys, [*own_folders, "--no-trees"], str(path), "--crop")
    run(capsys, *own_folders, "--no-trees", "--crop")


@pytest.mark.parametrize("which", [0, 1])
@pytest.mark.parametrize(
    ("other", "word"),
    [(lambda image: image[..., 0], "grey"), (lambda image: image.astype(np.uint16), "uint16")],
    ids=["grey", "16 bits"],
)
@pytest.mark.parametrize("trees", [[], ["--no-trees"]])
def test_scene_of_another_kind_is_named(own_folders, capsys, which, other, word, trees):
    for part in (*MODELS, "gt", "lq"):
        path = own_folders[which] / part / "1.png"
        write_image(path, other(read_image(path)))
    assert_mistake(capsys, [*own_folders, *trees], "cene '1'", str(word))


def test_base_model_with_the_name_of_a_row_is_a_mistake(own_folders, no_work, capsys):
    for folder in own_folders:
        (folder / "B").rename(folder / "Average")
    assert_mistake(capsys, own_folders, str(own_folders[0] / "Average"), "rename")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--crop-border", "8"], "crop_border == 8"),
        (["--crop-border", "-1"], "crop_border == -1"),
        (["--channel", "red"], "--channel"),
        (["--bin-width", "wide"], "--bin-width"),
        (["--report", "nowhere/page.html"], "nowhere is not a folder"),
    ],
)
def test_options_out_of_range_are_noticed_before_fitting(folders, no_work, capsys, options, words):
    assert_mistake(capsys, [*folders, *options], words)


def test_bin_width_out_of_range_is_named(folders, capsys):
    assert_mistake(capsys, [*folders, "--no-trees", "--bin-width", "0"], "bin_width == 0")


def test_damaged_file_is_named(own_folders, no_work, capsys):
    path = own_folders[1] / "C" / "0.png"
    path.write_bytes(path.read_bytes()[:40])
    assert_mistake(capsys, own_folders, str(path))
