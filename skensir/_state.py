"""Plain state: pickles, joblib files and skops dumps hold arrays, numbers and strings alone.

No class of this package but that of the estimator itself is named in them, so the code may change
without their becoming unreadable, and a reader that trusts nothing has one name to be told.
"""

from __future__ import annotations

from importlib import import_module
from inspect import signature
from typing import Any, cast

import numpy as np

from skensir._checks import shown
from skensir._core.folds import FoldSums
from skensir._sums.axes import KINDS, Axes
from skensir._sums.histogram import TruthHistogram
from skensir._sums.linear import LinearMoments
from skensir._sums.statistics import CellStatistics
from skensir._version import __version__

# Number of the format; one that has changed needs a new number, and a reader of the old one.
_FORMAT, _NUMBER, _WRITER = 2, "skensir_state", "skensir_version"
# Names what a dict stands for.
_KIND = "skensir_kind"
# Where the estimators are that another one may hold; a state makes Python import nothing else.
_MODULES = (
    "skensir._ensir",
    "skensir._ensir_cv",
    "skensir.baselines",
    "skensir.image.ensemble",
    "skensir.interop.dask",
)
# What the parameter `cv` may be is no class of ours, but would have to be trusted too.
_SPLITTERS = "sklearn.model_selection"
# Where scikit-learn keeps what `set_fit_request` and the like were told, in classes of its own that
# lead back to the estimator, which skops follows without end.
_REQUESTS = "_metadata_request"


class PlainState:
    """Gives an estimator a state of arrays, numbers, strings, lists and dicts of them."""

    def __getstate__(self) -> dict[str, Any]:
        attributes = {name: _to_plain(value) for name, value in dict(vars(self)).items()}
        if _REQUESTS in attributes:
            attributes[_REQUESTS] = _plain_requests(attributes[_REQUESTS])
        return {_NUMBER: _FORMAT, _WRITER: __version__, "attributes": attributes}

    def __setstate__(self, state: dict[str, Any]) -> None:
        try:
            self._take_state(state)
        except (AttributeError, IndexError, KeyError, OverflowError, TypeError) as error:
            raise ValueError(f"The state of this {type(self).__name__} is damaged.") from error

    def _take_state(self, state: dict[str, Any]) -> None:
        """Become what `__getstate__` returned, unless it is damaged."""
        number = state.get(_NUMBER)
        if number is None:
            raise ValueError(
                f"This {type(self).__name__} was pickled by a skensir 0.1 before its release, "
                "whose pickles are not read any more; fit it anew."
            )
        if number not in (1, _FORMAT):
            writer = shown(state.get(_WRITER)).strip("'")
            raise ValueError(
                f"This {type(self).__name__} was pickled by skensir {writer} in format "
                f"{shown(number)}, and skensir {__version__} reads formats up to {_FORMAT}; a "
                "newer skensir is needed."
            )
        attributes = {name: _from_plain(value) for name, value in state["attributes"].items()}
        if number == 1:
            attributes = attributes | self._attributes_since(attributes)
        attributes = _default_params(type(self)) | attributes  # of what has come since
        requests = attributes.get(_REQUESTS)
        if isinstance(requests, dict):
            del attributes[_REQUESTS]
        vars(self).update(attributes)
        if isinstance(requests, dict):
            self._ask_for(requests)

    def _ask_for(self, requests: dict[str, dict[str, Any]]) -> None:
        """Ask scikit-learn for metadata by method, as `set_fit_request` and the like do."""
        routing = cast(Any, self).get_metadata_routing()
        for method, names in requests.items():
            for name, alias in names.items():
                getattr(routing, method).add_request(param=name, alias=alias)
        setattr(self, _REQUESTS, routing)

    def _attributes_since(self, attributes: dict[str, Any]) -> dict[str, Any]:
        """Return what attributes of version 0.1, whose format is 1, have become or left unsaid."""
        return {}


