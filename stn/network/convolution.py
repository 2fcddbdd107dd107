"""The 3 × 3 convolution: direct, or by Winograd's minimal filtering with a quarter of the products.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4: for a
kernel g, 4 × 4 outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A of the tile d of 6 × 6 inputs. Over the
channels ⊙ is 36 matrix products. The gradient with respect to the image is the same algorithm with
the kernel flipped. Flipping a kernel turns its value at a point x into that at 1/x, so one
transformed kernel serves both passes: the backward pass takes each point's reciprocal.

A direct convolution is also the gradient of one with the kernel turned. So Conv2DBackpropInput,
TensorFlow's operation for the backward pass, can make both. Without AVX-512 oneDNN's Conv2D takes
up to four times as long (docs/science/benchmark.md)."""

import contextlib
import functools
import json
import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from stn import backend, devices, files
from stn.backend import Tensor, tf

# Fractions p/q, a point beside its negative reciprocal after Barabasz, Anderson, Soodhalter and
# Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
# Networks", ACM TOMS 46:4, 2020. Measured with 512 channels, the common 0, ±1, ±2 and infinity
# round 1.5 times as much.
_POINTS = ((0, 1), (1, 1), (-1, 1), (1, 2), (-2, 1), (1, 0))
_OUTPUTS, _TAPS = 4, 3


def _powers(points: Sequence[tuple[int, int]], count: int) -> np.ndarray:
    """Rows p^k q^(count-1-k): a polynomial's value at p/q, times q^(count-1); at infinity its last
    coefficient.
    """
    return np.array(
        [[float(p) ** k * float(q) ** (count - 1 - k) for k in range(count)] for p, q in points]
    )


def _transforms(points: Sequence[tuple[int, int]]) -> tuple[np.ndarray, np.ndarray]:
    """Bᵀ ⊗ Bᵀ [36, 36] for the input and Aᵀ ⊗ Aᵀ [16, 36] for the output; the kernel's G is
    _powers(points, 3).
    """
    rows = []
    for p, q in points:
        row, norm = np.ones(1), 1.0
        for other_p, other_q in points:
            if (other_p, other_q) != (p, q):
                row = np.convolve(row, [-other_p, other_q])  # coefficients in ascending order
                norm *= p * other_q - other_p * q
        rows.append(row / norm)
    B, A = np.array(rows), _powers(points, _OUTPUTS).T
    return np.kron(B, B), np.kron(A, A)


# Tiles are taken in blocks of this size, once transformed: more would cost memory and gain no time;
# ours.
_BLOCK_BYTES = 16 * 2**20
_FORWARD = _transforms(_POINTS)
_BACKWARD = _transforms([(q, p) for p, q in _POINTS])


def chosen(method: str) -> str:
    """`method` itself, and for "auto" what suits the device: winograd on CPUs, direct where
    there is a GPU.

    The second is not measured: there was no GPU to run on.
    """
    if method != "auto":
        return method
    return "direct" if devices.gpus() else "winograd"


class Turned(NamedTuple):
    """A kernel [3, 3, in, out] for a direct convolution by Conv2DBackpropInput, which turns it."""

    kernel: Tensor


# What makes the forward pass of direct convolutions. The backward pass is the second's in any case.
OPERATIONS: dict[str, Callable[[Tensor], Any]] = {
    "conv2d": lambda kernel: kernel,
    "conv2d_backprop_input": Turned,
}
# So many times as long Conv2D has to take before it is avoided; ours. Measured: 1.0 with AVX-512,
# where both give the same bytes, and 4 with oneDNN held to AVX2.
SLOWER = 2.0
MEASURED = "convolutions.json"  # in the cache: an operation by processor and versions


def operation(channels: int) -> str:
    """The key of OPERATIONS that suits this processor, for a network with so many channels.

    It is measured once, which takes a third of a second, and kept in the cache. On a GPU, and in
    networks too narrow to matter, it is `conv2d`."""
    return "conv2d" if channels < 64 or devices.gpus() else of_this_machine()


@functools.cache
def of_this_machine() -> str:
    """What was measured here, by this process or an earlier one, or is measured now."""
    place, machine = files.cache_dir() / MEASURED, _machine()
    try:
        known = json.loads(place.read_text())
        if known[machine] in OPERATIONS:
            return str(known[machine])
    except (OSError, ValueError, KeyError, TypeError):
        known = None
    found = _measured()
    with contextlib.suppress(OSError):  # no place to keep it: each process measures
        place.parent.mkdir(parents=True, exist_ok=True)
        files.write_json(place, {**(known if isinstance(known, dict) else {}), machine: found})
    return found


