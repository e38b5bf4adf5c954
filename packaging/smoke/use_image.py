"""The extra `image`: the commands for folders of images, on the sample set that comes along."""

import subprocess
import sys
from pathlib import Path

from skensir.image import ImageEnsemble, load_super_resolution, peak_signal_noise_ratio


def skensir(*arguments):
    """Run a command that must succeed, and return what it printed."""
    program = Path(sys.executable).with_name("skensir")
    run = subprocess.run([program, *arguments], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    return run.stdout


luma = ("--channel", "luma", "--crop-border", "4")
skensir("sample", "sr")
skensir("fit", "sr/reference", "-o", "sr.skensir", "--cv")
skensir("predict", "sr.skensir", "sr/test", "-o", "restored")
assert "PSNR" in skensir("evaluate", "restored", "sr/test/gt", *luma)
skensir("compare", "sr/reference", "sr/test", *luma, "--no-trees", "--report", "report.html")
assert "<html" in Path("report.html").read_text(encoding="utf-8")

sample = load_super_resolution()
assert "site-packages" in str(sample.folder)
reference, test = sample.reference, sample.test
model = ImageEnsemble().fit(reference.predictions, reference.targets)
for target, restored in zip(test.targets, model.predict(test.predictions), strict=True):
    assert peak_signal_noise_ratio(target, restored, data_range=255) > 20