def _to_plain(value: Any) -> Any:
    """Return a value of an attribute as arrays, numbers, strings, lists and dicts of them."""
    kind = type(value)
    if isinstance(value, CellStatistics):
        truth = None if value.truth is None else value.truth._asdict()
        linear = None if value.linear is None else value.linear._asdict()
        plain = {**value._asdict(), **value.axes._asdict()}
        plain |= {"axes": None, "truth": truth, "linear": linear}
        return {_KIND: "statistics", **plain}
    if isinstance(value, FoldSums):
        return {_KIND: "folds", "labels": value.labels, "folds": _to_plain(value.folds)}
    if isinstance(value, np.dtype):
        return {_KIND: "dtype", "name": value.str}
    if isinstance(value, PlainState) and kind.__module__ in _MODULES:
        return {_KIND: f"{kind.__module__}.{kind.__name__}", "state": value.__getstate__()}
    if _is_splitter(kind):
        state = {name: _to_plain(part) for name, part in vars(value).items()}
        return {_KIND: f"{_SPLITTERS}.{kind.__name__}", "state": state}
    if _is_splitter(value):  # the class, as repeated splitters hold it
        return {_KIND: "class", "name": f"{_SPLITTERS}.{value.__name__}"}
    if kind in (list, tuple):
        return kind(map(_to_plain, value))
    return value


def _from_plain(value: Any) -> Any:
    """Return what `_to_plain` was given."""
    if type(value) in (list, tuple):
        return type(value)(map(_from_plain, value))
    if type(value) is not dict or _KIND not in value:
        return value
    if value[_KIND] == "statistics":
        # Version 0.1 knew no other axes than the predictions.
        axes = Axes(value["bin_width"], value.get("kind", KINDS[0]), value.get("unit", 1.0))
        linear = value.get("linear")
        statistics = CellStatistics(
            axes,
            value["cells"],
            value["sums"],
            None if value["truth"] is None else TruthHistogram(**value["truth"]),
            value.get("n_models", value["cells"].shape[1]),
            None if linear is None else LinearMoments(**linear),
        )
        statistics.check()
        return statistics
    if value[_KIND] == "folds":
        return FoldSums(value["labels"], _from_plain(value["folds"]))
    if value[_KIND] == "dtype":
        return np.dtype(value["name"])
    if value[_KIND] == "class":
        return _find_class(value["name"])
    kind: Any = _find_class(value[_KIND])
    made = kind.__new__(kind)
    if isinstance(made, PlainState):
        made.__setstate__(value["state"])
    else:
        vars(made).update({name: _from_plain(part) for name, part in value["state"].items()})
    return made


def _default_params(kind: type[Any]) -> dict[str, Any]:
    """Return the parameters of an estimator as they are when none is given."""
    return {parameter.name: parameter.default for parameter in signature(kind).parameters.values()}


def _plain_requests(routing: Any) -> dict[str, dict[str, Any]]:
    """Return by method what metadata an estimator asks for."""
    methods = {name: part for name, part in vars(routing).items() if name != "owner"}
    return {name: dict(part.requests) for name, part in methods.items() if part.requests}


def _is_splitter(kind: Any) -> bool:
    """Tell whether something is a public class of scikit-learn's that splits rows."""
    if not isinstance(kind, type) or kind.__module__ != f"{_SPLITTERS}._split":
        return False
    return getattr(import_module(_SPLITTERS), kind.__name__, None) is kind


def _find_class(name: str) -> type[Any]:
    """Return the estimator of this package, or scikit-learn's splitter, of a dotted name."""
    module, _, attribute = name.rpartition(".")
    found: Any = None
    if module in (_SPLITTERS, *_MODULES):
        found = getattr(import_module(module), attribute, None)
    if _is_splitter(found) or (isinstance(found, type) and issubclass(found, PlainState)):
        return cast(type[Any], found)
    raise ValueError(
        f"The state names {shown(name)}, neither an estimator of skensir nor a splitter."
    )
