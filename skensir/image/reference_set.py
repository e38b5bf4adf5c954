"""A folder of images with one sub-folder per base model, read scene by scene."""

from __future__ import annotations

import copy
import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self, SupportsIndex, overload

import numpy as np

from skensir._checks import check_flag, check_names, check_path, shown
from skensir._text import bits
from skensir._warn import warn_user
from skensir.image.colour import Colour
from skensir.image.files import Image, read_image
from skensir.image.inputs import find_mismatch
from skensir.image.metrics import peak_of
from skensir.image.progress import side_by_side
from skensir.image.scale import check_scale
from skensir.image.scene_files import (
    add_folder,
    common_part,
    common_scenes,
    find_scenes,
    patterns_by_folder,
)
from skensir.image.scene_names import match_names, natural_order
from skensir.image.sub_folders import find_sub_folders


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


class ReferenceSet(Sequence[Scene]):
    """A folder of images: one sub-folder per base model, and one with the truth.

    Files belong to one scene if their paths in the sub-folders agree, but for the suffix and for
    what all files of a sub-folder add to the name: ``MPRNet/0001_MPRNet.png``, ``gt/0001.jpg``;
    ``MPRNet/clip/00000001.png``, ``gt/clip/00000001.png``. Making a reference set lists the
    folders; an image is read when it is asked for and not kept, so one scene is in memory at a
    time. It is a sequence of scenes with the attributes `name`, `predictions` and `target`; a
    slice is a reference set of fewer scenes.

    Parameters
    ----------
    folder : str or path-like
        The folder. Hidden files and those of other formats than :func:`read_image` knows are
        passed over, and so are the weights that ``skensir predict`` writes.
    models : sequence of str, default=None
        Names of the base models' sub-folders, in the order of the predictions. None takes all
        sub-folders, sorted, but those of the truth and the input. One without any image of the
        scenes is left out, with a warning.
    target : str or None, default="auto"
        Name of the sub-folder with the truth, or the path of another folder, which counts from
        `folder` unless it is absolute. "auto" finds ``gt``, ``GT``, ``target``, ``sharp``,
        ``HR`` and other usual names. None is for predictions alone: there are no targets then, and
        a sub-folder with such a name still does not count as a model.
    input : str, default="auto"
        Name of the sub-folder with the images before restoration, or a path likewise. It is not
        one of the base models. "auto" finds ``lq``, ``input``, ``blur``, ``LR`` and other usual
        names. It need not exist, and is read for `inputs` only.
    crop : bool, default=False
        Whether to cut predictions and truth of different sizes to the part that they have in
        common at the top left, as some networks pad at the bottom and right. Otherwise such a
        scene is an error.
    common : bool, default=False
        Whether to pass over scenes that some sub-folders lack. Otherwise they are an error.
    pattern : str or mapping of str to str, default=None
        Where scenes stand in the names of files, for those that are not recognised: ``"*_x4"``
        finds scene ``0001`` in ``0001_x4.png``, and ``"*/sharp/*"`` finds ``clip/1`` in
        ``clip/sharp/1.png``. A string is for all base models, a mapping gives sub-folders their
        patterns. Files that do not fit are passed over.

    Attributes
    ----------
    names : tuple of str
        Of the scenes, sorted with numbers by their value: the path in the sub-folder of the truth,
        or of the first base model, without suffix and additions.
    models : tuple of str
        Of the base models.
    predictions : sequence of ndarray
        The predictions of each scene, read when asked for. It can be iterated over several times.
    targets : sequence of ndarray
        The truth of each scene, likewise.
    inputs : sequence of ndarray
        The images before restoration, likewise. They may have another size or depth than the
        predictions. An error where the sub-folder or a scene in it is missing.

    Raises
    ------
    OSError
        If `folder` is not a folder, or a file cannot be opened.
    ValueError
        If sub-folders are missing or empty, if a scene is missing in some of them or twice in
        one; and, when a scene is read, if its images differ in size or in bit depth. The message
        names the files.

    See Also
    --------
    ImageEnsemble : Is fitted on `predictions` and `targets`, and on `inputs` if you like.

    Notes
    -----
    Where some images are grey and others RGB, the grey ones are repeated in three channels, with a
    warning. Only a set of which all images are grey is one of grey images, which its first scene
    cannot tell: all images of such a set are looked at once before.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from skensir.image import ReferenceSet, write_image
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     for part, file in {"gt": "1.png", "MPRNet": "1_MPRNet.png", "MAXIM": "1.png"}.items():
    ...         Path(folder, part).mkdir()
    ...         write_image(Path(folder, part, file), np.zeros((4, 6, 3), np.uint8))
    ...     reference_set = ReferenceSet(folder)
    ...     scene = reference_set[0]
    >>> reference_set.models
    ('MAXIM', 'MPRNet')
    >>> scene.name, scene.predictions.shape, scene.target.shape
    ('1', (2, 4, 6, 3), (4, 6, 3))
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        models: Sequence[str] | None = None,
        target: str | None = "auto",
        *,
        input: str = "auto",
        crop: bool = False,
        common: bool = False,
        pattern: str | Mapping[str, str] | None = None,
    ) -> None:
        self.folder = check_path(folder, "folder")
        for flag, name in ((crop, "crop"), (common, "common")):
            check_flag(flag, name)
        self.crop = crop
        sub_folders = find_sub_folders(self.folder, models, target, input)
        chosen, self.target, self.input, passed_over = sub_folders
        self._patterns = patterns_by_folder(self.folder, chosen, pattern)
        # The truth names the scenes; models that were not named may turn out to be none.
        parts = chosen if self.target is None else (self.target, *chosen)
        optional = [] if models is not None else [self.folder / name for name in chosen]
        folders = [self.folder / part for part in parts]
        files, left_out = find_scenes(folders, self._patterns, optional)
        self.models = tuple(name for name in chosen if self.folder / name in files)
        if not self.models:
            path, reason = next(iter(left_out.items()))
            raise ValueError(
                f"{self.folder} has no sub-folder of a base model: {path} {reason}; "
                "pattern=GLOB, such as '*_x4', tells the scene from the name."
            )
        for name in passed_over:
            those = " and ".join(filter(None, (self.target, self.input)))
            left_out[self.folder / name] = (
                f"has a name of truth or of images before restoration, which are in {those}"
            )
        for path, reason in left_out.items():
            warn_user(f"{path} is left out, as it {reason}.", UserWarning)
        self.names = common_scenes(files, common=common)
        parts = self.models if self.target is None else (*self.models, self.target)
        self._files = {part: files[self.folder / part] for part in parts}
        self._input_files: dict[str, Path] | None = None
        self._kept: dict[str, dict[Path, Image]] = {}
        self._sizes: dict[str, tuple[int, ...]] = {}  # of what all images of a scene have in common
        # Of the whole set, whatever part of it a subset is.
        self._colour = Colour(
            [files[name] for files in self._files.values() for name in self.names]
        )

    def __len__(self) -> int:
        return len(self.names)

    @overload
    def __getitem__(self, index: SupportsIndex) -> Scene: ...

    @overload
    def __getitem__(self, index: slice) -> Self: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Scene | Self:
        if isinstance(index, slice):
            return self.subset(self.names[index])
        name = self.names[index]
        images = self._read(name, self._files)
        target = None if self.target is None else images.pop()
        return Scene(name, np.stack(images), target)

    def __repr__(self) -> str:
        return f"<ReferenceSet {self.folder}: {len(self)} scenes of {', '.join(self.models)}>"

    @property
    def predictions(self) -> Images:
        """The predictions of each scene, read when asked for."""
        return Images(self, "predictions")

    @property
    def targets(self) -> Images:
        """The truth of each scene, read when asked for."""
        if self.target is None:
            raise ValueError(
                f"The reference set {self.folder} was made without truth (target=None)."
            )
        return Images(self, "targets")

    @property
    def has_inputs(self) -> bool:
        """Whether there is a sub-folder of images before restoration."""
        return (self.folder / self.input).is_dir()

    @property
    def inputs(self) -> Images:
        """The images before restoration of each scene, read when asked for."""
        folder = self.folder / self.input
        if self._input_files is None:
            if not self.has_inputs:
                raise ValueError(
                    f"{self.folder} has no sub-folder {self.input!r} with the images before "
                    "restoration; input=NAME says which it is, or fit with include_input=False."
                )
            self._input_files = self.files_in(folder)
        for name in self.names:
            if name not in self._input_files:
                raise ValueError(
                    f"{folder} has no image of the scene {name!r}, of which there is "
                    f"{self._files[self.models[0]][name]}; add it, or fit with "
                    "include_input=False."
                )
        return Images(self, "inputs")

    def why_without_input(self) -> str | None:
        """Say why the inputs cannot be combined with the predictions, None if they can.

        Reads the input and one prediction of each scene, up to the first that does not fit.

        Returns
        -------
        reason : str or None
            A clause, such as that there is no sub-folder, or in which scene the sizes differ.
        """
        try:
            inputs = self.inputs
        except ValueError as error:
            return str(error).partition(";")[0].rstrip(".")
        for name, image in zip(self.names, inputs, strict=True):
            mismatch = find_mismatch(image, *self._read(name, self.models[:1]))
            if mismatch is not None:
                return f"in scene {name!r} {mismatch}"
        return None

    def subset(self, names: str | Iterable[str]) -> Self:
        """Return a reference set of some of the scenes.

        Parameters
        ----------
        names : str or iterable of str
            Names of scenes, whose order is kept; of clips, for all scenes in them; or patterns of
            ``*``, ``?`` and ``[...]``.

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
        given = [names] if isinstance(names, str) else check_names(names, "names")
        chosen.names = tuple(n for one in given for n in match_names(self.names, one) or [one])
        for name in chosen.names:
            if name not in self.names:
                raise ValueError(f"{self.folder} has no scene {shown(name)} in this reference set.")
        return chosen

    def files_in(self, folder: Path) -> dict[str, Path]:
        """Return the image files of one more folder by the names of the scenes of this set.

        Parameters
        ----------
        folder : Path
            Such as one of results. Its files may add to the names of the scenes.

        Returns
        -------
        files : dict of str to Path
            Scenes may be missing, and others be there.

        Raises
        ------
        ValueError
            If there is no image of any scene.
        """
        files = {self.folder / part: files for part, files in self._files.items()}
        return add_folder(files, check_path(folder, "folder"), self._patterns.get(folder))

    @property
    def all_names(self) -> tuple[str, ...]:
        """The names of all scenes of which some sub-folder has an image, sorted."""
        names = {name for files in self._files.values() for name in files}
        return tuple(sorted(names, key=natural_order))

    def in_colour(self) -> Self:
        """Return the same set in RGB: grey images are repeated in three channels.

        That is for a set of grey images alone, beside an ensemble that was fitted on RGB. A set
        that has images of both kinds is in RGB already.

        Returns
        -------
        reference_set : ReferenceSet
            Whose images have the shape (height, width, 3).
        """
        chosen = copy.copy(self)
        chosen._colour = Colour((), True, "the ensemble is for RGB")
        return chosen

    def _read_part(self, name: str, part: str) -> Image:
        """Return the predictions, target or input of a scene, and read no more than it takes."""
        if part == "predictions":
            return np.stack(self._read(name, self.models))
        if part == "inputs":
            return self._read_input(name)
        [image] = self._read(name, set(self._files).difference(self.models))
        return image

    def _read_input(self, name: str) -> Image:
        """Return the input of a scene, cut where the other images are."""
        path = (self._input_files or {})[name]
        image = self._colour.in_common({path: read_image(path)}, read_image)[path]
        if self.crop:
            if name not in self._sizes:
                self._read(name, ())
            height, width = self._sizes[name]
            image = image[:height, :width]
        return image

    def _read(self, name: str, folders: Iterable[str]) -> list[Image]:
        """Return a scene's images in some of the sub-folders."""
        asked = [self._files[folder][name] for folder in folders]
        images = self._kept.pop(name, {})
        if not images or any(path not in images for path in asked):
            # How much to cut off can only be known from all of them.
            everything = [files[name] for files in self._files.values()]
            images = self._read_together(everything if self.crop else asked)
        if self.crop:  # what was read is not read again where it is asked for next
            self._sizes[name] = next(iter(images.values())).shape[:2]
            self._kept.clear()
            self._kept[name] = {path: images[path] for path in images if path not in asked}
        return [images[path] for path in asked]

    def _read_together(self, paths: Sequence[Path]) -> dict[Path, Image]:
        """Return images of one size and depth, in as many channels as the set has."""
        images = dict(zip(paths, side_by_side(read_image, paths), strict=True))
        images = common_part(images, self.crop)
        whole = [(path, image.dtype) for path, image in images.items() if image.dtype.kind == "u"]
        for path, image in images.items() if whole else ():
            check_scale(image, str(path), peak_of(whole[0][1]))
        for path, dtype in whole[1:]:
            if dtype != whole[0][1]:
                raise ValueError(
                    f"{path} is {bits(dtype)}, but {whole[0][0]} is {bits(whole[0][1])}."
                )
        return self._colour.in_common(images, read_image)


