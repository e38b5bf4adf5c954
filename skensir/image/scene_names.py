"""Which names of files mean the same scene, though networks add to them."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from itertools import product, takewhile
from pathlib import Path
from typing import Any, NamedTuple

from skensir._checks import in_one_line

# What may stand between the name of a scene and what is added to it.
_SEPARATORS = "_-. ()[]+@"
# Enough names of a folder to see that they do not fit.
_SAMPLE = 50


def natural_order(name: str) -> tuple[Any, ...]:
    """Return a key that sorts numbers within names by their value."""
    parts = re.split(r"([0-9]+)", name)
    # Nested, so that a name that ends is not compared with a number that goes on.
    return tuple(int(part) if i % 2 else part for i, part in enumerate(parts)), name


def composed(name: str) -> str:
    """Return a name with one code point for a letter and its accent; files of macOS have two."""
    return unicodedata.normalize("NFC", name)


class Addition(NamedTuple):
    """What the paths of a folder have beside the names of scenes, the same in all of them.

    ``visualization/clip/0001_MPRNet`` has the folder ``visualization`` above the scene
    ``clip/0001``, and ``_MPRNet`` after it.
    """

    above: tuple[str, ...] = ()
    below: tuple[str, ...] = ()  # folders between the one of the scene and the file
    before: str = ""
    after: str = ""

    @property
    def length(self) -> int:
        """How much it is."""
        return len("/".join((*self.above, *self.below))) + len(self.before) + len(self.after)

    def remove(self, path: str) -> str:
        """Return the name of the scene that a path is of."""
        *folders, stem = path.split("/")
        folders = folders[len(self.above) : len(folders) - len(self.below)]
        return "/".join((*folders, stem[len(self.before) : len(stem) - len(self.after)]))

    def add(self, scene: str) -> str:
        """Return the path of a scene."""
        *folders, stem = scene.split("/")
        return "/".join((*self.above, *folders, *self.below, f"{self.before}{stem}{self.after}"))


_NOTHING = Addition()


def _common_start(names: Sequence[Sequence[str]]) -> Sequence[str]:
    """Return the letters or folders that all begin with."""
    alike = takewhile(lambda items: len(set(items)) == 1, zip(*names, strict=False))
    return names[0][: sum(1 for _ in alike)]


def _possible_additions(paths: Collection[str], folder: str) -> list[Addition]:
    """Return all that could be an addition, as it is common to all paths; the shortest first.

    It ends where a separator stands, or it is the name of the folder or a scale such as ``x4``.
    """
    folders = [path.split("/")[:-1] for path in paths]
    stems = [path.rpartition("/")[2] for path in paths]
    above = _common_start(folders)
    below = _common_start([names[::-1] for names in folders])[::-1]
    before = _common_start(stems)
    after = _common_start([stem[::-1] for stem in stems])[::-1]
    before, after = str(before), str(after)
    model = folder.lower()
    # A separator goes with what is added and not with the name, which may be all that there is.
    heads = [
        before[:end]
        for end in range(len(before) + 1)
        if before[end : end + 1] not in _SEPARATORS or end in (0, len(before))
    ]
    tails = [
        after[start:]
        for start in range(len(after) + 1)
        if start in (0, len(after)) or after[start - 1] not in _SEPARATORS
    ]
    heads = [t for t in heads if not t or t[-1] in _SEPARATORS or t.lower() == model]
    is_scale = re.compile("[xX][0-9]").match
    tails = [t for t in tails if not t or t[0] in _SEPARATORS or t.lower() == model or is_scale(t)]
    depth, shortest = min(map(len, folders)), min(map(len, stems))
    possible = [
        Addition(tuple(above[:n_above]), tuple(below[len(below) - n_below :]), head, tail)
        for n_above, n_below in product(range(len(above) + 1), range(len(below) + 1))
        if n_above + n_below <= depth
        for head, tail in product(heads, tails)
        if len(head) + len(tail) < shortest
    ]
    return sorted(possible, key=lambda addition: addition.length)


def _matched(addition: Addition, paths: Collection[str], scenes: Collection[str]) -> dict[str, str]:
    """Return by their paths the scenes that the paths are of."""
    if len(paths) > len(scenes):
        pairs: Iterable[tuple[str, str]] = ((addition.add(scene), scene) for scene in scenes)
        return {path: scene for path, scene in pairs if path in paths}
    pairs = ((path, addition.remove(path)) for path in paths)
    return {path: scene for path, scene in pairs if scene in scenes}


def _sample(names: Collection[str]) -> list[str]:
    """Return some of the names, from all parts of them."""
    return list(names)[:: 1 + len(names) // _SAMPLE]


def _find_addition(
    paths: Collection[str], scenes: Collection[str], folder: str
) -> tuple[Addition, int] | None:
    """Return the addition with which most paths are of scenes, and how many are.

    None is for none, or for one that fits to less than half of them. An error says so where there
    are two that give different scenes.
    """
    matched = _matched(_NOTHING, paths, scenes)
    if len(matched) == min(len(paths), len(scenes)):
        return _NOTHING, len(matched)
    # What is looked up must be the fewer, and all of the others be there.
    is_fewer = len(paths) <= len(scenes)
    few = (_sample(paths), scenes) if is_fewer else (paths, _sample(scenes))
    best: list[tuple[Addition, dict[str, str]]] = []
    for addition in _possible_additions(paths, folder):
        if _matched(addition, *few):
            matched = _matched(addition, paths, scenes)
            if not best or len(matched) > len(best[0][1]):
                best = []
            if not best or len(matched) == len(best[0][1]):
                best.append((addition, matched))
    # A few that fit by chance are no addition of all.
    if not best or 2 * len(best[0][1]) < min(len(paths), len(scenes)) * bool(best[0][0].length):
        return None
    addition, matched = best[0]
    for _, other in best[1:]:
        if other != matched:
            path = next(path for path in matched if other.get(path) != matched[path])
            other_path = next(key for key in other if other[key] != matched.get(key))
            raise ValueError(
                f"In {folder}, {path} could be scene {matched[path]!r} and {other_path} scene "
                f"{other[other_path]!r}, but not both; pattern=GLOB, such as '*_x4', tells which."
            )
    return addition, len(matched)


def name_scenes(
    files: Mapping[Path, Mapping[str, Path]], fixed: Collection[Path] = ()
) -> dict[Path, dict[str, Path]]:
    """Return the files of several folders by the names of their scenes.

    Parameters
    ----------
    files : mapping of Path to mapping of str to Path
        Of each folder, the files by their paths in it without the suffix. The names of the first
        folder are those of the scenes, but for an addition that all of its files have where the
        others lack it.
    fixed : collection of Path
        Folders whose names are those of the scenes already.

    Returns
    -------
    files : dict of Path to dict of str to Path
        Without the folders in which there is no scene.
    """
    first, *others = files
    best: dict[Path, Addition] = {}
    best_score: tuple[int, int] = (-1, -1)
    possible = [_NOTHING] if first in fixed else _possible_additions(files[first], first.name)
    for addition in possible:
        scenes = {addition.remove(path) for path in files[first]}
        found, n_matched, whole = {first: addition}, 0, True
        for folder in others:
            if folder in fixed:
                n = len(scenes.intersection(files[folder]))
                match = (_NOTHING, n) if n else None
            else:
                match = _find_addition(files[folder], scenes, folder.name)
            if match is not None:
                found[folder] = match[0]
                n_matched += match[1]
            whole &= match is not None
        score = len(found), n_matched
        if score > best_score:
            best, best_score = found, score
        if whole:
            break
    return {
        folder: {addition.remove(path): file for path, file in files[folder].items()}
        for folder, addition in best.items()
    }


def scene_pattern(pattern: str) -> Callable[[str], str | None]:
    """Return what tells the scene of a path: what the stars of a pattern stand for.

    ``*_x4`` has the scene before ``_x4``, and ``*/sharp/*`` drops a folder between two parts of a
    name. None is for a path that does not fit.
    """
    if "*" not in pattern:
        text = in_one_line(pattern)
        raise ValueError(f"pattern == {text}, must have a star for the name of the scene.")
    first, *texts, last = composed(pattern).split("*")
    between = ["/" if "/" in text else text for text in texts]
    expression = re.compile(
        re.escape(first)
        + "(.+)"
        + "".join(f"{re.escape(text)}(.+)" for text in texts)
        + re.escape(last)
    )

    def scene_of(path: str) -> str | None:
        match = expression.fullmatch(path)
        if match is None:
            return None
        start, *parts = match.groups()
        return start + "".join(text + part for text, part in zip(between, parts, strict=True))

    return scene_of


def match_names(names: Sequence[str], glob: str) -> tuple[str, ...]:
    """Return the names that a pattern of ``*``, ``?`` and ``[...]`` stands for, in order.

    A folder of scenes, such as a clip, stands for all in it.
    """
    glob = composed(glob)
    if glob in names:
        return (glob,)
    matched = tuple(name for name in names if fnmatchcase(name, glob))
    return matched or tuple(name for name in names if name.startswith(f"{glob.rstrip('/')}/"))


def missing_scenes(files: Mapping[Path, Mapping[str, Path]]) -> Iterator[tuple[str, Path]]:
    """Yield the scenes that some folders have and others lack, with a folder that lacks them."""
    names = {name for of_folder in files.values() for name in of_folder}
    for name in sorted(names, key=natural_order):
        for folder, of_folder in files.items():
            if name not in of_folder:
                yield name, folder
