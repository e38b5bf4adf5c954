"""The report: what is in it, and that it is whole and harmless."""

import errno
import os
import re
import subprocess
import sys
import weakref
from itertools import islice
from pathlib import Path

import cv2
import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from report_pages import HOSTILE, image_of, make_scene, row, weight_of, write_and_parse

import skensir.comparison.report
from skensir.comparison.report import write_report
from skensir.comparison.telling import Choice


@given(
    image=hnp.arrays(
        np.float64,
        st.sampled_from([(2, 3), (2, 3, 1), (1, 4, 3)]),
        elements=st.floats(-1e6, 1e6) | st.floats(-1, 256) | st.sampled_from([0.5, 1.5, 254.5]),
    )
)
def test_images_are_clipped_and_rounded_and_otherwise_exact(tmp_path_factory, image):
    target = np.full(image.shape, 7, np.uint8)
    folder = tmp_path_factory.mktemp("page")
    [scene] = write_and_parse(folder, [row("a")], [make_scene("1", {"a": image}, target)]).scenes
    shown = image_of(scene, 1)
    assert shown.dtype == np.uint8
    expected = [round(min(max(value, 0), 255)) for value in image.ravel().tolist()]
    assert_array_equal(shown.ravel(), expected)
    assert shown.shape == (image.shape if image.shape[-1:] != (1,) else image.shape[:2])
    assert_array_equal(image_of(scene, 0), np.full(shown.shape, 7))
    assert scene["channels"] == (["R", "G", "B"] if shown.ndim == 3 else ["grey"])


def test_16_bits_are_shown_as_8_and_the_scale_of_their_errors_in_their_own_units(tmp_path):
    target = np.array([[0, 128, 129, 257, 65535, 30000]], np.uint16)
    image = target + np.array([[0, 0, 0, 0, 0, 514.0]])  # two steps of 8 bits
    scenes = [make_scene("1", {"a": image}, target, data_range=65535)]
    [scene] = write_and_parse(tmp_path, [row("a")], scenes).scenes
    assert_array_equal(image_of(scene, 0), [[0, 0, 1, 1, 255, 117]])
    assert_array_equal(image_of(scene, 1), [[0, 0, 1, 1, 255, 119]])
    assert scene["range"] == 65535
    # The 99.5th percentile lies between the two largest errors, 0 and 514: 501.
    assert scene["top"] == 600


@pytest.mark.parametrize("shape", [(30, 20), (20, 30, 3)])
def test_the_scale_of_errors_is_that_of_the_middle_result(tmp_path, shape):
    rng = np.random.default_rng(0)
    target = rng.integers(256, size=shape, dtype=np.uint8)
    images = {
        name: target + rng.normal(0, sigma, shape)
        for name, sigma in zip("abc", (1, 3, 40), strict=True)
    }
    table = [row("b"), row("a"), row("without"), row("c")]
    [scene] = write_and_parse(tmp_path, table, [make_scene("1", images, target)]).scenes
    top = scene["top"]
    ends = []
    for number, name in enumerate(("b", "a", None, "c"), 1):
        if name is None:
            assert scene["layers"][number] == {"image": None, "weights": []}
            continue
        n_channels = target[0, 0].size
        values, truth = (
            image_of(scene, number).reshape(-1, n_channels),
            target.reshape(-1, n_channels),
        )
        errors = [
            sum(abs(int(x) - int(y)) for x, y in zip(*pixel, strict=True)) / n_channels
            for pixel in zip(values, truth, strict=True)
        ]
        ends.append(sorted(errors)[int(0.995 * len(errors))])
    # The one with the large errors does not decide: the middle one does, but for rounding up.
    assert 0.9 * sorted(ends)[1] < top < 2 * sorted(ends)[1]
    assert top == float(f"{top:.2g}")


