"""Compiled loops do what NumPy does, and are silently left out where they cannot serve.

The loops are plain functions too: so they are also tested where numba is absent, on fewer rows.
"""

import importlib.util
import os
import shutil
import subprocess
import sys
import threading
import warnings
from contextlib import contextmanager, suppress
from pathlib import Path
from unittest import mock

import joblib
import naive
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from sums import assert_same_statistics

import skensir
from skensir import EnsIRRegressor
from skensir._core import combine as combine_module
from skensir._core.combine import combine_parts, combiner, find_cells
from skensir._sums import accumulate as accumulate_module
from skensir._sums import cells as cells_module
from skensir._sums import compiled
from skensir._sums import loops as loops_module
from skensir._sums.accumulate import accumulate
from skensir._sums.axes import KINDS, Axes
from skensir._sums.cells import CellIndex, NestedCellIndex, distinct_cells

needs_numba = pytest.mark.skipif(
    importlib.util.find_spec("numba") is None, reason="numba is not installed (extra `fast`)"
)
LOOPS = [pytest.param("python"), pytest.param("compiled", marks=needs_numba)]
DTYPES = (*naive.DTYPES, "u4")
# To compile takes most of a second: one number of models per dtype. The loops in Python take any.
N_MODELS = {"u1": 3, "u2": 2, "u4": 1, "i1": 1, "i2": 4, "i4": 2, "i8": 3, "f4": 3, "f8": 2}
LAYOUTS = {
    "rows": np.ascontiguousarray,
    "columns": np.asfortranarray,
    "every other": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1],
    "not to be written to": lambda X: np.frombuffer(X.tobytes(), X.dtype).reshape(X.shape),
    "not aligned": lambda X: np.frombuffer(b"." + X.tobytes(), X.dtype, offset=1).reshape(X.shape),
}


@contextmanager
def numpy_only():
    with mock.patch.dict(os.environ, {"SKENSIR_NO_NUMBA": "1"}):
        yield


@contextmanager
def using(loops, *, min_rows=0):
    """Use the loops, compiled or in Python, from so many rows on; note which were."""
    used = set()

    def loop_for(case):
        in_python = loops_module.LOOPS[case.loop]
        loop = loops_module.compiled_loop(case) if loops == "compiled" else in_python

        def call(*arguments):
            used.add(case.loop)
            with np.errstate(over="ignore"):  # as in hashing, of which Python warns
                loop(*arguments)

        return call

    with (
        mock.patch.dict(os.environ, {"SKENSIR_NO_NUMBA": ""}),
        mock.patch.object(compiled, "_MIN_ROWS", min_rows),
        mock.patch.object(compiled, "compiled_loop", loop_for),
    ):
        yield used


@st.composite
def stacks(draw, loops, **options):
    """Draw a stack in some layout; for compiled loops with a number of models for the dtype."""
    stack = draw(naive.stacks(dtypes=DTYPES, max_models=6, **options))
    X = stack.X
    if loops == "compiled":
        X = X[:, np.arange(N_MODELS[X.dtype.str[1:]]) % X.shape[1]]
    return stack._replace(X=LAYOUTS[draw(st.sampled_from(sorted(LAYOUTS)))](X))


@contextmanager
def batches(size, waiting):
    """Cut the rows into small chunks, and let few rows wait, so that most cells are known."""
    with (
        mock.patch.object(accumulate_module, "row_chunks", naive.in_chunks(size)),
        mock.patch.object(combine_module, "row_chunks", naive.in_chunks(size)),
        mock.patch.object(accumulate_module, "_MAX_WAITING", waiting),
    ):
        yield


def sum_up(stack, resolution, kind="predictions", **options):
    axes = Axes(stack.bin_width, kind)
    return accumulate(*stack[:3], axes=axes, target_resolution=resolution, **options)


def assert_same_sums(one, other):
    np.testing.assert_array_equal(one.cells, other.cells)
    np.testing.assert_array_equal(one.sums, other.sums)