def _measured() -> str:
    """By processor time, which other work on the machine changes least, in a layer as conv2_2."""
    x, kernel = tf.zeros((1, 48, 64, 128)), tf.zeros((3, 3, 128, 128))

    def seconds(kernel: Any) -> float:
        return _seconds(tf.function(lambda: convolve(x, kernel), autograph=False))

    slow = seconds(kernel) > SLOWER * seconds(Turned(kernel))
    return "conv2d_backprop_input" if slow else "conv2d"


def _seconds(action: Callable[[], Any]) -> float:
    """The least of five, after one that compiles."""
    action()
    found = []
    for _ in range(5):
        began = time.process_time()
        action()
        found.append(time.process_time() - began)
    return min(found)


def _machine() -> str:
    """The processor, what it can, and what decides which of it is used."""
    about, said = Path("/proc/cpuinfo"), {}
    if about.is_file():
        lines = [line.partition(":") for line in about.read_text().splitlines()]
        said = {key.strip(): value.strip() for key, _, value in lines}
    names = ("TF_ENABLE_ONEDNN_OPTS", "ONEDNN_MAX_CPU_ISA", "DNNL_MAX_CPU_ISA")
    chosen = [said.get("flags"), *(os.environ.get(name) for name in names)]
    processor = said.get("model name") or platform.processor() or platform.machine()
    return f"{processor}, TensorFlow {tf.version.VERSION}, {files.digest(chosen)[:8]}"


def transform_kernel(kernel: np.ndarray) -> Tensor:
    """G g Gᵀ [36, in, out] of a kernel g [3, 3, in, out], float32."""
    G = _powers(_POINTS, _TAPS)
    U = tf.matmul(
        tf.constant(np.kron(G, G), tf.float32), tf.reshape(tf.constant(kernel, tf.float32), (9, -1))
    )
    return tf.reshape(U, (36, *kernel.shape[2:]))


def convolve(x: Tensor, kernel: Tensor, border: str = "zero") -> Tensor:
    """Convolution [1, H, W, out] of `x` [1, H, W, in], by the algorithm that the kernel is made
    for.

    `border` is what lies beyond the last pixel: zero, its neighbor again (reflect), itself
    (replicate), or the pixel at the opposite side (wrap)."""
    if border != "zero":
        x = _bordered(x, border)
    if isinstance(kernel, Turned):
        y = _turned(x, kernel.kernel)
        return y if border == "zero" else y[:, 1:-1, 1:-1]
    if len(kernel.shape) == 3:
        return _winograd(x, kernel, zeros=border == "zero")
    return tf.nn.conv2d(x, kernel, 1, "SAME" if border == "zero" else "VALID")


def _turned(x: Tensor, kernel: Tensor) -> Tensor:
    """The direct convolution, and its gradient with respect to `x`, by Conv2DBackpropInput."""
    turned = tf.transpose(tf.reverse(kernel, (0, 1)), (0, 1, 3, 2))  # [3, 3, out, in]

    def of(x: Tensor, kernel: Tensor) -> Tensor:
        return tf.nn.conv2d_transpose(x, kernel, (*x.shape[:3], kernel.shape[2]), 1, "SAME")

    @tf.custom_gradient
    def differentiable(x: Tensor) -> tuple[Tensor, Tensor]:
        return of(x, turned), lambda dy: of(dy, kernel)

    return differentiable(x)


# The borders that tf.pad knows by a name of its own. One pixel of SYMMETRIC is the border's own.
PADDINGS = {"zero": "CONSTANT", "reflect": "REFLECT", "replicate": "SYMMETRIC"}


def border_at(layer: str, border: str) -> str:
    """The border that a convolution sees; `replicate_first` is one of the first convolution alone
    (crowsonkb/style-transfer-pytorch).
    """
    if border != "replicate_first":
        return border
    return "replicate" if layer == "conv1_1" else "zero"


def border_of_painting(border: str) -> str:
    """The border of a picture for a painting, whose last pixels go on where the picture's opposite
    side would.

    It is no tile: its edge against itself would become part of its style.
    """
    return "replicate" if border == "wrap" else border


