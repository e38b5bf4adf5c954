"""Imports run one way, rooms and files stay small, and importing the package is cheap."""

import re
import subprocess
import sys
from statistics import median

import pytest
import structure
from structure import MODULES, PACKAGE, ROOMS, in_order_of_imports, room_of

import skensir._core
import skensir._search.candidates
import skensir._sums

# Beside what lies below them, these rooms leave out: nothing but a command uses a bridge.
NOT_USED = {room: {"interop"} for room in ROOMS if room != "cli"} | {"interop": {"display"}}
CORE = [name for name in MODULES if name.startswith(("skensir._core", "skensir._sums"))]


def test_every_room_is_known_and_has_files():
    assert {room_of(path) for path in MODULES.values()} == set(ROOMS)
    folders = {path.parent.name for path in PACKAGE.glob("*/*.py")}
    assert folders <= set(ROOMS)


def test_modules_named_beside_the_folders_exist():
    for name in (*structure.FOUNDATION, *structure.SEARCH, *structure.TOP):
        assert name == "skensir" or f"skensir.{name}" in MODULES
    assert "skensir._core.objective" in structure.imported_modules(MODULES["skensir._ensir"])


def test_no_import_runs_up():
    for (user, used), by in structure.arrows().items():
        assert ROOMS.index(used) <= ROOMS.index(user), by
        assert user == used or used not in NOT_USED.get(user, ()), by


def test_no_imports_run_in_a_circle():
    assert len(in_order_of_imports()) == len(MODULES)


def test_no_room_has_more_than_a_fifth_of_the_lines():
    lines = structure.lines_by_room()
    assert max(lines.values()) <= sum(lines.values()) / 5, lines


def test_files_and_functions_stay_small():
    sizes = {name: structure.n_lines(path) for name, path in MODULES.items()}
    assert {name: size for name, size in sizes.items() if size > 450} == {}
    assert median(sizes.values()) < 150
    functions = structure.lines_of_functions()
    assert {name: size for name, size in functions.items() if size > 60} == {}


@pytest.mark.parametrize("room", [skensir._sums, skensir._core, skensir._search.candidates])
def test_the_map_of_a_room_is_complete_and_in_reading_order(room):
    listed = re.findall(r"^``(\w+)``$", room.__doc__, flags=re.MULTILINE)
    inside = {name for name in MODULES if name.startswith(f"{room.__name__}.")}
    assert sorted(f"{room.__name__}.{name}" for name in listed) == sorted(inside)
    for place, name in enumerate(listed):
        used = structure.imported_modules(MODULES[f"{room.__name__}.{name}"]) & inside
        above = {f"{room.__name__}.{other}" for other in listed[:place]}
        assert used <= above, f"{name} uses {used - above}"


@pytest.mark.parametrize("module", CORE)
def test_the_core_knows_numpy_and_scipy_only(module):
    known = {"numpy", "scipy", "skensir"} | sys.stdlib_module_names
    if module == "skensir._sums.loops":
        known |= {"numba"}  # compiles its loops, where it is installed; nothing else knows of it
    for name in structure.imported_names(MODULES[module]):
        assert name.split(".")[0] in known, f"{module} imports {name}"


def test_what_is_declared_is_used_and_what_is_used_is_declared():
    import tomllib

    text = (PACKAGE.parent / "pyproject.toml").read_text(encoding="utf-8")
    project = tomllib.loads(text)["project"]
    modules = {
        "scikit-learn": "sklearn",
        "array-api-compat": "array_api_compat",
        "opencv-python-headless": "cv2",
        "scikit-image": "skimage",
    }

    def declared(requirements):
        names = {re.match(r"[\w-]+", requirement)[0] for requirement in requirements}
        return {modules.get(name, name) for name in names}

    optional = project["optional-dependencies"]
    for_users = ("array", "dask", "demo", "fast", "image", "onnx", "plot", "skl2onnx", "torch")
    extras = set().union(*(declared(optional[name]) for name in for_users)) - {"skensir"}
    used = (
        {name.split(".")[0] for path in MODULES.values() for name in structure.imported_names(path)}
        - sys.stdlib_module_names
        - {"skensir"}
    )
    assert declared(project["dependencies"]) <= used
    assert used <= declared(project["dependencies"]) | extras


def loaded_after(statement):
    """Return the packages that a fresh interpreter has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "statement",
    [
        "from skensir import EnsIRRegressor, EnsIRRegressorCV",
        "import skensir.baselines",
        "import skensir.display",
        "from skensir.image import ImageEnsemble",
    ],
)
def test_import_loads_nothing_that_is_needed_elsewhere_only(statement):
    loaded = loaded_after(statement)
    assert {"numpy", "scipy", "sklearn", "skensir"} <= loaded
    # scikit-learn loads pandas itself in some versions, if it is there.
    unneeded = {"matplotlib", "skimage", "dask", "pandas", "tqdm", "numba", "onnx", "cv2", "PIL"}
    unneeded |= {"array_api_compat", "torch"}
    unneeded |= {"imageio", "tifffile"}
    assert not loaded & unneeded - loaded_after("import sklearn.base, sklearn.model_selection")


@pytest.mark.parametrize("command", ["predict", "evaluate", "figure"])
def test_commands_that_fit_nothing_start_without_scikit_learn(command):
    """It takes a second, in which sixty scenes are read, combined and written."""
    loaded = loaded_after(f"from skensir.cli.main import main; import skensir.cli.{command}")
    assert {"numpy", "skensir"} <= loaded
    assert not loaded & {"sklearn", "scipy", "joblib", "matplotlib"}


def test_the_core_is_usable_without_scikit_learn():
    """Each module of it, imported where scikit-learn cannot be."""
    script = (
        "import sys, types\n"
        "sys.modules['sklearn'] = None\n"
        "package = types.ModuleType('skensir')\n"
        f"package.__path__ = [{str(PACKAGE)!r}]\n"
        "sys.modules['skensir'] = package\n"
        f"import {', '.join(CORE)}\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
