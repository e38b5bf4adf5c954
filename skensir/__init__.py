"""EnsIR as a scikit-learn estimator: several models' predictions in, one better prediction out."""

# First and from here: imported from a module further in, it takes a tenth longer on CPython 3.11.
import sklearn.base  # noqa: F401

from skensir._ensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._show_versions import show_versions
from skensir.persistence import load_table, save_table

__version__ = "0.1.0.dev0"

__all__ = [
    "REFERENCE_PARAMS",
    "EnsIRRegressor",
    "EnsIRRegressorCV",
    "load_table",
    "save_table",
    "show_versions",
]
