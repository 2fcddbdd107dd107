"""Winograd's minimal filtering: the 3 × 3 convolution with a quarter of the products.

Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks", CVPR 2016, section 4: for a
kernel g, 4 × 4 outputs are Aᵀ[(G g Gᵀ) ⊙ (Bᵀ d B)]A of the tile d of 6 × 6 inputs. Over the
channels ⊙ is 36 matrix products. The gradient with respect to the image is the same algorithm with
the kernel flipped. Flipping a kernel turns its value at a point x into that at 1/x, so one
transformed kernel serves both passes: the backward pass takes each point's reciprocal."""

from collections.abc import Callable, Sequence

import numpy as np

from stn import backend
from stn.backend import Tensor, tf

# Fractions p/q, a point next to its negative reciprocal after Barabasz, Anderson, Soodhalter and
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


def transform_kernel(kernel: np.ndarray) -> Tensor:
    """G g Gᵀ [36, in, out] of a kernel g [3, 3, in, out], float32."""
    G = _powers(_POINTS, _TAPS)
    U = tf.matmul(
        tf.constant(np.kron(G, G), tf.float32), tf.reshape(tf.constant(kernel, tf.float32), (9, -1))
    )
    return tf.reshape(U, (36, *kernel.shape[2:]))


def convolve(x: Tensor, U: Tensor, zeros: bool) -> Tensor:
    """The convolution for a kernel of `transform_kernel`, with its exact gradient with respect to
    `x`; without `zeros` the border is part of `x`, and [1, H - 2, W - 2, out] comes out.

    Equal to the direct sum up to rounding. With 512 channels the error is 3e-6 of the output's
    standard deviation (root mean square; at most 4e-5), that of TensorFlow's direct sum 1e-6. H and
    W are those of the traced shape."""

    @tf.custom_gradient
    def differentiable(x: Tensor) -> tuple[Tensor, Tensor]:
        margin = 1 if zeros else 0
        y = backend.shared(_pass, (margin, False), x, U)
        return y, lambda dy: backend.shared(_pass, (2 - margin, True), dy, U)

    return differentiable(x)


def _pass(margin: int, transpose: bool) -> Callable[[Tensor, Tensor], Tensor]:
    """The forward pass, or the backward one, whose kernels are the `transpose`."""
    return lambda x, U: _tiles(x, U, margin, transpose)


def _tiles(x: Tensor, U: Tensor, margin: int, transpose: bool) -> Tensor:
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
        return blocks.write(number, _rows_of_tiles(part, height, columns, U, transpose))

    none = tf.TensorArray(x.dtype, count, infer_shape=False, element_shape=(None, 4 * columns, out))
    # The first number, from 1, of those that meet the lower border.
    inner = (x.shape[1] - 4 + margin) // (4 * at_once)
    blocks = backend.in_turn(block, count, inner, none)
    return tf.ensure_shape(blocks.concat(), (4 * rows, 4 * columns, out))[None, :H, :W]


def _rows_of_tiles(x: Tensor, rows: int, columns: int, U: Tensor, transpose: bool) -> Tensor:
    """Cut into overlapping tiles, transform, multiply, transform back, put together: [4 rows, 4
    columns, out].
    """
    B, A = _BACKWARD if transpose else _FORWARD
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
