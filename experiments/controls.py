"""Four controls, as README shows them: ours, four cells, all of them others' too. python
experiments/controls.py
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

OTHER = "asset:the_scream.jpg"
CONTROLS = {
    "the photograph's colors": ("preset=gatys2017_color",),
    "strokes twice as large": (
        "preset=gatys2017_scale",
        "mix.fine=null",
        "color=none",
        "style.scale=2",
    ),
    "half Der Schrei": (
        *("preset=gatys_released", "style=starry_night", "style.weight=0.5"),
        f"more_styles=[{{path: '{OTHER}', weight: 0.5}}]",
    ),
    "sky to sky": ("preset=gatys2017_guided",),
}


def cells(base: config.Config) -> list[frame.Cell]:
    names = ("color", "scale", "styles", "space")
    return [
        frame.Cell(name, overrides)
        for name, overrides in zip(names, CONTROLS.values(), strict=True)
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    drawn = [
        figures.Panel(run.rgb, title)
        for title, run in zip(CONTROLS, finished.values(), strict=True)
    ]
    return figures.panels([drawn])


EXPERIMENT = frame.Experiment(
    "controls",
    "Ours: Neckarfront and The Starry Night, with the painting recolored to the photograph; at"
    " twice its size; blended with Der Schrei; and its sky painted onto the sky, its ground onto"
    " the ground. From the photograph.",
    ("network=vgg19_q8",),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
