"""What README, documentation and metadata promise is so."""

import ast
import doctest
import importlib
import inspect
import json
import re
import sys
import tomllib
from collections import Counter
from importlib.metadata import entry_points
from itertools import pairwise
from pathlib import Path

import pytest
from numpydoc.validate import validate
from pages import PAGES
from public_modules import PUBLIC_MODULES

import skensir
from skensir._documentation import FOLDER, SITE, URL

ROOT = Path(__file__).resolve().parents[1]
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
EXTRAS = PYPROJECT["project"]["optional-dependencies"]

needs_docs = pytest.mark.skipif(
    not (ROOT / "docs").is_dir(), reason="there is no documentation here"
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


def docstring_of(module, name):
    """Return the docstring of a public name; of data, what follows it where it is assigned."""
    thing = getattr(importlib.import_module(module), name)
    if inspect.isclass(thing) or inspect.isroutine(thing):
        return thing.__doc__
    for place in [module, *sorted(sys.modules)]:
        source = getattr(sys.modules[place], "__file__", None) or ""
        if place.startswith("skensir") and vars(sys.modules[place]).get(name) is thing:
            body = ast.parse(Path(source).read_text(encoding="utf-8")).body
            for line, after in pairwise(body):
                targets = getattr(line, "targets", [getattr(line, "target", None)])
                if [getattr(target, "id", None) for target in targets] == [name]:
                    return after.value.value
    return ""


@pytest.mark.parametrize(("module", "name"), public_names())
def test_every_public_name_has_an_example(module, name):
    assert doctest.DocTestParser().get_examples(docstring_of(module, name))


@pytest.mark.parametrize(
    ("module", "name"), [("skensir", "REFERENCE_PARAMS"), ("skensir.interop.skops", "TRUSTED")]
)
def test_examples_of_data_run(module, name):
    known = vars(importlib.import_module("skensir")).copy() | {
        each: getattr(skensir, each) for each in skensir.__all__
    }
    test = doctest.DocTestParser().get_doctest(docstring_of(module, name), known, name, None, 0)
    assert test.examples
    assert doctest.DocTestRunner().run(test).failed == 0


def estimators():
    """Return module and name of each public estimator."""
    return [
        (module, name)
        for module, name in public_names()
        if hasattr(getattr(importlib.import_module(module), name), "_get_doc_link")
    ]


@pytest.mark.parametrize(("module", "name"), estimators())
def test_html_of_estimators_leads_to_their_pages(module, name):
    estimator = getattr(importlib.import_module(module), name)()
    link = estimator._get_doc_link()
    assert link == f"{URL}api/generated/{module}.{name}.html"
    assert not (ROOT / "docs").is_dir() or f"{module}.{name}" in api_pages()
    assert link in estimator._repr_html_()


def test_a_subclass_elsewhere_leads_nowhere():
    class Other(skensir.EnsIRRegressor):
        pass

    assert Other()._get_doc_link() == ""


def test_address_of_the_documentation_is_that_of_the_project():
    assert PYPROJECT["project"]["urls"]["Documentation"].rstrip("/") == SITE.rstrip("/")


@needs_docs
def test_versions_to_switch_to_have_this_one():
    versions = json.loads((ROOT / "docs/_static/switcher.json").read_text(encoding="utf-8"))
    assert FOLDER in [version["version"] for version in versions]
    assert all(version["url"].startswith(SITE) for version in versions)
    assert [version["version"] for version in versions if version.get("preferred")] != ["dev"]


def texts():
    files = [*PAGES, ROOT / "CHANGELOG.md"]
    return "\n".join(file.read_text(encoding="utf-8") for file in files)


@needs_docs
def test_extras_that_are_named_exist():
    named = set(re.findall(r"(?:\.|skensir)\[([\w,]+)\]", texts()))
    named = {extra for group in named for extra in group.split(",")}
    assert {"demo", "docs", "test"} <= named <= set(EXTRAS)


def test_extras_that_extras_name_exist():
    for requirements in EXTRAS.values():
        for requirement in requirements:
            if match := re.fullmatch(r"skensir\[([\w,]+)\]", requirement):
                assert set(match[1].split(",")) <= set(EXTRAS)


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
    examples = sorted((ROOT / "examples").rglob("plot_*.py"))
    assert examples
    for path in examples:
        assert ast.get_docstring(ast.parse(path.read_text(encoding="utf-8")))
