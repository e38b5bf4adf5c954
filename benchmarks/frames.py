"""Rows in a Parquet file to a table, in an engine and beside it: seconds and memory of each way.

usage: python benchmarks/frames.py [ROWS] [--repeat N]

Makes a file of three 8-bit predictions and the truth in row groups of a million rows, in a
temporary folder, and fits `EnsIRRegressor` to it (default: ten million rows): by a GROUP BY in
DuckDB and in Polars, by `partial_fit` of each row group, and by Dask with a chunk per row group.
Each runs in a fresh process, in turn. Memory is the largest resident set of the process, all
libraries included; seconds begin when these are loaded. All ways must find the same weights.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from scaling import BATCH, draw, peak_memory

from skensir import EnsIRRegressor

MODELS = ["A", "B", "C"]
OBJECTIVES = "squared_error", "likelihood"


def write(path, n_rows):
    """Write the file, a row group after the other."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    writer = None
    for number, start in enumerate(range(0, n_rows, BATCH)):
        X, y = draw(min(BATCH, n_rows - start), seed=number)
        table = pa.table(dict(zip(MODELS, X.T, strict=True)) | {"truth": y})
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    writer.close()


def in_engine(path, objective, scan):
    """Fit by a GROUP BY of whatever scans the file."""
    from skensir.interop.frames import cell_sums

    def fit():
        sums = cell_sums(
            scan(path), models=MODELS, target="truth", bin_width="auto", objective=objective
        )
        return EnsIRRegressor.from_cell_sums(sums, objective=objective)

    return fit


def in_duckdb(path, objective):
    """Fit by a GROUP BY of DuckDB."""
    import duckdb

    return in_engine(path, objective, duckdb.read_parquet)


def in_polars(path, objective):
    """Fit by a GROUP BY of Polars, whose scan is lazy."""
    import polars as pl

    return in_engine(path, objective, pl.scan_parquet)


def in_batches(path, objective):
    """Fit by `partial_fit` of each row group."""
    import pyarrow.parquet as pq

    def fit():
        model, file = EnsIRRegressor(objective=objective), pq.ParquetFile(path)
        for number in range(file.num_row_groups):
            group = file.read_row_group(number)
            X = np.column_stack([group[name].to_numpy() for name in MODELS])
            model.partial_fit(X, group["truth"].to_numpy())
        return model

    return fit


def in_dask(path, objective):
    """Fit by dask, in threads."""
    import dask.dataframe as dd

    from skensir.interop.dask import DaskEnsIRRegressor

    def fit():
        frame = dd.read_parquet(path, split_row_groups=True)
        return DaskEnsIRRegressor(objective=objective).fit(frame[MODELS], frame["truth"])

    return fit


WAYS = {
    "DuckDB": in_duckdb,
    "Polars": in_polars,
    "partial_fit": in_batches,
    "Dask": in_dask,
}


def run(way, path, objective):
    """Fit in this process; print seconds, memory and the weights as JSON."""
    fit = WAYS[way](path, objective)
    begin = time.perf_counter()
    model = fit().solve()
    seconds = time.perf_counter() - begin
    result = {"seconds": seconds, "memory": peak_memory(), "rows": model.cell_counts_.sum()}
    print(json.dumps(result | {"weights": model.weights_.tolist()}))


def measure(path, repeat):
    """Run each way in turn; print medians of seconds and the largest memory."""
    for objective in OBJECTIVES:
        results = {way: [] for way in WAYS}
        for _ in range(repeat):
            for way, runs in results.items():
                command = [sys.executable, __file__, "--run", way, str(path), objective]
                output = subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout
                runs.append(json.loads(output))
        expected = results["partial_fit"][0]
        for way, runs in results.items():
            for result in runs:
                assert result["rows"] == expected["rows"]
                np.testing.assert_allclose(result["weights"], expected["weights"], atol=1e-12)
            seconds = np.median([result["seconds"] for result in runs])
            memory = max(result["memory"] for result in runs)
            print(f"{objective:14} {way:12} {seconds:7.2f} s {memory / 1e6:7.0f} MB", flush=True)


def main():
    """Make the file and measure, or run one way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("rows", nargs="?", type=lambda text: int(float(text)), default=10**7)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--run", nargs=3, metavar=("WAY", "PATH", "OBJECTIVE"))
    arguments = parser.parse_args()
    if arguments.run:
        run(*arguments.run)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "rows.parquet"
        write(path, arguments.rows)
        size = path.stat().st_size / 1e6
        print(f"{arguments.rows:,} rows, {size:.0f} MB of Parquet", flush=True)
        measure(str(path), arguments.repeat)


if __name__ == "__main__":
    main()
