"""The TensorFlow 1 walk-through read in two ways: ours. python experiments/mean_twice.py"""

from __future__ import annotations

import numpy as np

from stn import config
from stn.analysis import figures
from stn.assets.weights import IMAGENET_MEAN
from stn.experiment import frame

# Blue, green and red less their own mean (Keras) and that of [123.68, 116.779, 103.939]: as RGB.
BOTH = np.array(IMAGENET_MEAN) + np.array(IMAGENET_MEAN[::-1])


def cells(base: config.Config) -> list[frame.Cell]:
    twice = "network.mean_pixel=[" + ",".join(f"{each:g}" for each in BOTH) + "]"
    return [frame.Cell(("once",), ()), frame.Cell(("twice",), ("network.bgr=true", twice))]


def draw(finished: frame.Finished) -> figures.Figure:
    once, twice = finished.values()
    return figures.panels(
        [
            [
                figures.Panel(once.rgb, "mean once", inset=once.picture("style")),
                figures.Panel(twice.rgb, "mean twice, blue first"),
                figures.Panel(as_saved(twice.rgb), "as that program saves it"),
            ]
        ]
    )


def as_saved(rgb: np.ndarray) -> np.ndarray:
    """A picture `rgb` [h, w, 3] as that program saves it: with one mean, channels as they are."""
    return np.clip((rgb - BOTH)[..., ::-1] + np.array(IMAGENET_MEAN), 0, 255)


EXPERIMENT = frame.Experiment(
    "mean_twice",
    "The TensorFlow 1 walk-through: the mean pixel subtracted once, as the preset does, and twice,"
    " with the network fed blue first. Its listing does the latter if `preprocess_input` is Keras'"
    " own. Last is that picture as the program saves it, which adds one mean and does not exchange"
    " channels (docs/presets/deviations.md, 25). Initial image .75 · U(−20, 20) + .25 ·"
    " photograph.",
    ("preset=tf1_walkthrough", "network=vgg19_q8"),
    cells,
    "image.size_px=160 image.side=long optimizer.max_evaluations=120",
    minutes=6,
    quick_minutes=1,
    draw=draw,
)

if __name__ == "__main__":
    frame.main(EXPERIMENT)
