"""How much faster is EnsIRRegressorCV than GridSearchCV over the same grid and splits?

usage: python benchmarks/cross_validation.py REFERENCE_SET

REFERENCE_SET is a folder of images, one sub-folder per base model and `gt`, scenes matched by file
stem. All pixels of the first channel, bin widths 8 to 256 by six shrinkages to all rows, which is
what version 0.1 searched, leave one image out.
Asserts first that both find the same scores. GridSearchCV runs once, in one process, as
EnsIRRegressorCV does; the latter is the median of five.
"""

import sys
import time
from pathlib import Path

import imageio.v3 as iio
import numpy as np
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut

from skensir import EnsIRRegressor, EnsIRRegressorCV

SEARCH = EnsIRRegressorCV(
    shrink_to="pooled", select="best", scoring="neg_mean_squared_error", cv=LeaveOneGroupOut()
)


def read_first_channel(folder):
    """Return predictions (n_pixels, n_models), truth and scene number of every pixel."""
    names = [path.name for path in sorted(folder.iterdir()) if path.is_dir()]
    names = [name for name in names if name not in ("gt", "lq")]
    predictions, truth, scenes = [], [], []
    for number, path in enumerate(sorted((folder / "gt").iterdir())):
        files = [next((folder / name).glob(path.stem + ".*")) for name in names]
        images = [iio.imread(file)[..., 0] for file in (*files, path)]
        height = min(image.shape[0] for image in images)
        width = min(image.shape[1] for image in images)
        columns = np.stack([image[:height, :width].ravel() for image in images], axis=1)
        predictions.append(columns[:, :-1])
        truth.append(columns[:, -1])
        scenes.append(np.full(len(columns), number))
    return np.concatenate(predictions), np.concatenate(truth), np.concatenate(scenes)


def main():
    X, y, groups = read_first_channel(Path(sys.argv[1]))
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        model = SEARCH.fit(X, y, groups=groups)
        seconds.append(time.perf_counter() - start)
    ours = np.median(seconds[1:])
    print(
        f"{len(y)} rows, {len(np.unique(groups))} images, {len(model.cv_results_['params'])} points"
    )
    print(f"EnsIRRegressorCV {ours:8.2f} s ({min(seconds[1:]):.2f} to {max(seconds[1:]):.2f})")

    grid = {
        name: np.unique(model.cv_results_[f"param_{name}"].data)
        for name in ("bin_width", "objective", "shrinkage")
    }
    start = time.perf_counter()
    searched = GridSearchCV(
        EnsIRRegressor(), grid, cv=LeaveOneGroupOut(), scoring="neg_mean_squared_error"
    ).fit(X, y, groups=groups)
    theirs = time.perf_counter() - start

    def by_point(results):
        return {
            tuple(sorted(params.items())): score
            for params, score in zip(results["params"], results["mean_test_score"], strict=True)
        }

    expected, actual = by_point(searched.cv_results_), by_point(model.cv_results_)
    for point, score in expected.items():
        np.testing.assert_allclose(actual[point], score, rtol=1e-9)
    print(f"GridSearchCV     {theirs:8.2f} s, the same {len(expected)} scores")
    print(f"ratio {theirs / ours:.0f}")


if __name__ == "__main__":
    main()
