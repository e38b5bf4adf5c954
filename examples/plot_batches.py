r"""
===================
Batches and merging
===================

All that an ensemble learns, it learns from sums over the rows of each cell. Sums of parts add up to
those of the whole, so rows may come in batches, from a file that is larger than memory or one image
after the other, and parts of them may be summed up by several processes. Here both give the same
tables as one ``fit``.
"""

# %%
# Rows that come and go
# ---------------------
#
# A function stands for the file. A batch has 500 rows of three models, whole numbers of 8 bits.

import pickle

import matplotlib.pyplot as plt
import numpy as np

from skensir import EnsIRRegressor, EnsIRRegressorCV

BATCH_SIZE, N_BATCHES = 500, 256


def read_batch(number, n_rows=BATCH_SIZE):
    """Return predictions of three models, and the truth."""
    rng = np.random.default_rng(number)
    y = rng.integers(20, 236, n_rows)
    levels = 2 + 14 * np.sin(np.pi * (y[:, None] / 255 - [0.0, 0.5, 1.0])) ** 2
    predictions = np.rint(y[:, None] + levels * rng.normal(size=(n_rows, 3)))
    return predictions.clip(0, 255).astype(np.uint8), y.astype(np.uint8)


X_test, y_test = read_batch(N_BATCHES, n_rows=20_000)

# %%
# Batches
# -------
#
# ``partial_fit`` adds a batch. The weights are solved by the first method that needs them, here
# whenever the number of batches has doubled, to see how the error falls. Narrow bins have more to
# learn than wide ones, and in the end know more.

figure, (upper, lower) = plt.subplots(2, 1, figsize=(8, 7), layout="constrained")
tables = {}
for bin_width, colour in ((128, "#E69F00"), (32, "#0072B2"), (8, "#D55E00")):
    table = EnsIRRegressor(bin_width, objective="squared_error", shrinkage=30, shrink_to="parent")
    rows, errors, sizes = [], [], []
    for number in range(N_BATCHES):
        table.partial_fit(*read_batch(number))
        if (number + 1).bit_count() == 1:  # a power of two
            rows.append((number + 1) * BATCH_SIZE)
            errors.append(np.sqrt(np.mean((table.predict(X_test) - y_test) ** 2)))
            sizes.append(len(pickle.dumps(table)) / 1e6)
    tables[bin_width] = table
    label = f"bins of {bin_width}, {len(table.cells_):,} cells"
    upper.semilogx(rows, errors, "o-", color=colour, label=label, markersize=5)
    lower.loglog(rows, sizes, "o-", color=colour, label=label, markersize=5)
bytes_per_row = sum(part.nbytes for part in read_batch(0)) / BATCH_SIZE
lower.plot(rows, np.array(rows) * bytes_per_row / 1e6, ":", color="black", label="the rows")
upper.set(xlabel="rows seen", ylabel="error on other rows (RMS)")
lower.set(xlabel="rows seen", ylabel="size (MB)")
lines = lower.get_legend_handles_labels()
figure.legend(*lines, loc="outside lower center", ncols=4, frameon=False)
plt.show()

# %%
# An estimator keeps sums, never rows, so it grows with the cells, and hardly any more once these
# are known. One ``fit`` on all rows at once has the same weights:

X, y = (np.concatenate(parts) for parts in zip(*map(read_batch, range(N_BATCHES)), strict=True))
for bin_width, table in tables.items():
    whole = EnsIRRegressor(**table.get_params()).fit(X, y)
    difference = np.abs(whole.weights_ - table.weights_).max()
    print(f"bins of {bin_width:3}: largest difference of a weight {difference:.0e}")

# %%
# Merging
# -------
#
# Four workers have a quarter of the rows each, and return what they have fitted. ``merge`` adds the
# sums of one to another. Here :class:`~skensir.EnsIRRegressorCV` is fitted, which keeps the sums of
# each fold; so each row needs the number of its fold, as ``groups``.


def work(quarter):
    """Return an ensemble of every fourth batch."""
    part = EnsIRRegressorCV(data_range=255)
    for number in range(quarter, N_BATCHES, 4):
        part.partial_fit(*read_batch(number), groups=np.full(BATCH_SIZE, number % 10))
    return part


parts = [work(quarter) for quarter in range(4)]
merged = parts[0]
for part in parts[1:]:
    merged = merged.merge(part)
folds = np.repeat(np.arange(N_BATCHES) % 10, BATCH_SIZE)
whole = EnsIRRegressorCV(data_range=255).fit(X, y, groups=folds)
print(np.allclose(merged.predict(X_test), whole.predict(X_test), rtol=0, atol=1e-9))
print(merged.solve().summary())
