"""Writers of folders of images, as the commands and reference sets read them."""

import numpy as np

from skensir.image import ImageEnsemble, ReferenceSet, write_image

MODELS = ("alpha", "beta", "gamma")
SIZES = {"9": (40, 32), "10": (36, 44)}


def write_scene(folder, name, images):
    """Write the images of a scene, each to the sub-folder that is its key."""
    for part, image in images.items():
        (folder / part).mkdir(parents=True, exist_ok=True)
        write_image(folder / part / f"{name}.png", image)


def make_folder(folder, dtype=np.uint8, *, colour=True, seed=0, sizes=SIZES):
    """Write scenes of which each has noise that differs by model and value; return the folder."""
    rng = np.random.default_rng(seed)
    peak = np.iinfo(dtype).max
    for name, size in sizes.items():
        shape = (*size, 3) if colour else size
        truth = rng.integers(0, 256, shape)
        images = {"gt": truth, "lq": truth + rng.normal(0, 20, shape)}
        for number, model in enumerate(MODELS):
            spread = 2 + 8 * np.abs(truth / 255 - number / 2)
            images[model] = truth + spread * rng.standard_normal(shape)
        scaled = {
            part: np.clip(np.rint(image * (peak / 255)), 0, peak).astype(dtype)
            for part, image in images.items()
        }
        write_scene(folder, name, scaled)
    return folder


def fit_in_python(folder, regressor):
    """Return what `skensir fit` should fit on a folder of `make_folder`."""
    scenes = ReferenceSet(folder, MODELS)
    return ImageEnsemble(regressor).fit(scenes.predictions, scenes.targets)


COMPARED = ("A", "B", "C")


def make_set(folder, sizes, seed, *, scale=1, dtype=np.uint8, grey=False):
    """Write scenes whose values come unclipped, to be the same in 8 and 16 bits."""
    random = np.random.default_rng(seed)
    for number, size in enumerate(sizes):
        truth = random.integers(20, 236, size=(*size, 3))
        images = {"gt": truth, "lq": truth + random.integers(-20, 21, truth.shape)}
        for m, model in enumerate(COMPARED):
            width = np.where(truth < 128, 4 + 2 * m, 10 - 2 * m)
            images[model] = truth + np.rint(random.uniform(-width, width))
        if grey:
            images = {part: image[..., 0] for part, image in images.items()}
        scaled = {part: (scale * image).astype(dtype) for part, image in images.items()}
        write_scene(folder, number, scaled)
    return folder


def make_two_sets(folder):
    """Write a reference set of three scenes and a test set of two; return their folders."""
    reference = make_set(folder / "reference", [(24, 20), (20, 28), (22, 22)], 0)
    return reference, make_set(folder / "test", [(16, 18), (20, 15)], 1)


def stacked(scenes, channel):
    """Return rows of a channel of `make_set`: predictions, truth and the number of the scene."""
    X = np.concatenate([s.predictions[..., channel].reshape(len(COMPARED), -1).T for s in scenes])
    y = np.concatenate([s.target[..., channel].ravel() for s in scenes])
    return X, y, np.repeat(np.arange(len(scenes)), [s.target[..., 0].size for s in scenes])
