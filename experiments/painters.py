"""Painters of color against painters of form, five cells. python experiments/painters.py

Does the method carry over form, or color and strokes only? Does a motley painting ruin flat areas?
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, uniform_filter

from stn import files
from stn.analysis import figures, tables
from stn.experiment import frame
from stn.images.color import LUMA

# What sets the painting apart from a photograph of its subject, by common judgment: its color and
# strokes, or the shapes of things.
PAINTINGS = {
    "shipwreck": ("color", "Turner, The Shipwreck of the Minotaur"),
    "starry_night": ("color", "van Gogh, The Starry Night"),
    "the_scream": ("form", "Munch, The Scream"),
    "composition_vii": ("form", "Kandinsky, Composition VII"),
    "femme_nue_assise": ("form", "Picasso, Femme nue assise"),
}
NOT_SHOWN = "femme_nue_assise"  # not in the public domain everywhere
WINDOW = 15  # pixels over which a photograph is called flat or not; ours
FLAT_SHARE = 0.25  # of the pixels, those that vary least; ours
FINE = 1.5  # deviation of the Gaussian, in pixels, that leaves out what is called fine; ours
COLUMNS = (
    *("painting", "painter of", "edges kept", "histogram to style", "patches to style"),
    *("fine detail of the painting", "of the photograph where it is flat", "of the result there"),
    *("its share of the variance there", "edges kept there"),
)


def flat(rgb: np.ndarray) -> np.ndarray:
    """[h, w]: the FLAT_SHARE of the pixels around which the luminance varies least."""
    luminance = rgb @ LUMA
    mean = uniform_filter(luminance, WINDOW, mode="nearest")
    variance = uniform_filter((luminance - luminance.mean()) ** 2, WINDOW, mode="nearest")
    variance -= (mean - luminance.mean()) ** 2
    return variance <= np.quantile(variance, FLAT_SHARE)


def fine(rgb: np.ndarray, where: np.ndarray | None = None) -> tuple[float, float]:
    """Root mean square of the luminance's fine detail over `where`, in levels, and its share of the
    variance there.
    """
    luminance = rgb @ LUMA
    detail = luminance - gaussian_filter(luminance, FINE, mode="nearest")
    if where is not None:
        luminance, detail = luminance[where], detail[where]
    power, variance = float(np.mean(detail**2)), float(luminance.var())
    return power**0.5, power / variance if variance else 0.0


def cells(base: object) -> list[frame.Cell]:
    return [frame.Cell((style,), (f"style={style}",)) for style in PAINTINGS]


def draw(finished: frame.Finished) -> figures.Figure:
    content = next(iter(finished.values())).picture("content")
    region = np.where(flat(content)[..., None], content, 255)
    drawn = [figures.Panel(content, "photograph"), figures.Panel(region, "where it is flat")]
    drawn += [
        figures.Panel(run.rgb, PAINTINGS[str(style)][1], inset=run.picture("style"))
        for (style,), run in finished.items()
        if style != NOT_SHOWN
    ]
    return figures.panels([drawn[:3], drawn[3:]])


def write(folder: Path, finished: frame.Finished) -> None:
    """numbers.csv: a line a painting, Picasso's too."""
    from stn.metrics import measures  # takes seconds to import

    rows = [list(COLUMNS)]
    for (style,), run in finished.items():
        content, painting = run.picture("content"), run.picture("style")
        where = flat(content)
        detail, share = fine(run.rgb, where)
        found = (
            run.summary["measures/edges_to_content"],
            run.summary["measures/histogram_to_style"],
            run.summary["measures/patches_to_style"],
            fine(painting)[0],
            fine(content, where)[0],
            detail,
            share,
            measures.kept_edges(run.rgb, content, where) or 0.0,
        )
        rows.append([str(style), PAINTINGS[str(style)][0], *(f"{each:.3f}" for each in found)])
    files.write_text(folder / "numbers.csv", tables.csv_lines(rows))


EXPERIMENT = frame.Experiment(
    "painters",
    "One photograph in the manner of two painters of color and of painters of form. Where the"
    " photograph is flat, numbers.csv says how much fine detail the result has and how much of the"
    " edges it keeps. Picasso's painting is measured and not shown.",
    ("preset=tf_tutorial_course", "network=vgg19_q8", "content=golden_gate"),
    cells,
    "image.size_px=160 optimizer=spectral_lbfgs optimizer.max_evaluations=40",
    minutes=8,
    quick_minutes=3,
    draw=draw,
    write=write,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
