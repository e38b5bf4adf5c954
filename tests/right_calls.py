"""Every public callable, called rightly: what the tests of bad input replace one argument of."""

import importlib
import inspect
import tempfile
from dataclasses import dataclass
from functools import cache, partial
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace

import matplotlib as mpl
import numpy as np
import pandas as pd
from public_modules import PUBLIC_MODULES

mpl.use("Agg")

MODULES = (*PUBLIC_MODULES, "skensir.demo")
# Methods of scikit-learn's that take rows; its others, and those of PyTorch, are not ours.
INHERITED = ("score",)


@dataclass
class Call:
    """How a callable is called, and with what.

    `owner` makes the object whose `method` is called with `arguments`. Arguments of a constructor
    are checked by the method, as estimators do, and are given to `owner`.
    """

    owner: object
    method: str | None = None
    arguments: object = dict
    of_owner: bool = False

    def prepare(self, **replaced):
        """Return the object, and its method with right arguments but for some."""
        thing = self.owner(**replaced if self.of_owner else {})
        given = self.arguments() | ({} if self.of_owner else replaced)
        method = getattr(thing, self.method) if self.method else thing
        return thing, partial(method, **given)


def public_callables():
    """Return the full name of every public function, class and method, with the callable."""
    found = {}
    for module in MODULES:
        home = importlib.import_module(module)
        for name in home.__all__:
            thing = getattr(home, name)
            if not callable(thing):
                continue
            found[f"{module.removeprefix('skensir.')}.{name}"] = thing
            for method, function in inspect.getmembers(thing) if inspect.isclass(thing) else ():
                ours = (getattr(function, "__module__", None) or "").startswith("skensir")
                if (
                    method[0] != "_"
                    and inspect.isroutine(function)
                    and (ours or method in INHERITED)
                ):
                    found[f"{module.removeprefix('skensir.')}.{name}.{method}"] = function
    return found


def arguments_of(function):
    """Return the names of the arguments of a callable, but for `self`; those of ** have stars."""
    stars = {inspect.Parameter.VAR_KEYWORD: "**", inspect.Parameter.VAR_POSITIONAL: "*"}
    return [
        stars.get(parameter.kind, "") + name
        for name, parameter in inspect.signature(function).parameters.items()
        if name != "self"
    ]


# ---- data


def rows(n_rows=40):
    """Return predictions of three models, and the truth."""
    rng = np.random.default_rng(0)
    y = rng.uniform(0, 255, n_rows)
    return y[:, np.newaxis] + rng.normal(size=(n_rows, 3)), y


def of_rows(**more):
    X, y = rows()
    return {"X": X, "y": y, **more}


def images(size=(12, 12)):
    """Return predictions of three models, truth and input of two images in grey."""
    rng = np.random.default_rng(0)
    targets = rng.integers(20, 230, (2, *size)).astype(np.uint8)
    predictions = [np.stack([t + n for n in range(3)]).astype(np.uint8) for t in targets]
    return predictions, list(targets), [t.copy() for t in targets]


def of_images(*names):
    given = dict(zip(("predictions", "targets", "inputs"), images(), strict=True))
    return {name: given[name] for name in names}


@cache
def folder():
    """Return a folder of images and files that lasts as long as the tests."""
    from image_folders import make_folder
    from torch_files import synthetic, table_of, write

    from skensir import save_table
    from skensir.image import write_image

    keep = tempfile.TemporaryDirectory()
    path = Path(keep.name)
    make_folder(path / "set", sizes={"9": (12, 12), "10": (13, 12)})
    save_table(fitted("EnsIRRegressor"), path / "model")
    write_image(path / "image.png", images()[1][0])
    write(path / "weight_Set5_A_B_C_b64_rgb.pth", table_of(synthetic()))
    return SimpleNamespace(path=path, keep=keep)


def in_folder(name):
    return folder().path / name


# ---- estimators

QUICK = {
    "EnsIRRegressorCV": {"bin_widths": [64.0], "axes": "predictions", "cv": 2},
    "DaskEnsIRRegressorCV": {"bin_widths": [64.0], "axes": "predictions", "cv": 2},
    "ImageEnsemble": {"channel_axis": None, "include_input": True},
}


def class_of(name):
    for module in MODULES:
        if name in importlib.import_module(module).__all__:
            return getattr(importlib.import_module(module), name)
    raise LookupError(name)


def estimator(name, **params):
    return class_of(name)(**QUICK.get(name, {}) | params)


