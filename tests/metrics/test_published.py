"""Numbers that papers print, by their definitions."""

import numpy as np
import pytest
from synthetic import vgg as random_vgg

from stn.metrics import published
from stn.network import vgg
from stn.network.network import of_weights

RNG = np.random.default_rng(0)
SHAPES = {"content": (48, 64, 3), "result": (48, 64, 3), "style": (40, 80, 3)}
PICTURES = {name: RNG.uniform(90, 165, shape).round() for name, shape in SHAPES.items()}


def test_stytr2_is_its_definition() -> None:
    """Means and deviations by NumPy, divided by M − 1, on features of the graph."""
    loaded = of_weights(random_vgg(19, channels=4))

    def features(rgb: np.ndarray) -> dict[str, np.ndarray]:
        layers = published.STYLE_LAYERS
        image = (rgb - loaded.mean_pixel)[None].astype(np.float32)
        found = vgg.features(image, loaded.kernels, layers, vgg.Options("max", border="reflect"))
        return {name: F.numpy().reshape(-1, F.shape[-1]).astype(float) for name, F in found.items()}

    F, P, S = (features(PICTURES[name]) for name in ("result", "content", "style"))
    content = style = 0.0
    for name in F:
        mine, its = (
            (each.mean(0), np.sqrt(each.var(0, ddof=1) + 1e-5)) for each in (F[name], S[name])
        )
        style += ((mine[0] - its[0]) ** 2).mean() + ((mine[1] - its[1]) ** 2).mean()
        if name in ("relu4_1", "relu5_1"):
            photograph = P[name].mean(0), np.sqrt(P[name].var(0, ddof=1) + 1e-5)
            difference = (F[name] - mine[0]) / mine[1] - (P[name] - photograph[0]) / photograph[1]
            content += (difference**2).mean()
    found = published.stytr2(PICTURES["result"], PICTURES["content"], PICTURES["style"], loaded)
    assert found == pytest.approx({"stytr2/content": content, "stytr2/style": style}, rel=1e-4)


def test_gray_and_color_ssim_differ_where_only_color_changes() -> None:
    content = PICTURES["content"]
    shifted = content.copy()
    # Red rises by 0.114 and blue falls by 0.299 of the same pattern: luma stays.
    pattern = 60 * np.sin(np.arange(64) / 2)
    shifted[..., 0] += 0.114 * pattern
    shifted[..., 2] -= 0.299 * pattern
    found = published.ssim(shifted, content)
    assert found["ssim/gray"] == pytest.approx(1, abs=1e-6) and found["ssim/rgb"] < 0.99
