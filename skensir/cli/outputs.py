"""No output of a command takes the place of what it reads, or of another output."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from skensir.cli.common import CommandError
from skensir.image.files import SUFFIXES

# Arguments that are folders whose images lie in sub-folders; other folders have images themselves.
_SETS = ("reference_set", "folder", "reference", "test")


def check_outputs(arguments: Mapping[str, Any], by_option: Collection[str]) -> None:
    """Raise an error now if an input would be lost, or an output written twice.

    Paths that are given by option are written to. All others are read, and so is text that names
    a file or folder.
    """
    paths = {name: _listed(value, Path) for name, value in arguments.items()}
    outputs = [path for name in by_option for path in paths[name]]
    inputs = [(name, path) for name in arguments if name not in by_option for path in paths[name]]
    inputs += [(name, path) for name in arguments for path in _named_in_text(name, arguments)]
    for number, output in enumerate(outputs):
        if any(_same(output, other) for other in outputs[:number]):
            raise CommandError(f"{output} would be written twice.")
        for name, path in inputs:
            if _same(output, path):
                raise CommandError(f"{output} is read, must be another path to be written to.")
            if path.is_dir() and _is_among(output, path, is_set=name in _SETS):
                raise CommandError(
                    f"{output} is among the images of {path}, which are read; write it elsewhere."
                )


def _listed(value: Any, kind: type) -> list[Any]:
    """Return what is of a kind in a value, or in a list of them."""
    return [one for one in (value if isinstance(value, list) else [value]) if isinstance(one, kind)]


def _named_in_text(name: str, arguments: Mapping[str, Any]) -> Iterator[Path]:
    """Yield the files and folders that are there of those which the text of an argument names."""
    for text in _listed(arguments[name], str):
        if name in ("scenes", "hold_out"):  # a number to hold out is no file, whatever lies there
            if os.path.isfile(text) and not (name == "hold_out" and text.isdecimal()):
                yield Path(text)
        elif name == "ensembles":  # with the name that is shown before them, or not
            named = text if os.path.exists(text) else text.partition("=")[2]
            yield from [Path(named)] if os.path.exists(named) else ()
        elif name in ("target", "input"):  # of the sets, or elsewhere
            sets = [path for of in _SETS for path in _listed(arguments.get(of), Path)]
            places = [path / text for path in sets]
            places += [Path(text)] if Path(text).name != text else []
            yield from filter(os.path.isdir, places)


def _same(path: Path, other: Path) -> bool:
    """Tell whether two paths are of one file or folder, which need not be there yet."""
    if os.path.realpath(path) == os.path.realpath(other):
        return True
    # Not all file systems tell small letters from capitals.
    return os.path.exists(path) and os.path.exists(other) and os.path.samefile(path, other)


def is_in(path: Path, folder: Path) -> bool:
    """Tell whether a path is a folder or lies in it, at any depth."""
    real = Path(os.path.realpath(path))
    return any(_same(folder, place) for place in (real, *real.parents))


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in SUFFIXES


def _is_among(output: Path, folder: Path, *, is_set: bool) -> bool:
    """Tell whether an image, or a folder of them, lies among those of a folder, also by links.

    Beside the sub-folders of a set no image is read. Nor is what has another suffix, anywhere.
    """
    real = Path(os.path.realpath(output))
    if not (_is_image(real) or real.is_dir()):
        return False
    with os.scandir(folder) as entries:
        places = [Path(entry.path) for entry in entries if entry.is_dir()]
    places += [] if is_set else [folder]
    # All files are looked at only where one of them may be lost.
    places += _links_in(folder) if real.is_file() else []
    return any(is_in(real, place) for place in places)


def _links_in(folder: Path) -> Iterator[Path]:
    """Yield the links in a folder, at any depth."""
    for place, folders, files in os.walk(folder):
        yield from (path for name in (*folders, *files) if (path := Path(place, name)).is_symlink())
