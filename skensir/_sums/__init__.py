"""From rows to sums of cells, on arrays: NumPy and SciPy only, no estimator in sight.

The modules in reading order; each uses only those above it, and a test holds this list true.

``scale``
    the range of the predictions, from which every length follows
``binning``
    values to bin indices, rows in chunks that stay in cache
``axes``
    what is cut into bins: predictions, deviations from their mean, a summary
``cells``
    rows of bin indices to cell numbers, for any number of models
``loops``
    the loops of the hot paths, to be compiled
``compiled``
    these loops for the cells of an index, where numba is installed
``histogram``
    the truth in each cell
``pairs``
    pairs of models, and matrices of which a triangle is kept
``linear``
    moments of a linear regression, a rival of every table
``statistics``
    the sums of a cell; they add up, and cells coarsen
``matrices``
    rows of many models, in the order of their cells, to statistics
``accumulate``
    one pass over the rows: to statistics
"""
