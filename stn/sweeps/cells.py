"""The cells of a sweep: what sets each apart, the directory that it is called by, and which of them
are there.
"""

import collections
import hashlib
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import yaml
from hydra.core.config_loader import ConfigLoader
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override
from omegaconf import DictConfig, ListConfig, OmegaConf, open_dict, read_write

from stn import config, files, runs
from stn.config import composition
from stn.errors import InputError
from stn.sweeps import checks

LENGTH = 120  # characters of a directory's name: W&B's names have 128, file systems' 255 bytes
VALUE_LENGTH = 40  # of one value in it
SWEEP = "multirun.yaml"  # in the directory of a sweep: its settings, which Hydra writes
LARGEST = 2**20  # bytes of it; ours have 10,000
EXPERIMENTS = runs.EXPERIMENT  # the group whose choices are an experiment's cells, by their names
# What hydra.sweep.subdir asks for: names by what varies, as in configs/config.yaml, or numbers, as
# Hydra has by default.
BY_NAME, BY_NUMBER = "stn.cell", "hydra.job.num"


def name(overrides: Sequence[str], fixed: Iterable[str] = ()) -> str:
    """What the directory of a cell with these overrides is called: `seed=0,style=the_scream`, in
    order of the keys.

    Of the keys in `fixed`, which all cells share, nothing is said. Only letters, digits and
    `.=,+_-` are in it; a value with other signs, or a long one, is shortened and ends in six
    letters of its checksum."""
    varied = dict(sorted((axes(overrides, fixed) or axes(overrides, ())).items()))
    if EXPERIMENTS in varied:
        return varied[EXPERIMENTS]
    text = ",".join(f"{_short(key)}={_short(value)}" for key, value in varied.items())
    return text if len(text) <= LENGTH else f"{text[: LENGTH - 7]}-{_checksum(text)}"


OmegaConf.register_new_resolver(
    BY_NAME, lambda given, fixed: name(as_typed(given), fixed), replace=True
)


def as_typed(overrides: ListConfig) -> list[str]:
    """Overrides as they were typed; one such as `output=${hydra:sweep.subdir}.png` asks for what is
    not known yet.
    """
    plain = OmegaConf.to_container(overrides, resolve=False)
    assert isinstance(plain, list)
    return [str(text) for text in plain]


def axes(overrides: Sequence[str], fixed: Iterable[str]) -> dict[str, str]:
    """What a cell has of the keys that are not in `fixed`, by its overrides, in their order."""
    pairs = (text.partition("=") for text in overrides)
    return {_key(key): value for key, _, value in pairs if _key(key) not in fixed}


def tell_fixed(master: DictConfig, loader: ConfigLoader) -> None:
    """Write into a multirun's configuration, for all its cells, which keys do not vary, where Hydra
    has a place.
    """
    keys = ",".join(f"'{key}'" for key in _fixed(parsed(master.hydra, loader)))
    with read_write(master), open_dict(master):
        master.hydra.overrides.hydra.append(
            f"hydra.job.config.override_dirname.exclude_keys=[{keys}]"
        )


def is_basic(hydra: DictConfig) -> bool:
    """Whether Hydra's own sweeper runs the cells, which takes every combination of the values."""
    sweeper = cast(dict[str, Any], OmegaConf.to_container(hydra.sweeper, resolve=False))
    return str(sweeper["_target_"]).endswith(".BasicSweeper")


def planned(
    hydra: DictConfig, loader: ConfigLoader | None = None, resolve: bool = True
) -> dict[str, list[str]] | None:
    """The overrides of every cell by the name of its directory, in the order in which they run.

    `hydra` is that section of a multirun's configuration. None where another sweeper chooses the
    cells, or where hydra.sweep.subdir names the directories. `resolve` follows interpolations in
    the sweeper's parameters. Raises InputError if two cells would have one directory."""
    if not is_basic(hydra):
        return None
    typed = parsed(hydra, loader, resolve)
    cells = _combined(typed)
    subdir = cast(dict[str, Any], OmegaConf.to_container(hydra.sweep, resolve=False))["subdir"]
    if BY_NAME in subdir:
        named = [(name(cell, _fixed(typed)), cell) for cell in cells]
    elif BY_NUMBER in subdir:
        named = [(str(number), cell) for number, cell in enumerate(cells)]
    else:
        return None
    for number, (directory, cell) in enumerate(named):
        if directory in dict(named[:number]):
            raise InputError(
                f"two cells are {directory}, the name of one directory ({' '.join(cell)}); give"
                " each value once"
            )
    return dict(named)


def _combined(parsed: Iterable[Override]) -> list[list[str]]:
    """The overrides of every combination of values, the last key varying first, as Hydra's own
    sweeper makes them. Raises InputError for an interval, which has no list of values.
    """
    choices = {}
    for override in parsed:
        if override.is_interval_sweep():
            raise InputError(
                f"{override.input_line}: an interval is for a sweeper that seeks; take"
                " hydra/sweeper=optuna, or list the values"
            )
        key = override.get_key_element()
        swept = override.is_sweep_override()
        values = (
            override.sweep_string_iterator() if swept else [override.get_value_element_as_str()]
        )
        choices[key] = [f"{key}={value}" for value in values]
    return [list(cell) for cell in itertools.product(*choices.values())]


