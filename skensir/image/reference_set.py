"""A folder of images, one sub-folder a base model, read scene by scene."""

from __future__ import annotations

import copy
import os
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index as as_index
from pathlib import Path
from typing import Any

import numpy as np

from skensir.image.files import SUFFIXES, Image, read_image


@dataclass(frozen=True, eq=False)
class Scene:
    """What there is of one scene.

    Attributes
    ----------
    name : str
        The name of its files without the suffix.
    predictions : ndarray of shape (n_models, height, width) or (n_models, height, width, 3)
        In the order of the reference set's `models`.
    target : ndarray of shape (height, width) or (height, width, 3), or None
        The truth; None where the reference set has none.
    """

    name: str
    predictions: Image
    target: Image | None


class ReferenceSet(Sequence[Any]):
    """A folder of images: one sub-folder a base model, and one with the truth.

    Files belong to one scene if their names agree but for the suffix: ``MPRNet/0001.png`` and
    ``gt/0001.jpg``. Making a reference set lists the folders; an image is read when it is asked
    for and not kept, so one scene is in memory at a time. It is a sequence of scenes with the
    attributes `name`, `predictions` and `target`; a slice is a reference set of fewer scenes.

    Parameters
    ----------
    folder : str or path-like
        The folder. Hidden files and those of other formats than :func:`read_image` knows are
        passed over.
    models : sequence of str, default=None
        Names of the base models' sub-folders, in the order of the predictions. None takes all
        sub-folders, sorted, but those of `target` and `input`.
    target : str or None, default="gt"
        Name of the sub-folder with the truth. None is for predictions alone: there are no targets
        then, and a sub-folder ``gt`` still counts for no model.
    input : str, default="lq"
        Name of a sub-folder that is no base model, where the images before restoration lie. It
        need not exist and is never read.
    crop : bool, default=False
        Whether to cut images of different sizes to the part that they have in common at the top
        left, as some networks pad at the bottom and right. Otherwise such a scene is an error.

    Attributes
    ----------
    names : tuple of str
        Of the scenes, sorted with numbers by their value.
    models : tuple of str
        Of the base models.
    predictions : sequence of ndarray
        The predictions of each scene, read when asked for. It can be iterated over several times.
    targets : sequence of ndarray
        The truth of each scene, likewise.

    Raises
    ------
    OSError
        If `folder` is none, or a file cannot be opened.
    ValueError
        If sub-folders are missing or empty, if a scene is missing in some of them or twice in
        one; and, when a scene is read, if its images differ in size, in bit depth, or in being
        grey or RGB. The message names the files.

    See Also
    --------
    ImageEnsemble : Is fitted on `predictions` and `targets`.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skensir.image import ReferenceSet, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part in ("gt", "MPRNet", "Restormer"):
    ...         Path(folder, part).mkdir()
    ...         write_image(Path(folder, part, "0001.png"), np.zeros((4, 6, 3), np.uint8))
    ...     reference_set = ReferenceSet(folder)
    ...     scene = reference_set[0]
    >>> reference_set.models
    ('MPRNet', 'Restormer')
    >>> scene.name, scene.predictions.shape, scene.target.shape
    ('0001', (2, 4, 6, 3), (4, 6, 3))
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        models: Sequence[str] | None = None,
        target: str | None = "gt",
        *,
        input: str = "lq",
        crop: bool = False,
    ) -> None:
        self.folder = Path(folder)
        if not self.folder.is_dir():
            raise FileNotFoundError(f"{self.folder} is not a folder.")
        self.target = target
        self.crop = crop
        self.models = _choose_models(self.folder, models, no_models={target or "gt", input})
        if target in self.models:
            raise ValueError(f"models == {models!r} has the target {target!r} in it.")
        parts = self.models if target is None else (*self.models, target)
        if target is not None and not (self.folder / target).is_dir():
            raise ValueError(
                f"{self.folder} has no sub-folder {target!r} with the truth; pass its name as "
                "target, or target=None for predictions alone."
            )
        self._files = {part: list_scenes(self.folder / part) for part in parts}
        self.names = common_scenes({self.folder / part: self._files[part] for part in parts})

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return self.subset(self.names[index])
        name = self.names[as_index(index)]
        images = self._read(name, self._files)
        target = None if self.target is None else images.pop()
        return Scene(name, np.stack(images), target)

    def __repr__(self) -> str:
        return f"<ReferenceSet {self.folder}: {len(self)} scenes of {', '.join(self.models)}>"

    @property
    def predictions(self) -> _Part:
        """The predictions of each scene, read when asked for."""
        return _Part(self, "predictions")

    @property
    def targets(self) -> _Part:
        """The truth of each scene, read when asked for."""
        if self.target is None:
            raise ValueError(f"The reference set {self.folder} was made with target=None.")
        return _Part(self, "targets")

    def subset(self, names: Iterable[str]) -> ReferenceSet:
        """Return a reference set of some of the scenes.

        Parameters
        ----------
        names : iterable of str
            Names of scenes; their order is kept.

        Returns
        -------
        reference_set : ReferenceSet
            With these scenes only.

        Raises
        ------
        ValueError
            If there is no scene of a name.
        """
        chosen = copy.copy(self)
        chosen.names = (names,) if isinstance(names, str) else tuple(names)
        for name in chosen.names:
            if name not in self.names:
                raise ValueError(f"{self.folder} has no scene {name!r} in this reference set.")
        return chosen

    def _read_part(self, name: str, part: str) -> Image:
        """Return the predictions or the target of a scene, and read no more than it takes."""
        if part == "predictions":
            return np.stack(self._read(name, self.models))
        [image] = self._read(name, set(self._files).difference(self.models))
        return image

    def _read(self, name: str, folders: Iterable[str]) -> list[Image]:
        """Return a scene's images in some of the sub-folders."""
        # How much to cut off can only be known from all of them.
        paths = [self._files[folder][name] for folder in (self._files if self.crop else folders)]
        images = {path: read_image(path) for path in paths}
        images = common_part(images, self.crop)
        _check_depth(images)
        return [images[self._files[folder][name]] for folder in folders]


