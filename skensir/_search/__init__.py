"""The cross-validated search, of which `skensir.EnsIRRegressorCV` is the public face.

The modules in reading order; each uses only those above it.

``splits``
    rows dealt out to both sides of splits
``candidates``
    what is tried, how it does on held-out rows, and the tables that come of it
``space``
    the parameters of the search, and what "auto" stands for
``gains``
    what the tables gain over plain ensembles
``averaged_tables``
    several tables as fitted attributes, and prediction by them
``table_search``
    from parameters and sums to the tables that predict
``parts``
    rows in parts that lie in one fold each, such as images
"""
