"""What tables of results hold, and which numbers in them are the best."""

from __future__ import annotations

import math
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from enum import IntEnum
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np

ORACLE = "Oracle"
MEAN = "mean"

# What was measured of each scene, by its name: by the row's name, "psnr", "ssim" and the like.
Scores: TypeAlias = dict[str, dict[str, dict[str, float]]]


class Measure(NamedTuple):
    """What the numbers of a column are."""

    head: str
    digits: int
    better: Callable[[Iterable[float]], float] | None  # None: none of them is the best


# By the key of the numbers, in the order of the columns.
MEASURES = {
    "psnr": Measure("PSNR (dB)", 3, max),
    "ssim": Measure("SSIM", 4, max),
    "lpips": Measure("LPIPS", 4, min),
    "dists": Measure("DISTS", 4, min),
    "seconds_fit": Measure("fit (s)", 2, None),
    "seconds_image": Measure("s/image", 2, None),
}
SECONDS = ("seconds_fit", "seconds_image")


class Row(NamedTuple):
    """A row of the table: means over the test scenes, None where there is no such number."""

    name: str
    psnr: float | None = None
    ssim: float | None = None
    seconds_fit: float | None = None
    seconds_image: float | None = None
    lpips: float | None = None
    dists: float | None = None


class Mark(IntEnum):
    """The place of a number among those that it is compared with."""

    NONE = 0
    BEST = 1
    SECOND = 2


class Cell(NamedTuple):
    """A number as it is shown, and its place."""

    text: str
    mark: Mark


class Table(NamedTuple):
    """A table that can be laid out.

    Attributes
    ----------
    corner : str
        What stands above the names of the rows.
    groups : list of str
        For each column what stands above its head and those beside it; empty for nothing.
    heads : list of str
        Of the columns.
    rows : list of (str, list of Cell)
        Names and cells.
    has_mean : bool
        Whether the last row is the mean of the others.
    """

    corner: str
    groups: list[str]
    heads: list[str]
    rows: list[tuple[str, list[Cell]]]
    has_mean: bool = False


def rank(names: Iterable[str], values: Iterable[float | None], measure: Measure) -> list[Mark]:
    """Return which numbers are the best, and which are second.

    Numbers that are equal as they are shown share a place; the second is the next that differs.
    The oracle is no competitor, nor is None or NaN, and one alone is not the best.
    """
    shown = [
        None if name == ORACLE or value is None or math.isnan(value) else value
        for name, value in zip(names, values, strict=True)
    ]
    rounded = [None if value is None else round(value, measure.digits) for value in shown]
    rivals = [value for value in rounded if value is not None]
    if measure.better is None or len(rivals) < 2:
        return [Mark.NONE] * len(rounded)
    places = sorted(set(rivals), reverse=measure.better is max)[:2]
    return [Mark(places.index(v) + 1) if v in places else Mark.NONE for v in rounded]


def _cells(names: Iterable[str], values: Sequence[float | None], measure: Measure) -> list[Cell]:
    """Return numbers that are compared with each other as they are shown."""
    marks = rank(names, values, measure)
    return [Cell(_shown(v, measure), mark) for v, mark in zip(values, marks, strict=True)]


def _shown(value: float | None, measure: Measure) -> str:
    """Return a number as it is shown."""
    return "-" if value is None or math.isnan(value) else f"{value:.{measure.digits}f}"


def _means(values: Iterable[float | None]) -> float | None:
    """Return the mean of the values, None where one is missing."""
    numbers = [math.nan if value is None else value for value in values]
    # Of infinity, which is the PSNR of equal images, the mean is infinity.
    return None if not numbers or any(map(math.isnan, numbers)) else float(np.mean(numbers))


def mean_rows(results: Mapping[str, Sequence[Row]]) -> list[Row]:
    """Return the rows of several sets with the means over the sets, each of which counts the same.

    A score that one of the sets has not is None. Seconds are means over the sets that have them.
    """
    # The longest table has the rows that some of the others lack.
    by_length = sorted(results.values(), key=len, reverse=True)
    means = []
    for name in dict.fromkeys(row.name for rows in by_length for row in rows):
        found = [row for rows in results.values() for row in rows if row.name == name]
        numbers = {}
        for key in MEASURES:
            values = [getattr(row, key) for row in found]
            if key in SECONDS:
                values = [value for value in values if value is not None]
            elif len(found) < len(results):
                values = []
            numbers[key] = _mean(values)
        means.append(Row(name, **numbers))
    return means