class _Part(Sequence[Any]):
    """The predictions, or the targets, of all scenes of a reference set."""

    def __init__(self, reference_set: ReferenceSet, part: str) -> None:
        self._reference_set = reference_set
        self._part = part
        self.names = reference_set.names
        self.models = reference_set.models

    def describe(self, index: int) -> str:
        """Name a scene and its files, for a sentence on what is wrong with it."""
        files = self._reference_set._files
        first, *_, last = [files[part][self.names[index]] for part in files] * 2
        return f"Scene {self.names[index]!r} ({first}, ..., {last})"

    def __len__(self) -> int:
        return len(self.names)

    def __getitem__(self, index: Any) -> Any:
        if isinstance(index, slice):
            return _Part(self._reference_set[index], self._part)
        return self._reference_set._read_part(self.names[as_index(index)], self._part)


def _natural(name: str) -> tuple[Any, ...]:
    """Return a key that sorts numbers within names by their value."""
    parts = re.split(r"([0-9]+)", name)
    # Nested, so that a name that ends is not compared with a number that goes on.
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def _choose_models(
    folder: Path, models: Sequence[str] | None, no_models: set[str]
) -> tuple[str, ...]:
    """Return the names of the base models' sub-folders."""
    found = sorted(
        (path.name for path in folder.iterdir() if path.is_dir() and path.name[0] != "."),
        key=_natural,
    )
    if models is None:
        models = [name for name in found if name not in no_models]
        if not models:
            raise ValueError(f"{folder} has no sub-folder of a base model.")
        return tuple(models)
    if isinstance(models, str) or not models or len(set(models)) < len(models):
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


def _check_depth(images: dict[Path, Image]) -> None:
    """Raise an error that names two files of whole numbers whose depths differ."""
    whole = [(path, image.dtype) for path, image in images.items() if image.dtype.kind == "u"]
    for path, dtype in whole[1:]:
        if dtype != whole[0][1]:
            raise ValueError(f"{path} is {dtype}, but {whole[0][0]} is {whole[0][1]}.")
