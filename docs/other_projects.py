"""Inventories of other projects for intersphinx, made without a network from what is installed.

The inventories that projects publish would have to be fetched at each build, whose result would
depend on the network, or be kept here, where they grow old and have licences of their own. So the
public names of the installed packages are listed, with the rule by which each project names its
pages. They are in intersphinx's first format, which is plain text.
"""

import inspect
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

SITES = {
    "sklearn": "https://scikit-learn.org/stable/",
    "numpy": "https://numpy.org/doc/stable/",
    "scipy": "https://docs.scipy.org/doc/scipy/",
    "pandas": "https://pandas.pydata.org/docs/",
    "joblib": "https://joblib.readthedocs.io/en/stable/",
    "python": "https://docs.python.org/3/",
}
PAGES = {
    "sklearn": "modules/generated/{name}.html",
    "numpy": "reference/generated/{name}.html",
    "scipy": "reference/generated/{name}.html",
    "pandas": "reference/api/{name}.html",
    "joblib": "generated/{name}.html",
}
MODULES = {
    "numpy": ["numpy", "numpy.linalg"],
    "pandas": ["pandas"],
    "joblib": ["joblib"],
    "scipy": ["scipy.interpolate", "scipy.optimize", "scipy.special", "scipy.stats"],
}
OWN_METHODS = {"sklearn"}  # whose methods are on the page of their class
PYTHON = {
    "dict": ("class", "library/stdtypes.html"),
    "float": ("class", "library/functions.html"),
    "int": ("class", "library/functions.html"),
    "list": ("class", "library/stdtypes.html"),
    "pathlib.Path": ("class", "library/pathlib.html"),
    "str": ("class", "library/stdtypes.html"),
    "ValueError": ("exception", "library/exceptions.html"),
    "OSError": ("exception", "library/exceptions.html"),
    "ModuleNotFoundError": ("exception", "library/exceptions.html"),
}


def modules_of(project: str) -> list[str]:
    """Return the modules whose names have pages."""
    if project in MODULES:
        return MODULES[project]
    package = import_module(project)
    found = [f"{project}.{module.name}" for module in iter_modules(package.__path__)]
    private = ("_", "externals", "experimental", "tests", "conftest")
    return [name for name in found if not name.rpartition(".")[2].startswith(private)]


def names_of(module_name: str) -> dict[str, str]:
    """Return kind by full name of what a module makes public."""
    try:
        module = import_module(module_name)
    except ImportError:  # what is not installed has no links, or a module needs something more
        return {}
    found = {}
    for name in getattr(module, "__all__", dir(module)):
        try:
            thing = getattr(module, name)
        except (AttributeError, ImportError):  # experimental
            continue
        if name.startswith("_") or inspect.ismodule(thing):
            continue
        origin = str(getattr(thing, "__module__", module_name))
        if module_name.startswith("sklearn.") and not origin.startswith(module_name):
            continue  # imported from elsewhere
        if inspect.isclass(thing):
            kind = "exception" if issubclass(thing, BaseException) else "class"
        elif callable(thing):
            kind = "function"
        else:
            continue
        found[f"{module_name}.{name}"] = kind
    return found


def lines_of(project: str) -> list[str]:
    """Return the lines of a project's inventory."""
    if project == "python":
        return [f"{name} {kind} {page}" for name, (kind, page) in PYTHON.items()]
    lines = []
    for module_name in modules_of(project):
        for name, kind in names_of(module_name).items():
            page = PAGES[project].format(name=name)
            lines.append(f"{name} {kind} {page}")
            if kind == "class" and name.islower():  # one that is used as a function
                lines.append(f"{name} function {page}")
            if kind == "class" and project in OWN_METHODS:
                thing = getattr(import_module(module_name), name.rpartition(".")[2])
                lines += [
                    f"{name}.{method} method {page}"
                    for method, _ in inspect.getmembers(thing, callable)
                    if not method.startswith("_")
                ]
    return lines


def write_inventories(folder: Path) -> dict[str, tuple[str, str]]:
    """Write the inventories; return the mapping that intersphinx wants."""
    folder.mkdir(parents=True, exist_ok=True)
    mapping = {}
    for project, site in SITES.items():
        header = ["# Sphinx inventory version 1", f"# Project: {project}", "# Version: 0"]
        path = folder / f"{project}.txt"
        path.write_text("\n".join([*header, *lines_of(project)]) + "\n", encoding="utf-8")
        mapping[project] = (site, str(path))
    return mapping
