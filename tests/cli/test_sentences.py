"""No message of a command speaks Python: mistakes and warnings, in the words of the options."""

import re
import shutil
import signal
import subprocess
import sys
import warnings
import zipfile
from pathlib import Path

import numpy as np
import pytest
from commands import run
from image_folders import make_folder, write_scene
from torch_files import synthetic, table_of, write

from skensir.cli.sentences import in_options, warnings_as_notes
from skensir.image import write_image

# What is Python in a sentence, but for what is quoted from the command line.
PYTHON = {
    "a keyword or a comparison": r"\w=|==",
    "a tuple or list": r"\(\d*,|\d, \d|\[|\]",
    "an object": r"\b(None|True|False|nan|inf)\b|<|\bdtype",
    "a class": r"\b[A-Z][a-z]+[A-Z]\w*",
    "a name of a variable": r"\b[a-z]+_[a-z_]+\b",
    "a type": r"\b(int|float|str|list|uint)\d*\b",
}


def assert_plain(sentence):
    """Check a line that a command prints."""
    without_quotations = re.sub(r"'[^']*'|squared_error|PyTorch|NaN", "''", sentence)
    for what, pattern in PYTHON.items():
        assert not re.search(pattern, without_quotations), f"{what}: {sentence}"
    assert re.fullmatch(r"skensir: .*\.", sentence)


def spoil_folders(folder):
    """Make folders each of which has something wrong with it, and files that are no models."""

    def start(name, **options):
        return make_folder(folder / name, **options)

    start("train")
    start("test", seed=1)
    start("grey", colour=False)
    start("deep", dtype=np.uint16)
    start("pixel", sizes={"9": (1, 1)})
    start("small", sizes={"9": (8, 8)})
    write_image(start("sizes") / "alpha" / "9.png", np.zeros((30, 20, 3), np.uint8))
    write_image(start("depths") / "alpha" / "9.png", np.zeros((40, 32, 3), np.uint16))
    write_image(start("wide") / "lq" / "9.png", np.zeros((80, 64, 3), np.uint8))
    (start("missing") / "alpha" / "9.png").unlink()
    (start("no-input") / "lq" / "9.png").unlink()
    shutil.rmtree(start("no-truth") / "gt")
    shutil.copytree(start("named") / "alpha", folder / "named" / "input")
    for name, array in (
        ("five", np.zeros((40, 32, 5))),
        ("not-finite", np.full((40, 32, 3), np.nan)),
        ("twice", np.zeros((40, 32, 3))),
    ):
        np.save(start(name) / "alpha" / "9.npy", array)
        if name != "twice":
            (folder / name / "alpha" / "9.png").unlink()
    for suffix in (".png", ".tif", ".npy"):
        path = start(f"damaged{suffix[1:]}") / "alpha" / "9.png"
        path.unlink()
        path.with_suffix(suffix).write_bytes(b"damaged")
    parts = ("gt", "lq", "alpha", "beta", "gamma")
    images = dict.fromkeys(parts, np.zeros((40, 32, 3), np.uint16))
    write_scene(start("also-deep"), "9", images)
    (folder / "empty").mkdir()
    (folder / "junk").write_bytes(b"junk")
    with zipfile.ZipFile(folder / "archive", "w") as opened:
        opened.writestr("a", "b")
    write(folder / "weight_Set5_A_B_C_b64_rgb.pth", table_of(synthetic()))
    write(folder / "single.pth", table_of(synthetic(1), 256))


