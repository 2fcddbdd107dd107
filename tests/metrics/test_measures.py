"""The measures against oracles of their own: loops in float64, closed forms, SciPy's filters,
NumPy's histograms.
"""

import json
from pathlib import Path

import numpy as np
import pytest
import scipy.ndimage
import scipy.special
import scipy.stats
import synthetic

from stn import files, images
from stn.assets.weights import Weights
from stn.images import resizing
from stn.metrics import artifacts, measures, patches, published
from stn.network import vgg
from stn.network.network import Network, of_weights

STYLE_LAYERS = [
    "relu1_1",
    "relu2_1",
    "relu3_1",
    "relu4_1",
    "relu5_1",
]  # Gatys et al. 2016, section 3


@pytest.fixture(scope="module")
def pictures() -> dict[str, np.ndarray]:
    """Three pictures that differ; content and result 33 × 46, style 40 × 31."""
    y, x = np.mgrid[:33, :46].astype(float)
    content = np.stack([5 * x, 7 * y, 120 + 100 * (np.hypot(x - 20, y - 12) < 8)], axis=-1)
    rng = np.random.default_rng(3)
    y_style, x_style = np.mgrid[:40, :31].astype(float)
    style = np.stack(
        [128 + 90 * np.sin(x_style / 2), 100 - 80 * np.cos(y_style), 6 * x_style], axis=-1
    )
    rgb = np.clip(0.6 * content + 40 + rng.normal(0, 20, content.shape), 0, 255)
    return {"rgb": rgb, "content": content, "style": style}


def loaded(weights: Weights) -> Network:
    """The random weights as the network that `measure` takes."""
    return of_weights(weights)


def measure(pictures: dict[str, np.ndarray], network: Weights | Network) -> dict[str, float]:
    network = loaded(network) if isinstance(network, Weights) else network
    return measures.measure(pictures["rgb"], pictures["content"], pictures["style"], network)


def features(rgb: np.ndarray, network, layer: str) -> np.ndarray:
    """[positions, filters] of one picture; the graph itself is tested in test_vgg.py."""
    found = vgg.features((rgb - network.mean_pixel)[None], network, [layer], vgg.Options("avg"))[
        layer
    ].numpy()
    return found.reshape(-1, found.shape[-1]).astype(np.float64)


@pytest.mark.parametrize("depth", [16, 19])
def test_content_and_style_are_the_papers_formulas(pictures, depth: int) -> None:
    network = synthetic.vgg(depth, channels=5)
    found = measure(pictures, network)
    F, P = (features(pictures[name], network, "relu4_2") for name in ("rgb", "content"))
    M, N = F.shape
    eq1 = sum((F[k, i] - P[k, i]) ** 2 for k in range(M) for i in range(N)) / 2
    assert found["measures/content"] == pytest.approx(eq1 / (N * M), rel=1e-5)
    layers = []
    for layer in STYLE_LAYERS:
        F, S = (features(pictures[name], network, layer) for name in ("rgb", "style"))
        N = F.shape[1]
        E = 0.0
        for i in range(N):
            for j in range(N):
                G, A = sum(F[:, i] * F[:, j]) / len(F), sum(S[:, i] * S[:, j]) / len(S)
                E += (G - A) ** 2 / (4 * N**2)
        layers.append(E)
        assert found[f"measures/style/{layer}"] == pytest.approx(E, rel=1e-4)
    assert found["measures/style"] == pytest.approx(sum(layers) / 5, rel=1e-4)


@pytest.mark.parametrize("depth", [16, 19])
def test_relative_distances_are_of_every_rectifier(pictures, depth: int) -> None:
    network = synthetic.vgg(depth, channels=5)
    found = measure(pictures, network)
    layers = [layer.name.replace("conv", "relu") for layer in network.layers]
    assert len(layers) == depth - 3  # the fully connected ones are no part of the trunk
    assert {name for name in found if name.startswith("measures/gram/")} == {
        f"measures/gram/{x}" for x in layers
    }
    gram, feature = [], []
    for layer in layers:
        F, P, S = (features(pictures[name], network, layer) for name in ("rgb", "content", "style"))
        G, A = F.T @ F / len(F), S.T @ S / len(S)
        gram.append(((G - A) ** 2).sum() ** 0.5 / (A**2).sum() ** 0.5)
        feature.append(((F - P) ** 2).sum() ** 0.5 / (P**2).sum() ** 0.5)
        assert found[f"measures/gram/{layer}"] == pytest.approx(gram[-1], rel=1e-4)
        assert found[f"measures/features/{layer}"] == pytest.approx(feature[-1], rel=1e-4)
    assert found["measures/gram"] == pytest.approx(sum(gram) / len(layers), rel=1e-4)
    assert found["measures/features"] == pytest.approx(sum(feature) / len(layers), rel=1e-4)


