"""What a style loss compares: the table of statistics, which the whole program reads.

F are the features [1, h, w, N] of a layer, flat [M, N]. A guide T [h, w] with ΣT² = 1 gives
position k the weight T_k²; without one every position has 1/M (Gatys et al. 2017, guided Gram
matrices). To add a statistic, write its function and its entry here, an oracle in
tests/loss/test_statistics.py and a row in docs/reference/losses.md; the tests ask for what is
missing."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from stn.backend import Tensor, tf
from stn.layers import stride_of
from stn.loss import distributions, losses, neighbors, strotss


class Context(NamedTuple):
    """What a statistic may use next to the features of its layer.

    `gram_divisor` and `shift` are keys of the configuration. `guide` is T [h, w] or None, or the
    tags there. `before` is what a style layer before this one hands on. `directions` are what is
    drawn: unit vectors [D, N], for statistics that project on some, or two offsets, 0-1. `shifts`
    are in positions of the layer."""

    gram_divisor: str = "one"
    shift: float = 0.0
    guide: Tensor | None = None
    before: Tensor | None = None
    directions: Tensor | None = None
    shifts: tuple[int, ...] = (1,)


Compute = Callable[[Tensor, Context], Tensor]


@dataclass(frozen=True)
class Statistic:
    """One way to describe the style at a layer, and how two such descriptions are compared.

    `compute` gives the statistic of features. A statistic that is the Gram matrix of changed
    features has `gram_features` instead, which makes its gradient one matrix product."""

    compute: Compute | None = None
    gram_features: Compute | None = None
    # What that matrix is divided by, where it is not objective.gram_divisor that says so.
    divided_by: str = ""
    # The loss of a layer from the statistics of the image and of the style. Without one it is
    # `losses.style`, in the form that objective.style_reduction names.
    distance: Callable[[Tensor, Any], Tensor] | None = None
    # The keys of `objective` that change it.
    keys: frozenset[str] = frozenset()
    # Why it takes no masks, as the error says after "since"; empty if it takes them.
    no_masks: str = ""
    # Whether it takes them as tags (guidance=tag), then in place of guides.
    takes_tags: bool = False
    # Whether the mean of two styles' statistics is a target. Of a sum of squares it has the
    # gradient of both.
    averages: bool = True
    # Whether what it gives for some rows and for the others adds up to that of the whole picture.
    sums_over_rows: bool = False
    # How many style layers one value compares: 2 for a layer and the one before it.
    layers: int = 1
    # What a layer of the result hands on to the style layers after it; None: what came before.
    hands_on: Callable[[Tensor, Context], Tensor | None] | None = None
    # What is drawn at a layer: from how many `objective.directions` asks for, or N, and N, and the
    # numbers that seed it. Targets are of the same draw.
    draw: Callable[[int, int, Sequence[int]], np.ndarray] | None = None
    # Whether F are hypercolumns [n, ΣN] of all layers at positions that the objective draws
    # (hypercolumns.py), which have one loss.
    of_hypercolumns: bool = False
    # Whether these are at every position of a grid (hypercolumns.on_grid).
    on_grid: bool = False
    # What a target becomes at a level's start, where it is found once: from the statistic of a
    # picture that is to be painted and those of the paintings.
    replace: Callable[[Tensor, Sequence[Tensor]], Tensor] | None = None
    # Arrays of the size of a layer's features that its loss keeps until their gradient, and its
    # target.
    copies: float = 0.0
    # The same of a painting's size, for each copy of it that is compared with it
    # (objective.copies). Its target is a tuple of them all. 0: it has no use for copies.
    pooled: float = 0.0
    # Arrays of the size of a layer's features, and bytes at any size, that it takes at one layer
    # after the other.
    passing: tuple[float, float] = (0.0, 0.0)
    # The fewest positions that a layer has to have, down and across.
    least_side: int = 1

    def of(self, F: Tensor, context: Context) -> Tensor:
        """The statistic of features F [1, h, w, N]."""
        if self.gram_features is None:
            assert self.compute is not None
            return self.compute(F, context)
        X = self.gram_features(F, context)
        guided = context.guide is not None
        return losses.gram(X, self.divisor(context.gram_divisor), guided=guided)

    @property
    def projects(self) -> bool:
        """Whether something is drawn on which its targets depend too."""
        return self.draw is not None

    @property
    def at_positions(self) -> bool:
        """Whether it is of hypercolumns at positions that are drawn, with masks only inside."""
        return self.of_hypercolumns and not self.on_grid

    @property
    def draws(self) -> bool:
        """Whether it compares at what is drawn, directions, offsets or positions."""
        return self.projects or self.at_positions

    def divisor(self, chosen: str) -> str:
        """What its matrix is divided by, where `chosen` is objective.gram_divisor."""
        return self.divided_by or chosen

    def components(self, A: Tensor, count: int | None) -> Tensor | None:
        """The principal components V [N, `count`] of a target A, where objective.components counts
        and asks for fewer than all.
        """
        if count is None or "components" not in self.keys:
            return None
        return losses.principal_components(A, count)

    def loss(
        self,
        G: Tensor,
        A: Any,
        reduction: str,
        positions: Tensor,
        V: Tensor | None = None,
    ) -> Tensor:
        """The style loss of a layer from two statistics, as `of` gives them; `reduction` and
        `positions` as `losses.style` takes them, V as `components` gives it.
        """
        if self.distance is not None:
            return self.distance(G, A)
        if V is not None:
            G, A = losses.reduced(G, V), losses.reduced(A, V)
        return losses.style(G, A, reduction, positions)


def _flat(F: Tensor) -> Tensor:
    return tf.reshape(F, (-1, F.shape[-1]))  # [M, N]


def _mean(flat: Tensor, T: Tensor | None) -> Tensor:
    """The mean [N] over positions, or with a guide Σ T_k² F_k."""
    if T is None:
        return tf.reduce_mean(flat, 0)
    return tf.reduce_sum(flat * tf.square(_column(T)), 0)


def _column(T: Tensor) -> Tensor:
    return tf.reshape(T, (-1,))[:, None]  # [M, 1]


def _guided(flat: Tensor, T: Tensor | None) -> Tensor:
    return flat if T is None else flat * _column(T)


def _shifted(F: Tensor, context: Context) -> Tensor:
    """F + shift (Novak & Nikulin 2016, section 3.3: −1)."""
    if not context.shift and context.guide is None:
        return F
    return _guided(_flat(F) + context.shift, context.guide)


def _centered(F: Tensor, context: Context) -> Tensor:
    """F − mean."""
    flat = _flat(F)
    return _guided(flat - _mean(flat, context.guide), context.guide)


def _with_ones(F: Tensor, context: Context) -> Tensor:
    """F with a channel of ones: the summed squares of its Gram matrix [N + 1, N + 1] are the MMD²
    of the kernel (xᵀy + 1)² (Li et al. 2017)."""
    flat = _flat(F)
    return _guided(tf.concat([flat, tf.ones_like(flat[:, :1])], 1), context.guide)


def _means(F: Tensor, context: Context) -> Tensor:
    """The channels' means [1, N]."""
    return _mean(_flat(F), context.guide)[None]


