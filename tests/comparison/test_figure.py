"""The figure of a paper: nothing overlaps, pixels stay pixels, and files are equal."""

import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.lines import Line2D

from skensir.comparison.figure import draw_figure, encode_figure
from skensir.comparison.figure_layout import Bar, Line, Picture, lay_out
from skensir.comparison.shown_scenes import Box, ShownScene
from skensir.comparison.tables import Mark
from skensir.image import read_image

NAMES = ("MPRNet", "x$y_z^2", "A_very_long_network_name_v2", "Restormer", "EnsIR, with the input")


def make_scene(n_images, shape=(60, 80), box=(8, 4, 24, 16), *, weights=0, seed=0, name="0001"):
    rng = np.random.default_rng(seed)
    box = Box(*box)
    names = [NAMES[n] if n < len(NAMES) else f"model {n}" for n in range(n_images)]
    whole = rng.integers(0, 256, (*shape, 3), dtype=np.uint8)
    part = (box.height, box.width)
    return ShownScene(
        name,
        whole,
        box,
        {name: rng.integers(0, 256, (*part, 3), dtype=np.uint8) for name in (*names, "Truth")},
        {name: {"psnr": 30 + n / 3, "ssim": 0.9 + n / 99} for n, name in enumerate(names)},
        {name: rng.uniform(0, 50, part) for name in names},
        {f"ensemble {w}": {name: rng.random(part) for name in names[:2]} for w in range(weights)},
    )


def written(figure, tmp_path):
    path = tmp_path / "figure.png"
    path.write_bytes(encode_figure(figure, ".png"))
    return read_image(path)


@pytest.mark.parametrize("n_images", [2, 10])
@pytest.mark.parametrize("box", [(8, 4, 24, 16), (0, 0, 7, 31), (3, 2, 41, 41)])
def test_each_pixel_of_a_part_is_a_square_of_dots(tmp_path, n_images, box):
    scenes = [make_scene(n_images, box=box), make_scene(n_images, (50, 110), box, seed=1)]
    image = written(draw_figure(scenes), tmp_path)
    layout = lay_out(scenes, 7, errors=False)
    assert image.shape[:2] == (layout.height, layout.width)
    parts = [part for scene in scenes for part in scene.parts.values()]
    shown = [i for i in layout.items if isinstance(i, Picture) and i.frame is None]
    assert len(shown) == len(parts)
    for item, part in zip(shown, parts, strict=True):
        factor = item.place.width // part.shape[1]
        x, y, width, height = item.place
        enlarged = np.kron(part, np.ones((factor, factor, 1), np.uint8))
        np.testing.assert_array_equal(image[y : y + height, x : x + width], enlarged)


@given(
    st.lists(
        st.tuples(
            st.integers(1, 12),
            st.tuples(st.integers(20, 300), st.integers(20, 300)),
            st.tuples(st.integers(1, 20), st.integers(1, 20)),
            st.integers(0, 2),
        ),
        min_size=1,
        max_size=3,
    ),
    st.floats(3, 12),
    st.booleans(),
)
def test_nothing_overlaps_or_lies_outside(rows, width, errors):
    scenes = [
        make_scene(n, shape, (0, 0, *box), weights=weights) for n, shape, box, weights in rows
    ]
    layout = lay_out(scenes, width, errors=errors)
    assert layout.width / layout.dpi == pytest.approx(width, abs=0.1)
    taken = np.zeros((layout.height, layout.width), bool)
    for item in layout.items:
        if isinstance(item, Line):
            assert 0 < item.x < layout.width
            assert not taken[item.y : item.y + 2, item.x].any()
            continue
        x, y, w, h = item.place
        assert min(x, y) >= 0
        assert min(w, h) > 0
        assert x + w <= layout.width
        assert y + h <= layout.height
        assert not taken[y : y + h, x : x + w].any()
        taken[y : y + h, x : x + w] = True


