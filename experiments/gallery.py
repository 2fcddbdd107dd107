"""Every preset with the same two pictures, and six other pairs: ours. python experiments/gallery.py

Sizes and budgets are in BUDGETS, unless image.size_px or optimizer.max_evaluations is typed; levels
and a mixed style keep theirs, unless pyramid.levels or mix.max_evaluations is.
gallery.md has the commands, range.png the six."""

from __future__ import annotations

import functools
from pathlib import Path

from stn import config, files, runs
from stn.analysis import figures, tables
from stn.config import names, overrides
from stn.experiment import frame
from stn.images import formats

_settings = functools.cache(lambda preset: config.compose(f"preset={preset}"))
COLUMNS = 4
PRESETS = names.groups()["preset"]
SIZE = "image.size_px=384"
# What a preset is painted with: near its end for one that starts from the photograph with L-BFGS.
SHORT = ("optimizer.max_evaluations=120",)
# Others have levels of their own, or take long.
BUDGETS = {
    "default": ("image.size_px=512",),
    "li_wand2016": (),
    "kolkin2019": ("image.size_px=512",),
    "kolkin2022": ("image.size_px=256",),
    "heitz2021": ("image.size_px=256", "optimizer.max_evaluations=195"),
    "heitz2021_torch": ("image.size_px=256", "optimizer.max_evaluations=200"),
    "liu2016": ("image.size_px=256", "optimizer.max_evaluations=500"),
    "luan2017": (
        "pyramid.levels=[{scale:1.0,max_evaluations:250,times:{matting_weight:0.0}}]",
        "optimizer.max_evaluations=250",
    ),
    "crowson_w2": (
        "image.size_px=256",
        *overrides.budgets(_settings("crowson_w2"), lambda evaluations: evaluations // 10),
    ),
    # From gray or noise these stay gray for hundreds of evaluations: their own budget.
    "neural_style": ("optimizer.max_evaluations=1000",),
    "neural_style_pt": ("optimizer.max_evaluations=1000",),
    "neural_style_anish": ("optimizer.max_evaluations=1000",),
    "tf_tutorial": ("optimizer.max_evaluations=1000",),
    # Its own 10,000 steps of Adam take hours, and 184 of them leave noise.
    "berger2017": ("optimizer=spectral_lbfgs", "optimizer.max_evaluations=200"),
}
# Presets of other pictures than Neckarfront and The Starry Night: their own.
OWN_PICTURES = ("gatys2017_guided", "gatys2017_guided_sums", "liu2016", "luan2017")
# Photographs and paintings that may be shown, with the optimizer that gets there soonest.
RANGE = {
    # By inspection: at the preset's 5000 the face is gone.
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
    found = [_cell(name) for name in PRESETS]
    for number, (preset, *others) in enumerate(RANGE.values(), 1):
        overrides = (preset, _network(preset.removeprefix("preset=")), *others)
        found.append(
            frame.Cell(("range", number), (*overrides, "optimizer=spectral_lbfgs"), usual=SHORT)
        )
    return found


def _cell(name: str) -> frame.Cell:
    """A preset's picture."""
    pictures = []
    if name not in OWN_PICTURES:
        pictures = ["style=starry_night"]
        if _settings(name).content.path is not None:
            pictures.append("content=tubingen")
    budget = BUDGETS.get(name, SHORT)
    if name == "gatys2017_scale":  # the one that makes a picture first
        budget = (*budget, "mix.max_evaluations=120")
    return frame.Cell((name,), (f"preset={name}", _network(name), *pictures), usual=budget)


def painted(name: str) -> tuple[str, ...]:
    """What is typed for a preset's picture."""
    cell = _cell(name)
    sized = any(each.startswith("image.size_px=") for each in cell.usual)
    return (*cell.overrides, *(() if sized else (SIZE,)), *cell.usual)


def draw(finished: frame.Finished) -> figures.Figure:
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


def _network(preset: str) -> str:
    return f"network={'vgg16' if _settings(preset).network.name == 'vgg16' else 'vgg19_q8'}"


def _montage(named: dict[str, runs.Run], columns: int) -> figures.Figure:
    drawn = [figures.Panel(run.rgb, name) for name, run in named.items()]
    return figures.panels(
        [drawn[first : first + columns] for first in range(0, len(drawn), columns)]
    )


EXPERIMENT = frame.Experiment(
    "gallery",
    "Ours: every preset on Neckarfront and The Starry Night, with its own network, losses, initial"
    " image and optimizer. range.png: six others. gallery.md has the command of each.",
    (SIZE,),
    cells,
    "hydra/launcher=joblib_local hydra.launcher.n_jobs=2",
    minutes=290,
    quick="image.size_px=96 optimizer.max_evaluations=30 mix.max_evaluations=30",
    quick_minutes=10,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
