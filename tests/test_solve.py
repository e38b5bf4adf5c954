"""When the table of added rows is solved, and to which line warnings point."""

import subprocess
import sys
import textwrap
import warnings

import numpy as np
import pytest
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.model_selection import GridSearchCV
from tables import assert_same_table

from skensir import EnsIRRegressor, EnsIRRegressorCV, load_table, save_table
from skensir._core.table import FIELDS
from skensir.image import ImageEnsemble

RNG = np.random.default_rng(0)
Y = RNG.integers(0, 256, 3000)
X = np.clip(Y[:, None] + RNG.integers(-9, 10, (3000, 3)), 0, 255).astype(np.uint8)
PUBLISHED = [*(f"{name}_" for name in FIELDS), "bin_edges_"]


@pytest.fixture
def unsolvable(monkeypatch):
    """Make it an error to solve a table."""
    monkeypatch.setattr("skensir._ensir.solve_table", lambda *args: pytest.fail("solved"))


@pytest.mark.usefixtures("unsolvable")
@pytest.mark.parametrize("params", [{}, {"objective": "squared_error"}, {"max_iter": 1}])
def test_to_ask_for_an_attribute_solves_nothing_and_raises_nothing(params):
    model = EnsIRRegressor(**params).partial_fit(X, Y)
    model.set_params(bin_width=-1)  # what would be refused
    for name in PUBLISHED:
        assert not hasattr(model, name)
        assert getattr(model, name, None) is None
    for name in ("weights_", "bin_edges_"):
        with pytest.raises(
            AttributeError, match=rf"'{name}'; the table .* call solve\(\) or predict"
        ):
            getattr(model, name)
    with pytest.raises(AttributeError, match=r"'weight_'$"):
        _ = model.weight_


def test_what_needs_the_table_solves_it(tmp_path):
    whole = EnsIRRegressor().fit(X, Y)
    needs = {
        "solve": lambda model: model.solve(),
        "predict": lambda model: model.predict(X),
        "predict_weights": lambda model: model.predict_weights(X),
        "score": lambda model: model.score(X, Y),
        "save_table": lambda model: save_table(model, tmp_path / "table"),
        "forget_rows": lambda model: model.forget_rows(),
    }
    for name, need in needs.items():
        model = EnsIRRegressor().partial_fit(X[:1000], Y[:1000])
        model.merge(EnsIRRegressor().fit(X[1000:], Y[1000:]))
        assert not hasattr(model, "weights_")
        need(model)
        assert all(hasattr(model, attribute) for attribute in PUBLISHED), name
        assert_same_table(model, whole, rtol=1e-9)
    assert_same_table(load_table(tmp_path / "table"), whole, rtol=1e-9)


def test_a_solved_table_is_not_solved_again(unsolvable, monkeypatch):
    monkeypatch.undo()
    model = EnsIRRegressor().fit(X, Y)
    monkeypatch.setattr("skensir._ensir.solve_table", lambda *args: pytest.fail("solved"))
    assert model.solve() is model
    model.predict(X)
    with pytest.raises(NotFittedError):
        EnsIRRegressor().solve()


def test_merging_what_has_no_weight_adds_nothing():
    nothing = EnsIRRegressor().partial_fit(X, Y, np.zeros(len(Y)))
    whole = EnsIRRegressor().fit(X, Y)
    assert_same_table(EnsIRRegressor().fit(X, Y).merge(nothing), whole)
    assert_same_table(EnsIRRegressor().merge(nothing).merge(whole), whole)
    with pytest.raises(NotFittedError):
        EnsIRRegressor().merge(nothing).predict(X)
    with pytest.raises(NotFittedError):
        EnsIRRegressor().merge(EnsIRRegressor())


def test_warnings_point_to_the_line_that_called():
    few = EnsIRRegressor(64, max_iter=1)
    parts = EnsIRRegressor(max_iter=1).partial_fit(X, Y)
    again = EnsIRRegressor(max_iter=1).partial_fit(X, Y)
    calls = [
        lambda: few.fit(X, Y),
        lambda: parts.predict(X),
        lambda: again.solve(),
        lambda: EnsIRRegressorCV(max_iter=1, objectives=("likelihood",)).fit(X, Y),
        lambda: GridSearchCV(few, {"bin_width": [64, 128]}, cv=2).fit(X, Y),
        lambda: ImageEnsemble(few).fit([X.T.reshape(3, 50, 20, 3)], [Y.reshape(50, 20, 3)]),
    ]
    for call in calls:
        with pytest.warns(ConvergenceWarning, match="EM came to its limit of 1 steps in") as caught:
            call()
        assert {warning.filename for warning in caught} == {__file__}


def test_so_do_they_at_the_top_of_a_script(tmp_path):
    script = tmp_path / "script.py"
    script.write_text(
        textwrap.dedent(
            """
            import numpy as np
            from skensir import EnsIRRegressor
            y = np.repeat(np.arange(64.0), 20)
            X = y[:, None] + np.random.default_rng(0).normal(size=(1280, 2))
            model = EnsIRRegressor(max_iter=1).partial_fit(X, y)
            model.predict(X)
            """
        )
    )
    run = subprocess.run(
        [sys.executable, str(script)], capture_output=True, text=True, check=True, timeout=60
    )
    assert f"{script}:7: ConvergenceWarning: EM came to its limit of 1 steps" in run.stderr


def test_nothing_is_warned_of_that_was_not_asked_for():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        EnsIRRegressor(max_iter=1).partial_fit(X, Y).merge(EnsIRRegressor().partial_fit(X, Y))
