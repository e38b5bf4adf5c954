"""Images that lie in the package: crops of photographs, and what networks made of them."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

from skensir._files import write_whole
from skensir.image.reference_set import ReferenceSet

SUPER_RESOLUTION = Path(__file__).parent / "samples" / "super_resolution"
# The photographs' authors and licences, as in README.txt of the folder.
CREDITS = {
    "aitzgorri": "Aitzol Berasategi, CC BY 4.0",
    "astronaut": "NASA, public domain",
    "brushes": 'Trevor "Freespace", CC BY 4.0',
    "friends": "Aitzol Berasategi, CC BY 4.0",
    "seeding": "Clemens Engelhardt, CC0 1.0",
}


class SampleSet(NamedTuple):
    """Images to fit on, others to test on, and the folder that has both.

    Attributes
    ----------
    reference : ReferenceSet
        The scenes to fit on.
    test : ReferenceSet
        Other scenes, by the same networks.
    folder : Path
        Has the sub-folders `reference` and `test`, and README.txt with authors and licences.
    """

    reference: ReferenceSet
    test: ReferenceSet
    folder: Path


def load_super_resolution() -> SampleSet:
    """Return crops of five photographs that three real networks enlarged four times.

    The networks make different errors: ``RRDN-gans`` was trained adversarially, ``RDN-psnr-2x2``
    enlarges by two and by two again, and ``RRDN-thick`` enlarges by four at once.
    Three scenes are for fitting and two for testing, in the order of the alphabet. An image has
    192 x 192 pixels, RGB of 8 bits; ``gt`` has the truth, and ``lq`` what the networks enlarged, of
    48 x 48 pixels. ``skensir sample OUT`` copies all to a new folder.

    Returns
    -------
    sample : SampleSet
        A named tuple of `reference` and `test`, two :class:`ReferenceSet`, and `folder`, the
        :class:`pathlib.Path` that both lie in. Nothing in it should be written to.

    See Also
    --------
    ReferenceSet : Makes the same of your own images.

    Notes
    -----
    The convention of PSNR for these images is luma without a border of 4 pixels:
    ``channel="luma", crop_border=4``.

    The photographs are by NASA (astronaut, public domain), Clemens Engelhardt (seeding, CC0 1.0),
    Aitzol Berasategi (aitzgorri and friends, CC BY 4.0) and Trevor "Freespace" (brushes,
    CC BY 4.0). The networks were trained on DIV2K and are under the MIT licence of K. Scott, 2022.
    ``README.txt`` in the folder says it in full; please pass it on with the images.

    Examples
    --------
    >>> from skensir import EnsIRRegressorCV
    >>> from skensir.image import ImageEnsemble, load_super_resolution
    >>> from skensir.image import peak_signal_noise_ratio
    >>> sample = load_super_resolution()
    >>> sample.reference.models
    ('RDN-psnr-2x2', 'RRDN-gans', 'RRDN-thick')
    >>> sample.reference.names, sample.test.names
    (('aitzgorri', 'astronaut', 'brushes'), ('friends', 'seeding'))
    >>> ensemble = ImageEnsemble(EnsIRRegressorCV())
    >>> ensemble = ensemble.fit(sample.reference.predictions, sample.reference.targets)
    >>> restored = ensemble.predict(sample.test.predictions)
    >>> friends = sample.test[0]
    >>> convention = {"channel": "luma", "crop_border": 4}
    >>> for name, image in zip(sample.test.models, friends.predictions):
    ...     print(f"{name} {peak_signal_noise_ratio(friends.target, image, **convention):.2f}")
    RDN-psnr-2x2 29.88
    RRDN-gans 30.13
    RRDN-thick 29.78
    >>> print(f"EnsIR {peak_signal_noise_ratio(friends.target, restored[0], **convention):.2f}")
    EnsIR 31.25
    """
    reference, test = (ReferenceSet(SUPER_RESOLUTION / part) for part in ("reference", "test"))
    return SampleSet(reference, test, SUPER_RESOLUTION)


def copy_samples(folder: Path) -> None:
    """Copy the sample set to a folder.

    Its files get none of the permissions of an installed package, which may be for reading alone.
    """
    for file in sorted(SUPER_RESOLUTION.rglob("*")):
        if file.is_file():
            target = folder / file.relative_to(SUPER_RESOLUTION)
            target.parent.mkdir(parents=True, exist_ok=True)
            write_whole(target, file.read_bytes(), flushed=False)  # whose errors name the copy
