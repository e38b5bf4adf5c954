"""A folder of images is read scene by scene, and what is wrong with it is said by file."""

import copy
import pickle
import unicodedata
import weakref
from functools import partial

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import skensir.image.reference_set as module
from skensir import EnsIRRegressor
from skensir.image import ImageEnsemble, ReferenceSet, read_image, write_image
from skensir.image.progress import progress

PARTS = ("gt", "B", "A")


def make(folder, names=("2", "10", "1"), parts=PARTS, shape=(5, 6, 3), dtype=np.uint8):
    """Write images in which each pixel tells part and scene."""
    for p, part in enumerate(parts):
        (folder / part).mkdir(exist_ok=True)
        for n, name in enumerate(names):
            write_image(folder / part / f"{name}.png", np.full(shape, 10 * p + n, dtype))
    return folder


@pytest.fixture
def opened(monkeypatch):
    """Return the list of files that are read from here on; those of a scene side by side."""
    files = []

    def read(path):
        files.append(f"{path.parent.name}/{path.stem}")
        return read_image(path)

    monkeypatch.setattr(module, "read_image", read)
    return files


def assert_read(opened, *together):
    """Check which files were read: group after group, each in any order."""
    assert len(opened) == sum(map(len, together))
    rest = list(opened)
    for files in together:
        assert sorted(rest[: len(files)]) == sorted(files)
        del rest[: len(files)]


def test_scenes_come_sorted_by_number_with_the_models_in_order(tmp_path):
    reference_set = ReferenceSet(make(tmp_path))
    assert reference_set.names == ("1", "2", "10")
    assert reference_set.models == ("A", "B")
    assert len(reference_set) == 3
    for scene, number in zip(reference_set, (2, 0, 1), strict=True):
        assert_array_equal(scene.target, np.full((5, 6, 3), number))
        assert_array_equal(scene.predictions[0], np.full((5, 6, 3), 20 + number))
        assert_array_equal(scene.predictions[1], np.full((5, 6, 3), 10 + number))
    assert [scene.name for scene in reference_set] == ["1", "2", "10"]
    assert reference_set[-1].name == reference_set[np.int64(2)].name == "10"
    with pytest.raises(IndexError):
        reference_set[3]


def test_models_are_taken_in_the_order_given(tmp_path):
    make(tmp_path)
    assert ReferenceSet(tmp_path, ["B", "A"])[0].predictions[0, 0, 0, 0] == 12
    assert ReferenceSet(tmp_path, ["A"])[0].predictions.shape == (1, 5, 6, 3)


def test_what_is_no_prediction_is_passed_over(tmp_path):
    make(tmp_path, parts=(*PARTS, "lq", ".cache"), names=("a",))
    (tmp_path / "A" / "Thumbs.db").write_text("")
    (tmp_path / "A" / "._a.png").write_text("")
    (tmp_path / "A" / "more.png").mkdir()
    (tmp_path / "A" / "weight_maps" / "A").mkdir(parents=True)
    write_image(tmp_path / "A" / "weight_maps" / "A" / "a.png", np.zeros((5, 6), np.uint8))
    (tmp_path / "table.npz").write_text("")
    reference_set = ReferenceSet(tmp_path)
    assert (reference_set.models, reference_set.names) == (("A", "B"), ("a",))
    # Unless it is named, or another is named instead.
    assert ReferenceSet(tmp_path, ["lq", "A"])[0].predictions[0, 0, 0, 0] == 30
    with pytest.warns(UserWarning, match="left out, as it has a name of truth or of images"):
        assert ReferenceSet(tmp_path, target="B", input="b").models == ("A",)


def test_scenes_of_different_formats_are_matched(tmp_path):
    make(tmp_path, names=("x",))
    image = read_image(tmp_path / "A" / "x.png")
    (tmp_path / "A" / "x.png").unlink()
    np.save(tmp_path / "A" / "x.npy", image.astype(np.float32) + 0.5)
    scene = ReferenceSet(tmp_path)[0]
    assert scene.predictions.dtype == np.float32
    assert_array_equal(scene.predictions[:, 0, 0, 0], [20.5, 10])
    assert scene.target.dtype == np.uint8


