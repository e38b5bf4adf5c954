"""The names that skops has to trust in files of these estimators.

`skops <https://skops.readthedocs.io>`_ keeps estimators in files without pickle, and reads no type
that neither it nor its user trusts. `TRUSTED` names what the user has to: the estimators of this
package, and what the searches, stacks and pipelines of scikit-learn around them hold and skops does
not trust by itself. It is a list of strings, so that neither skops nor dask is needed to import it.

Notes
-----
An estimator's state is arrays, numbers, strings, lists and dicts, so each estimator needs one name.
Other estimators, such as the base models of a stack, and functions and distributions of your own
are to be added where skops does not know them: ``skops.io.get_untrusted_types(file=path)`` lists
them. Look at its list before you trust what it names.

Examples
--------
>>> from pathlib import Path
>>> from tempfile import TemporaryDirectory
>>> import skops.io
>>> from skensir import EnsIRRegressor
>>> from skensir.interop.skops import TRUSTED
>>> X, y = [[1.0, 3.0], [2.0, 6.0]], [2.0, 4.0]
>>> model = EnsIRRegressor(objective="squared_error", min_samples_cell=1).fit(X, y)
>>> with TemporaryDirectory() as folder:
...     skops.io.dump(model, Path(folder, "model.skops"))
...     skops.io.load(Path(folder, "model.skops"), trusted=TRUSTED).predict(X)
array([2., 4.])
"""

from __future__ import annotations

__all__ = ["TRUSTED"]

# Names by which files know the estimators; one that moves is to be named by its former place too.
_ESTIMATORS = [
    "skensir._ensir.EnsIRRegressor",
    "skensir._ensir_cv.EnsIRRegressorCV",
    "skensir.baselines.AverageRegressor",
    "skensir.baselines.BestModelRegressor",
    "skensir.baselines.ConvexRegressor",
    "skensir.baselines.GreedyRegressor",
    "skensir.baselines.ZZPMRegressor",
    "skensir.image.ensemble.ImageEnsemble",
    "skensir.interop.dask.DaskEnsIRRegressor",
    "skensir.interop.dask.DaskEnsIRRegressorCV",
]
# What splits rows for a search; not the splitters that need classes.
_SPLITTERS = [
    f"sklearn.model_selection._split.{name}"
    for name in (
        "GroupKFold",
        "GroupShuffleSplit",
        "KFold",
        "LeaveOneGroupOut",
        "LeaveOneOut",
        "LeavePGroupsOut",
        "LeavePOut",
        "PredefinedSplit",
        "RepeatedKFold",
        "ShuffleSplit",
        "TimeSeriesSplit",
    )
]
# The functions behind the scores that have names and are for numbers.
_METRICS = [
    f"sklearn.metrics._regression.{name}"
    for name in (
        "d2_absolute_error_score",
        "explained_variance_score",
        "max_error",
        "mean_absolute_error",
        "mean_absolute_percentage_error",
        "mean_gamma_deviance",
        "mean_poisson_deviance",
        "mean_squared_error",
        "mean_squared_log_error",
        "median_absolute_error",
        "r2_score",
        "root_mean_squared_error",
        "root_mean_squared_log_error",
    )
]
_HOLDERS = [
    "sklearn.metrics._scorer._PassthroughScorer",  # a search that scores as the estimator does
    "sklearn.metrics._scorer._Scorer",
    "sklearn.utils._bunch.Bunch",  # the models of a stack by their names
    # What the former of these scorers holds in scikit-learn before 1.8.
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
    # Parameters in the results of a search. NumPy 1 and 2 know them by one of the names each, and
    # skops trusts that of the NumPy that reads.
    "numpy.ma.MaskedArray",
    "numpy.ma.core.MaskedArray",
]

TRUSTED: list[str] = [*_ESTIMATORS, *_SPLITTERS, *_METRICS, *_HOLDERS]
"""Names for ``skops.io.load(file, trusted=TRUSTED)``, as :ref:`saving` has it.

Base models of a stack, functions and distributions of your own are not among them: add their names
after a look at what ``skops.io.get_untrusted_types`` lists.

Examples
--------
>>> from skensir.interop.skops import TRUSTED
>>> "skensir._ensir.EnsIRRegressor" in TRUSTED
True
"""
