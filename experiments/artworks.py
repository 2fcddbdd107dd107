"""Neckarfront in five styles: figure 2 of Gatys et al. 2015, 3 of 2016, five cells. python experiments/artworks.py"""

import matplotlib.pyplot as plt

from stn import config, experiments, figures, runs

# CVPR 2016, figure 3: painting, α/β. (arXiv, figure 2: 1e-3 for B to D, 1e-4 for E and F.)
PAINTINGS = {
    "B": ("shipwreck", 1e-3),
    "C": ("starry_night", 8e-4),
    "D": ("the_scream", 5e-3),
    "E": ("femme_nue_assise", 5e-4),
    "F": ("composition_vii", 5e-4),
}


def cells(base: config.Config) -> list[experiments.Cell]:
    alpha = base.objective.content_weight
    return [
        experiments.Cell(f"{letter}-{style}", (f"style={style}", f"objective.style_weight={alpha / ratio:g}"))
        for letter, (style, ratio) in PAINTINGS.items()
    ]


def draw(finished: dict[str, runs.Run]) -> plt.Figure:
    found = list(finished.values())
    drawn = [figures.Panel(found[0].picture("content"), "A")]
    drawn += [
        figures.Panel(run.rgb, letter, inset=run.picture("style")) for letter, run in zip(PAINTINGS, found, strict=True)
    ]
    return figures.panels([drawn[:2], drawn[2:4], drawn[4:]])


EXPERIMENT = experiments.Experiment(
    "artworks",
    "Gatys et al. 2016, figure 3: A the photograph (Neckarfront); B The Shipwreck of the Minotaur, C The Starry Night, "
    "D Der Schrei, E Femme nue assise, F Composition VII; α/β = 1e-3, 8e-4, 5e-3, 5e-4, 5e-4.",
    ("preset=gatys2016",),
    cells,
    draw,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