def data_of(name):
    if name == "ImageEnsemble":
        return of_images("predictions", "targets", "inputs")
    if name.startswith("Dask"):
        import dask.array as da

        return {key: da.from_array(value, chunks=20) for key, value in of_rows().items()}
    return of_rows()


@cache
def _fitted(name):
    data = data_of(name.removeprefix("Dask"))
    model = estimator(name).fit(**data)
    return model.calibrate(**data) if hasattr(model, "calibrate") else model


def fitted(name):
    from copy import copy

    return copy(_fitted(name))


@cache
def cell_sums(folds=None):
    from skensir.interop.frames import cell_sums

    return cell_sums(
        frame(), models=["A", "B", "C"], target="y", bin_width=64.0, data_range=255, folds=folds
    )


def frame():
    X, y = rows()
    return pd.DataFrame(X, columns=list("ABC")).assign(y=y, w=1.0, fold=np.arange(40) % 2)


def calls_of_estimator(module, name):
    """Return the calls of an estimator of rows."""
    data = partial(data_of, name)
    calls = {"": Call(partial(estimator, name), "fit", data, of_owner=True)}
    X = partial(lambda: {"X": data()["X"]})
    weighted = partial(lambda: {**data(), "sample_weight": np.ones(40)})
    if name.startswith("Dask"):
        weighted = data
    own = class_of(name)
    with_groups = {"groups": np.arange(40) % 2} if "CV" in name else {}
    arguments = {
        **dict.fromkeys(("calibrate", "score"), weighted),
        **dict.fromkeys(("predict", "predict_weights", "predict_interval"), X),
        "partial_fit": lambda: of_rows(sample_weight=np.ones(40), **with_groups),
        "fit": lambda: weighted() | ({} if name.startswith("Dask") else with_groups),
        "merge": lambda: {"other": fitted(name)},
    }
    for method in ("fit", "partial_fit", "calibrate", "score", *arguments, "solve", "forget_rows"):
        if hasattr(own, method):
            calls[method] = Call(partial(fitted, name), method, arguments.get(method, dict))
    for method in ("to_local", "summary"):
        if hasattr(own, method):
            calls[method] = Call(partial(fitted, name), method)
    if hasattr(own, "from_cell_sums"):
        folds = "fold" if "CV" in name else None
        quick = {} if folds is None else {"bin_widths": [64.0], "axes": "predictions"}

        def make(sums, **params):
            return own.from_cell_sums(sums, **quick | params)

        calls["from_cell_sums"] = Call(lambda: make, arguments=lambda: {"sums": cell_sums(folds)})
    return {f"{module}.{name}.{method}".rstrip("."): call for method, call in calls.items()}


# ---- everything


def function(module, name, arguments=dict):
    return {f"{module}.{name}": Call(lambda: getattr(_home(module), name), arguments=arguments)}


def _home(module):
    return importlib.import_module(module if module == "skensir" else f"skensir.{module}")


def class_method(module, name, method, arguments):
    own = partial(lambda: getattr(class_of(name), method))
    return {f"{module}.{name}.{method}": Call(own, arguments=arguments)}


def display(name, **right):
    """Return a display, which says what is wrong when it is to be plotted."""
    return partial(lambda **replaced: class_of(name)(**right | replaced))


def calls_of_displays():
    widths = {
        "bin_widths": [16.0, 64.0],
        "scores": {"": [1.0, 2.0]},
        "std_errors": {"": [0.1, 0.1]},
        "chosen": (64.0, 2.0),
    }
    cell = {
        "counts": [1.0, 2.0],
        "edges": [0.0, 1.0, 2.0],
        "cell": (0, 0),
        "bin_width": 1.0,
        "origin": "fitted",
        "means": [0.5, 1.0],
        "weights": [0.5, 0.5],
    }
    weights = np.full((3, 12, 12), 1 / 3)
    truth = images()[1][0]
    owners = {
        "BinWidthDisplay": display("BinWidthDisplay", **widths),
        "CellDisplay": display("CellDisplay", **cell),
        "ErrorMapDisplay": display("ErrorMapDisplay", errors={"A": truth}, psnr={"A": 30.0}),
        "WeightMapDisplay": display("WeightMapDisplay", weights=weights),
    }
    calls = {}
    for name, owner in owners.items():
        calls[f"display.{name}"] = Call(owner, "plot", of_owner=True)
        calls[f"display.{name}.plot"] = Call(owner, "plot")
    search = partial(fitted, "EnsIRRegressorCV")
    of_display = {
        "BinWidthDisplay.from_estimator": lambda: {"search": search()},
        "BinWidthDisplay.from_cv_results": lambda: {"cv_results": search().cv_results_},
        "CellDisplay.from_estimator": lambda: {
            "estimator": fitted("EnsIRRegressor"),
            **of_rows(sample_weight=np.ones(40)),
        },
        "ErrorMapDisplay.from_predictions": lambda: {"target": truth, "images": {"A": truth}},
        "WeightMapDisplay.from_estimator": lambda: {
            "estimator": fitted("EnsIRRegressor"),
            "predictions": weights * 255,
        },
    }
    for names, arguments in of_display.items():
        calls |= class_method("display", *names.split("."), arguments)
    return calls


