"""The page of results: what is in it, that it is whole and harmless, and how it behaves."""

import base64
import errno
import io
import json
import os
import re
import subprocess
import sys
import weakref
from html.parser import HTMLParser
from pathlib import Path

import matplotlib
import numpy as np
import pytest
from browser import CHROMIUM, open_page
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image

import skensir.cli.report
from skensir.cli.report import write_report

HOSTILE = (
    "</script><script>document.title = 'hacked'</script>",
    "<!--<script>",
    "\" onclick='document.title = 1' & &lt; {{scenes}} {{title}} \\u003c \u2028",
    "</title></th><img src=x onerror='document.title = 2'>",
    "__proto__",
    "constructor",
)


def row(name, psnr=None, ssim=None, seconds_fit=None, seconds_image=None):
    return {
        "name": name,
        "psnr": psnr,
        "ssim": ssim,
        "seconds_fit": seconds_fit,
        "seconds_image": seconds_image,
    }


def make_scene(name="scene", images=None, target=None, weight_maps=None, data_range=255):
    """Return a scene; without images it has one, which is the truth."""
    target = np.zeros((3, 4)) if target is None else target
    return {
        "name": name,
        "target": target,
        "images": {"a": target} if images is None else images,
        "weight_maps": weight_maps or {},
        "data_range": data_range,
    }


class PageParser(HTMLParser):
    """Read a page strictly: every element that is opened is closed, in order."""

    VOID = ("meta", "link")

    def __init__(self, text):
        super().__init__()
        self.open, self.attributes, self.texts, self.scripts = [], [], [], []
        self.rows = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.attributes += [(tag, *attribute) for attribute in attrs]
        if tag not in self.VOID:
            self.open.append(tag)
        if tag == "tr":
            self.rows.append([])
        if tag in ("th", "td"):
            self.rows[-1].append("")
        if tag == "script":
            self.scripts.append([dict(attrs), ""])

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if self.open and self.open[-1] == "script":
            self.scripts[-1][1] += data
        else:
            self.texts.append(data)
        if "tr" in self.open:
            self.rows[-1][-1] += data

    @property
    def scenes(self):
        return [
            {"name": attrs["data-name"], **json.loads(text)}
            for attrs, text in self.scripts
            if attrs.get("class") == "scene"
        ]


def write_and_parse(tmp_path, table, scenes, title="Title", notes=""):
    path = tmp_path / "report.html"
    write_report(path, title, table, scenes, notes)
    assert list(tmp_path.iterdir()) == [path]
    return PageParser(path.read_text("utf-8"))


def decode(png):
    with Image.open(io.BytesIO(base64.b64decode(png, validate=True))) as image:
        assert image.format == "PNG"
        return np.asarray(image)


# ---- what is in it


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
    assert head == ["Result", "PSNR (dB)", "SSIM", "fit (s)", "an image (s)"]
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


# ---- whole or absent, one scene at a time


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


# ---- mistakes


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


# ---- the files beside it


@pytest.mark.parametrize("name", ["inferno", "viridis"])
def test_colours_are_those_of_matplotlib(name):
    script = Path(skensir.cli.report.__file__).with_name("report.js").read_text("utf-8")
    block = re.search(rf"const {name.upper()} = (.*?);", script, re.DOTALL)[1]
    colours = re.findall(r"\b[0-9a-f]{6}\b", block)
    expected = matplotlib.colormaps[name](np.linspace(0, 1, 17), bytes=True)[:, :3]
    assert_allclose([list(bytes.fromhex(colour)) for colour in colours], expected, atol=1)


