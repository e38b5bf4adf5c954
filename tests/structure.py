"""How the package is built, read off its files: ``python tests/structure.py`` prints it.

A room is a folder of the package. The files beside the folders are parted into four: what knows
nothing of the package, the estimators, the search, and what lies above images. Imports run from
the last room to the first, those within functions and for type checkers too.
"""

from __future__ import annotations

import ast
from collections import Counter
from graphlib import TopologicalSorter
from pathlib import Path
from statistics import median

import skensir

PACKAGE = Path(skensir.__file__).parent
FILES = sorted(PACKAGE.rglob("*.py"))
SOURCES = sorted(path for path in PACKAGE.rglob("*.*") if path.suffix in (".py", ".html", ".js"))

# From the bottom to the top; a room may use those before it. Of files beside the folders, those
# that are not named here are estimators, as a newcomer will most likely be.
FOUNDATION = (
    *("_version", "_typing", "_track", "_optional", "_lazy", "_text", "_checks", "_warn"),
    *("_files", "_threads", "_documentation"),
)
SEARCH = ("_ensir_cv",)
TOP = ("_table_reader", "persistence", "skensir")
ROOMS = (
    "foundation",
    "_sums",
    "_core",
    "estimators",
    "_search",
    "image",
    "display",
    "top",
    "interop",
    "comparison",
    "demo",
    "cli",
)


def module_name(path: Path) -> str:
    """Return the dotted name of a file's module."""
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {module_name(path): path for path in FILES}


def room_of(path: Path) -> str:
    """Return the room that a file lies in."""
    inside = path.relative_to(PACKAGE)
    if len(inside.parts) > 1:
        return inside.parts[0]
    name = module_name(path).rpartition(".")[2]
    named = {"foundation": FOUNDATION, "_search": SEARCH, "top": TOP}
    return next((room for room, names in named.items() if name in names), "estimators")


def imported_names(path: Path) -> list[str]:
    """Return the dotted names of all that a file imports, wherever in the file it does so."""
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}:{node.lineno}: relative import"
            names += [f"{node.module}.{alias.name}" for alias in node.names]
    return names


def imported_modules(path: Path) -> set[str]:
    """Return the modules of the package that a file imports from."""
    found = set()
    for name in imported_names(path):
        module = name if name in MODULES else name.rpartition(".")[0]
        if module in MODULES:
            found.add(module)
    return found


def arrows() -> dict[tuple[str, str], list[str]]:
    """Return by pair of rooms the imports that run from the first to the second."""
    found: dict[tuple[str, str], list[str]] = {}
    for name, path in MODULES.items():
        for module in sorted(imported_modules(path)):
            pair = room_of(path), room_of(MODULES[module])
            found.setdefault(pair, []).append(f"{name} imports {module}")
    return found


def in_order_of_imports() -> list[str]:
    """Return the modules, each after those that it imports; raise where they run in a circle."""
    graph = {name: imported_modules(path) - {name} for name, path in MODULES.items()}
    return list(TopologicalSorter(graph).static_order())


def n_lines(path: Path) -> int:
    """Return the number of lines of a file."""
    return len(path.read_text(encoding="utf-8").splitlines())


def lines_by_room() -> Counter[str]:
    """Return the number of lines of each room."""
    lines: Counter[str] = Counter()
    for path in SOURCES:
        lines[room_of(path)] += n_lines(path)
    return lines


def lines_of_functions() -> Counter[str]:
    """Return the number of lines of each function, docstring included."""
    lines: Counter[str] = Counter()
    for name, path in MODULES.items():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = (node.end_lineno or 0) - node.lineno + 1
                lines[f"{name}.{node.name}, line {node.lineno}"] = size
    return lines


def main() -> None:
    """Print rooms, arrows and sizes."""
    lines, total = lines_by_room(), sum(lines_by_room().values())
    print(f"{total} lines in {len(SOURCES)} files")
    for room in ROOMS:
        used = {other: len(by) for (user, other), by in arrows().items() if user == room != other}
        listed = ", ".join(f"{other} ({n})" for other, n in sorted(used.items()))
        print(f"  {room:<11}{lines[room]:>6}{lines[room] / total:>7.1%}  imports {listed or '-'}")
    files = Counter({name: n_lines(path) for name, path in MODULES.items()})
    print(f"median file {median(files.values()):g} lines; longest files and functions:")
    for name, size in [*files.most_common(3), *lines_of_functions().most_common(3)]:
        print(f"  {size:>4}  {name}")
    print(f"no circle among {len(in_order_of_imports())} modules")


if __name__ == "__main__":
    main()