def calls_of_images():
    name = "ImageEnsemble"
    calls = {
        f"image.{name}": Call(partial(estimator, name), "fit", partial(data_of, name), True),
    }
    truth = ("predictions", "targets", "inputs")
    for method in ("fit", "calibrate", "score"):
        calls[f"image.{name}.{method}"] = Call(
            partial(fitted, name), method, partial(of_images, *truth)
        )
    for method in ("predict", "predict_weights", "predict_interval"):
        calls[f"image.{name}.{method}"] = Call(
            partial(fitted, name), method, partial(of_images, "predictions", "inputs")
        )
    image = images()[1][0]
    scored = partial(lambda: {"target": image, "image": image})
    calls |= function("image", "peak_signal_noise_ratio", scored)
    calls |= function("image", "structural_similarity", scored)
    calls |= function("image", "read_image", lambda: {"path": in_folder("image.png")})
    calls |= function(
        "image", "write_image", lambda: {"path": in_folder("written.png"), "image": image}
    )
    calls |= function("image", "load_super_resolution")
    calls |= function(
        "image",
        "fit_and_hold_out",
        lambda: {"ensemble": estimator(name), **of_images("predictions", "targets", "inputs")},
    )
    calls |= function("image", "ReferenceSet", lambda: {"folder": in_folder("set")})
    of_set = {
        "subset": lambda: {"names": ["9"]},
        "files_in": lambda: {"folder": in_folder("set/alpha")},
        "in_colour": dict,
        "why_without_input": dict,
    }
    for method, arguments in of_set.items():
        calls[f"image.ReferenceSet.{method}"] = Call(
            lambda: class_of("ReferenceSet")(in_folder("set")), method, arguments
        )
    return calls


def calls_of_bridges():
    calls = function(
        "interop.frames",
        "cell_sums",
        lambda: {
            "frame": frame(),
            "models": ["A", "B", "C"],
            "target": "y",
            "bin_width": 64.0,
            "data_range": 255,
        },
    )
    calls |= function(
        "interop.frames",
        "to_sql",
        lambda: {
            "model": fitted("EnsIRRegressor"),
            "dialect": "duckdb",
            "table": "outputs",
            "models": ["A", "B", "C"],
        },
    )
    calls |= function("interop.onnx", "to_onnx", lambda: {"model": fitted("EnsIRRegressor")})
    calls |= function("interop.onnx", "register_skl2onnx")
    calls |= function(
        "interop.released",
        "read_released",
        lambda: {"path": in_folder("weight_Set5_A_B_C_b64_rgb.pth")},
    )
    if find_spec("torch"):
        name = "EnsembleModule"
        table = partial(lambda: {"table": in_folder("model").read_bytes()})
        calls |= function("interop.torch", name, table)
        calls |= class_method(
            "interop.torch", name, "from_table", lambda: {"path": in_folder("model")}
        )
        calls |= class_method(
            "interop.torch", name, "from_estimator", lambda: {"model": fitted("EnsIRRegressor")}
        )
    return calls


def right_calls():
    """Return how every public callable is called, by its name."""
    calls = {}
    for module in ("skensir", "baselines", "interop.dask"):
        for name in _home(module).__all__:
            if inspect.isclass(getattr(_home(module), name)):
                calls |= calls_of_estimator(module, name)
    calls |= function("skensir", "load_table", lambda: {"path": in_folder("model")})
    calls |= function(
        "skensir",
        "save_table",
        lambda: {"model": fitted("EnsIRRegressor"), "path": in_folder("written")},
    )
    calls |= function("skensir", "show_versions")
    calls |= function(
        "demo", "restore_photograph", lambda: {"name": "astronaut", "seed": 0, "side": 16}
    )
    return calls | calls_of_displays() | calls_of_images() | calls_of_bridges()
