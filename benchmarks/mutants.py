"""Does a test notice? Alters the package a line at a time and runs the tests that come by there.

usage: python benchmarks/mutants.py RESULTS FILE ... [--again] [--seconds 10] [--processes 1]
                                    [--tests TEST ...]

RESULTS gets a line of JSON for each mutant: where, what it was, what it became, and the test that
failed, or null. Mutants that are there already are not run again, so that a run may be stopped and
taken up; with `--again` only those that lived are. They come in a drawn order: those of a part of
the run are a fair sample. `python benchmarks/mutants.py RESULTS` prints those that live.

The tests are loaded once, and once run to learn which functions each of them calls and how long it
takes, which is kept beside RESULTS in a file *.tests. Then each mutant is a process that is forked
off, gets the altered code put into the living functions, and runs the tests that call it, until one
fails or the seconds are over: first those of the file of the module's own name, then the fast ones.
So most mutants take a fraction of a second. Processes that tests start do not see the mutant.
"""

import argparse
import ast
import copy
import json
import math
import os
import random
import resource
import signal
import sys
import threading
import time
import types
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings

ROOT = Path(__file__).resolve().parent.parent
TESTS = (
    *("tests/core", "tests/test_ensir.py", "tests/test_ensir_cv.py", "tests/test_intervals.py"),
    *("tests/test_ensir_cv_nested.py", "tests/test_ensir_cv_parts.py", "tests/test_nested.py"),
    *("tests/test_ensir_cv_rivals.py", "tests/test_ensir_cv_shares.py", "tests/test_solve.py"),
    *("tests/test_ensir_params.py", "tests/test_ensir_table.py", "tests/test_partial_fit.py"),
    *("tests/test_published.py", "tests/test_units.py", "tests/test_baselines.py"),
    *("tests/test_array_api.py", "tests/test_persistence_averages.py"),
    "tests/test_expected_errors.py",
)


def _both_ways(pairs):
    pairs = [pair.split() for pair in pairs.split(",")]
    return dict(pairs) | {b: a for a, b in pairs}


OPERATORS = {"FloorDiv": "Mult", "Mod": "Mult", "Pow": "Mult", "BitXor": "BitAnd"} | _both_ways(
    "Lt LtE,Gt GtE,Eq NotEq,Is IsNot,In NotIn,And Or,Add Sub,Mult Div,BitOr BitAnd,LShift RShift"
)
NAMES = {"rint": "floor"} | _both_ways(
    "min max,any all,minimum maximum,floor ceil,argmin argmax,ones zeros,exp log"
)


class Mutant(NamedTuple):
    """A change of a file: the text from `start` to `stop` becomes `new`."""

    path: Path
    line: int
    column: int
    owner: str  # the function, "" outside of functions
    start: int  # in bytes
    stop: int
    old: str
    new: str

    @property
    def name(self):
        return f"{_relative(self.path)}:{self.line}:{self.column} {self.old} -> {self.new}"

    def apply(self):
        text = self.path.read_bytes()
        return text[: self.start] + self.new.encode() + text[self.stop :]


def _relative(path):
    return str(Path(path).relative_to(ROOT))


def changes(node):
    """Yield what a node of the syntax tree may become."""
    for field in ("op", "ops"):
        held = getattr(node, field, None)
        for number, operator in enumerate(held if isinstance(held, list) else [held]):
            if type(operator).__name__ in OPERATORS:
                changed = copy.deepcopy(node)
                other = getattr(ast, OPERATORS[type(operator).__name__])()
                if field == "op":
                    changed.op = other
                else:
                    changed.ops[number] = other
                yield changed
    match node:
        case ast.UnaryOp(op=ast.Not() | ast.USub() | ast.Invert(), operand=operand):
            yield operand
        case ast.Constant(value=bool(value)):
            yield ast.Constant(not value)
        case ast.Constant(value=int(value)):
            yield ast.Constant(value + 1)
        case ast.Constant(value=float(value)):
            yield ast.Constant(2 * value + (value == 0))
        case ast.If(test=test) | ast.IfExp(test=test) | ast.While(test=test) if not isinstance(
            test, ast.Compare | ast.UnaryOp
        ):
            yield test, ast.UnaryOp(ast.Not(), test)
        case ast.Name(id=name) if name in NAMES:
            yield ast.Name(NAMES[name])
        case ast.Attribute(attr=name, value=value) if name in NAMES:
            yield ast.Attribute(value, NAMES[name])
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()
        case ast.Expr(value=ast.Call()) | ast.AugAssign() | ast.Raise():
            yield ast.Pass()
        case ast.Assign(targets=[ast.Subscript() | ast.Attribute()]):
            yield ast.Pass()