def slope(degrees: float, height: int = 60, width: int = 80) -> np.ndarray:
    """Light that grows in one direction; 0 is to the right, 90 down."""
    y, x = np.mgrid[:height, :width]
    light = np.cos(np.radians(degrees)) * x + np.sin(np.radians(degrees)) * y
    return np.stack([light + 100] * 3, axis=-1)


@pytest.mark.parametrize(
    ("turned", "expected"), [(0, 1), (180, 1), (90, -1), (30, 0.5), (60, -0.5)]
)
def test_edges_count_by_twice_the_angle_they_turned(turned: float, expected: float) -> None:
    # cos 2·30° = ½; what is left is the borders, where a slope ends.
    assert measures.kept_edges(slope(20 + turned), slope(20)) == pytest.approx(expected, abs=0.05)


def test_edges_are_counted_where_one_asks() -> None:
    """The left half keeps its direction, the right is turned by 90°; away from seam and borders."""
    turned = slope(20)
    turned[:, 40:] = slope(20 + 90)[:, 40:]
    left, right = (np.zeros((60, 80), bool) for _ in range(2))
    left[10:50, 10:30], right[10:50, 50:70] = True, True
    assert measures.kept_edges(turned, slope(20), left) == pytest.approx(1, abs=0.01)
    assert measures.kept_edges(turned, slope(20), right) == pytest.approx(-1, abs=0.01)
    assert measures.kept_edges(turned, slope(20), left | right) == pytest.approx(0, abs=0.01)


def test_edges_count_by_their_strength_in_the_content_and_a_flat_result_has_none() -> None:
    assert measures.kept_edges(np.full((60, 80, 3), 90.0), slope(0)) == 0
    assert measures.kept_edges(slope(0), np.full((60, 80, 3), 90.0)) is None
    y, x = np.mgrid[:200, :200]
    content = np.where(x < 100, 3 * x, 200 + x)  # three times as strong on the left
    result = np.where(x < 100, x, y)
    content, result = (np.stack([light] * 3, axis=-1).astype(float) for light in (content, result))
    assert measures.kept_edges(result, content) == pytest.approx((3 * 1 + 1 * -1) / 4, abs=0.05)


def test_a_pyramids_level_is_what_the_next_lacks() -> None:
    """Burt & Adelson 1983, eqs. (1) and (2), as loops; sides even and ceil_mode, mirrored at the
    border.
    """
    rgb = np.random.default_rng(0).uniform(0, 255, (6, 9, 3))
    w = [1 / 16, 4 / 16, 6 / 16, 4 / 16, 1 / 16]

    def smooth(picture: np.ndarray) -> np.ndarray:
        height, width, _ = picture.shape
        rows = [min(abs(i), 2 * height - 2 - i) for i in range(-2, height + 2)]
        columns = [min(abs(j), 2 * width - 2 - j) for j in range(-2, width + 2)]
        found = np.zeros_like(picture)
        for i in range(height):
            for j in range(width):
                for m in range(5):
                    for n in range(5):
                        found[i, j] += w[m] * w[n] * picture[rows[i + m], columns[j + n]]
        return found

    half = smooth(rgb)[::2, ::2]
    spread = np.zeros_like(rgb)
    for i in range(half.shape[0]):
        for j in range(half.shape[1]):
            spread[2 * i, 2 * j] = 4 * half[i, j]
    first, second = patches.laplacian_pyramid(rgb, 2)
    np.testing.assert_allclose(first, rgb - smooth(spread), atol=1e-10)
    np.testing.assert_allclose(second, half, atol=1e-10)
    first, *_, last = patches.laplacian_pyramid(np.full((32, 32, 3), 77.0), 2)
    np.testing.assert_allclose(first, 0, atol=1e-10)
    np.testing.assert_allclose(last, 77)


