"""Files are matched to scenes by their names, whatever networks add to them."""

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from skensir.image.scene_names import match_names, name_scenes, natural_order, scene_pattern


def files_of(**folders):
    """Return what `name_scenes` takes, and the name that each path was given for."""
    return {
        Path(folder): {path: Path(folder, path) for path in paths}
        for folder, paths in folders.items()
    }


def scenes_of(**folders):
    """Return the scenes by folder as `name_scenes` finds them: name and path."""
    named = name_scenes(files_of(**folders))
    return {
        folder.name: {name: file.relative_to(folder).as_posix() for name, file in files.items()}
        for folder, files in named.items()
    }


NUMBERS = ("0001", "0002", "0010")
CLIPS = ("calendar/00000001", "calendar/00000002", "city/00000001")


@pytest.mark.parametrize(
    "scenes", [NUMBERS, CLIPS, ("baby", "bird", "woman"), ("1", "11", "21"), ("img_001",)]
)
@pytest.mark.parametrize(
    ("truth", "model"),
    [
        ("{}", "{}"),
        ("{}", "{}_MPRNet"),
        ("{}", "{}x4"),
        ("{}", "{}_x4"),
        ("{}", "{}MPRNet"),
        ("{}", "MPRNet_{}"),
        ("{}", "{}.restored"),
        ("{}", "{} (1)"),
        ("{}", "{}_fake_B"),
        ("{}_HR", "{}_MPRNet"),
        ("{}_SRF_4_HR", "{}_SRF_4_MPRNet"),
        ("{}_gt", "{}"),
        ("HR_{}", "SR_{}_x4"),
    ],
)
def test_additions_of_networks_are_recognised(scenes, truth, model):
    def path(form, scene):
        parent, slash, stem = scene.rpartition("/")
        return parent + slash + form.format(stem)

    found = scenes_of(gt=[path(truth, s) for s in scenes], MPRNet=[path(model, s) for s in scenes])
    assert set(found) == {"gt", "MPRNet"}
    assert set(found["gt"]) == set(found["MPRNet"])
    for name in found["gt"]:
        [scene] = [s for s in scenes if path(truth, s) == found["gt"][name]]
        assert found["MPRNet"][name] == path(model, scene)


def test_the_name_of_a_scene_is_what_the_folders_share():
    found = scenes_of(gt=["baby_HR", "bird_HR"], A=["baby_A", "bird_A"], B=["babyx4", "birdx4"])
    assert [set(names) for names in found.values()] == [{"baby", "bird"}] * 3
    # No more is taken off than has to be.
    assert set(scenes_of(gt=["a_1", "b_1"], A=["a_1_A", "b_1_A"])["A"]) == {"a_1", "b_1"}


def test_separators_go_with_what_is_added():
    names = {"A": ["1_A", "2_A"], "B": ["1_B", "2_B"]}
    assert [set(found) for found in scenes_of(**names).values()] == [{"1", "2"}] * 2
    names = {"A": ["img_1_SRF_4_A", "img_2_SRF_4_A"], "B": ["img_1_SRF_4_B", "img_2_SRF_4_B"]}
    assert set(scenes_of(**names)["B"]) == {"img_1_SRF_4", "img_2_SRF_4"}
    assert set(scenes_of(A=["A-1", "A-2"], B=["B__1", "B__2"])["B"]) == {"1", "2"}


def test_folders_around_the_scenes_are_passed():
    found = scenes_of(
        gt=["c1/0001", "c2/0001"],
        A=["visualization/c1/0001_A", "visualization/c2/0001_A"],
        B=["c1/frames/0001", "c2/frames/0001"],
    )
    assert found["A"] == {
        "c1/0001": "visualization/c1/0001_A",
        "c2/0001": "visualization/c2/0001_A",
    }
    assert found["B"] == {"c1/0001": "c1/frames/0001", "c2/0001": "c2/frames/0001"}


def test_some_scenes_may_be_missing():
    truth = [f"{n:04}" for n in range(1, 101)]
    few = [f"{name}_MPRNet" for name in truth[3:8]]
    assert set(scenes_of(gt=truth, MPRNet=few)["MPRNet"]) == set(truth[3:8])
    assert set(
        scenes_of(gt=truth[3:8], MPRNet=[f"{name}_MPRNet" for name in truth])["MPRNet"]
    ) == set(truth)
    partly = [f"{name}_MPRNet" for name in truth[:80]] + ["other_MPRNet"]
    assert set(scenes_of(gt=truth[40:], MPRNet=partly)["MPRNet"]) == {*truth[:80], "other"}


