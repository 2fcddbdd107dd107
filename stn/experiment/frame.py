"""A paper's figure as a set of runs: compute the runs that are missing, then draw the figure.

`python experiments/NAME.py [KEY=VALUE ...]` composes the settings of every run: first what the
experiment sets for all, then what the run has unless it is typed, then what was typed, then what
the run itself varies, which wins. A run's directory ends in a checksum of all its settings and
input files, so other settings are another run, and a finished run is never computed twice. The
figure of each choice of settings is kept, and copies of the last one lie above them. Settings of
Hydra, such as `hydra/launcher=joblib_local`, go to the one multirun of scripts/stylize.py that
computes what is missing."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import re
import shutil
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser

from stn import command_line, config, files, runs
from stn.analysis import figures, sweep_tables
from stn.assets import inputs
from stn.config.overrides import quoted
from stn.errors import InputError, NotReached
from stn.experiment import computing
from stn.sweeps import cells

OUTPUT = Path("outputs/experiments")
# Photograph and painting, where an experiment takes more than one pair.
PAIRS = (
    ("tubingen", "starry_night"),
    ("golden_gate", "composition_vii"),
    ("chelsea", "the_scream"),
)
FIGURES = "figures"  # figure and tables of each choice of overrides, in the experiment's directory
# Overrides that an experiment gives itself, or that its cells cannot share.
REFUSED = ("hydra.sweep", "hydra.run", "hydra.searchpath", "hydra.mode", "output")

HELP = """\
usage: python experiments/{name}.py [KEY=VALUE ...]

{caption}

Computes the runs that are missing, then draws outputs/experiments/{name}/figure.png.
Figures of other settings stay in outputs/experiments/{name}/{figures}/.

As in the documents, in about {minutes} min on two cores:
  python experiments/{name}.py {committed}
Small, in about {quick_minutes} min:
  python experiments/{name}.py {quick}

KEY=VALUE is what scripts/stylize.py takes, one value each, and holds for every run: for example
image.size_px=256, network=vgg19_q8 or hydra/launcher=joblib_local. What the figure itself varies
wins over it."""

# What tells a run from the others of its figure, such as ("conv1_1", "1e-3"); never text to split.
Key = tuple[str | int | float, ...]
Finished = Mapping[Key, runs.Run]  # the finished runs of a figure in the order of its cells


@dataclass(frozen=True)
class Cell:
    """One run of a figure: its key, what sets it apart, and how the default montage shows it.

    `title` stands above its picture, the last part of the key unless given; `label` stands left of
    the row of all cells that have it. The pictures named in `before`, `content` or `style`, are
    drawn before it. `usual` are overrides that hold where nothing else was typed for all runs."""

    key: Key
    overrides: tuple[str, ...]
    title: str = ""
    label: str = ""
    before: tuple[str, ...] = ()
    usual: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The key as part of a file's name: letters, digits, `-` and `_`."""
        return "-".join(re.sub("[^A-Za-z0-9_-]+", "_", str(part)).strip("_") for part in self.key)


@dataclass(frozen=True)
class Experiment:
    """A figure: the paper's caption, what its runs share (`base`) and how they differ (`cells`).

    `committed` is what was typed for the figure in the documents and `minutes` what it took;
    `quick` draws the same small. The figure is a montage of the cells in rows of `columns`, unless
    `draw` draws another. `write` adds files to those that every experiment leaves."""

    name: str
    caption: str
    base: tuple[str, ...]
    cells: Callable[[config.Config], Sequence[Cell]]
    committed: str
    minutes: int
    quick: str = (
        "image.size_px=128 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=30"
    )
    quick_minutes: int = 5
    columns: int = 3
    draw: Callable[[Finished], figures.Figure] | None = None
    write: Callable[[Path, Finished], None] | None = None


def montage(shown: Mapping[Cell, runs.Run], columns: int) -> figures.Figure:
    """The pictures of finished runs in rows of at most `columns`, each as its cell says.

    Another label begins another row, and stands left of it. A title is not repeated below itself.
    """
    drawn: list[tuple[str, figures.Panel]] = []
    for cell, run in shown.items():
        given = [figures.Panel(run.picture(role), role) for role in cell.before]
        result = figures.Panel(run.rgb, cell.title or str(cell.key[-1]))
        drawn += [(cell.label, panel) for panel in (*given, result)]
    rows: list[list[figures.Panel]] = []
    for label, group in itertools.groupby(drawn, key=lambda each: each[0]):
        panels = [panel for _, panel in group]
        panels[0] = dataclasses.replace(panels[0], label=label)
        rows += [panels[i : i + columns] for i in range(0, len(panels), columns)]
    for above, row in reversed(list(itertools.pairwise(rows))):
        for place, (upper, panel) in enumerate(zip(above, row, strict=False)):
            if panel.title == upper.title:
                row[place] = dataclasses.replace(panel, title="")
    return figures.panels(rows)


def main(experiment: Experiment) -> None:
    """Run an experiment with the overrides of the command line, as a script."""
    command_line.run_command(lambda: _command(experiment, sys.argv[1:]))


