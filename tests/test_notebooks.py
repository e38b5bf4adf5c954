"""The notebooks in examples/ run, print what is kept in them, and can be read where they lie.

Their cells are executed as the Python that they are, and not by a Jupyter kernel: so the tests need
no more packages, warnings are errors, and an error points at the cell. `python
benchmarks/run_notebooks.py` has a kernel, and writes the outputs that are kept. A cell with the tag
`varies` is executed, and what it prints is not compared: seconds, for example. Nor is it with an
earlier scikit-learn than the outputs are of.
"""

import ast
import contextlib
import io
import json
import re
import warnings
from pathlib import Path

import pytest
import sklearn
from sklearn.utils.fixes import parse_version

EXAMPLES = Path(__file__).resolve().parents[1] / "examples"
NOTEBOOKS = sorted(EXAMPLES.glob("*.ipynb"))
LARGEST = 700_000  # bytes; code hosts show nothing of what is much larger
# Base models of earlier versions of scikit-learn predict a little otherwise.
IS_AS_KEPT = parse_version(sklearn.__version__) >= parse_version("1.9")
NUMBER = re.compile(r"\d+(?:,\d{3})*(?:\.\d+)?")
ADDRESS = re.compile(r"0x[0-9a-f]+")

pytestmark = pytest.mark.skipif(
    not EXAMPLES.is_dir(), reason="the examples are not part of a source distribution"
)
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=[path.stem for path in NOTEBOOKS])


def cells_of(path):
    return json.loads(path.read_text(encoding="utf-8"))["cells"]


def code_cells(path):
    return [cell for cell in cells_of(path) if cell["cell_type"] == "code"]


def text_of(lines):
    return lines if isinstance(lines, str) else "".join(lines)


def kept_text(cell):
    """Return what a cell printed when the notebook was kept, and the value of its last line."""
    texts = [""]
    for output in cell["outputs"]:
        if output["output_type"] == "stream":
            texts.append(text_of(output["text"]))
        elif output["output_type"] == "execute_result":
            texts.append(text_of(output["data"].get("text/plain", "")) + "\n")
    return "".join(texts)


def execute(source, names, file):
    """Execute the code of a cell and return what it prints, and the value of its last line."""
    tree = ast.parse(source, file)
    last = None
    is_shown = not source.rstrip().endswith(";")
    if tree.body and isinstance(tree.body[-1], ast.Expr):
        last = ast.Expression(tree.body.pop().value)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(tree, file, "exec"), names)
        if last is not None:
            value = eval(compile(last, file, "eval"), names)
            if value is not None and is_shown:
                print(repr(value))
    return printed.getvalue()


def assert_same_text(printed, kept):
    """Assert that texts are the same, but for one unit in the last decimal of a number."""
    printed, kept = (ADDRESS.sub("0x", text).split("\n") for text in (printed, kept))
    assert len(printed) == len(kept), f"prints {printed}, and {kept} is kept"
    for new, old in zip(printed, kept, strict=True):
        # Numbers that are aligned may have one digit more.
        words = [re.sub(r"[ -]+", " ", NUMBER.sub("#", line)).strip() for line in (new, old)]
        assert words[0] == words[1], f"prints {new!r}, and {old!r} is kept"
        for a, b in zip(NUMBER.findall(new), NUMBER.findall(old), strict=True):
            decimals = len(b.partition(".")[2])
            unit = 10.0**-decimals if decimals else 0.0
            off = abs(float(a.replace(",", "")) - float(b.replace(",", "")))
            assert off <= 1.01 * unit, f"prints {new!r}, and {old!r} is kept"


@pytest.mark.long
@each_notebook
def test_notebook_prints_what_is_kept_in_it(path, tmp_path, monkeypatch):
    pyplot = pytest.importorskip("matplotlib.pyplot", reason="notebooks draw")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MPLBACKEND", "Agg")
    pyplot.switch_backend("Agg")
    names = {"__name__": "__main__"}
    with warnings.catch_warnings(), pyplot.rc_context():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")  # by `show`
        for number, cell in enumerate(code_cells(path)):
            source = text_of(cell["source"])
            printed = execute(source, names, f"{path.name}, code cell {number}")
            pyplot.close("all")  # as a notebook does after a cell
            if "varies" not in cell["metadata"].get("tags", ()) and IS_AS_KEPT:
                assert_same_text(printed, kept_text(cell))


@each_notebook
def test_notebook_is_kept_with_the_outputs_of_one_run(path):
    cells = code_cells(path)
    assert [cell["execution_count"] for cell in cells] == list(range(1, len(cells) + 1))
    assert sum(bool(cell["outputs"]) for cell in cells) > len(cells) / 2
    kinds = {output["output_type"] for cell in cells for output in cell["outputs"]}
    assert kinds <= {"stream", "execute_result", "display_data"}  # no error
    assert any("image/png" in output.get("data", ()) for c in cells for output in c["outputs"])


@each_notebook
def test_notebook_can_be_read_where_it_lies(path):
    assert path.stat().st_size < LARGEST
    cells = cells_of(path)
    assert text_of(cells[0]["source"]).startswith("# ")
    assert sum(cell["cell_type"] == "markdown" for cell in cells) >= len(cells) / 3
    for cell in cells:
        for output in cell.get("outputs", ()):
            assert output.get("name") != "stderr", "warnings and progress bars are no outputs"
        text = text_of(cell["source"]) + (kept_text(cell) if "outputs" in cell else "")
        for place in ("/home/", "/root/", "/tmp/", "/work/", "/Users/", "site-packages", "\\Users"):
            assert place not in text, f"a path of the machine that ran it: {text}"
        assert "\r" not in text
        for line in text_of(cell["source"]).split("\n"):
            assert not line.startswith(("%", "!")), "not Python, which the tests execute"


@each_notebook
def test_links_of_notebook_lead_to_files(path):
    text = "\n".join(text_of(c["source"]) for c in cells_of(path) if c["cell_type"] == "markdown")
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text)
    assert [link for link in links if not (EXAMPLES / link).exists()] == []


def test_there_are_notebooks():
    assert NOTEBOOKS


@pytest.mark.parametrize(
    "printed", ["PSNR 30.14 dB\n", "PSNR 30.12 dB\nmore\n", "SSIM 30.12 dB\n", "PSNR 31 dB\n"]
)
def test_other_text_is_told(printed):
    assert_same_text("PSNR 30.13 dB\n", "PSNR 30.12 dB\n")
    with pytest.raises(AssertionError):
        assert_same_text(printed, "PSNR 30.12 dB\n")