def _means_and_deviations(F: Tensor, context: Context) -> Tensor:
    """The channels' means and standard deviations [2, N] (Li et al. 2017)."""
    flat = _flat(F)
    mean = _mean(flat, context.guide)
    variance = _mean(tf.square(flat - mean), context.guide)
    positive = variance > 0  # where it is zero the root has no slope
    return tf.stack([mean, tf.where(positive, tf.sqrt(tf.where(positive, variance, 1.0)), 0.0)])


def _guided_means(F: Tensor, context: Context) -> Tensor:
    """Σ T_k F_k / √M [1, N]."""
    flat = _flat(F)
    if context.guide is None:
        return tf.reduce_mean(flat, 0)[None]
    root = tf.sqrt(tf.cast(tf.shape(flat)[0], F.dtype))
    return (tf.reduce_sum(flat * _column(context.guide), 0) / root)[None]


# Positions at which `gaussian` takes features: a kernel of all pairs would be M². Ours.
SAMPLES = 512


def positions_drawn(count: int) -> np.ndarray:
    """The numbers [SAMPLES] of some of `count` positions, or of all; the same at every call."""
    return np.sort(np.random.default_rng(0).permutation(count)[:SAMPLES])


def _sample(F: Tensor, context: Context) -> Tensor:
    """The features [SAMPLES, N] at evenly drawn positions."""
    flat = _flat(F)
    return tf.gather(flat, positions_drawn(flat.shape[0]))


