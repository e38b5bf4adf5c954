"""EnsIR as a scikit-learn estimator: several models' predictions in, one better prediction out."""

# First and from here: imported from a module further in, it takes a tenth longer on CPython 3.11.
import sklearn.base  # noqa: F401, I001
from typing import TYPE_CHECKING, Any

from skensir._ensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._show_versions import show_versions
from skensir._version import __version__ as __version__

if TYPE_CHECKING:
    from skensir.persistence import load_table, save_table

__all__ = [
    "REFERENCE_PARAMS",
    "EnsIRRegressor",
    "EnsIRRegressorCV",
    "load_table",
    "save_table",
    "show_versions",
]


def __getattr__(name: str) -> Any:
    # Loaded when they are asked for: most programs read and write no tables.
    if name in ("load_table", "save_table"):
        from skensir import persistence

        return getattr(persistence, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