def mutants_of(path):
    """Yield all mutants of a file: not of docstrings, sentences, annotations and decorators."""
    text = path.read_bytes()
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))

    def visit(node, owner, in_function):
        for change in changes(node):
            where, new = change if isinstance(change, tuple) else (node, change)
            start = starts[where.lineno - 1] + where.col_offset
            stop = starts[where.end_lineno - 1] + where.end_col_offset
            new = ast.unparse(ast.fix_missing_locations(new))
            new = f"({new})" if isinstance(where, ast.expr) else new
            old = " ".join(text[start:stop].decode().split())
            where = where.lineno, where.col_offset + 1
            yield Mutant(path, *where, owner if in_function else "", start, stop, old, new)
        for field, value in ast.iter_fields(node):
            if field in ("annotation", "returns", "decorator_list", "type_params"):
                continue
            for child in value if isinstance(value, list) else [value]:
                if not isinstance(child, ast.AST) or isinstance(child, ast.JoinedStr | ast.Assert):
                    continue
                if isinstance(child, ast.keyword) and child.arg == "strict":  # as an assertion
                    continue
                inner, inside = owner, in_function
                if isinstance(child, ast.FunctionDef | ast.ClassDef) and not in_function:
                    inner = f"{owner}.{child.name}".lstrip(".")
                    inside = isinstance(child, ast.FunctionDef)
                yield from visit(child, inner, inside)

    return list(visit(ast.parse(text), "", False))


def put_in(mutant):
    """Let the functions and constants of the living module be those of the mutant."""
    name = ".".join(mutant.path.relative_to(ROOT).with_suffix("").parts)
    living = sys.modules[name]
    fresh = types.ModuleType(name)
    fresh.__file__ = living.__file__
    exec(compile(mutant.apply(), str(mutant.path), "exec"), vars(fresh))
    _replace(living, fresh, name, with_data=not mutant.owner)


def _function(thing):
    """Return the function in a method, property or the like, and None where there is none."""
    if hasattr(thing, "cache_clear"):
        thing.cache_clear()
    for inner in ("fget", "func", "__func__", "__wrapped__"):
        if hasattr(thing, inner):
            return _function(getattr(thing, inner))
    return thing if isinstance(thing, types.FunctionType) else None


def _replace(living, fresh, module, *, with_data):
    for name, new in list(vars(fresh).items()):
        old = vars(living).get(name)
        if isinstance(new, type) and new.__module__ == module:
            _replace(old, new, module, with_data=with_data)
        elif (function := _function(new)) is not None:
            if (
                function.__module__.split("_")[0] in (module.split("_")[0], "namedtuple")
                and (own := _function(old)) is not None
            ):
                own.__code__ = function.__code__
                own.__defaults__ = function.__defaults__
                own.__kwdefaults__ = function.__kwdefaults__
        elif with_data and not name.startswith("__") and repr(new) != repr(old):
            _rename(living, name, old, new)


def _rename(living, name, old, new):
    """Set a constant, also where other modules have imported it."""
    setattr(living, name, new)
    for other in list(sys.modules.values()):
        if getattr(other, "__name__", "").startswith("skensir") and vars(other).get(name) is old:
            setattr(other, name, new)


