"""Say whether the version is the same everywhere, and print its part of the changelog.

::

    python packaging/check_version.py v0.2.0
    python packaging/check_version.py v0.2.0 --notes

Without a tag the version of the package is looked for. Needs nothing but Python.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
# Where the version stands, as the first group of the pattern.
PLACES = {
    "skensir/_version.py": r'^__version__ = "(.+)"$',
    "CHANGELOG.md": r"^(\d+\.\d+\.\S+) \(",
    "CITATION.cff": r"^version: (\S+)$",
    "packaging/conda/recipe.yaml": r'^  version: "(.+)"$',
}
# Where the day of the release stands.
DAYS = {
    "CHANGELOG.md": r"^\d+\.\d+\.\S+ \((.+)\)$",
    "CITATION.cff": r"^date-released: (\S+)$",
}


def find(name: str, pattern: str) -> str:
    """Return what the first line that fits says."""
    text = (ROOT / name).read_text(encoding="utf-8")
    found = re.search(pattern, text, flags=re.MULTILINE)
    if found is None:
        sys.exit(f"{name} has no line that fits {pattern!r}.")
    return found[1]


def notes_of(version: str) -> str:
    """Return a version's part of the changelog, without its heading."""
    text = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    parts = re.split(r"^(\d+\.\d+\.\S+) \(.*\)\n-+$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))[version].strip()


def disagreements(version: str) -> list[str]:
    """Return a sentence for each place with another version, or another day."""
    said = {name: find(name, pattern) for name, pattern in PLACES.items()}
    wrong = [f"{name} says {other}, not {version}." for name, other in said.items()]
    wrong = [
        sentence for sentence, other in zip(wrong, said.values(), strict=True) if other != version
    ]
    days = {name: find(name, pattern) for name, pattern in DAYS.items()}
    if len(set(days.values())) > 1:
        wrong.append(f"The day of the release differs: {days}.")
    return wrong


def main() -> None:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("tag", nargs="?", help="such as v0.2.0")
    parser.add_argument("--notes", action="store_true", help="print the changelog's part")
    arguments = parser.parse_args()
    here = find("skensir/_version.py", PLACES["skensir/_version.py"])
    version = here if arguments.tag is None else arguments.tag.removeprefix("v")
    if wrong := disagreements(version):
        sys.exit("\n".join(wrong))
    print(notes_of(version) if arguments.notes else f"Everything says {version}.")


if __name__ == "__main__":
    main()
