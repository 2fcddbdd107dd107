"""A style picture with the fine scale of one painting and the coarse of another, made by a run of
its own.

Gatys et al. 2017 (CVPR), section 6.1, and leongatys/NeuralImageSynthesis, ScaleControl.ipynb: from
the coarse painting the Gram matrices of the fine one are matched at the first layers. There is no
content. The run lies in the directory of the run that it is for, and resumes like any other."""

import copy
import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from stn import runs
from stn.assets.pictures import Pictures
from stn.config.lists import LayerWeight
from stn.config.schema import Color, Config, Content, FirstStyle, Guidance, Init, Mix, Pyramid
from stn.errors import Interrupted
from stn.network.convolution import border_of_painting


def mixed(pictures: Pictures, settings: Config, run_dir: Path, run: Callable[..., Any]) -> Pictures:
    """`pictures` with the mixed style in the place of the first, if the settings ask for one; `run`
    makes it.

    Raises Interrupted, which names the directory of the run that the style is for.
    """
    if settings.mix.fine is None:
        return pictures
    roles = {"style": "init", "mix.fine": "style"}  # of this run's pictures in that one
    arrays = {roles[key]: given for key, given in pictures.arrays.items() if key in roles}
    try:
        made = run(settings_of(settings, pictures), run_dir / runs.MIXED, arrays=arrays)
    except Interrupted as error:
        again = (
            f"interrupted while the style was mixed; the same command with hydra.run.dir={run_dir}"
            " resumes"
        )
        raise Interrupted(again, error.exit_code) from None
    first, *others = pictures.styles
    # As it is written, so that a resumed run has the same; its scale is in its size already.
    mixture = dataclasses.replace(first, rgb=np.rint(made.rgb), as_it_is=True)
    return dataclasses.replace(pictures, styles=(mixture, *others))


def settings_of(settings: Config, pictures: Pictures) -> Config:
    """The run that mixes: from the coarse painting at the size it is used at, towards the fine
    one's statistics.
    """
    mix, inner = settings.mix, copy.deepcopy(settings)
    inner.content, inner.style, inner.more_styles = Content(None), FirstStyle(str(mix.fine)), []
    inner.color, inner.guidance, inner.mix, inner.pyramid = Color(), Guidance(), Mix(), Pyramid()
    inner.network.border = border_of_painting(inner.network.border)
    inner.paint_only, inner.output, inner.figures, inner.force = None, None, False, False
    inner.init = Init(name="file", path=settings.style.path)
    inner.image.shape = list(pictures.shapes_at(1.0)["style"])
    inner.strength = 1.0
    objective = inner.objective
    objective.content_layers, objective.more_statistics = [], []
    objective.style_layers = [LayerWeight(layer, 1 / len(mix.layers)) for layer in mix.layers]
    # ScaleControl.ipynb: ptw / #layers · MSE(G/M − A/M), not divided by N² as in the transfer
    # itself.
    objective.gram_divisor, objective.style_reduction = "m", "mean"
    objective.style_statistic, objective.activation_shift = "gram", 0.0
    objective.components, objective.layer_weighting = None, "equal"
    objective.style_weight, objective.total_variation.form = mix.weight, "none"
    for name in objective.pixel_weights():
        setattr(objective, f"{name}_weight", 0.0)
    inner.optimizer = dataclasses.replace(settings.optimizer, max_evaluations=mix.max_evaluations)
    inner.tracking.mode, inner.tracking.keep_checkpoint = "off", False
    return inner
