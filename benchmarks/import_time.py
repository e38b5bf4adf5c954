"""How long does `import skensir` take, beside `import sklearn.base`, which it needs in any case?

usage: python benchmarks/import_time.py [repetitions]

Each import runs in a fresh interpreter, the two in turn; prints the medians and their ratio.
"""

import subprocess
import sys
from statistics import median

MEASURE = "import time; start = time.perf_counter(); import {}; print(time.perf_counter() - start)"


def seconds(module):
    command = [sys.executable, "-c", MEASURE.format(module)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    modules = "sklearn.base", "skensir"
    measured = {module: [] for module in modules}
    for repetition in range(repetitions + 1):
        for module in modules:
            spent = seconds(module)
            if repetition:  # the first run fills the file cache
                measured[module].append(spent)
    for module, spent in measured.items():
        print(f"import {module:13} {median(spent):.3f} s ({min(spent):.3f} to {max(spent):.3f})")
    print(f"ratio {median(measured['skensir']) / median(measured['sklearn.base']):.2f}")


if __name__ == "__main__":
    main()