@pytest.mark.parametrize("loops", LOOPS)
@given(data=st.data(), size=st.integers(1, 50), waiting=st.integers(0, 20))
def test_sums_are_those_of_numpy_to_the_last_bit(loops, data, size, waiting):
    stack = data.draw(stacks(loops))
    resolution = data.draw(st.sampled_from([None, 1.0, 0.25, 0.7, 40.0]))
    with batches(size, waiting):
        with numpy_only():
            expected = sum_up(stack, resolution)
        with using(loops):
            found = sum_up(stack, resolution)
    assert_same_sums(found, expected)
    if resolution is None:
        assert found.truth is None
        return
    # The order of these sums is another one.
    np.testing.assert_array_equal(found.truth.cell, expected.truth.cell)
    np.testing.assert_array_equal(found.truth.step, expected.truth.step)
    np.testing.assert_allclose(found.truth.weight, expected.truth.weight, rtol=1e-14)
    largest = resolution * expected.truth.weight.max()
    np.testing.assert_allclose(found.truth.excess, expected.truth.excess, atol=1e-14 * largest)


@pytest.mark.parametrize("kind", ["predictions", "deviations"])
@pytest.mark.parametrize("loops", LOOPS)
@given(data=st.data(), size=st.integers(1, 50), waiting=st.integers(0, 20))
def test_sums_with_errors_and_on_deviations_are_those_of_numpy(loops, kind, data, size, waiting):
    stack = data.draw(stacks(loops))
    with batches(size, waiting):
        with numpy_only():
            expected = sum_up(stack, None, kind, with_errors=True)
        with using(loops):
            found = sum_up(stack, None, kind, with_errors=True)
    assert_same_sums(found, expected)


@pytest.mark.parametrize("loops", LOOPS)
def test_sums_of_many_models_are_those_of_numpy(loops):
    """Whose cells alone are found by a loop."""
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, 300) * 1.0
    X = y[:, None] + rng.integers(-9, 10, (300, 24))
    stack = naive.Stack(X, y, rng.integers(0, 3, 300) * 1.0, 128.0)
    with numpy_only():
        expected = sum_up(stack, 1.0)
    with using(loops) as used:
        found = sum_up(stack, 1.0)
    assert used == {"walk"}
    assert_same_statistics(found, expected)


@pytest.mark.parametrize("loops", LOOPS)
@given(data=st.data(), size=st.integers(1, 50), places=st.integers(0, 400))
def test_truth_that_is_whole_is_counted_exactly_with_a_table_of_any_size(loops, data, size, places):
    stack = data.draw(stacks(loops, whole=True))
    with batches(size, 0), mock.patch.object(compiled, "_MAX_PLACES", places):
        with numpy_only():
            expected = sum_up(stack, 1.0)
        with using(loops):
            found = sum_up(stack, 1.0)
    assert_same_sums(found, expected)
    for one, other in zip(found.truth, expected.truth, strict=True):
        np.testing.assert_array_equal(one, other)


