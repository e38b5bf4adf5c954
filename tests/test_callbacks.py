"""What `fit` tells while it works."""

import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._sums.accumulate import first_rows_alone
from skensir._sums.binning import row_chunks

callback = pytest.importorskip("sklearn.callback", reason="callbacks came with scikit-learn 1.9")


class Recorder:
    """Keeps the path of each task of `fit` as it begins and ends; can ask EM to stop."""

    max_propagation_depth = None

    def __init__(self, stop_after=None):
        self.begun, self.ended, self.stop_after = [], [], stop_after
        self.announced = {}

    def setup(self, estimator, context):
        self.begun.append("setup")

    def teardown(self, estimator, context):
        self.ended.append("teardown")

    def on_fit_task_begin(self, estimator, context):
        self.begun.append(self.path(context))
        self.announced[self.begun[-1]] = context.max_subtasks

    def on_fit_task_end(self, estimator, context):
        self.ended.append(self.path(context))
        return self.stop_after is not None and self.ended[-1] == self.stop_after

    @staticmethod
    def path(context):
        names = []
        while context is not None:
            names.append((context.estimator_name, context.task_name, context.task_id))
            context = context.parent
        return tuple(reversed(names))


@pytest.fixture
def images():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 200_000)
    X = np.clip(y[:, None] + rng.integers(-9, 10, (len(y), 3)), 0, 255)
    return X.astype(np.uint8), y.astype(np.uint8)


ROOT = ("EnsIRRegressor", "fit", 0)
SUMS = ("EnsIRRegressor", "sums of the rows", 0)
EM = ("EnsIRRegressor", "EM steps", 1)


def step(stage, number):
    return (ROOT, stage, ("EnsIRRegressor", "", number))


def test_callbacks_see_each_chunk_and_each_em_step(images):
    X, y = images
    recorder = Recorder()
    model = EnsIRRegressor().set_callbacks(recorder).fit(X, y)
    chunks = [step(SUMS, i) for i in range(len(first_rows_alone(row_chunks(*X.shape))))]
    steps = [step(EM, i) for i in range(model.n_iter_.max())]
    assert len(chunks) > 3
    assert len(steps) > 3
    assert recorder.begun == ["setup", (ROOT,), (ROOT, SUMS), *chunks, (ROOT, EM), *steps]
    assert recorder.ended == [*chunks, (ROOT, SUMS), *steps, (ROOT, EM), (ROOT,), "teardown"]
    assert recorder.announced[ROOT,] == 2
    assert recorder.announced[ROOT, SUMS] == len(chunks)
    assert recorder.announced[ROOT, EM] == model.max_iter


def test_the_squared_error_has_no_em_steps_to_tell_of(images):
    recorder = Recorder()
    EnsIRRegressor(objective="squared_error").set_callbacks(recorder).fit(*images)
    assert {path[1] for path in recorder.begun if len(path) == 3} == {SUMS}
    assert recorder.announced[ROOT,] == 1


@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
def test_as_many_stages_come_as_were_announced(images, objective):
    recorder = Recorder()
    EnsIRRegressor(objective=objective).set_callbacks(recorder).fit(*images)
    stages = [path for path in recorder.ended if len(path) == 2]
    assert len(stages) == recorder.announced[(ROOT,)]


def test_a_callback_can_stop_em(images):
    recorder = Recorder(stop_after=step(EM, 2))
    model = EnsIRRegressor().set_callbacks(recorder).fit(*images)
    assert model.n_iter_.max() == 3


def test_sums_of_a_part_of_the_rows_are_never_taken_for_all(images):
    recorder = Recorder(stop_after=step(SUMS, 0))
    model = EnsIRRegressor().set_callbacks(recorder).fit(*images)
    assert model.cell_counts_.sum() == len(images[1])


@pytest.mark.parametrize(("axes", "n_grids"), [("deviations", 3), (["predictions", "summary"], 6)])
def test_cross_validation_tells_of_each_bin_width(images, axes, n_grids):
    X, y = images
    recorder = Recorder()
    model = EnsIRRegressorCV([32, 64, 128], axes=axes, cv=2).set_callbacks(recorder).fit(X, y)
    assert model.n_splits_ == 2
    root = ("EnsIRRegressorCV", "fit", 0)
    widths = ("EnsIRRegressorCV", "bin widths", 0)
    steps = [(root, widths, ("EnsIRRegressorCV", "", number)) for number in range(n_grids)]
    assert recorder.begun == ["setup", (root,), (root, widths), *steps]
    assert recorder.ended == [*steps, (root, widths), (root,), "teardown"]


def test_callbacks_do_not_change_the_table(images):
    with_recorder = EnsIRRegressor().set_callbacks(Recorder()).fit(*images)
    np.testing.assert_array_equal(with_recorder.weights_, EnsIRRegressor().fit(*images).weights_)


def test_a_search_passes_its_callbacks_on(images):
    X, y = images
    recorder = Recorder()
    search = GridSearchCV(EnsIRRegressor(), {"bin_width": [32, 64]}, cv=2).set_callbacks(recorder)
    search.fit(X[:5000], y[:5000])
    em = [path for path in recorder.ended if path[-1] == EM]
    assert len(em) == 2 * 2 + 1  # each candidate and split, and the refit
    assert all(path[0][0] == "GridSearchCV" for path in em)


def test_progress_is_printed_where_it_is_asked_for(images, capsys):
    EnsIRRegressor(verbose=2).fit(*images)
    printed = capsys.readouterr().out
    n_chunks = len(first_rows_alone(row_chunks(*images[0].shape)))
    assert f"[EnsIRRegressor] sums of the rows: {n_chunks} of {n_chunks}\n" in printed
    rng = np.random.default_rng(0)
    many = rng.integers(0, 256, (900_000, 3)).astype(np.uint8)
    n_chunks = len(first_rows_alone(row_chunks(*many.shape)))
    assert n_chunks % 10
    EnsIRRegressor(verbose=2, objective="squared_error").fit(many, many[:, 0])
    assert f"sums of the rows: {n_chunks} of {n_chunks}\n" in capsys.readouterr().out
    EnsIRRegressor(verbose=2, objective="squared_error").fit(*images)
    assert "EM steps:" not in capsys.readouterr().out


def test_the_progress_bar_of_scikit_learn_shows_both_stages(images, capsys):
    pytest.importorskip("rich", reason="scikit-learn's progress bar needs rich")
    EnsIRRegressor().set_callbacks(callback.ProgressBar()).fit(*images)
    printed = capsys.readouterr().out
    assert "sums of the rows" in printed
    assert "EM steps" in printed
    assert "100%" in printed


def test_callbacks_end_where_fit_raises(images):
    X, y = images
    recorder = Recorder()
    model = EnsIRRegressor(bin_width=1e90, data_range=255).set_callbacks(recorder)
    with pytest.raises(ValueError, match="overflow"):
        model.fit(X[:500] * 1e90, y[:500] * 1e90)
    assert recorder.begun[0] == "setup"
    assert recorder.ended[-1] == "teardown"
    assert not hasattr(model, "n_features_in_")
