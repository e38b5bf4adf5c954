"""The maps show absolute errors, and the titles the PSNR."""

import numpy as np
import pytest
from display_cases import predictions

from skensir.display import ErrorMapDisplay


@pytest.mark.parametrize("shape", [(12, 17, 3), (12, 17)])
def test_error_maps_show_absolute_errors(pyplot, shape):
    target = predictions(shape)
    images = {"first": predictions(shape, 1), "second": target + 0.25}
    display = ErrorMapDisplay.from_predictions(target, images)
    for name, image in zip(images, display.images_, strict=True):
        squares, error = 0.0, np.zeros(shape[:2])
        for place in np.ndindex(shape):
            difference = float(images[name][place]) - float(target[place])
            squares += difference**2
            error[place[:2]] += abs(difference) * error.size / target.size
        np.testing.assert_allclose(image.get_array(), error)
        psnr = 10 * np.log10(255**2 / (squares / target.size))
        assert display.axes_[list(images).index(name)].get_title() == f"{name}\n{psnr:.2f} dB"
    assert len({image.get_clim() for image in display.images_}) == 1


def test_psnr_of_other_data_ranges(pyplot):
    target = predictions((12, 17))
    images = {"image": predictions((12, 17), 1)}
    [expected] = ErrorMapDisplay.from_predictions(target, images).psnr.values()
    scaled = {"image": images["image"].astype(np.uint16) * 257}
    of_16_bits = ErrorMapDisplay.from_predictions(target.astype(np.uint16) * 257, scaled)
    assert of_16_bits.psnr["image"] == pytest.approx(expected)
    unit = {"image": images["image"] / 255}
    of_unit = ErrorMapDisplay.from_predictions(target / 255, unit, data_range=1)
    assert of_unit.psnr["image"] == pytest.approx(expected)


def test_images_without_error_are_plotted(pyplot):
    display = ErrorMapDisplay.from_predictions(predictions((12, 17)), {"a": predictions((12, 17))})
    assert display.psnr == {"a": np.inf}
    display.figure_.canvas.draw()


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"target": predictions((5,))}, r"target has shape \(5,\)"),
        ({"target": np.full((5, 5), np.nan)}, "target contains NaN"),
        ({"target": predictions((5, 5)) / 255}, "data_range.*float64"),
        ({"data_range": 0}, "data_range"),
        ({"data_range": 1}, "data_range == 1, but target has values up to"),
        ({"images": {"short": predictions((4, 5))}}, r"images\['short'\].*\(4, 5\).*\(5, 5\)"),
        ({"images": {"a": np.full((5, 5), np.inf)}}, "images.*infinity"),
        ({"images": [predictions((5, 5))]}, r"images == \[.*must be a dict"),
        ({"images": {}}, "at least one image"),
    ],
)
def test_bad_input_of_error_maps(pyplot, arguments, words):
    good = {"target": predictions((5, 5)), "images": {"a": predictions((5, 5), 1)}}
    with pytest.raises(ValueError, match=words):
        ErrorMapDisplay.from_predictions(**{**good, **arguments})
    assert pyplot.get_fignums() == []
