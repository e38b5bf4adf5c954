"""End the commands at each step that they take in the file system, or let the step fail.

usage: python tests/faults/steps.py [--tasks fit,...] [--faults SIGTERM,...] [--moments N]

A step is what Python tells an audit hook: a file opened, renamed or removed, a folder listed or
made. Without --moments each of them is tried, with it signals come at N drawn moments between the
beginning and the end. Whatever the fault, afterwards

- under each final name is what was there before, or the whole of the new content;
- nothing else lies there, but for SIGKILL, after which the next run clears up;
- the exit code is that of the signal, or 2 with one sentence on the terminal and no traceback;
- the next run, in peace, makes the same files, byte for byte.

Runs are forked from a process that has loaded all modules, so that a fault meets with the work.
"""

import argparse
import contextlib
import errno
import io
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections import Counter
from pathlib import Path

import cv2
import numpy as np

sys.path.insert(0, str(Path(__file__).parents[1]))

from image_folders import make_folder

from skensir import EnsIRRegressor, load_table, save_table
from skensir.cli import __main__ as program
from skensir.cli import main
from skensir.comparison import ensembles, measure

SIGNALS = ("SIGINT", "SIGTERM", "SIGHUP", "SIGKILL")
ERRORS = ("ENOSPC", "EACCES", "EROFS", "EIO", "EMFILE", "MemoryError")
# Errors that come to whoever writes only.
_WRITING = ("ENOSPC", "EROFS")
_HANDLED = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
_CHANGES = ("os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate")
_EVENTS = (*_CHANGES, "open", "os.listdir", "os.scandir")


def command(*arguments):
    """Return what runs a command as the console does."""

    def run(call=program.console):
        sys.argv = ["skensir", *arguments]
        call()

    return run


def save(_=None):
    """Read a table and write it again, as a program in Python would."""
    model = load_table("plain.table")
    for name in ("saved/1.table", "saved/2.table"):
        save_table(model, name)


# What is run, and the files and folders that it makes.
TASKS = {
    "fit": (command("fit", "train", "-o", "fitted/model"), ["fitted"]),
    "predict": (
        command("predict", "model", "test", "-o", "out", "--weight-maps", "--resume"),
        ["out"],
    ),
    "save": (save, ["saved"]),
    "report": (
        command(
            *("compare", "train", "test", "--no-trees", "--no-perceptual", "--models", "alpha"),
            *("beta", "--table", "told/table.csv", "--scenes-table", "told/scenes.md"),
            *("--report", "told/report.html"),
        ),
        ["told"],
    ),
    "sample": (command("sample", "sample"), ["sample"]),
    "demo": (
        command("demo", "--task", "deraining", "-o", "drawn/demo.png", "--folder", "demo"),
        ["drawn", "demo"],
    ),
}
# Folders that are there before, as one has to name a new one for the others.
_GIVEN = ("fitted", "saved", "told", "drawn")
_NEW = ("sample", "demo")


def make_place(folder):
    """Write what the tasks read, and go there."""
    os.chdir(folder)
    make_folder(Path("train").absolute())
    make_folder(Path("test").absolute(), seed=1, sizes={str(n): (24, 20 + n) for n in range(3)})
    y = np.linspace(0, 255, 5000)
    save_table(EnsIRRegressor().fit(np.stack([y + 3, y - 2], axis=1), y), "plain.table")
    assert ended(command("fit", "train", "-o", "model"))[0] == 0


def content(names):
    """Return the bytes of all files, hidden ones too, and None for each folder."""
    paths = [path for name in names for path in (Path(name), *Path(name).rglob("*"))]
    hidden = Path().glob(".*")
    return {
        str(path): path.read_bytes() if path.is_file() else None
        for path in (*paths, *hidden)
        if path.exists()
    }