@pytest.mark.parametrize("data_range", [255e-6, 1, 255, 65535, 1e6])
@pytest.mark.parametrize("error", [1, 2, 3, 7, 9, 10, 11, 99, 101, 255])
def test_colour_scales_end_at_round_numbers_not_far_above_the_errors(tmp_path, data_range, error):
    error *= data_range / 255
    image = np.full((5, 5), error)
    scenes = [make_scene("1", {"a": image}, 0 * image, data_range=data_range)]
    [scene] = write_and_parse(tmp_path, [row("a")], scenes).scenes
    assert error * (1 - 1e-12) <= scene["top"] <= 1.5 * error * (1 + 1e-12)
    assert scene["top"] == float(f"{scene['top']:.1e}")


def test_a_scene_without_errors_has_a_scale(tmp_path):
    [scene] = write_and_parse(tmp_path, [row("a")], [make_scene()]).scenes
    assert scene["top"] > 0


def test_weight_maps_belong_to_their_row_and_model(tmp_path):
    rng = np.random.default_rng(0)
    maps = {
        "b": {"m2": rng.random((3, 4)), "m1": rng.random((3, 4))},
        "a": {"m3": np.array([[0, 1, -1e-9, 1 + 1e-9]] * 3), "m1": np.full((3, 4), 0.5)},
    }
    scenes = [make_scene(weight_maps=maps)]
    [scene] = write_and_parse(tmp_path, [row("a"), row("b"), row("c")], scenes).scenes
    assert sorted(scene["models"]) == ["m1", "m2", "m3"]
    for number, name in enumerate("abc", 1):
        for place, model in enumerate(scene["models"]):
            weight = maps.get(name, {}).get(model)
            if weight is None:
                assert scene["layers"][number]["weights"][place] is None
            else:
                # In steps of 1/32, and those in steps of 1/255.
                error = np.abs(weight_of(scene, number, place) - weight).max()
                assert error <= 0.5 / 32 + 0.5 / 255 + 1e-8
    assert scene["layers"][0]["weights"] == [None] * 3


def test_images_are_exact_whatever_they_are_stored_as(tmp_path):
    rng = np.random.default_rng(0)
    target = rng.integers(256, size=(40, 50, 3), dtype=np.uint8)
    images = {
        "near": np.clip(target + rng.integers(-2, 3, target.shape), 0, 255),
        "lead": target ^ rng.integers(2, size=target.shape, dtype=np.uint8),
        "flat": np.full(target.shape, 200),
        "other": rng.integers(256, size=target.shape),
    }
    table = [row(name) for name in images]
    scenes = [make_scene("1", images, target)]
    page = write_and_parse(tmp_path, table, scenes, choice=Choice(lead="lead"))
    [scene] = page.scenes
    for number, image in enumerate([target, *images.values()]):
        assert_array_equal(image_of(scene, number), image)
    differ = [layer["image"].get("plus") for layer in scene["layers"]]
    assert differ == [2, 2, None, None, None]  # what is like the lead, and nothing else