def test_accents_are_the_same_however_a_system_writes_them(tmp_path):
    """A folder that was copied from macOS has two code points where others have one."""
    make(tmp_path, ("caf\u00e9_1", "caf\u00e9_2", "\u304c"))
    for file in [*(tmp_path / "A").iterdir()]:
        file.rename(file.with_name(unicodedata.normalize("NFD", file.name)))
    scenes = ReferenceSet(tmp_path)
    assert scenes.names == ("caf\u00e9_1", "caf\u00e9_2", "\u304c")
    assert [np.ravel(images)[::90].tolist() for images in scenes.predictions] == [
        [20, 10], [21, 11], [22, 12]
    ]  # fmt: skip
    assert scenes.subset("cafe\u0301*").names == ("caf\u00e9_1", "caf\u00e9_2")
    pattern = dict.fromkeys(PARTS, "cafe\u0301_*")
    assert ReferenceSet(tmp_path, pattern=pattern).names == ("1", "2")


def test_slices_and_subsets(tmp_path):
    reference_set = ReferenceSet(make(tmp_path))
    assert reference_set[1:].names == reference_set.predictions[1:].names == ("2", "10")
    assert reference_set[::-1].names == ("10", "2", "1")
    subset = reference_set.subset(["10", "1"])
    assert [scene.name for scene in subset] == ["10", "1"]
    assert_array_equal(subset.targets[1:][0], reference_set[0].target)
    assert reference_set.subset("2").names == ("2",)
    assert reference_set.names == ("1", "2", "10")
    assert reference_set.subset("1*").names == ("1", "10")
    assert reference_set.subset(["2", "1*"]).names == ("2", "1", "10")
    (tmp_path / "gt" / "10.png").rename(tmp_path / "gt" / "11.png")
    with pytest.warns(UserWarning, match="2 of 4 scenes are passed over"):
        some = ReferenceSet(tmp_path, common=True)
    assert (some.names, some.all_names) == (("1", "2"), ("1", "2", "10", "11"))
    (tmp_path / "gt" / "11.png").rename(tmp_path / "gt" / "10.png")
    for names in ("3", "3*", ["1", "3"]):
        with pytest.raises(ValueError, match=r"no scene '3\*?'"):
            reference_set.subset(names)


def test_predictions_alone(tmp_path):
    make(tmp_path)
    for path in (tmp_path / "gt").iterdir():
        path.write_text("what it says does not matter")
    reference_set = ReferenceSet(tmp_path, target=None)
    assert reference_set.models == ("A", "B")
    assert reference_set[0].target is None
    assert reference_set.predictions[0].shape == (2, 5, 6, 3)
    with pytest.raises(ValueError, match="target=None"):
        _ = reference_set.targets


# ---- lazily


def test_nothing_is_read_before_it_is_asked_for_and_no_more_than_that(tmp_path, opened):
    reference_set = ReferenceSet(make(tmp_path))
    predictions, targets = reference_set.predictions, reference_set.targets
    assert opened == []
    assert predictions[1].shape == (2, 5, 6, 3)
    assert_read(opened, ["A/2", "B/2"])
    assert targets[2].shape == (5, 6, 3)
    assert reference_set[0].name == "1"
    assert_read(opened, ["A/2", "B/2"], ["gt/10"], ["A/1", "B/1", "gt/1"])


def test_an_ensemble_reads_each_file_once_and_scene_after_scene(tmp_path, opened):
    reference_set = ReferenceSet(make(tmp_path))
    ensemble = ImageEnsemble(EnsIRRegressor())
    for _ in range(2):  # the parts can be gone through again
        opened.clear()
        ensemble.fit(reference_set.predictions, reference_set.targets)
        names = ("1", "2", "10")
        parts = (part for name in names for part in ([f"A/{name}", f"B/{name}"], [f"gt/{name}"]))
        assert_read(opened, *parts)
    opened.clear()
    ensemble.predict(reference_set.predictions)
    assert_read(opened, *([f"A/{name}", f"B/{name}"] for name in names))


def test_copies_and_pickles_read_the_same(tmp_path):
    reference_set = ReferenceSet(make(tmp_path))
    for again in (copy.deepcopy(reference_set), pickle.loads(pickle.dumps(reference_set))):
        assert_array_equal(again[1].predictions, reference_set[1].predictions)
    targets = pickle.loads(pickle.dumps(reference_set.targets))
    assert_array_equal(targets[0], reference_set.targets[0])


