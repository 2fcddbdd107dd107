"""The 3 × 3 convolution, direct or by `winograd`, and what lies beyond the border.

A direct convolution is also the gradient of one with the kernel turned. So Conv2DBackpropInput,
TensorFlow's operation for the backward pass, can make both. Without AVX-512 oneDNN's Conv2D takes
up to four times as long (docs/science/benchmark.md)."""

from collections.abc import Callable
from typing import Any, NamedTuple

from stn.backend import Tensor, tf
from stn.network import winograd


class Turned(NamedTuple):
    """A kernel [3, 3, in, out] for a direct convolution by Conv2DBackpropInput, which turns it."""

    kernel: Tensor


# What makes the forward pass of direct convolutions. The backward pass is the second's in any case.
OPERATIONS: dict[str, Callable[[Tensor], Any]] = {
    "conv2d": lambda kernel: kernel,
    "conv2d_backprop_input": Turned,
}


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
        return winograd.convolve(x, kernel, zeros=border == "zero")
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


# What tf.pad calls borders. One pixel of SYMMETRIC is the border's own.
PADDINGS = {"reflect": "REFLECT", "replicate": "SYMMETRIC"}


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
