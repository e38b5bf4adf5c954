"""Sub-folders are known for what they hold, and grey images stand beside RGB ones."""

import warnings

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import skensir.image.reference_set as module
from skensir.image import ReferenceSet, read_image, write_image

MODELS = ("A", "B")
WET = ("rainy_image", "LRbicx4", "BIx4", "blur_bicubic", "train_blur")


def write(folder, files, value=0, shape=(5, 6, 3)):
    """Write an image to each path."""
    for number, file in enumerate(files):
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        write_image(path, np.full(shape, value + number, np.uint8))


def make(folder, parts=("gt", *MODELS), names=("1", "2")):
    for number, part in enumerate(parts):
        write(folder, [f"{part}/{name}.png" for name in names], 10 * number)
    return folder


# ---- which sub-folder is what


@pytest.mark.parametrize(
    "name",
    [
        "gt",
        "GT",
        "target",
        "targets",
        "sharp",
        "HR",
        "groundtruth",
        "ground_truth",
        "norain",
        "val_sharp",
        "GTmod4",
        "clear",
    ],
)
def test_the_truth_is_found_by_usual_names(tmp_path, name):
    scenes = ReferenceSet(make(tmp_path, (name, *MODELS)))
    assert (scenes.models, scenes.target) == (MODELS, name)
    assert_array_equal(scenes.targets[1], np.ones((5, 6, 3)))
    assert ReferenceSet(tmp_path, target=None).models == MODELS


@pytest.mark.parametrize(
    "name",
    ["lq", "LQ", "input", "inputs", "blur", "rainy", "noisy", "LR", "LR_x4", "lr_bicubic_X4", *WET],
)
def test_the_input_is_found_by_usual_names(tmp_path, name):
    scenes = ReferenceSet(make(tmp_path, ("sharp", *MODELS, name)))
    assert (scenes.models, scenes.target, scenes.input) == (MODELS, "sharp", name)
    assert_array_equal(scenes.inputs[0], np.full((5, 6, 3), 30))


def test_of_several_inputs_the_likeliest_is_taken_and_none_is_a_model(tmp_path):
    make(tmp_path, ("sharp", *MODELS, "blur_gamma", "blur"))
    with pytest.warns(UserWarning, match="blur_gamma is left out, as it has a name of"):
        scenes = ReferenceSet(tmp_path)
    assert (scenes.models, scenes.input) == (MODELS, "blur")


def test_what_may_be_the_truth_is_named_where_it_is_not_clear(tmp_path):
    make(tmp_path, ("HR", "sharp", *MODELS))
    with pytest.raises(
        ValueError, match="has 2 sub-folders that may have the truth: sharp, HR; target=NAME"
    ):
        ReferenceSet(tmp_path)
    with pytest.warns(UserWarning, match="sharp is left out, as it has a name of truth"):
        scenes = ReferenceSet(tmp_path, target="HR")
    assert (scenes.target, scenes.models) == ("HR", MODELS)
    assert ReferenceSet(tmp_path, ["A", "sharp"], target="HR").models == ("A", "sharp")
    with pytest.raises(
        ValueError, match="no sub-folder 'gt' with the truth; it has A, B, HR, sharp"
    ):
        ReferenceSet(tmp_path, target="gt")
    other = make(tmp_path / "other", ("wahr", *MODELS))
    with pytest.raises(
        ValueError, match="no sub-folder with the truth, such as gt; it has A, B, wahr"
    ):
        ReferenceSet(other)


def test_truth_and_input_may_lie_elsewhere(tmp_path):
    make(tmp_path / "outputs", MODELS)
    make(tmp_path / "Set14", ("HR", "LR"))
    elsewhere = {"target": str(tmp_path / "Set14/HR"), "input": str(tmp_path / "Set14/LR")}
    for paths in (elsewhere, {"target": "../Set14/HR", "input": "../Set14/LR"}):
        scenes = ReferenceSet(tmp_path / "outputs", **paths)
        assert scenes.models == MODELS
        assert_array_equal(scenes[1].target, np.full((5, 6, 3), 1))
        assert_array_equal(scenes.inputs[0], np.full((5, 6, 3), 10))


def test_folders_that_are_no_model_are_told_of_and_left_out(tmp_path):
    make(tmp_path)
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "train.txt").write_text("")
    write(tmp_path, ["figures/loss.png"])
    with pytest.warns(UserWarning, match="is left out, as it") as caught:
        scenes = ReferenceSet(tmp_path)
    assert scenes.models == MODELS
    assert scenes.names == ("1", "2")
    texts = sorted(str(warning.message) for warning in caught)
    assert len(texts) == 2
    assert (
        "figures is left out, as it has no image of a scene of gt: there are names like loss,"
        in texts[0]
    )
    assert "logs is left out, as it has no image of a format that is read" in texts[1]
    # By name they are an error: they were meant.
    for name in ("logs", "figures"):
        with pytest.raises(ValueError, match=f"{name} has no image "):
            ReferenceSet(tmp_path, ["A", name])


