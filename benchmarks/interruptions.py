"""Kill `skensir predict --resume` at drawn moments; the files must be those of a run in peace.

usage: python benchmarks/interruptions.py MODEL FOLDER [kills] [seed]

MODEL is what `skensir fit` wrote, FOLDER has a sub-folder per base model. After every kill each
image that is there must be whole, and after Ctrl-C and SIGTERM nothing else may be. A run that has
come to its end is compared with the one in peace, and its folder emptied for the next.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import skensir

CODES = {signal.SIGINT: 130, signal.SIGTERM: 143, signal.SIGKILL: -signal.SIGKILL}


def start(model, folder, output):
    """Start a run in a process of its own."""
    arguments = ["predict", model, folder, "-o", output, "--weight-maps", "--resume"]
    path = str(Path(skensir.__file__).parents[1])
    return subprocess.Popen(
        [sys.executable, "-m", "skensir.cli", *map(str, arguments)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": path},
    )


def content(folder):
    """Return the bytes of all files by their paths, hidden ones too."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def check_end(process, number, output, expected, counts):
    """Check what a killed run has left."""
    _, printed = process.communicate()
    found = content(output)
    partial = [name for name in found if ".skensir-" in name]
    counts["unfinished files left by SIGKILL"] += len(partial)
    if process.returncode == 0:
        counts["runs that came to their end before the kill"] += 1
    elif "done:" in printed:
        assert process.returncode == CODES[number], (number, process.returncode)
        assert "Traceback" not in printed, printed
        n_done = int(printed.split(" of ")[0].split()[-1])
        assert n_done <= len([name for name in found if "/" not in name]), printed
        counts["ends that said how many scenes are done"] += 1
    elif number == signal.SIGKILL:
        counts["ends by SIGKILL"] += 1
    else:  # while the modules are loaded, where a signal meets with Python's own ways
        counts["ends before the command had begun"] += 1
        counts["of which with a traceback"] += "Traceback" in printed
    assert not partial or number == signal.SIGKILL, partial
    for name, data in found.items():
        assert name in partial or expected[name] == data, name
    if number != signal.SIGKILL and not partial:
        images = {name for name in found if "/" not in name}
        maps = {Path(name).name for name in found if "/" in name}
        counts["maps of the weights without their image"] += len(maps - images)


def main():
    model, folder = (Path(name).absolute() for name in sys.argv[1:3])
    n_kills = int(sys.argv[3]) if len(sys.argv) > 3 else 100
    rng = random.Random(int(sys.argv[4]) if len(sys.argv) > 4 else 0)
    with tempfile.TemporaryDirectory() as name:
        peace, output = Path(name, "peace"), Path(name, "output")
        begin = time.perf_counter()
        assert start(model, folder, peace).wait() == 0
        seconds, expected = time.perf_counter() - begin, content(peace)
        begin = time.perf_counter()
        assert start(model, folder, peace).wait() == 0
        idle = time.perf_counter() - begin  # all scenes are there
        counts, signals, n_whole = Counter(), Counter(), 0
        while signals.total() < n_kills:
            process = start(model, folder, output)
            time.sleep(rng.uniform(idle / 2, seconds))
            number = rng.choice(list(CODES))
            process.send_signal(number)
            signals[number] += 1
            check_end(process, number, output, expected, counts)
            if process.returncode == 0 or signals.total() == n_kills:
                process = start(model, folder, output)
                process.communicate()
                assert process.returncode == 0
                assert content(output) == expected
                n_whole += 1
                shutil.rmtree(output)
    names = ", ".join(f"{n} {signal.Signals(number).name}" for number, n in signals.items())
    print(f"{n_kills} kills ({names}) {idle / 2:.1f} to {seconds:.1f} s from the start")
    for what, count in counts.items():
        print(f"  {count:>4} {what}")
    print(f"{n_whole} times all scenes were done; the files were those of the run in peace.")


if __name__ == "__main__":
    main()
