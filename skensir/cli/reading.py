"""Which folders, files and scenes a command reads, from the options that say so."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from inspect import signature
from pathlib import Path
from typing import Any

from skensir.cli.common import CommandError
from skensir.image import ReferenceSet
from skensir.image.files import SUFFIXES
from skensir.image.scene_files import FilesOfFolders, common_scenes, find_scenes
from skensir.image.scene_names import composed, match_names, natural_order

CROP = {
    "--crop": "cut outputs and truth of a scene that differ in size to their common top left part"
}
INPUT = {
    "--input NAME": "sub-folder with the images before restoration (default: lq, input, blur, LR "
    "or another usual name)",
}
NAMES = {
    "--suffix TEXT": "what the files of the base models have after the name of the scene, such as "
    "_x4 (default: what all files of a folder have there)",
    "--pattern PATTERN": "where scenes stand in the names of files, such as '*_x4', or for one "
    "sub-folder 'gt=*_HR'; files that do not fit are passed over",
}
SCENES = {
    "--common": "pass over scenes that some folders lack",
    "--scenes FILE|GLOB": "only these scenes: a file with a name in each line, or a pattern such "
    "as 'clip1/*'",
}
HOLD_OUT = {
    "--hold-out N|GLOB": "scenes to measure on, which are not fitted on: a number of them, evenly "
    "spaced in their sorted list, or a pattern as for --scenes",
}
READING = {
    "--models NAME": "sub-folders of the base models, in this order (default: all but those of the "
    "truth and the input, sorted)",
    "--target NAME": "sub-folder with the truth (default: gt, target, sharp, HR or another usual "
    "name)",
    **INPUT,
    **NAMES,
    **SCENES,
    **CROP,
}


def open_set(
    folder: Path,
    *,
    models: list[str] | None = None,
    target: str | None = "auto",
    input: str = "auto",
    crop: bool = False,
    common: bool = False,
    suffix: str | None = None,
    pattern: list[str] | None = None,
    scenes: str | None = None,
) -> ReferenceSet:
    """Return the set of images that the options ask for.

    Parameters
    ----------
    folder, models, target, input, crop, common
        As in `skensir.image.ReferenceSet`.
    suffix : str, default=None
        What stands after the name of the scene in the base models' files.
    pattern : list of str, default=None
        One pattern for the files of all base models, or patterns of sub-folders: ``gt=*_HR``.
    scenes : str, default=None
        As in `choose_scenes`.
    """
    settings: dict[str, Any] = {"input": input, "crop": crop}
    settings["pattern"] = read_pattern(suffix, pattern)
    if scenes is None:
        return ReferenceSet(folder, models, target, common=common, **settings)
    with warnings.catch_warnings():
        # What others lack does not matter where it is not asked for.
        warnings.filterwarnings("ignore", message=".* scenes are passed over")
        images = ReferenceSet(folder, models, target, common=True, **settings)
    return images.subset(_complete(choose_scenes(images.all_names, scenes), images.names, common))


def _complete(chosen: Sequence[str], complete: Sequence[str], common: bool) -> tuple[str, ...]:
    """Return the chosen scenes that all folders have; the others are an error if not `common`."""
    lacking = [name for name in chosen if name not in complete]
    if lacking and (not common or len(lacking) == len(chosen)):
        raise CommandError(
            f"{len(lacking)} of the {len(chosen)} scenes that --scenes chooses are not in all "
            f"folders, such as {lacking[0]}; --common passes over them."
        )
    return tuple(name for name in chosen if name in complete)


def open_folders(
    folders: Sequence[Path],
    *,
    common: bool = False,
    scenes: str | None = None,
    hold_out: str | None = None,
    suffix: str | None = None,
    pattern: list[str] | None = None,
) -> tuple[FilesOfFolders, tuple[str, ...]]:
    """Return the files of folders of images by the names of scenes, and the scenes asked for.

    Parameters
    ----------
    folders : sequence of Path
        The first has the truth.
    common : bool, default=False
        Whether to pass over scenes that some folders lack.
    scenes : str, default=None
        As in `choose_scenes`.
    hold_out : str, default=None
        As in `split_names`; these are asked for.
    suffix, pattern
        As in `open_set`, with a folder's own name for that of a sub-folder. One for all is not for
        the truth.
    """
    given = read_pattern(suffix, pattern)
    named = {folder.name: folder for folder in folders}
    if isinstance(given, str):
        given = dict.fromkeys((folder.name for folder in folders[1:]), given)
    for name in given or ():
        if name not in named:
            raise CommandError(f"--pattern is for {name}, but the folders are {', '.join(named)}.")
    patterns = {named[name]: pattern for name, pattern in (given or {}).items()}
    files, _ = find_scenes(folders, patterns)
    if scenes is None:
        names = common_scenes(files, common=common)
    else:
        there = [set(of_folder) for of_folder in files.values()]
        every = sorted(set().union(*there), key=natural_order)
        names = _complete(choose_scenes(every, scenes), list(set.intersection(*there)), common)
    if hold_out is not None:
        _, names = split_names(names, hold_out)
    return files, names


def reading_options(options: dict[str, Any]) -> dict[str, Any]:
    """Take those options out that `open_set` takes, and return them."""
    return {name: options.pop(name) for name in signature(open_set).parameters if name in options}


def read_pattern(suffix: str | None, pattern: list[str] | None) -> str | dict[str, str] | None:
    """Return the options `--suffix` and `--pattern` as `skensir.image.ReferenceSet` takes them."""
    if suffix is not None:
        if pattern is not None:
            raise CommandError(f"--suffix {suffix} and --pattern exclude each other.")
        return f"*{suffix}"
    if pattern is None:
        return None
    for text in pattern:
        if "*" not in text.partition("=")[2 if "=" in text else 0]:
            raise CommandError(f"--pattern {text} has no star for the name of the scene.")
    if len(pattern) == 1 and "=" not in pattern[0]:
        return pattern[0]
    if not all("=" in text for text in pattern):
        raise CommandError(
            f"--pattern {' '.join(pattern)} must be one pattern, or SUB-FOLDER=PATTERN for each."
        )
    return dict(text.split("=", 1) for text in pattern)


def choose_scenes(names: Sequence[str], given: str) -> tuple[str, ...]:
    """Return the scenes that a file has in its lines, or that a pattern stands for, in order."""
    if not Path(given).is_file():
        chosen = match_names(names, given)
        if chosen:
            return chosen
        called = given if given.strip() else repr(given)
        raise CommandError(
            f"No scene is called {called}, and there is no such file; the scenes are "
            f"{_some(names)}."
        )
    try:
        text = Path(given).read_text("utf-8-sig")
    except UnicodeDecodeError as error:
        raise CommandError(f"{given} is no text in UTF-8 with the names of scenes.") from error
    lines = [line.strip() for line in composed(text).splitlines()]
    lines = [line for line in lines if line and not line.startswith("#")]
    chosen = tuple(dict.fromkeys(map(_without_suffix, lines)))
    if not chosen:
        raise CommandError(f"{given} has no line with the name of a scene.")
    if unknown := [name for name in chosen if name not in names]:
        raise CommandError(
            f"{given} has {unknown[0]}, which is no scene here; the scenes are {_some(names)}."
        )
    return chosen


def split(scenes: ReferenceSet, given: str) -> tuple[ReferenceSet, ReferenceSet]:
    """Return the scenes to fit on, and those that `split_names` holds out."""
    kept, held = split_names(scenes.names, given)
    return scenes.subset(kept), scenes.subset(held)


def split_names(names: Sequence[str], given: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the scenes to keep and those to hold out: a number of them evenly, or by pattern."""
    if given.isdecimal():
        n = len(names)
        n_held = int(given) if len(given) < 20 else n  # which is too many as well
        if not 0 < n_held < n:
            raise CommandError(
                f"--hold-out {given} of {n} scenes; must be a number from 1 to {n - 1}."
            )
        held = tuple(names[(2 * number + 1) * n // (2 * n_held)] for number in range(n_held))
    else:
        held = choose_scenes(names, given)
    kept = tuple(name for name in names if name not in held)
    if not kept:
        raise CommandError(f"--hold-out {given} holds out all {len(names)} scenes.")
    return kept, held


def _without_suffix(line: str) -> str:
    """Return the name of a scene of which the name of a file may be given."""
    return str(Path(line).with_suffix("")) if Path(line).suffix.lower() in SUFFIXES else line


def _some(names: Sequence[str]) -> str:
    """Name the first scenes, and how many more there are."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
