"""What a file says of an image ensemble combines images as the ensemble does, bit for bit."""

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_folders import make_folder
from numpy.testing import assert_array_equal
from sklearn.model_selection import GroupKFold
from table_files import edited, entries_of, set_field, write_entries

from skensir import EnsIRRegressor, EnsIRRegressorCV, load_table, save_table
from skensir.cli import main
from skensir.image import ImageEnsemble
from skensir.image.strips import combine_scene
from skensir.image.tables import load_image_tables

REGRESSORS = {
    "paper": EnsIRRegressor(min_samples_cell=9),
    "nested": EnsIRRegressor(
        8, objective="squared_error", shrink_to="parent", shrinkage=30, fit_intercept=True
    ),
    "signed": EnsIRRegressor(
        objective="squared_error", axes="deviations", positive=False, shrinkage=50
    ),
    "summary": EnsIRRegressor(objective="squared_error", axes="summary", shrinkage=50),
    "averaged": EnsIRRegressorCV(cv=GroupKFold(2)),
}


def stacks(seed, dtype, *, grey):
    rng = np.random.default_rng(seed)
    truth = rng.uniform(0, 255, (40, 30) if grey else (40, 30, 3))
    made = truth + 9 * rng.standard_normal((3, *truth.shape))
    return tuple(np.clip(np.rint(part), 0, 255).astype(dtype) for part in (made, truth))


@given(
    seed=st.integers(0, 9),
    name=st.sampled_from(list(REGRESSORS)),
    dtypes=st.tuples(*[st.sampled_from(["uint8", "float32", "float64"])] * 2),
    grey=st.booleans(),
    per_channel=st.booleans(),
    include_input=st.booleans(),
)
def test_tables_of_a_file_combine_as_the_ensemble_does(
    tmp_path_factory, seed, name, dtypes, grey, per_channel, include_input
):
    images = [stacks(2 * seed + number, dtypes[0], grey=grey) for number in range(2)]
    predictions, targets = zip(*images, strict=True)
    path = tmp_path_factory.mktemp("tables") / "table"
    ensemble = ImageEnsemble(
        REGRESSORS[name],
        per_channel=per_channel,
        channel_axis=None if grey else -1,
        include_input=include_input,
    )
    inputs = targets if include_input else None
    save_table(ensemble.fit(predictions, targets, inputs), path)
    prediction, other = stacks(99 - seed, dtypes[1], grey=grey)
    others = [other] if include_input else None
    tables = load_image_tables(path)
    [(checked, _)] = tables._images_to_predict([prediction], others)
    [expected], [weights] = (
        method([prediction], others) for method in (ensemble.predict, ensemble.predict_weights)
    )
    whole = dtypes[1] == "uint8"
    combined = combine_scene(tables, checked, None, weight_maps=True)
    rounded = np.rint(expected).clip(0, 255) if whole else expected.astype(np.float32)
    assert_array_equal(combined.image, rounded)
    mean = weights if grey else weights.mean(axis=-1)
    assert_array_equal(combined.weight_maps, np.rint(255 * mean).clip(0, 255))


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    """A file of an ensemble, and the folder whose outputs it combines."""
    folder = tmp_path_factory.mktemp("images")
    make_folder(folder / "train")
    assert main(["fit", str(folder / "train"), "-o", str(folder / "model")]) == 0
    return folder


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        (["ensemble", "n_channels"], 2, "it must have 2 tables"),
        (["ensemble", "channel_axis"], 7, "channel_axis 7 does not fit"),
        (["ensemble", "model_names"], ["a"], "model_names must be"),
        (["ensemble", "pixel_dtype"], "int3", "its pixels must be"),
        (["ensemble", "surplus"], 1, "the header of the ensemble must have"),
        (["class"], "EnsIRRegressor", "its class 'EnsIRRegressor' does not fit"),
    ],
)
def test_both_readers_refuse_what_cannot_be(file, tmp_path, path, value, words):
    entries = edited(
        entries_of((file / "model").read_bytes()), "header.json", set_field(path, value)
    )
    write_entries(tmp_path / "table", entries)
    for load in (load_image_tables, load_table):
        with pytest.raises(ValueError, match=words) as caught:
            load(tmp_path / "table")
        assert str(tmp_path / "table") in str(caught.value)


def test_the_command_predicts_where_scikit_learn_cannot_be_loaded(file):
    script = (
        "import sys\n"
        "for name in ('sklearn', 'scipy', 'joblib'):\n"
        "    sys.modules[name] = None\n"
        "from skensir.cli import main\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["predict", "model", "train", "--weight-maps", "-o"]
    subprocess.run([sys.executable, "-c", script, *arguments, "alone"], check=True, cwd=file)
    subprocess.run([sys.executable, "-m", "skensir.cli", *arguments, "whole"], check=True, cwd=file)
    made = sorted(path.relative_to(file / "whole") for path in (file / "whole").rglob("*.png"))
    assert made
    for path in made:
        assert (file / "alone" / path).read_bytes() == (file / "whole" / path).read_bytes()
