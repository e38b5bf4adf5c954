"""Readers of more than one file, and of arguments: bytes choose what they are given."""

from __future__ import annotations

import argparse
import copy
import io
import os
import shutil
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from fuzz import samples
from fuzz.checks import check_attributes, require
from fuzz.guard import guarded, refusals, scratch
from fuzz.mutator import TEXTS, Draws
from fuzz.targets import run_command

from skensir.cli.main import _make_parser, main
from skensir.image import ReferenceSet, write_image
from skensir.interop.onnx import to_onnx
from skensir.persistence import save_table

_FOLDERS = (
    "gt",
    "lq",
    "A",
    "B",
    "GT",
    "input",
    "weight_maps",
    "a b",
    ".hidden",
    "\u202e",
    "x\x1b[0m",
)
_STEMS = ("1", "2", "01", "1_A", "2_A", "clip/1", "[1]", "*", "\x1b[2J", "é", "\udc80", "a" * 200)
_SUFFIXES = (".png", ".PNG", ".tif", ".npy", ".jpg", "", ".txt", ".pgm")


@cache
def _contents() -> list[bytes]:
    """Return image files of a few sizes and kinds, sound and not."""
    path, files = scratch() / "content.png", []
    noise = np.random.default_rng(0).integers(0, 255, (24, 20, 3))
    for image in (noise, noise[:12], noise[..., 0], noise[:1, :1], noise * 257):
        write_image(path, image.astype("u2" if image.max() > 255 else "u1"))
        files.append(path.read_bytes())
    array = samples.arrays()[1]
    return [*files, files[0][:-30], b"", array, *samples.tiffs()[:2]]


def folder(data: bytes) -> None:
    """Read a folder of images of several networks."""
    draws, place = Draws(data), scratch() / "set"
    shutil.rmtree(place, ignore_errors=True)
    place.mkdir()
    wrong = _FOLDERS if draws.number(2) else _FOLDERS[:4]
    for _ in range(draws.number(6)):
        part = place / draws.choice(wrong)
        for _ in range(draws.number(4)):
            stem = draws.choice(_STEMS if draws.number(3) == 0 else _STEMS[:2])
            suffix = draws.choice(_SUFFIXES) if draws.number(4) == 0 else ".png"
            file = part / f"{stem}{suffix}"
            file.parent.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_bytes(
                    draws.choice(_contents()) if draws.number(3) == 0 else _contents()[0]
                )
    if draws.number(8) == 0 and not (place / "A/loop").exists() and (place / "A").is_dir():
        (place / "A/loop").symlink_to(place)
    options: dict[str, Any] = {
        "models": (None, None, ["A"], ["A", "B"], ["../A"], [], ["A", "A"]),
        "target": ("auto", "auto", None, "gt", "A", "..", *TEXTS[:3]),
        "input": ("auto", "lq", "gt", "nothing"),
        "crop": (False, True),
        "common": (False, True),
        "pattern": (None, None, "*", "*_A", "[", {"A": "*_A"}, {"Z": "*"}, "**", "*/*"),
    }
    chosen = {
        name: draws.choice(values) for name, values in options.items() if draws.number(3) == 0
    }
    with guarded(data), refusals(OSError):
        scenes = ReferenceSet(place, **chosen)
        for scene in scenes:
            require(scene.predictions.shape[0] == len(scenes.models), "number of models")
            require(np.isfinite(scene.predictions).all(), "pixels infinite")
            target = scene.target
            require(target is None or target.shape == scene.predictions.shape[1:], "shape of truth")
        for image in scenes.inputs:
            require(np.isfinite(image).all(), "pixels infinite")


@cache
def _parsers() -> dict[str, argparse.ArgumentParser]:
    """Return the parser of each command but the demo, which takes minutes."""
    for action in _make_parser(None)._actions:
        if isinstance(action, argparse._SubParsersAction):
            return {name: parser for name, parser in action.choices.items() if name != "demo"}
    raise AssertionError


def _world(place: Path) -> None:
    """Make the folder that commands work in: images, models, lists of scenes, and rubbish."""
    import matplotlib.font_manager  # noqa: F401 - which asks the system for its fonts, once

    shutil.rmtree(place, ignore_errors=True)
    for number, size in enumerate(((16, 18), (20, 15))):
        rng = np.random.default_rng(number)
        truth = rng.integers(0, 256, (*size, 3))
        for part, noise in {"gt": 0, "lq": 30, "A": 5, "B": 9}.items():
            (place / "set" / part).mkdir(parents=True, exist_ok=True)
            image = np.clip(truth + rng.normal(0, 1 + noise, truth.shape), 0, 255)
            write_image(place / f"set/{part}/{number}.png", image, bits=8)
    tables = samples.tables()
    with chdir(place), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
        for options in (["m.table", "--no-input"], ["input.table"]):
            main(["fit", "set", "--bin-width", "128", "-o", *options])
    for name, content in {
        "nameless.table": tables[5],
        "one.table": tables[0],
        "weight_R_A_B_b128_rgb.pth": samples.released()[1],
        "cut.table": tables[5][:999],
        "scenes.txt": b"0\n# no\n\n1.png\n",
        "bytes.txt": b"\xff\xfe0\n\0",
        "none.txt": b"",
    }.items():
        (place / name).write_bytes(content)


