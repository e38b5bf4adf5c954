"""A 4K image on an accelerator: ``python benchmarks/accelerator.py [DEVICE]``, "cuda" by default.

Outputs of three networks for a 3840 x 2160 image in colour lie on the device and are combined there
by `EnsembleModule`, as it is and compiled: medians of twenty calls after three, each waited for.
Beside the milliseconds stand the memory that a call takes beyond what lay there before, and how
many of the 24,883,200 values differ after rounding to 8 bits from those of `predict` in NumPy.
"""

import sys
import time

import numpy as np
import torch

from skensir import EnsIRRegressor, EnsIRRegressorCV
from skensir.interop.torch import EnsembleModule

SIZE = (2160, 3840, 3)
N_RUNS = 20


def draw(n_rows, rng):
    """Return 8-bit predictions of three models, and truth."""
    y = rng.integers(0, 256, n_rows)
    X = np.clip(y[:, None] + rng.integers(-9, 10, (n_rows, 3)), 0, 255).astype(np.uint8)
    return X, np.clip(y + rng.integers(-3, 4, n_rows), 0, 255).astype(np.uint8)


def measure(function, device):
    """Return the last result, the median of the milliseconds, and the megabytes that it takes."""
    cuda = device.startswith("cuda")
    wait = torch.cuda.synchronize if cuda else lambda: None
    times = []
    for _ in range(3):
        result = function()
    if cuda:
        wait()
        del result
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
    for _ in range(N_RUNS):
        wait()
        begin = time.perf_counter()
        result = function()
        wait()
        times.append(time.perf_counter() - begin)
    taken = (torch.cuda.max_memory_allocated() - before) / 1e6 if cuda else np.nan
    return result, 1e3 * float(np.median(times)), taken


def main():
    """Print a line per table and dtype."""
    device = sys.argv[1] if len(sys.argv) > 1 else "cuda"
    name = torch.cuda.get_device_name() if device.startswith("cuda") else device
    print(f"{name}, PyTorch {torch.__version__}")
    print(
        f"{'table':18}{'dtype':>9}{'module':>12}{'compiled':>12}{'MB':>8}{'other 8-bit values':>20}"
    )
    rng = np.random.default_rng(0)
    X, y = draw(400_000, rng)
    squared = {"objective": "squared_error", "min_samples_cell": 1}
    models = {
        "bins of 32": EnsIRRegressor(32.0, **squared),
        "bins of 8": EnsIRRegressor(8.0, **squared),
        "EnsIRRegressorCV": EnsIRRegressorCV(),
    }
    image, _ = draw(int(np.prod(SIZE)), rng)
    for label, model in models.items():
        model.fit(X, y)
        expected = np.rint(model.predict(image)).reshape(SIZE).transpose(2, 0, 1)
        # Of floats the range is to be told, and bins are laid on the values of 8 bits.
        for dtype, largest in ((torch.uint8, None), (torch.float32, 1.0), (torch.float16, 1.0)):
            module = EnsembleModule.from_estimator(model, value_range=largest).to(device)
            torch.compiler.reset()  # so that none counts as one more form of the last
            compiled = torch.compile(module)
            outputs = [
                torch.from_numpy(column.reshape(SIZE).transpose(2, 0, 1)[None].copy())
                for column in image.T
            ]
            if largest is not None:
                outputs = [(output / 255).to(dtype) for output in outputs]
            outputs = [output.to(device) for output in outputs]
            with torch.no_grad():
                result, plain, taken = measure(lambda m=module, o=outputs: m(o), device)
                _, fast, _ = measure(lambda m=compiled, o=outputs: m(o), device)
            found = result[0].double().cpu().numpy() * (255 if largest else 1)
            others = np.count_nonzero(np.rint(found) != expected)
            line = (
                f"{label:18}{str(dtype).removeprefix('torch.'):>9}{plain:>9.2f} ms{fast:>9.2f} ms"
            )
            print(f"{line}{taken:>8.0f}{others:>20,}", flush=True)


if __name__ == "__main__":
    main()
