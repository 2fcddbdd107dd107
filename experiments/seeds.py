"""What is noise: every preset with other seeds, and once more by other arithmetic: ours.

python experiments/seeds.py

Presets that draw nothing at random have one seed. The other arithmetic is that of
network.convolution=direct, which differs in the last digits of a sum alone."""

from __future__ import annotations

import functools
import math
from pathlib import Path

import numpy as np

from stn import config, files, quantities, runs
from stn.analysis import doc_tables, figures, tables
from stn.config import lists, names, overrides
from stn.config.schema import Init
from stn.experiment import frame

SEEDS = 10
ROUNDED = "direct"
# An evaluation takes seconds at their size: copies, shifts, sorts or hypercolumns.
SLOW = ("berger2017", "heitz2021", "heitz2021_torch", "kolkin2019", "kolkin2022")
EVALUATIONS = 40  # at most, at each size of a preset
DRAWN = ("patches_to_style", "gram", "features")


def cells(base: config.Config) -> list[frame.Cell]:
    found = []
    for preset in names.groups()["preset"]:
        if preset in SLOW:
            continue
        settings = _settings(preset)
        words = (f"preset={preset}", *_pictures(settings), *overrides.budgets(settings, _at_most))
        by_lot = settings.init.name in Init.RANDOM or lists.draws(settings)
        found += [
            frame.Cell((preset, seed), (*words, f"seed={seed}"))
            for seed in range(SEEDS if by_lot else 1)
        ]
        found.append(frame.Cell((preset, ROUNDED), (*words, "network.convolution=direct")))
    return found


@functools.cache
def _settings(preset: str) -> config.Config:
    return config.compose(f"preset={preset}")


def _at_most(evaluations: int) -> int:
    return min(evaluations, EVALUATIONS)


def _pictures(settings: config.Config) -> list[str]:
    """Overrides of the network and pictures; a guided preset's masks are of its own pictures."""
    found = [f"network={'vgg16' if settings.network.name == 'vgg16' else 'vgg19_q8'}"]
    if not settings.style.mask:
        found.append("style=starry_night")
        if settings.content.path is not None:
            found.append("content=tubingen")
    return found


def deviations(finished: frame.Finished, preset: str, measure: str) -> tuple[float, float]:
    """The deviation over seeds, and the difference that rounding makes: of the logarithm, so a
    share of the value, where changes of the measure are factors. NaN where there is none.
    """

    def of(run: runs.Run) -> float:
        value = run.summary.get(f"measures/{measure}", math.nan)  # a texture has no photograph
        return math.log(value) if quantities.MEASURES[measure].factor and value else value

    seeds = [
        of(run) for (name, seed), run in finished.items() if name == preset and seed != ROUNDED
    ]
    over_seeds = float(np.std(seeds, ddof=1)) if len(seeds) > 1 else math.nan
    return over_seeds, abs(of(finished[preset, ROUNDED]) - seeds[0])


def draw(finished: frame.Finished) -> figures.Figure:
    """A panel a measure, a row a preset: the deviation over seeds, and hollow that of rounding."""
    presets = list(dict.fromkeys(str(preset) for preset, _ in finished))
    with figures.paper_style():
        size = (figures.TEXT_WIDTH, 0.16 * len(presets) + 0.8)
        figure, axes = figures.subplots(1, len(DRAWN), figsize=size, sharey=True)
        for axis, measure in zip(axes, DRAWN, strict=True):
            for row, preset in enumerate(presets):
                over_seeds, rounded = deviations(finished, preset, measure)
                axis.plot(100 * over_seeds, row, "o", color="C0", markersize=4)
                axis.plot(100 * rounded, row, "o", color="C0", markersize=4, fillstyle="none")
            axis.set(title=measure.replace("_", " "), xlabel="%", xscale="symlog")
        axes[0].set(yticks=range(len(presets)), ylim=(len(presets) - 0.5, -0.5))
        axes[0].set_yticklabels(presets)
    return figure


def write(folder: Path, finished: frame.Finished) -> None:
    """seeds.csv: as results/tables/seeds.csv, from which the documents have their tables."""
    first = next(iter(finished.values()))
    rows = []
    for preset in dict.fromkeys(str(preset) for preset, _ in finished):
        for kind, place in (("seeds", 0), ("rounding", 1)):
            found = {
                measure: deviations(finished, preset, measure)[place]
                for measure in quantities.MEASURES
            }
            if any(math.isfinite(value) for value in found.values()):
                rows.append({"by": kind, "preset": f"`{preset}`", **_cells(found)})
    origin = {
        "network": "vgg19_q8, vgg16",
        "size_px": first.settings["image"]["size_px"],
        "processor": first.part("machine")["processor"],
        "versions": f"TensorFlow {first.part('versions')['tensorflow']}",
        "commit": first.provenance["commit"],
    }
    columns = [*rows[0], *doc_tables.ORIGIN]
    text = tables.csv_text(columns, ({**row, **origin} for row in rows))
    files.write_text(folder / "seeds.csv", text)


def _cells(found: dict[str, float]) -> dict[str, str]:
    return {
        measure.replace("_", " "): _written(value, quantities.MEASURES[measure].factor)
        for measure, value in found.items()
    }


def _written(value: float, factor: bool) -> str:
    if math.isnan(value):
        return ""
    return f"{100 * value:.1f} %" if factor else f"{value:.3f}"


EXPERIMENT = frame.Experiment(
    "seeds",
    "Ours: how far each measure of each preset is moved by another seed (full; the deviation over"
    " ten), and by rounding alone (hollow; the difference of direct convolutions from Winograd's)."
    " Each preset has its own network, losses, initial image and optimizer, and at most"
    f" {EVALUATIONS} evaluations a size.",
    ("tracking=off",),
    cells,
    "image.size_px=96 image.side=long",
    minutes=30,
    quick="image.size_px=64 image.side=long",
    quick_minutes=20,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
