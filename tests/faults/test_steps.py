"""Commands that are ended, or fail, at steps they take in the file system: see `steps.py`."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import skensir

pytestmark = pytest.mark.skipif(os.name == "nt", reason="processes are forked")


@pytest.mark.parametrize(
    ("tasks", "faults", "every"),
    [
        ("fit", "SIGINT,SIGHUP,SIGKILL,ENOSPC,EIO,MemoryError", 9),
        ("predict", "SIGTERM,SIGKILL,ENOSPC", 23),
        ("sample", "SIGTERM,EROFS", 31),
        ("save", "SIGINT,SIGKILL,ENOSPC", 3),
    ],
)
def test_whatever_happens_files_are_whole_and_the_next_run_makes_them(tasks, faults, every):
    """All steps of all tasks are tried by `python tests/faults/steps.py`."""
    script = Path(__file__).with_name("steps.py")
    options = ["--tasks", tasks, "--faults", faults, "--every", str(every)]
    run = subprocess.run(
        [sys.executable, script, *options],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONPATH": str(Path(skensir.__file__).parents[1])},
    )
    assert run.returncode == 0, run.stdout + run.stderr
    assert run.stdout.count(f"{tasks} ") == faults.count(",") + 1
