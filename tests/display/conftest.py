"""Figures that no screen shows."""

import matplotlib as mpl
import pytest

mpl.use("Agg")


@pytest.fixture
def pyplot():
    """Return the module; there are no figures yet."""
    import matplotlib.pyplot as plt

    return plt
