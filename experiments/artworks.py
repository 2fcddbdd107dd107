"""Neckarfront in five styles: figure 2 of Gatys et al. 2015, figure 3 of Gatys et al. 2016.

python experiments/artworks.py"""

from __future__ import annotations

from pathlib import Path

from stn import config
from stn.analysis import figures
from stn.experiment import frame

# CVPR 2016, figure 3: painting, title, α/β. (arXiv, figure 2: 1e-3 for B to D, 1e-4 for E and F.)
# They belong to the preset's 1e-3: with other weights typed all move alike.
PAINTINGS = {
    "B": ("shipwreck", "The Shipwreck of the Minotaur", 1e-3),
    "C": ("starry_night", "The Starry Night", 8e-4),
    "D": ("the_scream", "The Scream", 5e-3),
    "E": ("femme_nue_assise", "Femme nue assise", 5e-4),
    "F": ("composition_vii", "Composition VII", 5e-4),
}
PHOTOGRAPH = "A  Neckarfront in Tübingen"


def cells(base: config.Config) -> list[frame.Cell]:
    return [
        frame.Cell(
            (letter, style),
            (
                f"style={style}",
                f"objective.style_weight={base.objective.style_weight * 1e-3 / ratio:g}",
            ),
        )
        for letter, (style, _, ratio) in PAINTINGS.items()
    ]


def draw(finished: frame.Finished) -> figures.Figure:
    drawn = [figures.Panel(next(iter(finished.values())).picture("content"), PHOTOGRAPH)]
    drawn += [
        figures.Panel(run.rgb, f"{letter}  {PAINTINGS[str(letter)][1]}", inset=run.picture("style"))
        for (letter, _), run in finished.items()
    ]
    return figures.panels([drawn[:2], drawn[2:4], drawn[4:]])


def write(folder: Path, finished: frame.Finished) -> None:
    """public.png: without E, since Picasso's painting is not in the public domain everywhere."""
    public = {key: run for key, run in finished.items() if key[0] != "E"}
    figures.save(draw(public), folder / "public.png")


EXPERIMENT = frame.Experiment(
    "artworks",
    "Gatys et al. 2016, figure 3: A the photograph, and the photograph in the styles of B Turner,"
    " C van Gogh, D Munch, E Picasso and F Kandinsky. The paper's α/β are 1e-3, 8e-4, 5e-3, 5e-4"
    " and 5e-4. These start from the photograph, as the authors' later programs do; the paper"
    " starts from noise.",
    ("preset=gatys2016", "network=vgg19_q8", "init=content"),
    cells,
    "image.size_px=384 image.side=long optimizer=spectral_lbfgs optimizer.max_evaluations=150"
    " objective.style_weight=1.6667e8",
    minutes=13,
    quick_minutes=2,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
