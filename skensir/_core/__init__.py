"""From sums of cells to lookup tables, on arrays: NumPy and SciPy only, no estimator in sight.

The modules in reading order; each uses only those above it, and a test holds this list true.

``objective``
    what finds the weights of cells: the one signature of its kinds
``least_squares``
    the objective of least squared error: a quadratic programme per cell
``likelihood``
    the objective of the paper: expectation-maximisation per cell
``pooled``
    one weight vector from one moment matrix: default weights, baselines, rivals
``hierarchy``
    cells within wider cells, and their moments shrunk from the top down
``table``
    the lookup table: what it is, and what must hold for it
``solve``
    how statistics become a table
``combine``
    the look-up and the weighted sum, and what rows in unseen cells get
``lookup``
    tables made ready to predict, one or several that are averaged
``portable``
    such tables in the few operations that all libraries of arrays have
``calibration``
    how large errors are against what was expected, and the intervals that follow
``average``
    several tables averaged into one
``cross_validation``
    the held-out error of tables, from the sums of splits
``held_out``
    what tables err on parts of the rows, such as images, and without one of the models
``nested_splits``
    the lines of nested tables, of all splits at once
``folds``
    the sums of folds, in parts that add up
``selection``
    from held-out errors to what share of the combination a table gets
"""
