"""Where the run starts: figure 6 of Gatys et al. 2016, six cells. python
experiments/initialization.py
"""

from matplotlib.figure import Figure

from stn import config, runs
from stn.experiment import frame
from stn.study import figures

STARTS = {"content": "init=content", "style": "init=style"} | {
    f"noise-{seed}": "init=noise" for seed in range(4)
}


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            name, (start, f"seed={name.removeprefix('noise-')}") if "noise" in name else (start,)
        )
        for name, start in STARTS.items()
    ]


def draw(finished: dict[str, runs.Run]) -> Figure:
    drawn = [figures.Panel(run.rgb, name.replace("-", ", seed ")) for name, run in finished.items()]
    drawn[0] = figures.Panel(drawn[0].rgb, "A  content", inset=finished["content"].picture("style"))
    drawn[1] = figures.Panel(drawn[1].rgb, "B  style")
    drawn[2] = figures.Panel(drawn[2].rgb, "C  noise, seed 0")
    return figures.panels([drawn[:3], drawn[3:]])


EXPERIMENT = frame.Experiment(
    "initialization",
    "Gatys et al. 2016, figure 6: started from A the content, B the style, C four white noise"
    " images; α/β = 1e-3 in the paper. Content and style bias the result's layout, the noise seeds"
    " differ in detail only. The painting is our choice.",
    ("preset=gatys2016", "network=vgg19_q8", "style=starry_night"),
    cells,
    draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
