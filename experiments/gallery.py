"""Every preset with the same two pictures, and six other pairs: ours. python experiments/gallery.py

Each preset has its own network (VGG-16, or VGG-19 in 8 bits), losses, initial image and optimizer,
at one size. The budget is its own too, unless optimizer.max_evaluations is given; that takes hours.
gallery.md has the commands, range.png the six."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING

from stn import config, files, runs
from stn.analysis import figures, tables
from stn.config import names, overrides
from stn.experiment import frame
from stn.images import formats

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLUMNS = 3
PRESETS = names.groups()["preset"]
# Photographs and paintings that may be shown, with the optimizer that gets there soonest.
RANGE = {
    # By eye: at the preset's 5000 the face is gone.
    "a portrait": (
        "preset=gatys_released",
        "content=astronaut",
        "style=the_scream",
        "objective.style_weight=500",
    ),
    "the photograph's colors": (
        "preset=gatys2017_color",
        "content=chelsea",
        "style=composition_vii",
    ),
    "another painter": ("preset=gatys_released", "content=tubingen", "style=shipwreck"),
    "strokes twice as large": (
        "preset=gatys_released",
        "content=coffee",
        "style=starry_night",
        "style.scale=2",
    ),
    "Johnson's layers": ("preset=johnson2016", "content=rocket", "style=starry_night"),
    "a texture": ("preset=gatys2015_texture", "style=shipwreck"),
}


def cells(base: config.Config) -> list[frame.Cell]:
    found = []
    for name in PRESETS:
        settings = _settings(name)
        # A guided preset's masks are of these two pictures, which are its own already.
        pictures = [] if settings.style.mask else ["style=starry_night"]
        if pictures and settings.content.path is not None:
            pictures.append("content=tubingen")
        if name == "gatys2017_scale":  # the one that makes a picture first
            pictures.append(f"mix.max_evaluations={base.optimizer.max_evaluations}")
        found.append(frame.Cell((name,), (f"preset={name}", _network(name), *pictures)))
    for number, (preset, *others) in enumerate(RANGE.values(), 1):
        network = _network(preset.removeprefix("preset="))
        found.append(
            frame.Cell(("range", number), (preset, network, *others, "optimizer=spectral_lbfgs"))
        )
    return found


def draw(finished: frame.Finished) -> Figure:
    return _montage({name: finished[name,] for name in PRESETS}, COLUMNS)


def write(folder: Path, finished: frame.Finished) -> None:
    """range.png; gallery.md: each picture's command, evaluations, seconds and distances; and
    presets/NAME.jpg, the pictures that docs/figures/presets/ has.
    """
    (folder / "presets").mkdir(exist_ok=True)
    for name in PRESETS:
        formats.write(folder / "presets" / f"{name}.jpg", finished[name,].rgb)
    six = dict(
        zip(RANGE, (finished["range", number] for number in range(1, len(RANGE) + 1)), strict=True)
    )
    figures.save(_montage(six, 3), folder / "range.png")
    rows = [["picture", "evaluations", "seconds", "feature distance", "Gram distance", "command"]]
    for name, run in {**{name: finished[name,] for name in PRESETS}, **six}.items():
        content, style = (run.summary.get(f"measures/{key}") for key in ("features", "gram"))
        distances = ["" if value is None else f"{value:.2f}" for value in (content, style)]
        numbers = [str(run.summary["evaluations"]), f"{run.summary['seconds']:.0f}", *distances]
        rows.append([name, *numbers, f"`{overrides.command(run.settings)}`"])
    files.write_text(folder / "gallery.md", tables.markdown(rows))


_settings = functools.cache(lambda preset: config.compose(f"preset={preset}"))


def _network(preset: str) -> str:
    return f"network={'vgg16' if _settings(preset).network.name == 'vgg16' else 'vgg19_q8'}"


def _montage(named: dict[str, runs.Run], columns: int) -> Figure:
    drawn = [figures.Panel(run.rgb, name) for name, run in named.items()]
    return figures.panels(
        [drawn[first : first + columns] for first in range(0, len(drawn), columns)]
    )


EXPERIMENT = frame.Experiment(
    "gallery",
    "Ours: every preset on Neckarfront and The Starry Night, with its own network, losses, initial"
    " image and optimizer. range.png: six others. gallery.md has the command of each.",
    ("image.size_px=384",),
    cells,
    "optimizer.max_evaluations=120 hydra/launcher=joblib_local hydra.launcher.n_jobs=2",
    minutes=90,
    quick="image.size_px=96 optimizer.max_evaluations=30",
    quick_minutes=10,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
