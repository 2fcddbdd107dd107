"""Where the run starts: figure 6 of Gatys et al. 2016. python experiments/initialization.py"""

from stn import config
from stn.experiment import frame


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(("content",), ("init=content",), "A  from the photograph", before=("content",)),
        frame.Cell(("style",), ("init=style",), "B  from the painting", before=("style",)),
        *(
            frame.Cell(("noise", seed), ("init=noise", f"seed={seed}"), f"C  noise, seed {seed}")
            for seed in range(4)
        ),
    ]


EXPERIMENT = frame.Experiment(
    "initialization",
    "Gatys et al. 2016, figure 6: started from A the photograph, B the painting, C four white noise"
    " images; α/β = 1e-3 in the paper. In the paper each of them shows the whole town, and the"
    " initialization biases the layout. Here noise shows the whole town only at the paper's size"
    " and with enough evaluations; below that it shows a house and traces of the bank. The painting"
    " is our choice.",
    ("preset=gatys2016", "network=vgg19_q8", "style=starry_night"),
    cells,
    "optimizer=spectral_lbfgs optimizer.max_evaluations=400 objective.style_weight=1.6667e8",
    minutes=70,
    quick_minutes=2,
    columns=4,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
