"""The lookup table: what it consists of, and what must hold for it."""

from __future__ import annotations

from typing import Annotated, Any, NamedTuple, get_type_hints

import numpy as np

from skensir._sums.axes import KINDS, Axes
from skensir._sums.binning import MAX_BIN_INDEX
from skensir._typing import AnyArray, BoolArray, FloatArray, IntArray

# How weights came about; those of "released" cells were published, and their rows are unknown.
FITTED, THIN, DEGENERATE, RELEASED = "fitted", "thin", "degenerate", "released"

# Of signed weights; models that differ by rounding only can have large ones.
_LARGEST_WEIGHT = 1e9
# Rounding of weights that sum to one.
_ROUNDING = 1e-6


# Fields in the unit of the predictions; variances are in its square.
_LENGTHS = (
    "bin_width",
    "means",
    "intercepts",
    "default_intercept",
    "ancestor_intercepts",
    "cell_rmse",
    "default_rmse",
    "ancestor_rmse",
)


class Field(NamedTuple):
    """What array a field of the table is: dtype and dimensions.

    These are the numbers of (c)ells, of their wider (a)ncestors, of (m)odels, and of the a(x)es
    whose bins name a cell.
    """

    dtype: str
    axes: str = ""

    def shape(self, **sizes: int) -> tuple[int, ...]:
        """Return the shape of the array, from the sizes by their letters; a number has none."""
        return tuple(sizes[axis] for axis in self.axes)


