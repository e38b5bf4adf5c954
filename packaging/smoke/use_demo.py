"""The extra `demo`: the command that shows it all, on one of its tasks; sdist runs the whole."""

import subprocess
import sys
from pathlib import Path

program = Path(sys.executable).with_name("skensir")
run = subprocess.run(
    [program, "demo", "--task", "deraining"], capture_output=True, text=True, check=False
)
assert run.returncode == 0, run.stderr
assert "cross-validated" in run.stdout
assert Path("demo.png").stat().st_size > 10_000
