"""Studies of Optuna's sweeper: what is wrong with one before its first trial, and whether one that
is kept in a storage was begun with the same settings.
"""

from collections.abc import Iterable

from hydra.core.override_parser.types import IntervalSweep, Override
from omegaconf import DictConfig, ListConfig

from stn import config, files
from stn.errors import InputError
from stn.sweeps import checks

ATTRIBUTE = "stn"  # of a study in a storage: what it was begun with


def begin(sweeper: DictConfig, parsed: Iterable[Override]) -> None:
    """Look at a study before its first trial, and write into its storage what it is of.

    Raises InputError for settings that the first values of all axes do not allow, for a missing
    file, for a storage that does not open, and for one that has this study with other settings.
    Values of numbers from two settings cannot be compared, so Optuna would seek at random.
    """
    axes = {each.get_key_element(): _first(each) for each in parsed if each.is_sweep_override()}
    fixed = [str(each.input_line) for each in parsed if not each.is_sweep_override()]
    first = [*fixed, *(f"{key}={value}" for key, value in axes.items())]
    checks.composed(first)
    checks.look_for_files({"first": first})
    if sweeper.get("storage") and sweeper.get("study_name"):
        _compare(sweeper, fixed, sorted(axes))


def _compare(sweeper: DictConfig, fixed: list[str], axes: list[str]) -> None:
    import optuna  # of the extra

    storage, name = str(sweeper.storage), str(sweeper.study_name)
    sought = sweeper.direction
    directions = [
        str(getattr(each, "name", each))  # Optuna's, or a word
        for each in (sought if isinstance(sought, ListConfig) else [sought])
    ]
    try:
        study = optuna.create_study(
            storage=storage, study_name=name, directions=directions, load_if_exists=True
        )
        known = study.user_attrs.get(ATTRIBUTE)
    except Exception as error:  # those of SQLAlchemy, its drivers and Optuna have no common base
        reason = str(error).partition("\n")[0]
        raise InputError(
            f"hydra.sweeper.storage={storage}: the study {name} cannot be opened there ({reason})"
        ) from None
    own = {"settings": _digest(fixed), "axes": axes}
    if known is None:
        study.set_user_attr(ATTRIBUTE, {**own, "typed": fixed})
    elif any(known[key] != value for key, value in own.items()):
        theirs = [text for text in known["typed"] if text not in fixed]
        raise InputError(
            f"hydra.sweeper.study_name={name}: its study in {storage} is over"
            f" {', '.join(known['axes'])}"
            f"{' with ' * bool(theirs)}{' '.join(theirs)}; give another study_name, or its settings"
        )


def _digest(fixed: list[str]) -> str:
    """Of the settings that all trials have, in whatever words, and of what is sought."""
    settings = config.to_dict(checks.composed(fixed))
    return files.digest([config.counted(settings), settings["sweep"]])


def _first(axis: Override) -> str:
    """One value of an axis: where an interval begins, or the first of a list."""
    value = axis.value()
    if isinstance(value, IntervalSweep):
        return str(value.start)
    return next(iter(axis.sweep_string_iterator()))
