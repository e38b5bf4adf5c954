"""The method on arrays: NumPy and SciPy only, no estimator in sight.

The modules in reading order; each uses only those above it, and a test holds this list true.

``binning``
    values to bin indices, rows in chunks that stay in cache
``cells``
    rows of bin indices to cell numbers, for any number of models
``compiled``
    the loops over rows, compiled where numba is installed
``histogram``
    the truth in each cell
``statistics``
    the sums of a cell; they add up, and cells coarsen
``accumulate``
    one pass over the rows: to statistics
``objective``
    what finds the weights of cells: the one signature of its kinds
``least_squares``
    the objective of least squared error: a quadratic programme per cell
``likelihood``
    the objective of the paper: expectation-maximisation per cell
``pooled``
    one weight vector from one moment matrix: default weights, baselines, rivals
``table``
    the lookup table: what it is, and how statistics become one
``combine``
    the look-up and the weighted sum, and what rows in unseen cells get
``cross_validation``
    the held-out error of tables, from the sums of splits
"""
