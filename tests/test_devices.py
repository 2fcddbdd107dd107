"""GPUs: none is needed here. What TensorFlow would say of one is given; the rest is ours."""

import json
import warnings
from pathlib import Path

import numpy as np
import psutil
import pytest

from stn import devices, errors
from stn.backend import tf
from stn.config import schema
from stn.network import convolution, network, vgg

CONTENT, STYLE = "relu4_2", ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")


def allowed() -> bool:
    return tf.config.experimental.tensor_float_32_execution_enabled()


class Device:
    device_type, memory_limit = "GPU", 16e9


@pytest.fixture
def gpu(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """What TensorFlow and Linux say of a GPU."""
    tf.executing_eagerly()  # loads TensorFlow as stn does, in silence
    from tensorflow.python.client import device_lib

    card = {"device_name": "NVIDIA A100", "compute_capability": (8, 0)}
    monkeypatch.setattr(tf.config, "list_physical_devices", lambda kind: ["GPU:0"])
    monkeypatch.setattr(tf.config.experimental, "get_device_details", lambda device: card)
    used = {"current": 4e9, "peak": 5e9}
    monkeypatch.setattr(tf.config.experimental, "get_memory_info", lambda device: used)
    monkeypatch.setattr(device_lib, "list_local_devices", lambda: [Device])
    driver = tmp_path / "version"
    driver.write_text("NVRM version: NVIDIA UNIX x86_64 Kernel Module  535.104.05  Sat Aug 19\n")
    monkeypatch.setattr(devices, "DRIVER", driver)


def test_float32_unless_tf32_is_asked_for(gpu: None) -> None:
    assert not allowed()  # where TensorFlow alone has it on
    devices.use_precision("tf32")
    assert allowed()
    devices.use_precision("float32")
    assert not allowed()


def test_tf32_without_a_gpu_is_not_ignored_in_silence() -> None:
    with pytest.warns(UserWarning, match=r"network\.precision=tf32 has no effect without a GPU"):
        devices.use_precision("tf32")
    devices.use_precision("float32")


def test_a_run_sets_the_precision_and_says_the_device(run, tmp_path, monkeypatch, gpu) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        run(tmp_path / "run", "network.precision=tf32", "network.gradient_checkpointing=false")
    assert allowed()
    monkeypatch.undo()
    devices.use_precision("float32")
    machine = json.loads((tmp_path / "run" / "provenance.json").read_text())["machine"]
    assert machine["gpu"] == "NVIDIA A100" and machine["driver"] == "535.104.05"
    assert machine["gpu_compute_capability"] == [8, 0] and machine["cudnn"]


@pytest.mark.parametrize("precision, why", [("float16", "65,504"), ("bfloat16", "5 % off")])
def test_half_precision_is_refused_with_its_reason(precision, why, composed) -> None:
    with pytest.raises(errors.InputError, match=rf"network\.precision={precision}: .*{why}"):
        composed(f"network.precision={precision}")


def rounded(x):
    """To the 10 bits of TF32's mantissa, to nearest."""
    bits = tf.bitcast(x, tf.int32) + 0x1000
    return tf.bitcast(tf.bitwise.bitwise_and(bits, ~0x1FFF), tf.float32)


def product(of, to_x, x, other, cast):
    """A product, and its gradient with respect to `x`, of factors as `cast` leaves them."""

    @tf.custom_gradient
    def made(x):
        return of(cast(x), cast(other)), lambda dy: to_x(cast(x), cast(dy), cast(other))

    return made(x)


def of_gatys(image, targets, kernels, cast):
    """Features, Gram matrices or losses of Gatys et al. 2016, and the gradient, by `cast`
    factors.
    """

    def convolve(x, kernel, border="zero"):
        return product(
            lambda x, k: tf.nn.conv2d(x, k, 1, "SAME"),
            lambda x, dy, k: tf.nn.conv2d_transpose(dy, k, x.shape, 1, "SAME"),
            *(x, kernel, cast),
        )

    def gram(F):
        @tf.custom_gradient
        def made(F):
            G = tf.matmul(cast(F), cast(F), transpose_a=True)
            return G, lambda dG: tf.matmul(cast(F), cast(dG + tf.transpose(dG)))

        return made(tf.reshape(F, (-1, F.shape[-1])))

    image = tf.constant(image)
    with pytest.MonkeyPatch.context() as patch, tf.GradientTape() as tape:
        patch.setattr(convolution, "convolve", convolve)
        tape.watch(image)
        F = vgg.features(image, kernels, {CONTENT, *STYLE}, vgg.Options("avg"))
        found = {layer: gram(F[layer]) for layer in STYLE} | {CONTENT: F[CONTENT]}
        if targets is None:
            return found
        losses = {CONTENT: tf.reduce_sum((found[CONTENT] - targets[CONTENT]) ** 2) / 2}
        for layer in STYLE:
            _, height, width, N = F[layer].shape
            squares = tf.reduce_sum((found[layer] - targets[layer]) ** 2)
            losses[layer] = 1e3 / 5 * squares / (2 * N * height * width) ** 2
        total = tf.add_n([*losses.values()])
    return {**losses, "total": total}, tape.gradient(total, image)


def test_tf32_moves_the_loss_a_thousandth_and_the_gradient_some_percent(vgg19_q8: Path) -> None:
    """The size that docs/reference/outputs.md gives, emulated: every factor is rounded."""
    net = network.load(vgg19_q8, schema.Network(convolution="direct"))
    y, x = np.mgrid[:64, :64]
    disc = np.where(np.hypot(x - 40, y - 26) < 16, 220.0, 60.0)
    slopes = np.stack([2.0 * x, disc, 2.5 * y], axis=-1)
    stripes = np.stack([128 + 100 * np.sin((x + k * y) / 3) for k in (1, 2, 3)], axis=-1)
    noise = np.random.default_rng(0).normal(128, 40, slopes.shape)
    found = {}
    for name, cast in (("float32", lambda x: x), ("tf32", rounded)):
        targets = of_gatys(net.image(stripes), None, net.kernels, cast)
        targets[CONTENT] = of_gatys(net.image(slopes), None, net.kernels, cast)[CONTENT]
        found[name] = of_gatys(net.image(noise), targets, net.kernels, cast)
    (loss, gradient), (other, moved) = found["float32"], found["tf32"]
    off = {name: float(other[name] / loss[name] - 1) for name in loss}
    assert 1e-4 < abs(off["total"]) < 3e-3 and 2e-4 < abs(off["relu3_1"]) < 5e-3
    assert 0.003 < np.linalg.norm(moved - gradient) / np.linalg.norm(gradient) < 0.1
    assert np.asarray(rounded(tf.constant([1 + 2**-10, 1 + 2**-12, -3.0]))).tolist() == [
        *(1 + 2**-10, 1.0, -3.0)
    ]


def test_free_memory_is_the_machines_or_the_limit_less_what_is_used(request) -> None:
    free = psutil.virtual_memory().available
    assert devices.free_bytes() == pytest.approx(free, rel=0.3)
    request.getfixturevalue("gpu")
    assert devices.free_bytes() == 12e9
