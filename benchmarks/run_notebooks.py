"""Run the notebooks in examples/ anew, and keep their outputs in them.

usage: python benchmarks/run_notebooks.py [NOTEBOOK ...]

Each runs in an empty folder, so that nothing of this machine gets into its outputs. A warning is an
error, as is whatever else goes to stderr. Pictures are kept with 256 colours, which makes them a
third as large. Needs ``pip install nbclient ipykernel``. `tests/test_notebooks.py` runs the same
cells without a kernel, and compares what they print with what is kept here.
"""

import base64
import io
import sys
import tempfile
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from PIL import Image

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
# Nothing of what a kernel says of itself, which changes from machine to machine.
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}


def with_few_colours(png):
    """Return a picture, in base64, with a palette of 256 colours."""
    picture = Image.open(io.BytesIO(base64.b64decode(png))).convert("RGB")
    buffer = io.BytesIO()
    coverage = Image.Quantize.MAXCOVERAGE  # keeps colour bars smooth
    few = picture.quantize(256, coverage, kmeans=3, dither=Image.Dither.NONE)
    few.save(buffer, "png", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def run(path):
    """Execute a notebook and write it with its outputs."""
    notebook = nbformat.read(path, as_version=4)
    with tempfile.TemporaryDirectory() as folder:
        client = NotebookClient(
            notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": folder}}
        )
        client.execute()
    notebook.metadata = METADATA
    for number, cell in enumerate(notebook.cells):
        cell.id = f"cell-{number}"
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if output.get("name") == "stderr":
                sys.exit(f"{path.name}, cell {number} writes to stderr:\n{output.text}")
            if "image/png" in output.get("data", ()):
                output.data = {"image/png": with_few_colours(output.data["image/png"])}
    nbformat.validate(notebook)
    nbformat.write(notebook, path)
    print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


def main():
    """Run the notebooks that are named, or all."""
    for path in [*map(Path, sys.argv[1:])] or sorted(EXAMPLES.glob("*.ipynb")):
        run(path)


if __name__ == "__main__":
    main()
