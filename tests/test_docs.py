"""What README, documentation and metadata promise is so."""

import ast
import doctest
import importlib
import inspect
import re
import subprocess
import sys
import tomllib
from collections import Counter
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path

import pytest
from numpydoc.validate import validate

import skensir

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]
PUBLIC_MODULES = (
    "skensir",
    "skensir.baselines",
    "skensir.display",
    "skensir.image",
    "skensir.interop.dask",
    "skensir.interop.frames",
    "skensir.interop.onnx",
    "skensir.interop.released",
    "skensir.interop.skops",
    *(["skensir.interop.torch"] if find_spec("torch") else []),
)

needs_docs = pytest.mark.skipif(
    not (ROOT / "docs").is_dir(), reason="the documentation is not part of a source distribution"
)


def public_names():
    """Return module and name of everything public."""
    return [
        (module, name)
        for module in PUBLIC_MODULES
        for name in importlib.import_module(module).__all__
    ]


def api_pages():
    """Return the full names that the autosummary blocks of docs/api list."""
    names = []
    for page in sorted((ROOT / "docs/api").glob("*.rst")):
        in_block = False
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.strip() and not line.startswith(" "):
                in_block = line.startswith(".. autosummary::")
            elif in_block and line.strip() and not line.strip().startswith(":"):
                names.append(line.strip())
    return names


def documented_objects():
    """Return the full names of public classes and functions, and of the methods we wrote."""
    names = []
    for module, name in public_names():
        thing = getattr(importlib.import_module(module), name)
        if not (inspect.isclass(thing) or inspect.isfunction(thing)):
            continue  # numpydoc has no rules for data
        names.append(f"{module}.{name}")
        if inspect.isclass(thing):
            names += [
                f"{module}.{name}.{method}"
                for method, function in inspect.getmembers(thing, inspect.isfunction)
                if not method.startswith("_") and function.__module__.startswith("skensir")
            ]
    return names


@needs_docs
def test_every_public_name_has_one_api_page():
    pages = [page for page in api_pages() if page.rpartition(".")[0] in PUBLIC_MODULES]
    left_out = {page.rpartition(".")[0] for page in api_pages()} - set(PUBLIC_MODULES)
    assert left_out <= {"skensir.interop.torch"}
    assert Counter(pages) == Counter(f"{module}.{name}" for module, name in public_names())


@pytest.mark.parametrize("module", PUBLIC_MODULES)
def test_star_import(module):
    names = {}
    exec(f"from {module} import *", names)
    assert set(importlib.import_module(module).__all__) <= set(names)


@pytest.mark.parametrize("name", documented_objects())
def test_docstring_follows_numpydoc(name):
    checks = set(PYPROJECT["tool"]["numpydoc_validation"]["checks"])
    assert "all" in checks  # then the others are the exceptions
    errors = [error for error in validate(name)["errors"] if error[0] not in checks]
    assert errors == []


def test_every_class_has_an_example():
    for module, name in public_names():
        thing = getattr(importlib.import_module(module), name)
        assert not inspect.isclass(thing) or ">>> " in thing.__doc__, name


def texts():
    files = [ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.rst")]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@needs_docs
def test_extras_that_are_named_exist():
    named = set(re.findall(r"\[([\w,]+)\]\"", texts()))
    named = {extra for group in named for extra in group.split(",")}
    assert {"demo", "docs", "test"} <= named <= set(EXTRAS)


def test_extras_that_extras_name_exist():
    for requirements in EXTRAS.values():
        for requirement in requirements:
            if match := re.fullmatch(r"skensir\[([\w,]+)\]", requirement):
                assert set(match[1].split(",")) <= set(EXTRAS)


@needs_docs
def test_python_in_readme_prints_what_it_says():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    [code] = re.findall(r"```python\n(.*?)```", readme, flags=re.DOTALL)
    [printed] = re.findall(r"```text\n(.*?)```", readme, flags=re.DOTALL)
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.stderr == ""
    assert run.stdout == printed


@needs_docs
@pytest.mark.parametrize(
    "page",
    ["distributed.rst", "images.rst", "index.rst", "method.rst", "saving.rst", "deployment.rst"],
)
def test_examples_in_pages_run(page):
    results = doctest.testfile(str(ROOT / "docs" / page), module_relative=False, encoding="utf-8")
    assert results.failed == 0


@needs_docs
def test_links_in_readme_lead_to_files():
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", (ROOT / "README.md").read_text("utf-8"))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_console_scripts_resolve():
    for name, target in PYPROJECT["project"]["scripts"].items():
        [script] = entry_points(group="console_scripts", name=name)
        assert script.value == target
        assert callable(script.load())


@needs_docs
def test_changelog_has_this_version():
    changelog = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    version = re.sub(r"\.dev\d+$", "", skensir.__version__)
    assert re.search(rf"^{re.escape(version)} \(.+\)\n-+$", changelog, flags=re.MULTILINE)


def test_citation_file_parses():
    yaml = pytest.importorskip("yaml", reason="no YAML parser here")
    path = ROOT / "CITATION.cff"
    citation = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["license"] == PYPROJECT["project"]["license"]
    assert len(citation["preferred-citation"]["authors"]) == 6


@needs_docs
def test_gallery_examples_say_what_they_show():
    examples = sorted((ROOT / "examples").glob("plot_*.py"))
    assert examples
    for path in examples:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
