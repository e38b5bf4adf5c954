"""Commands that are ended, or fail, at steps they take in the file system: see `steps.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skensir

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are forked")


def test_whatever_happens_files_are_whole_and_the_next_run_makes_them():
    """All steps of all tasks are tried by `python tests/faults/steps.py`."""
    script = Path(__file__).with_name("steps.py")
    tasks, faults = ("fit", "predict", "sample"), ("SIGTERM", "SIGKILL", "EIO")
    options = ["--tasks", ",".join(tasks), "--faults", ",".join(faults), "--every", "31"]
    run = subprocess.run(
        [sys.executable, script, *options],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(skensir.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    told = [line.split()[:2] for line in run.stdout.splitlines()]
    assert told == [[task, fault] for task in tasks for fault in faults]
