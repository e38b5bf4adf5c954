"""What is released is what files say: versions, Pythons, workflows, and what contributors read."""

import importlib.util
import re
import subprocess
import tomllib
from pathlib import Path
from xml.etree import ElementTree

import pytest
import structure

import skensir

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
METADATA = PROJECT["project"]
INCLUDED = PROJECT["tool"]["hatch"]["build"]["targets"]["sdist"]["include"]
# Extras that nobody needs who uses the package.
OF_DEVELOPERS = {"bench", "browser", "dev", "docs", "lint", "spark", "test"}
# What is tracked and serves the repository alone.
NOT_RELEASED = {".ci", ".github", ".gitignore", ".pre-commit-config.yaml"}
PAGES = ("README.md", "CONTRIBUTING.md", "CODE_OF_CONDUCT.md", "SECURITY.md")
WORKFLOWS = ("ci.yml", "docs.yml", "release.yml")

yaml = pytest.importorskip("yaml", reason="no YAML parser here")  # dask brings it
needs_checkout = pytest.mark.skipif(
    not (ROOT / ".github").is_dir(), reason="workflows are not part of a source distribution"
)


def text_of(name):
    return (ROOT / name).read_text(encoding="utf-8")


def workflow(name):
    return yaml.safe_load(text_of(f".github/workflows/{name}"))


def load(name):
    """Import a script of the folder packaging."""
    path = ROOT / "packaging" / name
    spec = importlib.util.spec_from_file_location(path.stem, path)
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    return script


def pythons_of_classifiers():
    found = (re.fullmatch(r"Programming .* :: (3\.\d+)", line) for line in METADATA["classifiers"])
    return {match[1] for match in found if match}


def test_version_and_day_are_the_same_everywhere():
    script = load("check_version.py")
    assert script.disagreements(skensir.__version__) == []
    assert len(script.disagreements("9.8.7")) == len(script.PLACES) == 4
    assert "**What breaks**" in script.notes_of(skensir.__version__)
    assert "0.1.0" not in script.notes_of(skensir.__version__).splitlines()


@needs_checkout
def test_classifiers_name_the_pythons_that_the_workflow_runs():
    rows = workflow("ci.yml")["jobs"]["everything"]["strategy"]["matrix"]["include"]
    tried = {row["python"] for row in rows if not row["untried"]}
    assert tried == pythons_of_classifiers()
    assert {"3.11", "3.12", "3.13", "3.14"} <= {row["python"] for row in rows}


def test_lowest_python_is_the_same_everywhere():
    lowest = METADATA["requires-python"].removeprefix(">=")
    recipe = yaml.safe_load(text_of("packaging/conda/recipe.yaml"))
    assert lowest == min(pythons_of_classifiers(), key=lambda text: int(text.split(".")[1]))
    assert lowest == recipe["context"]["python_min"] == PROJECT["tool"]["mypy"]["python_version"]


def test_conda_recipe_needs_what_the_package_needs():
    recipe = yaml.safe_load(text_of("packaging/conda/recipe.yaml"))
    needed = [requirement.replace(" ", "") for requirement in recipe["requirements"]["run"]]
    assert needed[0].startswith("python>=")
    assert sorted(needed[1:]) == sorted(METADATA["dependencies"])
    built_by = set(PROJECT["build-system"]["requires"])
    assert set(recipe["requirements"]["host"][1:]) == built_by | {"pip"}
    assert recipe["about"]["license"] == METADATA["license"]
    [script] = recipe["build"]["python"]["entry_points"]
    assert script == f"skensir = {METADATA['scripts']['skensir']}"
    files = [file for test in recipe["tests"] for file in test.get("files", {}).get("source", ())]
    assert files
    assert [file for file in files if not (ROOT / file).is_file()] == []


def test_every_extra_for_users_is_tried():
    script = load("smoke/run.py")
    extras = set(METADATA["optional-dependencies"]) - OF_DEVELOPERS
    assert set(script.BESIDE) == extras | {"core"}
    uses = {path.stem.removeprefix("use_") for path in (ROOT / "packaging/smoke").glob("use_*.py")}
    assert uses == set(script.BESIDE)
    assert [path for path in script.TESTS if not (ROOT / path).exists()] == []


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="not a checkout")
def test_sdist_has_all_but_what_serves_the_repository():
    try:
        run = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("git does not work here")
    tracked = {name.partition("/")[0] for name in run.stdout.decode().split("\0") if name}
    included = {name.removeprefix("/") for name in INCLUDED} | {"pyproject.toml"}
    assert tracked - NOT_RELEASED == included


def test_included_files_exist():
    assert all(name.startswith("/") for name in INCLUDED)  # else it means any depth
    assert [name for name in INCLUDED if not (ROOT / name[1:]).exists()] == []


