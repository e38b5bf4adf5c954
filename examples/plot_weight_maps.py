r"""
==========================
Weight maps on photographs
==========================

Three networks have enlarged the same photographs four times. :class:`~skensir.image.ImageEnsemble`
learns from photographs whose truth is known where to believe which network, and combines what the
networks make of others. Its weights can be looked at, pixel by pixel.
"""

# %%
# The sample set
# --------------
#
# :func:`~skensir.image.load_super_resolution` has crops of five photographs, with what three real
# networks made of them. Three photographs are for fitting, two for testing. PSNR is that of the
# luma, without a border of 4 pixels, as is usual for super-resolution.

import matplotlib.pyplot as plt
import numpy as np

from skensir import EnsIRRegressorCV
from skensir.display import ErrorMapDisplay, WeightMapDisplay
from skensir.image import ImageEnsemble, load_super_resolution, peak_signal_noise_ratio

sample = load_super_resolution()
print("models:       ", ", ".join(sample.reference.models))
print("to fit on:    ", ", ".join(sample.reference.names))
print("to test on:   ", ", ".join(sample.test.names))


def psnr(truth, image):
    """Return the PSNR in the convention of super-resolution, in dB."""
    return peak_signal_noise_ratio(truth, image, channel="luma", crop_border=4)


# %%
# Fit and combine
# ---------------
#
# Each colour channel has a regressor of its own, and each is chosen by leaving out whole
# photographs.

ensemble = ImageEnsemble(EnsIRRegressorCV())
ensemble.fit(sample.reference.predictions, sample.reference.targets)
restored = ensemble.predict(sample.test.predictions)

names = [*sample.test.models, "average", "EnsIR"]
print(f"{'PSNR (dB)':14}" + "".join(f"{name:>14}" for name in names))
for scene, image in zip(sample.test, restored, strict=True):
    images = [*scene.predictions, scene.predictions.mean(axis=0), image]
    scores = [psnr(scene.target, shown) for shown in images]
    print(f"{scene.name:14}" + "".join(f"{score:14.2f}" for score in scores))

# %%
# On the first of the two photographs the networks err apart, and the ensemble is 1.1 dB better than
# the best of them and 0.3 dB better than averaging. On the second one it is as good as averaging:
# two photographs are no benchmark.
#
# What it looks like
# ------------------
#
# Input, networks, ensemble and truth of one test photograph, and in the second row a part of it.

scene, image = sample.test[0], restored[0]
pictures = {
    "input": np.kron(sample.test.inputs[0], np.ones((4, 4, 1), dtype=np.uint8)),
    **dict(zip(sample.test.models, scene.predictions, strict=True)),
    "EnsIR": np.clip(np.rint(image), 0, 255).astype(np.uint8),
    "truth": scene.target,
}
figure, panels = plt.subplots(2, len(pictures), figsize=(13, 4.9), layout="constrained")
rows, columns = slice(8, 72), slice(64, 128)
for (name, picture), whole, part in zip(pictures.items(), *panels, strict=True):
    whole.imshow(picture)
    part.imshow(picture[rows, columns])
    score = "" if name in ("input", "truth") else f"\n{psnr(scene.target, picture):.2f} dB"
    whole.set_title(f"{name}{score}", fontsize=10)
    for axes in (whole, part):
        axes.set_axis_off()
plt.show()

# %%
# ``RRDN-gans`` was trained adversarially: it draws fine lines, only some of which are there. The
# others blur.
#
# Which network is believed where
# -------------------------------
#
# A map for each network, and one of the network with the largest weight.

WeightMapDisplay.from_estimator(
    ensemble, scene.predictions, most_trusted=True, im_kw={"vmax": 0.75}
)
plt.show()

# %%
# The adversarial network is believed least on average, and most along the edges of the boards,
# where the other two are blurred. The maps are noisy, as each pixel has the weights of its own
# cell: no pixel knows of its neighbours.
#
# What is left of the errors
# --------------------------
#
# Absolute errors on one scale, averaged over the channels.

compared = {name: pictures[name] for name in (*sample.test.models, "EnsIR")}
errors = {
    name: np.abs(picture.astype(float) - scene.target).mean(axis=-1)
    for name, picture in compared.items()
}
scores = {name: psnr(scene.target, picture) for name, picture in compared.items()}
figure, panels = plt.subplots(2, 2, figsize=(8, 7.4), layout="compressed")
ErrorMapDisplay(errors, scores).plot(panels.ravel())
plt.show()
# sphinx_gallery_thumbnail_number = 2
