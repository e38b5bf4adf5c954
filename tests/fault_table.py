"""The table: of every argument, which kinds of faults it takes, and what is said of the others."""

from dataclasses import dataclass, field, replace

import numpy as np
import pandas as pd
import polars as pl
import scipy.sparse
from faults import FAULTS

FLAGS = {"true", "true of NumPy"}
TEXTS = {"digits", "text", "lines", "half a character", "long"}
ANY_TEXTS = {*TEXTS, "empty text", "zero byte"}
# How errors name what they are about, where a kind says nothing else.
NAMED = r"\b{name}"


@dataclass(frozen=True)
class Kind:
    """A kind of argument.

    `taken` are the faults that are none for it; all others are refused by a sentence in which
    `said` is found, with the name of the argument in it. `changed` are faults made of the right
    value: a function, and None or what is said of it.
    """

    said: str = NAMED
    taken: frozenset = frozenset()
    changed: dict = field(default_factory=dict)

    def but(self, *taken, said=None):
        """Return the kind with other faults that are taken."""
        return replace(self, taken=frozenset(taken), said=self.said if said is None else said)

    def without(self, *names):
        """Return the kind without some of the faults that are made of the right value."""
        changed = {name: fault for name, fault in self.changed.items() if name not in names}
        return replace(self, changed=changed)

    def faults(self, right):
        """Return name, value, and what is said of each fault, None where it is taken."""
        for name, value in FAULTS.items():
            yield name, value, None if name in self.taken else self.said
        for name, (change, said) in self.changed.items():
            yield name, change(right), said


def kind(said, *taken, **changed):
    return Kind(said, frozenset(taken), changed)


IS = "^{name} == .+, must be "
NUMBER = kind(IS + r"(a number )?(> 0|>= 0|finite|at least \S+|<= \S+)\.$", "one", "half")
TOO_LARGE = (
    "|^X, y, data_range, bin_width or sample_weight is too large"
    "|^X and y are too close to zero, or data_range is too large"
)
LENGTH = NUMBER.but(
    "one", "half", said=IS + "('auto' or )?(a number |> 0|finite|at least)" + TOO_LARGE
)
SHARE = kind(IS + "(a number > 0|> 0|<=? 1)", "half", "tiny")
WHOLE = kind(IS + r"(a whole number )?(>= \d+|<= \d+)\.$", "one")
FLAG = kind(IS + r"True or False\.$", *FLAGS)
OPTION = kind(IS + "one of '")
NAMES = kind(NAMED + " == .+, must be ", "nothing")
PATH = kind(
    r"^{name} == .+, must be the path|^\[Errno \d+\] |^(32|wide|x+|several lines)\b.* must end in "
    "one of "
)
LISTED = (
    "^{name} == .+, must be (a list of at least one value|one of|'auto'|a number)"
    "|^{single} == .+, must be "
)

# ---- arrays of one value per row


def column(dtype, values=None):
    """Return what makes values of another dtype of a right column."""
    if values is not None:
        return lambda right: np.full(len(right), values, dtype)
    return lambda right: np.asarray(right).astype(dtype)


def masked(right):
    array = np.ma.masked_array(np.array(right, dtype=np.float64))
    array[1] = np.ma.masked
    return array


def replaced(value, dtype=np.float64):
    def change(right):
        array = np.array(right, dtype=dtype)
        array.flat[1] = value
        return array

    return change