_VALUES = (
    *("set", "set", "set", "set/gt", "set/A", "set/lq", "m.table", "m.table", "A", "B", "gt", "0"),
    *("1", "2", "3", "16", "8", "32", "0.5", "luma", "rgb", "out.png", "out", "out.csv", "out.tif"),
    *("one.table", "input.table", "cut.table", "weight_R_A_B_b128_rgb.pth", "scenes.txt", "*"),
    *("bytes.txt", "none.txt", "nowhere/out", "/dev/null", "set/A/0.png", "likelihood", "input"),
    *("squared_error", "*_A", "A=*", "0,0,4,4", "-1", "1e400", "nan", ".", "..", "--jobs=0", "--"),
    *(text for text in TEXTS if "\0" not in text),
    *("9" * 5000, "--crop", "nameless.table"),
)
# What makes most commands go past their first checks.
_SOUND = {
    "fit": ["set", "-o", "new.table"],
    "predict": ["m.table", "set", "-o", "out"],
    "evaluate": ["set/A", "set/gt"],
    "compare": ["set", "set", "--no-trees"],
    "figure": ["set", "-o", "out.png"],
    "inspect": ["m.table"],
    "import-released": ["weight_R_A_B_b128_rgb.pth", "-o", "new.table"],
    "sample": ["new"],
}


def arguments_of(data: bytes) -> list[str]:
    """Return a command line that bytes choose: options that there are, values that may be wrong."""
    draws = Draws(data)
    if draws.number(10) == 0:
        return [draws.choice(_VALUES) for _ in range(draws.number(4))]
    name = draws.choice(list(_parsers()))
    arguments = list(_SOUND[name]) if draws.number(4) else []
    options = [action for action in _parsers()[name]._actions if action.option_strings]
    while draws and len(arguments) < 12:
        kind = draws.number(8)
        if kind == 0:
            arguments.insert(draws.number(len(arguments) + 1), draws.choice(_VALUES))
        elif kind == 1 and arguments:
            arguments[draws.number(len(arguments))] = draws.choice(_VALUES)
        else:
            action = draws.choice(options)
            arguments.append(draws.choice(action.option_strings))
            if action.nargs != 0:
                values = str(action.metavar).strip("{}").split(",") if kind < 5 else _VALUES
                arguments.append(draws.choice(values if "{" in str(action.metavar) else _VALUES))
    return [name, *arguments]


def command(data: bytes) -> None:
    """Run a command with arguments that bytes choose."""
    place = scratch() / "within/a/folder"
    if not place.exists():
        _world(place)
    before = _listing(place)
    with chdir(place), guarded(data, memory=2**32):
        run_command(arguments_of(data))
    after = _listing(scratch() / "within")
    left = [name for name in after if ".skensir-" in name]
    require(not left, f"left behind: {left}")
    if _listing(place) != before or len(list((scratch() / "within").iterdir())) > 1:
        shutil.rmtree(scratch() / "within")


def _listing(place: Path) -> dict[str, int]:
    """Return all files with the time of their last change."""
    return {
        os.path.join(folder, name): os.lstat(os.path.join(folder, name)).st_mtime_ns
        for folder, _, names in os.walk(place)
        for name in names
    }


_NUMBERS = (0.0, -0.0, 0.5, 1.0, 63.999999, 64.0, 127.99999999999999, 128.0, 255.0, 1e6, -7.25)
# Squares of larger ones overflow, and graphs need not follow there.
_WIDE = (1e15, -1e30, 1e100, -1e100, 1e-300, 5e-324, 4.6e18, 9.3e18, -9.3e18)


def onnx(data: bytes) -> None:
    """Make a graph of a model with other numbers, which predicts as the model does."""
    import onnxruntime

    draws = Draws(data)
    model = copy.deepcopy(draws.choice(samples._models()[:5]))
    for table in getattr(model, "estimators_", [model]):
        _change(table, draws)
    with guarded(data, memory=2**31):
        with refusals() as refused:
            save_table(model, scratch() / "changed.table")
        if refused:
            return
        for table in getattr(model, "estimators_", [model]):
            check_attributes(table)
        dtype = draws.choice(("float64", "float32"))
        numbers = (*_NUMBERS, *_WIDE) if dtype == "float64" else _NUMBERS
        X = np.array([[draws.choice(numbers) for _ in range(3)] for _ in range(12)], dtype)
        with refusals() as refused:
            graph = to_onnx(model, dtype=dtype).SerializeToString()
        if refused:  # too many bins
            return
        session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
        (found,) = session.run(None, {"X": X})
        expected = model.predict(X)
        weights = model.predict_weights(X)
        # What is summed up are differences from the first model, which may be large.
        terms = (np.abs(weights) * np.abs(X)).sum(axis=1) + np.abs(X).max(axis=1) + np.abs(expected)
        found = found.ravel()
        rounding = 1e-12 if dtype == "float64" else 1e-5
        same = (found == expected) | (np.abs(found - expected) <= rounding * terms)
        require(same.all(), f"graph and model: {found}, {expected}")


def _change(table: Any, draws: Draws) -> None:
    """Give a table other numbers, which it may refuse."""
    for name in ("weights_", "ancestor_weights_"):
        weights = getattr(table, name)
        for _ in range(draws.number(4) if len(weights) else 0):
            line = draws.number(len(weights))
            weights[line] = np.roll([1.0, 0.0, 0.0], draws.number(3))
    if draws.number(3) == 0:
        table.cells_ = table.cells_ * draws.choice((1, 1, 2, 1000, 2**30, -1))
    if draws.number(3) == 0:
        table.bin_width_ = float(draws.choice((64, 3.3, 0.7, 1e-3, 1e-9, 1e-300, 1e300, 5e-324)))
        table.bin_width = table.bin_width_
    if draws.number(3) == 0 and table.fit_intercept:
        table.intercepts_[:] = draws.choice((0.0, 1e9, -1e30, 1e-300))
    table._index = table._make_index()
