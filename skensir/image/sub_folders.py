"""Which sub-folders of a folder hold base models, the truth, and the images before restoration."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from skensir._checks import check_names, check_path, check_text, in_one_line, shown
from skensir._text import printable
from skensir.image.scene_names import natural_order

# What truth and degraded images are usually called, as `_plain` has it; the likeliest first.
TARGETS = (
    *("gt", "groundtruth", "target", "truth", "sharp", "hr", "highresolution", "hq", "clean"),
    *("clear", "norain", "label", "reference", "gtmod"),
)
INPUTS = (
    *("lq", "input", "blur", "lr", "lowresolution", "rain", "rainy", "noisy", "noise", "hazy"),
    *("haze", "degraded", "low", "blurry", "bicubic", "bic", "bi", "lrbic", "lrbicubic"),
    *("blurgamma", "blurbicubic"),
)
# In such a name: what the images are for, that they are images, and a scale.
_MORE = re.compile(
    r"^(train|val|valid|test)(?=.)|(?<=.)(train|val|valid|test)$|images?$|s$|(?<=.)(x[0-9]+|[0-9]+x)$|(?<=mod)[0-9]+$"
)


class SubFolders(NamedTuple):
    """The names of sub-folders by what they hold."""

    models: tuple[str, ...]
    target: str | None
    input: str  # need not be there
    passed_over: tuple[str, ...] = ()  # what has the name of the truth or the input, but is neither


def find_sub_folders(
    folder: Path, models: Sequence[str] | None, target: str | None, input: str
) -> SubFolders:
    """Return the sub-folders that `skensir.image.ReferenceSet` takes, with the same arguments."""
    if models is not None:
        models = check_names(models, "models")
    if target is not None:
        check_path(check_text(target, "target"), "target")
    check_path(check_text(input, "input"), "input")
    if not folder.is_dir():
        raise FileNotFoundError(f"{printable(str(folder))} is not a folder.")
    found = sorted(_folders_in(folder), key=natural_order)
    # "reference" may be the truth, or a whole set beside that of the test.
    may_be = found and not _usual_among(found, [name for name in TARGETS if name != "reference"])
    if target == "auto" and may_be and all(map(partial(_is_a_set, folder), found)):
        raise ValueError(
            f"{folder} holds folders with a truth each, {_listed(found)}; give one of them."
        )
    chosen = () if models is None else _check_models(folder, models, found)
    others = [name for name in found if name not in chosen]
    truth = _find_target(folder, target, others, chosen)
    degraded = input
    if input == "auto":
        degraded = next((name for name in _usual_among(others, INPUTS) if name != truth), "lq")
    if truth is not None and truth in chosen:
        raise ValueError(f"models == {', '.join(chosen)}; must be without the target, {truth}.")
    if truth is not None and degraded == truth:
        raise ValueError(f"input == {input!r}, must be another sub-folder than the target.")
    passed_over: tuple[str, ...] = ()
    if models is None:
        known = {truth, degraded}
        # Without a truth there is none to be mistaken for a model, but a sub-folder may have it.
        usual = [*_usual_among(found, INPUTS), *_usual_among(found, TARGETS)]
        known.update(usual if target is None else ())
        passed_over = tuple(name for name in usual if name not in known)
        known.update(passed_over)
        chosen = tuple(name for name in found if name not in known)
        if not chosen:
            raise ValueError(f"{folder} has no sub-folder of a base model.")
    return SubFolders(chosen, truth, degraded, passed_over)


def _folders_in(folder: Path) -> list[str]:
    """Return the names of sub-folders, but for hidden ones."""
    with os.scandir(folder) as entries:
        return [entry.name for entry in entries if entry.is_dir() and entry.name[0] != "."]


def _is_a_set(folder: Path, name: str) -> bool:
    """Tell whether a sub-folder has a truth of its own."""
    return bool(_usual_among(_folders_in(folder / name), TARGETS))


def _usual_among(found: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return the sub-folders with usual names, the likeliest first."""
    places = {name: usual.index(_plain(name)) for name in found if _plain(name) in usual}
    return sorted(places, key=places.__getitem__)


def _plain(name: str) -> str:
    """Return a name in small letters, without separators and whatever else makes no difference."""
    plain = re.sub(r"[_\-. ]", "", name.lower())
    while (shorter := _MORE.sub("", plain)) not in (plain, ""):
        plain = shorter
    return plain


def _find_target(
    folder: Path, target: str | None, found: Sequence[str], models: Sequence[str]
) -> str | None:
    """Return the sub-folder with the truth, or raise an error if it is not there."""
    if target is None:
        return None
    usual = _usual_among(found, TARGETS)
    if target != "auto":
        if (folder / target).is_dir():
            return target
        if Path(target).name != target and Path(target).is_dir():
            return os.path.realpath(target)  # as seen from where the program runs
        problem = f"has no sub-folder {shown(target)} with the truth; it has {_listed(found)}"
    elif len(usual) == 1:
        return usual[0]
    elif named := _usual_among(models, TARGETS):
        raise ValueError(f"models == {', '.join(models)}; must be without the target, {named[0]}.")
    elif usual:
        problem = f"has {len(usual)} sub-folders that may have the truth: {_listed(usual)}"
    else:
        problem = f"has no sub-folder with the truth, such as gt; it has {_listed(found)}"
    raise ValueError(f"{folder} {problem}; target=NAME says which it is.")


def _check_models(folder: Path, models: Sequence[str], found: Sequence[str]) -> tuple[str, ...]:
    """Return the names of the base models, or raise an error unless all are sub-folders."""
    names = in_one_line(", ".join(name if name.strip() else repr(name) for name in models))
    if not models or len(set(models)) < len(models):
        names = names or "nothing"
        raise ValueError(f"models == {names}; must be different names, in a list.")
    for name in models:
        if Path(name).name != name or name in ("", "..") or "\0" in name:
            raise ValueError(f"models == {names}; must be sub-folders of {folder}.")
        if not (folder / name).is_dir():
            raise ValueError(
                f"{folder} has no sub-folder {shown(name)}, named in models; it has "
                f"{_listed(found)}."
            )
    return tuple(models)


def _listed(names: Sequence[str]) -> str:
    return ", ".join(names) or "none"