def test_the_sliced_distance_on_a_line_is_scipys_and_of_a_shift_its_closed_form() -> None:
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=(50, 1)), rng.exponential(size=(50, 1))
    assert patches.sliced_wasserstein(x, y) == pytest.approx(
        scipy.stats.wasserstein_distance(x[:, 0], y[:, 0])
    )
    x = rng.normal(size=(40, 2))
    shift = np.array([3.0, 4.0])  # 5 long; the mean of |cos| over all directions of a plane is 2/π
    assert patches.sliced_wasserstein(x, x + shift) == pytest.approx(5 * 2 / np.pi, rel=0.1)


@pytest.mark.parametrize(("side", "levels"), [(16, 1), (31, 1), (32, 2), (63, 2), (64, 3)])
def test_patches_have_levels_down_to_sixteen_pixels(side: int, levels: int) -> None:
    """Two pictures of one color differ at the coarsest level alone, by the same at any size."""
    flat = np.full((side, side + 9, 3), 90.0)
    smallest = np.full((16, 16, 3), 90.0)
    whole = patches.distance(smallest + 7, smallest)
    assert patches.distance(flat + 7, flat) == pytest.approx(whole / levels, rel=1e-9)


def test_patches_are_measured_in_deviations_of_the_painting(pictures) -> None:
    style = resizing.resize(pictures["style"], 70, 64)
    assert patches.distance(style, style) == 0
    # Brighter by a constant: all but the last of three levels are the same, and there every patch
    # is shifted.
    last = patches.laplacian_pyramid(style, 3)[-1]
    windows = np.array(
        [last[i : i + 7, j : j + 7] for i in range(last.shape[0] - 6) for j in range(10)]
    )
    length = 7 * 20 * np.sqrt((1 / windows.std(axis=(0, 1, 2)) ** 2).sum())
    mean_cosine = scipy.special.gamma(147 / 2) / (np.sqrt(np.pi) * scipy.special.gamma(148 / 2))
    assert patches.distance(style + 20, style) == pytest.approx(length * mean_cosine / 3, rel=0.15)
    assert patches.distance(style + 40, style) == pytest.approx(
        2 * patches.distance(style + 20, style)
    )
    # Sizes may differ: another part of the painting is nearer than the photograph, or the painting
    # made pale.
    content = resizing.resize(pictures["content"], 50, 64)
    own = patches.distance(style[:60], style)
    assert 0 < own < patches.distance(content, style) / 3
    assert own < patches.distance(0.5 * style[:60] + 64, style) / 2
    assert np.isfinite(patches.distance(style, np.full((40, 50, 3), 9.0)))


def test_ssim_is_wangs(pictures) -> None:
    """Wang et al. 2004, eq. (13), window by SciPy's Gaussian, over each channel, away from the
    borders.
    """

    def window(x: np.ndarray) -> np.ndarray:
        return scipy.ndimage.gaussian_filter(x, 1.5, truncate=3.5)

    C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2  # their K1, K2 and L
    values = []
    for channel in range(3):
        x, y = pictures["rgb"][..., channel], pictures["content"][..., channel]
        mx, my = window(x), window(y)
        vx, vy, vxy = window(x * x) - mx**2, window(y * y) - my**2, window(x * y) - mx * my
        ssim = (2 * mx * my + C1) * (2 * vxy + C2) / ((mx**2 + my**2 + C1) * (vx + vy + C2))
        values.append(ssim[5:-5, 5:-5].mean())
    found = measure(pictures, synthetic.vgg(16))
    assert found["measures/ssim_to_content"] == pytest.approx(np.mean(values), rel=1e-6)


def test_histogram_distance_is_numpys(pictures) -> None:
    found = measure(pictures, synthetic.vgg(16))
    shares = {}
    for name, rgb in pictures.items():
        counts, _ = np.histogramdd(rgb.reshape(-1, 3), bins=[np.arange(0, 257, 32)] * 3)
        shares[name] = counts / counts.sum()
    for other in ("content", "style"):
        intersection = np.minimum(shares["rgb"], shares[other]).sum()
        assert found[f"measures/histogram_to_{other}"] == pytest.approx(1 - intersection, abs=1e-12)


def test_what_the_ends_of_the_scales_mean(pictures) -> None:
    found = measure(
        {**pictures, "rgb": pictures["content"], "style": pictures["content"]}, synthetic.vgg(16)
    )
    assert found.pop("measures/ssim_to_content") == pytest.approx(1)
    assert found.pop("measures/edges_to_content") == pytest.approx(1)
    content = pictures["content"]  # these two have no reference
    assert found.pop("measures/checkerboard") == artifacts.checkerboard(content)
    assert found.pop("measures/isolated_pixels") == artifacts.isolated_pixels(content)
    assert set(found.values()) == {0.0}
    black, white = np.zeros((4, 4, 3)), np.full((5, 7, 3), 255.0)
    assert measures.histogram_distance(black, white) == 1
    assert measures.histogram_distance(white, white[:2]) == 0


