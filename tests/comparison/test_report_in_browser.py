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
from skensir.comparison.telling import Choice

SHAPE = (48, 64, 3)
NAMES = ("Input", HOSTILE[0], "EnsIR")
RNG = np.random.default_rng(1)
TARGET = RNG.integers(256, size=SHAPE, dtype=np.uint8)
IMAGES = {
    name: TARGET + RNG.normal(0, sigma, SHAPE)
    for name, sigma in zip(NAMES, (20, 4, 3), strict=True)
}
WEIGHTS = {"EnsIR": {HOSTILE[3]: RNG.random(SHAPE[:2])}}
# Of the input, of the rival, and of EnsIR.
PSNR = {
    "absent": (20, 30.5, float("inf")),
    "deep": (25, 31, 30.75),
    HOSTILE[1]: (26, 29.25, 29.5),
    "none": (float("nan"), 28, 28),
}
SCORES = {
    scene: {
        name: {"psnr": psnr, "ssim": psnr / 100}
        for name, psnr in zip(NAMES, numbers, strict=True)
        if psnr == psnr
    }
    for scene, numbers in PSNR.items()
}


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
    choice = Choice(lead="EnsIR", rival=NAMES[1], reason="by chance")
    write_report(folder / "report.html", "A title", table, scenes, scores=SCORES, choice=choice)
    with open_page(folder / "report.html", folder / "settings") as page:
        yield page


@pytest.fixture
def page(browser_page):
    """The page as it is when opened; afterwards it must have nothing to complain about."""
    browser_page.mouse("mouseMoved", 1, 1)
    browser_page.send("Page.reload")
    browser_page.wait_for("document.readyState === 'complete'")
    wait_for_caption(browser_page, "EnsIR")  # our best
    browser_page.press("0")
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
    return decode({"type": "png", "data": url.removeprefix("data:image/png;base64,")})


def picture(page):
    """Return the picture in the canvas, after a zoom at which it is whole, one pixel a pixel."""
    page.press("f")
    page.press("-")
    canvas = seen(page)
    ys, xs = np.nonzero(canvas[..., 3])
    part = canvas[ys.min() : ys.max() + 1, xs.min() : xs.max() + 1]
    scale = int(text_of(page, "zoom").removesuffix(" %")) // 100
    pixels = part[::scale, ::scale, :3]
    assert_array_equal(part[..., :3], pixels.repeat(scale, axis=0).repeat(scale, axis=1))
    return pixels


def rounded(image):
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def error_of(name):
    return np.abs(rounded(IMAGES[name]).astype(float) - TARGET).mean(axis=2)


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
    wait_for_caption(page, "Error of EnsIR")
    top = float(re.match(r"(.*) or more, of 255, mean over the ch", text_of(page, "end"))[1])
    expected = matplotlib.colormaps["inferno"](error_of("EnsIR") / top, bytes=True)[..., :3]
    assert np.abs(picture(page).astype(int) - expected).max() <= 10  # 17 colours of 256
    page.press("ArrowRight")
    wait_for_caption(page, f"Weight of {HOSTILE[3]} in EnsIR")
    steps = np.rint(WEIGHTS["EnsIR"][HOSTILE[3]] * 32) / 32
    expected = matplotlib.colormaps["viridis"](steps, bytes=True)[..., :3]
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
    wait_for_caption(page, f"Error of {NAMES[1]}")
    assert text_of(page, "zoom") == zoom
    page.press("1")
    page.press("ArrowLeft")
    wait_for_caption(page, "Input")
    assert_array_equal(seen(page), before)
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
    wait_for_caption(page, "Error of EnsIR")
    shown = float(re.search(r"error ([\d.]+)$", text_of(page, "value"))[1])
    assert shown == pytest.approx(error_of("EnsIR")[place[::-1]], abs=0.06)
    for count in (1, 2):
        for kind in ("mousePressed", "mouseReleased"):
            page.mouse(kind, x, y, button="left", clickCount=count)
    page.wait_for(f"document.getElementById('zoom').textContent === {json.dumps(zoom)}")


def test_sorting_renumbers_the_keys(page):
    names = "[...document.querySelectorAll('#results tr button')].map((b) => b.textContent)"
    head = "#means thead th:nth-child(2)"
    for order, direction in (((1, 2, 0), "descending"), ((0, 2, 1), "ascending")):
        page.evaluate(f"document.querySelector('{head} button').click()")
        assert page.evaluate(names) == [NAMES[i] for i in order]
        assert page.evaluate(f"document.querySelector('{head}').ariaSort") == direction
        page.press("2")
        wait_for_caption(page, "EnsIR")
        page.press("ArrowDown")
        wait_for_caption(page, NAMES[order[2]])
    for order in ((2, 1, 0), (1, 2, 0)):  # what has no number comes last in both directions
        page.evaluate("document.querySelector('#means thead th:nth-child(4) button').click()")
        assert page.evaluate(names) == [NAMES[i] for i in order]
    page.evaluate("document.querySelector('#means thead button').click()")
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
    while "CANVAS" not in reached and len(reached) < 40:
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


