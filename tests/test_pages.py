"""What README and the pages of the documentation show is what happens."""

import importlib
import re
from importlib.util import find_spec
from pathlib import Path
from textwrap import dedent

import pages
import pytest
from pages import DOCS, PAGES, ROOT, blocks_of, commands_in, read_blocks

from skensir.cli.main import _COMMANDS, _make_parser

needs_docs = pytest.mark.skipif(not PAGES, reason="a source distribution has no documentation")
by_page = pytest.mark.parametrize(
    "page", PAGES, ids=[page.relative_to(ROOT).as_posix() for page in PAGES]
)
# Options that pages name alone, without the program that they belong to.
OPTIONS_OF_OTHERS = {"--version", "--help"}


@by_page
def test_blocks_run_in_order_as_pasted(page, tmp_path, monkeypatch):
    monkeypatch.setenv("MPLBACKEND", "Agg")
    blocks = blocks_of(page)
    if not any(block.kind in ("python", "sh", "doctest") for block in blocks):
        return
    try:
        pages.run_page(page, tmp_path)
    except pages.Skipped as reason:
        pytest.skip(str(reason))


PAGE = """
Title
=====

.. code-block:: python
   :caption: an option

   value = 2
   print(value)

   print("done")

.. code-block:: text

   2

   d...

Words.

.. code-block:: text

   folder/
     image.png

>>> value + 1
3
>>> value = 5

.. not run: needs a cluster

.. code-block:: python

   1 / 0

#. A list.

   .. code-block:: sh

      pip install "skensir[image]"
      skensir --version \\
         # and so on
"""


def write_page(folder, text):
    page = folder / "page.rst"
    page.write_text(dedent(text), encoding="utf-8")
    return page


def test_blocks_of_a_page():
    blocks = read_blocks(PAGE)
    kinds = ["python", "text", "doctest", "python", "sh"]
    assert [block.kind for block in blocks] == kinds
    assert blocks[0].source == 'value = 2\nprint(value)\n\nprint("done")\n'
    assert blocks[0].printed == "2\n\nd...\n"
    assert [block.not_run for block in blocks] == [None, None, None, "needs a cluster", None]
    assert PAGE.splitlines()[blocks[0].line] == "   value = 2"
    assert commands_in(blocks[-1].source)[0] == 'pip install "skensir[image]"'


def test_blocks_of_markdown():
    [block, layout] = read_blocks(
        "```python\nprint(1)\n```\n\nIt prints\n\n```text\n1\n```\n\n```text\nfolder/\n```\n", True
    )
    assert (block.source, block.printed) == ("print(1)\n", "1\n")
    assert layout.kind == "text"


def test_a_page_is_one_namespace(tmp_path):
    page = write_page(tmp_path, ">>> a = 1\n\n.. code-block:: python\n\n   b = a + 1\n\n>>> b\n2\n")
    assert pages.run_page(page, tmp_path) == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (".. code-block:: python\n\n   print(1)\n\n.. code-block:: text\n\n   2\n", "but it is\n1"),
        (".. code-block:: python\n\n   assert 1 > 2, 'more'\n", "more"),
        (
            ".. code-block:: python\n\n   print(' 1')\n\n.. code-block:: text\n\n   1 \n   2\n",
            "but",
        ),
        (".. code-block:: python\n\n   import warnings\n   warnings.warn('x')\n", "x"),
        (">>> 1 + 1\n3\n", r"page.rst:1\n1 \+ 1"),
        (">>> import skensir.nothing\n", "skensir.nothing"),
        (".. code-block:: sh\n\n   skensir inspect nothing.skensir\n", "exit code 2"),
        (
            ".. code-block:: sh\n\n   skensir --version\n\n.. code-block:: text\n\n   0\n",
            "but it is",
        ),
    ],
)
@pytest.mark.filterwarnings("default")
def test_a_page_that_is_not_true_fails(tmp_path, text, message):
    page = write_page(tmp_path, text)
    with pytest.raises((Exception, SystemExit), match=message) as error:
        pages.run_page(page, tmp_path)
    assert not isinstance(error.value, pages.Skipped)


def test_a_page_that_needs_a_package_is_skipped(tmp_path):
    page = write_page(tmp_path, ".. code-block:: python\n\n   import no_such_package\n")
    with pytest.raises(pages.Skipped, match="needs no_such_package"):
        pages.run_page(page, tmp_path)


def parser_of(command):
    """Return the parser of a command."""
    [choices] = [
        action.choices
        for action in _make_parser(command)._actions
        if isinstance(action.choices, dict)
    ]
    return choices[command]


def options_of(command):
    """Return the options of a command."""
    return {option for action in parser_of(command)._actions for option in action.option_strings}


COMMANDS = {name.replace("_", "-") for name in _COMMANDS}
OPTIONS = {command: options_of(command) for command in COMMANDS}


