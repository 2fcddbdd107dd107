"""Change one thing at a time in the program and see whether its tests notice: mutation testing.

Each mutant is one small change: < for <=, + for -, a number one larger, a statement left out. The
tests of its package run on it until one fails, in the order of what is likely to: those that pass
through the changed line first, quick ones before slow ones. A mutant that no test notices survives.
It is either a change without effect, or a hole in the tests. The last figures are in
docs/contributing/testing.md.
"""

import argparse
import ast
import contextlib
import importlib
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from types import FrameType
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
# What is changed, and the tests that are to notice.
TESTS = {
    "stn/loss/losses.py": ("tests/loss", "tests/objective/test_objective.py"),
    "stn/loss/distributions.py": ("tests/loss", "tests/objective/test_objective.py"),
    "stn/loss/neighbors.py": ("tests/loss", "tests/objective/test_objective.py"),
    "stn/loss/strotss.py": ("tests/loss", "tests/objective/test_objective.py"),
    "stn/loss/statistics.py": ("tests/loss", "tests/objective/test_objective.py"),
    "stn/objective/targets.py": ("tests/objective",),
    "stn/objective/guides.py": ("tests/objective",),
    "stn/images/masks.py": ("tests/images/test_masks.py",),
    "stn/images/color.py": ("tests/images/test_color.py",),
    "stn/images/resizing.py": ("tests/images/test_resizing.py", "tests/images/test_masks.py"),
    "stn/optimize/__init__.py": ("tests/optimize",),
    "stn/optimize/adam.py": ("tests/optimize",),
    "stn/optimize/limits.py": ("tests/optimize",),
    "stn/optimize/scipy_lbfgs.py": ("tests/optimize",),
    "stn/optimize/search.py": ("tests/optimize",),
    "stn/optimize/spectrum.py": ("tests/optimize",),
    "stn/optimize/state.py": ("tests/optimize",),
    "stn/optimize/stepwise_lbfgs.py": ("tests/optimize",),
    "stn/metrics/artifacts.py": ("tests/metrics/test_artifacts.py",),
    "stn/metrics/measures.py": ("tests/metrics/test_measures.py",),
    "stn/metrics/patches.py": ("tests/metrics/test_measures.py",),
    "stn/metrics/published.py": ("tests/metrics/test_published.py",),
    "stn/runs/run_directory.py": ("tests/runs/test_run_directory.py", "tests/runs/test_record.py"),
}
# Seconds beyond three times those of the unchanged tests. A mutant that takes longer is stopped and
# counts as noticed.
PATIENCE = 60
# What the tests import and is not ours: imported once, before the process forks for each mutant.
HEAVY = [
    *("tensorflow", "keras", "pytest", "hydra", "wandb", "matplotlib.pyplot", "PIL.Image"),
    *("imageio", "psutil", "filelock", "pooch", "tqdm", "skimage.transform", "skimage.color"),
    *("skimage.metrics", "skimage.filters", "skimage.draw"),
    *("scipy.optimize", "scipy.ndimage", "scipy.stats"),
]

COMPARISONS: dict[type, tuple[type, ...]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
OPERATORS: dict[type, type] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
    ast.FloorDiv: ast.Mult,
    ast.Mod: ast.Mult,
    ast.Pow: ast.Mult,
    ast.BitAnd: ast.BitOr,
    ast.BitOr: ast.BitAnd,
    ast.And: ast.Or,
    ast.Or: ast.And,
}
NAMES = {"min": "max", "minimum": "maximum", "floor": "ceil", "any": "all", "sum": "mean"}
NAMES |= {"reduce_sum": "reduce_mean", "sqrt": "abs", "minimum_filter": "maximum_filter"}
NAMES |= {new: old for old, new in NAMES.items() if new != "abs"}


@dataclass(frozen=True)
class Mutant:
    """A file, a place in it (line from 1, columns in bytes), and what stands there instead."""

    path: str
    line: int
    column: int
    end_line: int
    end_column: int
    before: str
    after: str

    @property
    def name(self) -> str:
        return f"{self.path}:{self.line}:{self.column}: {self.before} → {self.after}"

    def applied(self, source: str) -> str:
        """The file's text with the change."""
        lines = source.encode().split(b"\n")
        head = b"\n".join([*lines[: self.line - 1], lines[self.line - 1][: self.column]])
        tail = b"\n".join([lines[self.end_line - 1][self.end_column :], *lines[self.end_line :]])
        return (head + self.after.encode() + tail).decode()


def mutants(path: str, source: str) -> list[Mutant]:
    """Every mutant of a file."""
    tree = ast.parse(source)
    found = []
    for node, replacements in _replacements(tree):
        before = ast.get_source_segment(source, node) or ""
        for new in replacements:
            # Parentheses keep what the place is part of as it is.
            after = new if isinstance(new, str) else f"({ast.unparse(new)})"
            end_line, end_column = node.end_lineno or 0, node.end_col_offset or 0
            found.append(
                Mutant(path, node.lineno, node.col_offset, end_line, end_column, before, after)
            )
    return found


def _replacements(tree: ast.AST) -> Iterator[tuple[Any, list[Any]]]:
    """Nodes, and what may stand for each: another node or text."""
    for node in _walk(tree):
        found: list[Any] = []
        if isinstance(node, ast.Compare) and len(node.ops) == 1:
            for operator in COMPARISONS[type(node.ops[0])]:
                found.append(ast.Compare(node.left, [operator()], node.comparators))
        elif isinstance(node, ast.BinOp) and type(node.op) in OPERATORS:
            found.append(ast.BinOp(node.left, OPERATORS[type(node.op)](), node.right))
        elif isinstance(node, ast.BoolOp):
            found.append(ast.BoolOp(OPERATORS[type(node.op)](), node.values))
        elif isinstance(node, ast.UnaryOp):
            found.append(node.operand)
        elif isinstance(node, ast.IfExp):
            found += [node.body, node.orelse]
        elif isinstance(node, (ast.If, ast.While)) and not isinstance(node.test, ast.Constant):
            yield node.test, [ast.Constant(True), ast.Constant(False)]
        elif isinstance(node, ast.Constant) and not isinstance(node.value, (str, bytes)):
            found += _other_constants(node.value)
        elif isinstance(node, ast.AugAssign) and type(node.op) in OPERATORS:
            found.append(f"{ast.unparse(node.target)} = {ast.unparse(node.value)}")
        elif _is_step(node):
            found.append("pass")
        elif isinstance(node, ast.Name) and node.id in NAMES:
            found.append(NAMES[node.id])
        elif isinstance(node, ast.Attribute) and node.attr in NAMES:
            found.append(ast.Attribute(node.value, NAMES[node.attr], node.ctx))
        elif isinstance(node, ast.Call):
            for number in range(len(node.keywords)):
                kept = [other for n, other in enumerate(node.keywords) if n != number]
                found.append(ast.Call(node.func, node.args, kept))
        if found:
            yield node, found


def _other_constants(value: Any) -> list[ast.Constant]:
    if isinstance(value, bool):
        return [ast.Constant(not value)]
    if isinstance(value, int):
        return [ast.Constant(value + 1)]
    return [ast.Constant(1.5 * value or 1.0)] if isinstance(value, float) else []


def _is_step(node: ast.AST) -> bool:
    """Whether a statement can be left out: a call for what it does, or an exception."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Call)
    return isinstance(node, ast.Raise) and node.exc is not None


def _walk(node: ast.AST) -> Iterator[ast.AST]:
    """All nodes but annotations, texts, what an exception says, and what a dataclass declares."""
    yield node
    for field, value in ast.iter_fields(node):
        if field in ("annotation", "returns", "decorator_list"):
            continue
        for child in value if isinstance(value, list) else [value]:
            skipped = (ast.JoinedStr, ast.Assert, ast.Import, ast.ImportFrom)
            if isinstance(node, ast.Raise) and field in ("exc", "cause"):
                continue
            if isinstance(child, ast.AST) and not isinstance(child, skipped):
                yield from _walk(child)


class Recorder:
    """A pytest plugin: which lines of the files each test passes through, and its seconds."""

    def __init__(self, files: list[str]) -> None:
        self._files = {str(Path(file).resolve()): file for file in files}
        self._lines: dict[str, set[int]] = defaultdict(set)
        self.tests: dict[str, dict[str, Any]] = {}

    def _trace(self, frame: FrameType, event: str, _: Any) -> Any:
        file = self._files.get(frame.f_code.co_filename)
        if file is None:
            return None
        self._lines[file].add(frame.f_lineno)
        return self._trace

    def pytest_runtest_logstart(self, nodeid: str, location: Any) -> None:
        self._lines.clear()
        self._began = time.perf_counter()
        threading.settrace(self._trace)
        sys.settrace(self._trace)

    def pytest_runtest_logfinish(self, nodeid: str, location: Any) -> None:
        sys.settrace(None)
        threading.settrace(None)  # type: ignore[arg-type]
        lines = {file: sorted(lines) for file, lines in self._lines.items()}
        self.tests[nodeid] = {"seconds": time.perf_counter() - self._began, "lines": lines}


class Order:
    """A pytest plugin: tests that pass through the lines of a mutant first, quick ones before slow
    ones.
    """

    def __init__(self, mutant: Mutant, recorded: dict[str, dict[str, Any]]) -> None:
        self._mutant, self._recorded = mutant, recorded

    def pytest_collection_modifyitems(self, items: list[Any]) -> None:
        items.sort(key=lambda item: self._key(item.nodeid))

    def _key(self, nodeid: str) -> tuple[bool, float]:
        test = self._recorded.get(nodeid, {"seconds": 0.0, "lines": {}})
        changed = range(self._mutant.line, self._mutant.end_line + 1)
        passes = not set(changed).isdisjoint(test["lines"].get(self._mutant.path, ()))
        return not passes, test["seconds"]


def run_tests(tests: tuple[str, ...], plugin: Any, seconds: float, report: Path) -> str:
    """Run tests in a forked process of its own group: survived, noticed or too slow."""
    child = os.fork()
    if child == 0:
        code = 70
        try:
            os.setsid()
            with report.open("w") as file:
                os.dup2(file.fileno(), 1)
                os.dup2(file.fileno(), 2)
            import pytest

            flags = ["-x", "-q", "-p", "no:cacheprovider", "-p", "no:xdist", "--durations=0"]
            code = int(pytest.main([*flags, *tests], plugins=[plugin]))
            if isinstance(plugin, Recorder):
                report.with_suffix(".json").write_text(json.dumps(plugin.tests))
        finally:
            sys.stdout.flush()
            os._exit(code)
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            _end_group(child)
            return "survived" if os.waitstatus_to_exitcode(status) == 0 else "noticed"
        time.sleep(0.05)
    _end_group(child)
    os.waitpid(child, 0)
    return "too slow"


def _end_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(leader, signal.SIGKILL)


def copied(folder: Path) -> Path:
    """A copy of the checkout as it is, without what Git does not know."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, capture_output=True, check=True).stdout
    for name in filter(None, names.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)
    return folder


def sampled(every: dict[str, list[Mutant]], count: int, seed: int) -> list[Mutant]:
    """So many mutants, drawn evenly: one of each file in turn."""
    drawn = random.Random(seed)
    queues = [drawn.sample(each, len(each)) for each in every.values()]
    in_turn = [
        queue[place]
        for place in range(max(map(len, queues)))
        for queue in queues
        if place < len(queue)
    ]
    return in_turn[:count]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "out", type=Path, help="the JSON file; mutants that it has are not run again"
    )
    parser.add_argument("--count", type=int, default=200, help="how many, drawn evenly over files")
    parser.add_argument("--seed", type=int, default=0, help="of the draw")
    parser.add_argument("--minutes", type=float, default=1e9, help="begin none after so many")
    parser.add_argument("--files", nargs="*", default=list(TESTS), help="of which to make mutants")
    parser.add_argument("--survivors", action="store_true", help="run those again that survived")
    given = parser.parse_args()
    ends, out = time.monotonic() + 60 * given.minutes, given.out.resolve()
    sources = {file: (ROOT / file).read_text() for file in given.files}
    every = {file: mutants(file, source) for file, source in sources.items()}
    names = {mutant.name for each in every.values() for mutant in each}
    known = json.loads(out.read_text()) if out.is_file() else {}
    known = {name: found for name, found in known.items() if name in names}  # of today's lines
    print(f"{len(names)} mutants in {len(every)} files", flush=True)
    chosen = sampled(every, given.count, given.seed)
    if given.survivors:
        chosen = [each for each in chosen if known.get(each.name, {}).get("end") == "survived"]
    else:
        chosen = [each for each in chosen if each.name not in known]
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder:
        os.chdir(copied(Path(folder)))
        os.environ |= {"PYTHONPATH": folder, "PYTHONDONTWRITEBYTECODE": "1"}
        os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
        sys.dont_write_bytecode = True
        sys.path[0] = folder
        for name in HEAVY:
            importlib.import_module(name)
        recorded: dict[tuple[str, ...], dict[str, Any]] = {}
        for mutant in chosen:
            if time.monotonic() > ends:
                break
            tests = TESTS[mutant.path]
            if tests not in recorded:
                recorded[tests] = _recorded(tests, Path(folder))
            seconds = PATIENCE + 3 * sum(each["seconds"] for each in recorded[tests].values())
            source = sources[mutant.path]
            began = time.monotonic()
            Path(mutant.path).write_text(mutant.applied(source))
            end = run_tests(tests, Order(mutant, recorded[tests]), seconds, Path("report.txt"))
            Path(mutant.path).write_text(source)
            took = round(time.monotonic() - began, 1)
            known[mutant.name] = {"end": end, "seconds": took} | asdict(mutant)
            print(f"{end:8} {took:6.1f} s  {mutant.name}", flush=True)
            out.write_text(json.dumps(known, indent=1, ensure_ascii=False) + "\n")
    print(f"{len(known)} run, {sum(each['end'] == 'survived' for each in known.values())} survived")


def _recorded(tests: tuple[str, ...], folder: Path) -> dict[str, Any]:
    """What each of the tests passes through, all of which must pass."""
    report = folder / "recorded.txt"
    files = [file for file, theirs in TESTS.items() if theirs == tests]
    if run_tests(tests, Recorder(files), 3600, report) != "survived":
        print(report.read_text()[-2000:])
        raise SystemExit(f"{' '.join(tests)}: fail without any change")
    return json.loads(report.with_suffix(".json").read_text())  # type: ignore[no-any-return]


if __name__ == "__main__":
    main()
