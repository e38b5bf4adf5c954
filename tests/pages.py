"""The code on the pages of the documentation, and how it is run: as a reader would paste it.

A page is run from top to bottom, in one namespace and one empty folder: its doctests, its blocks of
Python, and of its blocks for the shell the lines that begin with ``skensir``. A block of text that
follows a block at once, with nothing between, shows all that this block prints, where ``...``
stands for anything. In README.md, which has Markdown's fences, there may be a paragraph between.

A comment ``.. not run: REASON`` before a block leaves it out.
"""

from __future__ import annotations

import doctest
import re
import shlex
import warnings
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib.util import find_spec
from io import StringIO
from itertools import zip_longest
from pathlib import Path
from textwrap import dedent

from skensir.cli import main

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
MADE_BY_THE_BUILD = {"sg_execution_times.rst"}  # of earlier settings
PAGES = [
    page
    for page in [ROOT / "README.md", *sorted(DOCS.glob("*.rst")), *sorted(DOCS.glob("guide/*.rst"))]
    if DOCS.is_dir()  # which a source distribution lacks
    and page.name not in MADE_BY_THE_BUILD
]

KINDS = {"python": "python", "py": "python", "sh": "sh", "bash": "sh", "text": "text"}
NOT_RUN = re.compile(r"\s*(?:\.\.|<!--) not run: (.+)")
DIRECTIVE = re.compile(r"( *)\.\. (?:code-block|code|sourcecode):: *(\S*)\s*")
FENCE = re.compile(r"( *)```(\w*)\s*")


class Skipped(Exception):  # noqa: N818 - nothing is wrong
    """A page that needs a package which is not installed."""


@dataclass
class Block:
    """A piece of a page: of "python", "sh", "text" or "doctest", or of "other" code."""

    kind: str
    line: int  # the first line of its source, from zero
    source: str
    not_run: str | None = None
    printed: str | None = None


def _name(page: Path) -> str:
    return page.relative_to(ROOT).as_posix() if page.is_relative_to(ROOT) else page.name


def _indented(lines: list[str], start: int, indent: int) -> tuple[int, int, str]:
    """Return the first line and the end of what is indented deeper, and its text."""
    end = start
    while end < len(lines) and (
        not lines[end].strip() or len(lines[end]) - len(lines[end].lstrip()) > indent
    ):
        end += 1
    while start < end and (not lines[start].strip() or re.match(r" +:[\w-]+:", lines[start])):
        start += 1  # options of the directive
    while end > start and not lines[end - 1].strip():
        end -= 1
    return start, end, dedent("\n".join(lines[start:end])) + "\n"


def _fenced(lines: list[str], start: int) -> tuple[int, int, str]:
    """Return the same of what lies between Markdown's fences."""
    end = next(n for n in range(start, len(lines)) if lines[n].strip() == "```")
    return start, end, dedent("\n".join(lines[start:end])) + "\n"


def _doctest_lines(lines: list[str], start: int) -> int:
    """Return the end of a doctest, which the first blank line is."""
    return next((n for n in range(start, len(lines)) if not lines[n].strip()), len(lines))


