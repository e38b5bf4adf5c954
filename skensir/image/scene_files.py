"""Which files of several folders belong to one scene, and whether their images fit together."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from skensir.image.files import SUFFIXES, Image


def _natural(name: str) -> tuple[Any, ...]:
    """Return a key that sorts numbers within names by their value."""
    parts = re.split(r"([0-9]+)", name)
    # Nested, so that a name that ends is not compared with a number that goes on.
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def choose_models(folder: Path, models: Sequence[str] | None, others: set[str]) -> tuple[str, ...]:
    """Return the names of the base models' sub-folders; None takes all but `others`."""
    found = [path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."]
    found.sort(key=_natural)
    if models is None:
        models = [name for name in found if name not in others]
        if not models:
            raise ValueError(f"{folder} has no sub-folder of a base model.")
    elif isinstance(models, str) or not models or len(set(models)) < len(models):
        raise ValueError(f"models == {models!r}, must be a list of different names.")
    for name in models:
        if Path(name).name != name or name == "..":
            raise ValueError(f"models has {name!r}, must be names of sub-folders of {folder}.")
        if not (folder / name).is_dir():
            raise ValueError(
                f"{folder} has no sub-folder {name!r}, named in models; it has "
                f"{', '.join(found) or 'none'}."
            )
    return tuple(models)


def list_scenes(folder: Path) -> dict[str, Path]:
    """Return the image files of a folder by the name of their scene."""
    files: dict[str, Path] = {}
    for path in sorted(folder.iterdir()):
        if path.name.startswith(".") or path.suffix.lower() not in SUFFIXES or path.is_dir():
            continue
        if path.stem in files:
            raise ValueError(f"{path} and {files[path.stem].name} beside it are one scene twice.")
        files[path.stem] = path
    if not files:
        raise ValueError(f"{folder} has no image that ends in one of {', '.join(SUFFIXES)}.")
    return files


def common_scenes(files: dict[Path, dict[str, Path]]) -> tuple[str, ...]:
    """Return the names of the scenes, which must be the same in all folders."""
    owners = {name: folder for folder in files for name in files[folder]}
    for name in sorted(owners, key=_natural):
        for folder, of_folder in files.items():
            if name not in of_folder:
                raise ValueError(
                    f"{folder} has no image of the scene {name!r}, of which there is "
                    f"{files[owners[name]][name]}."
                )
    return tuple(sorted(owners, key=_natural))


def common_part(images: dict[Path, Image], crop: bool) -> dict[Path, Image]:
    """Return images of one size, cut to what they have in common if that is asked for.

    An error names two files that do not fit together.
    """
    (first_path, first), *others = images.items()
    for path, image in others:
        if image.ndim != first.ndim:
            grey, colour = (path, first_path) if image.ndim == 2 else (first_path, path)
            raise ValueError(f"{grey} is grey, but {colour} is not.")
        if image.shape != first.shape and not crop:
            sizes = [" x ".join(map(str, part.shape[:2])) for part in (image, first)]
            raise ValueError(
                f"{path} has {sizes[0]} pixels, but {first_path} has {sizes[1]}; pass crop=True "
                "to keep the top left part that they have in common."
            )
    height, width = (min(image.shape[axis] for image in images.values()) for axis in (0, 1))
    return {path: image[:height, :width] for path, image in images.items()}
