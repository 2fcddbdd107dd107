"""The 3 × 3 convolution: direct, or by Winograd's minimal filtering with a quarter of the products.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4: for a
kernel g, 4 × 4 outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A of the tile d of 6 × 6 inputs; over the
channels ⊙ is 36 matrix products. The gradient with respect to the image is the same algorithm with
the kernel flipped. Flipping a kernel turns its value at a point x into that at 1/x, so one
transformed kernel serves both passes: the backward pass takes each point's reciprocal."""

from typing import Any

import numpy as np

from stn import backend, devices
from stn.backend import tf

# Fractions p/q, a point beside its negative reciprocal after Barabasz, Anderson, Soodhalter and
# Gregg, "Error Analysis and Improving the Accuracy of Winograd Convolution for Deep Neural
# Networks", ACM TOMS 46:4, 2020. Measured with 512 channels, the common 0, ±1, ±2 and infinity
# round 1.5 times as much.
_POINTS = ((0, 1), (1, 1), (-1, 1), (1, 2), (-2, 1), (1, 0))
_OUTPUTS, _TAPS = 4, 3


def _powers(points: Any, count: int) -> np.ndarray:
    """Rows p^k q^(count-1-k): a polynomial's value at p/q, times q^(count-1); at infinity its last
    coefficient.
    """
    return np.array(
        [[float(p) ** k * float(q) ** (count - 1 - k) for k in range(count)] for p, q in points]
    )


def _transforms(points: Any) -> tuple[np.ndarray, np.ndarray]:
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
    """`method` itself, and for "auto" what suits the device: winograd on processors, direct where
    there is a GPU.

    The second is not measured: there was no GPU to run on.
    """
    if method != "auto":
        return method
    return "direct" if devices.gpus() else "winograd"


def transform_kernel(kernel: np.ndarray) -> Any:
    """G g Gᵀ [36, in, out] of a kernel g [3, 3, in, out], float32."""
    G = _powers(_POINTS, _TAPS)
    U = tf.matmul(
        tf.constant(np.kron(G, G), tf.float32), tf.reshape(tf.constant(kernel, tf.float32), (9, -1))
    )
    return tf.reshape(U, (36, *kernel.shape[2:]))


def convolve(x: Any, kernel: Any, border: str = "zero") -> Any:
    """Convolution [1, H, W, out] of `x` [1, H, W, in], by the algorithm that the kernel is made
    for.

    `border` is what lies beyond the last pixel: zero, its neighbor again (reflect), itself
    (replicate), or the pixel at the opposite side (wrap)."""
    if border != "zero":
        return convolve(_bordered(x, border), kernel)[:, 1:-1, 1:-1]
    return (
        _winograd(x, kernel)
        if len(kernel.shape) == 3
        else tf.nn.conv2d(x, kernel, strides=1, padding="SAME")
    )


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


def _bordered(x: Any, border: str) -> Any:
    """`x` with one pixel more on each side."""
    if border == "wrap":
        for axis in (1, 2):
            first, last = (tf.gather(x, [place], axis=axis) for place in (0, x.shape[axis] - 1))
            x = tf.concat([last, x, first], axis)
        return x
    return tf.pad(x, [[0, 0], [1, 1], [1, 1], [0, 0]], PADDINGS[border])


def _winograd(x: Any, U: Any) -> Any:
    """The convolution for a kernel of `transform_kernel`, with its exact gradient with respect to
    `x`.

    Equal to the direct sum up to rounding. With 512 channels the error is 3e-6 of the output's
    standard deviation (root mean square; at most 4e-5), that of TensorFlow's direct sum 1e-6. H and
    W are those of the traced shape."""

    @tf.custom_gradient
    def differentiable(x: Any) -> tuple[Any, Any]:
        return _tiles(x, U, *_FORWARD), lambda dy: _tiles(dy, U, *_BACKWARD, transpose=True)

    return differentiable(x)


def _tiles(x: Any, U: Any, B: np.ndarray, A: np.ndarray, transpose: bool = False) -> Any:
    """The algorithm, a few rows of tiles after another; those that meet no border are a loop in a
    graph.
    """
    _, H, W, _ = x.shape
    rows, columns, out = -(-H // 4), -(-W // 4), U.shape[2 - transpose]
    at_once = max(1, _BLOCK_BYTES // (36 * columns * 4 * max(U.shape[1:])))
    count = -(-rows // at_once)

    def block(number: Any, blocks: Any) -> Any:
        first = number * at_once
        last = min(first + at_once, rows) if isinstance(number, int) else first + at_once
        top, bottom = 4 * first - 1, 4 * last + 3  # with the border of one pixel, and whole tiles
        above, below = (max(-top, 0), max(bottom - H, 0)) if isinstance(number, int) else (0, 0)
        with tf.control_dependencies(
            [blocks.flow]
        ):  # one after another, or their memory would add up
            part = x[0, top + above : bottom - below]
            part = tf.pad(part, [[above, below], [1, 4 * columns + 3 - W], [0, 0]])
        height = last - first if isinstance(number, int) else at_once
        return blocks.write(number, _rows_of_tiles(part, height, columns, U, B, A, transpose))

    none = tf.TensorArray(x.dtype, count, infer_shape=False, element_shape=(None, 4 * columns, out))
    inner = (H - 3) // (
        4 * at_once
    )  # the first number, from 1, of those that meet the lower border
    blocks = backend.in_turn(block, count, inner, none)
    return tf.ensure_shape(blocks.concat(), (4 * rows, 4 * columns, out))[None, :H, :W]


def _rows_of_tiles(
    x: Any, rows: int, columns: int, U: Any, B: np.ndarray, A: np.ndarray, transpose: bool
) -> Any:
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
