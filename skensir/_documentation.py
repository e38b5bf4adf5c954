"""Where the documentation lies: scikit-learn's HTML of an estimator leads to its page there."""

from __future__ import annotations

import sys
from itertools import accumulate

from skensir._version import __version__

SITE = "https://skensir.github.io/skensir/"  # as in [project.urls], which a test compares
FOLDER = "dev" if "dev" in __version__ else __version__  # of this version
URL = f"{SITE}{FOLDER}/"


def public_name(cls: type) -> str:
    """Return the shortest name by which a class is found, which is that of its page."""
    for module in accumulate(cls.__module__.split("."), "{}.{}".format):
        if getattr(sys.modules.get(module), cls.__name__, None) is cls:
            return f"{module}.{cls.__name__}"
    return f"{cls.__module__}.{cls.__qualname__}"


class Documented:
    """An estimator whose name, in its HTML, is a link to its page in the documentation.

    Subclasses that lie elsewhere have none, since scikit-learn links this package's own alone.
    """

    _doc_link_module = "skensir"

    @property
    def _doc_link_template(self) -> str:
        return f"{URL}api/generated/{public_name(type(self))}.html"