def last_command(sweep_dir: Path) -> dict[str, list[str]]:
    """The cells that the last command planned in this directory, as `planned`; none if that cannot
    be known.

    The file may be anybody's: nothing in it is resolved, such as a variable of the environment, and
    aliases, of which a few lines make millions of values, are not followed."""
    try:
        text = files.read_text(sweep_dir / SWEEP, LARGEST)
        if any(isinstance(event, yaml.AliasEvent) for event in yaml.parse(text)):
            return {}
        with composition.own_loader() as loader:  # for glob(...)
            return planned(OmegaConf.create(text).hydra, loader, resolve=False) or {}
    except Exception:  # no sweep's directory, or a file that is damaged or of another program
        return {}


def found(sweep_dir: Path, cells: Mapping[str, Sequence[str]] | None) -> dict[str, runs.Run | None]:
    """The run of each planned cell by the cell's name, None where nothing is there; every run if
    none are planned.
    """
    there = {str(run.path.relative_to(sweep_dir)): run for run in runs.below(sweep_dir)}
    others = [
        run for directory, run in there.items() if cells is not None and directory not in cells
    ]
    if cells is None:
        return dict(there)
    own = _by_name(there)
    return {
        directory: own[directory][0]
        if len(own[directory]) == 1
        else _elsewhere([*own[directory], *others], given)
        for directory, given in cells.items()
    }


def missing(folder: Path) -> dict[str, list[str]]:
    """Of the sweeps in `folder` and below it, the cells of their last commands of which nothing is
    there.
    """
    lost = {}
    for path in sorted(folder.rglob(SWEEP)):
        planned_here = last_command(path.parent)
        for directory, run in found(path.parent, planned_here).items():
            if run is None:
                lost[str((path.parent / directory).relative_to(folder))] = planned_here[directory]
    return lost


def twice(several: Iterable[runs.Run]) -> dict[Path, Path]:
    """The directories of runs with the settings and the input files of an earlier one among them,
    with that one's.
    """
    first: dict[str, Path] = {}
    repeated = {}
    for run in several:
        if run.settings:
            known = json.dumps([config.counted(run.settings), run.inputs], sort_keys=True)
            if first.setdefault(known, run.path) != run.path:
                repeated[run.path] = first[known]
    return repeated


def _by_name(there: Mapping[str, runs.Run]) -> Mapping[str, list[runs.Run]]:
    """The runs that are called so, each also by the name that `place` made longer."""
    named = collections.defaultdict(list)
    for directory, run in there.items():
        for called in {directory, re.sub(r"-[0-9a-f]{6}$", "", directory)}:
            named[called].append(run)
    return named


def place(run_dir: Path, sweep_dir: Path, settings: Mapping[str, Any]) -> Path:
    """Where the cell with these settings is in the sweep already, by whatever name; else `run_dir`.

    Directories are called otherwise once another key varies.
    Where another cell has `run_dir`, of an earlier sweep with another value of a key that does not
    vary, it is left alone: this one's name has six letters more.
    """
    others = (
        runs.Run(path.parent) for path in sorted(sweep_dir.absolute().glob(f"*/{runs.PROVENANCE}"))
    )
    run = _with(settings, itertools.chain([runs.Run(run_dir)], others))
    if run:
        return run.path
    there = runs.Run(run_dir).settings
    if there and not settings.get("force") and config.difference(there, settings):
        return run_dir.with_name(f"{run_dir.name}-{files.digest(config.counted(settings))[:6]}")
    return run_dir


def _with(settings: Mapping[str, Any], several: Iterable[runs.Run]) -> runs.Run | None:
    return next(
        (
            run
            for run in several
            if run.settings
            and not config.differing([run.settings, settings])
            and config.same_threads(run.settings.get("threads"), settings.get("threads"))
        ),
        None,
    )


def _elsewhere(others: Sequence[runs.Run], overrides: Sequence[str]) -> runs.Run | None:
    if not others or any("${" in text for text in overrides):  # which is not resolved here
        return None
    try:
        return _with(config.to_dict(checks.composed(overrides)), others)
    except InputError:  # such a cell cannot be
        return None


def parsed(hydra: DictConfig, loader: ConfigLoader | None, resolve: bool = True) -> list[Override]:
    """The overrides of a multirun, the sweeper's own parameters first."""
    sweeper = cast(dict[str, Any], OmegaConf.to_container(hydra.sweeper, resolve=resolve))
    words = [f"{key}={value}" for key, value in (sweeper.get("params") or {}).items()]
    return OverridesParser.create(config_loader=loader).parse_overrides(
        [*words, *as_typed(hydra.overrides.task)]
    )


def _fixed(parsed: Iterable[Override]) -> list[str]:
    """The keys that have one value in all cells; of a key that stands there twice the last
    counts.
    """
    varies = {_key(each.get_key_element()): each.is_sweep_override() for each in parsed}
    return [key for key, swept in varies.items() if not swept]


def _key(text: str) -> str:
    """A key without the signs that add it or say where it goes."""
    return text.lstrip("+~").partition("@")[0]


def _short(value: str) -> str:
    if re.fullmatch(rf"[A-Za-z0-9_.+-]{{1,{VALUE_LENGTH}}}", value):
        return value
    plain = value.strip("'\"")
    last = plain.rpartition("/")[2] or plain
    readable = re.sub("[^A-Za-z0-9_.+-]+", "-", last).strip("-.")[:VALUE_LENGTH]
    return f"{readable}-{_checksum(value)}".lstrip("-")


def _checksum(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:6]