def _chained(F: Tensor, context: Context) -> Tensor:
    """Gram matrix [N', N] over M' between F and the features before, [1, h', w', N'].

    F is enlarged to the M' = h' w' positions by its nearest (Novak & Nikulin 2016, section 3.5).
    """
    before: Tensor = context.before
    height, width = before.shape[1:3]
    enlarged = F
    for axis, side in ((1, height), (2, width)):
        if enlarged.shape[axis] != side:  # layers of one block have one size
            rows = np.arange(side) * enlarged.shape[axis] // side
            enlarged = tf.gather(enlarged, rows, axis=axis)
    flat, flat_before = (_flat(x) + context.shift for x in (enlarged, before))
    return tf.matmul(flat_before, flat, transpose_a=True) / tf.cast(height * width, F.dtype)


def drawn_directions(count: int, N: int, numbers: Sequence[int]) -> np.ndarray:
    """Unit vectors [count, N], float32, uniform on the sphere; the same for the same `numbers`."""
    drawn = np.random.default_rng(list(numbers)).normal(size=(count, N))
    return (drawn / np.linalg.norm(drawn, axis=1, keepdims=True)).astype(np.float32)


def _projections(F: Tensor, context: Context) -> Tensor:
    """Sorted projections [D, M] on D directions (Heitz et al. 2021).

    Tags, if there are some, are one more channel. Every direction has 1 there and is normalized
    anew, so that far tags sort positions by themselves (kyle-gao's copy of the authors' first
    release, texture_synthesis_with_tags.ipynb)."""
    flat, directions = _flat(F), tf.cast(context.directions, F.dtype)
    if context.guide is not None:
        flat = tf.concat([flat, _column(tf.cast(context.guide, F.dtype))], 1)
        directions = tf.concat([directions, tf.ones_like(directions[:, :1])], 1) / 2**0.5
    return distributions.sorted_projections(flat, directions)


# Positions down or across at which `nearest` takes features; NNST, utils/stylize.py.
WIDEST = 64


def drawn_offsets(count: int, N: int, numbers: Sequence[int]) -> np.ndarray:
    """Two offsets of a grid, as shares of its steps, float32; the same for the same `numbers`."""
    return np.random.default_rng(list(numbers)).random(2, np.float32)


