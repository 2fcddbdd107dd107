"""Gradient checkpointing by rows: large blocks are computed a band of rows at a time.

The features of a band are dropped and computed again for the gradient. The numbers are the same and
need less memory. A block is what lies between two poolings. A row of a block's output depends on as
many rows above and below as the block has convolutions, so each band reads that many more. Where
bands overlap, their gradients add up."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stn import backend
from stn.backend import Tensor, tf
from stn.layers import LAYERS, of_kind
from stn.network import vgg

# A block whose convolutions' outputs take no more bytes is computed whole. A band has so many times
# the rows of its margin on one side. Two bands compute each margin: an eighth more work. Both ours.
BLOCK_BYTES, ROWS_OVER_MARGIN = 512 * 2**20, 16
# Takes rows F [1, rows, w, N] of a layer, the number of the first, and how many the layer has.
# Gives numbers that add up over the bands.
Share = Callable[[Tensor, int, int], Sequence[Tensor]]
Nest = Any  # tensors in lists and dictionaries, as tf.nest takes them


def features(
    image: Tensor,
    kernels: vgg.Kernels,
    layers: Iterable[str],
    options: vgg.Options,
    hook: Callable[[str, Tensor], Tensor],
    shares: Mapping[str, Share],
) -> dict[str, list[Tensor]]:
    """As `vgg.features` of an image [1, H, W, 3], but large blocks are computed in bands.

    Gives {layer: sums} for the layers in `shares` that lie in large blocks, whose features are
    never whole. For every other layer `hook` is called with its features [1, h, w, N]."""
    sums: dict[str, list[Tensor]] = {}
    wanted, x = set(layers), tf.convert_to_tensor(image, tf.float32)

    def at(layer: str, F: Tensor) -> Tensor:
        return hook(layer, F) if layer in wanted else F

    def in_bands(x: Tensor, inner: Sequence[str], bands: Bands, pools: bool) -> Nest:
        """Features at the layers that are to be whole, and as "pool" after the pooling if there is
        one; then the sums of the shares.
        """
        whole = [name for name in inner if name in wanted - shares.keys()]
        summed = {name: shares[name] for name in inner if name in wanted & shares.keys()}
        if bands.beyond:
            x = tf.concat([x[:, -bands.beyond :], x, x[:, : bands.beyond]], 1)

        def of_band(part: Tensor, own: slice, first: Tensor) -> Nest:
            found = vgg.features(part, kernels, {*whole, *summed, inner[-1]}, options, names=inner)
            F = {layer: each[:, own] for layer, each in found.items()}
            sums = {
                layer: list(share(F[layer], first, bands.height)) for layer, share in summed.items()
            }
            pooled = {"pool": vgg.pool(F[inner[-1]], options)} if pools else {}
            return {layer: F[layer] for layer in whole} | pooled, sums

        return checkpointed(of_band, x, bands)

    for names in vgg.blocks(kernels, wanted):
        inner = [name for name in names if LAYERS[name].kind != "pool"]
        bands = of_block(x.shape[1:3], kernels, inner, options.border == "wrap")
        if bands is None:
            here = {*wanted, names[-1]} & {*names}
            x = vgg.features(x, kernels, here, options, at, names)[names[-1]]
            continue
        found, in_block = in_bands(x, inner, bands, pools=names != inner)  # the last has none
        sums |= in_block
        for layer in inner:
            if layer in found:
                hook(layer, found[layer])
        if "pool" in found:
            x = at(names[-1], found["pool"])
    return sums


def walk(
    image: Tensor,
    kernels: vgg.Kernels,
    layers: Sequence[str],
    options: vgg.Options,
) -> Iterator[tuple[str, Tensor, int]]:
    """For each of the `layers`, all ReLUs, of an image [1, H, W, 3]: its name, some rows of its
    features [1, rows, w, N], and how many positions it has in all. There is no gradient.

    With `options.gradient_checkpointing` a large block gives one band after the other. Otherwise
    the rows are all. The border is no wrap: bands do not see the other side."""
    x = tf.convert_to_tensor(image, tf.float32)
    for names in vgg.blocks(kernels, layers):
        inner = [name for name in names if LAYERS[name].kind != "pool"]
        positions = x.shape[1] * x.shape[2]
        bands = of_block(x.shape[1:3], kernels, inner) if options.gradient_checkpointing else None
        bands = bands or Bands(x.shape[1], x.shape[1], 1, 0, 0)
        pooled = []
        for number in range(bands.count):
            start, length = bands.read(number)
            part = x if bands.count == 1 else x[:, start : start + length]
            for layer, F in vgg.walk(part, kernels, {*inner} & {*layers}, options, names=inner):
                F = F if bands.count == 1 else F[:, bands.own(number)]
                yield layer, F, positions
            if names != inner:
                pooled.append(vgg.pool(F, options))
        x = tf.concat(pooled, 1) if pooled else None  # nothing follows the last block


def of_block(
    shape: Sequence[int], kernels: vgg.Kernels, names: Iterable[str], wraps: bool = False
) -> "Bands | None":
    """The bands of a block [height, width]; None if it is small. `wraps`: opposite sides meet."""
    channels = [int(kernels[name][1].shape[0]) for name in of_kind("conv", names)]
    height, width, margin = *shape, len(channels)
    if 4 * height * width * sum(channels) <= BLOCK_BYTES:
        return None
    # Whole tiles of Winograd's, and no less than a margin.
    rows = 4 * max(1, ROWS_OVER_MARGIN * margin // 4)
    return Bands(height, rows, max(1, height // rows), margin, margin if wraps else 0)


@dataclass(frozen=True)
class Bands:
    """`count` bands of `rows` rows; the last has what is left of `height`.

    Each band reads `margin` more rows on each side. `beyond` rows were added at both ends: `margin`
    where opposite sides of the picture meet, otherwise none."""

    height: int
    rows: int
    count: int
    margin: int
    beyond: int

    def read(self, number: Tensor) -> tuple[Tensor, int]:
        """The first row that a band reads, and how many. A `number` that is a tensor is one of the
        inner bands, which are alike.
        """
        start = number * self.rows + self.beyond - self.margin
        if not isinstance(number, int):
            return start, self.rows + 2 * self.margin
        stop = self.first_after(number) + self.beyond + self.margin
        return max(0, start), min(self.height + 2 * self.beyond, stop) - max(0, start)

    @property
    def longest(self) -> int:
        """The most rows that a band reads."""
        # All between the first and the last are alike.
        return max(self.read(number)[1] for number in (0, self.count // 2, self.count - 1))

    def first_after(self, number: int) -> int:
        """The row after the band's last own row."""
        return (number + 1) * self.rows if number + 1 < self.count else self.height

    def own(self, number: Tensor) -> slice:
        """The band's own rows among those that it reads."""
        if not isinstance(number, int):
            return slice(self.margin, self.margin + self.rows)
        start = number * self.rows + self.beyond - self.read(number)[0]
        return slice(start, start + self.first_after(number) - number * self.rows)

    def is_last(self, number: Tensor) -> bool:
        """Whether it is the last band; a `number` that is a tensor is none."""
        return isinstance(number, int) and number == self.count - 1

    def rows_of(self, whole: Tensor, part: Tensor, number: Tensor) -> Tensor:
        """The rows of a `whole` layer [1, h, w, N] that a band's `part` [1, rows, w, N] is of."""
        rows = part.shape[1]
        start = whole.shape[1] - rows if self.is_last(number) else number * rows
        return tf.slice(whole, (0, start, 0, 0), part.shape)