OF_ANY_ROWS = {
    "dates": (lambda right: np.full(np.shape(right), "2020", "M8[D]"), "^{name} holds dates"),
    "times": (lambda right: np.full(np.shape(right), 3, "m8[s]"), "^{name} holds times"),
    "numbers as text": (lambda right: np.asarray(right).astype("U"), "^{name} holds text"),
    "numbers as bytes": (lambda right: np.asarray(right).astype("S"), "^{name} holds text"),
    "text among objects": (replaced("32", object), "^{name} holds text"),
    "a date among objects": (replaced(np.datetime64("2020"), object), "^{name} holds dates"),
    "a time among objects": (replaced(np.timedelta64(3, "s"), object), "^{name} holds times"),
    "nothing among objects": (replaced(None, object), "(?i){name}.*NaN|^{name}: "),
    "huge among objects": (replaced(10**400, object), "^{name}: .*too large"),
    "complex numbers": (
        lambda right: np.asarray(right) + 1j,
        r"^{name}: Complex data not supported, must be real numbers\.$",
    ),
    "masked": (masked, "^{name} has masked values"),
    "records": (lambda right: np.zeros(np.shape(right), [("a", "f8")]), "^{name} holds records"),
    "not a number in it": (replaced(np.nan), "Input {name} contains NaN"),
    "infinity in it": (replaced(-np.inf), "Input {name} contains infinity"),
    "beyond doubles": (
        replaced(np.longdouble("1e400"), np.longdouble),
        "Input {name} contains infinity|^{name}( has|: )",
    ),
    "missing value of pandas": (
        lambda right: (
            pd.DataFrame(np.asarray(right)).astype("Float64").where(lambda f: f > f.min())
            if np.ndim(right) == 2
            else pd.array(np.asarray(right), "Float64").copy()._from_sequence([pd.NA] * len(right))
        ),
        "{name}",
    ),
    "too few rows": (lambda right: right[:-1], "{name}|^y: Found"),
    "no rows": (lambda right: right[:0], "{name}|^y: Found"),
    "a dimension more": (lambda right: np.asarray(right)[np.newaxis], "{name}"),
    "a lazy frame": (
        lambda right: pl.DataFrame(np.asarray(right)).lazy(),
        "^{name} is of type polars.*, must be an array or a data frame in memory",
    ),
}
X_ROWS = {
    **OF_ANY_ROWS,
    "a column of dates": (
        lambda right: pl.DataFrame(np.asarray(right)).with_columns(column_0=pl.date(2020, 1, 1)),
        "^{name} holds dates",
    ),
    "sparse": (scipy.sparse.csr_array, "{name}.*dense|^{name}: .*[Ss]parse"),
    "columns too few": (lambda right: right[:, :2], "X has 2 features|^X: "),
    "no columns": (lambda right: right[:, :0], "^X"),
    "one column as a vector": (lambda right: right[:, 0], "^X: Expected 2D array, got 1D"),
    "ragged": (lambda right: [[1.0, 2.0, 3.0], [1.0, 2.0]], "^X: .*inhomogeneous"),
}


def kinds_of_rows(rows, *, single_array=False):
    """Return the kind of an argument that has rows, beside others or alone."""
    alone = {"too few rows": None, "no rows": "^X"}
    changed = {name: (change, alone.get(name, said)) for name, (change, said) in rows.items()}
    return kind("{name}|^y: Found", **(changed if single_array else rows))


ROWS = kinds_of_rows(X_ROWS)
FIRST_ROWS = replace(
    ROWS, changed=ROWS.changed | {"columns too few": (ROWS.changed["columns too few"][0], None)}
)
ROWS_ALONE = kinds_of_rows(X_ROWS, single_array=True)
TRUTH = kind(r"\by\b", **OF_ANY_ROWS)
WEIGHT = kind(
    NAMED,
    *("nothing", "true", "fraction", "one", "half"),
    **OF_ANY_ROWS,
    negative=(lambda right: -np.asarray(right), "^Negative values in {name}"),
    all_zero=(lambda right: 0 * np.asarray(right), "{name} is zero for every sample"),
)
PART_WEIGHT = replace(WEIGHT, taken=WEIGHT.taken | {"zero"}, changed=dict(WEIGHT.changed))
PART_WEIGHT.changed["all_zero"] = (WEIGHT.changed["all_zero"][0], None)
GROUPS = kind(
    NAMED,
    "nothing",
    ragged=(lambda right: [[1], [2, 3]] * 20, NAMED),
    **{name: OF_ANY_ROWS[name] for name in ("too few rows", "no rows", "a dimension more")},
)
# Of Dask; what a chunk holds is checked as rows are.
LAZY = kind("{name}|^y: Found|feature names")
LAZY_OR_NOTHING = LAZY.but("nothing")

# ---- images


def of_first(change):
    """Return what changes the first of several images."""
    return lambda right: [change(np.asarray(right[0])), *right[1:]]


def image_faults(said):
    return {
        "an image of text": (of_first(lambda image: image.astype("U")), said),
        "an image of dates": (of_first(lambda image: image.astype("M8[s]")), said),
        "an image of objects": (of_first(lambda image: image.astype(object)), said),
        "a complex image": (of_first(lambda image: image + 1j), said),
        "an image with NaN": (of_first(lambda image: np.where(image > 99, np.nan, 1.0)), said),
        "a masked image": (of_first(lambda image: np.ma.masked_greater(image, 99)), said),
        "an image of other size": (of_first(lambda image: image[..., :5]), said),
        "an image of 16 bits": (of_first(lambda image: image.astype(np.uint16)), said),
        "an image that is nothing": (lambda right: [None, *right[1:]], "{name} has None at 0"),
        "an image too few": (lambda right: right[:1], "{name} has 1 images only"),
        "one image": (lambda right: right[0], "{name} is one array|{single}|Image 0"),
        "no image": (lambda right: [], "{name} has (no image|0 images only)"),
    }