def _bordered(x: Tensor, border: str) -> Tensor:
    """`x` with one pixel more on each side."""
    if border == "wrap":
        for axis in (1, 2):
            first, last = (tf.gather(x, [place], axis=axis) for place in (0, x.shape[axis] - 1))
            x = tf.concat([last, x, first], axis)
        return x
    return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], PADDINGS[border])


def _winograd(x: Tensor, U: Tensor, zeros: bool) -> Tensor:
    """The convolution for a kernel of `transform_kernel`, with its exact gradient with respect to
    `x`; without `zeros` the border is part of `x`, and [1, H - 2, W - 2, out] comes out.

    Equal to the direct sum up to rounding. With 512 channels the error is 3e-6 of the output's
    standard deviation (root mean square; at most 4e-5), that of TensorFlow's direct sum 1e-6. H and
    W are those of the traced shape."""

    @tf.custom_gradient
    def differentiable(x: Tensor) -> tuple[Tensor, Tensor]:
        margin = 1 if zeros else 0
        y = _tiles(x, U, *_FORWARD, margin=margin)
        return y, lambda dy: _tiles(dy, U, *_BACKWARD, margin=2 - margin, transpose=True)

    return differentiable(x)


def _tiles(
    x: Tensor, U: Tensor, B: np.ndarray, A: np.ndarray, margin: int, transpose: bool = False
) -> Tensor:
    """The algorithm with `margin` zeros around `x`, a few rows of tiles after another; those that
    meet no border are a loop in a graph.
    """
    H, W = x.shape[1] + 2 * margin - 2, x.shape[2] + 2 * margin - 2  # of what comes out
    rows, columns, out = -(-H // 4), -(-W // 4), U.shape[2 - transpose]
    at_once = max(1, _BLOCK_BYTES // (36 * columns * 4 * max(U.shape[1:])))
    count = -(-rows // at_once)

    def block(number: Tensor, blocks: Tensor) -> Tensor:
        first = number * at_once
        last = min(first + at_once, rows) if isinstance(number, int) else first + at_once
        top, bottom = 4 * first - margin, 4 * last + 4 - margin  # whole tiles, of the one below too
        above = below = 0
        if isinstance(number, int):
            above, below = max(-top, 0), max(bottom - x.shape[1], 0)
        # One after another, or their memory would add up.
        with tf.control_dependencies([blocks.flow]):
            part = x[0, top + above : bottom - below]
            right = 4 * columns + 4 - margin - x.shape[2]
            part = tf.pad(part, [[above, below], [margin, right], [0, 0]])
        height = last - first if isinstance(number, int) else at_once
        return blocks.write(number, _rows_of_tiles(part, height, columns, U, B, A, transpose))

    none = tf.TensorArray(x.dtype, count, infer_shape=False, element_shape=(None, 4 * columns, out))
    # The first number, from 1, of those that meet the lower border.
    inner = (x.shape[1] - 4 + margin) // (4 * at_once)
    blocks = backend.in_turn(block, count, inner, none)
    return tf.ensure_shape(blocks.concat(), (4 * rows, 4 * columns, out))[None, :H, :W]


def _rows_of_tiles(
    x: Tensor, rows: int, columns: int, U: Tensor, B: np.ndarray, A: np.ndarray, transpose: bool
) -> Tensor:
    """Cut into overlapping tiles, transform, multiply, transform back, put together: [4 rows, 4
    columns, out].
    """
    N = U.shape[1 + transpose]
    # [4, 4, rows + 1, columns + 1, N]: pixels by their place in the tile; the tile's fifth and
    # sixth row are the first two of the tile below.
    x = tf.transpose(tf.reshape(x, (rows + 1, 4, columns + 1, 4, N)), (1, 3, 0, 2, 4))
    x = tf.concat([x[:, :, :rows], x[:2, :, 1:]], 0)
    x = tf.concat([x[:, :, :, :columns], x[:, :2, :, 1:]], 1)
    V = tf.matmul(tf.constant(B, tf.float32), tf.reshape(x, (36, -1)))
    M = tf.matmul(tf.reshape(V, (36, rows * columns, N)), U, transpose_b=transpose)
    out = M.shape[-1]
    Y = tf.matmul(tf.constant(A, tf.float32), tf.reshape(M, (36, -1)))
    Y = tf.transpose(tf.reshape(Y, (4, 4, rows, columns, out)), (2, 0, 3, 1, 4))
    return tf.reshape(Y, (4 * rows, 4 * columns, out))