def code_of(page):
    """Return the literals of a page and the commands in its blocks for the shell."""
    text = page.read_text(encoding="utf-8")
    pattern = r"(?<!`)`([^`\n]+)`(?!`)" if page.suffix == ".md" else r"``(.+?)``"
    literals = [" ".join(literal.split()) for literal in re.findall(pattern, text, flags=re.S)]
    shell = [line for b in blocks_of(page) if b.kind == "sh" for line in commands_in(b.source)]
    return literals, shell


def wrong_names(page):
    """Return the commands and options that a page names and that do not exist."""
    literals, shell = code_of(page)
    wrong = []
    for code in literals + shell:
        called = re.search(r"\bskensir ([a-z][a-z-]*)(.*)", code)
        if called and called[1] not in COMMANDS:
            wrong.append(code)
        elif called or code.startswith("--"):
            known = OPTIONS[called[1]] if called else set.union(*OPTIONS.values())
            named = re.findall(r"(?<![\w-])--[a-z][a-z-]*", called[2] if called else code)
            wrong += [
                f"{name} in {code!r}" for name in named if name not in known | OPTIONS_OF_OTHERS
            ]
    return wrong


@by_page
def test_commands_and_options_that_are_named_exist(page):
    assert wrong_names(page) == []


def test_commands_and_options_that_do_not_exist_are_found(tmp_path):
    page = write_page(
        tmp_path,
        "``skensir nothing`` ``--nothing`` ``skensir fit --box 1`` ``--cv`` ``pip --user``\n\n"
        ".. code-block:: sh\n\n   skensir demo --cv\n",
    )
    assert wrong_names(page) == [
        "skensir nothing",
        "--nothing in '--nothing'",
        "--box in 'skensir fit --box 1'",
        "--cv in 'skensir demo --cv'",
    ]


@by_page
def test_files_that_are_named_exist(page):
    text = page.read_text(encoding="utf-8")
    named = re.findall(
        r"\b((?:benchmarks|examples|tests|skensir|docs)/[\w/]+\.(?:py|ipynb))\b", text
    )
    assert [path for path in named if not (ROOT / path).exists()] == []


def tables_without_script(text):
    """Return the files of tables on a page that none of the scripts it names writes."""
    scripts = set(re.findall(r"\b(benchmarks/\w+\.py)\b", text))
    sources = [(ROOT / script).read_text(encoding="utf-8") for script in sorted(scripts)]
    return [
        table
        for table in re.findall(r"^ +:file: (\S+\.csv)$", text, flags=re.M)
        if not any(
            re.search(rf"""["'/]{re.escape(Path(table).stem)}(\.csv)?["']""", source)
            for source in sources
        )
    ]


@by_page
def test_tables_are_printed_by_a_script_that_the_page_names(page):
    text = page.read_text(encoding="utf-8")
    assert tables_without_script(text) == []
    for table in re.findall(r"^ +:file: (\S+\.csv)$", text, flags=re.M):
        assert (page.parent / table).exists()


@needs_docs
def test_a_table_that_no_script_prints_is_found():
    table = ".. csv-table::\n   :file: speed/{}.csv\n"
    assert tables_without_script("``benchmarks/speed.py``\n\n" + table.format("rows")) == []
    assert tables_without_script("``benchmarks/speed.py``\n\n" + table.format("columns")) != []
    assert tables_without_script(table.format("rows")) == ["speed/rows.csv"]


@needs_docs
def test_every_table_is_on_a_page():
    shown = {
        (page.parent / table).resolve()
        for page in PAGES
        for table in re.findall(r":file: (\S+)", page.read_text(encoding="utf-8"))
    }
    kept = {path for path in DOCS.rglob("*.csv") if "_build" not in path.parts}
    assert kept <= shown


@needs_docs
def test_every_page_is_in_the_navigation():
    listed = set()
    for page in DOCS.rglob("*.rst"):
        for block in re.findall(
            r"\.\. toctree::\n((?:\n| +.*\n)+)", page.read_text(encoding="utf-8") + "\n"
        ):
            entries = re.findall(r"^ +(?!:)(?:.*<)?([\w/]+)>?$", block, flags=re.M)
            listed |= {(page.parent / entry).resolve() for entry in entries}
    pages_of_docs = {page.with_suffix("") for page in PAGES if page.suffix == ".rst"}
    assert pages_of_docs - listed <= {DOCS / "index"}


@pytest.mark.skipif(not find_spec("sphinx"), reason="the documentation cannot be built here")
@needs_docs
def test_names_of_other_projects_have_pages(monkeypatch):
    monkeypatch.syspath_prepend(str(DOCS))
    other_projects = importlib.import_module("other_projects")
    [line] = [
        line
        for line in other_projects.lines_of("sklearn")
        if line.startswith("sklearn.ensemble.StackingRegressor ")
    ]
    assert line.split()[1:] == [
        "class",
        "modules/generated/sklearn.ensemble.StackingRegressor.html",
    ]