class Images(Sequence[Image]):
    """The predictions, the targets or the inputs of all scenes of a reference set.

    An image is read when it is asked for and not kept, so they can be iterated over several times.
    A slice is of the same kind. `names` are those of the scenes, `models` those of the base models,
    and `part` is which of the three it is.
    """

    def __init__(
        self,
        reference_set: ReferenceSet,
        part: str,
        functions: tuple[Callable[[Images], Iterable[Image]], ...] = (),
    ) -> None:
        self._reference_set = reference_set
        self.part = part
        self._functions = functions
        self.names = reference_set.names
        self.models = reference_set.models

    @property
    def inputs(self) -> Images:
        """The inputs of the same scenes."""
        return self._reference_set.inputs

    def through(self, function: Callable[[Images], Iterable[Image]]) -> Images:
        """Return the same images, passed through a function as they are read.

        Each iteration calls the function anew: with these images, for an iterable of as many. For
        one image to be in memory at a time, it forgets each before it asks for the next.
        """
        return Images(self._reference_set, self.part, (*self._functions, function))

    def describe(self, index: int) -> str:
        """Name a scene and its files, for a sentence on what is wrong with it."""
        name = self.names[index]
        first, *_, last = [files[name] for files in self._reference_set._files.values()] * 2
        return f"Scene {name!r} ({first}, ..., {last})"

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[Image]:
        if not self._functions:
            return (self._reference_set._read_part(name, self.part) for name in self.names)
        *before, last = self._functions
        return iter(last(Images(self._reference_set, self.part, tuple(before))))

    @overload
    def __getitem__(self, index: SupportsIndex) -> Image: ...

    @overload
    def __getitem__(self, index: slice) -> Images: ...

    def __getitem__(self, index: SupportsIndex | slice) -> Image | Images:
        chosen = self._reference_set.subset(self.names[index])
        images = Images(chosen, self.part, self._functions)
        if isinstance(index, slice):
            return images
        [image] = images
        return image