@needs_checkout
@pytest.mark.parametrize("name", WORKFLOWS)
def test_workflow_has_jobs_with_least_rights(name):
    content = workflow(name)
    assert content[True]  # "on" is a boolean in YAML 1.1
    assert content["permissions"] == {"contents": "read"}
    assert "secrets." not in text_of(f".github/workflows/{name}")
    for job in content["jobs"].values():
        assert job["runs-on"]
        assert all(("run" in step) != ("uses" in step) for step in job["steps"])
        assert set(job.get("needs", "").split()) <= set(content["jobs"])


@needs_checkout
def test_publishing_needs_a_tag_and_no_secret():
    content = workflow("release.yml")
    job = content["jobs"]["pypi"]
    assert content[True] == {"push": {"tags": ["v*"]}}
    assert job["permissions"] == {"id-token": "write"}
    assert job["environment"]["name"] == "pypi"
    assert job["needs"] == "build"


@needs_checkout
@pytest.mark.parametrize("name", [".ci/run", *(f".github/workflows/{w}" for w in WORKFLOWS)])
def test_files_that_are_run_exist(name):
    lines = (line.partition("#")[0] for line in text_of(name).splitlines())
    named = re.findall(
        r"(?<![\w/.$\"-])((?:tests|packaging|benchmarks|skensir|\.ci)/[\w./-]*\w)", "\n".join(lines)
    )
    assert named or name.endswith("docs.yml")
    assert [path for path in named if not (ROOT / path).exists()] == []


@needs_checkout
@pytest.mark.parametrize("name", ["bug", "documentation", "feature"])
def test_issue_form_has_what_the_code_host_asks_for(name):
    form = yaml.safe_load(text_of(f".github/ISSUE_TEMPLATE/{name}.yml"))
    assert form["name"]
    assert form["description"]
    fields = [field for field in form["body"] if field["type"] != "markdown"]
    assert len({field["id"] for field in fields}) == len(fields)
    assert all(field["attributes"]["label"] for field in fields)


@pytest.mark.parametrize("name", PAGES)
def test_links_between_pages_lead_to_files(name):
    links = re.findall(r"\]\((?!https?://)([^)#]+)\)", text_of(name))
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_repository_has_one_address():
    source = METADATA["urls"]["Source"]
    files = [*PAGES, "CITATION.cff", "packaging/conda/recipe.yaml", "pyproject.toml"]
    config = ".github/ISSUE_TEMPLATE/config.yml"
    texts = [text_of(name) for name in (*files, config) if (ROOT / name).exists()]
    assert len(texts) >= len(files)
    found = re.findall(r"https://github\.com/[\w.-]+/[\w.-]+", "\n".join(texts))
    assert set(found) == {source}
    raw = source.replace("github.com", "raw.githubusercontent.com")
    assert set(re.findall(r"https://raw\.[\w.]+/[\w.-]+/[\w.-]+", "\n".join(texts))) == {raw}
    recipe = yaml.safe_load(text_of("packaging/conda/recipe.yaml"))
    assert recipe["about"]["documentation"] == METADATA["urls"]["Documentation"]
    assert yaml.safe_load(text_of("CITATION.cff"))["repository-code"] == source


@needs_checkout  # workflows among them
def test_files_that_the_developers_page_names_exist():
    page = text_of("docs/developers.rst")
    places = [ROOT, ROOT / "skensir", ROOT / "skensir/_core", ROOT / ".github/workflows"]
    # Capital letters and "_name" stand for what the reader fills in.
    names = re.findall(r"(?<![\w/])((?:[\w.-]+/)*[\w.-]+\.(?:py|md|toml|yml|cff|yaml))\b", page)
    named = [
        name for name in names if not re.search(r"[A-Z]{4}\.py|X_Y|_name\.py|[A-Z]{5,}\.py", name)
    ]
    assert len(named) > 30
    missing = [name for name in named if not any((place / name).is_file() for place in places)]
    assert missing == []
    modules = re.findall(r"``(?:skensir\.)?(_\w+(?:\.\w+)*)\.(?:import_optional|Objective)``", page)
    assert all(f"skensir.{module}" in structure.MODULES for module in modules)
    assert len(modules) == 2


def test_the_drawing_has_every_room_above_those_that_it_uses():
    """One that uses another stands above it, or rooms between them do."""
    space = "{http://www.w3.org/2000/svg}"
    boxes = {}
    for group in ElementTree.parse(ROOT / "docs/layers.svg").iter(f"{space}g"):
        [name] = [text.text for text in group.iter(f"{space}text") if text.get("class") == "room"]
        [box] = group.iter(f"{space}rect")
        boxes[name] = {side: float(box.get(side)) for side in ("x", "y", "width", "height")}
    assert sorted(boxes) == sorted(structure.ROOMS)
    for user, used in structure.arrows():
        upper, lower = boxes[user], boxes[used]
        assert user == used or upper["y"] + upper["height"] <= lower["y"], (user, used)
    tops = [
        boxes[room]["y"] for room in ("cli", "image", "_search", "estimators", "_core", "_sums")
    ]
    assert tops == sorted(tops)
