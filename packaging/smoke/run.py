"""Install wheel and sdist in clean environments, and use them there for what they are for.

::

    python -m build
    python packaging/smoke/run.py dist

Each environment has the wheel with one extra and nothing else but what ``BESIDE`` names, and runs
the file ``use_EXTRA.py`` beside this one. "all" has all extras and runs all files. "sdist" unpacks
the source distribution and runs README's commands in it, the tests in part. Torch and PySpark are
large: ``--only torch`` asks for the one, and the other is for tests alone.

Needs nothing but Python and an index of packages. It ends with the first command that fails.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import venv
from pathlib import Path

HERE = Path(__file__).resolve().parent
# Extras for users, and what has to be there for them to work on: they bring no library of frames
# or arrays, and no runtime.
BESIDE: dict[str, tuple[str, ...]] = {
    "core": (),
    "array": ("array-api-strict>=2",),
    "dask": (),
    "fast": (),
    "frames": ("polars>=1",),
    "image": (),
    "onnx": ("onnxruntime>=1.17",),
    "plot": (),
    "skl2onnx": ("onnxruntime>=1.17",),
    "demo": (),
    "torch": (),
}
LARGE = ("torch",)
SMALL = tuple(name for name in BESIDE if name not in LARGE)
# Of the tests, what takes little time and concerns what a source distribution holds.
TESTS = ("tests/test_docs.py", "tests/test_release.py", "tests/test_persistence.py")
TESTS += ("tests/test_layers.py", "tests/test_ensir.py", "tests/golden", "skensir/interop")


class Environment:
    """A clean virtual environment.

    Parameters
    ----------
    folder : Path
        Where it is made.
    """

    def __init__(self, folder: Path) -> None:
        venv.create(folder, with_pip=True, symlinks=os.name != "nt")
        self.programs = folder / ("Scripts" if os.name == "nt" else "bin")
        self.variables = {
            name: value
            for name, value in os.environ.items()
            if name not in ("PYTHONPATH", "PYTHONHOME", "VIRTUAL_ENV")
        } | {
            "MPLBACKEND": "Agg",
            "OMP_NUM_THREADS": "1",  # more of them wait for each other where others work too
            "PATH": f"{self.programs}{os.pathsep}{os.environ['PATH']}",
        }

    def run(self, program: str, *arguments: str, cwd: Path) -> None:
        """Run a program of the environment."""
        command = [str(self.programs / program), *arguments]
        subprocess.run(command, cwd=cwd, env=self.variables, check=True)

    def install(self, *arguments: str, cwd: Path) -> None:
        """Install packages, and see that they get on with each other."""
        self.run("python", "-m", "pip", "install", "--quiet", "--no-compile", *arguments, cwd=cwd)
        self.run("python", "-m", "pip", "check", "--quiet", cwd=cwd)

    def use(self, extra: str, cwd: Path) -> None:
        """Run the file of an extra, away from the checkout, warnings being errors."""
        self.run("python", "-I", "-W", "error", str(HERE / f"use_{extra}.py"), cwd=cwd)


def smoke_wheel(wheel: Path, name: str, folder: Path) -> None:
    """Install the wheel with an extra, or all of them, and use it."""
    extras = {"core": (), "all": tuple(extra for extra in SMALL if extra != "core")}.get(
        name, (name,)
    )
    environment = Environment(folder / "environment")
    beside = {requirement for extra in extras for requirement in BESIDE[extra]}
    listed = f"[{','.join(extras)}]" if extras else ""
    environment.install(f"skensir{listed} @ {wheel.as_uri()}", *sorted(beside), cwd=folder)
    for extra in extras or ("core",):
        work = folder / f"use_{extra}"
        work.mkdir()
        environment.use(extra, work)


def smoke_sdist(sdist: Path, folder: Path) -> None:
    """Unpack the source distribution and run README's commands in it, the tests in part."""
    with tarfile.open(sdist) as archive:
        archive.extractall(folder, filter="data")
    [source] = folder.glob("skensir-*")
    environment = Environment(folder / "environment")
    environment.install("-e", ".[demo]", cwd=source)
    environment.run("skensir", "demo", "--output", str(folder / "demo.png"), cwd=source)
    assert (folder / "demo.png").stat().st_size > 10_000
    environment.install("-e", ".[test]", cwd=source)
    environment.run("pytest", *TESTS, cwd=source)


def one_file(folder: Path, pattern: str) -> Path:
    """Return the only file of a folder that fits the pattern."""
    found = sorted(folder.resolve().glob(pattern))
    if len(found) != 1:
        sys.exit(f"{folder} has {len(found)} files {pattern}, must have one.")
    return found[0]


def main() -> None:
    """Run what the command line asks for."""
    names = ("core", *[name for name in BESIDE if name != "core"], "all", "sdist")
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("dist", type=Path, help="the folder with one wheel and one sdist")
    parser.add_argument("--only", nargs="+", choices=names, default=[*SMALL, "all", "sdist"])
    arguments = parser.parse_args()
    wheel = one_file(arguments.dist, "skensir-*-py3-none-any.whl")
    sdist = one_file(arguments.dist, "skensir-*.tar.gz")
    for name in arguments.only:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(prefix="skensir-smoke-") as folder:
            if name == "sdist":
                smoke_sdist(sdist, Path(folder))
            else:
                smoke_wheel(wheel, name, Path(folder))
        print(f"{name:<9} works, after {time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
