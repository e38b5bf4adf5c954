"""What people use instead: plain ensembles of stacked predictions."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import softmax
from sklearn.utils import check_random_state

from skensir._base import StackedRegressor, whole_or_nothing
from skensir._checks import check_automatic, check_share, check_whole, shown
from skensir._core.combine import combine_fixed
from skensir._core.least_squares import simplex_weights
from skensir._core.pooled import average_weights, best_model_weights, greedy_weights
from skensir._sums.accumulate import pooled_error_moments
from skensir._sums.binning import model_columns, row_chunks
from skensir._typing import AnyArray, FloatArray
from skensir._units import InUnits, unit_of

__all__ = [
    "AverageRegressor",
    "BestModelRegressor",
    "ConvexRegressor",
    "GreedyRegressor",
    "ZZPMRegressor",
]

# Of the published program.
_ZZPM_FLOOR = 1e-3
# As often as anybody draws or chooses; more would take hours.
_MOST_TIMES = 10**6


class BaselineRegressor(StackedRegressor):
    """A combination with one weight vector for all rows that are predicted together."""

    weights_: FloatArray

    @whole_or_nothing
    def fit(self, X: ArrayLike, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Check the data, and find the weights where they follow from the models' errors.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models.
        y : array-like of shape (n_samples,)
            Truth.
        sample_weight : array-like of shape (n_samples,), default=None
            Non-negative weights of the rows.

        Returns
        -------
        self : estimator
            The fitted estimator.

        Raises
        ------
        ValueError
            If an argument is out of its range; the message names it. The estimator is then as it
            was before.
        """
        self._learn(*self._validate_fit(X, y, sample_weight))
        return self

    def _learn(self, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None) -> None:
        """Keep the weights that follow from the moments of the errors over all rows."""
        self.weights_ = self._find_weights(pooled_error_moments(X, y, sample_weight))

    def _take_state(self, state: dict[str, Any]) -> None:
        super()._take_state(state)
        weights = vars(self).get("weights_")
        if weights is None:
            return
        right = weights.dtype == np.float64 and weights.shape == (self.n_features_in_,)
        if not (right and np.isfinite(weights).all()):
            raise ValueError(f"weights_ must be {self.n_features_in_} finite numbers.")

    def _find_weights(self, moments: FloatArray) -> FloatArray:
        """Return the weights for the mean products of the models' errors."""
        raise NotImplementedError

    def _weights_for(self, X: AnyArray) -> FloatArray:
        """Return the weights of these rows."""
        return self.weights_

    def predict(self, X: ArrayLike) -> FloatArray:
        """Return the weighted sum of the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models, in the order they had in `fit`.

        Returns
        -------
        y : ndarray of shape (n_samples,)
            The combination.
        """
        X = self._validate_predictions(X)
        return combine_fixed(X, self._weights_for(X))


class AverageRegressor(BaselineRegressor):
    """Average the predictions of the models.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        Equal weights that sum to one.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    ConvexRegressor : Weights of least squared error.
    skensir.EnsIRRegressor : Weights that depend on the predictions.

    Examples
    --------
    >>> from skensir.baselines import AverageRegressor
    >>> X = [[1.0, 3.0], [2.0, 6.0]]
    >>> AverageRegressor().fit(X, [2.0, 4.0]).predict(X)
    array([2., 4.])
    """

    def _learn(self, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None) -> None:
        # Nothing of the errors is needed, so they may be as large as they like.
        self.weights_ = average_weights(np.empty((X.shape[1], X.shape[1])))


class BestModelRegressor(BaselineRegressor):
    """Take the one model whose mean squared error is least, here called the best.

    Attributes
    ----------
    best_model_ : int
        Its column; the first one if several are as good.
    weights_ : ndarray of shape (n_models,)
        One for this model, zero for the others.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    ConvexRegressor : Weights of least squared error.

    Examples
    --------
    >>> from skensir.baselines import BestModelRegressor
    >>> X = [[1.0, 3.0], [2.0, 6.0]]
    >>> BestModelRegressor().fit(X, [1.5, 2.0]).predict(X)
    array([1., 2.])
    """

    def _find_weights(self, moments: FloatArray) -> FloatArray:
        weights = best_model_weights(moments)
        self.best_model_ = int(weights.argmax())
        return weights


class ConvexRegressor(BaselineRegressor):
    r"""Combine the models with the convex weights of least squared error.

    One weight vector for all rows: minimise the mean squared error subject to :math:`w \ge 0`,
    :math:`\sum_m w_m = 1`. On out-of-fold predictions this is the super learner [1]_.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        Non-negative weights that sum to one; exact, whatever the models have in common.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    GreedyRegressor : Weights by greedy selection.
    skensir.EnsIRRegressor : Weights that depend on the predictions.

    References
    ----------
    .. [1] M. J. van der Laan, E. C. Polley, A. E. Hubbard. "Super Learner." Statistical
       Applications in Genetics and Molecular Biology 6(1), 2007.

    Examples
    --------
    >>> from skensir.baselines import ConvexRegressor
    >>> X = [[0.0, 4.0], [4.0, 0.0]]
    >>> ConvexRegressor().fit(X, [1.0, 3.0]).weights_.round(6)
    array([0.75, 0.25])
    """

    def _find_weights(self, moments: FloatArray) -> FloatArray:
        return simplex_weights(moments)