def test_as_many_images_as_there_are_scenes_may_be_a_model(tmp_path):
    make(tmp_path)
    write(tmp_path, ["C/x.png", "C/y.png"])
    with pytest.raises(
        ValueError, match=r"C has no image of a scene of gt: .* like x, .*GLOB.*models="
    ):
        ReferenceSet(tmp_path)
    assert ReferenceSet(tmp_path, MODELS).names == ("1", "2")


def test_floats_beside_whole_numbers_are_on_their_scale(tmp_path):
    make(tmp_path)
    for value in (0.5, 77.5):
        write_image(tmp_path / "A/1.tif", np.full((5, 6, 3), value, np.float32))
        (tmp_path / "A/1.png").unlink(missing_ok=True)
        scenes = ReferenceSet(tmp_path)
        if value < 1:
            with pytest.raises(ValueError, match=r"A/1\.tif has floats from 0 to 1"):
                scenes[0]
    assert scenes[0].predictions[0, 0, 0, 0] == 77.5


def test_a_model_that_lacks_some_scenes_is_not_left_out(tmp_path):
    make(tmp_path)
    (tmp_path / "A" / "2.png").unlink()
    with pytest.raises(
        ValueError,
        match=r"A has no image of the scene '2', .* 1 of 2 scenes; common=True keeps",
    ):
        ReferenceSet(tmp_path)
    with pytest.warns(UserWarning, match="1 of 2 scenes are passed over, as some .* them: 2"):
        scenes = ReferenceSet(tmp_path, common=True)
    assert (scenes.models, scenes.names) == (MODELS, ("1",))


def test_no_scene_in_common_is_an_error_all_the_same(tmp_path):
    make(tmp_path)
    (tmp_path / "A" / "2.png").unlink()
    (tmp_path / "B" / "1.png").unlink()
    with pytest.raises(ValueError, match="has no image of the scene") as caught:
        ReferenceSet(tmp_path, common=True)
    assert "common=True" not in str(caught.value)


# ---- names and folders of scenes


def test_video_folders(tmp_path):
    clips = [f"{clip}/{frame:08}" for clip in ("calendar", "city") for frame in (1, 2)]
    make(tmp_path, ("GT", "blur", *MODELS), clips)
    scenes = ReferenceSet(tmp_path)
    assert scenes.names == tuple(clips)
    assert [int(scene.target[0, 0, 0]) for scene in scenes] == [0, 1, 2, 3]
    assert [int(image[0, 0, 0]) for image in scenes.inputs] == [10, 11, 12, 13]
    city = scenes.subset("city/*")
    assert city.names == tuple(clips[2:])
    assert [int(image[1, 0, 0, 0]) for image in city.predictions] == [32, 33]
    (tmp_path / "A" / "city" / "00000002.png").unlink()
    with pytest.raises(ValueError, match="A has no image of the scene 'city/00000002'"):
        ReferenceSet(tmp_path)


def test_a_video_in_one_folder_more(tmp_path):
    write(tmp_path, ["gt/clip/1.png", "gt/2.png", "A/clip/1.png", "A/2.png"])
    assert ReferenceSet(tmp_path).names == ("2", "clip/1")


def test_links_are_followed_but_not_in_circles(tmp_path):
    make(tmp_path / "set", ("gt", "A"), ["clip/1"])
    make(tmp_path / "elsewhere", ("B",), ["clip/1"])
    (tmp_path / "set" / "B").symlink_to(tmp_path / "elsewhere" / "B")
    (tmp_path / "set" / "A" / "clip" / "up").symlink_to(tmp_path / "set" / "A")
    scenes = ReferenceSet(tmp_path / "set")
    assert (scenes.models, scenes.names) == (MODELS, ("clip/1",))


def test_additions_of_each_folder(tmp_path):
    write(tmp_path, ["gt/baby_HR.png", "gt/bird_HR.png"])
    write(tmp_path, ["A/baby_A.png", "A/bird_A.png"], 10)
    write(tmp_path, ["B/babyx4.bmp.png", "B/birdx4.bmp.png"], 20)
    write(tmp_path, ["LR/baby_LR.png", "LR/bird_LR.png"], 30)
    scenes = ReferenceSet(tmp_path)
    assert scenes.names == ("baby", "bird")
    assert_array_equal(scenes[1].predictions[:, 0, 0, 0], [11, 21])
    assert scenes.inputs[1][0, 0, 0] == 31
    assert ReferenceSet(tmp_path, target=None).names == ("baby", "bird")