def test_a_larger_picture_of_the_same_measures_the_same(pictures) -> None:
    """Repeated on a 2 × 2 grid, away from borders; an unscaled sum would grow fourfold."""
    network = synthetic.vgg(16)
    tile = {
        name: np.tile(resizing.resize(rgb, 64, 64), (4, 4, 1)) for name, rgb in pictures.items()
    }
    twice = {name: np.tile(rgb, (2, 2, 1)) for name, rgb in tile.items()}
    one, four = measure(tile, network), measure(twice, network)
    for name, value in one.items():
        assert value / 2 <= four[name] <= 2 * value, name  # what is left is the borders


def test_short_weights_and_small_pictures_leave_keys_out(pictures) -> None:
    found = measure(
        {name: rgb[:10, :10] for name, rgb in pictures.items()}, synthetic.vgg(16, last="conv3_1")
    )
    assert "measures/content" not in found and "measures/ssim_to_content" not in found
    layers = [name for name in found if name.startswith("measures/style/")]
    assert layers == [f"measures/style/{layer}" for layer in STYLE_LAYERS[:3]]
    assert found["measures/style"] == pytest.approx(np.mean([found[layer] for layer in layers]))
    assert "measures/gram/relu3_1" in found and "measures/gram/relu3_2" not in found
    tiny = measure(
        {name: rgb[:6, :6] for name, rgb in pictures.items()}, synthetic.vgg(16, last="conv3_1")
    )
    assert "measures/patches_to_style" in found and "measures/patches_to_style" not in tiny
    flat = measure(
        {**pictures, "content": np.full_like(pictures["rgb"], 9.0)},
        synthetic.vgg(16, last="conv3_1"),
    )
    assert "measures/edges_to_content" not in flat


@pytest.mark.parametrize(("side", "measured"), [(10, False), (11, True)])
def test_structural_similarity_needs_its_window_of_eleven(
    pictures, side: int, measured: bool
) -> None:
    cut = {name: rgb[:side, :20] for name, rgb in pictures.items()}
    found = measure(cut, synthetic.vgg(16, last="conv2_1"))
    assert ("measures/ssim_to_content" in found) == measured
    assert bool(published.ssim(cut["rgb"], cut["content"])) == measured


def test_without_a_photograph_only_the_style_is_measured(pictures) -> None:
    network = synthetic.vgg(16, last="conv2_1")
    whole = measure(pictures, network)
    found = measure({**pictures, "content": None}, network)
    assert found == {name: whole[name] for name in found}
    of_content = {"features", "content", "ssim_to_content", "edges_to_content"}
    of_content |= {"histogram_to_content"}
    assert {name.split("/")[1] for name in whole.keys() - found.keys()} <= of_content
    assert "measures/style" in found and "measures/features" not in found


@pytest.mark.parametrize("rescaled", [False, True])
def test_a_run_measures_its_picture_on_the_plain_network(
    run, composed, tmp_path: Path, rescaled: bool
) -> None:
    from stn import transfer

    overrides = ["network.pooling=max", "init=noise"]
    if rescaled:
        means = {
            layer.name: np.full(layer.bias.size, 3.0)
            for layer in synthetic.vgg(19, channels=4).layers
        }
        files.write_arrays(tmp_path / "means.npz", means)
        overrides.append(f"network.rescale={tmp_path / 'means.npz'}")
    result = run(tmp_path / "run", *overrides)
    summary = json.loads((tmp_path / "run" / "summary.json").read_text())
    settings = composed()
    network = transfer.network_of(settings)
    originals = {
        name: resizing.resize(rgb, *resizing.target_shape(rgb, 32))
        for name, rgb in (
            ("content", images.read(settings.content.path)),
            ("style", images.read(settings.style.path)),
        )
    }
    expected = measure({"rgb": result.pixels.astype(float), **originals}, network)
    assert {
        name: value for name, value in summary.items() if name.startswith("measures/")
    } == pytest.approx(expected)
    assert len(expected) == 12 + 2 * (16 + 1) + 2
