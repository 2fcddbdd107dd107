"""The network a band of rows at a time, forgotten and computed again for the gradient: the same
numbers, less memory.

A block is what lies between two poolings. A band of its rows has beside it as many rows as the
block has convolutions, on which alone its own rows depend; where bands overlap, their gradients add
up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stn import backend
from stn.backend import tf
from stn.layers import LAYERS, of_kind
from stn.network import vgg

# A block whose convolutions' outputs take no more is computed as without bands. A band's own rows
# are so many times those on each side, which two bands compute: an eighth more work. Both ours.
BLOCK_BYTES, ROWS_OVER_MARGIN = 512 * 2**20, 16
# Numbers of rows F [1, rows, w, N] of a layer, from `first` on, of `height` in all, which add up
# over the bands.
Share = Callable[[Any, int, int], Sequence[Any]]


def features(
    image: Any,
    kernels: vgg.Kernels,
    layers: Iterable[str],
    pooling: str,
    hook: Callable[[str, Any], Any],
    ceil_mode: bool,
    border: str,
    shares: Mapping[str, Share],
) -> dict[str, list[Any]]:
    """As `vgg.features`, large blocks in bands; gives the sums of `shares` of the layers that were
    not made whole.

    These are the convolutions and ReLUs in `shares` of large blocks; for every other layer
    `hook` is called."""
    sums: dict[str, list[Any]] = {}
    wanted, x = set(layers), tf.convert_to_tensor(image, tf.float32)

    def at(layer: str, F: Any) -> Any:
        return hook(layer, F) if layer in wanted else F

    for names in vgg.blocks(kernels, wanted):
        inner = [name for name in names if LAYERS[name].kind != "pool"]
        bands = of_block(x.shape[1:3], kernels, inner, wraps=border == "wrap")
        if bands is None:
            x = vgg.features(
                x, kernels, {*wanted, names[-1]} & {*names}, pooling, at, ceil_mode, border, names
            )[names[-1]]
            continue
        whole = [name for name in inner if name in wanted - shares.keys()]
        summed = {name: shares[name] for name in inner if name in wanted & shares.keys()}
        pool = (pooling, ceil_mode) if names != inner else None  # nothing follows the last block
        found, in_block = _block(x, kernels, inner, bands, whole, summed, border, pool)
        sums |= in_block
        for layer in whole:
            hook(layer, found[layer])
        if pool:
            x = at(names[-1], found["pool"])
    return sums


def walk(
    image: Any,
    kernels: vgg.Kernels,
    layers: Sequence[str],
    pooling: str,
    gradient_checkpointing: bool,
) -> Iterator[tuple[str, Any, int]]:
    """Each of the `layers`, ReLUs, some rows of its features, and how many positions the whole
    has; no gradient.

    Without `gradient_checkpointing` the rows are all; with it, those of large blocks come a band
    after the other."""
    x = tf.convert_to_tensor(image, tf.float32)
    for names in vgg.blocks(kernels, layers):
        inner, positions = (
            [name for name in names if LAYERS[name].kind != "pool"],
            x.shape[1] * x.shape[2],
        )
        bands = of_block(x.shape[1:3], kernels, inner) if gradient_checkpointing else None
        bands = bands or Bands(x.shape[1], x.shape[1], 1, 0, 0)
        pooled = []
        for number in range(bands.count):
            start, length = bands.read(number)
            part = x if bands.count == 1 else x[:, start : start + length]
            for layer, F in vgg.walk(part, kernels, {*inner} & {*layers}, pooling, names=inner):
                F = F if bands.count == 1 else F[:, bands.own(number)]
                yield layer, F, positions
            if names != inner:
                pooled.append(vgg.pool(F, pooling, True))
        x = tf.concat(pooled, 1) if len(pooled) > 1 else pooled[0] if pooled else None


def of_block(
    shape: Sequence[int], kernels: vgg.Kernels, names: Iterable[str], wraps: bool = False
) -> "Bands | None":
    """The bands of a block [height, width], which goes on at its other side if it `wraps`; None if
    it is not large.
    """
    channels = [int(kernels[name][1].shape[0]) for name in of_kind("conv", names)]
    height, width, margin = *shape, len(channels)
    if 4 * height * width * sum(channels) <= BLOCK_BYTES:
        return None
    rows = 4 * max(
        1, ROWS_OVER_MARGIN * margin // 4
    )  # whole tiles of Winograd's, and no less than a margin
    return Bands(height, rows, max(1, height // rows), margin, margin if wraps else 0)


def _block(
    x: Any,
    kernels: vgg.Kernels,
    names: Sequence[str],
    bands: "Bands",
    whole: Sequence[str],
    shares: Mapping[str, Share],
    border: str,
    pool: tuple[str, bool] | None,
) -> tuple[dict[str, Any], dict[str, list[Any]]]:
    """Features at the layers `whole` and, as "pool", behind a block that is pooled; and the sums of
    `shares`.
    """
    if bands.beyond:
        x = tf.concat([x[:, -bands.beyond :], x, x[:, : bands.beyond]], 1)

    def of_band(part: Any, own: slice, first: Any) -> tuple[dict[str, Any], dict[str, list[Any]]]:
        found = vgg.features(
            part, kernels, {*whole, *shares, names[-1]}, border=border, names=names
        )
        F = {layer: each[:, own] for layer, each in found.items()}
        sums = {
            layer: list(share(F[layer], first, bands.height)) for layer, share in shares.items()
        }
        pooled = {"pool": vgg.pool(F[names[-1]], *pool)} if pool else {}
        return {layer: F[layer] for layer in whole} | pooled, sums

    return recomputed(of_band, x, bands)


@dataclass(frozen=True)
class Bands:
    """`count` bands of `rows` rows, the last of all that are left of `height`; `margin` more on
    each side are read.

    A picture that goes on at its other side has `beyond` = `margin` rows added at both its ends,
    any other none."""

    height: int
    rows: int
    count: int
    margin: int
    beyond: int

    def read(self, number: Any) -> tuple[Any, int]:
        """The first row that a band reads, and how many; a `number` that is a tensor is neither the
        first nor last.
        """
        start = number * self.rows + self.beyond - self.margin
        if not isinstance(number, int):
            return start, self.rows + 2 * self.margin
        stop = self.first_after(number) + self.beyond + self.margin
        return max(0, start), min(self.height + 2 * self.beyond, stop) - max(0, start)

    @property
    def longest(self) -> int:
        """The most rows that a band reads."""
        return max(
            self.read(number)[1] for number in (0, self.count // 2, self.count - 1)
        )  # all between are alike

    def first_after(self, number: int) -> int:
        """The row after the last of its own."""
        return (number + 1) * self.rows if number + 1 < self.count else self.height

    def own(self, number: Any) -> slice:
        """Its own rows among those read."""
        if not isinstance(number, int):
            return slice(self.margin, self.margin + self.rows)
        start = number * self.rows + self.beyond - self.read(number)[0]
        return slice(start, start + self.first_after(number) - number * self.rows)

    def is_last(self, number: Any) -> bool:
        return isinstance(number, int) and number == self.count - 1

    def rows_of(self, whole: Any, part: Any, number: Any) -> Any:
        """The rows of a `whole` layer at which a band has `part`."""
        rows = part.shape[1]
        start = whole.shape[1] - rows if self.is_last(number) else number * rows
        return tf.slice(whole, (0, start, 0, 0), part.shape)


def recomputed(compute: Callable[[Any, slice, Any], tuple[Any, Any]], x: Any, bands: Bands) -> Any:
    """`compute` of each band of `x`, joined, with its gradient, for which each band is computed
    once more.

    `compute(part of x, its own rows in it, the first of them)` gives two nests of tensors: rows, as
    many as its own or half of them, which follow those of the band before, and numbers that add up
    over the bands."""
    nests: list[Any] = []
    usual: list[int] = []  # rows of every band but the last

    def of(x: Any, number: Any) -> tuple[Any, Callable[[Any], Any]]:
        start, length = bands.read(number)
        part = tf.slice(x, (0, start, 0, 0), (1, length, *x.shape[2:]))
        return part, lambda part: compute(part, bands.own(number), number * bands.rows)

    @tf.custom_gradient
    def run(x: Any) -> tuple[Any, Any]:
        def forward(number: Any, carried: Any) -> Any:
            with tf.control_dependencies(
                _tensors(carried)
            ):  # one after another, or their memory would add up
                part, function = of(x, number)
                nests[:] = function(part)
            rows, sums = (tf.nest.flatten(nest) for nest in nests)
            if not carried:
                usual[:] = [each.shape[1] for each in rows]
            arrays = carried[0] if carried else [_array(each, bands.count) for each in rows]
            sums = (
                [one + other for one, other in zip(carried[1], sums, strict=True)]
                if carried
                else sums
            )
            return [
                array.write(number, each[0]) for array, each in zip(arrays, rows, strict=True)
            ], sums

        arrays, sums = backend.in_turn(forward, bands.count, bands.count - 1)
        last = [each.shape[1] for each in tf.nest.flatten(nests[0])]
        heights = [
            height + (bands.count - 1) * others for height, others in zip(last, usual, strict=True)
        ]
        joined = [_joined(array, height) for array, height in zip(arrays, heights, strict=True)]

        def gradient(*upstream: Any) -> Any:
            d_joined, d_sums = upstream[: len(joined)], upstream[len(joined) :]

            def backward(number: Any, carried: Any) -> Any:
                with (
                    tf.control_dependencies([*upstream, *_tensors(carried)]),
                    tf.GradientTape() as tape,
                ):
                    part, function = of(x, number)
                    tape.watch(part)
                    outputs = tf.nest.flatten(function(part))
                    d_rows = [
                        bands.rows_of(d, y, number) for d, y in zip(d_joined, outputs, strict=False)
                    ]
                d = tape.gradient(outputs, part, [*d_rows, *d_sums])
                array = carried[0] if carried else _array(d, bands.count)
                if carried:
                    shared = carried[1].shape[1]
                    d = tf.concat([d[:, :shared] + carried[1], d[:, shared:]], 1)
                shared = 0 if bands.is_last(number) else 2 * bands.margin
                finished = d.shape[1] - shared
                return array.write(number, d[0, :finished]), d[:, finished:]

            return _joined(backend.in_turn(backward, bands.count, bands.count - 1)[0], x.shape[1])

        return (
            tf.nest.pack_sequence_as(nests[0], joined),
            tf.nest.pack_sequence_as(nests[1], sums),
        ), gradient

    return run(x)


def _array(part: Any, count: int) -> Any:
    """For `count` parts of some rows each, [rows, w, N]."""
    return tf.TensorArray(
        part.dtype, count, infer_shape=False, element_shape=(None, *part.shape[2:])
    )


def _joined(array: Any, height: int) -> Any:
    """[1, h, w, N]"""
    joined = array.concat()[None]
    return tf.ensure_shape(joined, (1, height, *joined.shape[2:]))


def _tensors(carried: Any) -> list[Any]:
    flat = [] if carried is None else tf.nest.flatten(carried)
    return [each.flow if isinstance(each, tf.TensorArray) else each for each in flat]