def test_maps_stand_under_their_images_with_one_scale():
    scenes = [make_scene(3, weights=1), make_scene(3, weights=1, seed=1)]
    layout = lay_out(scenes, 7, errors=True)
    pictures = [item for item in layout.items if isinstance(item, Picture)]
    columns = {}
    for scene in scenes:
        for name, part in scene.parts.items():
            [place] = [p.place for p in pictures if p.image is part]
            columns[name] = place.x
        maps = {**scene.errors, **scene.weights["ensemble 0"]}
        for name, values in [*scene.errors.items(), *scene.weights["ensemble 0"].items()]:
            [picture] = [p for p in pictures if p.image is values]
            assert picture.place.x == columns[name]
        assert maps
    errors = np.concatenate([e.ravel() for scene in scenes for e in scene.errors.values()])
    ends = {item.label: item.largest for item in layout.items if isinstance(item, Bar)}
    assert ends == {"absolute error": np.percentile(errors, 99.5), "weights of ensemble 0": 1}


def test_the_input_does_not_take_the_contrast_from_the_others():
    scene = make_scene(3)
    scene.errors["Input"] = np.full((16, 24), 200.0)
    scene.parts = {"Input": scene.parts["MPRNet"], **scene.parts}
    layout = lay_out([scene], 7, errors=True)
    [bar] = [item for item in layout.items if isinstance(item, Bar)]
    assert bar.largest < 51


def test_best_is_bold_and_second_is_underlined():
    scene = make_scene(3)
    scene.scores["MPRNet"]["psnr"] = 30.6649  # is 30.66, as 30.6667 is not
    layout = lay_out([scene], 7, errors=False)
    lines = [item.pieces for item in layout.items if isinstance(item, Line)]
    marks = {text: mark for pieces in lines for text, mark in pieces}
    assert (marks["30.67"], marks["30.66"], marks["30.33"]) == (Mark.BEST, Mark.SECOND, Mark.NONE)
    assert marks["0.9202"] == Mark.BEST
    assert marks["PSNR / SSIM"] == Mark.NONE
    figure = draw_figure([scene])
    bold = {text.get_text() for text in figure.texts if text.get_weight() == "bold"}
    assert bold == {"30.67", "0.9202"}
    assert sum(isinstance(artist, Line2D) for artist in figure.artists) == 2


def test_infinite_psnr_is_shown_and_best():
    scene = make_scene(2)
    scene.scores["MPRNet"]["psnr"] = np.inf
    figure = draw_figure([scene])
    [text] = [text for text in figure.texts if text.get_text() == "∞"]
    assert text.get_weight() == "bold"


@pytest.mark.parametrize("width", [3.25, 5.5, 7])
@pytest.mark.parametrize("n_images", [4, 9])
def test_scores_do_not_run_into_each_other(width, n_images):
    figure = draw_figure([make_scene(n_images, (96, 128))], width=width)
    renderer = figure.canvas.get_renderer()
    boxes = [text.get_window_extent(renderer) for text in figure.texts if text.get_text() != "/"]
    right, bottom = figure.bbox.width, 0
    for number, box in enumerate(boxes):
        assert box.x0 >= 0
        assert box.x1 <= right
        assert box.y0 >= bottom
        for other in boxes[:number]:
            assert not (  # but for the space below letters
                box.x0 < other.x1
                and other.x0 < box.x1
                and box.y0 < other.y1 - 3
                and other.y0 + 3 < box.y1
            )


def test_equal_figures_are_equal_files_with_text_as_text():
    scenes = [make_scene(3)]
    for suffix in (".png", ".pdf"):
        first, second = (encode_figure(draw_figure(scenes), suffix) for _ in range(2))
        assert first == second
    assert first.startswith(b"%PDF")
    assert b"CreationDate" not in first
    assert b"/Type3" not in first
    assert re.search(rb"/FontFile2|/CIDFontType2", first)


def test_a_wide_box_raises_the_resolution_until_there_is_no_room():
    few = draw_figure([make_scene(2, (900, 900), (0, 0, 800, 800))])
    assert few.dpi > 300
    with pytest.raises(ValueError, match=r"widest box has 3500 pixels, .* up to \d+ have room"):
        lay_out([make_scene(2, (10, 3600), (0, 0, 3500, 2))], 5, errors=False)
