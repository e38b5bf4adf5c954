"""Ten real images in every layout that networks and test sets come in: the same results.

Each layout is built from the same pixels. `fit`, `predict`, `evaluate` and `compare` run on it, and
what they give is compared with what they give on the plain layout, ``MODEL/01.png``.
"""

import json
from dataclasses import dataclass, field

import cv2
import numpy as np
import pytest
from commands import run
from numpy.testing import assert_array_equal

from skensir.comparison import ensembles
from skensir.demo.photographs import FITTING, TESTING, load_photograph
from skensir.image import read_image

MODELS = ("sharp5", "median", "smooth")  # none of which says what it is
SIZE = (40, 48)
N_SCENES = 10
N_HELD_OUT = 3


def make_scenes():
    """Return two parts of each of five photographs, blurred, and three filters' results."""
    scenes = []
    for name in (*FITTING, *TESTING):
        photograph = load_photograph(name)
        for top, left in ((120, 80), (180, 200)):
            truth = photograph[top : top + SIZE[0], left : left + SIZE[1]]
            noise = np.random.default_rng(len(scenes)).normal(0, 6, truth.shape)
            degraded = np.clip(cv2.GaussianBlur(truth, (0, 0), 1.2) + noise, 0, 255).astype(
                np.uint8
            )
            soft = cv2.GaussianBlur(degraded, (0, 0), 1)
            images = {
                "gt": truth,
                "lq": degraded,
                "sharp5": cv2.addWeighted(degraded, 1.6, soft, -0.6, 0),
                "median": cv2.medianBlur(degraded, 3),
                "smooth": soft,
            }
            scenes.append(images)
    return scenes


def grey_of(image):
    return cv2.cvtColor(image, cv2.COLOR_RGB2GRAY)


@dataclass
class Layout:
    """Where the files of a set lie, and what is told of it on the command line.

    `files` are forms of paths by part, and `others` that of the parts that it does not name; `n` is
    the number of the scene, `clip` and `frame` count within videos.
    """

    others: str = "{part}/{n:02}.png"
    files: dict[str, str] = field(default_factory=dict)
    options: tuple[str, ...] = ()
    of_evaluate: tuple[str, ...] = ()
    junk: dict[str, str] = field(default_factory=dict)  # copies of the truth under other names
    target: str = "gt"  # folder and pattern of the truth for `evaluate`
    grey: tuple[int, ...] = ()  # scenes whose truth is grey


LAYOUTS = {
    "video": Layout("{part}/clip{clip}/{frame:08}.png"),
    "REDS": Layout(
        "{part}/{clip:03}/{frame:08}.png",
        {"gt": "GT/{clip:03}/{frame:08}.png", "lq": "blur/{clip:03}/{frame:08}.png"},
        target="GT",
    ),
    "Vid4": Layout(
        "{part}/{name}/{frame:04}.png", {"lq": "BIx4/{name}/{frame:04}.png"}, ("--input", "BIx4")
    ),
    "GoPro, sorted by part": Layout(
        "{part}/GOPR0{clip}_11_00/{frame:06}.png",
        {
            "gt": "sharp/GOPR0{clip}_11_00/{frame:06}.png",
            "lq": "blur/GOPR0{clip}_11_00/{frame:06}.png",
        },
        target="sharp",
    ),
    "GoPro as it comes": Layout(
        "{part}/GOPR0{clip}_11_00/{frame:06}.png",
        {
            "gt": "gt/GOPR0{clip}_11_00/sharp/{frame:06}.png",
            "lq": "lq/GOPR0{clip}_11_00/blur/{frame:06}.png",
        },
        ("--pattern", "gt=*/sharp/*"),
        ("--pattern", "gt=*/sharp/*"),
        junk={"gt/GOPR0{clip}_11_00/blur/{frame:06}.png": "lq"},
    ),
    "names of models": Layout(
        "{part}/{n:02}_{part}.png", {"gt": "gt/{n:02}.png", "lq": "lq/{n:02}.png"}
    ),
    "scales": Layout("{part}/{n:02}x4.png", {"gt": "gt/{n:02}.png", "lq": "lq/{n:02}x4.png"}),
    "BasicSR": Layout(
        "{part}/visualization/Set5/{n:02}_{part}.png",
        {"gt": "gt/{n:02}.png", "lq": "lq/{n:02}.png"},
    ),
    "Set5": Layout(
        "{part}/img_{n:03}_SRF_4_{part}.png",
        {"gt": "HR/img_{n:03}_SRF_4_HR.png", "lq": "LR/img_{n:03}_SRF_4_LR.png"},
        target="HR",
    ),
    "real_A, fake_B": Layout(
        "{part}/{n:02}_fake_B.png", {"gt": "gt/{n:02}_real_B.png", "lq": "lq/{n:02}_real_A.png"}
    ),
    "prefix": Layout("{part}/{part}-{n:02}.png", {"gt": "gt/{n:02}.png", "lq": "lq/{n:02}.png"}),
    "two results in a folder": Layout(
        "{part}/{n:02}_x4.png",
        {"gt": "gt/{n:02}.png", "lq": "lq/{n:02}.png"},
        ("--suffix", "_x4"),
        junk={f"{part}/{{n:02}}_x2.png": "lq" for part in MODELS},
    ),
    "bmp": Layout("{part}/{n:02}.bmp"),
    "webp": Layout("{part}/{n:02}.webp", {"gt": "gt/{n:02}.png"}),
    "ppm": Layout("{part}/{n:02}.ppm", {"lq": "lq/{n:02}.tif"}),
    "capital letters": Layout("{part}/{n:02}.PNG", {"gt": "gt/{n:02}.BMP"}),
    "target and input": Layout(
        files={"gt": "target/{n:02}.png", "lq": "input/{n:02}.png"}, target="target"
    ),
    "groundtruth and rainy": Layout(
        files={"gt": "groundtruth/{n:02}.png", "lq": "rainy/{n:02}.png"}, target="groundtruth"
    ),
    "no usual name": Layout(
        files={"gt": "wahr/{n:02}.png", "lq": "nass/{n:02}.png"},
        options=("--target", "wahr", "--input", "nass"),
        target="wahr",
    ),
    "folders that are no model": Layout(
        junk={"figures/loss_{clip}.png": "gt", "logs/{n:02}.log": "gt"}
    ),
    "scenes that are not everywhere": Layout(
        junk={"gt/more{n}.png": "gt", "sharp5/extra{n}.png": "lq"},
        options=("--common",),
        of_evaluate=("--common",),
    ),
    "grey truth beside colour": Layout(grey=(2, 3)),
    "grey truth first": Layout(grey=(1,)),
    "all truth grey": Layout(grey=tuple(range(1, N_SCENES + 1))),
}
BMP_AND_CO = (".bmp", ".webp", ".ppm")


