"""Losses that others printed, by their own settings on the real network (docs/numbers.md)."""

import json
from pathlib import Path

import pytest

from stn import assets, config
from stn.errors import InputError

# jcjohnson/neural-style at 07c4b82, INSTALL.md, lines 94-101: iteration 1 with the defaults, each with its weight.
NEURAL_STYLE = {
    "content/relu4_2": (5, 2091178.594),
    "style/relu1_1": (100, 30021.292),
    "style/relu2_1": (100, 700349.561),
    "style/relu3_1": (100, 153033.203),
    "style/relu4_1": (100, 12404635.156),
    "style/relu5_1": (100, 656.860304),
    "loss/total": (1, 15379874.666),
}


def test_the_first_iteration_of_neural_style(vgg19_q8: Path, tmp_path: Path) -> None:
    """Every term within 1.5 % of the exact network's, on kernels of 8 bits."""
    from stn import transfer  # TensorFlow takes seconds to import

    try:
        for name in ("tubingen.jpg", "seated-nude.jpg"):
            assets.locate_image(f"asset:{name}")
    except InputError as error:
        pytest.skip(f"the pictures are not at hand: {error}")
    settings = config.compose(
        "preset=neural_style",
        "network=vgg19_q8",
        f"network.weights={vgg19_q8}",
        "style=femme_nue_assise",
        "optimizer.max_evaluations=1",
        "tracking=off",
    )
    transfer.run(settings, tmp_path)
    summary = json.loads((tmp_path / "summary.json").read_text())
    for term, (weight, printed) in NEURAL_STYLE.items():
        assert weight * summary[term] == pytest.approx(printed, rel=0.015), term
