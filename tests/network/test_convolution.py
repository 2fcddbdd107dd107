"""Winograd's algorithm against the direct sum in float64, values and gradients, at awkward sizes
and block sizes.
"""

import json
from pathlib import Path

import numpy as np
import pytest

from stn.backend import tf
from stn.network import convolution, quickest, winograd

RNG = np.random.default_rng(0)


def value_and_gradient(x: np.ndarray, kernel, upstream: np.ndarray, dtype, border="zero"):
    x, upstream = tf.constant(x, dtype), tf.constant(upstream, dtype)
    with tf.GradientTape() as tape:
        tape.watch(x)
        y = convolution.convolve(x, kernel, border)
    return y.numpy(), tape.gradient(y, x, upstream).numpy()


@pytest.mark.parametrize("block_bytes", [1, 40_000, 2**24])
@pytest.mark.parametrize(
    ("h", "w", "channels", "filters"),
    [(1, 1, 3, 5), (2, 9, 4, 4), (13, 18, 8, 3), (16, 16, 5, 7), (97, 31, 6, 6)],
)
def test_values_and_gradient_are_those_of_the_direct_sum(
    h, w, channels, filters, block_bytes, monkeypatch
):
    monkeypatch.setattr(winograd, "_BLOCK_BYTES", block_bytes)
    x = RNG.normal(size=(1, h, w, channels))
    kernel = RNG.normal(size=(3, 3, channels, filters)).astype(np.float32)
    upstream = RNG.normal(size=(1, h, w, filters))
    y, dx = value_and_gradient(x, winograd.transform_kernel(kernel), upstream, tf.float32)
    expected_y, expected_dx = value_and_gradient(
        x, tf.constant(kernel, tf.float64), upstream, tf.float64
    )
    assert y == pytest.approx(expected_y, abs=2e-5 * expected_y.std() + 1e-5)
    assert dx == pytest.approx(expected_dx, abs=2e-5 * expected_dx.std() + 1e-5)


def gathered(x: np.ndarray, kernel: np.ndarray, upstream: np.ndarray, mode: str):
    """The naive equation: pixels beyond the border by their numbers, then the direct sum."""
    _, h, w, channels = x.shape
    pixel = np.pad(np.arange(h * w).reshape(h, w), 1, mode=mode)
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        around = tf.gather(tf.reshape(x, (h * w, channels)), pixel)[None]
        y = tf.nn.conv2d(around, tf.constant(kernel, tf.float64), 1, "VALID")
    return y.numpy(), tape.gradient(y, x, tf.constant(upstream)).numpy()


@pytest.mark.parametrize("block_bytes", [1, 20_000, 2**24])
@pytest.mark.parametrize(
    ("border", "mode"), [("reflect", "reflect"), ("replicate", "edge"), ("wrap", "wrap")]
)
@pytest.mark.parametrize(
    ("h", "w", "channels", "filters"),
    [(2, 9, 4, 4), (13, 18, 8, 3), (16, 16, 5, 7), (19, 15, 3, 4), (62, 21, 6, 6)],
)
@pytest.mark.parametrize("make", [winograd.transform_kernel, tf.constant])
def test_a_border_is_the_direct_sum_of_the_pixels_that_it_names(
    make, h, w, channels, filters, border, mode, block_bytes, monkeypatch
):
    monkeypatch.setattr(winograd, "_BLOCK_BYTES", block_bytes)
    x = RNG.normal(size=(1, h, w, channels))
    kernel = RNG.normal(size=(3, 3, channels, filters)).astype(np.float32)
    upstream = RNG.normal(size=(1, h, w, filters))
    found = value_and_gradient(x, make(kernel), upstream, tf.float32, border)
    for ours, expected in zip(found, gathered(x, kernel, upstream, mode), strict=True):
        assert ours == pytest.approx(expected, abs=2e-5 * expected.std() + 1e-5)


