"""Guides against probes of a network, as the authors find them, and the arithmetic of receptive
fields.
"""

import numpy as np
import pytest
import synthetic

from stn.assets.weights import Layer, Weights
from stn.config.schema import Guidance
from stn.layers import VGG16, VGG19
from stn.network import vgg
from stn.objective import guides

FIVE = [f"relu{block}_1" for block in range(1, 6)]
HALF = np.arange(512)[:, None] * np.ones(512) < 256  # the upper half is inside
WRAPS = vgg.Options(border="wrap")


def shares(guide: guides.GuidanceChannels) -> list[float]:
    return [float((T > 0).mean()) for T in guide.layers.values()]


def rows_gained(margin: int) -> list[float]:
    """By how many positions of each layer the lower edge of HALF moved."""
    guide = guides.propagate(HALF, FIVE, VGG19, Guidance(propagation="inside", margin=margin))
    return [
        (share - 0.5) * len(T)
        for share, T in zip(shares(guide), guide.layers.values(), strict=True)
    ]


def seeing() -> Weights:
    """A network whose units are never off and never cancel, so that whatever a position sees
    changes it.
    """
    network = synthetic.vgg(19, channels=2, last="conv4_1")
    return Weights(
        tuple(Layer(x.name, abs(x.kernel) + 0.1, x.bias) for x in network.layers),
        network.mean_pixel,
    )


def blob(height: int, width: int, rows: slice, columns: slice) -> np.ndarray:
    mask = np.zeros((height, width))
    mask[rows, columns] = 1
    return mask


def test_inside_of_a_half_keeps_the_shares_of_the_receptive_fields():
    guide = guides.propagate(HALF, FIVE, VGG19, Guidance(propagation="inside"))
    np.testing.assert_allclose(shares(guide), [0.4980, 0.4922, 0.4766, 0.4375, 0.3438], atol=5e-5)
    assert rows_gained(0) == [-1, -2, -3, -4, -5]
    assert rows_gained(3) == [2, 1, 0, -1, -2]


def test_a_square_of_160_pixels_vanishes_at_relu5_1_where_simple_takes_its_place():
    square = blob(512, 512, slice(176, 336), slice(160, 320))
    guide = guides.propagate(square, FIVE, VGG19, Guidance(propagation="inside"))
    assert (guide.layers["relu4_1"] > 0).sum() == 144
    assert guide.vanished == ("relu5_1",)
    np.testing.assert_array_equal(
        guide.layers["relu5_1"],
        guides.propagate(square, ["relu5_1"], VGG19, Guidance()).layers["relu5_1"],
    )


@pytest.mark.parametrize(
    "layer, width",
    [
        ("relu1_1", 3),
        ("relu2_1", 10),
        ("relu3_1", 24),
        ("relu4_1", 68),
        ("relu4_2", 84),
        ("relu5_1", 156),
    ],
)
def test_the_narrowest_region_that_has_an_inside(layer, width):
    def kept(side):  # at the best of all places
        return any(
            layer
            not in guides.propagate(mask, [layer], VGG19, Guidance(propagation="inside")).vanished
            for mask in (
                blob(2, 320, slice(None), slice(start, start + side)) for start in range(80, 96)
            )
        )

    assert kept(width) and not kept(width - 1)


@pytest.mark.parametrize("ceil_mode", [True, False])
@pytest.mark.parametrize("propagation", ["inside", "all"])
@pytest.mark.parametrize(
    "rows, columns", [(slice(7, 40), slice(22, 61)), (slice(0, 30), slice(30, 58))]
)
def test_propagation_is_what_a_probe_of_the_network_sees(propagation, ceil_mode, rows, columns):
    mask = blob(45, 61, rows, columns)
    network = seeing()
    layers = [name for name in network.layer_names if name[:4] in ("conv", "pool")]
    probes = np.full((2, 45, 61, 3), 10.0)
    probes[1, mask == (propagation == "all")] += 1e3
    first, second = (
        vgg.features(probe[None], network, layers, vgg.Options("avg", ceil_mode))
        for probe in probes
    )
    guide = guides.propagate(
        mask,
        layers,
        network.layer_names,
        Guidance(propagation=propagation),
        vgg.Options(ceil_mode=ceil_mode),
    )
    for layer in set(layers) - set(guide.vanished):
        changed = (np.abs(second[layer] - first[layer])[0] > 1e-6 * np.abs(second[layer][0])).any(
            axis=-1
        )
        np.testing.assert_array_equal(
            guide.layers[layer] > 0, changed == (propagation == "all"), err_msg=layer
        )
    assert "conv3_1" not in guide.vanished