def test_no_picture_is_larger_than_as_png_or_lossless_webp(tmp_path):
    rng = np.random.default_rng(0)
    smooth = cv2.GaussianBlur(rng.normal(128, 900, (64, 96, 3)), (0, 0), 5).clip(0, 255)
    for image in (np.rint(smooth).astype(np.uint8), np.zeros((1, 1), np.uint8)):
        [scene] = write_and_parse(
            tmp_path, [row("a")], [make_scene("1", {"a": image}, image)]
        ).scenes
        sizes = {
            kind: len(
                cv2.imencode(f".{kind}", image[..., ::-1] if image.ndim == 3 else image, o)[1]
            )
            for kind, o in (("png", []), ("webp", [cv2.IMWRITE_WEBP_QUALITY, 101]))
        }
        picture = scene["layers"][1]["image"]
        assert picture["type"] == min(sizes, key=sizes.get)
        assert len(picture["data"]) == 4 * -(-min(sizes.values()) // 3)


def test_images_too_wide_for_webp_are_png(tmp_path):
    image = np.zeros((1, 1 << 14), np.uint8)
    [scene] = write_and_parse(tmp_path, [row("a")], [make_scene("1", {"a": image}, image)]).scenes
    assert scene["layers"][0]["image"]["type"] == "png"
    assert_array_equal(image_of(scene, 1), image)


def test_table_marks_the_best_and_every_tie(tmp_path):
    table = [
        row("Input", 25.5, 0.8),
        row("a", 31.00049, 0.9, 1234.5, 0.25),
        row("b", 30.99951, 0.7, 0.0004, 0.1),
        row("perfect, but absent", None, float("nan"), 0.0003, 12),
    ]
    page = write_and_parse(tmp_path, table, [])
    head, truth, *rows = page.rows
    assert head == ["Result", "PSNR (dB)", "SSIM", "fit (s)", "s/image"]
    assert truth == ["Truth", "", "", "", ""]
    assert rows == [
        ["Input", "25.500", "0.8000", "–", "–"],
        ["a", "31.000", "0.9000", "1,234.50", "0.25"],
        ["b", "31.000", "0.7000", "0.00", "0.10"],
        ["perfect, but absent", "–", "–", "0.00", "12.00"],
    ]
    text = (tmp_path / "report.html").read_text("utf-8")
    assert re.findall(r"<strong[^>]*>(.*?)</strong>", text) == [
        *("31.000", "0.9000"),
        "31.000",
    ]  # seconds, which are those of a machine, are never the best
    # Sorted are the numbers, not what is left of them after rounding.
    values = [float(value) for _, name, value in page.attributes if name == "data-value"]
    assert values[:6] == [25.5, 0.8, 31.00049, 0.9, 1234.5, 0.25]


def test_columns_are_those_of_the_rows(tmp_path):
    table = [{"name": "a", "psnr": 30.0, "lpips": 0.201}, {"name": "b", "psnr": None, "lpips": 0.1}]
    scores = {"1": {"a": {"lpips": 0.3}, "b": {"lpips": 0.2}}}
    page = write_and_parse(tmp_path, table, [], scores=scores)
    assert page.rows[0] == ["Result", "PSNR (dB)", "LPIPS"]
    assert page.rows[2:4] == [["a", "30.000", "0.2010"], ["b", "–", "0.1000"]]
    assert re.findall(r"<strong[^>]*>(.*?)</strong>", (tmp_path / "report.html").read_text()) == [
        "0.1000"
    ]
    [metric] = page.data["metrics"]
    assert metric["head"] == "LPIPS"
    assert not metric["descending"]
    assert metric["values"] == [[0.3, 0.2]]


def test_scores_of_all_scenes_are_there_whatever_they_are(tmp_path):
    table = [row("a", 1.0), row("b", 1.0)]
    scores = {
        "1": {"a": {"psnr": float("inf"), "ssim": 1.0}, "b": {"psnr": 30.12345, "ssim": -0.5}},
        "without images": {"b": {"psnr": float("nan"), "ssim": 0.25}},
    }
    choice = Choice(lead="b", rival="a", reason="by chance")
    data = write_and_parse(tmp_path, table, [], scores=scores, choice=choice).data
    assert data["scenes"] == ["1", "without images"]
    assert [metric["head"] for metric in data["metrics"]] == ["PSNR (dB)", "SSIM"]
    assert data["metrics"][0]["values"] == [["Infinity", 30.12345], [None, None]]
    assert data["metrics"][1]["values"] == [[1.0, -0.5], [None, 0.25]]
    assert (data["lead"], data["rival"], data["oracle"]) == (2, 1, None)


@pytest.mark.parametrize("n_fitting", [0, 1, 3])
def test_scenes_that_do_not_fit_are_left_out_but_for_the_first(tmp_path, n_fitting):
    target = np.random.default_rng(0).integers(256, size=(50, 60), dtype=np.uint8)
    made = []

    def scenes():
        for number in range(5):
            made.append(number)
            yield make_scene(str(number), {"a": target}, target)

    path = tmp_path / "report.html"
    sizes = []
    for n in (0, 1, 3):
        write_report(path, "Title", [row("a")], islice(scenes(), n))
        sizes.append(path.stat().st_size)
    limit = {0: sizes[0], 1: sizes[1], 3: sizes[2]}[n_fitting] + 10
    made.clear()
    choice = Choice(max_bytes=limit)
    page = write_and_parse(tmp_path, [row("a")], scenes(), choice=choice)
    n_shown = max(1, n_fitting)
    assert [scene["name"] for scene in page.scenes] == list(map(str, range(n_shown)))
    assert len(made) == n_shown + 1  # and no further
    assert path.stat().st_size <= limit or n_shown == 1


def test_infinite_psnr_is_the_best(tmp_path):
    write_report(tmp_path / "a.html", "", [row("a", float("inf")), row("b", 99.0)], [])
    assert re.findall(r"<strong[^>]*>(.*?)</strong>", (tmp_path / "a.html").read_text()) == ["∞"]


def test_notes_are_paragraphs(tmp_path):
    page = write_and_parse(tmp_path, [], [], notes="One\ntwo.\n \n\n<b>Three</b>.\n")
    assert "One\ntwo." in page.texts
    assert "<b>Three</b>." in page.texts
    assert ("b",) not in {attribute[:1] for attribute in page.attributes}


def test_nothing_is_fetched(tmp_path):
    page = write_and_parse(tmp_path, [row("a")], [make_scene()])
    text = (tmp_path / "report.html").read_text("utf-8")
    assert not re.search(r"https?:|//[a-z]|url\(|@import|fetch\(|XMLHttp|import\(", text)
    addresses = [value for _, name, value in page.attributes if name in ("src", "href")]
    assert addresses == ["data:,"]
    [policy] = [value for _, name, value in page.attributes if value and "default-src" in value]
    assert "default-src 'none'" in policy


def test_names_are_only_text(tmp_path):
    table = [row(name, 30.0) for name in HOSTILE]
    image = np.zeros((3, 4))
    scenes = [
        make_scene(
            name, dict.fromkeys(HOSTILE, image), weight_maps={name: dict.fromkeys(HOSTILE, image)}
        )
        for name in HOSTILE
    ]
    scores = {scene: {name: {"psnr": 30.0} for name in HOSTILE} for scene in HOSTILE}
    choice = Choice(HOSTILE, HOSTILE[0], HOSTILE[1], HOSTILE[2])
    more = {"scores": scores, "choice": choice}
    page = write_and_parse(tmp_path, table, scenes, HOSTILE[0], HOSTILE[2], **more)
    harmless = write_and_parse(
        tmp_path,
        [row(str(i), 30.0) for i in range(len(HOSTILE))],
        [make_scene(str(i), {"0": image}) for i in range(len(HOSTILE))],
    )
    assert [attribute[:2] for attribute in page.attributes] == [
        attribute[:2] for attribute in harmless.attributes
    ]
    assert page.scripts[-1] == harmless.scripts[-1]
    assert page.data["scenes"] == list(HOSTILE)
    assert page.data["reason"] == HOSTILE[2]
    assert [cells[0] for cells in page.rows[2:]] == list(HOSTILE)
    for scene, name in zip(page.scenes, HOSTILE, strict=True):
        assert scene["name"] == name
        assert scene["models"] == list(HOSTILE)
        layer = scene["layers"][1 + HOSTILE.index(name)]
        assert all(picture is not None for picture in (layer["image"], *layer["weights"]))


class Tracked(np.ndarray):
    """An array that can be watched."""


def test_one_scene_is_in_memory_at_a_time(tmp_path):
    living = []

    def scenes():
        for number in range(4):
            assert all(reference() is None for reference in living)
            target = np.full((20, 30, 3), number, np.uint8).view(Tracked)
            scene = make_scene(
                str(number), target=target, weight_maps={"a": {"m": target[..., 0] / 9}}
            )
            living.append(weakref.ref(target))
            del target
            yield scene
            del scene

    page = write_and_parse(tmp_path, [row("a")], scenes())
    assert len(living) == 4
    assert [scene["name"] for scene in page.scenes] == ["0", "1", "2", "3"]


@pytest.mark.parametrize("before", [True, False], ids=["replaces", "new"])
@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt, FileNotFoundError])
def test_a_scene_that_fails_leaves_nothing_behind(tmp_path, before, error):
    path = tmp_path / "report.html"
    if before:
        path.write_text("old")

    def scenes():
        yield make_scene()
        assert len(list(tmp_path.iterdir())) == 1 + before
        raise error(errno.ENOENT, "No such file", "scene.png")

    with pytest.raises(error, match=r"scene\.png"):
        write_report(path, "Title", [row("a")], scenes())
    assert list(tmp_path.iterdir()) == [path] * before
    if before:
        assert path.read_text() == "old"