# Of an index: one table, hashed keys in one level, in several, and with a table before them.
LIMITS = [(2**61, 2**20), (2**61, 0), (5000, 0), (5000, 70)]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("loops", LOOPS)
@given(
    data=st.data(),
    size=st.integers(1, 50),
    limits=st.sampled_from(LIMITS),
    seed=st.integers(0, 2**32 - 1),
    places=st.sampled_from([0, 2**15]),
    n_threads=st.integers(1, 3),
)
def test_rows_find_the_cells_and_combinations_that_numpy_finds(
    loops, kind, data, size, limits, seed, places, n_threads
):
    stack, rng = data.draw(stacks(loops)), np.random.default_rng(seed)
    axes = Axes(stack.bin_width, kind)
    # Half of the rows, so that the others may be in no known cell.
    bins = axes.bins(np.ascontiguousarray(stack.X[: len(stack.X) // 2 + 1].T))
    cells = rng.permutation(distinct_cells(bins))
    ancestors = distinct_cells(cells.T >> 1)
    levels = np.ones(len(ancestors), dtype=np.int64)
    key_limit, dense_limit = limits
    with (
        mock.patch.multiple(cells_module, _KEY_LIMIT=key_limit, _DENSE_LIMIT=dense_limit),
        suppress(ValueError),  # too many bins for so small keys
    ):
        index = CellIndex(cells)
        if data.draw(st.booleans()):
            index = NestedCellIndex(cells, ancestors, levels)
    assume("index" in locals())
    n_models = stack.X.shape[1]
    weights = rng.dirichlet(np.ones(n_models), index.n_cells + 1)
    arguments = stack.X, index, axes
    intercepts = rng.normal(size=index.n_cells + 1) if seed % 2 else None
    signed = 3 * weights - 2 / n_models, intercepts

    def results():
        convex, other = np.empty(len(stack.X)), np.empty(2 * len(stack.X))[::2]
        parts = [
            (stack.X, combiner(*arguments, weights), convex),
            (stack.X, combiner(*arguments, *signed, convex=False), other),
        ]
        combine_parts(parts, n_threads)
        return find_cells(*arguments, n_threads), convex, other

    with batches(size, 0):
        with numpy_only(), mock.patch.object(combine_module, "_FEW_PLACES", places):
            expected = results()
        with using(loops), mock.patch.object(compiled, "_MAX_EXPANDED", places):
            found = results()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loops", LOOPS)
@pytest.mark.parametrize("kind", KINDS[:2])
@pytest.mark.parametrize("places", [0, 2**15])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_bins_beyond_the_known_ones_count_to_the_nearest(loops, kind, places, dtype):
    """With tables of all values, and in bins to which a division leads or a multiplication."""
    rng, axes = np.random.default_rng(0), Axes(32.0, kind)
    X = rng.integers(0, 256, (400, 3)).astype(dtype)
    known = X[(abs(X - 128.0) < 64).all(axis=1)]
    index = CellIndex(distinct_cells(axes.bins(np.ascontiguousarray(known.T))))
    weights = rng.dirichlet(np.ones(3), index.n_cells + 1)

    def results():
        combined = np.empty(len(X))
        combine_parts([(X, combiner(X, index, axes, weights), combined)], 1)
        return find_cells(X, index, axes, 1), combined

    with numpy_only():
        expected = results()
    with using(loops) as used, mock.patch.object(compiled, "_MAX_EXPANDED", places):
        found = results()
    beyond = index.beyond(axes.bins(np.ascontiguousarray(X.T)))
    assert (expected[0][beyond] < index.n_cells).any()
    assert used == {"find", "combine"}
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loops", LOOPS)
@pytest.mark.parametrize("kind", KINDS[:2])
def test_all_numbers_of_16_bits_find_their_cells(loops, kind):
    X = np.random.default_rng(0).integers(0, 2**16, (400, 2), np.uint16)
    axes = Axes(2.0**13, kind)
    index = CellIndex(distinct_cells(axes.bins(np.ascontiguousarray(X.T))))
    with numpy_only():
        expected = find_cells(X, index, axes)
    with using(loops) as used:
        found = find_cells(X, index, axes)
    assert used == {"find"}
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("loops", LOOPS)
def test_rounding_does_not_carry_the_combination_beyond_the_models(loops):
    """With all weight on one model it would, in about every tenth of these rows."""
    X = np.random.default_rng(0).uniform(-60, 160, (1000, 2))
    index, weights = CellIndex(np.array([[0, 0]])), np.array([[0.0, 1.0], [0.0, 1.0]])
    with using(loops):
        combined = np.empty(len(X))
        combiner(X, index, Axes(32.0), weights)(X, combined)
    assert (combined >= X.min(axis=1)).all()
    assert (combined <= X.max(axis=1)).all()


def large_stack(dtype=np.uint8, *, whole=True, n_rows=compiled._MIN_ROWS + 5000):
    """Make predictions that come in rising order, so that new cells come late."""
    rng = np.random.default_rng(0)
    y = np.sort(rng.uniform(0, 255, n_rows))
    X = np.clip(y[:, None] + rng.normal(size=(n_rows, 3)) * [2, 4, 8], 0, 255).astype(dtype)
    return X, np.rint(y) if whole else y


@needs_numba
@pytest.mark.parametrize("objective", ["likelihood", "squared_error"])
@pytest.mark.parametrize(
    ("dtype", "whole", "bin_width", "weighted"),
    [(np.uint8, True, 32, False), (np.uint8, True, 25.5, True), (np.float32, False, 32, True)],
)
def test_an_estimator_is_the_same_with_and_without(objective, dtype, whole, bin_width, weighted):
    X, y = large_stack(dtype, whole=whole, n_rows=300_000)
    weight = np.random.default_rng(1).uniform(0, 2, len(y)) if weighted else None
    if weighted:
        weight[::7] = 0
    estimator = EnsIRRegressor(bin_width, objective=objective)
    with numpy_only():
        expected = EnsIRRegressor(bin_width, objective=objective).fit(X, y, weight)
        predicted = expected.predict(X, return_std=True)
    with using("compiled", min_rows=compiled._MIN_ROWS) as used:
        estimator.fit(X, y, weight)
        np.testing.assert_array_equal(estimator.cells_, expected.cells_)
        np.testing.assert_array_equal(estimator.cell_counts_, expected.cell_counts_)
        np.testing.assert_allclose(estimator.weights_, expected.weights_, rtol=0, atol=1e-12)
        found = expected.predict(X, return_std=True)
    np.testing.assert_array_equal(found, predicted)
    assert {"find", "add", "combine"} <= used
    assert ("count" in used) == (objective == "likelihood")


def test_few_rows_many_models_and_sparse_cells_are_left_to_numpy():
    X, y = large_stack()
    with using("python", min_rows=compiled._MIN_ROWS):
        few, of_21 = X[: compiled._MIN_ROWS - 1], np.broadcast_to(X[:, :1], (len(X), 21))
        index = CellIndex(np.array([[0, 0, 0], [7, 7, 7]]))
        sparse = CellIndex(np.array([[0, 0, 0], [2000, 2000, 2000]]))
        assert compiled.compiled_find(X, index, Axes(32.0)) is not None
        assert compiled.truth_table(X, y, 1.0, weighted=False) is not None
        assert compiled.compiled_find(few, index, Axes(32.0)) is None
        assert compiled.truth_table(few, y, 1.0, weighted=False) is None
        assert compiled.truth_table(X, y + 1e9, 1.0, weighted=False) is not None
        for spread in (1e9 * y, 1e6 * (y - y.mean())):
            assert compiled.truth_table(X, spread, 1.0, weighted=False) is None
        for far in (1.5 * 2**53, -1.5 * 2**53, 2.0**60):
            assert compiled.truth_table(X, y + far, 1.0, weighted=False) is None
        zeros = CellIndex(np.zeros((1, 21), np.int64))
        assert compiled.compiled_find(of_21, zeros, Axes(32.0)) is None
        assert compiled.compiled_find(X, sparse, Axes(0.1)) is None


def test_divisions_become_products_where_these_are_the_same():
    for power in (-899, -8, 0, 3, 899):
        assert compiled.exact_factor(2.0**power) == 2.0**-power
    for divisor in (3.0, 0.1, 32.0 * (1 + 2.0**-52), 2.0**-901, 2.0**901):
        assert compiled.exact_factor(divisor) is None


@needs_numba
@pytest.mark.parametrize("kind", [np.uint8, np.int64])
def test_whole_truth_is_counted_by_chunks_and_by_rows_alike(kind):
    X, y = large_stack()
    truth, cell = np.rint(y).astype(kind), (X[:, 0] > X[:, 1]).astype(np.int64)
    by_rows, by_chunks, real, weighted = (
        compiled.truth_table(X, of_rows, 1.0, weighted=has_weight)
        for of_rows, has_weight in ((truth, 0), (truth, 0), (y, 0), (truth, 1))
    )
    for rows in np.array_split(np.arange(len(y)), 3):
        chunk = cell[rows], truth[rows].astype(float)
        assert by_rows.add(*chunk, None)
        by_chunks.add_counts(by_chunks.count(*chunk, 2))
        assert real.count(*chunk, 2) is None  # sums of real numbers would depend on the chunks
        assert weighted.count(*chunk, 2) is None
        assert by_chunks.count(*chunk, len(rows)) is None  # more places than rows
    for one, other in zip(by_rows.entries(), by_chunks.entries(), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("loops", LOOPS)
@pytest.mark.parametrize(("resolution", "by_chunks"), [(1.0, True), (2.0**-20, False)])
def test_threads_count_whole_truth_by_chunks_where_a_table_holds_it(loops, resolution, by_chunks):
    X = np.random.default_rng(0).integers(0, 256, (3000, 3), np.uint8)
    stack = naive.Stack(X, X[:, 0] // 32, None, 128.0)
    with numpy_only():
        expected = sum_up(stack, resolution)
    add_counts = compiled.TruthTable.add_counts
    with (
        batches(500, 0),
        using(loops),
        mock.patch.object(compiled.TruthTable, "add_counts", autospec=True) as spied,
    ):
        spied.side_effect = add_counts
        found = sum_up(stack, resolution, n_threads=3)
    assert_same_statistics(found, expected)
    assert spied.called == by_chunks


@pytest.fixture
def nothing_compiled():
    """Forget what has been compiled or has failed, before and after."""
    loops_module.compiled_loop.cache_clear()
    yield
    loops_module.compiled_loop.cache_clear()


@pytest.mark.usefixtures("nothing_compiled")
@pytest.mark.parametrize("failure", ["absent", "broken", "does not compile", "told not to compile"])
def test_failures_are_silent_and_numpy_steps_in(failure, monkeypatch):
    monkeypatch.delenv("SKENSIR_NO_NUMBA", raising=False)
    if failure == "absent":
        monkeypatch.setitem(sys.modules, "numba", None)
    elif failure == "told not to compile":
        config = mock.Mock(DISABLE_JIT=1)
        monkeypatch.setitem(sys.modules, "numba", mock.Mock(config=config))
    else:

        def fail(case, *, cache):
            warnings.warn("about to fail", stacklevel=2)
            raise {"broken": SystemError, "does not compile": TypeError}[failure]

        monkeypatch.setattr(loops_module, "_compile", fail)
    X, y = large_stack()
    model = EnsIRRegressor().fit(X, y)
    predicted = model.predict(X)
    assert loops_module.compiled_loop.cache_info().currsize > 0
    assert loops_module.compiled_loop(loops_module.Case("add", X.dtype, 3)) is None
    with numpy_only():
        np.testing.assert_array_equal(predicted, EnsIRRegressor().fit(X, y).predict(X))


@pytest.mark.parametrize(("value", "used"), [("1", False), ("yes", False), ("0", True), ("", True)])
def test_the_environment_variable_switches_the_loops_off(value, used, monkeypatch):
    loop = mock.Mock(return_value=None)
    monkeypatch.setattr(compiled, "compiled_loop", loop)
    monkeypatch.setenv("SKENSIR_NO_NUMBA", value)
    EnsIRRegressor().fit(*large_stack())
    assert loop.called == used


# A fit and a prediction of a number of rows. All warnings are errors.
SCRIPT = """
import sys
import warnings

import numpy as np

warnings.simplefilter("error")
from skensir import EnsIRRegressor

assert "numba" not in sys.modules
rng = np.random.default_rng(0)
y = rng.integers(0, 256, int(sys.argv[1]))
X = np.clip(y[:, None] + rng.integers(-6, 7, (len(y), 3)), 0, 255).astype(np.uint8)
EnsIRRegressor().fit(X, y).predict(X)
from skensir._sums.loops import Case, compiled_loop

asked_for = compiled_loop.cache_info().currsize > 0
compiles = asked_for and compiled_loop(Case("add", X.dtype, 3)) is not None
print("numba" in sys.modules, compiles)
"""


def run_script(n_rows, *, package=Path(skensir.__file__).parent, **environment):
    """Return whether numba was loaded and whether it compiled, in a fresh interpreter."""
    usual = {"SKENSIR_NO_NUMBA": "", "PYTHONPATH": str(package.parent)}
    result = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(n_rows)],
        env=os.environ | usual | environment,
        cwd=package.parent,
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert result.stderr == ""
    return result.stdout.split()


@needs_numba
def test_numba_is_loaded_when_there_are_rows_enough_and_it_is_not_switched_off():
    assert run_script(1000) == ["False", "False"]
    assert run_script(2 * compiled._MIN_ROWS) == ["True", "True"]
    assert run_script(2 * compiled._MIN_ROWS, SKENSIR_NO_NUMBA="1") == ["False", "False"]


@needs_numba
def test_loops_compile_where_no_folder_can_be_written_to(tmp_path):
    """A file stands where each folder would be, which stops the administrator as well."""
    package = tmp_path / "site" / "skensir"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(Path(skensir.__file__).parent, package, ignore=ignored)
    for folder in (package, *(path for path in package.rglob("*") if path.is_dir())):
        (folder / "__pycache__").write_text("no folder")
    no_folder = tmp_path / "no folder"
    no_folder.write_text("")
    places = dict.fromkeys(["HOME", "XDG_CACHE_HOME", "LOCALAPPDATA"], str(no_folder))
    environment = {"NUMBA_CACHE_DIR": "", **places}
    assert run_script(2 * compiled._MIN_ROWS, package=package, **environment) == ["True", "True"]
    # Nothing was kept, so the case is the one that is meant.
    assert not list(tmp_path.rglob("*.nbi"))


@needs_numba
@pytest.mark.usefixtures("nothing_compiled")
def test_threads_may_compile_and_predict_at_once(monkeypatch):
    monkeypatch.delenv("SKENSIR_NO_NUMBA", raising=False)
    X, y = large_stack()
    with numpy_only():
        model = EnsIRRegressor().fit(X, y)
        expected = model.predict(X)
    start, predicted = threading.Barrier(6), [None] * 6

    def predict(number):
        start.wait()
        for _ in range(3):
            predicted[number] = model.predict(X)

    filters = list(warnings.filters)
    threads = [threading.Thread(target=predict, args=[number]) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for found in predicted:
        np.testing.assert_array_equal(found, expected)
    assert loops_module.compiled_loop.cache_info().currsize > 0
    assert warnings.filters == filters


@needs_numba
def test_processes_that_share_the_rows_predict_at_once(monkeypatch):
    """They get them as a file that is mapped to memory and cannot be written to."""
    monkeypatch.delenv("SKENSIR_NO_NUMBA", raising=False)
    X, y = large_stack(np.float64)
    with numpy_only():
        model = EnsIRRegressor().fit(X, y)
        expected = model.predict(X)
    assert X.nbytes > 2**20  # smaller arrays are sent
    predicted = joblib.Parallel(n_jobs=2)(joblib.delayed(model.predict)(X) for _ in range(4))
    for found in predicted:
        np.testing.assert_array_equal(found, expected)


@needs_numba
def test_many_models_and_summaries_are_looked_up_and_combined_in_loops():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 256, compiled._MIN_ROWS)
    X = np.clip(y[:, None] + rng.integers(-9, 10, (len(y), 24)), 0, 255).astype(np.uint8)
    for axes in ("predictions", "summary"):
        model = EnsIRRegressor(64, objective="squared_error", axes=axes, shrinkage=50)
        with numpy_only():
            expected = model.fit(X, y).predict(X)
        with using("compiled", min_rows=compiled._MIN_ROWS) as used:
            found = model.predict(X)
            np.testing.assert_array_equal(found, expected)
            np.testing.assert_array_equal(model.fit(X, y).predict(X), expected)
        assert {"walk", "combine found"} <= used
