"""EnsIR as a scikit-learn estimator: several models' predictions in, one better prediction out."""

from skensir._lazy import load_when_asked
from skensir._version import __version__ as __version__

# Not that of `typing`, which takes 15 ms: Ctrl-C would print a traceback before the command line
# knows of it.
TYPE_CHECKING = False
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


# scikit-learn takes a second, in which the command line has to know already what to do at Ctrl-C,
# and which not all of its commands need.
# From here it takes a tenth less on CPython 3.11 than from a module further in.
__getattr__ = load_when_asked(__name__, _HOMES, first="sklearn.base")


def __dir__() -> list[str]:
    return __all__