# ---- passed through functions


def doubled(images):
    return (2 * image for image in images)


def plus_one(images):
    return (image + 1 for image in images)


def test_images_pass_through_functions_in_order_and_keep_their_names(tmp_path):
    targets = ReferenceSet(make(tmp_path)).targets
    passed = targets.through(doubled).through(plus_one)
    for _ in range(2):
        for image, original in zip(passed, targets, strict=True):
            assert_array_equal(image, 2 * original + 1)
    assert (passed.names, passed.models) == (("1", "2", "10"), ("A", "B"))
    assert len(passed) == 3
    assert passed.describe(1) == targets.describe(1)
    assert str(tmp_path / "A" / "2.png") in passed.describe(1)
    assert_array_equal(passed[-1], 2 * targets[2] + 1)
    assert passed[1:].names == ("2", "10")
    assert_array_equal(passed[1:][0], 2 * targets[1] + 1)
    assert_array_equal(targets[0], ReferenceSet(tmp_path)[0].target)


def test_a_function_gets_the_images_that_are_asked_for_alone(tmp_path, opened):
    asked = []

    def note(images):
        asked.append((images.names, images.describe(0)))
        return images

    predictions = ReferenceSet(make(tmp_path)).predictions.through(note)
    assert (asked, opened) == ([], [])
    assert predictions[1].shape == (2, 5, 6, 3)
    [(names, description)] = asked
    assert names == ("2",)
    assert description.startswith("Scene '2'")
    assert_read(opened, ["A/2", "B/2"])


@pytest.mark.parametrize(
    ("function", "beside"),
    [(None, 0), (partial(progress, label="Reading"), 1)],
    ids=["nothing", "bar"],
)
def test_images_are_forgotten_on_the_way(tmp_path, monkeypatch, function, beside):
    alive = []
    read_part = ReferenceSet._read_part

    def read(self, name, part):
        assert sum(reference() is not None for reference in alive) <= beside
        image = read_part(self, name, part)
        alive.append(weakref.ref(image))
        return image

    monkeypatch.setattr(ReferenceSet, "_read_part", read)
    images = ReferenceSet(make(tmp_path)).predictions
    for image in images if function is None else images.through(function):
        assert image.shape == (2, 5, 6, 3)
        del image
    assert len(alive) == 3


def test_the_check_of_the_scale_names_the_scene(tmp_path):
    make(tmp_path)
    for part in PARTS:
        np.save(tmp_path / part / "2.npy", np.full((5, 6, 3), 0.5))
        (tmp_path / part / "2.png").unlink()
    scenes = ReferenceSet(tmp_path)
    ensemble = ImageEnsemble(EnsIRRegressor(data_range=255))
    with pytest.raises(ValueError, match=r"^Scene '2' \(.*A/2\.npy, .* has floats from 0 to 1"):
        ensemble.fit(scenes.predictions, scenes.targets)


# ---- sizes


def test_images_of_different_sizes_are_cropped_only_if_asked(tmp_path):
    make(tmp_path, names=("a",))
    image = np.arange(7 * 5 * 3, dtype=np.uint8).reshape(7, 5, 3)
    write_image(tmp_path / "B" / "a.png", image)  # higher and narrower than the others
    reference_set = ReferenceSet(tmp_path)
    with pytest.raises(ValueError, match=r"7 x 5 pixels, .* has 5 x 6; crop=True") as caught:
        reference_set[0]
    assert str(tmp_path / "A" / "a.png") in str(caught.value)
    assert str(tmp_path / "B" / "a.png") in str(caught.value)
    cropped = ReferenceSet(tmp_path, crop=True)
    scene = cropped[0]
    assert scene.predictions.shape == (2, 5, 5, 3)
    assert scene.target.shape == (5, 5, 3)
    assert_array_equal(scene.predictions[1], image[:5])
    # The parts by themselves know what the others have.
    assert_array_equal(cropped.targets[0], scene.target)
    assert_array_equal(cropped.predictions[0], scene.predictions)
    assert ReferenceSet(tmp_path, ["A"], crop=True).targets[0].shape == (5, 6, 3)