N_MANY = 20_000


@pytest.mark.parametrize("n_more", [0, 300])
def test_of_many_scenes_not_all_are_looked_at_to_find_what_is_added(n_more):
    truth = [f"clip{n // 100}/{n:08}" for n in range(N_MANY)]
    model = [f"{name}_MPRNet" for name in truth]
    for folders in ((truth[n_more:], model), (truth, model[n_more:])):
        found = scenes_of(gt=folders[0], MPRNet=folders[1])
        assert len(set(found["gt"]).intersection(found["MPRNet"])) == N_MANY - n_more


@pytest.mark.parametrize(
    ("truth", "model"),
    [
        (["cat", "dog"], ["horse", "cow"]),
        (["1", "2"], ["11", "21"]),  # an addition does not begin in the middle of a number
        (["a1", "a2"], ["b1", "b2"]),
        (["cat"], ["dog"]),
        ([f"{n:02}" for n in range(1, 11)], [f"loss_{n}" for n in range(1, 11)]),
        (["0001", "0002"], ["0001_x2", "0002_x2", "0001_x4", "0002_x4", "z"]),
    ],
)
def test_names_that_have_nothing_to_do_with_each_other_are_not_matched(truth, model):
    assert list(scenes_of(gt=truth, MPRNet=model)) == ["gt"]


def test_names_that_fit_in_two_ways_are_an_error():
    with pytest.raises(ValueError, match=r"could be scene .* pattern=GLOB"):
        scenes_of(gt=["a_b", "b_c"], A=["x_a_b_c"])


letters = st.text("ab01", min_size=1, max_size=4)
additions = st.tuples(
    st.sampled_from(["", "A_", "out-"]), st.sampled_from(["", "_A", "x4", "-1", ".sr"])
)


@given(
    stems=st.sets(letters, min_size=2, max_size=6),
    model=additions,
    clip=st.booleans(),
    n_there=st.integers(2, 6),
)
def test_drawn_names_come_back_with_their_additions(stems, model, clip, n_there):
    scenes = sorted(f"{stem[0]}/{stem}" if clip else stem for stem in stems)
    before, after = model

    def path(scene):
        parent, slash, stem = scene.rpartition("/")
        return f"{parent}{slash}{before}{stem}{after}"

    there = scenes[:n_there]
    files = files_of(gt=scenes, A=[path(scene) for scene in there])
    try:
        named = name_scenes(files)
    except ValueError:
        assume(False)
    # Each is a file of its scene, or, if the names allow another reading, one that matches as many.
    matched = set(named[Path("A")]) & set(named[Path("gt")])
    assert len(matched) >= len(there)
    if not any(path(scene) in scenes for scene in there):
        right = {scene: Path("A", path(scene)) for scene in there}
        assert {name: named[Path("A")][name] for name in matched} == right


@pytest.mark.parametrize(
    ("pattern", "path", "scene"),
    [
        ("*", "a/b_1", "a/b_1"),
        ("*_x4", "0001_x4", "0001"),
        ("*_x4", "clip/0001_x4", "clip/0001"),
        ("*_x4", "0001_x2", None),
        ("*_x4", "_x4", None),
        ("im-*", "im-1", "1"),
        ("*/sharp/*", "GOPR1/sharp/0001", "GOPR1/0001"),
        ("*/sharp/*", "GOPR1/blur/0001", None),
        ("*_SRF_*_HR", "baby_SRF_4_HR", "baby_SRF_4"),
        ("*(x4)", "a(x4)", "a"),
    ],
)
def test_patterns(pattern, path, scene):
    assert scene_pattern(pattern)(path) == scene


def test_a_pattern_needs_a_star():
    with pytest.raises(ValueError, match="pattern == _x4, must have a star"):
        scene_pattern("_x4")


def test_patterns_of_names():
    assert match_names(("a/1", "a/2", "b/1", "[x]"), "a/*") == ("a/1", "a/2")
    assert match_names(("a/1", "b/1"), "b/?") == ("b/1",)
    assert match_names(("x", "[x]"), "[x]") == ("[x]",)  # a name is meant as it is
    assert match_names(("A",), "a") == ()
    assert match_names(("a/1", "a/2", "ab/1"), "a") == ("a/1", "a/2")  # a clip


def test_numbers_are_sorted_by_value():
    names = ["clip10/1", "clip2/10", "clip2/9", "clip2/a"]
    assert sorted(names, key=natural_order) == ["clip2/9", "clip2/10", "clip2/a", "clip10/1"]
