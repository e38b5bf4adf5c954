"""EnsIR as a scikit-learn estimator: several models' predictions in, one better prediction out."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from skensir._version import __version__ as __version__

if TYPE_CHECKING:
    from skensir._ensir import REFERENCE_PARAMS, EnsIRRegressor
    from skensir._ensir_cv import EnsIRRegressorCV
    from skensir._show_versions import show_versions
    from skensir.persistence import load_table, save_table

__all__ = [
    "REFERENCE_PARAMS",
    "EnsIRRegressor",
    "EnsIRRegressorCV",
    "load_table",
    "save_table",
    "show_versions",
]

_HOMES = {
    "REFERENCE_PARAMS": "skensir._ensir",
    "EnsIRRegressor": "skensir._ensir",
    "EnsIRRegressorCV": "skensir._ensir_cv",
    "load_table": "skensir.persistence",
    "save_table": "skensir.persistence",
    "show_versions": "skensir._show_versions",
}


def __getattr__(name: str) -> Any:
    # Loaded when they are asked for: scikit-learn takes a second, in which the command line has to
    # know already what to do at Ctrl-C.
    if name in _HOMES:
        # First and from here: imported from a module further in, it takes a tenth longer on
        # CPython 3.11.
        import_module("sklearn.base")
        value = getattr(import_module(_HOMES[name]), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
