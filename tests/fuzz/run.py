"""Give a reader changed files for some time, and keep those for which a promise is not held.

    python tests/fuzz/run.py table --seconds 600

Where atheris is installed, changes follow the lines of Python that they reach; elsewhere they are
drawn. The reader runs in a process of its own, so that a crash, an endless loop and memory beyond a
limit cost that process, and the input is kept. Findings lie in --output: an input each, and what
was raised beside it.
"""

from __future__ import annotations

import argparse
import os
import re
import resource
import signal
import subprocess
import sys
import time
import traceback
from hashlib import sha1
from pathlib import Path
from random import Random

TESTS = Path(__file__).resolve().parents[1]
SECONDS_PER_INPUT = 20
MEMORY = 6 * 2**30  # of the process, with all libraries

try:
    import atheris
except ImportError:
    atheris = None


def main() -> int:
    """Start workers until the time is up, and tell what came of it."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("target")
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--output", type=Path, default=Path("fuzz-findings"))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--plain", action="store_true", help="do without atheris")
    parser.add_argument("--work", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        return work(options)
    folder = options.output / options.target
    (folder / "corpus").mkdir(parents=True, exist_ok=True)
    end, seed, n_executed, coverage = time.monotonic() + options.seconds, options.seed, 0, ""
    with open(folder / "log", "ab") as log:
        while (left := end - time.monotonic()) > 2:
            start = log.tell()
            command = [sys.executable, __file__, options.target, "--work", "--seconds", str(left)]
            command += ["--output", str(options.output), "--seed", str(seed)]
            command += ["--plain"] if options.plain or atheris is None else []
            code = subprocess.run(command, stdout=log, stderr=log, check=False).returncode
            said = (folder / "log").read_bytes()[start:].decode("utf-8", "replace")
            numbers = re.findall(r"^#(\d+)\s|number_of_executed_units: *(\d+)", said, re.M)
            n_executed += max((int(a or b) for a, b in numbers), default=0)
            coverage = (re.findall(r"cov: \d+ ft: \d+", said) or [coverage])[-1]
            log.seek(0, 2)
            current = folder / "current"
            if code and current.exists() and time.monotonic() < end:
                keep(folder, current.read_bytes(), f"the process ended with {code}: {said[-3000:]}")
            seed += 1
    found = sorted(path.name for path in folder.glob("*.txt"))
    print(f"{options.target}: {n_executed:,} executions; {coverage or 'coverage unknown'}; {found}")
    return bool(found)


def keep(folder: Path, data: bytes, text: str) -> None:
    """Keep an input, one for each place at which things go wrong."""
    places = re.findall(r'File "(.+?)", line (\d+)', text)
    last = text.strip().splitlines()[-1] if text.strip() else ""
    kind = "\n".join(f"{a}:{b}" for a, b in places[-4:]) + re.sub(r"[\d,]+|'.*?'", "", last)[:80]
    path = folder / sha1(kind.encode("utf-8", "replace")).hexdigest()[:10]
    if not path.exists() or len(data) < path.stat().st_size:
        path.write_bytes(data)
        path.with_suffix(".txt").write_text(text, "utf-8", "replace")


def work(options: argparse.Namespace) -> int:
    """Run the reader in this process, until something ends it."""
    sys.path.insert(0, str(TESTS))
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**28, 2**28))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    os.environ["OPENCV_LOG_LEVEL"] = "SILENT"
    for name in ("OMP", "OPENBLAS", "MKL", "NUMBA"):
        os.environ[f"{name}_NUM_THREADS"] = "1"
    plain = options.plain or atheris is None
    if plain:
        from fuzz import targets
    else:
        with atheris.instrument_imports(include=["skensir", "tifffile"], exclude=["skensir._core"]):
            from fuzz import targets
    from fuzz import guard, mutator
    from fuzz.findings import FINDINGS
    from fuzz.samples import SAMPLES

    folder, reader = options.output / options.target, targets.TARGETS[options.target]
    samples = SAMPLES[options.target]()
    samples += [make() for make, _ in FINDINGS.get(options.target, {}).values()]
    for data in samples:
        reader(data)  # imports what it needs
    os.environ["MPLCONFIGDIR"] = str(guard.scratch())
    guard.watch()
    current = open(folder / "current", "w+b", buffering=0)  # noqa: SIM115 - until the end

    def attempt(data: bytes) -> None:
        current.seek(0)
        current.truncate()
        current.write(data)
        try:
            reader(data)
        except Exception:
            keep(folder, data, traceback.format_exc())

    if not plain:
        corpus = folder / "corpus"
        for number, data in enumerate(samples):
            (corpus / f"sample-{number}").write_bytes(data)

        def change(data: bytes, most: int, seed: int) -> bytes:
            rng = Random(seed)
            if rng.random() < 0.3:
                return atheris.Mutate(data, most)
            return mutator.mutate(data, rng, rng.choice(samples))[:most]

        arguments = [sys.argv[0], str(corpus), f"-max_total_time={int(options.seconds)}"]
        arguments += ["-max_len=200000", f"-timeout={SECONDS_PER_INPUT}", "-rss_limit_mb=6000"]
        arguments += [f"-artifact_prefix={folder}/crash-", "-print_final_stats=1", "-len_control=0"]
        arguments += [f"-seed={options.seed + 1}"]
        atheris.Setup(arguments, attempt, custom_mutator=change)
        atheris.Fuzz()
    rng, end, n_done = Random(options.seed), time.monotonic() + options.seconds, 0
    recent = list(samples)
    while time.monotonic() < end:
        data = mutator.mutate(rng.choice(recent), rng, rng.choice(samples))
        if rng.random() < 0.02:  # changes that add up
            recent = [*samples, *recent[len(samples) :][-50:], data]
        signal.alarm(SECONDS_PER_INPUT)
        attempt(data)
        signal.alarm(0)
        n_done += 1
        if n_done % 100 == 0:
            print(f"#{n_done} done", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
