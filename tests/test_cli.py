"""The console command: what it prints and writes, and how it answers mistakes."""

import io
import re
import subprocess
import sys
import sysconfig
from functools import partial
from pathlib import Path

import matplotlib.image
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.ndimage import gaussian_filter
from sklearn.dummy import DummyRegressor

import skensir
from skensir.baselines import ZZPMRegressor
from skensir.cli import deblurring, demo, main, picture

# The demo itself, on crops as small as its margins allow.
small_compare = partial(demo.compare, side=32)
SHOWN = [ensemble for ensemble in demo.ENSEMBLES if ensemble.name in ("Average", "EnsIR")]


@pytest.fixture(scope="module")
def comparison():
    return small_compare()


@pytest.fixture
def quick_demo(monkeypatch):
    """Make the command fast: small crops, the ensembles of the picture only."""
    monkeypatch.setattr(demo, "compare", partial(small_compare, ensembles=SHOWN))


@pytest.fixture
def quick_picture(quick_demo, monkeypatch):
    """Draw nothing, for tests of where the file goes."""
    monkeypatch.setattr(demo, "draw_picture", lambda *arguments: b"picture")


@pytest.fixture
def no_work(monkeypatch):
    """Fail if the long work begins."""

    def compare():
        raise AssertionError("the work began before the mistake was noticed")

    monkeypatch.setattr(demo, "compare", compare)


def assert_mistake(capsys, argv, *words):
    """Check that a mistake costs exit code 2 and one sentence that contains the words."""
    assert main(argv) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert re.fullmatch(r"skensir: .+\.\n", captured.err)
    for word in words:
        assert word in captured.err


# ---- the numbers


def test_same_numbers_twice(comparison):
    again, _, _ = small_compare()
    for first, second in zip(comparison[0], again, strict=True):
        assert first.name == second.name
        # Threads may sum the trees of a forest in another order.
        assert_allclose(first.psnr, second.psnr, rtol=1e-9)
        assert_allclose(first.ssim, second.ssim, rtol=1e-9)


def test_photographs_for_testing_are_not_fitted_on():
    assert not set(deblurring.FITTING) & set(deblurring.TESTING)


def test_scenes_hold_8_bit_images_and_restoring_helps(comparison):
    _, fitting, testing = comparison
    for scene in (*fitting, *testing):
        assert scene.truth.dtype == scene.degraded.dtype == scene.predictions.dtype == np.uint8
        assert scene.predictions.shape == (len(deblurring.RESTORERS), *scene.truth.shape)
    degraded, *restored = comparison[0][: 1 + len(deblurring.RESTORERS)]
    for result in restored:
        assert np.mean(result.psnr) > np.mean(degraded.psnr)


def test_noise_differs_between_seeds_only():
    photograph = np.full((20, 20, 3), 128, dtype=np.uint8)
    assert_array_equal(deblurring.degrade(photograph, 0), deblurring.degrade(photograph, 0))
    assert (deblurring.degrade(photograph, 0) != deblurring.degrade(photograph, 1)).any()


def test_point_spread_is_the_blur():
    point = np.zeros((41, 41, 1))
    point[20, 20] = 1
    blurred = gaussian_filter(point, deblurring.BLUR, axes=(0, 1))[..., 0]
    spread = deblurring.point_spread()
    assert_allclose(deblurring.crop_centre(blurred, len(spread)), spread, atol=1e-15)
    assert spread.sum() == pytest.approx(1)


# ---- what each regressor sees


def test_stacked_pixels_are_the_predictions_of_one_pixel():
    predictions = np.random.default_rng(0).integers(256, size=(4, 5, 6, 3))
    X = demo.stack_pixels(predictions).reshape(5, 6, 3, 4)
    assert_array_equal(X[2, 3, 1], predictions[:, 2, 3, 1])
    assert_array_equal(
        demo.stack_pixels(predictions, 1).reshape(5, 6, 4)[2, 3], predictions[:, 2, 3, 1]
    )


class CountingRegressor(DummyRegressor):
    """Remember how many rows `fit` got."""

    def fit(self, X, y):
        self.n_rows_ = len(X)
        return super().fit(X, y)


