"""Grey images beside RGB ones: a set is grey only if all of its images are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from skensir._warn import warn_user
from skensir.image.files import Image


class Colour:
    """Whether the images of a set have one channel or three, found out as they are read.

    Parameters
    ----------
    files : iterable of Path
        All images of the set.
    is_rgb : bool, default=None
        Whether some image is RGB; None is to be found out.
    others : str, default="other images are RGB"
        Why grey images are repeated in three channels.
    """

    def __init__(
        self,
        files: Iterable[Path],
        is_rgb: bool | None = None,
        others: str = "other images are RGB",
    ) -> None:
        self._others = others
        self.is_rgb = is_rgb
        self._files = files
        self._is_said = False

    def in_common(
        self, images: dict[Path, Image], read: Callable[[Path], Image]
    ) -> dict[Path, Image]:
        """Return images in as many channels as the set has: grey is repeated in three.

        That is said once. Only where all of these images are grey, others are looked at, until one
        is RGB.
        """
        if any(image.ndim == 3 for image in images.values()):
            self.is_rgb = True
        elif self.is_rgb is None:
            others = (path for path in self._files if path not in images)
            self.is_rgb = any(read(path).ndim == 3 for path in others)
        grey = next((path for path, image in images.items() if image.ndim == 2), None)
        if not self.is_rgb or grey is None:
            return images
        if not self._is_said:
            self._is_said = True
            warn_user(
                f"{grey} is grey and {self._others}: grey is repeated in three channels.",
                UserWarning,
            )
        return {
            path: image if image.ndim == 3 else image[..., None].repeat(3, axis=2)
            for path, image in images.items()
        }
