"""The score of a search against the bin width."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.stats import sem
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from skensir._checks import as_numbers, check_mapping, check_text, saying_of, shown
from skensir._ensir_cv import EnsIRRegressorCV
from skensir._optional import import_optional
from skensir.display._figure import model_colors, set_legend, single_axes

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.collections import PolyCollection
    from matplotlib.lines import Line2D

    class CVResults(Protocol):
        """What is asked of `cv_results_`: a mapping, or a data frame."""

        def keys(self) -> Iterable[str]: ...
        def __getitem__(self, key: str, /) -> Any: ...


_MARKERS = "osD^vPX"
# More widths than these have no room for a tick each.
_MOST_TICKS = 12


def find_parameter(params: Sequence[Mapping[str, Any]], name: str) -> str:
    """Return the full name that a parameter has in a search, such as ensirregressor__bin_width."""
    names = sorted({key for point in params for key in point})
    found = [key for key in names if key == name or key.endswith(f"__{name}")]
    if len(found) != 1:
        raise ValueError(
            f"cv_results has {len(found)} parameters with the name {name!r}, must have one; its "
            f"parameters are {', '.join(map(repr, names))}."
        )
    return found[0]


def _mean_scores(results: Mapping[str, Any], metric: str) -> NDArray[np.float64]:
    """Return the mean score of each candidate."""
    if f"mean_test_{metric}" not in results:
        found = [key[10:] for key in results if key.startswith("mean_test_")]
        raise ValueError(
            f"metric == {shown(metric)} is not in cv_results, which has "
            f"{', '.join(map(repr, found)) or 'none'}."
        )
    return np.asarray(results[f"mean_test_{metric}"], dtype=np.float64)


def _std_errors(
    results: Mapping[str, Any], metric: str, best_index: int
) -> NDArray[np.float64] | None:
    """Return standard errors of the candidates' differences from the best; one split has none.

    Some images are harder than others, by far more than bin widths differ. So the errors are
    those of the difference from the best candidate on the same split.
    """
    is_split = re.compile(rf"split\d+_test_{re.escape(metric)}").fullmatch
    scores = np.array([results[key] for key in results if is_split(key)], dtype=np.float64)
    if len(scores) < 2:
        return None
    return np.asarray(sem(scores - scores[:, [best_index]]))


def _results_of(cv_results: Any) -> tuple[dict[str, Any], list[Any]]:
    """Return the results of a search as a dict, and its points."""
    try:
        results = dict(cv_results)
        return results, list(results["params"])
    except (KeyError, TypeError, ValueError):
        raise TypeError(
            f"cv_results == {shown(cv_results)}, must be those of a search, with params."
        ) from None


@dataclass(eq=False, repr=False, kw_only=True)
class BinWidthDisplay:
    """Held-out score against bin width, as a search found it.

    As Table 1 of the paper [1]_. Use `from_estimator` or `from_cv_results` to make one.

    Parameters
    ----------
    bin_widths : array-like of shape (n_widths,)
        The bin widths, rising.
    scores : dict of str to array-like of shape (n_widths,)
        Mean score at each width, a line for each entry, by label; not a number where none was
        tried.
    std_errors : dict of str to array-like of shape (n_widths,), default=None
        Standard errors of their differences from what was chosen; None draws no bands.
    chosen : tuple of float, default=None
        Bin width and mean score of what the search chose.
    score_name : str, default="mean held-out score"
        What the scores are, for the axis.

    Attributes
    ----------
    lines_ : list of Line2D
        Mean scores, one line for each entry of `scores`.
    bands_ : list of PolyCollection
        One standard error up and down. Where the chosen score lies outside of a band, it differs
        by more than one standard error.
    chosen_ : Line2D or None
        The mark at what the search chose.
    ax_ : Axes
        Where the plot stands.
    figure_ : Figure
        The figure of `ax_`.

    See Also
    --------
    skensir.EnsIRRegressorCV : Chooses the bin width by cross-validation.

    References
    ----------
    .. [1] S. Sun, W. Ren, Z. Liu, H. Park, R. Wang, X. Cao. "EnsIR: An Ensemble Algorithm for
       Image Restoration via Gaussian Mixture Models." NeurIPS 2024. :arxiv:`2410.22959`

    Examples
    --------
    >>> import numpy as np
    >>> from skensir import EnsIRRegressorCV
    >>> from skensir.display import BinWidthDisplay
    >>> rng = np.random.default_rng(0)
    >>> y = rng.uniform(0, 255, size=5000)
    >>> X = y[:, None] + rng.normal(size=(5000, 2)) * [2, 8]
    >>> display = BinWidthDisplay.from_estimator(EnsIRRegressorCV([16, 64, 256]).fit(X, y))
    >>> display.bin_widths
    array([ 16.,  64., 256.])
    """

    bin_widths: ArrayLike
    scores: Mapping[str, ArrayLike]
    std_errors: Mapping[str, ArrayLike] | None = None
    chosen: tuple[float, float] | None = None
    score_name: str = "mean held-out score"

    @classmethod
    def from_estimator(
        cls,
        search: Any,
        *,
        by: str | None = None,
        metric: str = "score",
        score_name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the scores of a fitted search.

        Parameters
        ----------
        search : estimator
            Fitted: EnsIRRegressorCV, GridSearchCV or another with `cv_results_`.
        by : str, default=None
            See `from_cv_results`, also for the parameters below.
        metric : str, default="score"
            Which score, where there are several.
        score_name : str, default=None
            What the scores are.
        ax : Axes, default=None
            Where to plot.

        Returns
        -------
        display : BinWidthDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the search has no `cv_results_`, or see `from_cv_results`.
        """
        import_optional("matplotlib.pyplot", f"{cls.__name__}.from_estimator")
        if isinstance(search, BaseEstimator):
            check_is_fitted(search)
        if not hasattr(search, "cv_results_"):
            raise ValueError(f"search == {shown(search)} has no cv_results_; it must be a search.")
        if score_name is None and isinstance(search, EnsIRRegressorCV):
            log = search.scoring == "neg_log_mean_squared_error"
            score_name = f"negative {'logarithm of ' if log else ''}mean squared error, held out"
        return cls._from_results(
            search.cv_results_, getattr(search, "best_index_", None), by, metric, score_name, ax
        )

    @classmethod
    def from_cv_results(
        cls,
        cv_results: CVResults,
        *,
        by: str | None = None,
        metric: str = "score",
        score_name: str | None = None,
        ax: Axes | None = None,
    ) -> Self:
        """Plot the scores that a search keeps in its `cv_results_`.

        Parameters
        ----------
        cv_results : mapping
            With the keys of GridSearchCV's `cv_results_`, also as a data frame.
        by : str, default=None
            Another parameter, with a line for each of its values, such as "objective". Of all
            parameters beside it and the bin width, a line shows the best values at each width.
            None shows the best of all on one line. Names are found behind a prefix as well:
            "bin_width" is also "regressor__bin_width".
        metric : str, default="score"
            Which score, where the search had several.
        score_name : str, default=None
            What the scores are; None says that they are mean held-out scores.
        ax : Axes, default=None
            Where to plot.

        Returns
        -------
        display : BinWidthDisplay
            The display, plotted.

        Raises
        ------
        ValueError
            If the results lack the bin width, the other parameter or the score; the message says
            what they have.
        """
        import_optional("matplotlib.pyplot", f"{cls.__name__}.from_cv_results")
        return cls._from_results(cv_results, None, by, metric, score_name, ax)

    @classmethod
    def _from_results(
        cls,
        cv_results: CVResults,
        best_index: int | None,
        by: str | None,
        metric: str,
        score_name: str | None,
        ax: Axes | None,
    ) -> Self:
        """Pick the best candidate for each line and width, and plot them."""
        check_text(metric, "metric")
        if by is not None:
            check_text(by, "by")
        if score_name is not None:
            check_text(score_name, "score_name")
        results, params = _results_of(cv_results)
        means = _mean_scores(results, metric)
        names = [find_parameter(params, "bin_width")]
        if by is not None:
            with saying_of("by"):
                names.append(find_parameter(params, by))
        tried = [
            i
            for i, point in enumerate(params)
            if np.isfinite(means[i]) and all(name in point for name in names)
        ]
        if not tried:
            raise ValueError(f"cv_results has no bin width whose {metric} is finite.")
        if best_index is None:
            best_index = max(tried, key=lambda i: means[i])

        widths = np.unique([float(params[i][names[0]]) for i in tried])
        best: dict[str, NDArray[np.intp]] = {}  # the best candidate at each width, -1 without any
        for i in tried:
            value = params[i][names[-1]]
            value = f"{value:g}" if isinstance(value, Real) else value
            label = "" if by is None else f"{by} = {value}"
            line = best.setdefault(label, np.full(len(widths), -1))
            place = np.searchsorted(widths, params[i][names[0]])
            if line[place] < 0 or means[i] > means[line[place]]:
                line[place] = i

        def lay_out(values: NDArray[np.float64]) -> dict[str, NDArray[np.float64]]:
            return {label: np.where(line < 0, np.nan, values[line]) for label, line in best.items()}

        errors = _std_errors(results, metric, best_index)
        chosen = None
        if names[0] in params[best_index]:
            chosen = float(params[best_index][names[0]]), float(means[best_index])
        return cls(
            bin_widths=widths,
            scores=lay_out(means),
            std_errors=None if errors is None else lay_out(errors),
            chosen=chosen,
            score_name=score_name or "mean held-out score",
        ).plot(ax)

    def _check_lines(
        self, n_widths: int
    ) -> tuple[dict[str, NDArray[np.float64]], dict[str, NDArray[np.float64]] | None]:
        """Return scores and standard errors as arrays, of as many values as there are widths."""
        found: list[dict[str, NDArray[np.float64]]] = []
        for name in ("scores", "std_errors"):
            given = getattr(self, name)
            if name == "std_errors" and given is None:
                return found[0], None
            check_mapping(given, name, "of arrays by label")
            if list(given) != list(self.scores):
                raise ValueError(f"{name} == {shown(given)}, must have the labels of scores.")
            found.append({n: as_numbers(of, f"{name}[{n!r}]") for n, of in given.items()})
            for label, values in found[-1].items():
                if len(values) != n_widths:
                    raise ValueError(
                        f"{name}[{label!r}] has {len(values)} values, must have {n_widths}, one "
                        "for each of bin_widths."
                    )
        return found[0], found[1]

    def plot(self, ax: Axes | None = None) -> Self:
        """Plot the scores.

        Parameters
        ----------
        ax : Axes, default=None
            Where to plot; None makes a new figure.

        Returns
        -------
        display : BinWidthDisplay
            The display itself.
        """
        widths = as_numbers(self.bin_widths, "bin_widths")
        scores_of, errors_of = self._check_lines(len(widths))
        check_text(self.score_name, "score_name")
        chosen = None if self.chosen is None else as_numbers(self.chosen, "chosen")
        if chosen is not None and len(chosen) != 2:
            raise ValueError(f"chosen == {shown(self.chosen)}, must be a bin width and its score.")
        own_figure = ax is None
        ax = single_axes(ax, f"{type(self).__name__}.plot")
        self.ax_, self.figure_ = ax, ax.figure
        self.lines_: list[Line2D] = []
        self.bands_: list[PolyCollection] = []
        colors = model_colors(len(scores_of))
        for n, (label, scores) in enumerate(scores_of.items()):
            tried = np.isfinite(scores)
            x, y = widths[tried], scores[tried]
            look: dict[str, Any] = {"color": colors[n], "marker": _MARKERS[n % len(_MARKERS)]}
            self.lines_ += ax.plot(x, y, label=label or None, **look)
            if errors_of is not None:
                e = errors_of[label][tried]
                band = ax.fill_between(x, y - e, y + e, color=colors[n], alpha=0.15, lw=0)
                self.bands_.append(band)
        if self.bands_:
            self.bands_[-1].set_label("± one standard error\nof the difference")
        self.chosen_: Line2D | None = None
        if chosen is not None:
            [self.chosen_] = ax.plot(*chosen, "ok", ms=14, mfc="none", label="chosen")
        ax.set_xscale("log", base=2)
        if len(widths) <= _MOST_TICKS:
            ax.set_xticks(widths, labels=[f"{width:g}" for width in widths])
            ax.minorticks_off()
        ax.set(xlabel="bin width", ylabel=self.score_name)
        # Scores differ in their last digits; an offset would have to be added in the mind.
        ax.ticklabel_format(axis="y", useOffset=False)
        set_legend(ax, beside=own_figure)
        return self
