"""Which sub-folders and files make up a set of images, and whether its images fit together."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from skensir._checks import check_mapping, check_text, in_one_line, shown
from skensir._text import sizes
from skensir._warn import warn_user
from skensir.image.files import SUFFIXES, Image
from skensir.image.scene_names import (
    composed,
    missing_scenes,
    name_scenes,
    natural_order,
    scene_pattern,
)

# What a folder of images has beside them: the weights that `skensir predict` writes.
WEIGHT_MAPS = "weight_maps"

_NO_IMAGE = "has no image of a format that is read"

# The files of folders by the names of their scenes.
FilesOfFolders: TypeAlias = dict[Path, dict[str, Path]]


def list_files(folder: Path) -> dict[str, Path]:
    """Return the image files in a folder and those below it, by their paths without the suffix.

    Hidden files and folders and those of other formats are passed over. Links are followed, but
    not in circles. A folder that cannot be listed is an error: it may hold a base model.
    """
    files: dict[str, Path] = {}
    seen = set()
    for place, folders, names in os.walk(folder, onerror=_refuse, followlinks=True):
        parent = Path(place)
        above = "" if parent == folder else f"{parent.relative_to(folder).as_posix()}/"
        real = os.path.realpath(place)
        folders[:] = sorted(name for name in folders if name[0] != "." and real not in seen)
        if not above and WEIGHT_MAPS in folders:
            folders.remove(WEIGHT_MAPS)
        for name in sorted(names) if real not in seen else ():
            stem, suffix = os.path.splitext(name)
            if name[0] == "." or suffix.lower() not in SUFFIXES:
                continue
            path, key = parent / name, composed(above + stem)
            if key in files:
                raise ValueError(f"{path} and {files[key].name} beside it are one scene twice.")
            files[key] = path
        seen.add(real)
    return files


def _refuse(error: OSError) -> None:
    """Raise what `os.walk` would pass over."""
    raise error


def _list_scenes(folder: Path, pattern: str | None) -> tuple[dict[str, Path], str]:
    """Return what `list_files` does, or the files that fit to a pattern by their scenes.

    If there is none, a clause says why.
    """
    files = list_files(folder)
    if not files:
        return {}, _NO_IMAGE
    if pattern is not None:
        scene_of = scene_pattern(pattern)
        files = {scene: file for path, file in files.items() if (scene := scene_of(path))}
    return files, f"has no image whose name fits to the pattern {in_one_line(str(pattern))}"


def patterns_by_folder(
    folder: Path, models: Sequence[str], pattern: str | Mapping[str, str] | None
) -> dict[Path, str]:
    """Return the patterns of sub-folders, of which a single one is for all base models."""
    if pattern is None:
        return {}
    if isinstance(pattern, str):
        return {folder / name: pattern for name in models}
    for name, text in check_mapping(pattern, "pattern", "of patterns by sub-folder").items():
        if not (folder / check_text(name, "a key of pattern")).is_dir():
            raise ValueError(f"pattern is for {shown(name)}, but {folder} has no such sub-folder.")
        check_text(text, f"pattern[{name!r}]")
    return {folder / name: text for name, text in pattern.items()}


def find_scenes(
    folders: Sequence[Path],
    patterns: Mapping[Path, str] | None = None,
    optional: Collection[Path] = (),
) -> tuple[FilesOfFolders, dict[Path, str]]:
    """Return the files of folders by the names of their scenes, and which folders are left out.

    Parameters
    ----------
    folders : sequence of Path
        The first gives the scenes their names, but for what all of its files add to those of the
        others.
    patterns : mapping of Path to str, default=None
        Of some folders, what `skensir.image.scene_names.scene_pattern` takes. Files that do not
        fit are passed over.
    optional : collection of Path
        Those that are left out if there is no image of any scene in them, nor as many images as
        there are scenes. Otherwise that is an error.

    Returns
    -------
    files : dict of Path to dict of str to Path
        Scenes may be missing in some of them.
    left_out : dict of Path to str
        Why, in a clause.
    """
    patterns = patterns or {}
    listed: FilesOfFolders = {}
    left_out: dict[Path, str] = {}
    for folder in folders:
        files, reason = _list_scenes(folder, patterns.get(folder))
        if files:
            listed[folder] = files
        elif folder in optional:
            left_out[folder] = reason
        else:
            suffixes = f" ({', '.join(SUFFIXES)})" if reason is _NO_IMAGE else ""
            raise ValueError(f"{folder} {reason}{suffixes}.")
    return _name_or_leave_out(listed, left_out, patterns, optional), left_out


def add_folder(scenes: FilesOfFolders, folder: Path, pattern: str | None = None) -> dict[str, Path]:
    """Return the files of one more folder by the names of the scenes of the others."""
    first = next(iter(scenes))
    files, reason = _list_scenes(folder, pattern)
    if not files:
        raise ValueError(f"{in_one_line(str(folder))} {reason}.")
    listed = {first: scenes[first], folder: files}
    fixed = [first] if pattern is None else [first, folder]
    return _name_or_leave_out(listed, {}, fixed, ())[folder]


def _name_or_leave_out(
    listed: FilesOfFolders,
    left_out: dict[Path, str],
    fixed: Collection[Path],
    optional: Collection[Path],
) -> FilesOfFolders:
    """Return the files by the names of their scenes; note the folders without any of them."""
    named = name_scenes(listed, fixed) if listed else {}
    for folder in listed:
        if folder not in named:
            first = next(iter(listed))
            own, other = (next(iter(listed[part])) for part in (folder, first))
            kind = "scenes like" if folder in fixed else "names like"
            reason = f"has no image of a scene of {first.name}: there are {kind} {own}, and names "
            reason += f"like {other} in {first.name}"
            if folder not in optional or len(listed[folder]) >= len(listed[first]):
                is_chosen = "; models=NAMES leaves it out" if folder in optional else ""
                raise ValueError(
                    f"{folder} {reason}; pattern=GLOB, such as '*_x4', tells the scene from the "
                    f"name{is_chosen}."
                )
            left_out[folder] = reason
    return named


def common_scenes(files: FilesOfFolders, *, common: bool = False) -> tuple[str, ...]:
    """Return the names of the scenes, sorted; those that some folder lacks only if not `common`."""
    lacking = dict(missing_scenes(files))
    names = {name for of_folder in files.values() for name in of_folder}
    shared = names.difference(lacking)
    if lacking and common and shared:
        some = ", ".join(list(lacking)[:3]) + (", ..." if len(lacking) > 3 else "")
        warn_user(
            f"{len(lacking)} of {len(names)} scenes are passed over, as some folders lack them: "
            f"{some}.",
            UserWarning,
        )
    if lacking and not (common and shared):
        name, folder = next(iter(lacking.items()))
        owner = next(of_folder[name] for of_folder in files.values() if name in of_folder)
        n_missing = len(names.difference(files[folder]))
        remedy = f"; common=True keeps the {len(shared)} that all folders have" if shared else ""
        raise ValueError(
            f"{folder} has no image of the scene {name!r}, of which there is {owner}, and lacks "
            f"{n_missing} of {len(names)} scenes{remedy}."
        )
    return tuple(sorted(shared, key=natural_order))


def common_part(images: dict[Path, Image], crop: bool) -> dict[Path, Image]:
    """Return images of one size, cut to what they have in common if that is asked for.

    An error names two files that do not fit together.
    """
    (first_path, first), *others = images.items()
    for path, image in others:
        if image.shape[:2] != first.shape[:2] and not crop:
            remedy = "crop=True keeps the top left part that they have in common"
            if max(image.shape[0], first.shape[0]) >= 2 * min(image.shape[0], first.shape[0]):
                remedy = "input=NAME says which sub-folder has the images before restoration"
            raise ValueError(
                f"{path} has {sizes(image.shape[:2])} pixels, but {first_path} has "
                f"{sizes(first.shape[:2])}; {remedy}."
            )
    height, width = (min(image.shape[axis] for image in images.values()) for axis in (0, 1))
    return {path: image[:height, :width] for path, image in images.items()}
