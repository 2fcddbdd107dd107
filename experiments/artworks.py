"""Neckarfront in five styles: figure 2 of Gatys et al. 2015, 3 of 2016, five cells. python experiments/artworks.py"""

from pathlib import Path

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
    return [
        experiments.Cell(
            f"{letter}-{style}",
            (f"style={style}", f"objective.style_weight={base.objective.content_weight / ratio:g}"),
        )
        for letter, (style, ratio) in PAINTINGS.items()
    ]


def write(folder: Path, finished: dict[str, runs.Run]) -> None:
    """public.png: the figure without E, since Picasso's painting is not in the public domain everywhere."""
    kept = {name: run for name, run in finished.items() if not name.startswith("E-")}
    figures.save(_panels(kept), folder / "public.png")


def draw(finished: dict[str, runs.Run]) -> plt.Figure:
    return _panels(finished)


def _panels(finished: dict[str, runs.Run]) -> plt.Figure:
    drawn = [figures.Panel(next(iter(finished.values())).picture("content"), "A")]
    drawn += [figures.Panel(run.rgb, name[0], inset=run.picture("style")) for name, run in finished.items()]
    return figures.panels([drawn[i : i + 2] for i in range(0, len(drawn), 2)])


EXPERIMENT = experiments.Experiment(
    "artworks",
    "Gatys et al. 2016, figure 3: A the photograph (Neckarfront); B The Shipwreck of the Minotaur, C The Starry Night, "
    "D Der Schrei, E Femme nue assise, F Composition VII; α/β = 1e-3, 8e-4, 5e-3, 5e-4, 5e-4. "
    "From the photograph, as the authors' later programs start; the paper starts from noise.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content"),
    cells,
    draw,
    write,
)

if __name__ == "__main__":
    experiments.main(EXPERIMENT)
