"""Make the golden files: what version 0.1 gave for data that anyone can make again.

The files beside this one were written by version 0.1.0.dev0 before its code was put in order::

    python tests/golden/make.py tests/golden/made_by_0_1

and only public names are used, so that the lines run on every version. To see what has changed,
write to another folder and compare the two with ``diff -r``.
"""

from __future__ import annotations

import contextlib
import io
import json
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sklearn.model_selection import LeaveOneGroupOut

from skensir import REFERENCE_PARAMS, EnsIRRegressor, EnsIRRegressorCV, load_table, save_table
from skensir.baselines import (
    AverageRegressor,
    BestModelRegressor,
    ConvexRegressor,
    GreedyRegressor,
    ZZPMRegressor,
)
from skensir.cli import main
from skensir.image import ImageEnsemble, write_image

# Rows of a table that version 0.1 searched for in another way, or did not have.
SEARCHED = ("EnsIR, cross-validated", "EnsIR, with the input")

MODELS = ("early", "late", "steady")


def draw_rows(n_rows: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Return 8-bit predictions of three models, which are good at different values, and truth."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 256, n_rows)
    noise = rng.integers(-9, 10, (n_rows, 3))
    scale = np.where(y[:, None] < 128, [1, 3, 2], [3, 1, 2])
    return np.clip(y[:, None] + scale * noise, 0, 255).astype(np.uint8), y.astype(np.uint8)


def search_of_0_1(*arguments, **params):
    """Return a search as version 0.1 made it, which knew no other."""
    search = EnsIRRegressorCV(*arguments, **params)
    if "axes" in search.get_params():
        search.set_params(axes="predictions", shrink_to="pooled", select="best")
        search.set_params(scoring="neg_mean_squared_error")
    return search


def not_calibrated(estimator):
    """Return an estimator without what version 0.1 did not know, which its files do not hold."""
    for regressor in getattr(estimator, "regressors_", [estimator]):
        vars(regressor).pop("calibration_", None)
    return estimator


def with_units_of_0_1(estimator):
    """Return an estimator in the units of version 0.1, which were those of 8 bits for all data."""
    if "data_range" in estimator.get_params():
        estimator.set_params(data_range=255)
    return estimator


def regressors() -> Iterator[tuple[str, EnsIRRegressor]]:
    """Yield names and estimators that between them take every path through the core.

    The bin width is given, as version 0.1 had it by default.
    """
    yield "default", EnsIRRegressor(32.0)
    yield "published", EnsIRRegressor(32.0, **REFERENCE_PARAMS)
    yield "narrow", EnsIRRegressor(20, min_samples_cell=5, max_iter=20)
    yield "drawn_likelihood", EnsIRRegressor(32.0, shrinkage=100, default_weights="pooled")
    yield "squared_error", EnsIRRegressor(32.0, objective="squared_error")
    yield "drawn", EnsIRRegressor(24, objective="squared_error", shrinkage=1000)
    yield "uniform", EnsIRRegressor(32.0, objective="squared_error", default_weights="uniform")
    yield "given", EnsIRRegressor(32.0, default_weights=[0.1, 0.3, 0.6], target_resolution=2)


def make_tables(folder: Path) -> dict[str, np.ndarray]:
    """Write table files; return predictions and weights."""
    X, y = draw_rows()
    weight = np.random.default_rng(1).integers(0, 4, len(y)) / 2
    arrays = {}
    for name, model in regressors():
        for kind, rows, sample_weight in (("bytes", X, None), ("reals", X + 0.25, weight)):
            model.fit(rows, y, sample_weight)
            save_table(model, folder / f"{name}_{kind}.table")
            prediction, std = model.predict(rows[:500], return_std=True)
            arrays[f"{name}_{kind}_prediction"], arrays[f"{name}_{kind}_std"] = prediction, std
    for objective in ("likelihood", "squared_error"):
        parts = EnsIRRegressor(32.0, objective=objective).fit(X[:2000], y[:2000])
        parts.partial_fit(X[2000:4000], y[2000:4000])
        parts.merge(EnsIRRegressor(32.0, objective=objective).fit(X[4000:], y[4000:]))
        parts.predict(X[:1])
        save_table(parts, folder / f"parts_{objective}.table")
    for baseline in (
        AverageRegressor(),
        BestModelRegressor(),
        ConvexRegressor(),
        GreedyRegressor(50, n_bags=5, random_state=0),
        ZZPMRegressor(),
    ):
        name = type(baseline).__name__
        arrays[f"{name}_prediction"] = baseline.fit(X, y, weight).predict(X[:500])
        if hasattr(baseline, "weights_"):
            arrays[f"{name}_weights"] = baseline.weights_
    return arrays


def make_cross_validated(folder: Path) -> dict[str, np.ndarray]:
    """Write the chosen tables; return scores and gains."""
    X, y = draw_rows()
    groups = np.repeat(np.arange(4), len(y) // 4)
    arrays = {}
    for name, model in (
        ("folds", search_of_0_1()),
        ("groups", search_of_0_1(cv=LeaveOneGroupOut())),
        (
            "both",
            search_of_0_1(
                [12, 32, 96], shrinkages=(0, 50), objectives=("likelihood", "squared_error"), cv=3
            ),
        ),
    ):
        model.fit(X, y, groups=groups if name == "groups" else None)
        save_table(not_calibrated(model), folder / f"cv_{name}.table")
        results = model.cv_results_
        keys = [key for key in results if key.startswith(("split", "mean_test", "std_test"))]
        arrays[f"cv_{name}_scores"] = np.array([results[key] for key in keys])
        arrays[f"cv_{name}_rank"] = results["rank_test_score"]
        gains = [
            [model.gains_[rival][key] for key in ("mse", "gain", "std_error")]
            for rival in ("average", "best_model", "convex")
        ]
        arrays[f"cv_{name}_gains"] = np.array(gains)
        arrays[f"cv_{name}_held_out"] = np.array([model.held_out_mse_, model.best_score_])
    return arrays


def draw_image(number: int, dtype: str = "uint8") -> tuple[np.ndarray, np.ndarray]:
    """Return three models' images and the truth, 36 x 48 pixels with smooth parts and edges."""
    rng = np.random.default_rng(100 + number)
    rows, columns = np.mgrid[:36, :48]
    smooth = (3 * rows + 2 * columns + 40 * number) % 200 + 20
    truth = np.stack([smooth, smooth[::-1], smooth[:, ::-1]], axis=-1)
    noise = rng.integers(-6, 7, (3, *truth.shape))
    scale = np.where(truth < 110, np.array([1, 3, 2])[:, None, None, None], 2)
    images = np.clip(truth + scale * noise, 0, 255)
    factor = 257 if dtype == "uint16" else 1
    return (images * factor).astype(dtype), (truth * factor).astype(dtype)


def make_images(folder: Path) -> dict[str, np.ndarray]:
    """Write tables of image ensembles; return images."""
    arrays = {}
    for dtype in ("uint8", "uint16"):
        drawn = [draw_image(number, dtype) for number in range(3)]
        images, targets = ([pair[side] for pair in drawn] for side in (0, 1))
        width, power = 32 * np.iinfo(dtype).max / 255, np.iinfo(dtype).max + 1
        search = search_of_0_1([float(power >> i) for i in range(6)], cv=LeaveOneGroupOut())
        for name, ensemble in (
            ("plain", ImageEnsemble(with_units_of_0_1(EnsIRRegressor(width)))),
            ("cv", ImageEnsemble(with_units_of_0_1(search), per_channel=False)),
        ):
            ensemble.fit(images, targets)
            save_table(not_calibrated(ensemble), folder / f"image_{name}_{dtype}.table")
            arrays[f"image_{name}_{dtype}"] = ensemble.predict(images)[1][:12]
            arrays[f"image_{name}_{dtype}_score"] = np.array(ensemble.score(images, targets))
    return arrays


def write_sets(folder: Path) -> None:
    """Write a reference set and a test set of PNGs."""
    for part, numbers in (("reference", (0, 1, 2)), ("test", (3, 4))):
        for number in numbers:
            images, truth = draw_image(number)
            for name, image in (
                *zip(MODELS, images, strict=True),
                ("gt", truth),
                ("lq", images[0]),
            ):
                (folder / part / name).mkdir(parents=True, exist_ok=True)
                write_image(folder / part / name / f"{number:04}.png", image)


def run(*arguments: object) -> str:
    """Return what the command prints, its seconds left out."""
    with contextlib.redirect_stdout(io.StringIO()) as output:
        assert main([str(argument) for argument in arguments]) == 0, arguments
    text = re.sub(r"in [0-9.]+ s\.", "in S s.", output.getvalue())
    return re.sub(r'("seconds_\w+": )[0-9.e-]+', r'\1"S"', text)


def without_seconds(table: str) -> str:
    """Return the table that `compare` prints without its columns of seconds."""
    head, *rest = table.split("\n\n")
    lines = [" ".join(line.replace("*", " ").split()[:-2]) for line in head.splitlines()[1:]]
    return "\n".join([*lines, *(part for part in rest if part.startswith("*"))])


def make_commands(folder: Path) -> str:
    """Run the commands on two small sets; return what they print."""
    printed = []
    with tempfile.TemporaryDirectory() as temporary, contextlib.chdir(temporary):
        write_sets(Path())
        for name, options in (
            ("paper", ("--bin-width", "32")),
            ("published", ("--published", "--bin-width", "32")),
            (
                "squared",
                ("--bin-width", "32", "--objective", "squared_error", "--shrinkage", "100"),
            ),
        ):
            printed.append(run("fit", "reference", "-o", f"{name}.skensir", *options))
            printed.append(run("inspect", f"{name}.skensir"))
            shutil.copy(f"{name}.skensir", folder / f"command_{name}.table")
            printed.append(run("predict", f"{name}.skensir", "test", "-o", name, "--bits", "16"))
            for options in ((), ("--channel", "luma", "--crop-border", "2", "--json")):
                printed.append(run("evaluate", name, "test/gt", *options))
        table = without_seconds(run("compare", "reference", "test", "--no-trees"))
        lines = [line for line in table.splitlines(True) if not line.startswith(SEARCHED)]
        printed.append("".join(lines))
        found = json.loads(run("compare", "reference", "test", "--no-trees", "--json"))
        found["table"] = [row for row in found["table"] if row["name"] not in SEARCHED]
        printed.append(json.dumps(found["table"], indent=1))
    return "\n".join(printed)


def make(folder: Path) -> None:
    """Write all golden files to a folder."""
    folder = folder.absolute()
    folder.mkdir(parents=True, exist_ok=True)
    with warnings.catch_warnings():
        # Some are held to few steps, or have narrow bins for their rows.
        warnings.simplefilter("ignore", UserWarning)
        arrays = {**make_tables(folder), **make_cross_validated(folder), **make_images(folder)}
        text = make_commands(folder)
    for path in sorted(folder.glob("*.table")):
        model = load_table(path)
        if isinstance(model, EnsIRRegressor):
            arrays[f"{path.stem}_loaded"] = model.predict(draw_rows(200, seed=2)[0])
    np.savez_compressed(folder / "arrays.npz", **arrays)
    (folder / "printed.txt").write_text(text, encoding="utf-8")
    (folder / "environment.json").write_text(json.dumps(environment(), indent=1), encoding="utf-8")


def environment() -> dict[str, object]:
    """Return what the last bits depend on: NumPy, its processor features, linear algebra."""
    import scipy
    from threadpoolctl import threadpool_info

    try:
        simd = np.show_config(mode="dicts")["SIMD Extensions"].get("found", [])
    except TypeError:  # NumPy before 1.26 prints it and no more
        simd = ["unknown"]
    blas = {
        f"{info['internal_api']} {info['version']} {info.get('architecture')}"
        for info in threadpool_info()
        if info["user_api"] == "blas"
    }
    return {
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "simd": sorted(simd),
        "blas": sorted(blas),
    }


if __name__ == "__main__":
    make(Path(sys.argv[1]))
