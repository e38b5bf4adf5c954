"""A fitted ensemble as a module of PyTorch, behind the networks that it combines."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any, Self

import numpy as np

from skensir._checks import check_path, saying_of, shown
from skensir._core.portable import combine, find_line, with_tables
from skensir._files import naming, read_whole
from skensir._optional import import_optional
from skensir._table_reader import read_table_file
from skensir._typing import AnyArray
from skensir.interop._deployed import check_value_range, deploy, find_scale, rescaled
from skensir.persistence import table_file_of

torch = import_optional("torch", "skensir.interop.torch")

__all__ = ["EnsembleModule"]

_NO_RANGE = (np.nan, np.nan)


class EnsembleModule(torch.nn.Module):  # type: ignore[misc, name-defined]
    """Combine images of several networks as a fitted ensemble does.

    Make one by :meth:`from_estimator` or :meth:`from_table`.

    Its state is the table file and the range of the values, as tensors: `state_dict`, safetensors
    and `load_state_dict` hold all of it, and a table that is loaded takes the place of the one
    before, whatever its size. Weights are constants, and no parameters to train; gradients pass
    through the weighted sum to the networks. Cells are found in double precision where the device
    has it, on others in single precision, and the sum is made in the dtype of the images: of those
    in half precision in single, of whole numbers in double. To move the module to another dtype
    leaves its tables as they are.

    Parameters
    ----------
    table : bytes
        What :func:`~skensir.persistence.save_table` writes.
    value_range : float or tuple of float, default=None
        As in :meth:`from_estimator`.

    See Also
    --------
    skensir.interop.onnx.to_onnx : The same as a graph for runtimes without Python.
    skensir.image.ImageEnsemble : What is fitted.

    Examples
    --------
    >>> import numpy as np
    >>> import torch
    >>> from skensir.image import ImageEnsemble
    >>> from skensir.interop.torch import EnsembleModule
    >>> rng = np.random.default_rng(0)
    >>> target = rng.integers(10, 245, size=(64, 48, 3)).astype(np.uint8)
    >>> noise = [rng.integers(-n, n + 1, target.shape) for n in (2, 4, 8)]
    >>> predictions = np.stack([(target + part).astype(np.uint8) for part in noise])
    >>> ensemble = ImageEnsemble().fit([predictions], [target])
    >>> module = EnsembleModule.from_estimator(ensemble, value_range=1.0)
    >>> outputs = [torch.from_numpy(p).permute(2, 0, 1)[None] / 255 for p in predictions]
    >>> module(outputs).shape
    torch.Size([1, 3, 64, 48])
    """

    def __init__(
        self, table: bytes, *, value_range: float | tuple[float, float] | None = None
    ) -> None:
        super().__init__()
        if not isinstance(table, bytes):
            raise TypeError(
                f"table == {shown(table)}, must be the bytes of a table file; from_estimator takes "
                "a fitted model, and from_table the path of a file."
            )
        with saying_of("table"):
            content = read_table_file(table)
        self._take(table, content, value_range)

    @classmethod
    def from_estimator(
        cls, model: Any, *, value_range: float | tuple[float, float] | None = None
    ) -> Self:
        """Return a fitted model as a module.

        Parameters
        ----------
        model : EnsIRRegressor, EnsIRRegressorCV or skensir.image.ImageEnsemble
            The fitted model. A single regressor combines every channel alike.
        value_range : float or tuple of float, default=None
            The range of the values that the networks give: 1.0 or ``(0, 1)`` for images from zero
            to one, ``(-1, 1)`` for others. It is brought to that of `fit`: 0 to 255 or 65535 of
            pixels with 8 or 16 bits, 0 to `data_range` where that is a number, and to 1, 255 or
            65535 where floats were found to be of such a range. None takes values as they are, on
            the scale of `fit`. Values that are rounded off to below the edge of a bin count as on
            it.

        Returns
        -------
        module : EnsembleModule
            The module, on the CPU.

        Raises
        ------
        TypeError
            If the model has no lookup tables.
        ValueError
            If it is not fitted, or `value_range` is no range, or one that cannot be brought to that
            of `fit`, which reaches far below zero.
        """
        return cls(table_file_of(model), value_range=value_range)

    @classmethod
    def from_table(
        cls,
        path: str | os.PathLike[str],
        *,
        value_range: float | tuple[float, float] | None = None,
    ) -> Self:
        """Return what :func:`~skensir.persistence.save_table` wrote as a module.

        Parameters
        ----------
        path : str or path-like
            The file.
        value_range : float or tuple of float, default=None
            As in :meth:`from_estimator`.

        Returns
        -------
        module : EnsembleModule
            The module, on the CPU.

        Raises
        ------
        OSError
            If the file cannot be read.
        ValueError
            If it is no table file; the message names it.
        """
        table = read_whole(check_path(path))
        with naming(path):
            content = read_table_file(table)
        module = cls.__new__(cls)
        torch.nn.Module.__init__(module)
        module._take(table, content, value_range)
        return module

    def forward(self, *images: Any) -> Any:
        """Combine what the networks give.

        Parameters
        ----------
        *images : sequence of tensor, or tensor
            An image per model, of shape (..., channels, height, width), in the order of `fit`: one
            by one, as one list, or stacked along a new first axis. Of a single regressor they may
            have any shape.

        Returns
        -------
        combined : tensor
            Of the shape of one image, neither rounded nor clipped: in their dtype, of whole numbers
            in double precision.

        Raises
        ------
        TypeError
            If an image is no tensor of real numbers.
        ValueError
            If there are more or fewer images than models, or they differ in shape, dtype or device,
            or in the number of channels from those of `fit`.
        """
        if len(images) == 1:
            (given,) = images
            if isinstance(given, torch.Tensor) and given.ndim:
                images = given.unbind(0)
            elif isinstance(given, list | tuple):
                images = tuple(given)
        self._check(images)
        dtype = images[0].dtype
        in_dtype = dtype if dtype.is_floating_point else torch.float64
        sum_dtype = torch.float64 if in_dtype == torch.float64 else torch.float32
        ops = _TorchOperations(self, sum_dtype, images[0].device)
        if len(self._deployed.channels) == 1:
            return self._combine(ops, 0, images).to(in_dtype)
        combined = [
            self._combine(ops, channel, [image.select(-3, channel) for image in images])
            for channel in range(len(self._deployed.channels))
        ]
        return torch.stack(combined, dim=-3).to(in_dtype)

    def _combine(self, ops: _TorchOperations, channel: int, images: Sequence[Any]) -> Any:
        """Return the weighted sum in one channel."""
        tables = self._deployed.channels[channel]
        with torch.no_grad():
            values = self._scale.applied([ops.double(image) for image in images])
            dtype = images[0].dtype if images[0].dtype.is_floating_point else torch.float64
            rounding = self._scale.rounding(torch.finfo(dtype).eps, self._deployed.largest)
            lines = [find_line(ops, table, values, rounding) for table in tables]
        return combine(ops, tables, [image.to(ops.sum_dtype) for image in images], lines)

    def _check(self, images: Sequence[Any]) -> None:
        """Raise an error unless images fit to the model and to each other."""
        n_models, n_channels = self._deployed.n_models, self._deployed.n_channels
        if len(images) != n_models:
            raise ValueError(f"There are {len(images)} images, must be {n_models}: one per model.")
        for number, image in enumerate(images):
            if not isinstance(image, torch.Tensor) or image.is_complex():
                found = image.dtype if isinstance(image, torch.Tensor) else type(image).__name__
                raise TypeError(f"Image {number} is {found}, must be a tensor of real numbers.")
        device, pixels = self.table.device, self._deployed.pixel_dtype
        if images[0].device != device:
            raise ValueError(f"The images are on {images[0].device}, the module is on {device}.")
        dtype = str(images[0].dtype).removeprefix("torch.")
        if dtype in ("uint8", "uint16") and pixels not in (None, dtype):
            raise ValueError(f"The images are {dtype}, must be {pixels} as those of fit.")
        kinds = [(tuple(image.shape), image.dtype, image.device) for image in images]
        for number, kind in enumerate(kinds):
            if kind != kinds[0]:
                found, expected = (
                    f"{dtype} of shape {shape} on {at}" for shape, dtype, at in (kind, kinds[0])
                )
                raise ValueError(f"Image {number} is {found}, must be {expected} as the first one.")
        shape = kinds[0][0]
        if n_channels is not None and (len(shape) < 3 or shape[-3] != n_channels):
            raise ValueError(
                f"images have shape {shape}, must be (..., {n_channels}, height, width): the "
                f"ensemble was fitted on {n_channels} channels."
            )

    def _take(self, table: bytes, content: Any, value_range: Any) -> None:
        """Take over the bytes of a table, what they hold, and a range."""
        deployed, ends = deploy(content), check_value_range(value_range)
        self._scale = find_scale(ends, deployed)
        self._buffers.clear()
        self.register_buffer("table", torch.frombuffer(bytearray(table), dtype=torch.uint8))
        self.register_buffer("value_range", torch.tensor(ends or _NO_RANGE, dtype=torch.float64))
        self._deployed = deployed._replace(
            channels=tuple(
                with_tables(rescaled(tables, self._scale), self._keep)
                for tables in deployed.channels
            )
        )

    def _keep(self, table: AnyArray) -> str:
        """Keep a table of the lookup as a buffer, which follows from the file, by a name."""
        name = f"lookup_{len(self._buffers)}"
        self.register_buffer(name, torch.from_numpy(table.copy()), persistent=False)
        return name

    def _apply(self, fn: Callable[[Any], Any], recurse: bool = True) -> Self:
        before = dict(self._buffers)
        try:
            super()._apply(fn, recurse)
        except TypeError:  # a device without double precision
            for name, buffer in before.items():
                if buffer.dtype == torch.float64:
                    before[name] = self._buffers[name] = buffer.float()
            super()._apply(fn, recurse)
        for name, buffer in before.items():
            if self._buffers[name].dtype != buffer.dtype:  # tables are what they are
                self._buffers[name] = buffer.to(self._buffers[name].device)
        return self

    def _load_from_state_dict(
        self,
        state_dict: dict[str, Any],
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: list[str],
        unexpected_keys: list[str],
        error_msgs: list[str],
    ) -> None:
        names = [f"{prefix}table", f"{prefix}value_range"]
        missing_keys += [name for name in names if name not in state_dict]
        unexpected_keys += [
            name for name in state_dict if name.startswith(prefix) and name not in names
        ]
        if not all(name in state_dict for name in names):
            return
        # PyTorch says here that it is to be where the state is, and not where it was.
        assigned = local_metadata.get("assign_to_params_buffers", False)
        found = [state_dict[name] for name in names]
        wrong = _what_is_wrong_with_table(found[0]), _what_is_wrong_with_ends(found[1])
        if any(wrong):
            pairs = zip(names, wrong, strict=True)
            error_msgs += [f"{name}: {said}" for name, said in pairs if said]
            return
        device = found[0].device if assigned else self.table.device
        table, ends = found[0].cpu().numpy().tobytes(), found[1].to("cpu", torch.float64)
        try:
            content = read_table_file(table)
            self._take(table, content, None if ends.isnan().all() else ends.tolist())
        except ValueError as error:
            error_msgs.append(f"{names[0]}: {error}")
            return
        self.to(device)


def _what_is_wrong_with_table(value: Any) -> str | None:
    """Say what is wrong with the table of a state, if anything is."""
    if _is_dense(value) and value.dtype == torch.uint8 and value.ndim == 1:
        return None
    return f"{_described(value)}, must be a dense tensor of uint8 with one dimension."


def _what_is_wrong_with_ends(value: Any) -> str | None:
    """Say what is wrong with the range of values of a state, if anything is."""
    if _is_dense(value) and value.is_floating_point() and value.shape == (2,):
        return None
    return f"{_described(value)}, must be a dense tensor of two floats."


def _is_dense(value: Any) -> bool:
    """Tell whether something is a tensor whose elements are all in memory."""
    strided = isinstance(value, torch.Tensor) and value.layout == torch.strided
    return strided and not value.is_meta


def _described(value: Any) -> str:
    """Return what an entry of a state is, as errors say it."""
    if not isinstance(value, torch.Tensor):
        return shown(value)
    kind = "" if value.layout == torch.strided else f"{value.layout} "
    at = " on meta" if value.is_meta else ""
    return f"a {kind}tensor of {value.dtype} and shape {tuple(value.shape)}{at}".replace(
        "torch.", ""
    )


class _TorchOperations:
    """What `portable` needs, of the tables that a module holds by name."""

    def __init__(self, module: EnsembleModule, sum_dtype: Any, device: Any) -> None:
        self._module, self.sum_dtype = module, sum_dtype
        # Those of Apple have no other.
        self._cell_dtype = torch.float32 if device.type == "mps" else torch.float64
        self.floor, self.root, self.where = torch.floor, torch.sqrt, torch.where

    def divide(self, values: Any, divisor: str) -> Any:
        return values / getattr(self._module, divisor)

    def within(self, sums: Any, columns: Sequence[Any]) -> Any:
        lowest, highest = reduce(torch.minimum, columns), reduce(torch.maximum, columns)
        within = torch.minimum(torch.maximum(sums, lowest), highest)
        if not sums.requires_grad:
            return within
        return sums + (within - sums).detach()  # gradients are those of the sum

    def clip(self, values: Any, low: float, high: float) -> Any:
        return values.clamp(low, high)

    def whole(self, values: Any) -> Any:
        return values.to(torch.int64)

    def place(self, values: Any, size: int) -> Any:
        return self.whole(values).clamp(0, size - 1)  # a false one would stop an accelerator

    def double(self, values: Any) -> Any:
        return values.to(self._cell_dtype)

    def take(self, table: str, places: Any) -> Any:
        return getattr(self._module, table)[places]

    def take_lines(self, table: str, places: Any, n_columns: int) -> Any:
        lines = getattr(self._module, table).to(self.sum_dtype)
        return [lines[:, column][places] for column in range(n_columns)]
