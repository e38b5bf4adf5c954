"""How long do the estimators take to import, beside `sklearn.base`, which they need in any case?

usage: python benchmarks/import_time.py [repetitions]

Each import runs in a fresh interpreter, the two in turn; prints the medians and their ratio.
"""

import subprocess
import sys
from statistics import median

MEASURE = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"
STATEMENTS = "import sklearn.base", "from skensir import EnsIRRegressor, EnsIRRegressorCV"


def seconds(statement):
    command = [sys.executable, "-c", MEASURE.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main():
    repetitions = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    measured = {statement: [] for statement in STATEMENTS}
    for repetition in range(repetitions + 1):
        for statement in STATEMENTS:
            spent = seconds(statement)
            if repetition:  # the first run fills the file cache
                measured[statement].append(spent)
    for statement, spent in measured.items():
        print(f"{median(spent):.3f} s ({min(spent):.3f} to {max(spent):.3f}): {statement}")
    base, ours = map(median, measured.values())
    print(f"ratio {ours / base:.2f}")


if __name__ == "__main__":
    main()