# ---- two results at once


def test_the_slider_shows_one_result_on_each_side_of_a_line(page):
    page.press("3")
    wait_for_caption(page, "EnsIR")
    page.press("f")
    page.press("-")
    whole = seen(page)
    page.press("2")
    wait_for_caption(page, NAMES[1])
    other = seen(page)
    page.press("3")
    page.press("v")
    page.wait_for("!document.getElementById('divider').hidden")
    assert text_of(page, "caption") == "EnsIR"
    assert text_of(page, "caption-opposite") == NAMES[1]
    width = whole.shape[1]
    place = "Number(document.getElementById('divider').getAttribute('aria-valuenow'))"
    for keys, percent in (([], 50), (["ArrowLeft"] * 5, 40), (["PageUp"], 50), (["End"], 100)):
        page.evaluate("document.getElementById('divider').focus()")
        for key in keys:
            page.press(key)
        assert page.evaluate(place) == percent
        line = round(width * percent / 100)
        both = seen(page)
        # The zoom stays, so both halves are what they were alone.
        assert_array_equal(both[:, : line - 1], whole[:, : line - 1])
        assert_array_equal(both[:, line + 1 :], other[:, line + 1 :])
    assert text_of(page, "caption") == "EnsIR"  # the arrows were those of the line
    page.press("Home")
    assert_array_equal(seen(page), other)


def test_the_line_of_the_slider_is_dragged(page):
    page.press("v")
    page.wait_for("!document.getElementById('divider').hidden")
    x, y = centre_of(page, "#divider")
    stage = page.evaluate("document.getElementById('stage').clientWidth")
    for kind, by in (("mousePressed", 0), ("mouseMoved", 0.2), ("mouseReleased", 0.2)):
        page.mouse(kind, x + by * stage, y, button="left", buttons=1, clickCount=1)
    assert centre_of(page, "#divider")[0] == pytest.approx(x + 0.2 * stage, abs=1.5)


def test_side_by_side_are_the_same_pixels_of_two_results(page):
    page.press("3")
    page.press("v")
    page.press("v")
    page.wait_for("document.getElementById('viewer').dataset.view === 'side'")
    wait_for_caption(page, "EnsIR")
    page.wait_for("document.getElementById('divider').hidden")
    for key, modifiers in (("f", 0), ("-", 0), ("ArrowLeft", 8)):
        page.press(key, modifiers)
        canvas = seen(page)
        scale = int(text_of(page, "zoom").removesuffix(" %")) / 100
        half = (canvas.shape[1] - 4) // 2
        halves = canvas[:, :half], canvas[:, -half:]
        filled = [half[..., 3] > 0 for half in halves]
        assert not canvas[:, half:-half].any()
        if key == "f":
            continue
        corners = [np.argwhere(part)[0] for part in filled]
        assert np.abs(corners[0] - corners[1]).max() <= 1  # half a pixel of the screen
        for (top, left), part, name in zip(corners, halves, ("EnsIR", NAMES[1]), strict=True):
            height, width = (np.array(SHAPE[:2]) * scale).astype(int)
            inside = part[top : top + height : int(scale), left : left + width : int(scale), :3]
            assert_array_equal(inside, rounded(IMAGES[name])[:, : inside.shape[1]])


def test_any_result_can_be_set_against(page):
    page.press("1")
    wait_for_caption(page, "Input")
    page.press("r")
    page.press("3")
    wait_for_caption(page, "EnsIR")
    assert text_of(page, "caption-opposite") == "Input"
    page.press("ArrowRight")
    wait_for_caption(page, "Error of EnsIR")
    assert text_of(page, "caption-opposite") == "Error of Input"
    page.press("ArrowRight")
    wait_for_caption(page, f"Weight of {HOSTILE[3]} in EnsIR")
    assert text_of(page, "caption-opposite") == "Input"  # which has no weights
    page.evaluate(
        "{ const list = document.getElementById('opposite'); list.value = '0';"
        " list.dispatchEvent(new Event('change')); }"
    )
    page.wait_for("document.getElementById('caption-opposite').textContent === 'Truth'")


def test_small_images_fill_the_stage(page):
    page.press("f")
    canvas = seen(page)
    filled = canvas[..., 3] > 0
    shares = filled.any(axis=0).mean(), filled.any(axis=1).mean()
    assert max(shares) > 0.99
    assert min(shares) > 0.5


# ---- the scores of scenes


STRONG = (
    "[...document.getElementById('scores').tBodies[0].rows].map("
    "(tr) => [...tr.querySelectorAll('strong')].map((cell) => cell.textContent))"
)


