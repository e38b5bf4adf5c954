"""The recipe for Spark runs as it stands in the documentation, in both kinds of sessions."""

import re
import sys
import textwrap
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import LeaveOneGroupOut
from tables import COUNTED

from skensir import EnsIRRegressor, EnsIRRegressorCV

PAGE = Path(__file__).resolve().parents[2] / "docs/distributed.rst"
NAMES = ["early", "late", "steady"]
# What the page says to write instead of what its code has.
ADDS_ROWS = 'partial_fit(frame[names], frame["truth"])'
WEIGHTED = 'partial_fit(frame[names], frame["truth"], sample_weight=frame["weight"])'
OF_FOLDS = 'groups=frame["image"]'

pytestmark = [
    pytest.mark.spark,
    pytest.mark.skipif(not PAGE.exists(), reason="the documentation is not part of this copy"),
    # Of pyspark's own lines, where pandas is newer than it.
    pytest.mark.filterwarnings("ignore:PySpark does not yet fully support pandas:FutureWarning"),
    pytest.mark.filterwarnings("ignore:The copy keyword is deprecated:DeprecationWarning"),
]


@pytest.fixture(scope="module", params=["classic", "connect"])
def session(request):
    """Start Spark on this machine, with two cores; without pyspark or Java that is an error."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYSPARK_PYTHON", sys.executable)  # whose workers find this package
        settings = "--conf spark.ui.enabled=false --conf spark.ui.showConsoleProgress=false"
        patch.setenv("PYSPARK_SUBMIT_ARGS", f"{settings} --driver-memory 1g pyspark-shell")
        from pyspark.sql import SparkSession

        builder = SparkSession.builder
        remote = request.param == "connect"
        builder = builder.remote("local[2]") if remote else builder.master("local[2]")
        session = builder.getOrCreate()
        assert ("connect" in type(session).__module__) is remote
        yield session
        session.stop()


@pytest.fixture(scope="module")
def frame():
    """Make rows of six images, of which the last has no weight."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, 6000)
    noise = rng.normal(size=(6000, 3)) * np.where(y[:, None] < 128, [2, 4, 8], [8, 4, 2])
    image = np.repeat(np.arange(6), 1000)
    weight = np.where(image < 5, rng.integers(0, 3, 6000) / 2, 0)
    made = pd.DataFrame(y[:, None] + noise, columns=NAMES)
    return made.assign(truth=y, weight=weight, image=image, number=np.arange(6000))


@pytest.fixture(scope="module")
def rows(session, frame):
    """Spread the images over five partitions; two more have rows without weight, and no row."""
    spread = session.createDataFrame(frame)
    # By a function, which Spark cannot see through: it would leave the partition out.
    empty = spread.coalesce(1).mapInPandas(lambda frames: (), spread.schema)
    weightless = spread.filter("image = 5").coalesce(1)
    rows = spread.filter("image < 5").repartition(5).union(weightless).union(empty)

    def count(frames):
        yield pd.DataFrame({"n_rows": [sum(map(len, frames))]})

    sizes = sorted(rows.mapInPandas(count, "n_rows long").toPandas()["n_rows"])
    assert len(sizes) == 7
    assert sizes[:2] == [0, 1000]
    return rows


def blocks():
    """Return the code of the page, block by block."""
    [section] = re.findall(r"^Spark\n-+\n(.*?)^Ray\n-+\n", PAGE.read_text("utf-8"), re.M | re.S)
    found = re.findall(r"^\.\. code-block:: python\n((?:\n|   .*\n)+)", section, re.M)
    assert [word in "".join(found[:3]) for word in ("rdd", "sparkContext")] == [False, False]
    assert f"``{WEIGHTED}``" in section
    assert f"``{OF_FOLDS}``" in section
    return [textwrap.dedent(block) for block in found]


def run(rows, changes=(), numbers=(0, 1, 2)):
    """Paste blocks of the page one after the other, changed as it says; return what there is."""
    pasted = {"__name__": "__main__", "rows": rows, "names": NAMES}
    for block in (blocks()[number] for number in numbers):
        for old, new in changes:
            block = re.sub(old, new, block)
        exec(block, pasted)
    return pasted


def assert_one_fit(pasted, whole, frame):
    """Compare what the recipe made with one fit of all rows."""
    model = pasted["model"].solve()
    for name in ("n_features_in_", "feature_names_in_", "data_range_", *COUNTED):
        np.testing.assert_array_equal(getattr(model, name), getattr(whole, name), err_msg=name)
    np.testing.assert_allclose(model.weights_, whole.weights_, rtol=0, atol=1e-12)
    assert_restored(pasted, whole, frame)


def assert_restored(pasted, whole, frame):
    restored = pasted["restored"].toPandas().sort_values("number", ignore_index=True)
    found = restored.pop("restored")
    pd.testing.assert_frame_equal(restored, frame, check_dtype=False)
    np.testing.assert_allclose(found, whole.predict(frame[NAMES]), rtol=1e-11)


def test_the_recipe_gives_the_table_of_one_fit(rows, frame):
    whole = EnsIRRegressor(data_range=255).fit(frame[NAMES], frame["truth"])
    assert len(whole.cells_) > 8
    assert_one_fit(run(rows), whole, frame)


def test_weighted_rows_give_the_table_of_one_fit(rows, frame):
    whole = EnsIRRegressor(data_range=255)
    whole.fit(frame[NAMES], frame["truth"], sample_weight=frame["weight"])
    assert_one_fit(run(rows, [(re.escape(ADDS_ROWS), WEIGHTED)]), whole, frame)


def test_a_search_gives_the_tables_of_one_search(rows, frame):
    whole = EnsIRRegressorCV(data_range=255, cv=LeaveOneGroupOut())
    whole.fit(frame[NAMES], frame["truth"], groups=frame["image"])
    changes = [
        ("EnsIRRegressor", "EnsIRRegressorCV"),
        (re.escape(ADDS_ROWS), f"{ADDS_ROWS[:-1]}, {OF_FOLDS})"),
    ]
    pasted = run(rows, changes)
    model = pasted["model"]
    assert model.n_splits_ == whole.n_splits_ == 6
    assert model.best_params_ == whole.best_params_
    np.testing.assert_allclose(model.shares_, whole.shares_, rtol=0, atol=1e-12)
    for found, expected in zip(model.weights_, whole.weights_, strict=True):
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-12)
    assert_restored(pasted, whole, frame)


def test_a_classic_session_can_merge_without_a_shuffle(session, rows, frame):
    if "connect" in type(session).__module__:
        with pytest.raises(NotImplementedError, match="rdd"):
            run(rows, numbers=(0, 3))
        return
    whole = EnsIRRegressor(data_range=255).fit(frame[NAMES], frame["truth"])
    assert_one_fit(run(rows, numbers=(0, 3, 2)), whole, frame)