IMAGES = kind(
    "{name} == .+, must be |^{name} (has|is one array)|^Image 0: ", **image_faults("^Image 0: ")
)
IMAGE = kind(
    "{name}",
    **{
        name: (lambda right, change=change: change([right])[0], "image|target")
        for name, (change, _) in image_faults("").items()
        if name.startswith(("an image", "a masked", "a complex"))
        and not name.endswith(("nothing", "few"))
    },
)

# ---- the table

FITTED = "^{name} (== .+, must be|is a |has a )|^{name}: "
AXES = kind(
    "^{name} == .+, must be None(,? or (one|an))|^{name} has 0 axes",
    "nothing",
)
MAPPING = kind("^{name} == .+, must (be a dict|have the labels)|^{name}\\[")
VALUES = kind("^scores\\[|^{name}(\\[|:| == | has | holds | is of type )")

ARGUMENTS = {
    # of estimators
    "bin_width": LENGTH,
    "data_range": LENGTH,
    "ZZPMRegressor.data_range": LENGTH.but("one", "half", "near overflow"),
    "EnsIRRegressorCV.data_range": LENGTH.but("one", "half", "near overflow"),
    "axes": OPTION,
    "objective": OPTION,
    "shrinkage": NUMBER.but("zero", "one", "half"),
    "shrink_to": OPTION,
    "positive": FLAG,
    "fit_intercept": kind(FLAG.said + "|^{name} == True needs objective"),
    "default_weights": OPTION,
    "min_samples_cell": NUMBER.but("zero", "one", "half", "near overflow"),
    "variance_center": OPTION,
    "max_iter": WHOLE,
    "tol": NUMBER.but("zero", "one", "half", "near overflow"),
    "reg_var": NUMBER,
    "target_resolution": LENGTH.but("one", "half", "near overflow"),
    "n_jobs": kind(IS + "None, or a whole number", "nothing", "one", "minus one"),
    "verbose": WHOLE.but("zero", "one", *FLAGS),
    "bin_widths": kind(LISTED, "list", "set", "array"),
    "EnsIRRegressorCV.axes": kind(LISTED),
    "shrinkages": kind(LISTED, "list", "set", "array"),
    "EnsIRRegressorCV.positive": kind(LISTED, *FLAGS),
    "EnsIRRegressorCV.fit_intercept": kind(LISTED, *FLAGS),
    "objectives": kind(LISTED),
    "scoring": OPTION,
    "select": OPTION,
    "cv": kind("^{name} ==", "nothing"),
    "n_selections": WHOLE,
    "n_bags": WHOLE,
    "bag_fraction": SHARE.but("half", "one", "tiny"),
    "random_state": kind(IS + "None, a whole number", "nothing", "zero", "one", "true"),
    "regressor": kind(IS + "None or an estimator", "nothing"),
    "per_channel": FLAG,
    "channel_axis": kind(IS + "None or from -3 to 2|^Image 0: ", "nothing"),
    "include_input": FLAG,
    # of their methods
    "X": ROWS,
    "fit.X": FIRST_ROWS,
    "predict.X": ROWS_ALONE,
    "predict_weights.X": ROWS_ALONE,
    "predict_interval.X": ROWS_ALONE,
    "y": TRUTH,
    "sample_weight": WEIGHT,
    "CellDisplay.from_estimator.sample_weight": replace(
        WEIGHT, said=NAMED + "|^counts ==|^No row of X"
    ).without("all_zero"),
    "partial_fit.sample_weight": PART_WEIGHT,
    "groups": GROUPS,
    "return_std": FLAG,
    "add": FLAG,
    "coverage": SHARE,
    "other": kind(IS + "an EnsIRRegressor"),
    "sums": kind(IS + "what skensir.interop.frames.cell_sums returns"),
    "WeightMapDisplay.from_estimator.predictions": kind("{name}"),
    "predictions": IMAGES,
    "targets": IMAGES,
    "inputs": IMAGES,
    # of functions
    "path": PATH,
    "save_table.path": PATH.but("digits", "text", "lines"),
    "model": kind(FITTED),
    "ensemble": kind(IS + "an ImageEnsemble"),
    "target": IMAGE.without("an image of 16 bits"),
    "image": IMAGE.without("an image of 16 bits"),
    "write_image.image": IMAGE.without("an image of other size", "an image of 16 bits"),
    "read_released.model_names": NAMES.but("nothing", said=NAMES.said + "|`{name}` says"),
    "read_released.bin_width": NUMBER.but("nothing", said="{name} == "),
    "channel": OPTION,
    "crop_border": WHOLE.but("zero", "one", said=WHOLE.said + "|`{name}` of "),
    "structural_similarity.crop_border": WHOLE.but("zero", said=WHOLE.said + "|`{name}` of "),
    "image.data_range": NUMBER.but(said=NUMBER.said + "|but target has values up to"),
    "bits": kind("^{name} == ", "nothing"),
    "name": OPTION,
    "task": OPTION,
    "seed": WHOLE.but("zero", "one"),
    "side": WHOLE.but(),
    # of folders
    "folder": kind(
        PATH.said + "|is not a folder|has no image of a format",
    ),
    "models": kind("{name}|has no sub-folder", "nothing"),
    "ReferenceSet.target": kind("{name}|has no sub-folder|^\\[Errno 36\\]", "nothing"),
    "input": kind("{name}", *TEXTS - {"half a character"}),
    "crop": FLAG,
    "common": FLAG,
    "pattern": kind("^{name}", "nothing"),
    "names": kind("^{name} ==|has no scene ", "empty"),
    # of displays
    "ax": AXES,
    "im_kw": kind("^{name} == .+, must be ", "nothing"),
    "most_trusted": FLAG,
    "by": kind("^{name} == |^{name}: ", "nothing"),
    "metric": kind("^{name} == "),
    "from_estimator.score_name": kind(IS + "text", "nothing", *ANY_TEXTS),
    "from_cv_results.score_name": kind(IS + "text", "nothing", *ANY_TEXTS),
    "BinWidthDisplay.score_name": kind(IS + "text", *ANY_TEXTS),
    "search": kind("^{name} == "),
    "cv_results": kind("^{name} == "),
    "estimator": kind("^{name} == "),
    "BinWidthDisplay.bin_widths": replace(VALUES, taken=frozenset({"list", "array"})),
    "scores": MAPPING,
    "std_errors": replace(MAPPING, taken=frozenset({"nothing"})),
    "chosen": replace(VALUES, taken=frozenset({"nothing", "list", "array"})),
    "counts": replace(VALUES, taken=frozenset({"list", "array"}), said=VALUES.said + "|^edges"),
    "edges": VALUES,
    "cell": kind(
        "^{name}", *("empty", "list", "nested", "array of one", "array", "matrix", "texts")
    ),
    "CellDisplay.from_estimator.cell": kind("^{name}", "nothing"),
    "CellDisplay.bin_width": NUMBER.but("one", "half", "near overflow"),
    "origin": kind(IS + "text", *ANY_TEXTS),
    "means": replace(VALUES, taken=frozenset({"list", "array"}), said=VALUES.said + "|^weights =="),
    "weights": replace(VALUES, taken=frozenset({"list", "array"})),
    "WeightMapDisplay.weights": VALUES,
    "variances": replace(VALUES, taken=frozenset({"nothing", "list", "array"})),
    "model_names": NAMES,
    "CellDisplay.model_names": NAMES.but("nothing", "texts"),
    "CellDisplay.from_estimator.model_names": NAMES,
    "errors": MAPPING.but(said=MAPPING.said + "|^{name} has the shapes"),
    "psnr": MAPPING,
    "images": MAPPING,
    "from_predictions.data_range": NUMBER.but(
        "nothing", said=NUMBER.said + "|but target has values up to"
    ),
    # of bridges
    "frame": kind("^{name} is of type"),
    "cell_sums.models": kind("^{name} (==|names|has)"),
    "cell_sums.target": kind("^{name} (==|names)"),
    "cell_sums.axes": kind(LISTED + "|^{name} =="),
    "cell_sums.bin_width": LENGTH.but(
        "one", "half", said="^({name}|axes of {name}) ==" + TOO_LARGE
    ),
    "cell_sums.data_range": LENGTH.but("one", "half", "near overflow"),
    "cell_sums.objective": OPTION,
    "cell_sums.sample_weight": kind("^{name} names", "nothing"),
    "folds": kind("^{name} names", "nothing"),
    "dialect": OPTION,
    "table": kind("^{name} ==", *TEXTS, "texts"),
    "to_sql.models": kind("^{name} =="),
    "prediction": kind("^{name} ==", *TEXTS),
    "layout": OPTION,
    "dtype": OPTION,
    "value_range": kind(
        IS + "None, a number above zero",
        "nothing",
        "fraction",
        "near overflow",
        "tiny",
        "one",
        "half",
        "list",
    ),
    "EnsembleModule.table": kind("^{name}(: | ==)"),
    "*images": None,
}