@pytest.mark.parametrize("max_samples", [100, 10**6])
def test_scope_decides_what_a_regressor_is_fitted_on(comparison, monkeypatch, max_samples):
    monkeypatch.setattr(demo, "MAX_SAMPLES", max_samples)
    scenes = comparison[1]
    n_pixels = sum(scene.truth[..., 0].size for scene in scenes)
    expected = {
        demo.CHANNEL: [n_pixels] * 3,
        demo.IMAGE: [3 * n_pixels],
        demo.SAMPLE: [min(max_samples, 3 * n_pixels)],
    }
    for scope, n_rows in expected.items():
        ensemble = demo.Ensemble("counting", CountingRegressor(), scope)
        regressors, _ = demo.fit_regressors(ensemble, scenes)
        assert [regressor.n_rows_ for regressor in regressors] == n_rows


def test_each_channel_is_combined_by_its_own_regressor(comparison):
    _, fitting, testing = comparison
    ensemble = demo.Ensemble("mean of the truth", DummyRegressor(), demo.CHANNEL)
    regressors, _ = demo.fit_regressors(ensemble, fitting)
    combined = demo.combine_scene(ensemble, regressors, testing[0])
    means = np.concatenate([scene.truth.reshape(-1, 3) for scene in fitting]).mean(axis=0)
    assert_allclose(combined, np.broadcast_to(means, testing[0].truth.shape))


def test_weights_of_zzpm_are_those_of_the_whole_image(comparison):
    results, _, testing = comparison
    scene = testing[0]
    rows = demo.stack_pixels(scene.predictions)
    weights = ZZPMRegressor().fit(rows, scene.truth.ravel()).predict_weights(rows)[0]
    expected = np.tensordot(weights, scene.predictions, axes=1)
    images = {result.name: result.images[0] for result in results}
    assert_allclose(images["ZZPM"], expected)


def test_weight_maps_sum_to_one(comparison):
    results, _, testing = comparison
    (ensir,) = [result for result in results if result.name == "EnsIR"]
    maps = demo.weight_maps(ensir, testing[0])
    assert maps.shape == testing[0].predictions.shape[:3]
    assert_allclose(maps.sum(axis=0), 1)


# ---- the table


def test_table_has_all_rows_in_line(comparison):
    lines = demo.format_table(comparison[0]).splitlines()
    names = ["Blurred and noisy", *deblurring.RESTORERS]
    names += [ensemble.name for ensemble in demo.ENSEMBLES]
    assert [re.split(" {2,}", line)[0] for line in lines[1:]] == names
    assert len({line.index(".") for line in lines[1:]}) == 1
    assert len({len(line) for line in lines}) == 1


def test_table_marks_the_best_and_every_tie():
    results = [
        demo.Result("a", [], psnr=[30.0, 32.0], ssim=[0.5]),
        demo.Result("b", [], psnr=[31.0], ssim=[0.9]),
        demo.Result("c", [], psnr=[9.0], ssim=[0.7], seconds_image=0.5, seconds_fit=12.0),
    ]
    a, b, c = (line.split() for line in demo.format_table(results).splitlines()[1:])
    assert a == ["a", "31.000*", "0.5000", "-", "-"]
    assert b == ["b", "31.000*", "0.9000*", "-", "-"]
    assert c == ["c", "9.000", "0.7000", "12.00", "0.50"]


def test_note_says_what_was_fitted_on_what(comparison):
    _, fitting, testing = comparison
    note = demo.explain(fitting, testing)
    assert max(map(len, note.splitlines())) < 80
    n_values = 3 * len(deblurring.FITTING) * 32 * 32
    words = " ".join(note.split())
    assert f"fitted on {n_values:,} values drawn from the {n_values:,} of all channels" in words
    for name in (*deblurring.FITTING, *deblurring.TESTING):
        assert name in words


# ---- the command