def clear(names, former):
    """Make the folders as they are before a run."""
    for name in names:
        shutil.rmtree(name, ignore_errors=True)
        if name in _GIVEN:
            Path(name).mkdir()
    for name, data in former.items():
        Path(name).parent.mkdir(exist_ok=True, parents=True)
        if data is not None:
            Path(name).write_bytes(data)


def fail_at(step, fault, seen):
    """Return an audit hook that makes the fault at a step, and counts the steps."""

    def hook(event, arguments):
        if event not in _EVENTS or not isinstance(arguments[0], str | os.PathLike):
            return
        path = os.fspath(arguments[0])
        if os.path.isabs(path) and not path.startswith(os.getcwd()):
            return
        writes = event in _CHANGES or (event == "open" and arguments[2] & (os.O_WRONLY | os.O_RDWR))
        if fault in _WRITING and (not writes or event == "os.remove"):
            return
        if fault == "EMFILE" and event not in ("open", "os.listdir", "os.scandir"):
            return
        seen[0] += 1
        if seen[0] != step:
            return
        if fault in SIGNALS:
            os.kill(os.getpid(), getattr(signal, fault))
        elif fault == "MemoryError":
            raise MemoryError
        else:
            number = getattr(errno, fault)
            raise OSError(number, os.strerror(number), path)

    return hook


def begin(run, hook=None):
    """Fork a process that runs something; its output goes to the file `printed`."""
    sys.stdout.flush()
    sys.stderr.flush()
    signal.pthread_sigmask(signal.SIG_BLOCK, _HANDLED)  # until the new process is ready
    if process := os.fork():
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        return process
    code = 1
    try:
        with open("printed", "wb") as printed:
            for number in (1, 2):
                os.dup2(printed.fileno(), number)
        # Else reports would hold how long it took.
        for module in (ensembles, measure):
            module.perf_counter = lambda: 0.0
        if hook is not None:
            sys.addaudithook(hook)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _HANDLED)
        run()
        code = 0
    except SystemExit as end:
        code = end.code or 0
    except KeyboardInterrupt:  # of a program in Python
        code = 130
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        threading._shutdown()
        os._exit(code)


def wait(process):
    """Return the exit code, as of `subprocess`, and what was printed."""
    _, status = os.waitpid(process, 0)
    return os.waitstatus_to_exitcode(status), Path("printed").read_text(errors="replace")


def ended(run, hook=None):
    return wait(begin(run, hook))


def code_of(fault, task):
    """Return the exit codes that a fault may lead to beside 0."""
    if fault in ERRORS:
        return {1 if task == "save" else 2}
    number = getattr(signal, fault)
    if task != "save":  # at its beginning and end a signal ends it at once
        return {-number} if fault == "SIGKILL" else {-number, 128 + number}
    # No program of ours: NumPy may make another error of Ctrl-C, and others end it at once.
    return {1, 130} if fault == "SIGINT" else {-number}


