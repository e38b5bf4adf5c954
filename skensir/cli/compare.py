"""`skensir compare`: base models and ensembles, measured on images that were not fitted on."""

from __future__ import annotations

import argparse
from pathlib import Path

from skensir._text import wrap
from skensir.cli.common import (
    Commands,
    add_reading_options,
    add_scoring_options,
    check_installed,
    check_output_file,
    print_json,
    with_finite_psnr,
)
from skensir.comparison.measure import compare_sets
from skensir.comparison.report import write_report
from skensir.comparison.text import format_table
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
    crop: bool = False,
    channel: str = "rgb",
    crop_border: int = 0,
    bin_width: float | None = None,
    trees: bool = True,
    as_json: bool = False,
    report: Path | None = None,
) -> None:
    """Print a table of base models and ensembles.

    Parameters
    ----------
    reference, test : Path
        Folders as `skensir.image.ReferenceSet` reads them: the ensembles are fitted on the first
        and measured on the second.
    models, target, crop
        As in `skensir.image.ReferenceSet`.
    channel, crop_border
        As in `skensir.image.peak_signal_noise_ratio`.
    bin_width, trees
        As in `skensir.comparison.measure.compare_sets`.
    as_json : bool, default=False
        Whether to print JSON instead of a table.
    report : Path, default=None
        Where to write the report: HTML with the table and all images.
    """
    check_installed("skensir compare", "cv2", "skimage", "tifffile", "tqdm")
    if report is not None:
        check_output_file(report)
    reference_set = ReferenceSet(reference, models, target, crop=crop)
    comparison = compare_sets(
        reference_set,
        ReferenceSet(test, reference_set.models, target, crop=crop),
        channel=channel,
        crop_border=crop_border,
        bin_width=bin_width,
        trees=trees,
    )
    if report is not None:
        title = f"Ensembles on {test}"
        write_report(report, title, comparison.table(), comparison.scenes(), notes=comparison.notes)
    if as_json:
        table = [with_finite_psnr(row) for row in comparison.table()]
        print_json({**comparison.convention, "table": table, "notes": comparison.notes})
        return
    print(f"{format_table(comparison.rows)}\n\n* best of the column.\n\n{wrap(comparison.notes)}")
    if report is not None:
        print(f"\nReport: {report}")


def add_parser(commands: Commands) -> None:
    """Add the command to the parsers of `skensir`."""
    description = (
        "Fit the ensembles on one set of images and measure them on another, beside base models."
    )
    folder = "one sub-folder per base model, gt with the truth, and lq with the input if you like"
    parser = commands.add_parser(
        "compare",
        help=description,
        description=description,
        epilog=_KEYS,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        "reference", type=Path, metavar="REFERENCE_SET", help=f"folder to fit on: {folder}"
    )
    parser.add_argument(
        "test", type=Path, metavar="TEST_SET", help="such a folder to measure on, of other scenes"
    )
    add_reading_options(parser)
    add_scoring_options(parser)
    parser.add_argument(
        "--bin-width",
        type=float,
        metavar="N",
        help="of EnsIR, where it is not chosen by cross-validation (default: 32 for 8 bits, 8224 "
        "for 16)",
    )
    parser.add_argument(
        "--no-trees",
        dest="trees",
        action="store_false",
        help="leave out the ensembles of trees, which take most of the time",
    )
    parser.add_argument(
        "--json", dest="as_json", action="store_true", help="print JSON instead of a table"
    )
    parser.add_argument(
        "--report", type=Path, metavar="OUT", help="write a report: HTML with table and images"
    )
    parser.set_defaults(run=compare)
