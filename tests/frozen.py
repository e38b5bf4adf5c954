"""What an object consists of, as plain values that can be compared after a call."""

import numpy as np


def frozen(value):
    """Return all that hangs on a value, arrays as their bytes; equal only where all is equal."""
    if isinstance(value, np.ndarray):
        content = tuple(map(frozen, value.tolist())) if value.dtype == object else value.tobytes()
        return "array", value.dtype.str, value.shape, content
    if isinstance(value, dict):
        # The index follows from the cells, and some of it is there only once it was asked for.
        parts = sorted(item for item in value.items() if item[0] != "_index")
        return "dict", tuple((key, frozen(part)) for key, part in parts)
    if isinstance(value, list | tuple):
        return type(value).__name__, tuple(map(frozen, value))
    if hasattr(value, "__dict__") and not isinstance(value, type):
        return type(value).__name__, frozen(vars(value))
    if isinstance(value, float) and value != value:
        return "not a number"
    return type(value).__name__, value
