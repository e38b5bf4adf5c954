"""On the released deraining images: files, ensemble and luma together give the known PSNR.

The data is not part of the project; see tests/test_published.py.
"""

import imageio.v3 as imageio
import numpy as np
import pytest
from test_published import DATA

from skensir import REFERENCE_PARAMS, EnsIRRegressor
from skensir.image import ImageEnsemble, ReferenceSet, peak_signal_noise_ratio, read_image

pytestmark = pytest.mark.skipif(
    not DATA.is_dir(), reason=f"the released reference set is not at {DATA} (see SKENSIR_DATA)"
)

MODELS = ("MPRNet", "MAXIM", "Restormer")
# Mean held-out PSNR in dB on luma of the program published with the paper, bin width 32, fitted on
# every second image from the first on, then from the second on; scenes sorted by name. Measured
# once with that program on these images.
PUBLISHED_PROGRAM = (37.937, 38.259)


@pytest.mark.parametrize("part", ["gt", *MODELS])
def test_files_are_read_as_imageio_reads_them(part):
    for path in sorted((DATA / part).iterdir())[:3]:
        np.testing.assert_array_equal(read_image(path), imageio.imread(path))


@pytest.mark.parametrize("first", [0, 1])
def test_held_out_psnr_is_that_of_the_published_program(first):
    """Within 0.005 dB: single precision moves the step at which its EM stops."""
    reference_set = ReferenceSet(DATA, MODELS)
    train, test = reference_set[first::2], reference_set[1 - first :: 2]
    ensemble = ImageEnsemble(EnsIRRegressor(bin_width=32, **REFERENCE_PARAMS))
    ensemble.fit(train.predictions, train.targets)
    restored = ensemble.predict(test.predictions)
    psnr = [
        peak_signal_noise_ratio(target, image, channel="luma")
        for target, image in zip(test.targets, restored, strict=True)
    ]
    assert np.mean(psnr) == pytest.approx(PUBLISHED_PROGRAM[first], abs=0.005)
