"""EnsIR against its rivals over all ways to split the demo's photographs.

usage: python benchmarks/splits.py [FOLDER]

For each task, and for each of the ten ways to fit on three of the five photographs, the mean PSNR
on the other two, in the task's convention. Images of the base models are made once, in FOLDER if
one is given, where the next run finds them. HGBT is fitted as `skensir compare` does it, on 100,000
values of all channels; "version 0.1" is what cross-validation chose before. Prints for each task
the means, and by how much `EnsIRRegressorCV` is above others: on average and in the worst split.
Exits with an error where it falls short of what is required.
"""

import sys
import tempfile
import time
from itertools import combinations
from pathlib import Path

import numpy as np
from sklearn.ensemble import HistGradientBoostingRegressor
from sklearn.model_selection import LeaveOneGroupOut

from skensir import EnsIRRegressorCV
from skensir.baselines import AverageRegressor, BestModelRegressor, ConvexRegressor
from skensir.comparison.ensembles import PIXELS, SAMPLE, Method, draw_sample, fit
from skensir.demo import FITTING, TASKS, TESTING, restore_photograph
from skensir.image import ReferenceSet, peak_signal_noise_ratio, write_image
from skensir.image.pixel_format import pixel_format_of
from skensir.image.search import search_for_images

N_FITTED = 3
OURS, WITH_INPUT = "EnsIR", "EnsIR, with the input"
BEFORE = "version 0.1"
METHODS = [
    Method("average", AverageRegressor()),
    Method("best model", BestModelRegressor()),
    Method("convex", ConvexRegressor()),
    Method("HGBT", HistGradientBoostingRegressor(random_state=0), SAMPLE),
    Method(
        BEFORE,
        EnsIRRegressorCV(
            axes="predictions",
            shrink_to="pooled",
            select="best",
            scoring="neg_mean_squared_error",
            cv=LeaveOneGroupOut(),
        ),
    ),
    Method(OURS, search_for_images(N_FITTED)),
    Method(WITH_INPUT, search_for_images(N_FITTED), PIXELS, True),
]
# By how much EnsIR is to be above others on average, dB.
REQUIRED = {
    "HGBT": {"super-resolution": 0.0, "deblurring": 0.0, "deraining": 0.15},
    BEFORE: {"super-resolution": 0.0, "deblurring": 0.0, "deraining": 0.25},
}
MOST_BELOW_AVERAGE = 0.02  # in any split, dB


def make_scenes(task, folder):
    """Return a reference set of all photographs, whose images are made unless they are there."""
    if not folder.is_dir():
        for seed, name in enumerate((*FITTING, *TESTING)):
            restored = restore_photograph(name, seed=seed, task=task)
            images = {"gt": restored.truth, "lq": restored.degraded}
            images.update(zip(TASKS[task].restorers, restored.predictions, strict=True))
            for part, image in images.items():
                (folder / part).mkdir(parents=True, exist_ok=True)
                write_image(folder / part / f"{name}.png", image)
    return ReferenceSet(folder, list(TASKS[task].restorers))


def measure_split(task, reference, test):
    """Return the mean PSNR of each method on the test set."""
    pixel_format = pixel_format_of(reference[0])
    sample = draw_sample(reference, pixel_format)
    convention = {"channel": TASKS[task].channel, "crop_border": TASKS[task].crop_border}
    fits = reference.why_without_input() is None
    psnr = {}
    for method in METHODS:
        if method.include_input and not fits:
            continue
        ensemble = fit(method, reference, pixel_format, sample).ensemble
        pairs = zip(test.targets, ensemble.predict(test.predictions), strict=True)
        psnr[method.name] = np.mean([peak_signal_noise_ratio(*p, **convention) for p in pairs])
    return psnr


def measure_task(task, folder):
    """Return the PSNR of each method in each split, (n_splits,)."""
    scenes = make_scenes(task, folder / task)
    splits = []
    for fitted in combinations(scenes.names, N_FITTED):
        others = [name for name in scenes.names if name not in fitted]
        splits.append(measure_split(task, scenes.subset(fitted), scenes.subset(others)))
    return {name: np.array([split[name] for split in splits]) for name in splits[0]}


def report(task, psnr):
    """Print the figures of a task, and return what falls short of what is required."""
    print(f"\n{task}, PSNR in dB: mean, and how far EnsIR is above in {len(psnr[OURS])} splits\n")
    print(f"{'':24}{'mean':>8}{'above':>9}{'worst':>9}{'best':>9}{'behind in':>11}{'required':>10}")
    failures = []
    for name, values in psnr.items():
        if name == OURS:
            print(f"{name:24}{values.mean():8.3f}")
            continue
        ahead = psnr[OURS] - values
        line = f"{name:24}{values.mean():8.3f}{ahead.mean():+9.3f}{ahead.min():+9.3f}"
        line += f"{ahead.max():+9.3f}{np.count_nonzero(ahead < 0):11}"
        required = REQUIRED.get(name, {}).get(task)
        if required is not None:
            line += f"{required:+10.2f}"
            if ahead.mean() < required:
                failures.append(f"{task}: {ahead.mean():+.3f} against {name}, not {required:+.2f}")
        if name == "average":
            line += f"{-MOST_BELOW_AVERAGE:+10.2f} in each"
            if ahead.min() < -MOST_BELOW_AVERAGE:
                failures.append(f"{task}: {ahead.min():+.3f} against averaging in a split")
        print(line, flush=True)
    return failures


def main():
    start = time.perf_counter()
    failures = []
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(sys.argv[1] if len(sys.argv) > 1 else temporary)
        for task in TASKS:
            failures += report(task, measure_task(task, folder))
    print(f"\n{time.perf_counter() - start:.0f} s")
    sys.exit("\n".join(failures) or None)


if __name__ == "__main__":
    main()
