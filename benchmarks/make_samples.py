"""Make the sample set that the package carries, from whole images of five networks.

    python benchmarks/make_samples.py SOURCE [OUT]

SOURCE has a folder per network and `gt`, each with a PNG of 448 x 448 pixels per scene; OUT is
`skensir/image/samples/super_resolution` unless it is given, and its images are replaced. The rules:

- three networks that differ most: `RRDN-gans` was trained adversarially, `RDN-psnr-2x2` enlarges
  by two and by two again, `RRDN-thick` enlarges by four;
- all scenes that may be passed on, in alphabetical order: three to fit on, two to test on;
- of every image the middle 192 x 192 pixels, which is what about a megabyte has room for;
- `lq` is the whole truth reduced four times as the demo does it, and cut likewise, to 48 x 48.

Prints PSNR (luma, without a border of 4 pixels) of all that it wrote, how alike the errors of two
networks are, and the size of the folder.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from skensir.demo.photographs import crop_centre
from skensir.demo.super_resolution import SCALE, degrade
from skensir.image import ReferenceSet, peak_signal_noise_ratio, read_image
from skensir.image.sample_set import SUPER_RESOLUTION

NETWORKS = ("RDN-psnr-2x2", "RRDN-gans", "RRDN-thick")
SCENES = ("aitzgorri", "astronaut", "brushes", "friends", "seeding")
N_TO_FIT = 3
SIDE = 192


def encode(image):
    """Return the shortest of the PNGs that OpenCV makes of an image."""
    settings = [
        [cv2.IMWRITE_PNG_COMPRESSION, 9, cv2.IMWRITE_PNG_STRATEGY, strategy]
        for strategy in range(4)
    ]
    return min((cv2.imencode(".png", image[..., ::-1], s)[1] for s in settings), key=len).tobytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("source", type=Path)
    parser.add_argument("out", type=Path, nargs="?", default=SUPER_RESOLUTION)
    options = parser.parse_args()
    for number, scene in enumerate(SCENES):
        images = {name: read_image(options.source / name / f"{scene}.png") for name in NETWORKS}
        truth = read_image(options.source / "gt" / f"{scene}.png")
        crops = {name: crop_centre(image, SIDE) for name, image in (images | {"gt": truth}).items()}
        crops["lq"] = crop_centre(degrade(truth, 0), SIDE // SCALE)
        for name, crop in crops.items():
            part = options.out / ("reference" if number < N_TO_FIT else "test") / name
            part.mkdir(parents=True, exist_ok=True)
            file = part / f"{scene}.png"
            file.write_bytes(encode(crop))
            np.testing.assert_array_equal(read_image(file), crop)
    for part in ("reference", "test"):
        scenes = ReferenceSet(options.out / part)
        for scene in scenes:
            psnr = [
                peak_signal_noise_ratio(scene.target, image, channel="luma", crop_border=SCALE)
                for image in scene.predictions
            ]
            listed = ", ".join(f"{m} {p:.2f}" for m, p in zip(scenes.models, psnr, strict=True))
            errors = scene.predictions - scene.target.astype(float)
            correlations = np.corrcoef(errors.reshape(len(errors), -1))[np.triu_indices(3, 1)]
            print(
                f"{part}, {scene.name}: {listed} dB; correlations of errors {correlations.round(2)}"
            )
    size = sum(file.stat().st_size for file in options.out.rglob("*") if file.is_file())
    print(f"{size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