class Trial:
    """A task, and what is true of its files after each fault."""

    def __init__(self, task):
        self.task = task
        self.run, self.names = TASKS[task]
        clear(self.names, {})
        code, printed = ended(self.run)
        assert code == 0, printed
        self.whole = content(self.names)
        # Files of another run in their place.
        self.former = {
            name: data and b"former " + data
            for name, data in self.whole.items()
            if not name.startswith(_NEW)
        }
        self.counts = Counter()
        self.known = set()  # what faults have left, and the next run has made whole

    def n_steps(self, fault, former):
        """Return how many steps there are at which the fault may come."""
        read, write = os.pipe()

        def run():
            try:
                self.run()
            finally:
                os.write(write, b"%d" % counter[0])

        counter = [0]
        clear(self.names, former)
        code, printed = ended(run, fail_at(-1, fault, counter))
        assert code == 0, printed
        n_steps = int(os.read(read, 20))
        os.close(read)
        os.close(write)
        return n_steps

    def check(self, fault, former, code, printed, what):
        """Check what a run with a fault has left."""
        found = content(self.names)
        surplus = found.keys() - self.whole.keys() - former.keys()
        told = f"{self.task} {fault} {what}: exit code {code}\n{printed}\n{sorted(surplus)}"
        assert code in {0, *code_of(fault, self.task)}, told
        self.counts["as in peace" if code == 0 else f"exit code {code}"] += 1
        if fault != "SIGKILL" and not (
            self.task == "save" and fault in ("SIGTERM", "SIGHUP") and code < 0
        ):
            assert not surplus, told
        assert all(".skensir-" in name for name in surplus), told
        self.counts["left by a kill"] += any(Path(name).is_file() for name in surplus)
        for name in found.keys() - surplus:
            assert found[name] in (self.whole.get(name, b""), former.get(name, b"")), (told, name)
        for name in former.keys() - found.keys():
            raise AssertionError(f"{told} lost {name}")
        if code == 0 and fault not in SIGNALS:
            assert found.items() >= self.whole.items(), told
        if self.task != "save":
            assert not re.search("Traceback|Exception ignored", printed), told
            lines = [line for line in printed.splitlines() if line.startswith("skensir: ")]
            lines = [line for line in lines if not line.startswith("skensir: note: ")]
            if code == 2:
                assert len(lines) == 1, told
                assert re.fullmatch(r"(?!.*\[Errno).*\.", lines[0]), told
        left = frozenset(found.items() - {(name, found[name]) for name in surplus})
        if left in self.known and (fault != "SIGKILL" or not surplus):
            return
        self.known.add(left)
        for name in _NEW:
            shutil.rmtree(name, ignore_errors=True)
        code, printed = ended(self.run)
        told = f"{told}\nthen {code}\n{printed}"
        assert code == 0, told
        assert content(self.names) == self.whole, (
            told,
            content(self.names).keys() ^ self.whole.keys(),
        )

    def seconds(self):
        """Return how long a run takes in peace."""
        clear(self.names, {})
        since = time.perf_counter()
        assert ended(self.run)[0] == 0
        return time.perf_counter() - since

    def at_each_step(self, fault, every=1):
        """Make the fault at each step."""
        for former in ({}, self.former):
            for step in range(1, self.n_steps(fault, former) + 1, every):
                clear(self.names, former)
                code, printed = ended(self.run, fail_at(step, fault, [0]))
                self.check(fault, former, code, printed, f"at step {step}")

    def at_moments(self, fault, n_moments, rng):
        """Send the signal at drawn moments."""
        seconds = min(self.seconds() for _ in range(3))  # else many would come after the end
        for number in range(n_moments):
            former = (self.former, {})[number % 2]
            clear(self.names, former)
            process = begin(self.run)
            time.sleep(rng.uniform(0, seconds))
            os.kill(process, getattr(signal, fault))
            self.check(fault, former, *wait(process), f"at moment {number}")


def try_all():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tasks", default=",".join(TASKS))
    parser.add_argument("--faults", default=",".join((*SIGNALS, *ERRORS)))
    parser.add_argument("--moments", type=int)
    parser.add_argument("--every", type=int, default=1)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in the background
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # and below nohup
    cv2.setNumThreads(0)  # whose threads a fork would lose
    home, n_failed = os.getcwd(), 0
    with tempfile.TemporaryDirectory() as folder:
        make_place(folder)
        for task in options.tasks.split(","):
            clear(TASKS[task][1], {})
            with contextlib.redirect_stdout(io.StringIO()):
                TASKS[task][0](main)  # which loads what it needs
            trial = Trial(task)
            for fault in options.faults.split(","):
                trial.counts.clear()
                try:
                    if options.moments:
                        trial.at_moments(fault, options.moments, random.Random(options.seed))
                    else:
                        trial.at_each_step(fault, options.every)
                except AssertionError as error:
                    n_failed += 1
                    print(f"FAILED: {error}", flush=True)
                print(task, fault, dict(trial.counts), flush=True)
        os.chdir(home)
    sys.exit(n_failed > 0)


if __name__ == "__main__":
    try_all()
