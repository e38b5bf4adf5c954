"""States with arrays that cannot be cost a sentence: what compiled loops read is checked before."""

import copy
import warnings

import deployed
import numpy as np
import pytest
from table_files import scenes

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir._core.table import FIELDS
from skensir.baselines import ConvexRegressor
from skensir.image import ImageEnsemble

X, Y = deployed.rows(90, 3, np.float64)
ROWS = np.vstack([X[:50], np.full((1, 3), 1e9), np.zeros((1, 3))])
SQUARED = {"objective": "squared_error", "bin_width": 64}


def fit_all():
    """Return fitted models of every kind that has tables and sums of its own."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # few rows, and steps
        return {
            "nested": EnsIRRegressor(shrink_to="parent", shrinkage=30.0, **SQUARED).fit(X, Y),
            "rows to add": EnsIRRegressor(64, max_iter=3).partial_fit(X, Y),
            "summary": EnsIRRegressor(
                axes="summary", positive=False, fit_intercept=True, **SQUARED
            ).partial_fit(X, Y),
            "search of rows": EnsIRRegressorCV(bin_widths=[128], cv=2).partial_fit(X, Y),
            "convex": ConvexRegressor().fit(X, Y),
            "images": ImageEnsemble(EnsIRRegressor(128, max_iter=3)).fit(*scenes()),
        }


@pytest.fixture(scope="module")
def models():
    return fit_all()


def leaves(value, path=()):
    """Yield the path of every array and number in a state."""
    if isinstance(value, dict | list | tuple):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        for key, part in items:
            yield from leaves(part, (*path, key))
    elif isinstance(value, np.ndarray | float | int):
        yield path


def changed(state, path, change):
    """Return a copy of a state with a leaf changed."""
    state = copy.deepcopy(state)
    place = state
    for key in path[:-1]:
        place = place[key]
    if isinstance(place, tuple):
        return None
    place[path[-1]] = change(place[path[-1]])
    return state


def shorter(value):
    return value[:-1] if np.ndim(value) else -1


def with_more_columns(value):
    return np.repeat(value, 2, axis=-1) if np.ndim(value) else np.array([value, value])


def of_another_dtype(value):
    if np.asarray(value).dtype.kind not in "fi":
        return None
    return np.asarray(value).astype(np.float32)


def infinite(value):
    if np.asarray(value).dtype.kind != "f" or not np.size(value):
        return 10**6
    value = np.array(value)
    value.flat[0] = np.inf
    return value if value.ndim else float(value)


def beyond(value):
    if np.asarray(value).dtype != np.int64 or not np.size(value):
        return None
    value = np.array(value)
    value.flat[-1] = 2**40
    return value if value.ndim else int(value)


def use(model, kind):
    """Predict, and add rows where that was possible; all that comes out must be finite."""
    if kind == "images":
        stacks, _ = scenes()
        combined = model.predict(stacks)
        assert all(np.isfinite(image).all() for image in combined)
        return
    assert np.isfinite(model.predict(ROWS)).all()
    if "of rows" in kind or kind in ("rows to add", "summary"):
        assert np.isfinite(model.partial_fit(X[:9], Y[:9]).predict(ROWS)).all()


def load(model, state):
    """Return an estimator of this state."""
    other = type(model).__new__(type(model))
    other.__setstate__(state)
    return other


def try_state(model, kind, state):
    """Return what is said of a state that is refused, None if it is of use."""
    try:
        use(load(model, state), kind)
    except (ValueError, TypeError) as error:  # of a parameter, where it is used
        return str(error)
    return None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("change", [shorter, with_more_columns, of_another_dtype, infinite, beyond])
def test_a_damaged_state_is_refused_or_of_use(models, change):
    said = []
    for kind, model in models.items():
        state = model.__getstate__()
        for path in leaves(state["attributes"]):
            damaged = changed(state, ("attributes", *path), change)
            if damaged is not None:
                said.append(try_state(model, kind, damaged))
    assert said.count(None) < len(said) - 10
    assert not any("\n" in sentence for sentence in said if sentence is not None)


@pytest.mark.parametrize("kind", ["nested", "rows to add", "summary"])
def test_what_compiled_loops_read_is_refused_at_once(models, kind):
    """And not only where it happens to be used."""
    model = models[kind]
    state, n_tried = model.__getstate__(), 0
    for name in FIELDS:
        array = vars(model).get(f"{name}_")
        if np.ndim(array) and np.size(array):
            damaged = changed(state, ("attributes", f"{name}_"), with_more_columns)
            with pytest.raises(ValueError, match=f"{name}_ must|is damaged|must have dtype"):
                load(model, damaged)
            n_tried += 1
    place = ("attributes", "_statistics", 0)
    for name in ("cells", "sums"):
        with pytest.raises(ValueError, match="of the sums must have"):
            load(model, changed(state, (*place, name), with_more_columns))
    with pytest.raises(ValueError, match="without rows"):
        load(model, changed(state, (*place, "sums"), np.negative))
    if kind == "rows to add":
        with pytest.raises(ValueError, match="must be below"):
            load(model, changed(state, (*place, "truth", "cell"), beyond))
    else:
        assert n_tried > 10 or kind == "summary"


@pytest.mark.parametrize("state", [{}, {"skensir_state": 2}, {"skensir_state": 2, "attributes": 3}])
def test_a_state_that_is_none_is_refused(state):
    with pytest.raises(ValueError, match=r"is damaged|fit it anew"):
        EnsIRRegressor.__new__(EnsIRRegressor).__setstate__(state)
