"""Imports run one way, and importing the package is cheap."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import skensir

PACKAGE = Path(skensir.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
# What each layer may use of the package; a file outside of any of these is an estimator's.
ALLOWED = {
    "_core": {"_core"},
    "estimators": {"_core", "estimators"},
    "image": {"_core", "estimators", "image"},
    "display": {"_core", "estimators", "image", "display"},
    "persistence": {"_core", "estimators", "image", "persistence"},
    "comparison": {"_core", "estimators", "image", "comparison"},
    "demo": {"_core", "estimators", "image", "comparison", "demo"},
    # The outermost layer: a command may also call a bridge to other software.
    "cli": {
        *("_core", "estimators", "image", "persistence", "comparison", "demo", "interop", "cli")
    },
    "interop": {"_core", "estimators", "image", "interop"},
    "public names": {"estimators", "persistence"},
}


def layer_of(module):
    """Return the layer of a module of the package, given by its dotted name."""
    package, _, inner = module.partition(".")
    if module == package:
        return "public names"
    part = inner.split(".")[0]
    return part if part in ALLOWED else "estimators"


def module_name(path):
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imported(path):
    """Return the dotted names of all that a file imports, also within functions."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def is_part_of(name, package):
    return name == package or name.startswith(package + ".")


def test_there_are_files_to_look_at():
    layers = {layer_of(module_name(path)) for path in FILES}
    assert {"_core", "estimators"} <= layers
    assert layer_of("skensir") == "public names"
    assert layer_of("skensir.baselines") == "estimators"
    assert layer_of("skensir._core.cells") == "_core"
    assert "skensir._core.cells.CellIndex" in imported(PACKAGE / "_ensir.py")


@pytest.mark.parametrize("path", FILES, ids=module_name)
def test_imports_are_absolute_and_run_from_the_core_outwards(path):
    allowed = ALLOWED[layer_of(module_name(path))]
    for name in imported(path):
        if is_part_of(name, "skensir"):
            assert layer_of(name) in allowed, f"{path.name} imports {name}"


@pytest.mark.parametrize(
    "path", [path for path in FILES if layer_of(module_name(path)) == "_core"], ids=module_name
)
def test_the_core_knows_numpy_and_scipy_only(path):
    known = {"numpy", "scipy", "skensir"} | sys.stdlib_module_names
    if path.name == "compiled.py":
        known |= {"numba"}  # compiles its loops, where it is installed; nothing else knows of it
    for name in imported(path):
        assert name.split(".")[0] in known, f"{path.name} imports {name}"


def loaded_after(statement):
    """Return the packages that a fresh interpreter has loaded after a statement."""
    script = f"{statement}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )
    return set(result.stdout.split())


@pytest.mark.parametrize(
    "module", ["skensir", "skensir.baselines", "skensir.display", "skensir.image"]
)
def test_import_loads_nothing_that_is_needed_elsewhere_only(module):
    loaded = loaded_after(f"import {module}")
    assert {"numpy", "scipy", "sklearn", "skensir"} <= loaded
    # scikit-learn loads pandas itself in some versions, if it is there.
    unneeded = {"matplotlib", "skimage", "dask", "pandas", "tqdm", "numba", "onnx", "cv2", "PIL"}
    unneeded |= {"imageio", "tifffile"}
    assert not loaded & unneeded - loaded_after("import sklearn.base, sklearn.model_selection")


def test_the_core_is_usable_without_scikit_learn():
    """Each module of it, imported where scikit-learn cannot be."""
    modules = [module_name(path) for path in FILES if layer_of(module_name(path)) == "_core"]
    script = (
        "import sys, types\n"
        "sys.modules['sklearn'] = None\n"
        "package = types.ModuleType('skensir')\n"
        f"package.__path__ = [{str(PACKAGE)!r}]\n"
        "sys.modules['skensir'] = package\n"
        f"import {', '.join(modules)}\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True, timeout=60)