def test_cropped_scenes_are_read_once_for_a_fit(tmp_path, opened):
    make(tmp_path)
    for name in ("1", "2", "10"):
        write_image(tmp_path / "B" / f"{name}.png", np.zeros((7, 6, 3), np.uint8))
    reference_set = ReferenceSet(tmp_path, crop=True)
    ensemble = ImageEnsemble(EnsIRRegressor())
    ensemble.fit(reference_set.predictions, reference_set.targets)
    assert len(opened) == len(set(opened)) == 9
    make(tmp_path, parts=("lq",), shape=(7, 6, 3))
    ensemble.set_params(include_input=True).fit(reference_set.predictions, reference_set.targets)
    assert len(opened) - 9 == 12


# ---- mistakes


@pytest.mark.parametrize("first", ["uint8", "float32"])
def test_different_bit_depths(tmp_path, first):
    make(tmp_path, names=("a",), parts=("gt", "A", "B", "C"))
    if first == "float32":
        (tmp_path / "A" / "a.png").unlink()
        np.save(tmp_path / "A" / "a.npy", np.zeros((5, 6, 3), first))
    write_image(tmp_path / "C" / "a.png", np.zeros((5, 6, 3), np.uint16))
    with pytest.raises(ValueError, match=r"C/a\.png is of 16 bits, but .*/a\.png is of 8 bits"):
        ReferenceSet(tmp_path)[0]


def test_a_scene_that_a_model_lacks(tmp_path):
    make(tmp_path)
    (tmp_path / "B" / "2.png").unlink()
    with pytest.raises(ValueError, match=r"B has no image of the scene '2', .*2\.png"):
        ReferenceSet(tmp_path)
    assert ReferenceSet(tmp_path, ["A"]).names == ("1", "2", "10")
    write_image(tmp_path / "gt" / "11.png", np.zeros((2, 2), np.uint8))
    with pytest.raises(ValueError, match=r"A has no image of the scene '11', .*gt/11\.png"):
        ReferenceSet(tmp_path, ["A"])


def test_a_scene_twice(tmp_path):
    make(tmp_path)
    write_image(tmp_path / "A" / "2.jpg", np.zeros((5, 6, 3), np.uint8))
    with pytest.raises(ValueError, match=r"A/2\.png and 2\.jpg beside it are one scene twice"):
        ReferenceSet(tmp_path)


def test_folders_that_are_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match="nowhere is not a folder"):
        ReferenceSet(tmp_path / "nowhere")
    with pytest.raises(ValueError, match="no sub-folder with the truth, such as gt; it has none"):
        ReferenceSet(tmp_path)
    with pytest.raises(ValueError, match="no sub-folder of a base model"):
        ReferenceSet(tmp_path, target=None)
    make(tmp_path)
    with pytest.raises(ValueError, match="no sub-folder 'C', named in models; it has A, B, gt"):
        ReferenceSet(tmp_path, ["A", "C"])
    with pytest.raises(ValueError, match="no sub-folder 'truth' with the truth"):
        ReferenceSet(tmp_path, target="truth")
    for path in (tmp_path / "B").iterdir():
        path.rename(path.with_suffix(".gif"))
    with pytest.raises(ValueError, match=r"B has no image of a format that is read \(\.png"):
        ReferenceSet(tmp_path, ["A", "B"])


@pytest.mark.parametrize("models", [[], "A", ["A", "A"], ["A", "gt"]])
def test_models_that_make_no_sense(tmp_path, models):
    make(tmp_path)
    with pytest.raises(ValueError, match="models == "):
        ReferenceSet(tmp_path, models)


def test_a_damaged_file_is_named_when_its_scene_is_read(tmp_path):
    make(tmp_path)
    (tmp_path / "B" / "10.png").write_text("")
    reference_set = ReferenceSet(tmp_path)
    assert reference_set[1].name == "2"
    with pytest.raises(ValueError, match=r"B/10\.png cannot be read"):
        reference_set[2]
    (tmp_path / "B" / "10.png").unlink()
    with pytest.raises(FileNotFoundError, match=r"B/10\.png"):
        reference_set[2]
