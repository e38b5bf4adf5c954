"""The scenes of `skensir predict`: each is read, combined and written by itself, whole."""

from __future__ import annotations

import hashlib
import os
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import NamedTuple
from zlib import crc32

from skensir import __version__
from skensir._files import opened, read_whole, remove_leftovers, whole_file
from skensir.cli.common import CommandError
from skensir.cli.interruption import Interruption
from skensir.image import ReferenceSet
from skensir.image.combining import CombinesImages
from skensir.image.files import SUFFIXES, encode_image
from skensir.image.scene_files import WEIGHT_MAPS
from skensir.image.seals import add_seal, has_seal, is_sealed
from skensir.image.strips import Combined, combine_scene

# Of the results; which of them one has is known when its scene is read.
_RESULTS = (".png", ".tif")
# Of a source, so much at the beginning and at the end is looked at to know it again.
_LOOKED_AT = 2**16


class Outcome(NamedTuple):
    """What became of a scene.

    Attributes
    ----------
    name : str
        Of the scene.
    files : tuple of Path
        Its results; none where it is left out.
    was_there : bool
        Whether they were there and whole.
    was_other : bool
        Whether there were others in their place, of another model, other options or sources, or
        damaged.
    error : str or None
        Why it is left out.
    """

    name: str
    files: tuple[Path, ...] = ()
    was_there: bool = False
    was_other: bool = False
    error: str | None = None