def _on_a_grid(F: Tensor, context: Context) -> Tensor:
    """The features with their weights [n, N + 1] on a grid of WIDEST positions or up to twice as
    many along the longer side, at drawn offsets; of a smaller layer all.
    """
    stride = max(1, max(F.shape[1:3]) // WIDEST)
    weights = _weights(F, context.guide)
    if stride > 1:
        first = tf.cast(tf.floor(tf.cast(context.directions, tf.float32) * stride), tf.int32)
        for axis in (1, 2):
            places = first[axis - 1] + stride * tf.range(F.shape[axis] // stride)
            F, weights = (tf.gather(x, places, axis=axis) for x in (F, weights))
    return _flat(tf.concat([F, weights], -1))


def _on_a_grid_as_run(F: Tensor, context: Context) -> Tensor:
    """The same, but of a layer no wider than WIDEST what the last wider one had, read as if it had
    N channels.

    nkolkin13/NeuralNeighborStyleTransfer (290976a), utils/stylize.py, lines 301-311: `cs_tmp` is
    assigned for wide layers alone, and stays. Channel after channel its numbers are read [N, n];
    what is left over, for which the program ends, is dropped."""
    if context.before is None or max(F.shape[1:3]) > WIDEST:
        return _on_a_grid(F, context)
    numbers = tf.reshape(tf.transpose(context.before[:, :-1]), (-1,))
    N = F.shape[-1]
    n = numbers.shape[0] // N
    stale = tf.transpose(tf.reshape(numbers[: N * n], (N, n)))
    return tf.concat([stale, tf.ones_like(stale[:, :1])], 1)


def _of_wide(F: Tensor, context: Context) -> Tensor | None:
    return _on_a_grid(F, context) if max(F.shape[1:3]) > WIDEST else None


def _weights(F: Tensor, T: Tensor | None) -> Tensor:
    """What positions of F [1, h, w, N] count, M T² [1, h, w, 1]; 1 without a guide."""
    if T is None:
        return tf.ones_like(F[..., :1])
    M = tf.cast(F.shape[1] * F.shape[2], F.dtype)
    return tf.square(tf.cast(T, F.dtype))[None, ..., None] * M


def _columns_with_weights(F: Tensor, context: Context) -> Tensor:
    """Hypercolumns [n, N] of a grid with what they count [n, N + 1]."""
    flat = _flat(F)[None, None]  # [1, 1, n, N]
    guide = None if context.guide is None else tf.reshape(context.guide, (1, -1))
    return _flat(tf.concat([flat, _weights(flat, guide)], -1))


def _histograms(F: Tensor, context: Context) -> Tensor:
    """The values of each channel, sorted [N, M], which is a histogram without bins.

    A loss of ranks is then Σ(F − R(F))² / (NM), R(F) being F with each channel's histogram matched
    to the style's (Risser, Wilmot and Barnes 2017, arXiv:1701.08893)."""
    return distributions.sorted_rows(tf.transpose(_flat(F)))


def shifts_at(shifts: Sequence[int], layer: str) -> tuple[int, ...]:
    """Those shifts, in positions of a layer, that reach no more pixels than the largest does at the
    first layers.
    """
    return tuple(shift for shift in shifts if shift * stride_of(layer) <= max(shifts))


def _with_neighbors(F: Tensor, context: Context) -> Tensor:
    """Gram matrices [2DN, N] of the features with those `shifts` off (Berger and Memisevic 2017).

    The vertical ones reach over rows, so that a layer has to be whole."""
    return losses.shifted_grams(F, context.shifts, context.gram_divisor, context.guide)


def _with_guide(F: Tensor, context: Context) -> Tensor:
    """The features with one more channel [1, h, w, N + 1], for a loss that matches them: the guide
    times √M, which without one is 1.
    """
    if context.guide is None:
        return tf.concat([F, tf.ones_like(F[..., :1])], -1)
    root = tf.cast(F.shape[1] * F.shape[2], F.dtype) ** 0.5
    guide = tf.cast(context.guide, F.dtype) * root
    return tf.concat([F, guide[None, ..., None]], -1)


_MATRIX = frozenset({"gram_divisor", "style_reduction"})
# What three arrays of scores take, of patches that are searched.
_SCORE_BYTES = 3.0 * 4 * neighbors.SCORES
# What the entries of one kind share.
_of_patches = functools.partial(
    Statistic,
    _with_guide,
    keys=frozenset({"copies"}),
    averages=False,
    least_side=neighbors.PATCH,
)
_of_a_grid = functools.partial(
    Statistic,
    distance=neighbors.nearest,
    keys=frozenset({"copies", "redraw"}),
    averages=False,
    draw=drawn_offsets,
    copies=1.2,  # of wide layers a grid is kept, and the gradient is whole
    pooled=0.2,
)
_of_columns = functools.partial(
    Statistic,
    keys=frozenset({"hypercolumns", "style_hypercolumns", "redraw"}),
    averages=False,
    of_hypercolumns=True,
)

# By the names of objective.style_statistic.
STATISTICS: dict[str, Statistic] = {
    "gram": Statistic(
        gram_features=_shifted,
        keys=_MATRIX | {"activation_shift", "components"},
        sums_over_rows=True,
    ),
    "covariance": Statistic(gram_features=_centered, keys=_MATRIX | {"components"}),
    "polynomial": Statistic(gram_features=_with_ones, keys=_MATRIX, sums_over_rows=True),
    "wasserstein2": Statistic(
        gram_features=_with_ones,
        divided_by="m",
        distance=distributions.wasserstein2,
        sums_over_rows=True,
    ),
    "wasserstein2_newton": Statistic(
        gram_features=_with_ones,
        divided_by="m",
        distance=functools.partial(
            distributions.wasserstein2, roots=distributions.trace_of_stepped_root
        ),
        sums_over_rows=True,
    ),
    "shifted_gram": Statistic(
        _with_neighbors,
        keys=_MATRIX | {"shifts"},
        # Two shifted, their two gradients, those padded, the sum before and after; bytes measured.
        passing=(8.0, 45e6),
    ),
    "mean": Statistic(_means, distance=distributions.sum_of_squares),
    "mean_std": Statistic(_means_and_deviations, distance=distributions.mean_over_channels),
    "gaussian": Statistic(
        _sample,
        distance=distributions.gaussian_mmd,
        no_masks="it draws its positions over the whole picture",
        averages=False,
    ),
    "chain": Statistic(
        _chained,
        keys=frozenset({"style_reduction", "activation_shift"}),
        no_masks="its layers differ in size",
        layers=2,
        hands_on=lambda F, context: F,
    ),
    "sliced_wasserstein": Statistic(
        _projections,
        distance=distributions.sliced_wasserstein,
        keys=frozenset({"directions", "redraw"}),
        no_masks="it sorts all positions",
        takes_tags=True,
        averages=False,
        draw=drawn_directions,
        copies=4.0,
    ),
    "histogram": Statistic(
        _histograms,
        distance=distributions.sliced_wasserstein,
        no_masks="it sorts all positions",
        averages=False,
        copies=4.0,
    ),
    "nearest": _of_a_grid(_on_a_grid),
    "nearest_as_run": _of_a_grid(
        _on_a_grid_as_run,
        no_masks="its narrow layers have another one's sample, which lies nowhere in them",
        hands_on=_of_wide,
    ),
    # 9 / 4 numbers of patches for each feature. Their differences stay, and of a painting patches
    # and unit vectors, which TensorFlow makes first. Patches of the result pass.
    "patches": _of_patches(
        distance=neighbors.patches, copies=2.25, pooled=5.5, passing=(3.25, _SCORE_BYTES)
    ),
    "patches_dense": _of_patches(
        distance=functools.partial(neighbors.patches, stride=1),
        copies=9.0,
        pooled=10.0,
        passing=(10.0, _SCORE_BYTES),
    ),
    "relaxed_emd": _of_columns(
        lambda F, context: neighbors.unit_rows(_flat(F)), distance=strotss.relaxed_emd
    ),
    "moments": _of_columns(
        lambda F, context: strotss.mean_and_covariance(_flat(F)), distance=strotss.moments
    ),
    "palette": _of_columns(lambda F, context: _flat(F), distance=strotss.palette),
    "nearest_hypercolumns": Statistic(
        _columns_with_weights,
        distance=neighbors.from_replaced,
        keys=frozenset({"copies", "content_share"}),
        averages=False,
        of_hypercolumns=True,
        on_grid=True,
        replace=neighbors.replaced,
        pooled=1.0,
    ),
}
# What guidance=sums compares next to the statistic chosen: the authors' code of Gatys et al. 2017,
# MeanMSEGuided.
GUIDED_MEANS = Statistic(_guided_means, distance=distributions.mean_over_channels)
