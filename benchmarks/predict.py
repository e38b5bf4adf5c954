"""Time of `skensir predict` of this version as a ratio to that of another, in one run.

usage: python benchmarks/predict.py OLD MODEL FOLDER [repetitions]

OLD is a folder with the sources of the other version (`git archive v0.1.0 | tar x -C OLD`), MODEL
what its `skensir fit` wrote, and FOLDER has a sub-folder per base model. The versions take turns.
"As a whole" is what the user waits for; "loaded" is without the start of Python and the import of
the libraries, which takes both versions a second or so.
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path
from statistics import median

import skensir

PROGRAM = """
import time
begin = time.perf_counter()
import sys
import cv2, tifffile, tqdm
from skensir.cli import main
loaded = time.perf_counter()
assert main(sys.argv[1:]) == 0
end = time.perf_counter()
print(end - begin, end - loaded, file=sys.stderr)
"""


def seconds(sources, model, folder):
    """Return how long the command takes as a whole, and without loading."""
    with tempfile.TemporaryDirectory() as output:
        run = subprocess.run(
            [sys.executable, "-c", PROGRAM, "predict", model, folder, "-o", Path(output, "out")],
            env=os.environ | {"PYTHONPATH": str(sources)},
            cwd=output,
            capture_output=True,
            text=True,
            check=True,
        )
    return tuple(map(float, run.stderr.split()))


def main():
    old, model, folder = (Path(name).absolute() for name in sys.argv[1:4])
    repetitions = int(sys.argv[4]) if len(sys.argv) > 4 else 7
    versions = {"other": old, "this": Path(skensir.__file__).parents[1]}
    spent = {name: [] for name in versions}
    for _ in range(repetitions):
        for name, sources in versions.items():
            spent[name].append(seconds(sources, model, folder))
    print(f"{'':12}{'other (s)':>12}{'this (s)':>12}{'ratio':>8}{'of the fastest':>16}")
    for number, kind in enumerate(("as a whole", "loaded")):
        times = {name: [pair[number] for pair in pairs] for name, pairs in spent.items()}
        ratio = median(a / b for a, b in zip(times["other"], times["this"], strict=True))
        fastest = min(times["other"]) / min(times["this"])
        middle = "".join(f"{median(times[name]):12.2f}" for name in versions)
        print(f"{kind:12}{middle}{ratio:8.2f}{fastest:16.2f}")


if __name__ == "__main__":
    main()