def test_demo_prints_the_table_and_writes_the_picture(quick_demo, tmp_path, capsys):
    output = tmp_path / "picture.png"
    assert main(["demo", "--output", str(output)]) == 0
    captured = capsys.readouterr()
    assert "EnsIR" in captured.out
    assert captured.out.endswith(f"Picture: {output}\n")
    assert captured.err == ""  # no bars of progress where nobody watches
    assert list(tmp_path.iterdir()) == [output]
    image = matplotlib.image.imread(output)
    assert image.shape[0] > 500
    assert image.shape[1] > 1000
    assert len(np.unique(image[..., :3].reshape(-1, 3), axis=0)) > 100


def test_picture_goes_to_the_current_folder(quick_picture, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["demo"]) == 0
    assert [file.name for file in tmp_path.iterdir()] == ["demo.png"]


def test_progress_is_shown_on_a_terminal(monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr(sys, "stderr", Terminal())
    small_compare(["coffee"], ["chelsea"], SHOWN)
    assert "Restoring" in sys.stderr.getvalue()
    assert "EnsIR" in sys.stderr.getvalue()


def test_failed_writing_leaves_the_old_picture(quick_picture, tmp_path, monkeypatch, capsys):
    output = tmp_path / "demo.png"
    output.write_bytes(b"old")

    def replace(self, target):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", replace)
    assert_mistake(capsys, ["demo", "-o", str(output)], str(output), "No space left on device")
    assert list(tmp_path.iterdir()) == [output]
    assert output.read_bytes() == b"old"


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("missing/demo.png", "missing of the output does not exist"),
        ("demo.jpg", "must end in .png"),
        ("demo", "must end in .png"),
        (".", "is a folder"),
    ],
)
def test_impossible_output_is_noticed_first(no_work, tmp_path, capsys, name, words):
    assert_mistake(capsys, ["demo", "-o", str(tmp_path / name)], words)
    assert list(tmp_path.iterdir()) == []


def test_folder_without_permission_is_noticed_first(no_work, tmp_path, monkeypatch, capsys):
    def refuse(dir):
        raise PermissionError(13, "Permission denied")

    # The administrator, as whom tests may run, may write everywhere.
    monkeypatch.setattr(picture.tempfile, "TemporaryFile", refuse)
    output = tmp_path / "demo.png"
    assert_mistake(capsys, ["demo", "-o", str(output)], str(tmp_path), "Permission denied")


@pytest.mark.parametrize("package", ["matplotlib", "skimage", "tqdm"])
def test_missing_extra_is_named(no_work, tmp_path, monkeypatch, capsys, package):
    monkeypatch.setitem(sys.modules, package, None)
    argv = ["demo", "-o", str(tmp_path / "demo.png")]
    assert_mistake(capsys, argv, package, 'pip install "skensir[demo]"')


@pytest.mark.parametrize(
    ("argv", "word"), [(["dmeo"], "dmeo"), ([], "command"), (["demo", "--colour"], "--colour")]
)
def test_mistakes_in_the_command_line(no_work, capsys, argv, word):
    assert_mistake(capsys, argv, word, "--help")


def test_interruption_is_quiet(monkeypatch, tmp_path, capsys):
    def compare():
        raise KeyboardInterrupt

    monkeypatch.setattr(demo, "compare", compare)
    assert main(["demo", "-o", str(tmp_path / "demo.png")]) == 130
    assert capsys.readouterr().err == ""
    assert list(tmp_path.iterdir()) == []


def test_help_names_the_commands(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["--help"])
    assert stop.value.code == 0
    assert "demo" in capsys.readouterr().out


def test_console_script_starts():
    script = Path(sysconfig.get_path("scripts")) / "skensir"
    run = subprocess.run([script, "--version"], capture_output=True, text=True, check=True)
    assert run.stdout == f"skensir {skensir.__version__}\n"
    assert run.stderr == ""


def test_commands_load_without_the_extra_and_photographs_without_download():
    program = (
        "import sys\n"
        "from skensir.cli import deblurring, demo\n"
        "print(sorted({'matplotlib', 'skimage', 'tqdm'} & set(sys.modules)))\n"
        "sys.modules['pooch'] = None\n"
        "for name in (*deblurring.FITTING, *deblurring.TESTING):\n"
        "    print(deblurring.load_photograph(name).shape[2])\n"
    )
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    assert run.stdout.split() == ["[]", *"33333"]
