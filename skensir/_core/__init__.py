"""The method on arrays: NumPy and SciPy only, no estimator in sight.

The files run in one direction, each using those above it:

``binning``
    values to bin indices
``cells``
    rows of bin indices to cell numbers, for any number of models
``statistics``
    the sums a cell needs, accumulated in one pass; mergeable, coarsenable
``defaults``
    weights for cells that cannot have their own
``likelihood``
    expectation-maximisation on those sums
``combine``
    the look-up and the weighted sum
"""