def _mean(values: Sequence[float | None]) -> float | None:
    """Return the mean of the values, None where one is missing.

    Where one is infinite, which is the PSNR of equal images, the mean is too.
    """
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if numbers and len(numbers) == len(values) else None


def columns_of(results: Mapping[str, Sequence[Row]]) -> dict[tuple[str, str], list[float | None]]:
    """Return the numbers of each column that has some, by set and measure, as `mean_rows` go.

    Those of each set come first, then those of the mean where there are several sets, and at last
    the seconds. A single set has no name here.
    """
    means = mean_rows(results)
    sets = {**results, MEAN: means} if len(results) > 1 else {"": means}
    keys = [key for key in MEASURES if any(getattr(row, key) is not None for row in means)]
    columns = {}
    for of_set, rows in sets.items():
        by_name = {row.name: row for row in rows}
        for key in keys:
            if key not in SECONDS:
                values = [getattr(by_name.get(row.name), key, None) for row in means]
                columns[of_set, key] = values
    for key in keys:
        if key in SECONDS:
            columns["", key] = [getattr(row, key) for row in means]
    return columns


def results_table(results: Mapping[str, Sequence[Row]]) -> Table:
    """Return the table of one test set, or of several and their mean.

    Parameters
    ----------
    results : mapping of str to sequence of Row
        The rows of each test set, by its name.
    """
    names = [row.name for row in mean_rows(results)]
    columns = columns_of(results)
    cells = [_cells(names, values, MEASURES[key]) for (_, key), values in columns.items()]
    groups = [of_set.capitalize() if of_set == MEAN else of_set for of_set, _ in columns]
    rows = [(name, list(row)) for name, row in zip(names, zip(*cells, strict=True), strict=True)]
    return Table("", groups, [MEASURES[key].head for _, key in columns], rows)


def mean_numbers(scores: Scores, name: str) -> dict[str, float]:
    """Return the means over the scenes of what was measured of one image in each."""
    numbers = [of_images[name] for of_images in scores.values()]
    return {key: float(np.mean([of_scene[key] for of_scene in numbers])) for key in numbers[0]}


def scene_tables(sets: Mapping[str, Scores]) -> list[Table]:
    """Return tables with a row for each scene, and the means at the end.

    There is one for each set and measure, with a column for each image, and the numbers of a scene
    are compared with each other. Where a set has only one image in each scene there is one table,
    with a column for each measure.

    Parameters
    ----------
    sets : mapping of str to Scores
        By the name of the test set, which is not shown where it is the only one.
    """
    return [
        table
        for name, scores in sets.items()
        for table in _tables_of_set(name if len(sets) > 1 else "", scores)
    ]


def _tables_of_set(of_set: str, scores: Scores) -> list[Table]:
    """Return the tables of the scenes of one set."""
    names = list(next(iter(scores.values())))
    # A list, as a scene may be called like the last row.
    rows = [*scores.items(), (MEAN, {name: mean_numbers(scores, name) for name in names})]
    keys = list(rows[-1][1][names[0]])
    heads = {key: MEASURES[key].head for key in keys}
    if len(names) == 1:
        columns = list(heads.values())
        cells = [
            (scene, [Cell(_shown(of[names[0]][key], MEASURES[key]), Mark.NONE) for key in keys])
            for scene, of in rows
        ]
        return [Table(of_set, [""] * len(columns), columns, cells, has_mean=True)]
    return [
        Table(
            f"{of_set}, {head}" if of_set else head,
            [""] * len(names),
            names,
            [(s, _cells(names, [of[n][key] for n in names], MEASURES[key])) for s, of in rows],
            has_mean=True,
        )
        for key, head in heads.items()
    ]


def short_names(paths: Sequence[Path], reserved: Container[str] = ()) -> list[str]:
    """Return a name for each folder or file: the last of its parts that tell it from the others.

    A name is none of the reserved ones, which are in small letters, in whatever letters.

    Raises
    ------
    ValueError
        If one is given twice.
    """
    # Links keep their own names.
    parts = [path.absolute().parts for path in paths]
    for path, own in zip(paths, parts, strict=True):
        if parts.count(own) > 1:
            raise ValueError(f"{path} is given twice.")
    names = []
    for own in parts:
        endings = (own[-length:] for length in range(1, len(own) + 1))
        names.append(
            next(
                "/".join(ending)
                for ending in endings
                if [other[-len(ending) :] for other in parts].count(ending) == 1
                and "/".join(ending).casefold() not in reserved
            )
        )
    return names
