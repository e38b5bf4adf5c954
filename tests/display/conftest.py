"""Figures that no screen shows."""

import matplotlib as mpl
import pytest

mpl.use("Agg")


@pytest.fixture
def pyplot():
    """Start and end without figures."""
    import matplotlib.pyplot as plt

    plt.close("all")
    yield plt
    plt.close("all")