class LookupTable(NamedTuple):
    """Weights of the occupied cells, and what is known about them.

    The estimator publishes each field with an underscore behind its name, which is what errors
    say, and a table file holds them in this order: a change here needs a new format there.
    """

    bin_width: Annotated[float, Field("<f8")]
    cells: Annotated[IntArray, Field("<i8", "cx")]  # bin indices, in lexicographic order
    cell_counts: Annotated[FloatArray, Field("<f8", "c")]  # rows, or their sample weight
    weights: Annotated[FloatArray, Field("<f8", "cm")]
    cell_origin: Annotated[AnyArray, Field("<U10", "c")]  # how the weights came about
    cell_rmse: Annotated[FloatArray, Field("<f8", "c")]  # of the combination
    means: Annotated[FloatArray, Field("<f8", "cm")]  # of the predictions
    variances: Annotated[FloatArray, Field("<f8", "cm")]  # of the mixture's components
    n_iter: Annotated[IntArray, Field("<i8", "c")]
    converged: Annotated[BoolArray, Field("|b1", "c")]
    default_weights: Annotated[FloatArray, Field("<f8", "m")]  # for rows in no occupied cell
    default_rmse: Annotated[float, Field("<f8")]
    axes: Annotated[str, Field("<U11")]
    intercepts: Annotated[FloatArray, Field("<f8", "c")]
    default_intercept: Annotated[float, Field("<f8")]
    # Wider cells, which serve rows in unseen ones: how often the bins were doubled, and so on.
    ancestor_levels: Annotated[IntArray, Field("<i8", "a")]
    ancestor_cells: Annotated[IntArray, Field("<i8", "ax")]
    ancestor_weights: Annotated[FloatArray, Field("<f8", "am")]
    ancestor_intercepts: Annotated[FloatArray, Field("<f8", "a")]
    ancestor_rmse: Annotated[FloatArray, Field("<f8", "a")]

    @classmethod
    def simple(cls, **fields: Any) -> LookupTable:
        """Return a table of predictions without intercepts and ancestors, which it fills in."""
        (n_cells, n_axes), n_models = fields["cells"].shape, fields["weights"].shape[1]
        sizes = {"c": n_cells, "a": 0, "m": n_models, "x": n_axes}
        fields = {"axes": KINDS[0], "default_intercept": 0.0, **fields}
        for name, field in FIELDS.items():
            if field.axes and name not in fields:
                fields[name] = np.zeros(field.shape(**sizes), field.dtype)
        return cls(**fields)

    def check_arrays(self, n_models: int) -> None:
        """Raise a ValueError that names the field unless dtypes and shapes are as declared.

        Compiled loops rely on that, and do not look where they read.
        """
        if self.axes not in KINDS or not 0 < self.bin_width < np.inf:
            raise ValueError(f"axes_ == {self.axes!r} and bin_width_ == {self.bin_width} are none.")
        sizes = {"c": len(self.cells), "m": n_models, "a": len(self.ancestor_levels)}
        sizes["x"] = Axes(self.bin_width, self.axes).n_axes(n_models)
        for name, field in FIELDS.items():
            array, kind = np.asarray(getattr(self, name)), np.dtype(field.dtype)
            alike = array.dtype == kind if kind.kind != "U" else array.dtype.kind == "U"
            shape = field.shape(**sizes)
            if not alike or array.shape != shape:
                raise ValueError(f"{name}_ must have dtype {kind} and shape {shape}.")

    def in_unit_of(self, scale: float) -> LookupTable:
        """Return the table for predictions and truth that are multiplied by a power of two.

        Variances that no float holds become the largest one, or zero.
        """
        with np.errstate(over="ignore", under="ignore"):
            variances = np.minimum(self.variances * scale * scale, np.finfo(np.float64).max)
        return self._replace(
            variances=variances, **{name: getattr(self, name) * scale for name in _LENGTHS}
        )

    def check(self, *, convex: bool = True) -> None:
        """Raise a ValueError that names the field if it cannot be what it says.

        Dtypes and shapes are those that are declared. Weights that need not be convex may be
        negative.
        """
        if self.axes not in KINDS:
            raise ValueError(f"axes_ == {self.axes!r}, must be {', '.join(KINDS)}.")
        if self.cells.min() < -MAX_BIN_INDEX or self.cells.max() > MAX_BIN_INDEX:
            raise ValueError(f"cells_ must lie within ±{MAX_BIN_INDEX:.0f}.")
        if not np.array_equal(np.unique(self.cells, axis=0), self.cells):
            raise ValueError("cells_ must be distinct and in lexicographic order.")
        if not 0 < self.bin_width < np.inf:
            raise ValueError(f"bin_width_ == {self.bin_width}, must be above zero and finite.")
        for name in ("weights", "default_weights", "ancestor_weights"):
            weights = getattr(self, name)
            if convex and not ((weights >= 0) & (weights <= 1 + _ROUNDING)).all():
                raise ValueError(f"{name}_ must lie between zero and one.")
            if not (np.abs(weights) <= _LARGEST_WEIGHT).all():
                raise ValueError(f"{name}_ must be at most {_LARGEST_WEIGHT:g} in magnitude.")
            rounding = _ROUNDING + 1e-12 * np.abs(weights).max(axis=-1)
            if not (np.abs(weights.sum(axis=-1) - 1) <= rounding).all():
                raise ValueError(f"{name}_ must sum to one.")
        for name in ("intercepts", "default_intercept", "ancestor_intercepts"):
            if not np.isfinite(getattr(self, name)).all():
                raise ValueError(f"{name}_ must be finite.")
        self._check_ancestors()
        if not np.isin(self.cell_origin, (FITTED, THIN, DEGENERATE, RELEASED)).all():
            raise ValueError("cell_origin_ must be fitted, thin, degenerate or released.")
        if (self.n_iter < 0).any():
            raise ValueError("n_iter_ must not be negative.")
        released = self.cell_origin == RELEASED
        names = ("cell_counts", "cell_rmse", "default_rmse", "ancestor_rmse", "means", "variances")
        for name in names:
            values = np.asarray(getattr(self, name))
            # What released cells are like is unknown, and components have cells of predictions.
            unknown = released if "c" in FIELDS[name].axes else released.all()
            if name in ("means", "variances"):
                unknown = unknown | (self.axes != KINDS[0])
            if name == "ancestor_rmse":
                unknown = np.False_
            unknown = unknown & np.isnan(values).T
            if not (np.isfinite(values).T | unknown).all():
                raise ValueError(f"{name}_ must be finite, or NaN where cells are released.")
            if name != "means" and (values < 0).any():
                raise ValueError(f"{name}_ must not be negative.")

    def _check_ancestors(self) -> None:
        """Raise a ValueError unless the ancestors are the wider cells that rows can lie in."""
        levels, wide = self.ancestor_levels, self.cells
        if (np.diff(levels) < 0).any() or (levels.size and not 1 <= levels[0] <= levels[-1] < 64):
            raise ValueError("ancestor_levels_ must rise, from one to below 64.")
        for level in range(1, int(levels.max(initial=0)) + 1):
            wide = np.unique(wide >> 1, axis=0)
            if not np.array_equal(self.ancestor_cells[levels == level], wide):
                raise ValueError(f"ancestor_cells_ of level {level} must hold the cells_.")


FIELDS: dict[str, Field] = {
    name: hint.__metadata__[0]
    for name, hint in get_type_hints(LookupTable, include_extras=True).items()
}