def test_patterns_tell_what_is_not_clear(tmp_path):
    make(tmp_path, ("gt", "B"))
    write(
        tmp_path,
        [f"A/{name}{ending}.png" for ending in ("_x2", "_x4", "") for name in ("1", "2")],
        30,
    )
    (tmp_path / "B" / "1.png").rename(tmp_path / "B" / "uno.png")
    (tmp_path / "B" / "2.png").rename(tmp_path / "B" / "2-uno.png")
    (tmp_path / "B" / "uno.png").rename(tmp_path / "B" / "1-uno.png")
    scenes = ReferenceSet(tmp_path, pattern={"A": "*_x4"})
    assert scenes.names == ("1", "2")
    assert_array_equal(scenes[0].predictions[:, 0, 0, 0], [32, 10])
    with pytest.raises(ValueError, match=r"B has no image whose name fits to the pattern \*_x4"):
        ReferenceSet(tmp_path, ["A", "B"], pattern="*_x4")
    assert ReferenceSet(tmp_path, ["A"], pattern="*_x2")[0].predictions[0, 0, 0, 0] == 30
    with pytest.raises(ValueError, match=r"pattern is for 'C', but .*such sub-folder"):
        ReferenceSet(tmp_path, pattern={"C": "*"})
    with pytest.raises(ValueError, match="must have a star"):
        ReferenceSet(tmp_path, pattern="_x4")


def test_truth_between_folders_by_pattern(tmp_path):
    write(
        tmp_path,
        [
            f"gt/GOPR{clip}/{part}/{frame}.png"
            for part in ("sharp", "blur")
            for clip in (1, 2)
            for frame in (1, 2)
        ],
    )
    for model in MODELS:
        write(tmp_path, [f"{model}/GOPR{clip}/{frame}.png" for clip in (1, 2) for frame in (1, 2)])
    scenes = ReferenceSet(tmp_path, pattern={"gt": "*/sharp/*"})
    assert scenes.names == ("GOPR1/1", "GOPR1/2", "GOPR2/1", "GOPR2/2")
    assert [int(image[0, 0, 0]) for image in scenes.targets] == [0, 1, 2, 3]


# ---- grey beside RGB


@pytest.fixture
def mixed(tmp_path):
    """Return a folder in which the truth of the first scene is grey, and so is a model's second."""
    make(tmp_path)
    write(tmp_path, ["gt/1.png"], 5, shape=(5, 6))
    write(tmp_path, ["B/2.png"], 7, shape=(5, 6))
    return tmp_path


def test_grey_is_repeated_in_three_channels_and_that_is_said_once(mixed):
    scenes = ReferenceSet(mixed)
    with pytest.warns(UserWarning, match=r"gt/1\.png is grey and other images are RGB"):
        assert scenes[0].target.shape == (5, 6, 3)
    # And then no more: warnings are errors here.
    assert [scene.predictions.shape for scene in scenes] == [(2, 5, 6, 3)] * 2
    for part in (scenes.targets, scenes[1:].predictions):
        assert len(list(part)) == len(part)
    assert_array_equal(scenes[0].target, np.full((5, 6, 3), 5))
    assert_array_equal(scenes[1].predictions[1], np.full((5, 6, 3), 7))


@pytest.mark.filterwarnings("ignore:.*is grey and other images")
def test_each_part_knows_what_the_others_are(tmp_path):
    make(tmp_path)
    write(tmp_path, ["gt/1.png", "A/1.png", "B/1.png"], 5, shape=(5, 6))
    # Of the first scene all is grey, and it is asked for first, alone.
    assert ReferenceSet(tmp_path).targets[0].shape == (5, 6, 3)
    assert ReferenceSet(tmp_path).subset(["1"])[0].predictions.shape == (2, 5, 6, 3)
    assert ReferenceSet(tmp_path, target=None).predictions[0].shape == (2, 5, 6, 3)


@pytest.mark.filterwarnings("ignore:.*is grey and other images")
def test_inputs_have_the_channels_of_the_others(tmp_path):
    make(tmp_path)
    write(tmp_path, ["lq/1.png", "lq/2.png"], shape=(5, 6))
    scenes = ReferenceSet(tmp_path)
    assert scenes.inputs[0].shape == (5, 6, 3)
    assert scenes.why_without_input() is None


def test_a_set_of_grey_images_stays_grey_unless_colour_is_asked_for(tmp_path):
    write(
        tmp_path, [f"{part}/{name}.png" for part in ("gt", *MODELS) for name in "12"], shape=(5, 6)
    )
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        scenes = ReferenceSet(tmp_path)
        assert [scene.predictions.shape for scene in scenes] == [(2, 5, 6)] * 2
    with pytest.warns(UserWarning, match="is grey and the ensemble is for RGB"):
        assert scenes.in_colour()[0].predictions.shape == (2, 5, 6, 3)
    assert scenes[0].target.shape == (5, 6)


def test_a_set_of_colour_images_reads_no_more_than_before(tmp_path, monkeypatch):
    opened = []
    monkeypatch.setattr(module, "read_image", lambda path: opened.append(path) or read_image(path))
    for _ in ReferenceSet(make(tmp_path)):
        pass
    assert len(opened) == len(set(opened)) == 6


def test_the_parent_of_sets_is_told_from_a_set(tmp_path):
    for name in ("reference", "test"):
        make(tmp_path / name)
    with pytest.raises(ValueError, match="holds folders with a truth each, reference, test; give"):
        ReferenceSet(tmp_path)
    assert ReferenceSet(tmp_path / "reference").models == MODELS
    videos = tmp_path / "videos"
    for part in ("gt", *MODELS):
        make(videos / part, ("clear", "clip2"))  # as a clip may be called
    assert ReferenceSet(videos).models == MODELS
