"""Draw the picture of the README: one photograph of the sample set, before and after EnsIR.

    python benchmarks/make_picture.py [OUT.png]

OUT is `docs/_static/ensir.png` unless it is given; beside it, `ensir_dark.png` has white letters on
the ground of dark pages. Fits `EnsIRRegressorCV` on the three photographs
of `load_super_resolution().reference` and takes of the two others the one that `skensir demo` would
take: its gain over its best network is nearest the mean gain. Shows the middle of what the networks
were given, of their outputs, their average, that of EnsIR and the truth, and EnsIR's weight of the
network whose weight varies most. PSNR is that of the whole crop, luma without a border of 4 pixels.
Prints what it shows.
"""

import argparse
from pathlib import Path

import numpy as np
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure

from skensir import EnsIRRegressorCV
from skensir.demo.photographs import crop_centre, to_8_bits
from skensir.demo.results import choose_photograph
from skensir.image import ImageEnsemble, load_super_resolution, peak_signal_noise_ratio

OUT = Path(__file__).parents[1] / "docs/_static/ensir.png"
SHOWN_SIDE = 128  # of 192 pixels, each as four
DARK_GROUND = "#14181e"  # of the theme of the documentation


def measure(scene, image):
    """Return PSNR as is usual for these images, dB."""
    return peak_signal_noise_ratio(scene.target, image, channel="luma", crop_border=4)


def draw(tiles, weights, title, letters="black", ground="white"):
    """Return a figure of seven images with their titles, and a map of weights; all in pixels."""
    tile, gap, head, bar = 256, 10, 68, 62
    width, height = 4 * tile + 3 * gap + bar, 2 * (head + tile) + gap
    figure = Figure(figsize=(width / 100, height / 100), dpi=100, facecolor=ground)

    def add_axes(number, left=0, wide=tile):
        row, column = divmod(number, 4)
        left += column * (tile + gap)
        bottom = height - (row + 1) * (head + tile) - row * gap
        return figure.add_axes(
            (left / width, bottom / height, wide / width, tile / height),
            xticks=[],
            yticks=[],
            frame_on=False,
        )

    for number, (name, image, is_best) in enumerate(tiles):
        axis = add_axes(number)
        axis.imshow(image, interpolation="nearest")
        axis.set_title(name, fontsize=18, fontweight="bold" if is_best else "normal", color=letters)
    axis = add_axes(7)
    norm = TwoSlopeNorm(1 / 3, vmin=0, vmax=1)
    weight_map = axis.imshow(weights, cmap="coolwarm", norm=norm, interpolation="nearest")
    axis.set_title(title, fontsize=18, color=letters)
    colours = figure.colorbar(weight_map, cax=add_axes(7, tile + 8, 16), ticks=[0, 1 / 3, 1])
    for label, place in zip(
        colours.ax.set_yticklabels(["0", "⅓", "1"], fontsize=18),
        ("bottom", "center", "top"),
        strict=True,
    ):
        label.set_verticalalignment(place)  # within the picture
        label.set_color(letters)
    colours.outline.set_visible(False)
    colours.ax.tick_params(color=letters)
    return figure


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("out", type=Path, nargs="?", default=OUT)
    out = parser.parse_args().out
    reference, test, _ = load_super_resolution()
    ensemble = ImageEnsemble(EnsIRRegressorCV()).fit(reference.predictions, reference.targets)
    restored = dict(zip(test.names, ensemble.predict(test.predictions), strict=True))
    gains = {
        scene.name: measure(scene, restored[scene.name])
        - max(measure(scene, image) for image in scene.predictions)
        for scene in test
    }
    [scene] = test.subset([choose_photograph(gains)])
    [small] = test.subset([scene.name]).inputs
    images = dict(zip(test.models, scene.predictions, strict=True))
    images["average"] = scene.predictions.mean(axis=0)
    images["EnsIR"] = restored[scene.name]
    psnr = {name: measure(scene, image) for name, image in images.items()}

    side = SHOWN_SIDE * len(small) // len(scene.target)
    tiles = [("input", crop_centre(small, side), False)]
    for name, image in images.items():
        title = f"{name}\n{psnr[name]:.2f} dB"
        tiles.append(
            (title, to_8_bits(crop_centre(image, SHOWN_SIDE)), psnr[name] == max(psnr.values()))
        )
        print(f"{scene.name}, {name}: {psnr[name]:.2f} dB")
    tiles.append(("truth", crop_centre(scene.target, SHOWN_SIDE), False))
    [weights] = ensemble.predict_weights([scene.predictions])
    weights = weights.mean(axis=-1)
    model = int(np.argmax(weights.std(axis=(1, 2))))
    title = f"weight of\n{test.models[model]}"
    weights = crop_centre(weights[model], SHOWN_SIDE)
    dark = out.with_stem(f"{out.stem}_dark")
    for path, colours in ((out, ("black", "white")), (dark, ("white", DARK_GROUND))):
        draw(tiles, weights, title, *colours).savefig(path, pil_kwargs={"optimize": True})
    print(f"gains over the best network: {', '.join(f'{n} {g:+.2f}' for n, g in gains.items())} dB")
    for path in (out, dark):
        print(f"{path}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main()