def checkpointed(
    compute: Callable[[Tensor, slice, Tensor], tuple[Nest, Nest]], x: Tensor, bands: Bands
) -> Nest:
    """`compute` of each band of `x` [1, h, w, N], joined; for the gradient each is computed again.

    `compute(part, own, first)` takes the rows that the band reads, which of them are its own, and
    the number of the first. It gives two nests of tensors. The first holds rows, as many as the
    band's own or half as many after a pooling; those of all bands are joined. The second holds
    numbers, which add up over the bands."""
    nests: list[Nest] = []
    usual: list[int] = []  # rows of every band but the last

    def of(x: Tensor, number: Tensor) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        start, length = bands.read(number)
        part = tf.slice(x, (0, start, 0, 0), (1, length, *x.shape[2:]))
        return part, lambda part: compute(part, bands.own(number), number * bands.rows)

    @tf.custom_gradient
    def run(x: Tensor) -> tuple[Nest, Nest]:
        def forward(number: Tensor, carried: Nest) -> Tensor:
            # One after another, or their memory would add up.
            with tf.control_dependencies(_tensors(carried)):
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

        def gradient(*upstream: Tensor) -> Tensor:
            d_joined, d_sums = upstream[: len(joined)], upstream[len(joined) :]

            def backward(number: Tensor, carried: Nest) -> Tensor:
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


def _array(part: Tensor, count: int) -> Tensor:
    """An array for `count` parts [rows, w, N], which may differ in their rows."""
    return tf.TensorArray(
        part.dtype, count, infer_shape=False, element_shape=(None, *part.shape[2:])
    )


def _joined(array: Tensor, height: int) -> Tensor:
    """The parts of an array one below the other, [1, height, w, N]."""
    joined = array.concat()[None]
    return tf.ensure_shape(joined, (1, height, *joined.shape[2:]))


def _tensors(carried: Nest) -> list[Tensor]:
    flat = [] if carried is None else tf.nest.flatten(carried)
    return [each.flow if isinstance(each, tf.TensorArray) else each for each in flat]
