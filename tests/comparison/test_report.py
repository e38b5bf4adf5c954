"""The report: what is in it, and that it is whole and harmless."""

import errno
import os
import re
import subprocess
import sys
import weakref
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from report_pages import HOSTILE, decode, make_scene, row, write_and_parse

import skensir.comparison.report
from skensir.comparison.report import write_report


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
    shown = decode(scene["layers"][1][0])
    assert shown.dtype == np.uint8
    expected = [round(min(max(value, 0), 255)) for value in image.ravel().tolist()]
    assert_array_equal(shown.ravel(), expected)
    assert shown.shape == (image.shape if image.shape[-1:] != (1,) else image.shape[:2])
    assert_array_equal(decode(scene["layers"][0][0]), np.full(shown.shape, 7))
    assert scene["channels"] == (["R", "G", "B"] if shown.ndim == 3 else ["grey"])


def test_16_bits_are_shown_as_8_and_their_errors_in_their_own_units(tmp_path):
    target = np.array([[0, 128, 129, 257, 65535, 30000]], np.uint16)
    image = target + np.array([[0, 0, 0, 0, 0, 400.0]])
    scenes = [make_scene("1", {"a": image}, target, data_range=65535)]
    [scene] = write_and_parse(tmp_path, [row("a")], scenes).scenes
    assert_array_equal(decode(scene["layers"][0][0]), [[0, 0, 1, 1, 255, 117]])
    assert scene["range"] == 65535
    # The 99.5th percentile lies between the two largest errors, 0 and 400: 390.
    assert scene["top"] == 400
    assert_array_equal(decode(scene["layers"][1][1]), [[0, 0, 0, 0, 0, 255]])


@pytest.mark.parametrize("shape", [(30, 20), (20, 30, 3)])
def test_error_maps_are_mean_absolute_errors_on_one_scale(tmp_path, shape):
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
    for layers, name in zip(scene["layers"][1:], ("b", "a", None, "c"), strict=True):
        if name is None:
            assert layers == [None, None]
            continue
        n_channels = target[0, 0].size
        values, truth = images[name].reshape(-1, n_channels), target.reshape(-1, n_channels)
        errors = [
            sum(abs(float(x) - int(y)) for x, y in zip(*pixel, strict=True)) / n_channels
            for pixel in zip(values, truth, strict=True)
        ]
        expected = [round(255 * min(error / top, 1)) for error in errors]
        assert_array_equal(decode(layers[1]).ravel(), expected)
        ends.append(sorted(errors)[int(0.995 * len(errors))])
    # The one with the large errors does not decide: the middle one does, but for rounding up.
    assert 0.9 * sorted(ends)[1] < top < 2 * sorted(ends)[1]
    assert top == float(f"{top:.2g}")


@pytest.mark.parametrize("power", [-6, -1, 0, 1, 3])
@pytest.mark.parametrize("error", [1, 1.01, 1.5, 2, 2.9, 7, 8.1, 9.99, 10])
def test_colour_scales_end_at_round_numbers_not_far_above_the_errors(tmp_path, power, error):
    error *= 10.0**power
    image = np.full((5, 5), error)
    [scene] = write_and_parse(
        tmp_path, [row("a")], [make_scene("1", {"a": image}, 0 * image)]
    ).scenes
    assert error * (1 - 1e-12) <= scene["top"] <= 1.5 * error
    assert scene["top"] == float(f"{scene['top']:.1e}")


def test_a_scene_without_errors_has_black_maps(tmp_path):
    [scene] = write_and_parse(tmp_path, [row("a")], [make_scene()]).scenes
    assert scene["top"] > 0
    assert not decode(scene["layers"][1][1]).any()


def test_weight_maps_belong_to_their_row_and_model(tmp_path):
    rng = np.random.default_rng(0)
    maps = {
        "b": {"m2": rng.random((3, 4)), "m1": rng.random((3, 4))},
        "a": {"m3": np.array([[0, 1, -1e-9, 1 + 1e-9]] * 3), "m1": np.full((3, 4), 0.5)},
    }
    scenes = [make_scene(weight_maps=maps)]
    [scene] = write_and_parse(tmp_path, [row("a"), row("b"), row("c")], scenes).scenes
    assert sorted(scene["models"]) == ["m1", "m2", "m3"]
    for layers, name in zip(scene["layers"][1:], "abc", strict=True):
        for png, model in zip(layers[2:], scene["models"], strict=True):
            weight = maps.get(name, {}).get(model)
            if weight is None:
                assert png is None
            else:
                assert np.abs(decode(png) / 255 - weight).max() <= 0.5 / 255 + 1e-8
    assert scene["layers"][0][1:] == [None] * 4


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
        ["a", "31.000", "0.9000", "1,234.500", "0.250"],
        ["b", "31.000", "0.7000", "0.000", "0.100"],
        ["perfect, but absent", "–", "–", "0.000", "12.000"],
    ]
    text = (tmp_path / "report.html").read_text("utf-8")
    assert re.findall(r"<strong[^>]*>(.*?)</strong>", text) == [
        *("31.000", "0.9000"),
        *("31.000", "0.000", "0.100"),
        "0.000",
    ]
    # Sorted are the numbers, not what is left of them after rounding.
    values = [float(value) for _, name, value in page.attributes if name == "data-value"]
    assert values[:6] == [25.5, 0.8, 31.00049, 0.9, 1234.5, 0.25]


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
    page = write_and_parse(tmp_path, table, scenes, title=HOSTILE[0], notes=HOSTILE[2])
    harmless = write_and_parse(
        tmp_path,
        [row(str(i), 30.0) for i in range(len(HOSTILE))],
        [make_scene(str(i), {"0": image}) for i in range(len(HOSTILE))],
    )
    assert [attribute[:2] for attribute in page.attributes] == [
        attribute[:2] for attribute in harmless.attributes
    ]
    assert page.scripts[-1] == harmless.scripts[-1]
    assert [cells[0] for cells in page.rows[2:]] == list(HOSTILE)
    for scene, name in zip(page.scenes, HOSTILE, strict=True):
        assert scene["name"] == name
        assert scene["models"] == list(HOSTILE)
        layers = scene["layers"][1 + HOSTILE.index(name)]
        assert all(png is not None for png in layers)


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
    script = Path(skensir.comparison.report.__file__).with_name("report.js").read_text("utf-8")
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
