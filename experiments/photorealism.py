"""A photograph as the style: figure 7 of Gatys et al. 2016, one cell. python
experiments/photorealism.py
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures


def cells(base: config.Config) -> list[frame.Cell]:
    # α/β = 1e-2 with the preset's weights, which give 1e-3; with others typed it moves alike.
    return [frame.Cell("night", (f"objective.style_weight={base.objective.style_weight / 10:g}",))]


def draw(finished: dict[str, runs.Run]) -> Figure:
    (run,) = finished.values()
    pictures = {
        "A  style": run.picture("style"),
        "B  content": run.picture("content"),
        "C  result": run.rgb,
    }
    return figures.panels([[figures.Panel(rgb, title) for title, rgb in pictures.items()]])


EXPERIMENT = frame.Experiment(
    "photorealism",
    "Gatys et al. 2016, figure 7: the light of A, a photograph of a city at night, on B, one by"
    " day; from the content, α/β = 1e-2 in the paper. The photographs are not the paper's.",
    (
        "preset=gatys2016",
        "network=vgg19_q8",
        "content=golden_gate",
        "style=hoover_tower_night",
        "init=content",
    ),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
