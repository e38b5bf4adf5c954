"""How the ensembles are fitted: the seconds that count, and the sample of the trees."""

import weakref

import numpy as np
from image_folders import COMPARED as MODELS
from image_folders import stacked
from numpy.testing import assert_array_equal
from sklearn.base import BaseEstimator, RegressorMixin

from skensir.comparison import ensembles
from skensir.image import ReferenceSet, read_image, reference_set, write_image
from skensir.image.pixel_format import pixel_format_of


def test_seconds_are_those_of_fitting_and_solving_but_not_of_reading(folders, monkeypatch):
    time = {"now": 0.0}

    def work(seconds):
        time["now"] += seconds

    class Slow(RegressorMixin, BaseEstimator):
        def fit(self, X, y):
            work(10)
            return self

        @property
        def weights_(self):
            work(1)
            return [1.0]

    def read(path):
        work(1000)
        return read_image(path)

    monkeypatch.setattr(reference_set, "read_image", read)
    monkeypatch.setattr(ensembles, "perf_counter", lambda: time["now"])
    scenes = ReferenceSet(folders[0])
    fitted = ensembles.fit(
        ensembles.Method("slow", Slow()), scenes, pixel_format_of(scenes[0]), None
    )
    assert fitted.seconds == 3 * (10 + 1)


def rows_of(predictions, target, channel):
    stack = np.concatenate([predictions, target[np.newaxis]])[..., channel]
    return sorted(map(tuple, stack.reshape(len(stack), -1).T.tolist()))


def test_sample_of_all_values_has_each_of_them_once(folders):
    scenes = ReferenceSet(folders[0])
    predictions, target = ensembles.draw_sample(scenes, pixel_format_of(scenes[0]))
    for channel in range(3):
        X, y, _ = stacked(list(scenes), channel)
        expected = sorted(map(tuple, np.column_stack([X, y]).tolist()))
        assert rows_of(predictions, target, channel) == expected


def test_sample_is_drawn_without_replacement_from_all_scenes(tmp_path):
    values = np.arange(3 * 3 * 10 * 12, dtype=np.uint16).reshape(3, 10, 12, 3)
    for part in (*MODELS, "gt"):
        (tmp_path / part).mkdir()
        for number, image in enumerate(values):
            write_image(tmp_path / part / f"{number}.png", image)
    scenes = ReferenceSet(tmp_path)
    pixel_format = pixel_format_of(scenes[0])
    predictions, target = ensembles.draw_sample(scenes, pixel_format, 300)
    assert predictions.shape == (3, 100, 1, 3)
    assert predictions.dtype == target.dtype == np.uint16
    assert_array_equal(predictions, np.broadcast_to(target, predictions.shape))
    assert len(np.unique(target)) == 300
    assert_array_equal(target % 3, np.broadcast_to(np.arange(3), target.shape))
    assert len(np.unique(target // 360)) == 3
    assert_array_equal(ensembles.draw_sample(scenes, pixel_format, 300)[1], target)
    assert (ensembles.draw_sample(scenes, pixel_format, 300, seed=1)[1] != target).any()


def test_sample_is_drawn_with_one_scene_in_memory_beside_the_next(folders):
    alive = []

    class Watched(ReferenceSet):
        def __getitem__(self, index):
            scene = super().__getitem__(index)
            assert sum(reference() is not None for reference in alive) <= 1
            alive.append(weakref.ref(scene))
            return scene

    scenes = Watched(folders[0])
    ensembles.draw_sample(scenes, pixel_format_of(ReferenceSet(folders[0])[0]))
    assert len(alive) == 3
