"""Options that say which files and scenes are read."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir.cli.common import CommandError
from skensir.cli.reading import choose_scenes, read_pattern, split_names

NAMES = ("clip1/1", "clip1/2", "clip2/1", "10.5")


def test_scenes_by_pattern_and_by_name():
    assert choose_scenes(NAMES, "clip1/*") == ("clip1/1", "clip1/2")
    assert choose_scenes(NAMES, "*/1") == ("clip1/1", "clip2/1")
    assert choose_scenes(NAMES, "10.5") == ("10.5",)
    with pytest.raises(
        CommandError, match=r"No scene is called clip3/\*, .* clip2/1 and 1 more\.$"
    ):
        choose_scenes(NAMES, "clip3/*")


def test_scenes_of_a_file(tmp_path):
    file = tmp_path / "scenes.txt"
    file.write_text("\ufeff clip2/1.png \n\n10.5\nclip1/1\r\nclip1/1\n", "utf-8")
    assert choose_scenes(NAMES, str(file)) == ("clip2/1", "10.5", "clip1/1")
    file.write_text("cafe\u0301.png\n", "utf-8")  # as an editor of macOS may write it
    assert choose_scenes(("caf\u00e9",), str(file)) == ("caf\u00e9",)
    file.write_text("clip2/1\nclip2/2\n")
    with pytest.raises(CommandError, match=r"scenes\.txt has clip2/2, which is no scene here"):
        choose_scenes(NAMES, str(file))
    file.write_text("\n")
    with pytest.raises(CommandError, match="has no line with the name"):
        choose_scenes(NAMES, str(file))


@given(st.integers(2, 60), st.data())
def test_a_number_of_scenes_is_held_out_evenly(n, data):
    names = tuple(map(str, range(n)))
    n_held = data.draw(st.integers(1, n - 1))
    kept, held = split_names(names, str(n_held))
    assert len(held) == n_held
    assert sorted((*kept, *held), key=int) == list(names)
    places = [int(name) for name in held]
    gaps = {after - before for before, after in pairwise(places)}
    assert not gaps or max(gaps) - min(gaps) <= 1


def test_scenes_are_held_out_by_pattern_and_some_are_left():
    assert split_names(NAMES, "clip1/*") == (("clip2/1", "10.5"), ("clip1/1", "clip1/2"))
    for given_, words in {"0": "from 1 to 3", "4": "from 1 to 3", "*": "all 4 scenes"}.items():
        with pytest.raises(CommandError, match=words):
            split_names(NAMES, given_)


def test_patterns_of_all_models_or_of_sub_folders():
    assert read_pattern(None, None) is None
    assert read_pattern("_x4", None) == "*_x4"
    assert read_pattern(None, ["*_x4"]) == "*_x4"
    assert read_pattern(None, ["gt=*_HR", "A=*=1"]) == {"gt": "*_HR", "A": "*=1"}
    for suffix, pattern in [
        ("_x4", ["*"]),
        (None, ["_x4"]),
        (None, ["gt=HR"]),
        (None, ["*", "A=*"]),
    ]:
        with pytest.raises(CommandError, match="--pattern"):
            read_pattern(suffix, pattern)