@pytest.mark.parametrize("propagation", ["inside", "all"])
def test_a_soft_mask_counts_as_inside_from_a_half_on(propagation):
    ramp, hard = (
        np.linspace(0, 1, 33)[None] * np.ones((20, 1)),
        np.ones((20, 1)) * (np.arange(33) >= 16),
    )
    soft_guide, hard_guide = (
        guides.propagate(mask, ["relu1_1", "relu2_1"], VGG19, Guidance(propagation=propagation))
        for mask in (ramp, hard)
    )
    for layer in soft_guide.layers:
        np.testing.assert_array_equal(soft_guide.layers[layer], hard_guide.layers[layer])


@pytest.mark.parametrize("margin", [-2, 1, 3])
def test_margin_is_a_square_of_positions_of_the_layer(margin):
    mask = blob(64, 96, slice(24, 40), slice(32, 64))
    for propagation in ("simple", "inside", "all"):
        plain, moved = (
            guides.propagate(
                mask, ["pool1"], VGG19, Guidance(propagation=propagation, margin=k)
            ).layers["pool1"]
            > 0
            for k in (0, margin)
        )
        for axis in (0, 1):
            before, after = (np.flatnonzero(T.any(axis=axis)) for T in (plain, moved))
            assert (after[0], after[-1]) == (before[0] - margin, before[-1] + margin)
        assert moved.sum() == np.prod(
            [np.ptp(np.flatnonzero(moved.any(axis=axis))) + 1 for axis in (0, 1)]
        )


def test_a_guide_that_its_margin_takes_away_vanishes_too():
    mask = blob(32, 32, slice(8, 16), slice(8, 16))
    guide = guides.propagate(mask, ["relu1_1", "relu3_1"], VGG19, Guidance(margin=-2))
    assert guide.vanished == ("relu3_1",)
    assert guide.layers["relu3_1"].any()


@pytest.mark.parametrize("ceil_mode", [True, False])
@pytest.mark.parametrize("propagation", ["simple", "inside", "all"])
def test_guides_have_the_layers_size_and_squares_that_sum_to_one(propagation, ceil_mode):
    rng = np.random.default_rng(0)
    mask = np.sqrt(rng.uniform(size=(37, 51)))
    network = synthetic.vgg(16)
    layers = ["conv1_1", "pool1", "relu3_2", "pool4"]
    features = vgg.features(
        np.zeros((1, 37, 51, 3)), network, layers, vgg.Options(ceil_mode=ceil_mode)
    )
    guide = guides.propagate(
        mask, layers, VGG16, Guidance(propagation=propagation), vgg.Options(ceil_mode=ceil_mode)
    )
    for layer, T in guide.layers.items():
        assert T.shape == features[layer].shape[1:3]
        assert (T**2).sum() == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("propagation", ["simple", "inside", "all"])
def test_ones_are_the_global_channel(propagation):
    guide = guides.propagate(
        np.ones((33, 40)), FIVE, VGG19, Guidance(propagation=propagation, margin=-1)
    )
    assert not guide.vanished
    for T in guide.layers.values():
        np.testing.assert_allclose(T, T.size**-0.5, rtol=1e-12)


def test_simple_keeps_what_is_narrower_than_a_position():
    line = blob(64, 64, slice(5, 6), slice(None))
    T = guides.propagate(line, ["relu5_1"], VGG19, Guidance()).layers["relu5_1"]
    assert T[0].all() and not T[1:].any()


@pytest.mark.parametrize("propagation", ["inside", "all"])
def test_a_border_that_wraps_sees_the_other_side(propagation):
    mask = blob(48, 32, slice(0, 40), slice(0, 30))
    layers = ["conv1_2", "conv2_2", "pool3"]
    wrapped = guides.propagate(mask, layers, VGG19, Guidance(propagation=propagation), WRAPS)
    rolled = guides.propagate(
        np.roll(mask, (16, 24), (0, 1)), layers, VGG19, Guidance(propagation=propagation), WRAPS
    )
    for layer, stride in zip(layers, (1, 2, 8), strict=True):
        expected = np.roll(wrapped.layers[layer], (16 // stride, 24 // stride), (0, 1))
        np.testing.assert_array_equal(rolled.layers[layer], expected, err_msg=layer)
    plain = guides.propagate(mask, layers, VGG19, Guidance(propagation=propagation))
    assert (wrapped.layers["conv1_2"][0, 5] > 0) == (propagation == "all")
    assert plain.layers["conv1_2"][0, 5] > 0


@pytest.mark.parametrize("ceil_mode", [True, False])
def test_tags_are_the_grays_and_pooled_by_their_largest(ceil_mode: bool) -> None:
    mask = np.array([[0, 0, 0.5], [0, 0.25, 0.5], [1, 0, 0]])
    found = guides.tags(mask, ["relu1_1", "relu2_1"], VGG19, ceil_mode, 10.0)
    np.testing.assert_array_equal(found["relu1_1"], [[-10, -10, 0], [-10, -5, 0], [10, -10, -10]])
    np.testing.assert_array_equal(found["relu2_1"], [[-5, 0], [10, -10]] if ceil_mode else [[-5]])
