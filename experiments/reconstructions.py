"""What a layer keeps: figure 1 of Gatys et al. 2015 and 2016, ten cells. python
experiments/reconstructions.py

Upper row: the photograph from one layer's features. Lower row: the painting from growing subsets of
Gram matrices."""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

BLOCKS = range(1, 6)


def cells(base: config.Config) -> list[frame.Cell]:
    content = [
        frame.Cell(
            f"content-conv{block}_2",
            ("objective.style_layers=[]", f"objective.content_layers=[relu{block}_2]"),
        )
        for block in BLOCKS
    ]
    style = []
    for count in BLOCKS:
        layers = ",".join(f"relu{block}_1" for block in range(1, count + 1))
        overrides = "objective.content_layers=[]", f"objective.style_layers=[{layers}]"
        style.append(frame.Cell(f"style-to_conv{count}_1", overrides))
    return content + style


def draw(finished: dict[str, runs.Run]) -> Figure:
    first, *rest = finished.values()
    found = [first, *rest]
    content = [figures.Panel(first.picture("content"), "content")]
    content += [
        figures.Panel(run.rgb, f"conv{block}_2")
        for block, run in zip(BLOCKS, found[:5], strict=True)
    ]
    style = [figures.Panel(first.picture("style"), "style")]
    style += [
        figures.Panel(run.rgb, "conv1_1" if count == 1 else f"+ conv{count}_1")
        for count, run in zip(BLOCKS, found[5:], strict=True)
    ]
    return figures.panels([content, style])


EXPERIMENT = frame.Experiment(
    "reconstructions",
    "Gatys et al. 2015 and 2016, figure 1: reconstructed from higher layers the photograph loses"
    " its pixels and keeps its content; with more layers the painting's texture is matched on"
    " larger scales. From noise, one term only.",
    ("preset=gatys2016", "network=vgg19_q8", "style=starry_night"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