def _command(experiment: Experiment, words: Sequence[str]) -> None:
    options = [word for word in words if word.startswith("-")]
    if {"-h", "--help"} & set(options):
        told = {**vars(experiment), "caption": filled(experiment.caption), "figures": FIGURES}
        print(HELP.format(**told))
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
    Interrupted after Ctrl-C or SIGTERM. Cells that did not reach the value of `match.measure` are
    left out of the figure; NotReached names them, once it is drawn."""
    own, hydras = _split(overrides)
    settings = compose(experiment, own)
    inputs.prepare((each, own) for each in settings.values())
    folder = (output / experiment.name).absolute()
    digests = {cell: _digest(each) for cell, each in settings.items()}
    shown = [text for text in own if not config.inert(text.partition("=")[0])]
    drawn = folder / FIGURES / f"{cells.name(shown) or 'plain'}-{files.digest([*digests.values()])}"
    directories = {cell: _directory(folder, cell, digest) for cell, digest in digests.items()}
    for_cells = {directory: settings[cell] for cell, directory in directories.items()}
    computing.compute(experiment.name, folder, for_cells, [*experiment.base, *own], hydras)
    there = {cell: runs.Run(folder / each) for cell, each in directories.items()}
    lost = {
        cell: f"{cell.name}: {run.failure['error']}"
        for cell, run in there.items()
        if computing.unreached(run)
    }
    why = "; ".join(lost.values())
    missing = f"without {len(lost)} of {len(there)} runs ({why})"
    if len(lost) == len(there):
        raise NotReached(f"{experiment.name}: no run reached its content ({why})")
    try:
        finished = {cell: run.check() for cell, run in there.items() if cell not in lost}
    except InputError as error:
        again = "remove that run's directory, and the same command computes it again"
        raise InputError(f"{error}; {again}") from None
    by_key = {cell.key: run for cell, run in finished.items()}
    named = {cell.name: run for cell, run in finished.items()}
    draw = experiment.draw
    figure = draw(by_key) if draw else montage(finished, experiment.columns)
    caption = f"{experiment.caption}\n\n{conditions(named)}"
    caption += f"\n\nDrawn {missing}." * bool(lost)
    write(drawn, figure, caption, named, folder)
    figures.save(figures.curves(named), drawn / "losses.png")
    if experiment.write:
        experiment.write(drawn, by_key)
    _copy(drawn, folder)
    print(drawn / "figure.png")
    if lost:
        raise NotReached(f"{experiment.name}: drawn {missing}")
    return folder


def write(
    folder: Path,
    figure: figures.Figure,
    caption: str,
    finished: Mapping[str, runs.Run] | None = None,
    root: Path | None = None,
) -> Path:
    """Write figure.png and .pdf, caption.txt and a table of the finished runs, runs.csv.

    Directories in runs.csv are as seen from `root`, or else from `folder`. Gives the path of
    figure.png."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "figure.png"
    figures.save(figure, path, folder / "figure.pdf")
    files.write_text(folder / "caption.txt", f"{filled(caption)}\n")
    if finished:
        files.write_text(folder / "runs.csv", sweep_tables.of_runs(finished, root or folder))
    return path


def _copy(folder: Path, above: Path) -> None:
    """Copy the files of `folder`, each whole, over those of the last call."""
    for path in folder.iterdir():
        with files.atomic_write(above / path.name) as partial:
            shutil.copyfile(path, partial)


def filled(caption: str) -> str:
    """The paragraphs of a caption in lines of at most 100 letters."""
    return "\n\n".join(textwrap.fill(" ".join(each.split()), 100) for each in caption.split("\n\n"))


def conditions(finished: Mapping[str, runs.Run]) -> str:
    """What a reader must know to compare the figure with the paper's."""
    flat = [run.flat for run in finished.values()]

    def values(key: str) -> str:
        return ", ".join(dict.fromkeys(str(each.get(key)) for each in flat))

    scaled = values("network.rescale")
    return (
        f"Network {values('network.name')},"
        f" {'plain' if scaled == 'None' else f'mean activations scaled to one ({scaled})'}; pooling"
        f" {values('network.pooling')}; {values('image.size_px')} px;"
        f" {values('optimizer.max_evaluations')} evaluations of {values('optimizer.name')};"
        f" initial image {values('init.name')}; alpha {values('objective.content_weight')},"
        f" beta {values('objective.style_weight')}."
    )


def compose(experiment: Experiment, overrides: Sequence[str] = ()) -> dict[Cell, config.Config]:
    """The settings of every cell; InputError as `config.compose`."""
    # No checkpoint: with another budget a cell is another cell.
    shared = ["tracking.keep_checkpoint=false", *experiment.base]
    varied = experiment.cells(config.compose(*shared, *overrides))
    return {
        cell: config.compose(*shared, *cell.usual, *overrides, *cell.overrides) for cell in varied
    }


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


def _directory(folder: Path, cell: Cell, digest: str) -> str:
    """A cell's directory as seen from the experiment's folder; if another experiment computed the
    same, the whole path of its directory.
    """
    own = f"{cell.name}-{digest}"
    if runs.Run(folder / own).state != "finished":
        for other in sorted(folder.parent.glob(f"*/*-{digest}")):
            if runs.Run(other).state == "finished":
                return str(other)
    return own


def _digest(settings: config.Config) -> str:
    """A checksum of every setting and every input file that could change a pixel."""
    counted = config.counted(config.to_dict(settings))
    checksums = [_checksum(path.absolute()) for path in inputs.every(settings).values()]
    return files.digest([counted, checksums])


_checksum = functools.cache(files.sha256)