@dataclass(frozen=True)
class Prediction:
    """What is to be made of each scene, and where it goes.

    Attributes
    ----------
    ensemble, model : CombinesImages and Path
        What combines, and the file that it is from.
    scenes : ReferenceSet
        What is read.
    output : Path
        The folder for the results.
    bits, weight_maps, resume, keep_going
        As `skensir predict` has them.
    interruption : Interruption
        Is asked between reading, combining and writing.
    done : list of str
        The scenes whose results are there, in the order they came.
    """

    ensemble: CombinesImages
    model: Path
    scenes: ReferenceSet
    output: Path
    bits: int | None
    weight_maps: bool
    resume: bool
    keep_going: bool
    interruption: Interruption
    done: list[str] = field(default_factory=list)

    def prepare(self) -> None:
        """Remove what killed runs left unfinished, and see that nothing is in the way."""
        names = self.scenes.names
        paths = [path for name in names for path in (*self._images(name), *self._maps(name))]
        there = [path for path in paths if path.exists()]
        for path in there:
            if path.is_dir():
                raise CommandError(f"{path} is a folder, where an image is to be written.")
        if there:
            self._check_apart(there)
        for folder in {path.parent for path in paths}:
            remove_leftovers(folder)

    def _check_apart(self, there: list[Path]) -> None:
        """Raise an error if what would be replaced is read, by a link or in a folder of both."""
        sources = [file for name in self.scenes.names for file in self._sources(name)]
        read = {_identity(file): file for file in (self.model, *sources) if file.exists()}
        for path in there:
            if file := read.get(_identity(path)):
                raise CommandError(
                    f"{path} would replace {file}, which is read; name another folder."
                )

    def combine(self, name: str) -> Outcome:
        """Combine a scene and write the result, its image at last: where it is, all is."""
        self.interruption.check()
        try:
            seal = self._seal(name)
            if self.resume and (there := self._find(name, seal)):
                self.done.append(name)
                return Outcome(name, there, was_there=True)
            combined = self._read_and_combine(name)
        except (ValueError, OSError) as error:
            if not self.keep_going:
                raise
            return Outcome(name, error=say(error))
        self.interruption.check()
        was_other = self.resume and any(path.exists() for path in self._images(name))
        files = self._write(name, combined, seal)
        self.done.append(name)
        return Outcome(name, files, was_other=was_other)

    def others(self, files: set[Path]) -> list[Path]:
        """Return the images in the folder for results that are not among the files."""
        found = (path for path in self.output.rglob("[!.]*") if path.suffix.lower() in SUFFIXES)
        return sorted(set(found) - files)

    @cached_property
    def _digest(self) -> hashlib._Hash:
        """The digest of what all scenes have in common."""
        said = f"{__version__} {self.bits} {self.scenes.crop} "
        return hashlib.sha256(said.encode() + read_whole(self.model))

    def remove_empty_folders(self) -> None:
        """Remove the folder for results and those in it where nothing was written."""
        inside = (path for path in self.output.rglob("*") if path.is_dir())
        for folder in (*sorted(inside, reverse=True), self.output):
            with suppress(OSError):  # one that is not empty
                folder.rmdir()

    def _images(self, name: str) -> tuple[Path, ...]:
        return tuple(self.output / f"{name}{suffix}" for suffix in _RESULTS)

    def _maps(self, name: str) -> tuple[Path, ...]:
        if not self.weight_maps:
            return ()
        folder = self.output / WEIGHT_MAPS
        return tuple(folder / model / f"{name}.png" for model in self.ensemble.model_names_ or ())

    def _sources(self, name: str) -> list[Path]:
        files = [self.scenes._files[model][name] for model in self.scenes.models]
        if self.ensemble.include_input:
            files.append((self.scenes._input_files or {})[name])
        return files

    def _seal(self, name: str) -> str:
        """Return what tells the results of a scene from those of another model or source."""
        digest = self._digest.copy()
        digest.update(os.fsencode(name))
        for path in self._sources(name):
            digest.update(_ends_of(path))
        return digest.hexdigest()[:32]

    def _find(self, name: str, seal: str) -> tuple[Path, ...] | None:
        """Return the results of a scene if all of them are there, whole and up to date."""
        newest = max(path.stat().st_mtime_ns for path in self._sources(name))
        for image in self._images(name):
            files = (*self._maps(name), image)
            if all(has_seal(path, seal) and path.stat().st_mtime_ns >= newest for path in files):
                return files
        return None

    def _read_and_combine(self, name: str) -> Combined:
        images = self.scenes.subset([name]).predictions
        inputs = images.inputs if self.ensemble.include_input else None
        checked = self.ensemble._images_to_predict(images, inputs)
        [(prediction, _)] = checked
        self.interruption.check()
        return combine_scene(self.ensemble, prediction, self.bits, weight_maps=self.weight_maps)

    def _write(self, name: str, combined: Combined, seal: str) -> tuple[Path, ...]:
        """Write the results of a scene, and remove earlier ones of the other format."""
        maps = () if combined.weight_maps is None else combined.weight_maps
        png, tif = self._images(name)
        image, former = (png, tif) if combined.image.dtype.kind == "u" else (tif, png)
        files = (*self._maps(name), image)
        pixels = dict(zip(files, (*maps, combined.image), strict=True))
        with ExitStack() as renaming:  # once all of the scene is on the disk, the image at last
            for path in reversed(files):
                path.parent.mkdir(parents=True, exist_ok=True)
                file = renaming.enter_context(whole_file(path, flushed=False))
                file.write(add_seal(encode_image(path, pixels[path]), seal))
                file.flush()
        if is_sealed(former):  # or else this would be one scene twice
            former.unlink()
        return files


def _identity(path: Path) -> tuple[int, int]:
    """Return what a file has in common with none but links to it."""
    found = path.stat()
    return found.st_dev, found.st_ino


def _ends_of(path: Path) -> bytes:
    """Return what a file is known by again: its size, and a checksum of both of its ends."""
    with opened(path) as file:
        size = os.fstat(file.fileno()).st_size
        first = crc32(file.read(_LOOKED_AT))
        file.seek(max(0, size - _LOOKED_AT))
        return f" {size} {first} {crc32(file.read())}".encode()


def say(error: Exception) -> str:
    """Return what is wrong with a scene in one line."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename}: {error.strerror}."
    return " ".join(str(error).split())