def test_a_full_disk_is_a_mistake_that_names_the_page(tmp_path, monkeypatch):
    def replace(source, target):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "replace", replace)
    path = tmp_path / "report.html"
    with pytest.raises(OSError, match=r"No space left on device: .*report\.html"):
        write_report(path, "Title", [row("a")], [make_scene()])
    assert list(tmp_path.iterdir()) == []


def test_a_missing_folder_is_noticed_before_the_first_scene(tmp_path):
    def scenes():
        raise AssertionError("the work began before the mistake was noticed")
        yield

    with pytest.raises(FileNotFoundError, match=r"missing/report\.html"):
        write_report(tmp_path / "missing" / "report.html", "Title", [row("a")], scenes())


@pytest.mark.parametrize(
    ("scene", "words"),
    [
        (make_scene(images={"b": np.zeros((3, 4))}), "'b', which is not in the table"),
        (make_scene(weight_maps={"b": {}}), "'b', which is not in the table"),
        (make_scene(images={"a": np.zeros((4, 3))}), r"'a' has shape \(4, 3\), but .* \(3, 4\)"),
        (make_scene(images={"a": np.full((3, 4), np.nan)}), "'a' has NaN"),
        (make_scene(target=np.full((3, 4), np.inf)), "the target has NaN or infinity"),
        (make_scene(target=np.zeros((3, 4, 4))), r"the target has shape \(3, 4, 4\)"),
        (make_scene(target=np.zeros(3)), r"the target has shape \(3,\)"),
        (make_scene(target=np.zeros((0, 3))), r"the target has shape \(0, 3\)"),
        (make_scene(data_range=0), "data_range == 0"),
        (make_scene(data_range=float("nan")), "data_range == nan"),
        (make_scene(weight_maps={"a": {"m": np.zeros((4, 3))}}), r"'m' has shape \(4, 3\)"),
        (make_scene(weight_maps={"a": {"m": np.full((3, 4), 1.1)}}), "'m' has values"),
        (make_scene(weight_maps={"a": {"m": np.full((3, 4), np.nan)}}), "'m' has values"),
    ],
)
def test_mistakes_name_the_scene(tmp_path, scene, words):
    with pytest.raises(ValueError, match=rf"^Scene 'scene': .*{words}"):
        write_report(tmp_path / "report.html", "Title", [row("a")], [scene])
    assert list(tmp_path.iterdir()) == []


def test_names_in_the_table_differ(tmp_path):
    with pytest.raises(ValueError, match="the name 'a' twice"):
        write_report(tmp_path / "report.html", "Title", [row("a"), row("a")], [])


@pytest.mark.parametrize("name", ["inferno", "viridis"])
def test_colours_are_those_of_matplotlib(name):
    script = (
        Path(skensir.comparison.report.__file__)
        .with_name("page")
        .joinpath("pictures.js")
        .read_text("utf-8")
    )
    block = re.search(rf"const {name.upper()} = (.*?);", script, re.DOTALL)[1]
    colours = re.findall(r"\b[0-9a-f]{6}\b", block)
    expected = matplotlib.colormaps[name](np.linspace(0, 1, 17), bytes=True)[:, :3]
    assert_allclose([list(bytes.fromhex(colour)) for colour in colours], expected, atol=1)


def test_import_loads_no_library_of_an_extra():
    program = (
        "import sys, skensir.comparison.report\n"
        "print(sorted({'cv2', 'skimage', 'matplotlib', 'tqdm'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr
