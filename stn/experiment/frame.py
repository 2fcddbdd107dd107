"""A figure as a set of cells: run what is missing in one Hydra multirun of scripts/stylize.py, then
draw.

`python experiments/NAME.py [overrides]` composes every cell from the experiment's base, then the
overrides, then the cell's own, which win. A cell's directory is named by a hash of all its settings
and input files, so that changed settings are another cell, and finished ones are never computed
twice. Figure and tables are kept for each choice of overrides, and the last ones drawn lie beside
them. Overrides of Hydra itself, such as `hydra/launcher=joblib`, go to the multirun."""

import contextlib
import functools
import json
import shlex
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from matplotlib.figure import Figure

from stn import command_line, config, errors, files, runs
from stn.assets import inputs
from stn.config.overrides import quote, quoted
from stn.errors import InputError
from stn.experiment import drawings
from stn.runs import locks
from stn.study import figures
from stn.sweeps import cells

SCRIPT = config.CONFIG_DIR.parent / "scripts" / "stylize.py"
OUTPUT = Path("outputs/experiments")
# Photograph and painting, where an experiment takes more than one pair.
PAIRS = (
    ("tubingen", "starry_night"),
    ("golden_gate", "composition_vii"),
    ("chelsea", "the_scream"),
)
# the composed settings of the cells, in the experiment's directory, where Hydra finds them
CELLS = ".cells"
LOOK_SECONDS = 0.2  # between two looks at the runs of another call
FIGURES = "figures"  # figure and tables of each choice of overrides, in the experiment's directory
# Overrides that an experiment gives itself, or that its cells cannot share.
REFUSED = ("hydra.sweep", "hydra.run", "hydra.searchpath", "hydra.mode", "output")

HELP = """\
usage: python experiments/{name}.py [KEY=VALUE ...]

{caption}

Computes what is missing of its {cells} runs, then draws outputs/experiments/{name}/figure.png,
and keeps it below {figures}/ there beside those of other settings.
KEY=VALUE is what scripts/stylize.py takes, one value each, and holds for every run, such as
image.size_px=256, network=vgg19_q8 or hydra/launcher=joblib_local; what the figure varies wins
over it."""


@dataclass(frozen=True)
class Cell:
    """One run of an experiment: a short name of letters, digits, `-` and `_`, and what sets it
    apart.
    """

    name: str
    overrides: tuple[str, ...]


@dataclass(frozen=True)
class Experiment:
    """What varies (`cells`, given what they share), how it is laid out (`draw`), which caption it
    answers.
    """

    name: str
    caption: str
    base: tuple[str, ...]
    cells: Callable[[config.Config], Sequence[Cell]]
    draw: Callable[
        [dict[str, runs.Run]], Figure
    ]  # of the finished runs by the names of their cells, in order
    write: Callable[[Path, dict[str, runs.Run]], None] | None = (
        None  # more files than figure, table and curves
    )


def main(experiment: Experiment) -> None:
    """Run an experiment with the overrides of the command line, as a script."""
    command_line.run_command(lambda: _command(experiment, sys.argv[1:]))


def _command(experiment: Experiment, words: Sequence[str]) -> None:
    options = [word for word in words if word.startswith("-")]
    if {"-h", "--help"} & set(options):
        count = len(compose(experiment))
        print(
            HELP.format(
                name=experiment.name, caption=experiment.caption, figures=FIGURES, cells=count
            )
        )
    elif options:
        raise InputError(
            f"{options[0]}: an experiment takes no options, it sweeps for itself; see --help"
        )
    else:
        run(experiment, words)


def run(experiment: Experiment, overrides: Sequence[str], output: Path = OUTPUT) -> Path:
    """Compute the missing cells, then draw; gives the experiment's directory.

    In it are the last figure.png and .pdf, caption.txt, runs.csv and losses.png, and those of each
    choice of overrides. Raises InputError if an override is wrong or a cell did not finish,
    Interrupted after Ctrl-C or SIGTERM."""
    own, hydras = _split(overrides)
    settings = compose(experiment, own)
    folder = (output / experiment.name).absolute()
    digests = {name: _digest(cell) for name, cell in settings.items()}
    shown = [text for text in own if not config.inert(text.partition("=")[0])]
    drawn = (
        folder / FIGURES / f"{cells.name(shown) or 'plain'}-{files.digest(list(digests.items()))}"
    )
    with locks.alone(folder / CELLS / f"{drawn.name}.lock"):
        directories = {name: _directory(folder, name, digest) for name, digest in digests.items()}
        for_cells = {directory: settings[name] for name, directory in directories.items()}
        _compute(experiment.name, folder, for_cells, [*experiment.base, *own], hydras)
        try:
            finished = {
                name: runs.Run(folder / directory).check()
                for name, directory in directories.items()
            }
        except InputError as error:
            again = "remove that run's directory, and the same command computes it again"
            raise InputError(f"{error}; {again}") from None
        caption = f"{experiment.caption}\n\n{drawings.conditions(finished)}"
        drawings.write(drawn, experiment.draw(finished), caption, finished, folder)
        figures.save(figures.curves(finished), drawn / "losses.png")
        if experiment.write:
            experiment.write(drawn, finished)
    with locks.alone(folder / CELLS / "last.lock"):
        drawings.copy(drawn, folder)
    print(drawn / "figure.png")
    return folder


