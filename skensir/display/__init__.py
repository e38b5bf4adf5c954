"""Plots of ensembles and their parameters, in the manner of scikit-learn's displays.

They need matplotlib: ``pip install "skensir[plot]"``.
"""

from skensir.display._bin_width import BinWidthDisplay
from skensir.display._cell import CellDisplay
from skensir.display._error_map import ErrorMapDisplay
from skensir.display._weight_map import WeightMapDisplay

__all__ = ["BinWidthDisplay", "CellDisplay", "ErrorMapDisplay", "WeightMapDisplay"]