class Runner:
    """Runs mutants in place of the tests that pytest has collected."""

    def __init__(self, asked):
        self.results, self.limit, self.again = asked.results.resolve(), asked.seconds, asked.again
        self.paths = [path.resolve() for path in asked.paths]
        self.processes = asked.processes
        self.learned = self.results.with_suffix(".tests")

    def pytest_runtestloop(self, session):
        known = self.learned.read_text().splitlines() if self.learned.exists() else []
        known = {json.loads(line)[0] for line in known}
        self.share_out(self.learn, [item for item in session.items if item.nodeid not in known])
        self.called, self.seconds = {}, {}
        for line in self.learned.read_text().splitlines():
            test, called, seconds = json.loads(line)
            self.called[test], self.seconds[test] = set(map(tuple, called)), seconds
        self.kills = Counter()
        self.items = [item for item in session.items if self.called.get(item.nodeid)]
        print(len(self.items), "tests of", round(sum(self.seconds.values())), "s", flush=True)
        killers = killers_of(self.results)
        mutants = [mutant for path in self.paths for mutant in mutants_of(path)]
        random.Random(0).shuffle(mutants)
        wanted = (None,) if self.again else ("never run",)
        mutants = [mutant for mutant in mutants if killers.get(mutant.name, "never run") in wanted]
        print(len(mutants), "mutants", flush=True)
        self.share_out(self.run, mutants)
        return True

    def share_out(self, function, things):
        """Let each process do the function with its share of the things, all at the same time."""
        starts = [start_fork(function, things[n :: self.processes]) for n in range(self.processes)]
        for start in starts:
            if fault := end_fork(start):
                print(fault, flush=True)

    def run(self, mutants, write):
        for mutant in mutants:
            begin = time.time()
            chosen = self.choose(mutant)
            killer = end_fork(start_fork(self.try_out, chosen, mutant)) or None
            if killer:
                self.kills[mutant.path, killer] += 1
            took = round(time.time() - begin, 2)
            line = {"name": mutant.name, "killer": killer, "tests": len(chosen), "seconds": took}
            with self.results.open("a") as file:
                file.write(json.dumps(line) + "\n")
        write("")

    def choose(self, mutant):
        """Return the tests that call the function, in the order in which they are most of use."""
        chosen = [item for item in self.items if self.comes_by(mutant, self.called[item.nodeid])]
        chosen.sort(key=lambda item: self.seconds[item.nodeid])
        own, of_file, order = f"test_{mutant.path.stem}.py", Counter(), {}
        for item in chosen:  # from each file in turn
            killed = self.kills[mutant.path, item.nodeid]
            order[item.nodeid] = -killed, item.path.name != own, of_file[item.path]
            of_file[item.path] += 1
        chosen.sort(key=lambda item: order[item.nodeid])
        spent = np.cumsum([self.seconds[item.nodeid] for item in chosen])
        return chosen[: 1 + np.searchsorted(spent, self.limit)]

    def comes_by(self, mutant, called):
        return any(
            path == _relative(mutant.path) and mutant.owner in ("", owner) for path, owner in called
        )

    def learn(self, items, write):
        """Write down which functions a test calls and how long it takes; none where it fails."""
        codes = set()

        def trace(frame, *_):
            codes.add(frame.f_code)

        for item, following in pairwise([*items, None]):
            codes.clear()
            self.failed = None
            begin = time.process_time()
            threading.settrace(trace)
            sys.settrace(trace)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
            sys.settrace(None)
            threading.settrace(None)
            seconds = time.process_time() - begin
            called = {
                (_relative(code.co_filename), code.co_qualname.split(".<locals>")[0])
                for code in codes
                if code.co_filename.startswith(f"{ROOT}/skensir/") and self.failed is None
            }
            with self.learned.open("a") as file:
                file.write(json.dumps([item.nodeid, sorted(called), seconds]) + "\n")
        write("")

    def try_out(self, items, mutant, write):
        self.on_failure = write
        resource.setrlimit(resource.RLIMIT_AS, (16 * 2**30, 16 * 2**30))
        try:
            put_in(mutant)
        except Exception as error:
            write(f"import: {error!r}")
        for item, following in pairwise([*items, None]):
            # Of the processor's time, so that it holds on a busy machine as well.
            signal.setitimer(signal.ITIMER_PROF, 10 + 5 * math.ceil(self.seconds[item.nodeid]))
            signal.alarm(300)
            item.config.hook.pytest_runtest_protocol(item=item, nextitem=following)
        write("")

    def pytest_runtest_logreport(self, report):
        if report.failed:
            self.failed = report.nodeid
            if hasattr(self, "on_failure"):
                self.on_failure(report.nodeid)


def start_fork(function, *arguments):
    """Call the function in a process of its own, which ends when the function writes."""
    reader, writer = os.pipe()
    process = os.fork()
    if process:
        os.close(writer)
        return process, reader
    null = os.open(os.devnull, os.O_RDWR)
    for standard in (0, 1, 2):
        os.dup2(null, standard)

    def write(text):
        with os.fdopen(writer, "w") as file:
            file.write(text)
        os._exit(0)

    try:
        function(*arguments, write)
    except BaseException as error:
        write(f"{type(error).__name__}: {error}")
    os._exit(1)


def end_fork(start):
    """Wait for the process, and return what the function wrote."""
    process, reader = start
    with os.fdopen(reader) as file:
        text = file.read()
    status = os.waitpid(process, 0)[1]
    return text if status == 0 else f"signal {status & 127}"


def killers_of(results):
    """Return what killed each mutant, as the file of results says last; None where nothing did."""
    lines = results.read_text().splitlines() if results.exists() else []
    return {entry["name"]: entry["killer"] for entry in map(json.loads, lines)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("results", type=Path)
    parser.add_argument("paths", nargs="*", type=Path)
    parser.add_argument("--again", action="store_true")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--tests", nargs="+", default=TESTS)
    asked = parser.parse_args()
    if not asked.paths:
        killers = killers_of(asked.results)
        living = sorted(name for name, killer in killers.items() if killer is None)
        print(*living, f"{len(living)} of {len(killers)} mutants live", sep="\n")
        return 0
    settings.register_profile(
        "mutants",
        settings(max_examples=40, deadline=None, derandomize=True, database=None),
        phases=(Phase.explicit, Phase.generate),  # to fail is enough, however large the case
        suppress_health_check=list(HealthCheck),
    )
    runner = Runner(asked)
    os.chdir(ROOT)
    arguments = ["-s", "-q", "-p", "no:cacheprovider", "--hypothesis-profile=mutants"]
    arguments += ["-W", "ignore::pytest.PytestAssertRewriteWarning"]
    return pytest.main([*arguments, *asked.tests], plugins=[runner])


if __name__ == "__main__":
    sys.exit(main())
