"""A user's code, which mypy checks: the types that it sees are real ones.

Nothing here is run; ``mypy tests/typed_use.py`` fails where a type is not what is asserted.
"""

from typing import Any, assert_type

import numpy as np
from numpy.typing import NDArray

import skensir
from skensir import EnsIRRegressor, EnsIRRegressorCV, load_table, save_table
from skensir.baselines import ConvexRegressor
from skensir.display import WeightMapDisplay
from skensir.image import ImageEnsemble, ReferenceSet, peak_signal_noise_ratio, read_image

Floats = NDArray[np.floating[Any]]


def tables(X: NDArray[np.uint8], y: list[float]) -> None:
    model = assert_type(EnsIRRegressor(bin_width=16).fit(X, y), EnsIRRegressor)
    assert_type(model.partial_fit(X, y).merge(model).solve().forget_rows(), EnsIRRegressor)
    assert_type(model.weights_, Floats)
    assert_type(model.bin_edges_, list[Floats])
    assert_type(model.predict(X), Floats)
    assert_type(model.predict(X, return_std=True), tuple[Floats, Floats])
    assert_type(model.predict_weights(X), Floats)
    grid = EnsIRRegressorCV(np.array([16.0, 32.0]), shrinkages=np.logspace(0, 3, 4), cv=3)
    chosen = assert_type(grid.fit(X, y), EnsIRRegressorCV)
    assert_type(chosen.best_estimator_, EnsIRRegressor)
    assert_type(chosen.predict(X), Floats)
    assert_type(chosen.summary(), str)
    assert_type(ConvexRegressor().fit(X, y).predict(X), Floats)
    assert_type(skensir.__version__, str)


def files(path: str) -> None:
    loaded = assert_type(load_table(path), EnsIRRegressor | EnsIRRegressorCV | ImageEnsemble)
    save_table(loaded, path)
    scenes = ReferenceSet(path)
    assert_type(scenes.models, tuple[str, ...])
    ensemble = assert_type(ImageEnsemble().fit(scenes.predictions, scenes.targets), ImageEnsemble)
    images = assert_type(ensemble.predict(scenes.predictions), list[NDArray[np.float64]])
    assert_type(peak_signal_noise_ratio(read_image(path), images[0]), float)
    assert_type(WeightMapDisplay.from_estimator(ensemble, images[0]), WeightMapDisplay)


def mistakes(X: NDArray[np.uint8]) -> None:
    EnsIRRegressor(bin_width=None)  # type: ignore[arg-type]
    EnsIRRegressor(width=3)  # type: ignore[call-arg]
    EnsIRRegressor().fit(X)  # type: ignore[call-arg]
    peak_signal_noise_ratio(X, X, data_range="8 bits")  # type: ignore[arg-type]
