"""The tables of an image ensemble as a file holds them: they combine without scikit-learn."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from skensir._files import naming, read_whole
from skensir._table_file import (
    SavedModel,
    SavedRegressor,
    check_names,
    check_record,
    parse_table_file,
)
from skensir._table_format import PIXEL_DTYPES, Record
from skensir.image.combining import CombinesImages
from skensir.image.inputs import INPUT_MODEL


@dataclass(frozen=True, eq=False)
class ImageTables(CombinesImages):
    """What combines images as the `ImageEnsemble` does that was saved, with its attributes."""

    regressors_: list[SavedRegressor]
    per_channel: bool
    channel_axis: int | None
    include_input: bool
    n_channels_: int
    n_models_: int
    pixel_dtype_: np.dtype[Any] | None
    model_names_: tuple[str, ...] | None

    @classmethod
    def of(cls, saved: SavedModel) -> ImageTables:
        """Return what a file holds that has an image ensemble."""
        header, form, tables = saved.ensemble, saved.form, saved.regressors
        fields: Record = {"regressor": dict | None, "per_channel": bool, "channel_axis": int | None}
        fields |= {"n_channels": int, "pixel_dtype": str | None, "model_names": list | None}
        fields |= {"include_input": bool} if form.averages else {}
        check_record(header, "the header of the ensemble", fields)
        assert header is not None
        n_channels, axis, names = (header[n] for n in ("n_channels", "channel_axis", "model_names"))
        if axis not in (None, *range(-3, 3)) or n_channels < 1 or (axis is None and n_channels > 1):
            raise ValueError(f"channel_axis {axis} does not fit to {n_channels} channels.")
        n_models = tables[0].n_models if tables else 0
        n_tables = n_channels if header["per_channel"] else 1
        if len(tables) != n_tables or any(table.n_models != n_models for table in tables):
            raise ValueError(f"it must have {n_tables} tables of equally many models.")
        check_names(names, "model_names", n_models)
        pixel_dtype = header["pixel_dtype"]
        if pixel_dtype not in PIXEL_DTYPES:
            raise ValueError(f"its pixels must be {', '.join(map(str, PIXEL_DTYPES))}.")
        with_input = header.get("include_input", False)
        if with_input and (n_models < 2 or (names is not None and names[-1] != INPUT_MODEL)):
            raise ValueError(f"include_input is true, but the last model is not {INPUT_MODEL!r}.")
        return cls(
            regressors_=tables,
            per_channel=header["per_channel"],
            channel_axis=axis,
            include_input=with_input,
            n_channels_=n_channels,
            n_models_=n_models,
            pixel_dtype_=None if pixel_dtype is None else np.dtype(pixel_dtype),
            model_names_=None if names is None else tuple(names),
        )


def load_image_tables(path: Path) -> ImageTables | None:
    """Read the tables of an image ensemble from a file; None if it has those of no images."""
    data = read_whole(path)
    with naming(path):
        saved = parse_table_file(data)
        return None if saved.ensemble is None else ImageTables.of(saved)