def test_import_loads_no_library_of_an_extra():
    program = (
        "import sys, skensir.cli.report\n"
        "print(sorted({'cv2', 'skimage', 'matplotlib', 'tqdm'} & set(sys.modules)))\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.stdout == "[]\n", run.stderr


# ---- in a browser

SHAPE = (48, 64, 3)
NAMES = ("Input", HOSTILE[0], "EnsIR")
RNG = np.random.default_rng(1)
TARGET = RNG.integers(256, size=SHAPE, dtype=np.uint8)
IMAGES = {
    name: TARGET + RNG.normal(0, sigma, SHAPE)
    for name, sigma in zip(NAMES, (20, 4, 3), strict=True)
}
WEIGHTS = {"EnsIR": {HOSTILE[3]: RNG.random(SHAPE[:2])}}


@pytest.fixture(scope="module")
def browser_page(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    folder = tmp_path_factory.mktemp("browser")
    numbers = ((25, None), (31, 2.0), (30, 1.0))
    table = [
        row(name, psnr, seconds_fit=seconds)
        for name, (psnr, seconds) in zip(NAMES, numbers, strict=True)
    ]
    scenes = [
        make_scene(HOSTILE[1], IMAGES, TARGET, WEIGHTS),
        make_scene("deep", {"EnsIR": TARGET[:40, :30, 0]}, TARGET[:40, :30, 0], data_range=65535),
    ]
    write_report(folder / "report.html", "A title", table, scenes)
    with open_page(folder / "report.html", folder / "settings") as page:
        yield page


@pytest.fixture
def page(browser_page):
    """The page as it is when opened; afterwards it must have nothing to complain about."""
    browser_page.mouse("mouseMoved", 1, 1)
    browser_page.send("Page.reload")
    browser_page.wait_for("document.readyState === 'complete'")
    wait_for_caption(browser_page, "Truth")
    yield browser_page
    assert browser_page.complaints == []
    assert {url.split(":")[0] for url in browser_page.requests} <= {"file", "data"}
    assert browser_page.evaluate("document.title") == "A title"


def wait_for_caption(page, caption):
    page.wait_for(f"document.getElementById('caption').textContent === {json.dumps(caption)}")


def text_of(page, name):
    return page.evaluate(f"document.getElementById('{name}').textContent")


def centre_of(page, selector):
    box = f"document.querySelector({json.dumps(selector)}).getBoundingClientRect()"
    return page.evaluate(f"(b => [b.x + b.width / 2, b.y + b.height / 2])({box})")


def seen(page):
    """Return the canvas as (height, width, 4)."""
    url = page.evaluate("document.querySelector('canvas').toDataURL('image/png')")
    return decode(url.removeprefix("data:image/png;base64,"))


def picture(page):
    """Return the picture in the canvas, which must be wholly visible, one pixel a pixel."""
    canvas = seen(page)
    ys, xs = np.nonzero(canvas[..., 3])
    part = canvas[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    scale = int(text_of(page, "zoom").removesuffix(" %")) // 100
    pixels = part[::scale, ::scale, :3]
    assert_array_equal(part[..., :3], pixels.repeat(scale, axis=0).repeat(scale, axis=1))
    return pixels


def rounded(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def test_keys_switch_what_is_seen_to_the_right_pixels(page):
    assert_array_equal(picture(page), TARGET)
    for key, name in (("ArrowDown", NAMES[0]), ("2", NAMES[1]), ("ArrowDown", NAMES[2])):
        page.press(key)
        wait_for_caption(page, name)
        assert_array_equal(picture(page), rounded(IMAGES[name]))
    page.press("ArrowDown")
    wait_for_caption(page, "Truth")
    page.press("3")
    wait_for_caption(page, "EnsIR")

    page.press("ArrowRight")
    wait_for_caption(page, "Absolute error, mean over the channels, of EnsIR")
    error = np.abs(IMAGES["EnsIR"] - TARGET).mean(axis=2)
    top = float(re.match(r"(.*) or more, of 255", text_of(page, "end"))[1])
    expected = matplotlib.colormaps["inferno"](error / top, bytes=True)[..., :3]
    assert np.abs(picture(page).astype(int) - expected).max() <= 10  # 17 colours of 256
    page.press("ArrowRight")
    wait_for_caption(page, f"Weight of {HOSTILE[3]} in EnsIR")
    expected = matplotlib.colormaps["viridis"](WEIGHTS["EnsIR"][HOSTILE[3]], bytes=True)[..., :3]
    assert np.abs(picture(page).astype(int) - expected).max() <= 10
    page.press("ArrowRight")
    wait_for_caption(page, "EnsIR")


def test_names_without_weights_show_their_image_and_arrows_pass_over_them(page):
    weights = f"Weight of {HOSTILE[3]} in EnsIR"
    page.press("3")
    page.press("ArrowLeft")
    wait_for_caption(page, weights)
    page.press("ArrowUp")
    page.press("1")
    wait_for_caption(page, "Input")
    page.press("b")
    wait_for_caption(page, weights)
    page.press("b")
    wait_for_caption(page, "Input")


def test_a_picture_that_is_slow_to_decode_does_not_replace_a_newer_one(page):
    page.evaluate(
        "{ const decode = HTMLImageElement.prototype.decode; let slow = 2;"
        " HTMLImageElement.prototype.decode = function () {"
        "   const wait = slow-- > 0 ? 300 : 0;"
        "   return decode.call(this).then(() => new Promise((done) => setTimeout(done, wait)));"
        " }; }"
    )
    page.press("1")
    page.press("3")
    wait_for_caption(page, "EnsIR")
    page.evaluate("new Promise((done) => setTimeout(done, 600))")
    assert text_of(page, "caption") == "EnsIR"


def test_zoom_and_place_stay_when_the_picture_is_switched(page):
    page.press("1")
    wait_for_caption(page, "Input")
    for key, modifiers in (("+", 0), ("+", 0), ("ArrowRight", 8), ("ArrowUp", 8)):
        page.press(key, modifiers)
    zoom, before = text_of(page, "zoom"), seen(page)
    assert int(zoom.removesuffix(" %")) >= 1600
    page.press("2")
    wait_for_caption(page, NAMES[1])
    assert (seen(page) != before).any()
    page.press("ArrowRight")
    wait_for_caption(page, f"Absolute error, mean over the channels, of {NAMES[1]}")
    assert text_of(page, "zoom") == zoom
    page.press("1")
    page.press("ArrowLeft")
    wait_for_caption(page, "Input")
    assert_array_equal(seen(page), before)
    page.press("f")
    assert_array_equal(picture(page), rounded(IMAGES["Input"]))


def test_the_pointer_over_a_name_shows_its_picture(page):
    for selector, name in (('tr[data-row="3"]', "EnsIR"), ('tr[data-row="1"]', "Input")):
        page.mouse("mouseMoved", *centre_of(page, selector))
        wait_for_caption(page, name)
        assert_array_equal(picture(page), rounded(IMAGES[name]))
    page.mouse("mouseMoved", 1, 1)
    wait_for_caption(page, "Truth")


def test_the_mouse_zooms_at_its_place_moves_and_reads_values(page):
    page.press("3")
    wait_for_caption(page, "EnsIR")
    x, y = centre_of(page, "canvas")
    x, y = x + 30, y - 20

    def value():
        words = text_of(page, "value")
        place, here, truth = re.match(
            r"x (\d+, y \d+): R (\d+ G \d+ B \d+), truth R (\d+ G \d+ B \d+)$", words
        ).groups()
        column, line = map(int, place.split(", y "))
        for numbers, image in ((here, rounded(IMAGES["EnsIR"])), (truth, TARGET)):
            assert_array_equal([int(n) for n in re.split(" [GB] ", numbers)], image[line, column])
        return column, line

    page.mouse("mouseMoved", x, y)
    page.wait_for("document.getElementById('value').textContent !== ''")
    place, zoom = value(), text_of(page, "zoom")
    page.mouse("mouseWheel", x, y, deltaX=0, deltaY=-300)
    page.wait_for(f"document.getElementById('zoom').textContent !== {json.dumps(zoom)}")
    assert value() == place
    for kind, by in (("mousePressed", 0), ("mouseMoved", 50), ("mouseReleased", 50)):
        buttons = {"button": "left", "buttons": 1, "clickCount": 1}
        page.mouse(kind, x + by, y, **buttons)
    assert value() == place  # it moved with the pointer
    page.press("ArrowRight")
    wait_for_caption(page, "Absolute error, mean over the channels, of EnsIR")
    error = np.abs(IMAGES["EnsIR"] - TARGET).mean(axis=2)[place[::-1]]
    shown = float(re.search(r"error (?:≥ )?([\d.]+)$", text_of(page, "value"))[1])
    top = float(text_of(page, "end").split()[0])
    assert shown == pytest.approx(min(error, top), abs=top / 255)
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            page.mouse(kind, x, y, button="left", clickCount=count)
    page.wait_for(f"document.getElementById('zoom').textContent === {json.dumps(zoom)}")


def test_sorting_renumbers_the_keys(page):
    names = "[...document.querySelectorAll('#results tr button')].map((b) => b.textContent)"
    head = "thead th:nth-child(2)"
    for order, direction in (((1, 2, 0), "descending"), ((0, 2, 1), "ascending")):
        page.evaluate(f"document.querySelector('{head} button').click()")
        assert page.evaluate(names) == [NAMES[i] for i in order]
        assert page.evaluate(f"document.querySelector('{head}').ariaSort") == direction
        page.press("2")
        wait_for_caption(page, "EnsIR")
        page.press("ArrowDown")
        wait_for_caption(page, NAMES[order[2]])
    for order in ((2, 1, 0), (1, 2, 0)):  # what has no number comes last in both directions
        page.evaluate("document.querySelector('thead th:nth-child(4) button').click()")
        assert page.evaluate(names) == [NAMES[i] for i in order]
    page.evaluate("document.querySelector('thead button').click()")
    assert page.evaluate(names) == list(NAMES)


def test_scenes_are_switched_and_deep_ones_say_so(page):
    assert text_of(page, "deep") == ""
    page.press("1")
    wait_for_caption(page, "Input")
    page.press("n")
    wait_for_caption(page, "Truth")  # there is no input
    assert "65535 are shown as 8 bits" in text_of(page, "deep")
    expected = rounded(TARGET[:40, :30, 0] / 257)
    assert_array_equal(picture(page), expected[..., None].repeat(3, axis=2))
    page.press("n")
    page.wait_for("document.getElementById('deep').textContent === ''")
    page.wait_for("document.querySelector('canvas').ariaLabel.includes('<!--')")
    assert_array_equal(picture(page), TARGET)


def test_everything_is_reached_by_the_keyboard_alone(page):
    reached = []
    while "CANVAS" not in reached and len(reached) < 30:
        page.press("Tab")
        reached.append(
            page.evaluate("document.activeElement.textContent || document.activeElement.tagName")
        )
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") == "solid"
    for name in ("PSNR (dB)", "Truth", *NAMES, HOSTILE[1], "deep", "Error", "CANVAS"):
        assert name in reached
    # The focus joins what is shown: the arrow leads from the truth to the first result.
    page.evaluate("document.querySelector('tr[data-row=\"3\"] button').focus()")
    page.press("ArrowDown")
    wait_for_caption(page, "Input")
    assert page.evaluate("document.activeElement.textContent") == "Input"


@pytest.mark.parametrize(("width", "height"), [(1280, 800), (800, 600), (400, 700)])
def test_nothing_is_wider_than_the_window(page, width, height):
    page.send(
        "Emulation.setDeviceMetricsOverride",
        width=width,
        height=height,
        deviceScaleFactor=1,
        mobile=False,
    )
    page.wait_for(f"innerWidth === {width}")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.send("Emulation.clearDeviceMetricsOverride")