@pytest.fixture(scope="module")
def spoilt(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spoilt")
    spoil_folders(folder)
    for name, source in (("model", "train"), ("grey-model", "grey"), ("deep-model", "deep")):
        run("fit", folder / source, "-o", folder / name)
    run("fit", folder / "train", "--cv", "-o", folder / "searched")
    return folder


MISTAKES = """
fit train -o m --bin-width -3
fit train -o m --bin-width nan
fit train -o m --bin-width 1e-300
fit train -o m --shrinkage -1
fit train -o m --objective mean
fit train -o m --models
fit train -o m --models alpha alpha
fit train -o m --models alpha gt
fit train -o m --models ../train/alpha
fit train -o m --models alpha delta
fit train -o m --target lq
fit train -o m --target truth
fit train -o m --input gt
fit train -o
fit train
fit
fit train -o m --o x
fit train -o m --colour red
fit train more -o m
fit train -o m --cv=3
fit train -o m --cv --shrinkage 3
fit no-truth -o m
fit missing -o m
fit sizes -o m
fit depths -o m
fit five -o m
fit not-finite -o m
fit damagedpng -o m
fit damagedtif -o m
fit damagednpy -o m
fit twice -o m
fit empty -o m
fit also-deep -o m
fit named --cv --models alpha input -o m
fit train/gt -o m
fit nowhere -o m
fit pixel --cv -o m
predict model test
predict model test -o out --bits x
predict model test -o out --bits 9
predict model test -o model
predict model test -o test/out
predict grey-model test -o out
predict model deep -o out
predict deep-model test -o out
predict model depths -o out
predict model sizes -o out
predict searched no-input -o out
predict searched wide -o out
predict searched test -o out --input before
predict junk test -o out
predict archive test -o out
predict nowhere test -o out
predict train test -o out
evaluate train/alpha train/gt --crop-border -1
evaluate train/alpha train/gt --crop-border 50
evaluate train/alpha train/gt --channel red
evaluate small/alpha small/gt
evaluate sizes/alpha sizes/gt
evaluate five/alpha five/gt
evaluate missing/alpha missing/gt
compare train test --bin-width 0
compare train deep
compare train test --crop-border 40
compare train small
compare train sizes
compare pixel train --no-trees
compare train test --report nowhere/report.html
inspect nowhere
inspect junk
inspect model --plot plot.pdf
inspect model --plot
import-released weight_Set5_A_B_C_b64_rgb.pth -o m --bin-width 0
import-released weight_Set5_A_B_C_b64_rgb.pth -o m --bin-width 32
import-released weight_Set5_A_B_C_b64_rgb.pth -o m --models a b
import-released weight_Set5_A_B_C_b64_rgb.pth -o m --models a a b
import-released single.pth -o m
import-released archive -o m
import-released junk -o m
demo --task denoising
demo -o picture.pdf
demo --folder train
denoise
"""


@pytest.mark.parametrize("line", MISTAKES.strip().splitlines())
@pytest.mark.filterwarnings("ignore")
def test_no_message_speaks_python(spoilt, monkeypatch, capsys, line):
    monkeypatch.chdir(spoilt)
    assert run(*line.split()) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    *notes, sentence = printed.err.splitlines()
    assert_plain(sentence)
    for note in notes:
        assert note.startswith("skensir: note: ")
        assert_plain(note)
    assert not Path("m").exists()


def test_warnings_are_notes_each_of_which_is_printed_once(in_tmp_path, capsys):
    # Most of 1024 pixels of noise lie in cells of few, in each channel.
    rng = np.random.default_rng(0)
    for name in ("alpha", "beta", "gamma", "delta", "gt"):
        write_scene(Path("train"), "1", {name: rng.integers(0, 256, (32, 32, 3), dtype=np.uint8)})
    assert run("fit", "train", "-o", "model") == 0
    note = capsys.readouterr().err.splitlines()
    assert len(note) == 1
    assert_plain(note[0])
    assert re.search(r"^skensir: note: Most rows, \d+%, .*: take a wider --bin-width", note[0])
    assert note[0].endswith("or let --cv choose.")


@pytest.mark.parametrize(
    ("sentence", "said"),
    [
        ("bin_width == -3.0, must be > 0.", "--bin-width is -3.0, must be > 0."),
        ("a.png differs; crop=True keeps it.", "a.png differs; --crop keeps it."),
        ("Scene '9': no input; or fit with include_input=False.", None),
        ("It has none; grey images need channel_axis=None.", "It has none."),
        ("See clip/bin_width/1.png and 'bin_width'.", None),
        # Folders of these names are nothing that the library says.
        ("bin_width has no image of crop_border, my_set or lr=3/a; bin_width=1.png is none.", None),
        ("tol == 3, must be less.", "tol is 3, must be less."),
        ("Take a wider `bin_width`, or EnsIRRegressorCV.", "Take a wider --bin-width, or --cv."),
        (
            "It has a `max_iter` of 3; target=NAME says it.",
            "It has a max iter of 3; --target NAME says it.",
        ),
    ],
)
def test_arguments_are_options_where_there_are_some(sentence, said):
    options = ("bin_width", "crop", "target", "cv")
    if said is None:
        said = sentence.replace("include_input=False", "--no-input")
    assert in_options(sentence, options) == said


def test_notes_leave_other_warnings_and_the_filters_alone(capsys):
    before = warnings.filters.copy(), warnings.showwarning
    with warnings_as_notes(("cv",)):
        for number in (1, 2):
            warnings.warn(f"Of {number} rows.", UserWarning, stacklevel=1)
        with pytest.raises(DeprecationWarning):  # an error in these tests, as before
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    assert capsys.readouterr().err == "skensir: note: Of 1 rows.\n"
    assert (warnings.filters, warnings.showwarning) == before


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("module", ["sklearn.base", "skensir.cli.common", "skensir.cli.fit"])
def test_an_interruption_while_commands_load_is_no_traceback(number, module):
    program = (
        "import os, sys\n"
        "class Interrupted:\n"
        "    def find_spec(self, name, *_):\n"
        f"        if name == {module!r}:\n"
        f"            os.kill(os.getpid(), {int(number)})\n"
        "sys.meta_path.insert(0, Interrupted())\n"
        "from skensir.cli.__main__ import console\n"
        "console()\n"
    )
    done = subprocess.run([sys.executable, "-c", program, "fit"], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (128 + number, "")
