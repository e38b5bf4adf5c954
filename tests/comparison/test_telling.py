"""Which scenes a report shows: those of the largest, the smallest and the median gain first."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skensir.comparison.telling import choose_scenes, spread


def make_scores(gains, base=30.0):
    """Return scores of scenes with the gains of the best row of EnsIR over the base model B."""
    return {
        name: {
            "A": {"psnr": 0.0},
            "B": {"psnr": base},
            "HGBT": {"psnr": base + 60},
            "EnsIR, as published": {"psnr": base - 1},
            "EnsIR, squared error": {"psnr": base + gain},
            "Oracle": {"psnr": base + 70},
        }
        for name, gain in gains.items()
    }


MODELS = ["A", "B"]
GAINS = {"p": 0.3, "q": -0.2, "r": 0.1, "s": 0.9, "t": 0.2, "u": 0.0, "v": 0.05}


def test_the_best_row_of_ours_is_set_against_the_best_base_model():
    choice = choose_scenes(make_scores(GAINS), MODELS)
    assert (choice.lead, choice.rival) == ("EnsIR, squared error", "B")
    assert "EnsIR, squared error over B" in choice.reason


def test_the_largest_the_smallest_and_the_median_gain_come_first():
    choice = choose_scenes(make_scores(GAINS), MODELS)
    assert choice.scenes[:3] == ("s", "q", "r")
    assert sorted(choice.scenes) == sorted(GAINS)
    assert choice.max_bytes == 50e6
    assert "50 MB" in choice.reason


@pytest.mark.parametrize("n_scenes", [0, 1, 2, 7, 100])
def test_as_many_as_are_wanted_however_large(n_scenes):
    everything = choose_scenes(make_scores(GAINS), MODELS).scenes
    choice = choose_scenes(make_scores(GAINS), MODELS, n_scenes)
    assert choice.scenes == everything[:n_scenes]
    assert choice.max_bytes == float("inf")
    assert "MB" not in choice.reason


def test_a_negative_number_is_a_mistake():
    with pytest.raises(ValueError, match="is -1, must be 0 or more"):
        choose_scenes(make_scores(GAINS), MODELS, -1)


def test_scenes_without_any_error_gain_nothing():
    equal, better, worse = (float("inf"), float("inf")), (30.0, float("inf")), (30.0, 29.0)
    scores = {
        name: {"B": {"psnr": base}, "EnsIR": {"psnr": ours}}
        for name, (base, ours) in {"a": equal, "b": equal, "c": better, "d": worse}.items()
    }
    assert choose_scenes(scores, ["B"]).scenes[:2] == ("c", "d")


@given(st.integers(0, 300))
def test_every_place_is_taken_once_and_none_is_far_from_those_before(n):
    order = spread(n)
    assert sorted(order) == list(range(n))
    for taken in range(2, n):
        places = sorted(order[:taken])
        gaps = [after - before for before, after in pairwise(places)]
        assert max(gaps) <= 4 * n / taken