def write(path, image):
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".log":
        path.write_text("epoch 1")
        return
    image = image if image.ndim == 2 else image[..., ::-1]
    options = [cv2.IMWRITE_WEBP_QUALITY, 101] if path.suffix == ".webp" else []
    assert cv2.imwrite(str(path), image, options)


def build(folder, layout, scenes, *, repeat_grey=False):
    """Write the scenes as a layout has them; grey truth in three channels if that is asked for."""
    for number, images in enumerate(scenes, 1):
        clip, frame = divmod(number - 1, 4)
        places = {"n": number, "clip": clip + 1, "frame": frame + 1, "name": "abc"[clip]}
        truth = images["gt"]
        if number in layout.grey:
            truth = grey_of(truth)
            truth = np.stack([truth] * 3, axis=-1) if repeat_grey else truth
        for part, image in (images | {"gt": truth}).items():
            form = layout.files.get(part, layout.others)
            write(folder / form.format(part=part, **places), image)
        for form, part in layout.junk.items():
            write(folder / form.format(**places), images[part])
    return folder


def results(folder, layout, capsys, out):
    """Return what the four commands give: images in order, scores, and a table."""
    model, restored = out / "model.skensir", out / "restored"
    assert run("fit", folder, "-o", model, *layout.options, "--objective", "squared_error") == 0
    reading = layout.options
    if "--target" in reading:  # which `predict` has no need of
        reading = reading[2:]
    assert run("predict", model, folder, "-o", restored, *reading) == 0
    capsys.readouterr()
    assert run("evaluate", restored, folder / layout.target, "--json", *layout.of_evaluate) == 0
    scores = json.loads(capsys.readouterr().out)
    table = compared(folder, layout, capsys)
    images = [read_image(path) for path in sorted(restored.rglob("*.png"))]
    return images, [(scene["psnr"], scene["ssim"]) for scene in scores["scenes"]], table


def compared(folder, layout, capsys):
    """Return names, PSNR and SSIM of the rows of a comparison."""
    capsys.readouterr()
    arguments = [folder, "--hold-out", N_HELD_OUT, "--no-trees", "--json", *layout.options]
    assert run("compare", *arguments) == 0
    rows = json.loads(capsys.readouterr().out)["table"]
    return {row["name"]: (row["psnr"], row["ssim"]) for row in rows}


@pytest.fixture(scope="module")
def scenes():
    return make_scenes()


@pytest.fixture(scope="module")
def plain(scenes, tmp_path_factory):
    """Return what tells the results of the plain layout with some truths grey, each once."""
    known = {}

    def results_of(grey, capsys):
        if grey not in known:
            folder, layout = tmp_path_factory.mktemp("plain"), Layout(grey=grey)
            build(folder / "set", layout, scenes, repeat_grey=True)
            known[grey] = results(folder / "set", layout, capsys, folder)
        return known[grey]

    return results_of


@pytest.fixture(autouse=True)
def search_few(monkeypatch):
    """Let searches try one candidate: all of them see the same images."""
    search, few = ensembles.search_for_images, {"axes": ["predictions"], "shrinkages": [50.0]}
    monkeypatch.setattr(
        ensembles, "search_for_images", lambda *given: search(*given).set_params(**few)
    )


@pytest.mark.parametrize("name", LAYOUTS)
def test_a_layout_gives_what_the_plain_one_gives(name, scenes, plain, tmp_path, capsys):
    layout = LAYOUTS[name]
    folder = build(tmp_path / "set", layout, scenes)
    images, scores, table = results(folder, layout, capsys, tmp_path)
    expected_images, expected_scores, expected_table = plain(layout.grey, capsys)
    assert len(images) == len(expected_images) == N_SCENES
    for image, expected in zip(images, expected_images, strict=True):
        assert_array_equal(image, expected)
    assert scores == expected_scores
    assert table == expected_table