def scores_of_scenes(page):
    """Return the texts of the table of scenes, without its heads."""
    return page.evaluate(
        "[...document.getElementById('scores').tBodies[0].rows].map("
        "(tr) => [...tr.cells].map((cell) => cell.textContent))"
    )


def click_head(page, number):
    page.evaluate(f"document.querySelector('#scores thead th:nth-child({number}) button').click()")


def test_scores_of_scenes_are_sorted_by_any_column(page):
    page.press("s")
    page.wait_for("document.getElementById('viewer').dataset.view === 'scores'")
    rows = scores_of_scenes(page)
    assert [cells[0] for cells in rows] == list(PSNR)
    assert rows[0][1:] == ["+∞", "∞", "20.000", "30.500"]  # the gain, EnsIR, and the others
    assert rows[1][1:] == ["−0.250", "30.750", "25.000", "31.000"]
    assert rows[3][1:] == ["0.000", "28.000", "–", "28.000"]
    first, second, third, last = PSNR
    for column, orders in {
        1: [(last, third, second, first), (first, second, third, last)],
        2: [(first, third, last, second), (second, last, third, first)],
        4: [(third, second, first, last), (first, second, third, last)],  # without a number last
    }.items():
        for order, direction in zip(orders, ("descending", "ascending"), strict=True):
            click_head(page, column)
            assert [cells[0] for cells in scores_of_scenes(page)] == list(order)
            head = f"document.querySelector('#scores thead th:nth-child({column})')"
            assert page.evaluate(f"{head}.ariaSort") == direction


def test_the_best_of_each_scene_is_marked(page):
    assert page.evaluate(STRONG) == [["∞"], ["31.000"], ["29.500"], ["28.000", "28.000"]]
    page.evaluate("document.querySelectorAll('#metrics button')[1].click()")
    assert scores_of_scenes(page)[1][1:] == ["−0.0025", "0.3075", "0.2500", "0.3100"]


def test_a_scene_with_images_is_opened_from_the_scores(page):
    page.press("s")
    links = "[...document.querySelectorAll('#scores tbody button')].map((b) => b.textContent)"
    assert sorted(page.evaluate(links)) == sorted(["deep", HOSTILE[1]])
    page.evaluate("document.querySelector('#scores tbody tr').click()")  # it has no images
    assert page.evaluate("document.getElementById('viewer').dataset.view") == "scores"
    page.evaluate("document.querySelector('#scores tr.with td:nth-child(3)').click()")
    page.wait_for("document.querySelector('canvas').ariaLabel.includes('Scene deep, EnsIR')")
    assert text_of(page, "figures") == "PSNR 30.750 dB, SSIM 0.3075"
    assert "The images of 2 of the 4 scenes are in this report, chosen by chance." in text_of(
        page, "chosen"
    )


# ---- other pages


def test_every_row_has_a_key_of_its_own(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    table = [row(f"row {number}") for number in range(30)]
    images = {of_row["name"]: np.full((4, 6), 8 * i) for i, of_row in enumerate(table)}
    write_report(tmp_path / "a.html", "", table, [make_scene("1", images, np.zeros((4, 6)))])
    with open_page(tmp_path / "a.html", tmp_path / "settings") as page:
        wait_for_caption(page, "Truth")
        keys = page.evaluate(
            "[...document.querySelectorAll('#means tbody button')].map((b) => b.dataset.key)"
        )
        assert len(set(keys)) == 31
        assert not {"", "b", "n", "p", "v", "r", "s", "f"} & set(keys)
        for number, key in enumerate(keys[1:]):
            page.press(key)
            wait_for_caption(page, f"row {number}")
        assert page.complaints == []


def test_a_page_without_images_has_the_scores(tmp_path):
    if CHROMIUM is None:
        pytest.skip("no Chromium is installed")
    table = [row(name, 30.0) for name in (*NAMES, "Oracle")]
    scores = {scene: {**of_rows, "Oracle": {"psnr": 99}} for scene, of_rows in SCORES.items()}
    write_report(tmp_path / "a.html", "", table, [], scores=scores)
    with open_page(tmp_path / "a.html", tmp_path / "settings") as page:
        assert len(scores_of_scenes(page)) == 4
        assert page.evaluate(STRONG)[1] == ["31.000"]  # the oracle is no rival
        assert text_of(page, "chosen").startswith("No images")
        for key in ("s", "v", "1", "n"):
            page.press(key)
        assert page.evaluate("document.getElementById('viewer').dataset.view") == "scores"
        assert page.complaints == []
    write_report(tmp_path / "a.html", "", table, [])
    with open_page(tmp_path / "a.html", tmp_path / "settings") as page:
        assert page.evaluate("document.getElementById('viewer').hidden")
        assert page.complaints == []
