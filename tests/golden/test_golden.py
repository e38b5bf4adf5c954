"""What version 0.1 gave is given still: weights, predictions, table files, printed numbers."""

import importlib.util
import json
import re
from pathlib import Path

import numpy as np
import pytest

from skensir import load_table
from skensir._core.table import FIELDS
from skensir._files import read_archive

FOLDER = Path(__file__).parent
MADE = FOLDER / "made_by_0_1"


def load_maker():
    spec = importlib.util.spec_from_file_location("golden_make", FOLDER / "make.py")
    maker = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(maker)
    return maker


maker = load_maker()
# The last bits depend on what computes them; elsewhere only rounding may differ.
EXACT = json.loads((MADE / "environment.json").read_text("utf-8")) == json.loads(
    json.dumps(maker.environment())
)
TABLES = sorted(path.name for path in MADE.glob("*.table"))

# Version 0.1 kept the variance of a component whose responsibilities were too small for a float;
# with shrinkage, which keeps its weight, that changed the weights of cells with hardly any rows.
LOST_COMPONENTS = ("drawn_likelihood_bytes.table", "drawn_likelihood_reals.table")


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Make the files again."""
    folder = tmp_path_factory.mktemp("golden")
    maker.make(folder)
    return folder


def assert_same(found, expected, name):
    if EXACT:
        np.testing.assert_array_equal(found, expected, err_msg=name)
    else:
        np.testing.assert_allclose(found, expected, rtol=1e-8, atol=1e-8, err_msg=name)


def test_the_same_files_are_made(made):
    assert {path.name for path in made.iterdir()} == {path.name for path in MADE.iterdir()}
    assert len(TABLES) > 20


@pytest.mark.parametrize("name", TABLES)
def test_table_files_are_the_same(made, name):
    if EXACT and name not in LOST_COMPONENTS:
        assert entries(made / name) == entries(MADE / name)
    models = [load_table(folder / name) for folder in (made, MADE)]
    found, expected = ([*getattr(model, "regressors_", [model])] for model in models)
    for one, other in zip(found, expected, strict=True):
        kept = slice(None)
        if name in LOST_COMPONENTS:
            kept = np.isclose(one.variances_, other.variances_, rtol=1e-8).all(axis=1)
            assert kept.mean() > 0.7
        for field, (dtype, _) in FIELDS.items():
            values = getattr(one, f"{field}_"), getattr(other, f"{field}_")
            if len(np.atleast_1d(values[0])) == len(other.cells_):
                values = values[0][kept], values[1][kept]
            if np.dtype(dtype).kind == "f":
                assert_same(*values, field)
            else:
                np.testing.assert_array_equal(*values, err_msg=field)


def entries(path):
    """Return what a table file holds, but for the version that wrote it."""
    found = read_archive(path.read_bytes())
    header = json.loads(found.pop("header.json"))
    return {**found, "header.json": {**header, "skensir": None}}


def test_predictions_and_scores_are_the_same(made):
    with np.load(made / "arrays.npz") as found, np.load(MADE / "arrays.npz") as expected:
        assert found.files == expected.files
        for name in expected.files:
            if name.endswith("_rank"):  # of scores that tie, rounding may put either first
                *_, mean, _ = expected[name.replace("_rank", "_scores")]
                is_worse = mean[:, np.newaxis] < mean - 1e-8 * np.abs(mean)
                assert is_worse.any()
                assert (found[name][:, np.newaxis] > found[name])[is_worse].all()
            else:
                assert_same(found[name], expected[name], name)


def same_text(path):
    """Return what was printed without what version 0.1 did not: what a fit is worth, and names."""
    text = path.read_text("utf-8")
    text = re.sub(r"^Mean PSNR in dB.*?(?=^\S+\.skensir: )", "", text, flags=re.M | re.S)
    return re.sub(r"channel \d", "", text)


def test_commands_print_the_same_numbers(made):
    found, expected = (
        [float(number) for number in re.findall(r"-?\d+(?:\.\d+)?", same_text(path))]
        for path in (made / "printed.txt", MADE / "printed.txt")
    )
    assert len(expected) > 330
    # SSIM was scikit-image's then.
    np.testing.assert_allclose(found, expected, rtol=1e-12 if EXACT else 1e-3)