@pytest.mark.parametrize("border", ["zero", "reflect"])
@pytest.mark.parametrize(("h", "w", "channels", "filters"), [(2, 9, 3, 8), (13, 18, 8, 5)])
def test_the_direct_sum_by_its_own_gradient_is_the_direct_sum(h, w, channels, filters, border):
    x = RNG.normal(size=(1, h, w, channels))
    kernel = RNG.normal(size=(3, 3, channels, filters)).astype(np.float32)
    upstream = RNG.normal(size=(1, h, w, filters))
    turned = convolution.OPERATIONS["conv2d_backprop_input"](tf.constant(kernel))
    found = value_and_gradient(x, turned, upstream, tf.float32, border)
    exact = value_and_gradient(x, tf.constant(kernel, tf.float64), upstream, tf.float64, border)
    for ours, expected in zip(found, exact, strict=True):
        assert ours == pytest.approx(expected, abs=1e-5 * expected.std())


@pytest.fixture
def machine(tmp_path, monkeypatch) -> Path:
    """One of which nothing is known: an empty cache, whose file of measurements this is."""
    monkeypatch.setenv("STN_CACHE", str(tmp_path))
    quickest.of_this_machine.cache_clear()
    yield tmp_path / "convolutions.json"
    quickest.of_this_machine.cache_clear()


def test_the_operation_is_measured_once_and_kept_by_processor(machine: Path) -> None:
    assert quickest.operation(4) == "conv2d" and not machine.exists()  # too narrow to matter
    measured = quickest.operation(64)
    kept = json.loads(machine.read_text())
    assert [*kept.values()] == [measured] and f"TensorFlow {tf.version.VERSION}" in min(kept)
    other = min({*convolution.OPERATIONS} - {measured})
    machine.write_text(json.dumps({min(kept): other, "another": "conv2d"}))
    assert quickest.operation(64) == measured  # of this process
    quickest.of_this_machine.cache_clear()
    assert quickest.operation(64) == other  # of this machine
    machine.write_text(json.dumps({min(kept): "unknown", "another": "conv2d"}))
    quickest.of_this_machine.cache_clear()
    assert quickest.operation(64) == measured
    assert json.loads(machine.read_text()) == {min(kept): measured, "another": "conv2d"}


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [((1.0, 0.25), "conv2d_backprop_input"), ((1.0, 0.9), "conv2d"), ((1.0, 2.0), "conv2d")],
)
def test_conv2d_is_avoided_where_it_takes_much_longer(seconds, expected, machine, monkeypatch):
    given = iter(seconds)
    monkeypatch.setattr(quickest, "_seconds", lambda action: next(given))
    assert quickest.operation(64) == expected


def test_a_damaged_measurement_is_made_again(machine: Path) -> None:
    machine.write_text("[")
    assert quickest.operation(64) in convolution.OPERATIONS
    assert len(json.loads(machine.read_text())) == 1


def test_rounding_at_the_width_of_vgg_is_what_the_docstring_says():
    x = np.maximum(RNG.normal(size=(1, 24, 32, 512)), 0)
    kernel = (RNG.normal(size=(3, 3, 512, 512)) * (2 / (9 * 512)) ** 0.5).astype(np.float32)
    upstream = RNG.normal(size=(1, 24, 32, 512))
    found = value_and_gradient(x, winograd.transform_kernel(kernel), upstream, tf.float32)
    expected = value_and_gradient(x, tf.constant(kernel, tf.float64), upstream, tf.float64)
    for ours, exact in zip(found, expected, strict=True):
        error = (ours - exact) / exact.std()
        assert np.sqrt(np.mean(error**2)) < 1e-5
        assert np.abs(error).max() < 1e-4


def test_a_kernel_at_a_point_is_its_polynomial():
    """At 0, 1, -1 and infinity of both axes: corner, sums and alternating sums that can be written
    down.
    """
    kernel = RNG.normal(size=(3, 3, 1, 1)).astype(np.float32)
    U = winograd.transform_kernel(kernel).numpy().reshape(6, 6)
    k = kernel[:, :, 0, 0]
    signs = np.array([1, -1, 1])
    assert (
        U[0, 0] == pytest.approx(k[0, 0])
        and U[5, 5] == pytest.approx(k[2, 2])
        and U[0, 5] == pytest.approx(k[0, 2])
    )
    assert U[1, 1] == pytest.approx(k.sum(), rel=1e-5) and U[2, 1] == pytest.approx(
        (signs @ k).sum(), rel=1e-4
    )