def read_blocks(text: str, markdown: bool = False) -> list[Block]:
    """Return the blocks of a page in their order, each with what it is said to print."""
    lines, blocks = text.splitlines(), []
    reason, last, nothing_between = None, None, False
    at = 0
    while at < len(lines):
        line = lines[at]
        directive, fence = DIRECTIVE.fullmatch(line), markdown and FENCE.fullmatch(line)
        if directive or fence:
            indent, language = (directive or fence).groups()
            found = _fenced(lines, at + 1) if fence else _indented(lines, at + 1, len(indent))
            start, end, source = found
            block = Block(KINDS.get(language, "other"), start, source, not_run=reason)
            if block.kind == "text" and last is not None and (nothing_between or markdown):
                last.printed, last = source, None
            else:
                blocks.append(block)
                last = block if block.kind in ("python", "sh") else None
            at, reason, nothing_between = end + bool(fence), None, True
        elif line.lstrip().startswith(">>> "):
            end = _doctest_lines(lines, at)
            source = dedent("\n".join(lines[at:end])) + "\n"
            blocks.append(Block("doctest", at, source, not_run=reason))
            at, reason, last = end, None, None
        else:
            if match := NOT_RUN.match(line):
                reason = match[1]
            elif line.strip():
                reason, nothing_between = None, False
            at += 1
    return blocks


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page that is a file."""
    return read_blocks(page.read_text(encoding="utf-8"), markdown=page.suffix == ".md")


def commands_in(source: str) -> list[str]:
    """Return the commands of a block for the shell, those that are broken into lines as one."""
    lines = source.replace("\\\n", " ").splitlines()
    return [line.strip() for line in lines if line.strip() and not line.lstrip().startswith("#")]


def check_printed(printed: str, expected: str, where: str) -> None:
    """Raise if a block has not printed what its page says."""
    expected, printed = (
        "".join(f"{line.rstrip()}\n" for line in dedent(text).rstrip().splitlines())
        for text in (expected, printed)
    )
    checker = doctest.OutputChecker()
    if not checker.check_output(expected, printed, doctest.ELLIPSIS):
        pairs = zip_longest(expected.splitlines(), printed.splitlines(), fillvalue="")
        said, is_so = next(
            (pair for pair in pairs if not checker.check_output(*pair, doctest.ELLIPSIS)), ("", "")
        )
        raise AssertionError(
            f"{where} says that this is printed:\n{expected}\nbut it is\n{printed}\n"
            f"The first line that differs is\n  {said}\nwhere\n  {is_so}\nis printed."
        )


def _run_python(block: Block, page: Path, namespace: dict[str, object]) -> str:
    code = compile("\n" * block.line + block.source, str(page), "exec")  # with the page's lines
    output = StringIO()
    with redirect_stdout(output), redirect_stderr(output):
        exec(code, namespace)
    return output.getvalue()


def _exit_code(arguments: list[str]) -> int:
    try:
        return main(arguments)
    except SystemExit as end:  # of `--help` and `--version`
        return int(end.code or 0)


def _run_shell(block: Block, where: str) -> str:
    output = StringIO()
    for command in commands_in(block.source):
        if not command.startswith("skensir "):
            continue
        with redirect_stdout(output), redirect_stderr(output):
            exit_code = _exit_code(shlex.split(command, comments=True)[1:])
        if "which is not installed: pip install" in output.getvalue():
            raise Skipped(output.getvalue().strip())
        mistake_shown = re.search("^skensir: (?!note: )", block.printed or "", flags=re.M)
        if exit_code and not mistake_shown:
            raise AssertionError(
                f"{where}: {command!r} has exit code {exit_code}:\n{output.getvalue()}"
            )
    return output.getvalue()


class _Runner(doctest.DocTestRunner):
    """A runner whose first failure is an error that tells it."""

    def report_failure(self, out, test, example, got):
        where = f"{test.filename}:{test.lineno + example.lineno + 1}"
        raise AssertionError(f"{where}\n{example.source}expected\n{example.want}got\n{got}")

    def report_unexpected_exception(self, out, test, example, exc_info):
        exc_info[1].add_note(f"in {test.filename}:{test.lineno + example.lineno + 1}")
        raise exc_info[1]


def _run_doctest(block: Block, page: Path, namespace: dict[str, object]) -> None:
    parser = doctest.DocTestParser()
    test = parser.get_doctest(block.source, namespace, page.stem, _name(page), block.line)
    test.globs = namespace  # not a copy, so that what comes after knows its names
    _Runner(verbose=False).run(test, out=lambda text: None, clear_globs=False)


def run_block(block: Block, page: Path, namespace: dict[str, object]) -> None:
    """Run one block; raise if it fails or prints something else than its page says."""
    where = f"{_name(page)}:{block.line + 1}"
    try:
        if block.kind == "doctest":
            _run_doctest(block, page, namespace)
            return
        if block.kind == "python":
            printed = _run_python(block, page, namespace)
        else:
            printed = _run_shell(block, where)
    except ModuleNotFoundError as error:
        package = (error.name or "skensir").partition(".")[0]
        if package == "skensir" or find_spec(package):
            raise
        raise Skipped(f"{where} needs {package}") from error
    if block.printed is not None:
        check_printed(printed, block.printed, where)


def run_page(page: Path, folder: Path) -> int:
    """Run a page in an empty folder; return how many blocks it has run."""
    namespace: dict[str, object] = {"__name__": "__main__"}
    n_run = 0
    with chdir(folder), warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", "FigureCanvasAgg is non-interactive")  # of `plt.show()`
        for block in blocks_of(page):
            if block.kind in ("python", "sh", "doctest") and block.not_run is None:
                run_block(block, page, namespace)
                n_run += 1
    return n_run
