"""Hypercolumns: what all layers of a list say of the same positions, joined.

A hypercolumn [ΣN] has the colors of a pixel and the features of each layer there. The losses of
Kolkin et al. 2019 and 2022 compare sets of them, [n, ΣN]."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from stn.backend import Tensor, tf
from stn.images import resizing

# Of a painting so many distinct pixels are drawn at a time; nkolkin13/STROTSS, st_helper.py,
# `subsamps`.
ROUND = 1000
# Of a result pixels are drawn from a grid of about so many by so many; the same,
# stylize_objectives.py, init_inds.
GRID = 128

# Pixels from one position of a whole grid to the next; nkolkin13/NeuralNeighborStyleTransfer.
GRID_STEP = 4


def at(F: Tensor, positions: Tensor, first: Tensor | int = 0, height: int | None = None) -> Tensor:
    """The features [n, N] of a layer F [1, h, w, N] at positions [n, 2], rows and columns of F,
    bilinear between its own four; beyond a side stands the last.

    Where F holds only some rows of a layer of `height`, from `first` on, the result is what those
    rows add to it."""
    _, rows, width, N = F.shape
    corner = tf.floor(positions)
    share = tf.cast(positions - corner, F.dtype)
    down, right = (tf.cast(corner[:, side], tf.int32) for side in (0, 1))
    last = (rows if height is None else height) - 1
    index, weight = [], []
    for step_down, of_row in ((0, 1 - share[:, 0]), (1, share[:, 0])):
        row = tf.clip_by_value(down + step_down, 0, last) - first
        inside = tf.cast((row >= 0) & (row < rows), F.dtype)
        row = tf.clip_by_value(row, 0, rows - 1)
        for step_right, of_column in ((0, 1 - share[:, 1]), (1, share[:, 1])):
            column = tf.clip_by_value(right + step_right, 0, width - 1)
            index.append(row * width + column)
            weight.append((inside * of_row * of_column)[:, None])

    @tf.custom_gradient
    def sampled(F: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        flat = tf.reshape(F, (-1, N))

        def gradient(d: Tensor) -> Tensor:
            parts = tf.concat([each * d for each in weight], 0)
            # One sum for all corners: as sparse parts TensorFlow would make F four times.
            whole = tf.math.unsorted_segment_sum(parts, tf.concat(index, 0), rows * width)
            return tf.reshape(whole, (1, rows, width, N))

        parts = [each * tf.gather(flat, own) for each, own in zip(weight, index, strict=True)]
        return tf.add_n(parts), gradient

    return sampled(F)


def on_grid(
    F: Tensor, shape: Sequence[int], first: Tensor | int = 0, height: int | None = None
) -> Tensor:
    """The features [n, N] of a layer F [1, h, w, N] at every position of a grid, over N.

    The grid has a quarter of the sides of a picture, `shape`. So wide layers weigh no more
    (nkolkin13/NeuralNeighborStyleTransfer, featureExtract.py). Bilinear, with the corners of layer
    and grid on each other. `first` and `height` as in `at`."""
    _, rows, width, N = F.shape
    down, across = (
        resizing.between(side, own).toarray()
        for side, own in zip((rows if height is None else height, width), grid(shape), strict=True)
    )
    part = tf.slice(tf.constant(down, F.dtype), (0, first), (len(down), rows))
    tall = tf.reshape(tf.matmul(part, tf.reshape(F, (rows, width * N))), (len(down), width, N))
    return tf.reshape(tf.matmul(tf.constant(across, F.dtype)[None], tall), (-1, N)) / N


def grid(shape: Sequence[int]) -> tuple[int, int]:
    """The sides of the grid `on_grid` has of a picture [height, width]."""
    height, width = (max(1, side // GRID_STEP) for side in shape)
    return height, width


def positions_of_result(
    shape: Sequence[int],
    count: int,
    level: Sequence[int],
    draw: Sequence[int],
    mask: np.ndarray | None = None,
) -> np.ndarray:
    """Pixels [n, 2] of a result [height, width] at which hypercolumns are compared, float32:
    `count`, or fewer in a small picture.

    They lie on a grid of about GRID × GRID. Its offset depends on the numbers `level`. Rows and
    columns are drawn apart from each other, from the numbers `draw` (nkolkin13/STROTSS,
    stylize_objectives.py, init_inds and shuffle_feature_inds).

    With a `mask` [height, width] places of that grid are drawn, or pixels where none of it is
    inside, with repeats and as often as its square says. There the program draws rows and columns
    apart too, so that some lie outside."""
    height, width = shape
    stride = (height * width // GRID**2) ** 0.5
    offset, drawn = (np.random.default_rng(list(numbers)) for numbers in (level, draw))
    down, across = (
        np.arange(offset.integers(step), side, step)
        for side, step in ((height, max(1, int(stride))), (width, max(1, int(np.ceil(stride)))))
    )
    pairs = np.meshgrid(down, across, indexing="ij")
    if mask is not None:
        on_grid = np.zeros(shape)
        on_grid[tuple(pairs)] = mask[tuple(pairs)]
        return _drawn_inside(on_grid if on_grid.any() else mask, min(count, pairs[0].size), drawn)
    found = [drawn.permutation(each.ravel())[:count] for each in pairs]
    return np.stack(found, 1).astype(np.float32)


def positions_of_painting(
    shape: Sequence[int], count: int, numbers: Sequence[int], mask: np.ndarray | None = None
) -> np.ndarray:
    """Pixels [n, 2] of a painting [height, width], float32, uniform: `count`, distinct in each
    ROUND (nkolkin13/STROTSS, vgg_pt.py, forward_samples_hypercolumn). The same for the same
    `numbers`. With a `mask` as `positions_of_result` draws them.
    """
    height, width = shape
    generator, found = np.random.default_rng(list(numbers)), []
    rounds = [min(ROUND, count - before, height * width) for before in range(0, count, ROUND)]
    if mask is not None:
        return _drawn_inside(mask, sum(rounds), generator)
    for of_round in rounds:
        drawn = generator.permutation(height * width)[:of_round]
        found.append(np.stack(np.unravel_index(drawn, (height, width)), 1))
    return np.concatenate(found).astype(np.float32)


def _drawn_inside(mask: np.ndarray, count: int, generator: np.random.Generator) -> np.ndarray:
    """`count` pixels [count, 2] of a mask [height, width], each as probable as its square."""
    weights = np.square(mask, dtype=np.float64).ravel()
    drawn = generator.choice(weights.size, count, p=weights / weights.sum())
    return np.stack(np.unravel_index(drawn, mask.shape), 1).astype(np.float32)


def joined(columns: dict[str, Any], layers: Sequence[str]) -> Tensor:
    """The hypercolumns [n, ΣN] of these layers."""
    return tf.concat([columns[layer] for layer in layers], 1)