def _compute(
    experiment: str,
    folder: Path,
    settings: Mapping[str, config.Config],
    shared: Sequence[str],
    hydras: Sequence[str],
) -> None:
    """Compute those of the cells, by their directories, that are missing; wait for those that
    another call computes.
    """
    missing = _unfinished(folder, settings)
    others = sum(Path(each).is_absolute() for each in settings)
    there = f"{len(settings) - len(missing)} of {len(settings)} runs are there"
    print(
        f"{experiment}: {there}{f', {others} from other experiments' * bool(others)}",
        file=sys.stderr,
    )
    for directory in missing:
        _write_cell(
            folder / CELLS / cells.EXPERIMENTS / f"{directory}.yaml", settings[directory], shared
        )
    in_use = _in_use(folder, missing)
    try:
        if own := [each for each in missing if each not in in_use]:
            _multirun(folder, own, hydras)
    except errors.InUse:  # another call has begun some of them meanwhile
        in_use = missing
    if in_use:
        print(f"{experiment}: another call computes the rest: waiting for its end", file=sys.stderr)
        while _in_use(folder, in_use):
            time.sleep(LOOK_SECONDS)
        if _unfinished(folder, in_use):  # it was interrupted
            _compute(experiment, folder, settings, shared, hydras)


def _unfinished(folder: Path, directories: Iterable[str]) -> list[str]:
    return [each for each in directories if runs.Run(folder / each).state != "finished"]


def _in_use(folder: Path, directories: Iterable[str]) -> list[str]:
    """Those that a process works in."""
    return [each for each in directories if locks.held(folder / each / locks.LOCK)]


def compose(experiment: Experiment, overrides: Sequence[str] = ()) -> dict[str, config.Config]:
    """The settings of every cell by name; InputError as `config.compose`."""
    # No checkpoint: with another budget a cell is another cell.
    shared = ["tracking.keep_checkpoint=false", *experiment.base, *overrides]
    varied = experiment.cells(config.compose(*shared))
    composed = config.compose_each([*shared, *cell.overrides] for cell in varied)
    return {cell.name: settings for cell, settings in zip(varied, composed, strict=True)}


def _split(overrides: Sequence[str]) -> tuple[list[str], list[str]]:
    own: list[str] = []
    hydras: list[str] = []
    words = quoted(overrides)
    for text, override in zip(words, OverridesParser.create().parse_overrides(words), strict=True):
        if override.is_sweep_override():
            raise InputError(f"{text}: an experiment sweeps for itself; give one value")
        if any(override.key_or_group in (key, f"{key}.dir", f"{key}.subdir") for key in REFUSED):
            raise InputError(
                f"{text}: an experiment's runs have directories of their own below {OUTPUT}; leave"
                " it out"
            )
        if override.key_or_group == "view":
            raise InputError(
                f"{text}: leave it out; python scripts/report.py {OUTPUT} --live shows the runs"
            )
        (hydras if override.key_or_group.split("/")[0].split(".")[0] == "hydra" else own).append(
            text
        )
    return own, hydras


def _directory(folder: Path, name: str, digest: str) -> str:
    """Where a cell lies, from the experiment's folder; of another experiment that computed the
    same, the whole path.
    """
    own = f"{name}-{digest}"
    if runs.Run(folder / own).state != "finished":
        for other in sorted(folder.parent.glob(f"*/*-{digest}")):
            if runs.Run(other).state == "finished":
                return str(other)
    return own


def _digest(settings: config.Config) -> str:
    """Ten letters that change with every setting and every input file that could change a pixel."""
    counted = config.counted(config.to_dict(settings))
    checksums = [_checksum(path.absolute()) for path in inputs.every(settings).values()]
    return files.digest([counted, checksums])


_checksum = functools.cache(files.sha256)


def _write_cell(path: Path, settings: config.Config, shared: Sequence[str]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    # JSON is YAML; a cell holds every setting, so that nothing it is merged into shows through.
    text = json.dumps(config.to_dict(settings), indent=2)
    files.write_text(path, f"# @package _global_\n# A cell of: {shlex.join(shared)}\n{text}\n")


def _multirun(folder: Path, directories: Sequence[str], hydras: Sequence[str]) -> None:
    """One multirun over the cells; a signal is left to it, so that the run that is going on is
    kept.

    Raises Interrupted; InUse if all that is not finished is another process's; else InputError if
    some did not finish."""
    command = [
        *(sys.executable, str(SCRIPT), "-m"),
        f"hydra.searchpath=[{quote(f'file://{folder / CELLS}')}]",
        f"hydra.sweep.dir={quote(str(folder))}",
        *hydras,
        f"+{cells.EXPERIMENTS}={','.join(directories)}",
    ]
    with subprocess.Popen(command) as process, _signals_left_to(process):
        code = process.wait()
    busy = set(
        _in_use(folder, directories)
    )  # first: a run that ends between the two looks is finished in the second
    unfinished = _unfinished(folder, directories)
    if unfinished and code in (128 + signal.SIGINT, 128 + signal.SIGTERM):
        raise errors.Interrupted("interrupted; the same command goes on from there", code)
    if unfinished and busy.issuperset(unfinished):
        raise errors.InUse(f"{folder / unfinished[0]}: another call computes it")
    if unfinished:
        raise InputError(
            f"{len(unfinished)} of {len(directories)} runs did not finish"
            f" ({', '.join(unfinished[:3])}{', …' if len(unfinished) > 3 else ''}); the same"
            " command goes on from there"
        )


@contextlib.contextmanager
def _signals_left_to(process: subprocess.Popen[bytes]) -> Iterator[None]:
    """Ctrl-C reaches the multirun by itself and SIGTERM is passed on; here both only wait for its
    end.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {
        signal.SIGINT: signal.signal(signal.SIGINT, lambda *_: None),
        signal.SIGTERM: signal.signal(signal.SIGTERM, lambda *_: process.terminate()),
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
