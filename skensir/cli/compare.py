"""`skensir compare`: base models and ensembles, measured on images that were not fitted on."""

from __future__ import annotations

from pathlib import Path

from skensir._text import wrap
from skensir.cli.arguments import READING, SCORING, Command
from skensir.cli.common import check_installed, check_output_file, print_json
from skensir.comparison.measure import compare_sets
from skensir.comparison.report import write_report
from skensir.comparison.text import BEST, format_table
from skensir.image import ReferenceSet

_KEYS = """\
With --json an object is printed:
  channel, crop_border, data_range  the convention of PSNR and SSIM
  table                             a list of the rows, in order, each with
    name                            of the base model or the ensemble
    psnr, ssim                      means over the test scenes; psnr in dB, null
                                    where it is infinite
    seconds_fit, seconds_image      null where there is nothing to measure
  notes                             how it was measured, in paragraphs
"""


def compare(
    reference: Path,
    test: Path,
    *,
    models: list[str] | None = None,
    target: str = "gt",
    input: str = "lq",
    crop: bool = False,
    channel: str = "rgb",
    crop_border: int = 0,
    bin_width: float | None = None,
    no_trees: bool = False,
    json: bool = False,
    report: Path | None = None,
) -> None:
    """Print a table of base models and ensembles.

    Parameters
    ----------
    reference, test : Path
        Folders as `skensir.image.ReferenceSet` reads them: the ensembles are fitted on the first
        and measured on the second.
    models, target, input, crop
        As in `skensir.image.ReferenceSet`.
    channel, crop_border
        As in `skensir.image.peak_signal_noise_ratio`.
    bin_width
        As in `skensir.comparison.measure.compare_sets`.
    no_trees : bool, default=False
        Whether to leave out the ensembles of trees.
    json : bool, default=False
        Whether to print JSON instead of a table.
    report : Path, default=None
        Where to write the report: HTML with the table and all images.
    """
    check_installed("skensir compare", "cv2", "skimage", "tifffile", "tqdm")
    if report is not None:
        check_output_file(report)
    reference_set = ReferenceSet(reference, models, target, input=input, crop=crop)
    comparison = compare_sets(
        reference_set,
        ReferenceSet(test, reference_set.models, target, input=input, crop=crop),
        channel=channel,
        crop_border=crop_border,
        bin_width=bin_width,
        trees=not no_trees,
    )
    if report is not None:
        title = f"Ensembles on {test}"
        write_report(report, title, comparison.table(), comparison.scenes(), notes=comparison.notes)
    if json:
        table, notes = comparison.table(), comparison.notes
        print_json({**comparison.convention, "table": table, "notes": notes})
        return
    print(f"{format_table(comparison.rows)}\n\n{BEST}\n\n{wrap(comparison.notes)}")
    if report is not None:
        print(f"\nReport: {report}")


_FOLDER = "one sub-folder per base model, gt with the truth, and lq with the input if you like"
COMMAND = Command(
    compare,
    "Fit the ensembles on one set of images and measure them on another, beside base models.",
    {
        "reference REFERENCE_SET": f"folder to fit on: {_FOLDER}",
        "test TEST_SET": "such a folder to measure on, of other scenes",
        **READING,
        **SCORING,
        "--bin-width N": "of EnsIR, where it is not chosen by cross-validation (default: 32 for 8 "
        "bits, 8224 for 16)",
        "--no-trees": "leave out the ensembles of trees, which take most of the time",
        "--json": "print JSON instead of a table",
        "--report OUT": "write a report: HTML with table and images",
    },
    epilog=_KEYS,
)