class GreedyRegressor(BaselineRegressor):
    """Select models one by one, with replacement, as each lowers the ensemble's error most.

    Caruana's ensemble selection [1]_: a model selected twice counts twice in the average. The
    ensemble kept is the best one on the way.

    Parameters
    ----------
    n_selections : int, default=100
        Number of selections.
    n_bags : int, default=1
        Number of bags. With more than one, each bag selects from a random part of the models, and
        the weights of the bags are averaged, which overfits less where models are many.
    bag_fraction : float, default=0.5
        Share of the models that a bag selects from, at least one; unused where `n_bags` is 1.
    random_state : int, RandomState instance or None, default=None
        Draws the bags.

    Attributes
    ----------
    weights_ : ndarray of shape (n_models,)
        How often each model was selected, as a share; averaged over the bags.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    ConvexRegressor : The convex weights of least squared error, exactly.

    Notes
    -----
    The errors of all ensembles follow from the models' error moments, so selection costs nothing
    beside the pass over the rows.

    References
    ----------
    .. [1] R. Caruana, A. Niculescu-Mizil, G. Crew, A. Ksikes. "Ensemble Selection from Libraries
       of Models." ICML 2004.

    Examples
    --------
    >>> from skensir.baselines import GreedyRegressor
    >>> X = [[0.0, 4.0], [4.0, 0.0]]
    >>> GreedyRegressor(n_selections=8).fit(X, [1.0, 3.0]).weights_
    array([0.75, 0.25])
    """

    def __init__(
        self,
        n_selections: int = 100,
        *,
        n_bags: int = 1,
        bag_fraction: float = 0.5,
        random_state: int | np.random.RandomState | None = None,
    ) -> None:
        self.n_selections = n_selections
        self.n_bags = n_bags
        self.bag_fraction = bag_fraction
        self.random_state = random_state

    def _learn(self, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None) -> None:
        check_whole(self.n_selections, "n_selections", 1, _MOST_TIMES)
        check_whole(self.n_bags, "n_bags", 1, _MOST_TIMES)
        check_share(self.bag_fraction, "bag_fraction", one_allowed=True)
        try:
            check_random_state(self.random_state)
        except Exception:  # of scikit-learn, or of the value's class
            raise ValueError(
                f"random_state == {shown(self.random_state)}, must be None, a whole number from 0 "
                "to 4294967295, or an instance of numpy.random.RandomState."
            ) from None
        super()._learn(X, y, sample_weight)

    def _find_weights(self, moments: FloatArray) -> FloatArray:
        n_models = len(moments)
        bags = [np.arange(n_models)]
        if self.n_bags > 1:
            random = check_random_state(self.random_state)
            size = max(1, round(self.bag_fraction * n_models))
            bags = [random.permutation(n_models)[:size] for _ in range(self.n_bags)]
        weights = np.zeros(n_models)
        for bag in bags:
            weights[bag] += greedy_weights(moments[np.ix_(bag, bag)], self.n_selections)
        return weights / len(bags)


class ZZPMRegressor(InUnits, BaselineRegressor):
    r"""Weight each model by its distance from the average of the models.

    The weights are those of a whole batch, such as an image, and follow from the predictions
    alone: the softmax over models of :math:`1 / (10^{-3} + \mathrm{mse}_m)`, where
    :math:`\mathrm{mse}_m` is the mean squared distance of model m from the average of the models
    over the batch, in units ``data_range_ / 255``. It is the baseline ZZPM as the published program
    of EnsIR [1]_ computes it.

    Parameters
    ----------
    data_range : float or "auto", default="auto"
        Range of the predictions; "auto" finds it in `fit` as :class:`~skensir.EnsIRRegressor` does.

    Attributes
    ----------
    data_range_ : float
        Range of the predictions, given or found.
    n_features_in_ : int
        Number of base models.
    feature_names_in_ : ndarray of shape (n_models,)
        Names of the base models, where `X` was a data frame whose columns are all named.

    See Also
    --------
    AverageRegressor : Equal weights.
    skensir.EnsIRRegressor : Weights that depend on the predictions.

    Notes
    -----
    What is predicted for a row depends on the other rows of the batch.

    References
    ----------
    .. [1] S. Sun, W. Ren, Z. Liu, H. Park, R. Wang, X. Cao. "EnsIR: An Ensemble Algorithm for
       Image Restoration via Gaussian Mixture Models." NeurIPS 2024. :arxiv:`2410.22959`

    Examples
    --------
    >>> from skensir.baselines import ZZPMRegressor
    >>> X = [[1.0, 2.0, 9.0], [2.0, 3.0, 7.0]]
    >>> ZZPMRegressor(data_range=255).fit(X, [2.0, 3.0]).predict_weights(X).round(3)
    array([[0.314, 0.401, 0.285],
           [0.314, 0.401, 0.285]])
    """

    def __init__(self, *, data_range: float | str = "auto") -> None:
        self.data_range = data_range

    def _learn(self, X: AnyArray, y: AnyArray, sample_weight: FloatArray | None) -> None:
        """Keep the range alone: the weights follow from what is to be predicted."""
        check_automatic(self.data_range, "data_range")
        self._forget_range()
        self._look_at(X, y, sample_weight)

    def _weights_for(self, X: AnyArray) -> FloatArray:
        squares, unit = np.zeros(X.shape[1]), unit_of(self.data_range_)
        for rows in row_chunks(*X.shape):
            columns = model_columns(X, rows)
            distance = (columns - columns.mean(axis=0, dtype=np.float64)) / unit
            squares += np.einsum("mn,mn->m", distance, distance)
        weights: FloatArray = softmax(1 / (_ZZPM_FLOOR + squares / len(X)))
        return weights

    def predict_weights(self, X: ArrayLike) -> FloatArray:
        """Return the weights that `predict` gives to the models.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_models)
            Predictions of the base models, all that belong together.

        Returns
        -------
        weights : ndarray of shape (n_samples, n_models)
            The same line for every row.
        """
        X = self._validate_predictions(X)
        return np.tile(self._weights_for(X), (len(X), 1))

    def __sklearn_is_fitted__(self) -> bool:
        return hasattr(self, "n_features_in_")
