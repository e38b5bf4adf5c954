"""The report in a browser: what keys and mouse show."""

import json
import re

import matplotlib
import numpy as np
import pytest
from browser import CHROMIUM, open_page
from numpy.testing import assert_array_equal
from report_pages import HOSTILE, decode, make_scene, row

from skensir.comparison.report import write_report

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
